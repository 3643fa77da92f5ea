"""What every unmixing method is: a frozen set of hyper-parameters that can be fitted, and what fitting gives.

A new method is one file in this folder: a :class:`Method` and a :class:`Fitted`, and ``METHOD = TheMethod`` at the end.
"""

from __future__ import annotations

import abc
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer

from unmixel.errors import BundleError, ModelError, OutputError, ParameterError, SceneError
from unmixel.extraction import EXTRACTORS, extract
from unmixel.methods._hyperparameters import in_declared_form
from unmixel.representative import representative
from unmixel.result import environment, make_result
from unmixel.scene import ValidPixels, check_scene, good_bands, pixels_of
from unmixel.spectra import check_bundle, endmember_names, spectra_of
from unmixel.whole_numbers import checked_seed

Progress = Callable[[str, Mapping[str, float]], None]
"""Called with a stage and its numbers, e.g. ``progress("train", {"epoch": 3, "of": 30, "loss": -1.2})``."""

STATISTICS_SAMPLE = 2048
"""Pixels, drawn from all over the scene, whose spectra make the endmember statistics."""
LOOKED_AT = 20_000
"""Pixels, at least half of them, that say whether values are reflectance."""
MOST_REFLECTANCE = 5.0
"""The 99th percentile of reflectance is below, by far: snow and glint go beyond 1."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BRIGHT = "fitted_to_values_up_to"
"""What the record of a fitted model calls the bright value of the pixels it was fitted to."""
FORMAT = 4
"""Version of the files of a saved model."""


def first_other_band(wavelength: np.ndarray, other: np.ndarray) -> int | None:
    """Return the band whose two wavelengths [nm] differ most, by over a tenth of the spacing; None if none does.

    Bands whose wavelength is not known on both sides count as the same.

    Examples
    --------
    >>> first_other_band(np.array([500.0, 510.0, 520.0]), np.array([500.2, 510.0, 523.0]))
    2
    """
    known = np.isfinite(wavelength) & np.isfinite(other)
    if not known.any():
        return None
    spacing = np.median(np.diff(wavelength[known])) if known.sum() > 1 else 1.0
    distance = np.where(known, np.abs(wavelength - other), 0.0)
    return int(np.argmax(distance)) if distance.max() > 0.1 * spacing else None


def bright_value(pixels: ValidPixels | Float[np.ndarray, "pixel band"]) -> float:
    """Return the 99th percentile of the values of a scene, of `LOOKED_AT` of its pixels if it has many more.

    Examples
    --------
    >>> bright_value(np.linspace(0, 100, 1001)[:, None])
    99.0
    """
    return float(np.percentile(pixels[:: max(1, len(pixels) // LOOKED_AT)], 99))


@dataclass(frozen=True)
class EndmemberSpectra:
    """Endmember spectra over the good bands of a scene, as plain arrays.

    Attributes
    ----------
    names : tuple of str, length P
    spectra : tuple of P arrays, shape (spectrum_k, band)
    extractor : str, optional
        What found them in a scene; None where they are known.
    """

    names: tuple[str, ...]
    spectra: tuple[np.ndarray, ...]
    extractor: str | None = None

    @property
    def means(self) -> Float[np.ndarray, "endmember band"]:
        """The mean spectrum of each endmember."""
        return np.stack([s.mean(axis=0, dtype=np.float64) for s in self.spectra]).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Method(abc.ABC):
    """Hyper-parameters of an unmixing method, in the types that its fields declare: those of a saved model.

    Its abundances are not negative and sum to one, unless it says otherwise (``non_negative``, ``sum_to_one``). One
    whose result depends on the unit of the pixels refuses what can be no reflectance (``needs_reflectance``).

    Parameters
    ----------
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated by `unmixel.extraction.estimate_n_endmembers` when neither it nor
        a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of everything random, up to `unmixel.whole_numbers.LARGEST_SEED`. The same seed on the same machine gives
        the same bytes.

    Raises
    ------
    ParameterError
        If a value is of another type than its field, or out of its range, or a field is of a type that no saved model
        keeps.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    fitted_type: ClassVar[type[Fitted]]
    extractions: ClassVar[tuple[str, ...]] = tuple(EXTRACTORS)
    non_negative: ClassVar[bool] = True
    sum_to_one: ClassVar[bool] = True
    needs_reflectance: ClassVar[bool] = False

    n_endmembers: int | None = None
    extraction: str = "clusters"
    seed: int = 0

    def __post_init__(self) -> None:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in in_declared_form(type(self), given).items():
            object.__setattr__(self, name, value)
        if self.n_endmembers is not None and self.n_endmembers < 2:
            raise ParameterError(
                f"n_endmembers = {self.n_endmembers!r}",
                "a whole number, at least 2",
                "leave it out to estimate it from the scene",
            )
        if self.extraction not in self.extractions:
            raise ParameterError(f"extraction {self.extraction!r}", f"one of {', '.join(self.extractions)}")
        checked_seed(self.seed)

    def fit(
        self,
        scene: xr.DataArray,
        bundle: xr.DataArray | None = None,
        *,
        progress: Progress | None = None,
        checkpoint: str | Path | None = None,
    ) -> Fitted:
        """Fit the method to a scene.

        Parameters
        ----------
        scene : DataArray
            The scene (see `unmixel.scene`).
        bundle : DataArray, optional
            Endmember spectra on the bands of the scene (see `unmixel.spectra`). Extracted from the scene when None.
        progress : callable, optional
            Told how far fitting is.
        checkpoint : path, optional
            File that training writes after every epoch, and goes on from if it is there. A method that fits in one
            go needs none.

        Raises
        ------
        SceneError, BundleError, ParameterError
            If the scene or the bundle cannot be used together.
        """
        check_scene(scene)
        if bundle is not None:
            check_bundle(bundle)
        start = time.perf_counter()
        extracted = bundle is None
        if bundle is None:
            bundle = self._extract(scene)
        elif self.n_endmembers not in (None, len(endmember_names(bundle))):
            raise ParameterError(
                f"n_endmembers = {self.n_endmembers} and a bundle of {len(endmember_names(bundle))} endmembers",
                "the same number",
                "leave n_endmembers out",
            )
        endmembers = self._on_bands_of(scene, bundle)
        pixels = pixels_of(scene)
        if not len(pixels):
            raise SceneError("a scene without one valid pixel", "pixels with finite values in every good band")
        bright = bright_value(pixels)
        if self.needs_reflectance and bright > MOST_REFLECTANCE:
            raise SceneError(
                f"values up to {bright:.4g} for method {self.name!r}, whose result depends on their unit",
                f"reflectance, from 0 to about 1 and hardly above {MOST_REFLECTANCE:g}",
                "divide by the scale of the file (--scale), or use a method that any unit will do for, as fcls",
            )
        extraction_s = time.perf_counter() - start
        fitted = self._fit(
            scene,
            pixels,
            endmembers,
            progress or (lambda stage, numbers: None),
            None if checkpoint is None else Path(checkpoint),
        )
        evidence = ("number_of_endmembers", "candidates") if extracted else ()
        fitted.record = {
            **{name: json.loads(bundle.attrs[name]) for name in evidence if name in bundle.attrs},
            "endmembers": f"extracted from the scene by {endmembers.extractor}" if extracted else "given",
            "extraction_s": round(extraction_s, 3),
            "fit_s": round(time.perf_counter() - start - extraction_s, 3),
            BRIGHT: float(f"{bright:.4g}"),
            **fitted.record,
        }
        return fitted

    def _extract(self, scene: xr.DataArray) -> xr.DataArray:
        """Find endmembers in the scene."""
        return extract(scene, self.n_endmembers, extractor=self.extraction, seed=self.seed)

    @abc.abstractmethod
    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> Fitted:
        """Fit to the valid pixels and the endmember spectra, both over the good bands."""

    @staticmethod
    def _on_bands_of(scene: xr.DataArray, bundle: xr.DataArray) -> EndmemberSpectra:
        if bundle.sizes["band"] != scene.sizes["band"]:
            raise BundleError(
                f"a bundle of {bundle.sizes['band']} bands for a scene of {scene.sizes['band']}",
                "the same bands",
                "resample it with unmixel.spectra.resample",
            )
        if "wavelength" in bundle.coords:
            theirs, mine = (np.asarray(array["wavelength"].values, dtype=float) for array in (bundle, scene))
            if (worst := first_other_band(mine, theirs)) is not None:
                raise BundleError(
                    f"a bundle whose band {worst + 1} is at {theirs[worst]:.1f} nm, not {mine[worst]:.1f} nm",
                    "the wavelengths of the scene",
                    "resample it with unmixel.spectra.resample",
                )
        names = endmember_names(bundle)
        if len(names) < 2:
            raise BundleError(f"a bundle with the endmembers {names}", "at least 2 different labels")
        good = good_bands(scene)
        spectra = tuple(spectra_of(bundle, name)[:, good] for name in names)
        return EndmemberSpectra(tuple(names), spectra, bundle.attrs.get("extractor"))


