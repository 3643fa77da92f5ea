"""A scene on disk -> the folder of its result, tile by tile; a run that ends at any moment can go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from unmixel.errors import OutputError, SceneError
from unmixel.extraction import NumberEvidence
from unmixel.io.lazy import WINDOW_MEMORY, LazyScene, open_lazily
from unmixel.io.whole_folder import check_output, provenance_in
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress
from unmixel.peak_memory import peak_memory
from unmixel.registry import load
from unmixel.scale.beginning import begin, differences, kept_if_worth_it
from unmixel.scale.engines import Engine, Serial
from unmixel.scale.finishing import Drawings
from unmixel.scale.fitting import what_decides
from unmixel.scale.identity import digest_of, run_identity, scene_identity
from unmixel.scale.run_folder import discard, finish, run_folder
from unmixel.scale.stages import Stages, TileRun


def unmix_file(
    model: Method | Fitted | str | Path,
    scene: str | Path,
    output: str | Path,
    *,
    name: str | None = None,
    bundle: xr.DataArray | None = None,
    leave_out: Sequence[Any] = (),
    scale: float | int | None = None,
    keep_atmosphere: bool = False,
    uncertainty: str | Path | None = None,
    engine: Engine | None = None,
    tile_memory: int = WINDOW_MEMORY,
    progress: Progress | None = None,
    on_scene: Callable[[xr.DataArray], None] | None = None,
    on_number: Callable[[NumberEvidence], None] | None = None,
    drawings: Drawings | None = None,
    resume: bool = False,
    overwrite: bool = False,
    provenance: Callable[[], Mapping[str, Any]] | None = None,
    command: Sequence[str] = (),
) -> TileRun:
    """Unmix a scene on disk into a result folder, with no more in memory than a sample of it and a tile.

    The folder holds what `unmixel.io.result_folder.write_result_folder` writes, and the numbers are those of
    `Fitted.unmix` and `unmixel.diagnose` for the whole scene, whatever the tiles and wherever they are unmixed. What is
    finished is recorded in a folder beside the output, so that a run that was killed goes on with ``resume`` and ends
    with the same bytes as one that was not, but for ``provenance.json``, which has its command and its times. The
    output folder appears whole or not at all.

    Parameters
    ----------
    model : Method, Fitted or path
        A method, which is fitted to a sample of the scene; or a fitted model, or the folder it was saved to.
    scene : path
        The scene file, see `unmixel.io.open_lazily`.
    output : path
        The folder to make.
    name : str, optional
        Name of the scene in its STAC item; that of its file when None.
    bundle : DataArray, optional
        Endmember spectra for a method.
    leave_out, scale, keep_atmosphere, uncertainty
        How the scene is read, as in `unmixel.open_scene`. A fitted model that uses bands in which the air absorbs has
        them kept.
    engine : Engine, optional
        Where tiles are unmixed, see `unmixel.scale.open_engine`; in this process when None.
    tile_memory : int
        Bytes that reading a tile takes. A run that is resumed keeps the tiles it was begun with.
    progress : callable, optional
        Told how far it is: stages ``"reading"``, those of `Method.fit`, and ``"tiles"``, with the numbers ``tile``,
        ``of``, ``px/s``, ``s left`` and ``MB``, the largest resident memory of any process so far.
    on_scene : callable, optional
        Told the sample of the scene, whose ``attrs["reading"]`` say what was met in the whole.
    on_number : callable, optional
        Told what speaks for each number of endmembers, if it has to be estimated.
    drawings : callable, optional
        From the finished result and the scene in three colours to figures by their name.
    resume : bool
        Go on with a run that did not end; begin one if there is none, and do nothing if it is finished.
    overwrite : bool
        Replace a result of unmixel, and forget a run that did not end.
    provenance : callable, optional
        What else is known of the making of this result. It is asked when the run begins, and stored in the result.
    command : sequence of str
        The command line that began the run, for ``provenance.json``.

    Raises
    ------
    OutputError
        If the output exists or cannot be written, if another process is writing it, if there is an unfinished run:
        one that is not to be resumed, or whose model or scene is another one; or if a finished run of another model or
        scene is to be resumed.
    SceneError
        If the scene cannot be read, has no valid pixel, changes meanwhile, or can be no reflectance where a model was
        fitted to that.
    ModelError
        If the model has other bands.
    EngineError
        If the processes that should do the work died.
    """
    output = Path(output)
    if isinstance(model, (str, Path)):
        model = load(model)
    how: dict[str, Any] = {"leave_out": leave_out, "scale": scale, "uncertainty": uncertainty, "memory": tile_memory}
    opened = _open_for(model, scene, keep_atmosphere, how)
    identity = run_identity(what_decides(model, bundle), opened)
    if resume and _is_finished(output, identity, overwrite=overwrite):
        return _done_before(output, len(opened.windows()))
    check_output(output, "result", overwrite=overwrite)
    if isinstance(model, Fitted):
        model.on_my_bands(opened.outline)
    with run_folder(output) as folder, kept_if_worth_it(folder):

        def details() -> dict[str, Any]:
            return {
                "name": name or opened.path.stem,
                "tile_memory": tile_memory,
                "tiles": _tiles_of(opened, tile_memory),
                "usable": [opened.good_band.tolist(), opened.usable[1]],
                "provenance": dict(provenance() if provenance else {}),
                "command": list(command),
            }

        journal = begin(folder, output, identity, details, resume=resume, overwrite=overwrite)
        _check_tiles(opened, journal.lines[0], output)
        stages = Stages(folder, journal, progress or (lambda stage, numbers: None))
        stages.learn(model, bundle, on_scene, on_number)
        stages.unmix(engine or Serial())
        stages.finish(engine or Serial(), drawings)
        _check_unchanged(opened, identity["scene"], folder)
        finish(folder, stages.made, output)
    return stages.run


def _open_for(model: Method | Fitted, scene: str | Path, keep_atmosphere: bool, how: Mapping[str, Any]) -> LazyScene:
    """Open a scene, with the bands in which the air absorbs the light if a fitted model uses them."""
    opened = open_lazily(scene, keep_atmosphere=keep_atmosphere, **how)
    if isinstance(model, Fitted) and _uses_atmosphere(model, opened):
        return open_lazily(scene, keep_atmosphere=True, **how)
    return opened


def _is_finished(output: Path, identity: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Return whether there is the result of this run; refuse that of another, unless it may be replaced."""
    provenance = provenance_in(output)
    run, made_by = provenance.get("run"), provenance.get("identity")
    if run is None or run == digest_of(identity):
        return run is not None
    if overwrite:
        return False
    others = differences(made_by, identity) if isinstance(made_by, dict) and digest_of(made_by) == run else ""
    raise OutputError(
        f"a finished run in {output} with another {others or 'model, scene or way of reading it'}",
        "the model and the scene it was made with, unchanged; then there is nothing left to do",
        "choose another folder, or replace the result (--overwrite)",
    )


