"""The sections of a report, as numbers and sentences that are ready to be put on a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine

from unmixel.diagnostics.diagnosis import Diagnosis, diagnosis_of
from unmixel.errors import ParameterError, SceneError
from unmixel.explorer.pixel_story import LEVEL
from unmixel.intervals import abundance_interval, endmember_interval
from unmixel.methods._fitted import Fitted
from unmixel.pages.colours import endmember_colours
from unmixel.pages.line_chart import Curve, LineChart, line_chart, value_range
from unmixel.regions import region_summary
from unmixel.registry import get_method
from unmixel.result import label_of_spectra, thinned
from unmixel.scene import transform_of
from unmixel.self_check import check_itself

SHOWN_HYPOTHESES = 12
DRAWN_PIXELS = 2048
"""Pixels that a model draws to check its intervals."""
CHECKED = (0.5, 0.8, 0.9, 0.95)
"""Levels of the intervals that are checked."""
WIDTHS_FROM = 200_000
"""Pixels that tell how wide intervals are."""
HECTARE, SQUARE_KILOMETRE = 1e4, 1e6


@dataclass(frozen=True)
class Material:
    """An endmember in numbers, as texts.

    Attributes
    ----------
    name, colour : str
    mean : str
        Mean abundance over the scene, with its interval [%].
    area : str
        With its interval; empty where the size of a pixel is not known.
    width : str
        Mean width of the intervals of single pixels [%]; empty where the method gives none.
    """

    name: str
    colour: str
    mean: str
    area: str
    width: str


@dataclass(frozen=True)
class Coverage:
    """How often the intervals of a model hold what it drew itself, as texts [%] with their standard errors.

    Attributes
    ----------
    levels : list of str
        Of the intervals.
    shares : list of (str, list of str)
        By endmember, and over all.
    n_pixels : int
        Pixels that were drawn.
    """

    levels: list[str]
    shares: list[tuple[str, list[str]]]
    n_pixels: int


@dataclass(frozen=True)
class Summary:
    """What was unmixed, and into what.

    Attributes
    ----------
    materials : list of Material
        The most abundant first.
    n_valid, n_masked : int
        Pixels.
    has_intervals : bool
    """

    materials: list[Material]
    n_valid: int
    n_masked: int
    has_intervals: bool


def summary_of(result: xr.Dataset) -> Summary:
    """Return how much of each endmember the whole scene holds."""
    rows, columns = result.sizes["y"], result.sizes["x"]
    to_map = transform_of(result) or Affine.identity()
    whole = [to_map @ corner for corner in ((0, 0), (columns, 0), (columns, rows), (0, rows))]
    found = region_summary(result, whole, LEVEL)
    widths = _interval_widths(result)
    names = [str(name) for name in result["endmember"].values]
    texts = [
        Material(
            name,
            colour,
            _percent_with_interval(*(found[f"mean_abundance{end}"].values[k] for end in ("", "_lower", "_upper"))),
            _area_with_interval(*(found[f"area{end}"].values[k] for end in ("", "_lower", "_upper"))),
            "" if widths is None else f"{100 * widths[k]:.1f} %",
        )
        for k, (name, colour) in enumerate(zip(names, endmember_colours(len(names)), strict=True))
    ]
    order = np.argsort(-found["mean_abundance"].values, kind="stable")
    return Summary([texts[k] for k in order], found.attrs["n_pixels"], found.attrs["n_masked"], widths is not None)


def _interval_widths(result: xr.Dataset) -> np.ndarray | None:
    """Return the mean width of the intervals of each endmember [1]; None where there are none."""
    if "abundance_sd" not in result:
        return None
    small, _ = thinned(result[["abundance", "abundance_sd"]], WIDTHS_FROM)
    small = small.load()
    if bool(small["abundance_sd"].isnull().all()):
        return None
    interval = abundance_interval(small, LEVEL)
    return np.nanmean((interval["upper"] - interval["lower"]).values, axis=(0, 1))


def _percent_with_interval(value: float, lower: float, upper: float) -> str:
    return f"{100 * value:.1f} %" + (f" ({100 * lower:.1f} to {100 * upper:.1f} %)" if np.isfinite(lower) else "")


def _area_with_interval(value: float, lower: float, upper: float) -> str:
    """Return an area in a unit that suits its size, with its interval; nothing where it is not known.

    Examples
    --------
    >>> _area_with_interval(123_456.0, 120_000.0, 130_000.0)
    '12.3 ha (12 to 13)'
    """
    if not np.isfinite(value):
        return ""
    unit, size = next(
        (unit, size)
        for unit, size, least in (("km²", SQUARE_KILOMETRE, 1e7), ("ha", HECTARE, 1e4), ("m²", 1.0, 0.0))
        if max(value, upper if np.isfinite(upper) else 0) >= least
    )
    shown, low, high = (f"{float(f'{area / size:.3g}'):.15g}" for area in (value, lower, upper))
    return f"{shown} {unit}" + (f" ({low} to {high})" if np.isfinite(lower) else "")


def warnings_of(result: xr.Dataset) -> list[str]:
    """Return what the result says about itself; one sentence that says so if it says nothing."""
    try:
        return diagnosis_of(result).sentences()
    except SceneError:
        return ["This result holds no diagnosis (unmixel.diagnose makes one): nothing warns of what may be wrong."]


def diagnostics_of(result: xr.Dataset) -> list[tuple[str, str, str]]:
    """Return the numbers of the diagnosis: what it is, its value, and how to read it. Empty if there is none."""
    try:
        found = diagnosis_of(result)
    except SceneError:
        return []
    rows = [
        ("pixels with a negative abundance, brightness free", _share(found.negative_share), "large: no pure pixels"),
        (
            "pixels with a negative abundance, sum to one",
            _share(found.negative_share_sum_to_one),
            "larger than the share above: brightness varies",
        ),
        ("pixels outside reach of the endmembers", _share(found.outside_reach_share), "their abundances mean nothing"),
        ("pixels that fit worse than noise allows", _share(found.beyond_noise_share), "usual in real scenes"),
        ("Moran's I of the residual map [1]", _morans_i(found), "near 0: noise; near 1: something lies on the ground"),
    ]
    alike = [
        (
            f"spectral angle between {pair.first} and {pair.second}",
            f"{pair.angle:.3f} rad, they vary by {pair.spread:.3f} rad",
            "read only the sum of the two",
        )
        for pair in found.alike
    ]
    return [*rows, *alike]


def _share(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def _morans_i(found: Diagnosis) -> str:
    if found.residual_morans_i is None or found.residual_morans_i_expected is None:
        return "not defined"
    return (
        f"{found.residual_morans_i:.2f}; without structure {found.residual_morans_i_expected:.3f} ± "
        f"{found.residual_morans_i_sd or 0:.3f}"
    )


def spectra_charts(result: xr.Dataset) -> list[tuple[str, LineChart]]:
    """Return a chart for each endmember: its mean spectrum over the scene, and how it varies there."""
    if "endmember_spectrum" not in result:
        return []
    wavelength = np.asarray(result["wavelength"].values, dtype=float)
    known = bool(np.isfinite(wavelength).all())
    x = wavelength if known else np.arange(len(wavelength)) + 1.0
    names = [str(name) for name in result["endmember"].values]
    lower, upper = _spread_of(result)
    mean = result["endmember_spectrum"].values
    curves = [
        Curve(colour, mean[k], None if lower is None else lower[k], None if upper is None else upper[k])
        for k, colour in enumerate(endmember_colours(len(names)))
    ]
    ends = value_range(curves)
    ends = (min(ends[0], 0.0), ends[1])
    return [
        (
            name,
            line_chart(
                x,
                [curve],
                x_label="wavelength [nm]" if known else "band",
                y_label=label_of_spectra(result),
                y_range=ends,
                description=_describe(name, x, curve.y, "nm" if known else "(band)"),
            ),
        )
        for name, curve in zip(names, curves, strict=True)
    ]


def _spread_of(result: xr.Dataset) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the spectra between which nine tenths of an endmember lie; None where nothing is said of it."""
    if "endmember_quantile" in result and {0.05, 0.95} <= set(np.round(result["quantile"].values, 6).tolist()):
        levels = np.round(result["quantile"].values, 6).tolist()
        quantiles = result["endmember_quantile"].values
        return quantiles[levels.index(0.05)], quantiles[levels.index(0.95)]
    if "endmember_spectrum_sd" in result:
        interval = endmember_interval(result, LEVEL)
        return interval["lower"].values, interval["upper"].values
    return None, None


