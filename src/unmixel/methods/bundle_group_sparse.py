"""Sparse unmixing with bundles: each pixel chooses among the spectra of each endmember."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Integer

from unmixel.errors import ParameterError
from unmixel.extraction.kmeans import kmeans
from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._noise_pull import noise_pull
from unmixel.methods._parts import Parts
from unmixel.methods._pixelwise import SETTLED, PixelwiseFitted
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods._saved_state import numbers_in, sizes_in, spectra_in
from unmixel.methods._spectra_statistics import spectra_statistics
from unmixel.preprocess import noise_source, noise_variance_of
from unmixel.scene import good_bands
from unmixel.solvers import GroupSparseRegression

NOISE_SHARE = {"group": 1.0, "elitist": 2.0, "fractional": 0.2}
"""Each penalty, in units of the pull of the noise."""


class FittedBundleGroupSparse(PixelwiseFitted):
    """The spectra of all endmembers and the penalty, ready for group-sparse regression.

    Attributes
    ----------
    spectra : array, shape (spectrum, band)
        Reflectance over the good bands, endmember by endmember.
    sizes : array of int, shape (endmember,)
        Number of spectra of each endmember.
    weight : float
        lambda [reflectance squared].
    """

    method: BundleGroupSparse

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        spectra: Float[np.ndarray, "spectrum band"],
        sizes: Integer[np.ndarray, "endmember"],
        weight: float,
    ) -> None:
        super().__init__(method, scene, endmember)
        self.spectra = spectra
        self.sizes = sizes
        self.weight = weight
        self._problem = GroupSparseRegression(spectra, sizes.tolist(), self.method.penalty, weight)
        self._first = np.cumsum([0, *sizes[:-1]])

    def _mixture(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[
        Float[np.ndarray, "pixel endmember"],
        Float[np.ndarray, "pixel endmember band"],
        Bool[np.ndarray, "pixel"] | None,
    ]:
        """Return the abundances of the endmembers, their shares of the pixels, and whether the search settled."""
        found, settled = self._problem.search(pixels)
        weights = found.astype(np.float32)
        shares = np.empty((len(pixels), len(self.sizes), self.spectra.shape[1]), dtype=np.float32)
        for k, (first, size) in enumerate(zip(self._first, self.sizes, strict=True)):
            own = slice(first, first + size)
            shares[:, k] = weights[:, own] @ self.spectra[own]
        return np.add.reduceat(weights, self._first, axis=1), shares, settled

    def _spectra_of(
        self, abundances: Float[np.ndarray, "pixel endmember"], shares: Float[np.ndarray, "pixel endmember band"]
    ) -> Float[np.ndarray, "pixel endmember band"]:
        """Return each endmember's spectrum in each pixel; the mean of its bundle where it is absent."""
        means = np.add.reduceat(self.spectra, self._first, axis=0) / self.sizes[:, None].astype(np.float32)
        present = abundances > 0
        return np.where(present[:, :, None], shares / np.where(present, abundances, 1)[:, :, None], means)

    def _unmix_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        abundances, shares, settled = self._mixture(pixels)
        misfit = pixels - shares.sum(axis=1)
        maps = {"abundance": abundances, "reconstruction_rmse": np.sqrt((misfit**2).mean(axis=1))}
        return maps if settled is None else {**maps, SETTLED: settled}

    def _endmembers_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        spectra = self._spectra_of(*self._mixture(pixels)[:2])
        return spectra, np.zeros_like(spectra)

    def _parts_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Parts:
        return Parts(pixels, self._mixture(pixels)[1], np.zeros_like(pixels), np.full_like(pixels, np.nan))

    def _endmember_statistics(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        abundances, shares, _ = self._mixture(pixels)
        return spectra_statistics(self._spectra_of(abundances, shares), abundances)

    def _state(self) -> dict[str, np.ndarray]:
        return {"spectra": self.spectra, "sizes": self.sizes, "weight": np.array([self.weight])}

    @classmethod
    def _from_state(
        cls, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], state: dict
    ) -> FittedBundleGroupSparse:
        sizes = sizes_in(state, len(endmember))
        spectra = spectra_in(state, int(sizes.sum()), int(good_bands(scene).sum()), "spectra")
        (weight,) = numbers_in(state, "weight")
        return cls(method, scene, endmember, spectra, sizes, weight)