def _done_before(output: Path, n_tiles: int) -> TileRun:
    """Return what is told of a run whose result is there, and forget what is left of its making."""
    with run_folder(output) as folder:
        discard(folder)
    return TileRun(n_tiles, n_tiles, 0, {}, peak_memory(), "nothing was left to do", finished_before=True)


def _tiles_of(scene: LazyScene, memory: int) -> str:
    """Return what tells the tiles of a scene, and their order, from others: the journal knows them by their number."""
    return hashlib.sha256(json.dumps(scene.windows(memory)).encode()).hexdigest()


def _check_tiles(scene: LazyScene, begun: Mapping[str, Any], output: Path) -> None:
    if begun.get("tiles") != _tiles_of(scene, begun["tile_memory"]):
        raise OutputError(
            f"an unfinished run in {output} with other tiles than this unmixel makes of the scene",
            "the unmixel that it was begun with",
            "start again (--overwrite), or choose another folder",
        )


def _check_unchanged(scene: LazyScene, identity: Mapping[str, Any], folder: Path) -> None:
    if scene_identity(scene.path, scene.variable, scene.companions) != identity:
        discard(folder)
        raise SceneError(f"{scene.path}, which changed while it was read", "a scene that stays", "start again")


def _uses_atmosphere(model: Fitted, scene: LazyScene) -> bool:
    """Return whether a model uses bands that are left out of a scene only since the air absorbs the light there."""
    used = model.bands["good_band"]
    return len(used) == len(scene.atmosphere) and bool((used & scene.atmosphere).any())
