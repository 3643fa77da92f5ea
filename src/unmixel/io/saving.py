"""A scene to disk, in the format that its name asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmixel.errors import OutputError
from unmixel.io.envi import stream_envi
from unmixel.io.envi_header import data_files_of, find_header
from unmixel.io.lazy import LazyScene
from unmixel.io.netcdf import stream_netcdf
from unmixel.io.orthorectify import on_map
from unmixel.io.tiff import stream_tiff
from unmixel.io.whole_file import written_whole
from unmixel.io.windowed_scene import WindowedScene, windowed
from unmixel.io.windows import Window
from unmixel.io.zarr_store import is_scene_store, stream_zarr
from unmixel.scene import check_scene

Progress = Callable[[str, Mapping[str, float | int]], None]

_WRITERS: dict[str, Callable[[WindowedScene, Path], None]] = {
    ".img": stream_envi,
    ".nc": stream_netcdf,
    ".tif": stream_tiff,
    ".tiff": stream_tiff,
    ".zarr": stream_zarr,
}


def save_scene(
    scene: xr.DataArray | LazyScene,
    path: str | Path,
    *,
    orthorectify: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write a scene to a new file, whole or not at all.

    ==================  ===================================================================================
    ``.nc``             NetCDF-4 by the CF conventions
    ``.zarr``           Zarr v3 store
    ``.tif``, ``.tiff`` cloud-optimised GeoTIFF, all bands of a pixel together
    ``.img``            ENVI, band-interleaved by line, with its header (``.hdr``)
    ==================  ===================================================================================

    Everything of the scene comes back with :func:`unmixel.io.open_scene`: values (float32), wavelengths, widths,
    good bands, place on the map, ``attrs["product"]`` and ``attrs["acquired"]``, and, but for ENVI, the notes on
    its reading. A crop of a scene without a map is counted from its own corner.

    Parameters
    ----------
    scene : DataArray or LazyScene
        The scene; one that was opened lazily is read and written window by window.
    path : path
        The file to make.
    orthorectify : bool
        Put a scene that is in the geometry of its sensor on the map of its lookup table, each pixel of the map from the
        nearest one. Otherwise ``.nc`` and ``.zarr`` keep the table, and the others have no place for it.
    overwrite : bool
        Replace what is there; a folder only if it is a scene that unmixel wrote.
    progress : callable, optional
        ``progress("writing", {"rows": done, "of": all})`` after each window.

    Raises
    ------
    ParameterError
        If a scene is to be put on the map that has no lookup table.
    OutputError
        If the path exists, has another suffix, is the scene's own file, lies beside an ENVI header that would
        describe it, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from unmixel.io import open_scene
    >>> from unmixel.scene import make_scene
    >>> scene = make_scene(np.random.default_rng(0).random((2, 3, 4)), wavelength=[450, 550, 650, 750])
    >>> folder = Path(tempfile.mkdtemp())
    >>> save_scene(scene, folder / "scene.nc")
    >>> save_scene(open_scene(folder / "scene.nc"), folder / "scene.tif")
    >>> open_scene(folder / "scene.tif").wavelength.values
    array([450., 550., 650., 750.])
    """
    target = Path(path)
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise OutputError(f"a scene as {target.name}", "a name that ends in .tif, .img, .nc or .zarr")
    companions = (target.with_suffix(".hdr"),) if write is stream_envi else ()
    _check_place(scene, (target, *companions), overwrite=overwrite)
    with written_whole(target, companions=companions, overwrite=overwrite) as (unfinished, *_):
        windows = _by_windows(scene)
        write(_telling(on_map(windows) if orthorectify else windows, progress), unfinished)


def _by_windows(scene: xr.DataArray | LazyScene) -> WindowedScene:
    if isinstance(scene, LazyScene):
        return WindowedScene(scene.outline, scene.windows(), lambda window: scene.read(window).values)
    check_scene(scene)
    return windowed(scene)


def _telling(scene: WindowedScene, progress: Progress | None) -> WindowedScene:
    """Return a scene that tells how far its reading is."""
    if progress is None:
        return scene

    def read(window: Window) -> NDArray[np.float32]:
        values = np.asarray(scene.read(window), dtype=np.float32)
        progress("writing", {"rows": window.bottom, "of": scene.shape[0]})
        return values

    return scene._replace(read=read)


def _check_place(scene: xr.DataArray | LazyScene, targets: tuple[Path, ...], *, overwrite: bool) -> None:
    """Check that no other file changes its meaning by what is written here, and none of the scene's own is replaced."""
    target = targets[0]
    if isinstance(scene, LazyScene):
        read_from = [scene.path, find_header(scene.path), *scene.companions]
        own = {file.resolve() for file in read_from if file}
        if not own.isdisjoint(path.resolve() for path in targets):
            raise OutputError(f"{target}, which the scene itself is read from", "another file", "choose another name")
    if overwrite and target.is_dir() and not is_scene_store(target):
        raise OutputError(f"{target}, a folder that is no scene of unmixel's", "another name", "move it elsewhere")
    if not target.parent.is_dir() or target.suffix.lower() not in (".tif", ".tiff", ".img"):
        return
    if len(targets) > 1:
        others = [path for path in data_files_of(targets[1]) if path != target]
        if others:
            raise OutputError(
                f"{targets[1].name} beside {others[0]}, which it would describe, too",
                "a name that no other file there has",
                "choose another name or folder",
            )
    elif (header := find_header(target)) is not None:
        raise OutputError(
            f"{target} beside {header.name}, which would describe it, too",
            "a name that no header there has",
            "choose another name or folder",
        )
