"""Multiple endmember spectral mixture analysis: every pixel has its own few spectra, taken from the bundles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Integer

from unmixel.errors import ParameterError
from unmixel.extraction.pruning import MEASURES, prune
from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._parts import Parts
from unmixel.methods._pixelwise import SPECTRA_BLOCK, PixelwiseFitted, filled_blocks
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods._saved_state import numbers_in, sizes_in, spectra_in
from unmixel.methods._spectra_statistics import spectra_statistics
from unmixel.preprocess import noise_source, noise_variance_of
from unmixel.scene import good_bands
from unmixel.solvers.model_search import ABSENT, ModelSearch

MOST_CLASSES = 8
"""Every subset of the classes is a kind of model."""
LOOKED_AT = 256
"""Pixels that say whether there is shade."""
UNPREFERRED = 2
"""Numbers of classes in a row that are not worth it, after which no larger one is tried."""


class FittedMESMA(PixelwiseFitted):
    """The spectra that models are made of.

    Attributes
    ----------
    library : array, shape (spectrum, band)
        Reflectance over the good bands, class by class.
    sizes : tuple of int, length P
        How many spectra each class has.
    noise_variance : float
        Mean over the bands.
    shade : bool
        Whether models have shade.
    """

    method: MESMA
    block: int = 256

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        library: Float[np.ndarray, "spectrum band"],
        sizes: tuple[int, ...],
        noise_variance: float,
        shade: bool,
    ) -> None:
        super().__init__(method, scene, endmember)
        self.library, self.sizes, self.noise_variance, self.shade = library, sizes, noise_variance, shade
        ends = np.cumsum((0, *sizes))[:-1]
        self._means = np.add.reduceat(library, ends) / np.array(sizes, dtype=np.float32)[:, None]
        self._search = ModelSearch(library, sizes, sum_to_one=not shade)

    def _models_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Integer[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel endmember"]]:
        """Return the spectrum of each class in the model of every pixel (`ABSENT`: none), and its fraction."""
        n_bands = pixels.shape[1]
        levels = self._search.best(pixels, lambda errors: is_enough(self._preferred(errors, n_bands), len(errors)))
        preferred = self._preferred(np.stack([models.squared_error for models in levels]), n_bands)
        spectrum, fraction = (np.stack([models[part] for models in levels]) for part in (0, 1))
        rows = np.arange(len(pixels))
        return spectrum[preferred, rows], fraction[preferred, rows]

    def _preferred(self, squared_error: Float[np.ndarray, "level pixel"], n_bands: int) -> Integer[np.ndarray, "pixel"]:
        """Return the level whose error is worth its classes."""
        if self.method.threshold is None:
            return preferred_level(squared_error, n_bands, self.noise_variance, float(np.mean(self.sizes)))
        n_classes = 1 + np.arange(len(squared_error))[:, None]
        return (np.sqrt(squared_error / n_bands) + self.method.threshold * n_classes).argmin(axis=0)

    def _shares_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel endmember band"]]:
        """Return the fraction of each class, and its spectrum: that of the model, or the mean of an absent class."""
        spectrum, fraction = self._models_of(pixels)
        spectra = np.where((spectrum == ABSENT)[:, :, None], self._means, self.library[spectrum])
        return fraction.astype(np.float32), spectra

    def _shares_by_block(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember"], Float[np.ndarray, "pixel endmember band"]]:
        blocks = filled_blocks(pixels, SPECTRA_BLOCK if len(pixels) <= SPECTRA_BLOCK else self.block)
        found = [[array[:n] for array in self._shares_of(block)] for _, n, block in blocks]
        fraction, spectra = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        return fraction, spectra

    def _unmix_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        fraction, spectra = self._shares_of(pixels)
        misfit = pixels - np.einsum("nk,nkl->nl", fraction, spectra)
        rmse = np.sqrt(np.einsum("nl,nl->n", misfit, misfit) / pixels.shape[1])
        return {"abundance": self._abundances(fraction), "reconstruction_rmse": rmse}

    @staticmethod
    def _abundances(fraction: Float[np.ndarray, "pixel endmember"]) -> Float[np.ndarray, "pixel endmember"]:
        """Return fractions without the shade; equal shares where there is nothing else."""
        total = fraction.sum(axis=1, keepdims=True)
        return np.where(total > 0, fraction / np.where(total > 0, total, 1), np.float32(1 / fraction.shape[1]))

    def _endmembers_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        spectra = self._shares_by_block(pixels)[1]
        return spectra, np.zeros_like(spectra)

    def _parts_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Parts:
        fraction, spectra = self._shares_by_block(pixels)
        return Parts(pixels, fraction[:, :, None] * spectra, np.zeros_like(pixels), np.full_like(pixels, np.nan))

    def _endmember_statistics(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        fraction, spectra = self._shares_of(pixels)
        return spectra_statistics(spectra, fraction)

    def _state(self) -> dict[str, np.ndarray]:
        return {
            "library": self.library,
            "sizes": np.array(self.sizes),
            "noise_variance": np.array([self.noise_variance]),
            "shade": np.array([self.shade]),
        }

    @classmethod
    def _from_state(cls, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], state: dict) -> FittedMESMA:
        sizes = sizes_in(state, len(endmember))
        library = spectra_in(state, int(sizes.sum()), int(good_bands(scene).sum()), "library")
        (noise_variance,), (shade,) = numbers_in(state, "noise_variance"), numbers_in(state, "shade")
        return cls(method, scene, endmember, library, tuple(sizes.tolist()), noise_variance, bool(shade))


@dataclass(frozen=True, kw_only=True)
class MESMA(Method):
    """Multiple endmember spectral mixture analysis.

    ::

        min ||y - sum_c f_c m_c||^2   over sets of classes, one spectrum m_c of the bundle of each, and f_c > 0
        a_c = f_c / sum f

    where y [reflectance] is a pixel over its good bands, m_c (band,) [reflectance] a spectrum of class c, f the
    fractions [1], of which one minus their sum is shade (reflectance 0; negative in a pixel that is brighter than its
    spectra), and a the abundances [area fraction], shade left out. Without shade, f sums to one. A class more is taken
    only if the error falls enough. See ``docs/methods/mesma.md``.

    Parameters
    ----------
    n_endmembers : int, optional
        Number of classes P, 2 to 8. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction.
    shade : bool, optional
        Whether models have shade; without it fractions sum to one. When None, if that explains the scene better.
    threshold : float, optional
        By how much the RMSE [reflectance] must fall for each class more. When None, by more than chance makes of it, by
        the noise.
    prune : str, optional
        Measure by which the best spectra of each class are chosen first: ``"ear"``, ``"masa"`` or ``"cob"``. All are
        used when None.
    n_kept : int
        How many spectra of each class `prune` keeps.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    D. A. Roberts, M. Gardner, R. Church, S. Ustin, G. Scheer and R. O. Green, *Mapping chaparral in the Santa Monica
    Mountains using multiple endmember spectral mixture models*, Remote Sensing of Environment 65(3), 1998,
    doi:10.1016/S0034-4257(98)00037-6.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9], [0.2, 0.4, 0.9]], ["water", "soil", "soil"])
    >>> scene = make_scene([[[0.3, 0.3, 0.5], [0.05, 0.1, 0.225]]])
    >>> MESMA(threshold=0.0).fit(scene, bundle).unmix(scene).abundance.values.round(3)
    array([[[0.5, 0.5],
            [0. , 1. ]]], dtype=float32)
    """

    name: ClassVar[str] = "mesma"
    summary: ClassVar[str] = (
        "multiple endmember spectral mixture analysis: one spectrum of each bundle, chosen by pixel"
    )
    reference: ClassVar[str] = "Roberts et al. 1998, doi:10.1016/S0034-4257(98)00037-6"
    fitted_type: ClassVar[type[Fitted]] = FittedMESMA

    shade: bool | None = None
    threshold: float | None = None
    prune: str | None = None
    n_kept: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "threshold", least=0, optional=True, expected="a number from 0 [reflectance], or None")
        if self.prune is not None and self.prune not in MEASURES:
            raise ParameterError(f"prune = {self.prune!r}", f"one of {', '.join(MEASURES)}, or None")
        check_range(self, "n_kept", least=1, expected="at least 1")

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedMESMA:
        if len(endmembers.names) > MOST_CLASSES:
            raise ParameterError(
                f"{len(endmembers.names)} classes", f"at most {MOST_CLASSES}, for every set is a model"
            )
        spectra = endmembers.spectra if self.prune is None else prune(endmembers.spectra, self.prune, self.n_kept)
        noise_variance = float(noise_variance_of(scene, pixels, seed=self.seed).mean())
        library, sizes = np.concatenate(spectra).astype(np.float32), tuple(len(group) for group in spectra)
        some = pixels[np.random.default_rng(self.seed).permutation(len(pixels))[:LOOKED_AT]]
        shade = has_shade(some, library, sizes, noise_variance) if self.shade is None else self.shade
        fitted = FittedMESMA(self, scene, endmembers.names, library, sizes, noise_variance, shade)
        fitted.record = {"noise": noise_source(scene), "shade": shade}
        return fitted


def preferred_level(
    squared_error: Float[np.ndarray, "level pixel"], n_bands: int, noise_variance: float, mean_size: float
) -> Integer[np.ndarray, "pixel"]:
    """Return the level whose error is worth its classes, by the noise or by what the best model leaves over."""
    n_classes = 1 + np.arange(len(squared_error))[:, None]
    smallest = squared_error.min(axis=0)
    left_over = np.where(np.isfinite(smallest), smallest, 0.0) / max(n_bands - len(n_classes), 1)
    variance = np.maximum(np.maximum(noise_variance, left_over), np.finfo(np.float32).tiny)
    worth = np.log(n_bands) + 2 * np.log(mean_size)
    return (squared_error / variance + worth * n_classes).argmin(axis=0)


def is_enough(preferred: Integer[np.ndarray, "pixel"], n_levels: int) -> Bool[np.ndarray, "pixel"]:
    """Return whether the last `UNPREFERRED` levels were not preferred to one before them."""
    return preferred + UNPREFERRED < n_levels


def has_shade(
    pixels: Float[np.ndarray, "pixel band"],
    library: Float[np.ndarray, "spectrum band"],
    sizes: tuple[int, ...],
    noise_variance: float,
) -> bool:
    r"""Return whether the errors of models with shade are smaller than a fraction more would make them by chance.

    .. math:: \frac{1}{N} \sum_n L \log \frac{e_n^{\text{without}}}{e_n^{\text{with}}} > \log L

    where :math:`e_n` is the smallest squared error of pixel n and L the number of bands (Schwarz's criterion).
    """

    def enough(errors: Float[np.ndarray, "level pixel"]) -> Bool[np.ndarray, "pixel"]:
        preferred = preferred_level(errors, pixels.shape[1], noise_variance, float(np.mean(sizes)))
        return is_enough(preferred, len(errors))

    smallest = []
    for sum_to_one in (True, False):
        levels = ModelSearch(library, sizes, sum_to_one=sum_to_one).best(pixels, enough)
        smallest.append(np.stack([models.squared_error for models in levels]).min(axis=0))
    tiny = 1e-9 * np.einsum("nl,nl->n", pixels, pixels) + np.finfo(np.float32).tiny
    without, with_shade = (np.maximum(error, tiny) for error in smallest)
    known = np.isfinite(without + with_shade)
    n_bands = pixels.shape[1]
    return bool((n_bands * np.log(without[known] / with_shade[known])).sum() > known.sum() * np.log(n_bands))


METHOD = MESMA