@dataclass(frozen=True, kw_only=True)
class BundleGroupSparse(Method):
    """Sparse unmixing with endmember bundles.

    ::

        minimise  1/2 ||y - B^T a||^2 + lambda h(a)   over a_j >= 0, sum_j a_j = 1

        group       h = sum_k ||a_k||
        elitist     h = 1/2 sum_k s_k^2
        fractional  h = sum_k (s_k + epsilon)^q

    where y [reflectance] is a pixel over its good bands, B (spectrum, band) [reflectance] all spectra of the bundle,
    and a (spectrum,) their weights [1], of which those of endmember k are a_k. Its abundance is their sum s_k, and its
    spectrum in this pixel the mean of its bundle with these weights. It is a point estimate: there is no
    uncertainty.

    Parameters
    ----------
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction, of the estimate of the noise and of the clusters.
    penalty : str
        ``"elitist"``: few spectra of each endmember; ``"group"``: few endmembers, each by many spectra;
        ``"fractional"``: few endmembers.
    weight : float, optional
        lambda [reflectance squared], not negative. When None, 2 (elitist), 1 (group) or 0.2 (fractional) times the
        pull of the noise on the darkest spectrum, min_j sqrt(sum_l b_jl^2 sigma_l^2).
    n_spectra : int
        Largest number of spectra of each endmember. A bundle of more is replaced by the centres of so many clusters.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    L. Drumetz, T. R. Meyer, J. Chanussot, A. L. Bertozzi and C. Jutten, *Hyperspectral image unmixing with endmember
    bundles and group sparsity inducing mixed norms*, IEEE TIP 28(7), 2019, doi:10.1109/TIP.2019.2897254.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.2, 0.4, 0.2], [0.5, 0.4, 0.9]], ["leaf", "leaf", "soil"])
    >>> scene = make_scene([[[0.15, 0.3, 0.15], [0.35, 0.4, 0.55]]])
    >>> BundleGroupSparse(weight=0.0).fit(scene, bundle).unmix(scene).abundance.values.round(3)
    array([[[1. , 0. ],
            [0.5, 0.5]]], dtype=float32)
    """

    name: ClassVar[str] = "bundle_group_sparse"
    summary: ClassVar[str] = "bundles with group sparsity: each pixel has its own spectrum of each endmember"
    reference: ClassVar[str] = "Drumetz et al. 2019, doi:10.1109/TIP.2019.2897254"
    fitted_type: ClassVar[type[Fitted]] = FittedBundleGroupSparse

    penalty: str = "elitist"
    weight: float | None = None
    n_spectra: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.penalty not in NOISE_SHARE:
            raise ParameterError(f"penalty {self.penalty!r}", f"one of {', '.join(NOISE_SHARE)}")
        remedy = "leave it out to take it from the noise"
        check_range(self, "weight", least=0, optional=True, expected="0 or more", remedy=remedy)
        check_range(self, "n_spectra", least=1, expected="at least 1")

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedBundleGroupSparse:
        groups = [self._representatives(spectra) for spectra in endmembers.spectra]
        spectra, weight = np.concatenate(groups), self.weight
        if weight is None:
            pull = noise_pull(spectra, noise_variance_of(scene, pixels, seed=self.seed))
            weight = NOISE_SHARE[self.penalty] * pull
        sizes = np.array([len(group) for group in groups])
        fitted = FittedBundleGroupSparse(self, scene, endmembers.names, spectra, sizes, weight)
        if self.weight is None:
            fitted.record["noise"] = noise_source(scene)
        fitted.record.update(weight=weight, n_spectra=sizes.tolist())
        return fitted

    def _representatives(self, spectra: Float[np.ndarray, "spectrum band"]) -> Float[np.ndarray, "fewer band"]:
        """Return the spectra, or the centres of their clusters if there are too many."""
        if len(spectra) <= self.n_spectra:
            return spectra
        labels = kmeans(spectra, self.n_spectra, seed=self.seed)
        return np.stack([spectra[labels == label].mean(axis=0) for label in range(int(labels.max()) + 1)])


METHOD = BundleGroupSparse
