"""A scene and its result -> the result with its diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from unmixel.diagnostics.diagnosis import AlikePair, Diagnosis
from unmixel.errors import SceneError
from unmixel.metrics import MoransI, likeness, morans_i, negativity, noise_limit, usual_reach
from unmixel.preprocess import noise_variance_of
from unmixel.representative import representative
from unmixel.result import UNITS, add_provenance
from unmixel.scene import CHUNK, ValidPixels
from unmixel.solvers import ConstrainedLeastSquares

LEARNT_FROM = 5000
"""Pixels, drawn from all over the scene, that say how large residuals usually are."""
SPECTRA = 500
"""Pixels, drawn from all over the scene, whose endmember spectra say how much each varies."""
NONLINEARITY_FROM = 20_000
"""Pixels, drawn from all over the scene, whose nonlinearity degrees are told."""
NONLINEARITY = (0.5, 0.95)
"""Quantiles of the nonlinearity degree that are told."""


@runtime_checkable
class KnowsSpectra(Protocol):
    """A fitted method, as far as the endmember spectra in some pixels go."""

    def endmembers_at(self, scene: xr.DataArray, pixel: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the endmember spectra in pixels."""


def diagnose(scene: xr.DataArray, result: xr.Dataset, *, fitted: KnowsSpectra | None = None) -> xr.Dataset:
    """Add to a result what it says about itself, without a truth.

    Works for the result of any method. What is found and by which equations: `unmixel.metrics.negative_abundances`,
    `unmixel.metrics.morans_i`, `unmixel.metrics.usual_reach` and `unmixel.metrics.likeness`. The residuals that say
    which pixels are out of reach are those of non-negative least squares with the result's mean spectra, brightness
    free, whatever the method.

    Parameters
    ----------
    scene : DataArray
        The scene that was unmixed.
    result : Dataset
        Its result (see `unmixel.result`).
    fitted : Fitted, optional
        The fitted model: its spectra in single pixels say how much each endmember varies. Without it, endmembers vary
        by noise only.

    Returns
    -------
    Dataset
        The result with the map ``outside_reach`` and a `Diagnosis` in its provenance, see `diagnosis_of`.

    Raises
    ------
    SceneError
        If scene and result have other sizes.

    Examples
    --------
    >>> from unmixel.diagnostics import diagnosis_of
    >>> from unmixel.simulate import simulate_preset
    >>> from unmixel.unmixing import make_method
    >>> scene, _ = simulate_preset("intimate", rows=20, columns=30)
    >>> result = diagnose(scene, make_method("fcls", n_endmembers=3).fit(scene).unmix(scene))
    >>> diagnosis_of(result).sentences()[3]
    'alike endmembers: none. Each is farther from the others than it varies.'
    """
    for dimension in ("y", "x", "band"):
        if scene.sizes[dimension] != result.sizes[dimension]:
            raise SceneError(
                f"a result of {result.sizes[dimension]} {dimension} for a scene of {scene.sizes[dimension]}",
                "the scene that was unmixed",
            )
    good = np.asarray(result["good_band"].values, dtype=bool)
    scene = scene.assign_coords(good_band=("band", good))
    pixels = ValidPixels(scene)

    def places(most: int) -> tuple[np.ndarray, ...]:
        return np.divmod(pixels.numbers[representative(pixels.numbers, scene.sizes["x"], most)], scene.sizes["x"])

    endmembers = np.asarray(result["endmember_spectrum"].values[:, good], dtype=np.float64)
    learnt_from = pixels[representative(pixels.numbers, scene.sizes["x"], LEARNT_FROM)]
    judge = PixelJudge(endmembers, learnt_from, noise_variance_of(scene, learnt_from))
    flags = judge.flags_of(pixels)
    rmse = np.asarray(result["reconstruction_rmse"].values, dtype=np.float64)
    spectra = abundance = None
    if fitted is not None:
        chosen = places(SPECTRA)
        spectra = fitted.endmembers_at(scene, np.stack(chosen, axis=1))[0]
        abundance = np.asarray(result["abundance"].values[chosen], dtype=np.float64)
    nonlinearity = {}
    if "nonlinearity_degree" in result:
        degrees = result["nonlinearity_degree"].values[places(NONLINEARITY_FROM)]
        nonlinearity = nonlinearity_quantiles(result["stream"].values.astype(str), degrees)
    diagnosis = judge.diagnosis(
        [str(name) for name in result["endmember"].values],
        shares=flags.mean(axis=0),
        structure=morans_i(rmse),
        beyond_noise=float((rmse[np.isfinite(rmse)] ** 2 > judge.noise_limit).mean()),
        spectra=spectra,
        abundance=abundance,
        nonlinearity=nonlinearity,
    )
    outside = np.zeros(rmse.size, dtype=bool)
    outside[pixels.numbers] = flags[:, 2]
    attributes = {"units": UNITS["outside_reach"], "grid_mapping": "spatial_ref"}
    diagnosed = result.assign(outside_reach=(("y", "x"), outside.reshape(rmse.shape), attributes))
    return add_provenance(diagnosed, diagnosis=diagnosis.as_record())