def _describe(name: str, x: np.ndarray, spectrum: np.ndarray, unit: str) -> str:
    if not np.isfinite(spectrum).any():
        return f"The spectrum of {name} is not known."
    low, high = int(np.nanargmin(spectrum)), int(np.nanargmax(spectrum))
    return (
        f"Mean spectrum of {name}: from {spectrum[low]:.3f} at {x[low]:.0f} {unit} "
        f"to {spectrum[high]:.3f} at {x[high]:.0f} {unit}."
    )


@dataclass(frozen=True)
class Hypotheses:
    """What was compared before training.

    Attributes
    ----------
    rows : list of dict
        The most probable, with ``difference`` from the best of all and whether it was ``chosen``.
    n_compared : int
    """

    rows: list[dict[str, Any]]
    n_compared: int


def hypotheses_of(provenance: dict[str, Any]) -> Hypotheses | None:
    """Return the hypotheses that were compared, the most probable first; None if none were."""
    compared = provenance.get("hypotheses")
    if not compared:
        return None
    chosen = provenance.get("hypothesis")
    ordered = sorted(compared, key=lambda one: -one["log_evidence"])
    best = ordered[0]["log_evidence"]
    rows = [
        {
            **one,
            "difference": best - one["log_evidence"],
            "chosen": {name: value for name, value in one.items() if name != "log_evidence"} == chosen,
        }
        for one in ordered
    ]
    shown = [row for number, row in enumerate(rows) if number < SHOWN_HYPOTHESES or row["chosen"]]
    return Hypotheses(shown, len(rows))


