"""What fitting a method gives: it unmixes scenes with the same bands, and can be saved."""

from __future__ import annotations

import abc
import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer

from unmixel.errors import ModelError, OutputError, ParameterError
from unmixel.methods._bands import first_other_band
from unmixel.methods._parts import Parts
from unmixel.methods._progress import Progress
from unmixel.methods._reflectance import check_same_unit
from unmixel.methods._spectra_statistics import QUANTILES
from unmixel.representative import representative
from unmixel.result import environment, make_result
from unmixel.scene import ValidPixels, check_scene, good_bands

if TYPE_CHECKING:
    from unmixel.methods._method import Method

STATISTICS_SAMPLE = 2048
"""Pixels, drawn from all over the scene, whose spectra make the endmember statistics."""
FORMAT = 4
"""Version of the files of a saved model."""


class Fitted(abc.ABC):
    """A method fitted to a scene: it unmixes this scene and others with the same bands.

    Attributes
    ----------
    method : Method
        The hyper-parameters.
    endmember : tuple of str
        Names of the endmembers.
    bands : dict of str to array
        ``wavelength`` [nm], ``fwhm`` [nm] and ``good_band`` of the scene it was fitted to.
    record : dict
        What happened during fitting; part of the provenance of its results.
    ended : dict
        How the last search for the maps of a scene ended; part of the provenance of its result. ``rounds`` and
        ``settled`` for a search in all pixels together, ``unsettled_pixels`` for one in each; empty where there is
        nothing to search.
    neighbours : bool
        Whether what is found in a pixel depends on the pixels around it.
    """

    neighbours: ClassVar[bool] = False

    def __init__(self, method: Method, scene: xr.DataArray, endmember: tuple[str, ...]) -> None:
        self.method = method
        self.endmember = endmember
        self.bands: dict[str, np.ndarray] = {
            "wavelength": np.asarray(scene["wavelength"].values, dtype=float),
            "fwhm": np.asarray(scene["fwhm"].values, dtype=float)
            if "fwhm" in scene.coords
            else np.full(scene.sizes["band"], np.nan),
            "good_band": good_bands(scene),
        }
        self.record: dict[str, Any] = {}
        self.ended: dict[str, int] = {}

    def unmix(self, scene: xr.DataArray, *, progress: Progress | None = None) -> xr.Dataset:
        """Unmix a scene: abundances and what else the method knows, as a result (see `unmixel.result`).

        Raises
        ------
        ModelError
            If the scene has other bands than the one the method was fitted to.
        SceneError
            If the scene can't be in the unit of the one that the model was fitted to.
        """
        start = time.perf_counter()
        scene = self.on_my_bands(scene)
        pixels = ValidPixels(scene)
        self._check_unit(pixels)
        maps = self._maps_of(scene, pixels, progress)
        some = representative(pixels.numbers, scene.sizes["x"], STATISTICS_SAMPLE)
        return make_result(
            scene,
            endmember=self.endmember,
            maps=maps,
            spectra=self._statistics_in(pixels, some),
            quantile=QUANTILES,
            provenance={**self.provenance(scene), **self.ended, "unmix_s": round(time.perf_counter() - start, 3)},
        )

    def maps(self, scene: xr.DataArray, *, progress: Progress | None = None) -> dict[str, np.ndarray]:
        """Unmix the valid pixels of a scene, or of a window of one: the maps of the result, NaN elsewhere.

        Without `neighbours`, a pixel's values are the same to the bit whatever else is in the scene.

        Raises
        ------
        ModelError
            If the scene has other bands than the one the method was fitted to.
        """
        scene = self.on_my_bands(scene)
        return self._maps_of(scene, ValidPixels(scene), progress)

    @abc.abstractmethod
    def _maps_of(self, scene: xr.DataArray, pixels: ValidPixels, progress: Progress | None) -> dict[str, np.ndarray]:
        """Return the maps of a scene with the model's good bands, NaN where it is not valid."""

    def endmember_statistics(self, scene: xr.DataArray, pixel: Any = None) -> dict[str, np.ndarray]:
        """Return the endmember spectra of a result from some of its pixels, over the model's good bands.

        Parameters
        ----------
        scene : DataArray
        pixel : array of int, shape (2,) or (pixel, 2), optional
            As in `endmembers_at`.
        """
        return self._statistics_in(*self._pixels_at(scene, pixel))

    def provenance(self, scene: xr.DataArray) -> dict[str, Any]:
        """Return what a result for this scene says of its making: method, parameters, versions, how it was fitted."""
        return {
            "method": self.method.name,
            "parameters": asdict(self.method),
            "reference": self.method.reference,
            "environment": environment(),
            "scene_reading": list(scene.attrs.get("reading", [])),
            **{name: scene.attrs[name] for name in ("product", "acquired") if name in scene.attrs},
            **self.record,
        }

    def digest(self) -> str:
        """Return the SHA-256 of all that decides what this model makes of a pixel."""
        content = hashlib.sha256(json.dumps([FORMAT, self.method.name, asdict(self.method), self.endmember]).encode())
        for name, array in sorted({**self.bands, **self._state()}.items()):
            content.update(f"{name} {array.dtype} {array.shape}".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()

    def endmembers_at(
        self, scene: xr.DataArray, pixel: Any = None
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        """Return mean and standard deviation of the endmember spectra in some pixels.

        Parameters
        ----------
        scene : DataArray
        pixel : array of int, shape (2,) or (pixel, 2), optional
            Row and column of one pixel or of several, from 0; all valid pixels, row by row, when None.

        Returns
        -------
        mean, sd : array, shape (pixel, endmember, band)
            Reflectance over the good bands; the standard deviation is the posterior's (0 for a fixed spectrum).

        Raises
        ------
        ParameterError
            If a pixel is outside the scene or not valid.
        """
        return self._endmembers_in(*self._pixels_at(scene, pixel))

    def parts_at(self, scene: xr.DataArray, pixel: Any = None) -> Parts:
        """Return what some pixels are made of, by the model.

        Parameters
        ----------
        scene : DataArray
        pixel : array of int, shape (2,) or (pixel, 2), optional
            As in `endmembers_at`.

        Raises
        ------
        ParameterError
            If a pixel is outside the scene or not valid.
        """
        return self._parts_in(*self._pixels_at(scene, pixel))

    def _pixels_at(self, scene: xr.DataArray, pixel: Any) -> tuple[ValidPixels, Integer[np.ndarray, "pixel"]]:
        """Return the valid pixels of a scene, and which of them are asked for."""
        scene = self.on_my_bands(scene)
        pixels = ValidPixels(scene)
        if pixel is None:
            return pixels, np.arange(len(pixels))
        places = np.atleast_2d(np.asarray(pixel))
        if places.dtype.kind not in "iu" or places.ndim != 2 or places.shape[1] != 2:
            raise ParameterError(f"pixel = {pixel!r}", "(row, column), or an array of such pairs, whole numbers")
        inside = ((places >= 0) & (places < scene.shape[:2])).all(axis=1)
        place = places[:, 0] * scene.shape[1] + places[:, 1]
        numbers = np.searchsorted(pixels.numbers, place)
        known = inside & (numbers < len(pixels))
        known[known] = pixels.numbers[numbers[known]] == place[known]
        if not known.all():
            row, column = places[~known][0]
            raise ParameterError(
                f"pixel ({row}, {column}) of a scene of {scene.shape[0]} x {scene.shape[1]} pixels",
                "a valid pixel inside the scene",
            )
        return pixels, numbers

    @abc.abstractmethod
    def _endmembers_in(
        self, pixels: ValidPixels, chosen: Integer[np.ndarray, "chosen"]
    ) -> tuple[Float[np.ndarray, "chosen endmember band"], Float[np.ndarray, "chosen endmember band"]]:
        """Return mean and standard deviation of the endmember spectra in some of the valid pixels of a scene."""

    @abc.abstractmethod
    def _parts_in(self, pixels: ValidPixels, chosen: Integer[np.ndarray, "chosen"]) -> Parts:
        """Return what some of the valid pixels of a scene are made of."""

    def sample(self, scene: xr.DataArray, n_draws: int, *, seed: int = 0) -> xr.Dataset:
        """Draw from the posterior of every pixel: ``abundance`` with dims ``(draw, y, x, endmember)``.

        Raises
        ------
        ParameterError
            If the method gives point estimates only.
        """
        raise ParameterError(
            f"posterior draws from method {self.method.name!r}, which gives point estimates only",
            "a probabilistic method",
            "use method='idnet' or 'ncm'",
        )

    def simulate(self, n_pixels: int, *, seed: int = 0) -> tuple[xr.DataArray, xr.Dataset]:
        """Draw pixels from the fitted model: a scene of one column, and the truth in the schema of a result.

        Unmixing them shows whether the model's uncertainty means what it says where the model is right.

        Raises
        ------
        ParameterError
            If the method has no generative model to draw pixels from.
        """
        raise ParameterError(
            f"pixels drawn from method {self.method.name!r}, which has no generative model",
            "a method that can simulate from itself",
            "use method='idnet' or 'ncm'",
        )

    @abc.abstractmethod
    def _statistics_in(self, pixels: ValidPixels, chosen: Integer[np.ndarray, "chosen"]) -> dict[str, np.ndarray]:
        """Return ``endmember_spectrum``, ``endmember_spectrum_sd`` and ``endmember_quantile`` over some pixels."""

    @abc.abstractmethod
    def _state(self) -> dict[str, np.ndarray]:
        """Return the arrays that, with the hyper-parameters, make this object again."""

    @classmethod
    @abc.abstractmethod
    def _from_state(cls, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], state: dict) -> Fitted:
        """Make the object again; the scene is one pixel that carries the bands."""

    def on_my_bands(self, scene: xr.DataArray) -> xr.DataArray:
        """Return the scene with this model's good bands, if it has this model's bands.

        Raises
        ------
        ModelError
            If the number of bands or their wavelengths differ, or a band the model needs is bad in this scene.
        """
        check_scene(scene)
        mine, theirs = self.bands["wavelength"], np.asarray(scene["wavelength"].values, dtype=float)
        remedy = "resample the scene, or fit a model to it"
        if len(mine) != len(theirs):
            raise ModelError(f"a scene of {len(theirs)} bands for a model of {len(mine)}", "the same bands", remedy)
        if (worst := first_other_band(mine, theirs)) is not None:
            raise ModelError(
                f"a scene whose band {worst + 1} is at {theirs[worst]:.1f} nm for a model with {mine[worst]:.1f} nm",
                "the same wavelengths",
                remedy,
            )
        missing = self.bands["good_band"] & ~good_bands(scene)
        if missing.any():
            raise ModelError(
                f"a scene in which {int(missing.sum())} of the model's bands are bad",
                "all of them good",
                f"{remedy}; bands in which the air absorbs are read with keep_atmosphere",
            )
        return scene.assign_coords(good_band=("band", self.bands["good_band"]))

    def check_unit(self, scene: xr.DataArray) -> None:
        """Check that a scene, or pixels from all over it, can be in the unit of the one the model was fitted to.

        Raises
        ------
        SceneError
            If it cannot.
        ModelError
            If the scene has other bands than the one the method was fitted to.
        """
        self._check_unit(ValidPixels(self.on_my_bands(scene)))

    def _check_unit(self, pixels: ValidPixels) -> None:
        check_same_unit(pixels, self.record, self.method.name, needs_reflectance=self.method.needs_reflectance)

    def save(self, folder: str | Path) -> None:
        """Write the model to a new folder: ``model.safetensors`` and ``model.json`` (nothing in them can run code).

        Raises
        ------
        OutputError
            If the folder exists.
        """
        from safetensors.numpy import save

        folder = Path(folder)
        if folder.exists():
            raise OutputError(f"{folder} exists", "a folder that does not", "remove it or choose another")
        partial = folder.with_name(f".{folder.name}.partial")
        partial.mkdir(parents=True, exist_ok=True)
        state = {name: np.ascontiguousarray(array) for name, array in self._state().items()}
        (partial / "model.safetensors").write_bytes(save(state))
        header = {
            "format": FORMAT,
            "method": self.method.name,
            "parameters": asdict(self.method),
            "endmember": list(self.endmember),
            "bands": {
                name: [value if np.isfinite(value) else None for value in array.tolist()]
                for name, array in self.bands.items()
            },
            "record": self.record,
        }
        (partial / "model.json").write_text(json.dumps(header, indent=1, default=str) + "\n")
        partial.rename(folder)
