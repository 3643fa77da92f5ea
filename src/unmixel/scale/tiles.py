"""A fitted model and a scene on disk -> the folder of its result, tile by tile."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from unmixel.errors import OutputError, SceneError
from unmixel.io.lazy import WINDOW_MEMORY, LazyScene, open_lazily
from unmixel.io.result_folder import write_maps, write_spectra
from unmixel.io.whole_folder import check_output, provenance_in, write_provenance
from unmixel.io.windows import Window
from unmixel.methods._protocol import QUANTILES, STATISTICS_SAMPLE, Fitted, Progress, evenly_spaced
from unmixel.registry import load
from unmixel.result import STREAMS, add_provenance, make_result, open_result, provenance_of, write_variables
from unmixel.scale.diagnosing import diagnose_tiles
from unmixel.scale.gathering import gather_pixels, places_of
from unmixel.scale.identity import digest_of, run_identity, scene_identity
from unmixel.scale.journal import Journal, sync
from unmixel.scale.run_folder import JOURNAL, discard, finish, run_folder
from unmixel.scale.tile_store import TileStore
from unmixel.scene import good_bands


@dataclass(frozen=True)
class TileRun:
    """What a run did.

    Attributes
    ----------
    n_tiles, n_done_before : int
        Tiles of the scene, and those that an earlier run had finished.
    n_valid : int
        Valid pixels that this run unmixed.
    seconds : float
        How long it took.
    peak_memory : int
        Largest resident memory of the process so far [bytes].
    """

    n_tiles: int
    n_done_before: int
    n_valid: int
    seconds: float
    peak_memory: int


def unmix_tiles(
    model: Fitted | str | Path,
    scene: str | Path,
    output: str | Path,
    *,
    leave_out: Sequence[Any] = (),
    scale: float | int | None = None,
    tile_memory: int = WINDOW_MEMORY,
    progress: Progress | None = None,
    resume: bool = False,
    overwrite: bool = False,
    provenance: Mapping[str, Any] | None = None,
) -> TileRun:
    """Unmix a scene on disk into a result folder, with no more in memory than a tile.

    The folder holds what `unmixel.io.result_folder.write_result_folder` writes, and the numbers are those of
    `Fitted.unmix` and `unmixel.diagnose` for the whole scene, whatever the tiles. Every finished tile is recorded in a
    folder beside the output, so that a run that was killed goes on with ``resume`` and ends with the same bytes as one
    that was not. The output folder appears whole or not at all.

    Parameters
    ----------
    model : Fitted or path
        The fitted model, or the folder it was saved to.
    scene : path
        The scene file, see `unmixel.io.open_lazily`.
    output : path
        The folder to make.
    leave_out, scale
        How the scene is read, as in `unmixel.open_scene`.
    tile_memory : int
        Bytes that reading a tile takes. A run that is resumed keeps the tiles it was begun with.
    progress : callable, optional
        Told after each tile: stage ``"tiles"``, with the numbers ``tile``, ``of``, ``px/s``, ``s left`` and ``MB``, the
        largest resident memory so far.
    resume : bool
        Go on with a run that did not end; begin one if there is none.
    overwrite : bool
        Replace a result of unmixel, and forget a run that did not end.
    provenance : mapping, optional
        What else is known of the making of this result. It is stored in it.

    Raises
    ------
    OutputError
        If the output exists or cannot be written, if another process is writing it, or if there is an unfinished run:
        one that is not to be resumed, or whose model or scene is another one.
    SceneError
        If the scene cannot be read, has no valid pixel, or changes meanwhile.
    ModelError
        If the model has other bands.
    """
    start = time.perf_counter()
    output = Path(output)
    fitted = model if isinstance(model, Fitted) else load(model)
    opened = open_lazily(scene, leave_out=leave_out, scale=scale, memory=tile_memory)
    identity = run_identity(fitted.digest(), scene_identity(opened.path, opened.variable), leave_out, scale)
    if resume and provenance_in(output).get("run") == digest_of(identity):
        with run_folder(output) as folder:
            discard(folder)
        n_tiles = len(opened.windows(tile_memory))
        return TileRun(n_tiles, n_tiles, 0, time.perf_counter() - start, peak_memory())
    check_output(output, overwrite=overwrite)
    fitted.on_my_bands(opened.outline)
    with run_folder(output) as folder:
        journal = _begin(folder, output, identity, tile_memory, resume=resume, overwrite=overwrite)
        try:
            run = _unmix(fitted, opened, folder, journal, progress)
            _check_valid(opened, folder, journal)
            _write_rest(fitted, opened, folder, journal, {**(provenance or {}), "run": digest_of(identity)})
        finally:
            if len(journal.lines) < 2:
                discard(folder)
        if scene_identity(opened.path, opened.variable) != identity["scene"]:
            discard(folder)
            raise SceneError(f"{opened.path}, which changed while it was read", "a scene that stays", "start again")
        finish(folder, output)
    return TileRun(*run, time.perf_counter() - start, peak_memory())


def peak_memory() -> int:
    """Return the largest resident memory of this process so far [bytes]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _begin(
    folder: Path, output: Path, identity: Mapping[str, Any], tile_memory: int, *, resume: bool, overwrite: bool
) -> Journal:
    """Return the journal of the run to go on with, or of a new one."""
    journal = Journal(folder / JOURNAL)
    if journal.lines and resume:
        before = journal.lines[0]["identity"]
        others = [name for name in identity if before.get(name) != identity[name]]
        if others:
            raise OutputError(
                f"an unfinished run in {output} with another {' and '.join(others)}",
                "the model and the scene it was begun with, unchanged",
                "start again (overwrite), or choose another folder",
            )
        return journal
    if journal.lines and not overwrite:
        raise OutputError(
            f"an unfinished run in {output} ({len(journal.lines) - 1} tiles)",
            "to know what to do with it",
            "go on with it (resume), forget it (overwrite), or choose another folder",
        )
    discard(folder)
    journal = Journal(folder / JOURNAL)
    journal.add({"identity": identity, "tile_memory": tile_memory})
    return journal


