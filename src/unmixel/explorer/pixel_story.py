"""Why a pixel is 40 % tree: all that a result, its model and its scene say of one pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.errors import ParameterError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.intervals import abundance_interval
from unmixel.methods._parts import Parts
from unmixel.result import REFLECTANCE
from unmixel.scene import good_bands
from unmixel.solvers import fcls

LEVEL = 0.9
"""Probability inside every interval that is shown."""
ANOTHER_SCENE = "the scene is not as it was when it was unmixed"


@dataclass(frozen=True)
class PixelSpectra:
    """What needs the scene: spectra over the good bands [reflectance].

    Attributes
    ----------
    parts : Parts
        Of one pixel.
    endmembers, endmember_sd : array, shape (endmember, band)
        The pixel's own endmember spectra, and their posterior standard deviation.
    fcls : array, shape (endmember,)
        Abundances by fully constrained least squares with the mean spectra of the result [1].
    """

    parts: Parts
    endmembers: np.ndarray
    endmember_sd: np.ndarray
    fcls: np.ndarray


@dataclass(frozen=True)
class PixelStory:
    """One pixel.

    Attributes
    ----------
    row, column : int
        From 0.
    said : Dataset
        What the result says of it (`unmixel.result`).
    lower, upper : array, shape (endmember,)
        Ends of the 90 % intervals of the abundances [1]; NaN where the method gives none.
    spectra : PixelSpectra, optional
        Where scene and model are there, the scene is as it was, and the pixel is valid.
    without_spectra : str
        Why there are none, if so.
    place : str
        Where it lies on the map, if that is not told by the axes.
    """

    row: int
    column: int
    said: xr.Dataset
    lower: np.ndarray
    upper: np.ndarray
    spectra: PixelSpectra | None
    without_spectra: str = ""
    place: str = ""

    @property
    def valid(self) -> bool:
        """Whether the pixel was unmixed."""
        return bool(np.isfinite(self.abundance).all())

    @property
    def names(self) -> list[str]:
        """Names of the endmembers."""
        return [str(name) for name in self.said["endmember"].values]

    @property
    def abundance(self) -> Float[np.ndarray, "endmember"]:
        """Posterior means of the abundances [1]."""
        return np.asarray(self.said["abundance"].values, dtype=float)

    def sentences(self) -> list[str]:
        """Say in words what is to be seen, for those who can't see it and those who want it short."""
        where = f"Pixel in row {self.row + 1}, column {self.column + 1}{self.place}"
        if not self.valid:
            return [f"{where} is masked: it has no valid value in some band that is used."]
        order = np.argsort(-self.abundance, kind="stable").tolist()
        found = [f"{where} is {', '.join(self._share(k) for k in order)}."]
        if self.spectra is not None:
            said = ", ".join(f"{100 * self.spectra.fcls[k]:.0f} % {self.names[k]}" for k in order)
            found.append(f"Fully constrained least squares with the mean spectra says {said}.")
        found += self._of_mixing() + self._of_fit()
        return [*found, f"Its spectra are not shown: {self.without_spectra}."] if self.without_spectra else found

    def _share(self, k: int) -> str:
        share = f"{100 * self.abundance[k]:.0f} % {self.names[k]}"
        if not np.isfinite(self.lower[k]):
            return share
        return f"{share} ({100 * LEVEL:.0f} % interval {100 * self.lower[k]:.0f} to {100 * self.upper[k]:.0f} %)"

    def _of_mixing(self) -> list[str]:
        if "nonlinearity_degree" not in self.said:
            return []
        degree = self.said["nonlinearity_degree"].sel(stream="mixing").item()
        return [f"{100 * degree:.1f} % of what the model mixes here is nonlinear."] if np.isfinite(degree) else []

    def _of_fit(self) -> list[str]:
        found = []
        if "reconstruction_rmse" in self.said:
            rmse = self.said["reconstruction_rmse"]
            found.append(
                f"The reconstruction is {rmse.item():.4f} away from the pixel "
                f"(root mean square over the bands, {rmse.attrs.get('units', REFLECTANCE)})."
            )
        if "outside_reach" in self.said and self.said["outside_reach"].item():
            found.append("The endmembers don't explain this pixel: something else is in it.")
        return found


def tell(opened: OpenedResult, row: int, column: int, *, without_spectra: str = "") -> PixelStory:
    """Return the story of a pixel; without what needs the model and the scene if there is a reason not to wait for it.

    Raises
    ------
    ParameterError
        If the pixel is outside the result.
    """
    rows, columns = opened.result.sizes["y"], opened.result.sizes["x"]
    if not (0 <= row < rows and 0 <= column < columns):
        raise ParameterError(
            f"pixel ({row}, {column})", f"a row below {rows} and a column below {columns}, counted from 0"
        )
    said, place = opened.pixel(row, column), opened.place_of(row, column)
    lower = upper = np.full(said.sizes["endmember"], np.nan)
    if not np.isfinite(said["abundance"].values).all():
        return PixelStory(row, column, said, lower, upper, None, "the pixel is masked", place)
    if "abundance_sd" in said:
        interval = abundance_interval(said, LEVEL)
        lower, upper = interval["lower"].values, interval["upper"].values
    spectra, why_not = (None, without_spectra) if without_spectra else _spectra_of(opened, row, column, said)
    return PixelStory(row, column, said, lower, upper, spectra, why_not, place)


def _spectra_of(opened: OpenedResult, row: int, column: int, said: xr.Dataset) -> tuple[PixelSpectra | None, str]:
    """Return what needs the scene, or why there is nothing."""
    if opened.fitted is None:
        return None, "the model is not in the folder"
    if "endmember_spectrum" not in opened.result:
        return None, "the result has no endmember spectra"
    scene, place = opened.scene_around(row, column)
    if scene is None:
        return None, opened.without_scene
    if not np.isfinite(scene.values[place][good_bands(scene)]).all():
        return None, ANOTHER_SCENE
    parts = Parts(*(array[0] for array in opened.fitted.parts_at(scene, place)))
    mean, sd = opened.fitted.endmembers_at(scene, place)
    misfit = parts.observed - parts.shares.sum(axis=0) - parts.nonlinear
    if "reconstruction_rmse" in said and not np.isclose(
        np.sqrt((misfit**2).mean()), said["reconstruction_rmse"].item(), rtol=1e-3, atol=1e-5
    ):
        return None, ANOTHER_SCENE
    spectra = opened.result["endmember_spectrum"].values[:, good_bands(opened.result)].astype(np.float32)
    return PixelSpectra(parts, mean[0], sd[0], fcls(parts.observed[None], spectra)[0]), ""