def training_chart(provenance: dict[str, Any]) -> LineChart | None:
    """Return how the watched loss went; None where nothing was trained."""
    history = [epoch for epoch in provenance.get("history") or [] if "watched" in epoch]
    if len(history) < 2:
        return None
    epochs = np.array([epoch["epoch"] for epoch in history], dtype=float)
    watched = np.array([epoch["watched"] for epoch in history], dtype=float)
    return line_chart(
        epochs,
        [Curve(endmember_colours(1)[0], watched)],
        x_label="epoch",
        y_label="watched loss [nat per pixel]",
        description=f"The watched loss went from {watched[0]:.4g} to {watched.min():.4g} nat per pixel at its best.",
    )


def method_in_words(provenance: dict[str, Any]) -> str:
    """Return what the method does, as it says itself; nothing for a method that is not installed."""
    try:
        return get_method(str(provenance.get("method", ""))).summary
    except ParameterError:
        return ""


def coverage_of(fitted: Fitted) -> Coverage:
    """Let a model with a posterior draw pixels, and return how often its intervals hold their abundances."""
    check = check_itself(fitted, DRAWN_PIXELS)
    coverage = check.coverage(CHECKED)
    rows = [*zip(fitted.endmember, coverage.T, strict=True), ("all", coverage.mean(axis=1))]
    shares = []
    for name, found in rows:
        errors = check.standard_error(found)
        told = [f"{100 * share:.1f} ± {100 * error:.1f}" for share, error in zip(found, errors, strict=True)]
        shares.append((name, told))
    return Coverage([f"{100 * level:.0f} %" for level in CHECKED], shares, DRAWN_PIXELS)