def _tiles(scene: LazyScene, journal: Journal) -> list[Window]:
    return scene.windows(journal.lines[0]["tile_memory"])


def _unmix(
    fitted: Fitted, scene: LazyScene, folder: Path, journal: Journal, progress: Progress | None
) -> tuple[int, int, int]:
    """Unmix the tiles that are not done; return the number of tiles, of those done before, and of pixels."""
    start = time.perf_counter()
    tiles = _tiles(scene, journal)
    store = TileStore(folder / "result" / "result.zarr", scene.shape[:2], tiles[0])
    done = {line["tile"] for line in journal.lines[1:] if store.holds(line["files"])}
    n_before, n_valid, n_read = len(done), 0, 0
    n_left = sum(tile.n_pixels for k, tile in enumerate(tiles) if k not in done)
    first_good = int(np.argmax(scene.good_band))
    for k, tile in enumerate(tiles):
        if k in done:
            continue
        part = scene.read(tile)
        n_here = int(np.isfinite(part.values[:, :, first_good]).sum())
        files = store.write(tile, fitted.maps(part)) if n_here else {}
        journal.add({"tile": k, "pixels": n_here, "files": files})
        done.add(k)
        n_valid, n_read = n_valid + n_here, n_read + tile.n_pixels
        if progress:
            seconds = max(time.perf_counter() - start, 1e-9)
            numbers = {"tile": len(done), "of": len(tiles), "px/s": n_read / seconds}
            progress("tiles", {**numbers, "s left": (n_left - n_read) * seconds / n_read, "MB": peak_memory() / 1e6})
    return len(tiles), n_before, n_valid


def _check_valid(scene: LazyScene, folder: Path, journal: Journal) -> None:
    if not any(line["pixels"] for line in journal.lines[1:]):
        discard(folder)
        raise SceneError(
            f"{scene.path}: a scene without one valid pixel", "pixels with a finite value in every good band"
        )


def _write_rest(
    fitted: Fitted, scene: LazyScene, folder: Path, journal: Journal, provenance: Mapping[str, Any]
) -> None:
    """Write all but the maps in the store: spectra, model, GeoTIFFs and provenance."""
    made, tiles = folder / "result", _tiles(scene, journal)
    store = made / "result.zarr"
    for left_over in made.iterdir():
        if left_over.name != store.name:
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
    outline = fitted.on_my_bands(scene.outline)
    valid = _valid_pixels(store, scene, tiles)
    places = places_of(valid, evenly_spaced(int(valid.sum()), STATISTICS_SAMPLE))
    pixels = gather_pixels(scene, *places, good_bands(outline))
    rest = make_result(
        outline,
        endmember=fitted.endmember,
        maps={},
        spectra=fitted.endmember_statistics(pixels),
        quantile=QUANTILES,
        provenance={**fitted.provenance(scene.outline), **provenance},
    )
    if (store / "nonlinearity_degree").is_dir():
        rest = rest.assign_coords(stream=np.asarray(STREAMS))
    write_variables(rest, store)
    maps = TileStore(store, scene.shape[:2], tiles[0])
    diagnosis = diagnose_tiles(fitted, scene, open_result(store), maps, tiles, valid)
    write_variables(add_provenance(rest, diagnosis=diagnosis.as_record()), store)
    result = open_result(store)
    write_maps(result, made, windows=tiles)
    write_spectra(result, made)
    fitted.save(made / "model")
    write_provenance(made, provenance_of(result))
    for path in made.rglob("*"):
        sync(path)


def _valid_pixels(store: Path, scene: LazyScene, tiles: Sequence[Window]) -> Bool[np.ndarray, "y x"]:
    """Return which pixels have abundances in the store."""
    import zarr

    abundance: Any = zarr.open_array(store / "abundance", mode="r")
    valid = np.zeros(scene.shape[:2], dtype=bool)
    for tile in tiles:
        valid[tile.slices] = np.isfinite(abundance[tile.slices]).all(axis=-1)
    return valid
