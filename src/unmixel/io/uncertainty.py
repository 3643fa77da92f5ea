r"""The noise of a scene by the uncertainty file that comes with it.

.. math:: \sigma_l = \sqrt{\frac{1}{N} \sum_n u_{nl}^2}

where :math:`u_{nl}` is the standard deviation that the file gives for pixel n in band l: what the error of a pixel has
that is drawn at random. N counts the pixels of some rows, spread over the scene, that have a positive value there.

Such a file says how far a reflectance may be from the true one, its calibration and its atmosphere included, which are
alike in pixels that lie together. It is therefore larger than the scatter from pixel to pixel that
:func:`unmixel.preprocess.estimate_noise` finds, and a method that goes by it trusts the scene less.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from unmixel.errors import SceneError
from unmixel.io._raw import RawScene
from unmixel.io.calibration import Calibration
from unmixel.io.describing import Described, describe
from unmixel.io.windows import Window
from unmixel.scene import sort_bands

ROWS = 64
"""Rows that are read."""
SAME = 0.5
"""Wavelengths that differ by less are the same [nm]."""


def with_noise(scene: RawScene, uncertainty: RawScene, name: str) -> RawScene:
    """Return a scene with its noise, told by its uncertainty file.

    Parameters
    ----------
    scene : RawScene
    uncertainty : RawScene
        The uncertainty file, read as if it were a scene.
    name : str
        Of the file, for the notes.

    Raises
    ------
    SceneError
        If it is the uncertainty of another scene, or has no values.

    Examples
    --------
    >>> given = np.array([[[0.03, 0.01], [0.04, -9999.0]]])
    >>> raw = RawScene(shape=given.shape, dtype=given.dtype, read=lambda first, last: given, fill=(-9999.0,))
    >>> told = with_noise(raw, raw, "sd.nc")
    >>> told.noise_sd.round(4), told.notes
    (array([0.0354, 0.01  ]), ('noise of each band by sd.nc: root mean square over 2 pixels',))
    """
    _check_alike(uncertainty, scene)
    rows, columns, n_bands = uncertainty.shape
    calibration = Calibration(uncertainty, None)
    squares, counts, n_pixels = np.zeros(n_bands), np.zeros(n_bands, dtype=np.int64), 0
    for row in np.unique(np.linspace(0, rows - 1, min(ROWS, rows)).round().astype(int)):
        values = calibration(Window(int(row), int(row) + 1, 0, columns)).values[0].astype(np.float64)
        known = np.isfinite(values) & (values > 0)
        squares += (np.where(known, values, 0) ** 2).sum(axis=0)
        counts += known.sum(axis=0)
        n_pixels += int(known.any(axis=1).sum())
    if not n_pixels:
        raise SceneError("an uncertainty without one positive value", "standard deviations of the reflectance")
    sd = np.sqrt(np.divide(squares, counts, out=np.full(n_bands, np.nan), where=counts > 0))
    note = f"noise of each band by {name}: root mean square over {n_pixels} pixels"
    return replace(scene, noise_sd=sd, notes=(*scene.notes, note))


def noise_coordinate(scene: RawScene, described: Described) -> dict[str, xr.DataArray]:
    """Return the coordinate ``noise_sd`` of a scene, whose bands are sorted by wavelength, if its noise is known.

    Raises
    ------
    SceneError
        If it is not known in a band that is used.
    """
    if scene.noise_sd is None:
        return {}
    if scene.noise_sd.shape != described.declared_good.shape:
        raise SceneError(f"noise of shape {scene.noise_sd.shape} for {scene.shape[2]} bands", "one for each band")
    known = np.isfinite(scene.noise_sd) & (scene.noise_sd > 0)
    missing = int((~known & described.declared_good).sum())
    if missing:
        raise SceneError(
            f"an uncertainty without values in {missing} of the bands", "all of them", "leave them out (--bands)"
        )
    bands = sort_bands(scene.shape[2], wavelength=described.wavelength, fwhm=None, good_band=None)
    return {"noise_sd": xr.DataArray(scene.noise_sd[bands.order], dims="band", attrs={"units": "1"})}


def _check_alike(uncertainty: RawScene, scene: RawScene) -> None:
    if uncertainty.shape != scene.shape:
        given, expected = (" x ".join(map(str, raw.shape)) for raw in (uncertainty, scene))
        raise SceneError(
            f"an uncertainty of {given} rows, columns and bands", f"that of this scene, {expected}", "give its own file"
        )
    there, here = (describe(raw, (), None, True, []).wavelength for raw in (uncertainty, scene))
    if there is None or here is None:
        return
    with np.errstate(invalid="ignore"):
        apart = np.abs(there - here)
    if not apart.max() < SAME:
        band = int(np.argmax(apart))
        raise SceneError(
            f"an uncertainty whose band {band + 1} is at {there[band]:g} nm",
            f"the wavelengths of the scene ({here[band]:g} nm there)",
            "give its own file",
        )
