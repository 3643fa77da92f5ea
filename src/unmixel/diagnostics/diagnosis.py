"""The diagnosis of a result: its numbers, and one plain sentence for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from unmixel.errors import SceneError
from unmixel.metrics.reach import FALSE_ALARM
from unmixel.result import provenance_of

MANY = 0.05
"""Share of pixels from which a finding is about the scene rather than about a few of its pixels."""
STRUCTURED = 0.1
"""Moran's I from which neighbours in a residual map are alike for more than chance and a reader's eye."""
CLEARLY = 3.0
"""Standard deviations from which Moran's I is no chance."""
HARDLY_NONLINEAR = 0.1


@dataclass(frozen=True)
class AlikePair:
    """Two endmembers that are too alike to tell apart.

    Attributes
    ----------
    first, second : str
        Their names.
    angle : float
        Spectral angle between their mean spectra [rad].
    spread : float
        How far spectra of the two vary along the line between them, see `unmixel.metrics.likeness` [rad].
    """

    first: str
    second: str
    angle: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What a result says about itself.

    Attributes
    ----------
    negative_share, negative_share_sum_to_one : float
        Share of the pixels in which a least-squares abundance is negative beyond its noise, brightness free and with
        abundances that sum to one [1].
    residual_morans_i, residual_morans_i_expected, residual_morans_i_sd : float or None
        Moran's I of the map of ``reconstruction_rmse``, its expectation and standard deviation without structure [1];
        None where it isn't defined.
    beyond_noise_share : float
        Share of the pixels whose ``reconstruction_rmse`` is larger than noise allows [1].
    outside_reach_share : float
        Share of the pixels that are ``outside_reach`` [1].
    alike : tuple of AlikePair
        Endmembers too alike to tell apart, the most alike first.
    nonlinearity : mapping of str to (float, float)
        Median and 95 % quantile of ``nonlinearity_degree`` for each stream; empty where the method has none.
    """

    negative_share: float
    negative_share_sum_to_one: float
    residual_morans_i: float | None
    residual_morans_i_expected: float | None
    residual_morans_i_sd: float | None
    beyond_noise_share: float
    outside_reach_share: float
    alike: tuple[AlikePair, ...] = ()
    nonlinearity: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Return one plain line for each finding: the number, what it means and what to do."""
        lines = [self._negative(), self._structure(), self._reach(), self._alike()]
        return [*lines, self._nonlinear()] if self.nonlinearity else lines

    def _negative(self) -> str:
        free, sum_to_one = self.negative_share, self.negative_share_sum_to_one
        numbers = f"negative abundances: in {_percent(free)} of the pixels, {_percent(sum_to_one)} if they sum to one."
        if free > MANY:
            return (
                f"{numbers} Those pixels lie outside the endmembers: there may be no pure pixels, a material may be "
                "missing, or mixing is nonlinear. Try one more endmember, or spectra of your own."
            )
        if sum_to_one > MANY:
            return f"{numbers} Brightness varies: don't trust a method that sums to one without it (fcls)."
        return f"{numbers} The endmembers enclose the scene."

    def _structure(self) -> str:
        value, expected, sd = self.residual_morans_i, self.residual_morans_i_expected, self.residual_morans_i_sd
        if value is None or expected is None or sd is None:
            return "residual map: too few neighbouring pixels, or the same residual everywhere, to see structure."
        numbers = f"residual map: Moran's I {value:.2f} (without structure {expected:.3f} ± {sd:.3f})."
        if value > STRUCTURED and value - expected > CLEARLY * sd:
            return (
                f"{numbers} What is not explained lies together on the ground: look at reconstruction_rmse for a "
                "material that is missing or varies more than the model lets it."
            )
        return f"{numbers} What is not explained is scattered like noise."

    def _reach(self) -> str:
        numbers = (
            f"outside reach: {_percent(self.outside_reach_share)} of the pixels "
            f"({_percent(self.beyond_noise_share)} fit worse than noise allows)."
        )
        if self.outside_reach_share > FALSE_ALARM:
            return (
                f"{numbers} They differ from the endmembers in a way that the scene otherwise doesn't: don't read "
                "their abundances, look at outside_reach for what they are."
            )
        return f"{numbers} No pixel stands out as something else than the endmembers."

    def _alike(self) -> str:
        if not self.alike:
            return "alike endmembers: none. Each is farther from the others than it varies."
        pairs = ", ".join(
            f"{pair.first} and {pair.second} ({pair.angle:.3f} rad apart, they vary by {pair.spread:.3f})"
            for pair in self.alike
        )
        return f"alike endmembers: {pairs}. Read the sum of such a pair only, or unmix with one endmember less."

    def _nonlinear(self) -> str:
        numbers = ", ".join(
            f"{stream} {median:.3f} in the median pixel, {high:.3f} at 95 %"
            for stream, (median, high) in self.nonlinearity.items()
        )
        if max(high for _, high in self.nonlinearity.values()) < HARDLY_NONLINEAR:
            return f"nonlinearity degree: {numbers}. Little of the fit is nonlinear: scls should agree, check it."
        return f"nonlinearity degree: {numbers}. Part of the fit is nonlinear: compare with scls where it is high."

    def as_record(self) -> dict[str, Any]:
        """Return all of it as plain values, for provenance."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        record["alike"] = [vars(pair) for pair in self.alike]
        record["nonlinearity"] = {stream: list(numbers) for stream, numbers in self.nonlinearity.items()}
        return record


def diagnosis_of(result: xr.Dataset) -> Diagnosis:
    """Return the diagnosis that is stored in a result.

    Raises
    ------
    SceneError
        If none is.
    """
    record = provenance_of(result).get("diagnosis")
    if record is None:
        raise SceneError("a result without a diagnosis", "one from unmixel.diagnose")
    return Diagnosis(
        **{
            **record,
            "alike": tuple(AlikePair(**pair) for pair in record["alike"]),
            "nonlinearity": {stream: tuple(numbers) for stream, numbers in record["nonlinearity"].items()},
        }
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
