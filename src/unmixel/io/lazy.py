"""Scenes on disk that are read window by window, and never whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool

from unmixel.errors import NoValidPixelError, SceneError
from unmixel.io._raw import RawScene
from unmixel.io.calibration import Calibrated, Calibration
from unmixel.io.describing import describe
from unmixel.io.kept_block import keeping_blocks
from unmixel.io.opening import errors_of, origin_of, read_raw, read_with_noise, split_variable
from unmixel.io.remarks import Counts, count, filling_notes, kept_notes
from unmixel.io.uncertainty import noise_coordinate
from unmixel.io.windows import Window, natural_windows
from unmixel.scene import (
    SortedBands,
    assemble_scene,
    band_range,
    mask_pixels,
    partly_masked,
    place_of,
    sort_bands,
    usable_bands,
)

WINDOW_MEMORY = 128_000_000
"""Bytes that reading one window takes."""
_BYTES_FOR_EACH_VALUE = 18
"""Reflectance, its copy in the order of wavelengths, the product with the gain, and what is missing."""


class LazyScene:
    """A scene on disk: its bands and its place are known, its pixels are read when they are asked for.

    Made by `open_lazily`.

    Attributes
    ----------
    path : Path
        The file, without the name of a variable.
    variable : str or None
        The array of the file.
    shape : tuple of int
        Rows, columns and bands.
    memory : int
        Bytes that reading a window takes unless told otherwise; a block that is larger is kept besides (see
        :mod:`unmixel.io.kept_block`).
    leave_out, scale, keep_atmosphere, uncertainty
        How it is read.
    atmosphere : array of bool, shape (band,)
        Bands that are left out only since the air absorbs the light there.
    companions : tuple of path
        The files that it is read from, where they are more than the one that was given.
    origin : dict of str to str
        ``product`` and ``acquired``, where the file says so.
    """

    def __init__(
        self,
        path: Path,
        variable: str | None,
        raw: RawScene,
        leave_out: Sequence[Any],
        scale: float | int | None,
        keep_atmosphere: bool,
        memory: int,
        uncertainty: str | Path | None = None,
    ) -> None:
        self.path, self.variable, self.shape, self.memory = path, variable, raw.shape, memory
        self.leave_out, self.scale = leave_out, scale
        self.keep_atmosphere, self.uncertainty = keep_atmosphere, uncertainty
        self._notes: list[str] = []
        described = describe(raw, leave_out, scale, keep_atmosphere, self._notes)
        self._raw = raw
        self._raw = raw = keeping_blocks(raw, self._block, self.windows())
        self.origin = origin_of(raw, described)
        self.companions = raw.companions
        self._calibrate = Calibration(raw, scale)
        self._notes.extend(described.left_out)
        self._bands: SortedBands = sort_bands(
            raw.shape[2], wavelength=described.wavelength, fwhm=described.fwhm, good_band=described.declared_good
        )
        self.atmosphere = described.atmosphere[self._bands.order]
        if self._bands.moved:
            self._notes.append("bands sorted by wavelength")
        self._place = place_of(raw.shape[0], raw.shape[1], raw.crs_wkt, raw.transform)
        if raw.lookup is not None:
            self._place["lookup"] = raw.lookup.as_coordinate()
        self._place |= noise_coordinate(raw, described)

    @cached_property
    def usable(self) -> tuple[Bool[np.ndarray, "band"], list[str]]:
        """Which bands can be used, and a line on each group of the others.

        It can be set to what was found before. Windows are read only until every band that is declared good has shown
        two values.
        """
        n_bands = self.shape[2]
        lowest, highest = np.full(n_bands, np.inf, np.float32), np.full(n_bands, -np.inf, np.float32)
        for window in self.windows():
            low, high = band_range(self._reflectance(window).values)
            lowest, highest = np.minimum(lowest, low), np.maximum(highest, high)
            if (lowest < highest)[self._bands.declared_good].all():
                break
        if (lowest > highest).all():
            raise NoValidPixelError(
                f"{self.path}: a scene without one valid pixel",
                "pixels with finite values",
                "check the no-data value and the scale",
            )
        good, lines = usable_bands(lowest, highest, self._bands.declared_good, self.shape[0] * self.shape[1])
        if not good.any():
            raise SceneError(
                f"{self.path}: {self.shape[0]}x{self.shape[1]} pixels and {n_bands} bands without one usable band",
                "bands with more than one value over the scene",
                "check the no-data value, the scale and the bad-band list",
            )
        return good, lines

    @property
    def good_band(self) -> Bool[np.ndarray, "band"]:
        """Which bands unmixing uses: a band that is invalid or the same all over the scene is not among them.

        Only such a band makes it necessary to read the scene to its end.
        """
        return self.usable[0]

    @property
    def outline(self) -> xr.DataArray:
        """The scene with all its coordinates and NaN in every pixel; it takes no memory."""
        nothing = np.broadcast_to(np.float32(np.nan), self.shape)
        return self._assembled(nothing, Window(0, self.shape[0], 0, self.shape[1]))

    def windows(self, memory: int | None = None) -> list[Window]:
        """Cut the scene into windows that lie together in the file, each read within so many bytes of memory."""
        most = (self.memory if memory is None else memory) // (
            self.shape[2] * (_BYTES_FOR_EACH_VALUE + self._raw.dtype.itemsize)
        )
        return natural_windows(self.shape[:2], self._block, most)

    @property
    def _block(self) -> tuple[int, int]:
        rows, columns = self._raw.block or (1, self.shape[1])
        return min(rows, self.shape[0]), min(columns, self.shape[1])

    def read(self, window: Window) -> xr.DataArray:
        """Return a window as `unmixel.open_scene` gives it for the whole file, cut to the window.

        The notes in ``attrs["reading"]`` are those that don't depend on pixels elsewhere.

        Raises
        ------
        SceneError
            If the window is not inside the scene, or cannot be read.
        """
        return self._assembled(self._masked(window)[0].values, window)

    def read_and_count(self, window: Window) -> tuple[xr.DataArray, Counts]:
        """Return what `read` does, and what was met in the window; no repeated pixels where it cuts lines."""
        calibrated, n_partly = self._masked(window)
        scene = self._assembled(calibrated.values, window)
        met = count(scene, calibrated)._replace(partly=n_partly)
        return scene, met if window.shape[1] == self.shape[1] else met._replace(repeated=0)

    def notes_on(self, counts: Counts) -> list[str]:
        """Return the notes that follow from the counts of all windows together, as `unmixel.open_scene` has them."""
        partly = [partly_masked(counts.partly)] if counts.partly else []
        return [*partly, *filling_notes(counts, self._calibrate), *kept_notes(counts, int(self.good_band.sum()))]

    def _masked(self, window: Window) -> tuple[Calibrated, int]:
        top, bottom, left, right = window
        if not (0 <= top < bottom <= self.shape[0] and 0 <= left < right <= self.shape[1]):
            raise SceneError(
                f"rows {top} to {bottom} and columns {left} to {right} of {self.path}",
                f"a window in {self.shape[0]} rows and {self.shape[1]} columns",
            )
        calibrated = self._reflectance(window)
        n_partly = mask_pixels(calibrated.values, self.good_band)
        return calibrated, n_partly

    def _reflectance(self, window: Window) -> Calibrated:
        """Return calibrated values, the bands by wavelength, before pixels are masked."""
        with errors_of(self.path):
            calibrated = self._calibrate(window)
        if not self._bands.moved:
            return calibrated
        return calibrated._replace(values=calibrated.values[:, :, self._bands.order])

    def _assembled(self, reflectance: np.ndarray, window: Window) -> xr.DataArray:
        rows, columns = window.slices
        place: dict[str, Any] = {**self._place}
        place["y"], place["x"] = place["y"][rows], place["x"][columns]
        good, lines = self.usable
        scene = assemble_scene(reflectance, place, self._bands, good, [*self._notes, *lines])
        scene.attrs.update(self.origin)
        return scene


def open_lazily(
    path: str | Path,
    *,
    leave_out: Sequence[Any] = (),
    scale: float | int | None = None,
    keep_atmosphere: bool = False,
    uncertainty: str | Path | None = None,
    memory: int = WINDOW_MEMORY,
) -> LazyScene:
    """Open a scene file without reading its pixels: any format but compressed MATLAB 5 and ``.npz``.

    These can only be read whole: such a scene stays in memory.

    Parameters
    ----------
    path, leave_out, scale, keep_atmosphere, uncertainty
        As in `unmixel.open_scene`.
    memory : int
        Bytes that reading a window takes, unless it is asked for another size.

    Raises
    ------
    SceneError
        If the file cannot be read, or is no scene.
    ParameterError
        If `scale` is not positive, a range ends before it begins, or the ranges leave less than two bands.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "scene.npy"
    >>> np.save(file, np.random.default_rng(0).random((40, 30, 5)))
    >>> scene = open_lazily(file)
    >>> scene.shape, scene.read(Window(2, 6, 0, 30)).shape
    ((40, 30, 5), (4, 30, 5))
    """
    file, variable = split_variable(path)
    raw = read_raw(file, variable)
    if uncertainty is not None:
        raw = read_with_noise(raw, uncertainty)
    with errors_of(file):
        return LazyScene(file, variable, raw, leave_out, scale, keep_atmosphere, memory, uncertainty)