class PixelJudge:
    """What the mean spectra of the endmembers and some pixels of a scene say of any pixel of it.

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        Reflectance over the good bands.
    learnt_from : array, shape (learnt, band)
        Pixels from all over the scene.
    noise_variance : array, shape (band,)
        Of the scene [1], see `unmixel.preprocess.noise_variance_of`.

    Attributes
    ----------
    noise_limit : float
        Mean square over the bands that noise allows [1].
    """

    def __init__(
        self,
        endmembers: Float[np.ndarray, "endmember band"],
        learnt_from: Float[np.ndarray, "learnt band"],
        noise_variance: Float[np.ndarray, "band"],
    ) -> None:
        self._endmembers = endmembers.astype(np.float64)
        self._noise_variance = noise_variance
        self.noise_limit = noise_limit(self._noise_variance)
        self._negativity = [negativity(endmembers, self._noise_variance, sum_to_one=one) for one in (False, True)]
        basis, columns = np.linalg.qr(self._endmembers.T)
        self._columns = columns
        self._in_span = ConstrainedLeastSquares(np.ascontiguousarray(columns.T), sum_to_one=False)
        self._operators = np.hstack([basis, *(test.operator.T for test in self._negativity)])
        weights = ConstrainedLeastSquares(endmembers, sum_to_one=False).solve(learnt_from)
        self._reach = usual_reach(learnt_from - weights @ endmembers, weights.argmax(axis=1), self._noise_variance)

    def flags(self, pixels: Float[np.ndarray, "pixel band"]) -> Bool[np.ndarray, "pixel 3"]:
        r"""Return whether an abundance is negative, is so if they sum to one, and whether a pixel is out of reach.

        With the basis Q of the endmembers' span, :math:`M^\top = Q R` and :math:`c = Q^\top y`, the residual of
        non-negative least squares has the squared length :math:`\lVert y \rVert^2 - \lVert c \rVert^2 + \lVert c - R a
        \rVert^2`. Only where noise does not allow it, the residual itself is looked at.
        """
        pixels = pixels.astype(np.float64)
        n_endmembers, n_coordinates = self._columns.shape[::-1]
        parts = [n_coordinates, n_coordinates + n_endmembers]
        coordinates, *operated = np.split(pixels @ self._operators, parts, axis=1)
        negative = [test.is_found(one) for test, one in zip(self._negativity, operated, strict=True)]
        weights = self._in_span.solve(coordinates)
        left = coordinates - weights @ self._columns.T
        power = _squared_length(pixels) - _squared_length(coordinates) + _squared_length(left)
        outside = power > (1 - 1e-9) * pixels.shape[1] * self.noise_limit
        outside[outside] = self._reach.is_exceeded_by(pixels[outside] - weights[outside] @ self._endmembers)
        return np.stack([*negative, outside], axis=1)

    def flags_of(self, pixels: ValidPixels) -> Bool[np.ndarray, "pixel 3"]:
        """Return the `flags` of all valid pixels, some at a time."""
        flags = np.zeros((len(pixels), 3), dtype=bool)
        for first in range(0, len(pixels), CHUNK):
            flags[first : first + CHUNK] = self.flags(pixels[first : first + CHUNK])
        return flags

    def diagnosis(
        self,
        names: Sequence[str],
        *,
        shares: Sequence[float] | np.ndarray,
        structure: MoransI,
        beyond_noise: float,
        spectra: np.ndarray | None,
        abundance: np.ndarray | None,
        nonlinearity: Mapping[str, np.ndarray],
    ) -> Diagnosis:
        """Put together what was found in a scene.

        Parameters
        ----------
        names : sequence of str
            The endmembers.
        shares : three numbers
            Share of the pixels with each of the `flags`.
        structure : MoransI
            Of the map of residuals.
        beyond_noise : float
            Share of the pixels that fit worse than noise allows.
        spectra, abundance : array, shape (pixel, endmember, band) and (pixel, endmember), optional
            Endmember spectra in some pixels, and the abundances there. Without them, endmembers vary by noise only.
        nonlinearity : mapping of str to two numbers
            Quantiles (`NONLINEARITY`) of each stream.
        """
        defined = bool(np.isfinite(structure.value))
        return Diagnosis(
            negative_share=float(shares[0]),
            negative_share_sum_to_one=float(shares[1]),
            residual_morans_i=structure.value if defined else None,
            residual_morans_i_expected=structure.expectation if defined else None,
            residual_morans_i_sd=structure.sd if defined else None,
            beyond_noise_share=beyond_noise,
            outside_reach_share=float(shares[2]),
            alike=self._alike_pairs(names, spectra, abundance),
            nonlinearity={name: (float(low), float(high)) for name, (low, high) in nonlinearity.items()},
        )

    def _alike_pairs(
        self, names: Sequence[str], spectra: np.ndarray | None, abundance: np.ndarray | None
    ) -> tuple[AlikePair, ...]:
        """Return the pairs that are too alike; in its statistics a pixel counts as the endmember's abundance there."""
        of_each, weights = list(self._endmembers[:, None]), None
        if spectra is not None and abundance is not None:
            of_each, weights = list(spectra.swapaxes(0, 1)), list(abundance.T + 1e-6)
        return tuple(
            AlikePair(names[pair.first], names[pair.second], pair.angle, pair.spread)
            for pair in likeness(of_each, self._noise_variance, weights)
            if pair.too_alike
        )


def _squared_length(rows: Float[np.ndarray, "pixel n"]) -> Float[np.ndarray, "pixel"]:
    return np.einsum("ij,ij->i", rows, rows)


def nonlinearity_quantiles(
    streams: Sequence[str] | np.ndarray, degrees: Float[np.ndarray, "pixel stream"]
) -> dict[str, np.ndarray]:
    """Return the quantiles (`NONLINEARITY`) of the nonlinearity degree of each stream."""
    quantiles = np.nanquantile(degrees.astype(np.float32), NONLINEARITY, axis=0).T
    return dict(zip(map(str, streams), quantiles, strict=True))