class Parts(NamedTuple):
    """What pixels are made of, by a fitted model, over its good bands [reflectance].

    Attributes
    ----------
    observed : array, shape (pixel, band)
        The pixels.
    shares : array, shape (pixel, endmember, band)
        a_k m_k, each endmember's spectrum there times its abundance.
    nonlinear : array, shape (pixel, band)
        What the mixing adds to their sum; with it, the sum is the reconstruction.
    sd : array, shape (pixel, band)
        How far the model expects an observation from its reconstruction (standard deviation); NaN if it doesn't say.
    """

    observed: np.ndarray
    shares: np.ndarray
    nonlinear: np.ndarray
    sd: np.ndarray

    @property
    def reconstruction(self) -> Float[np.ndarray, "pixel band"]:
        """The pixels as the model makes them."""
        return self.shares.sum(axis=1) + self.nonlinear


@runtime_checkable
class KnowsLatents(Protocol):
    """A fitted model whose endmember spectra follow from latents."""

    def spectra_of(
        self, latents: Float[np.ndarray, "pixel endmember latent"]
    ) -> Float[np.ndarray, "pixel endmember band"]:
        """Return the endmember spectra that latents give, over the good bands [reflectance]."""


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
            If the model was fitted to reflectance, and the scene can be none.
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
        """Check that a scene, or pixels from all over it, can be reflectance if the model was fitted to that.

        Values of which one in a hundred is above `MOST_REFLECTANCE` can't. A model that was fitted to such values
        itself, or doesn't say to which, is taken to be in the unit of the scene.

        Raises
        ------
        SceneError
            If it cannot.
        ModelError
            If the scene has other bands than the one the method was fitted to.
        """
        self._check_unit(ValidPixels(self.on_my_bands(scene)))

    def _check_unit(self, pixels: ValidPixels) -> None:
        known = self.record.get(BRIGHT)
        in_reflectance = isinstance(known, int | float) and known <= MOST_REFLECTANCE
        if not (in_reflectance or self.method.needs_reflectance) or not len(pixels):
            return
        if (bright := bright_value(pixels)) > MOST_REFLECTANCE:
            of_it = f" (values up to {known:.4g})" if in_reflectance else ""
            raise SceneError(
                f"values up to {bright:.4g} for a model of {self.method.name!r} that was fitted to reflectance{of_it}",
                f"reflectance, from 0 to about 1 and hardly above {MOST_REFLECTANCE:g}",
                "divide by the scale of the file (--scale), or fit a model to scenes in this unit",
            )

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
