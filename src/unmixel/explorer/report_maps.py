"""The maps of a result as pictures inside a page: one picture point for each pixel, with a colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from bokeh.palettes import cividis, magma, viridis
from jaxtyping import Float

from unmixel.pages.pictures import N_COLOURS, colour_numbers, picture_of, ramp
from unmixel.result import provenance_of, thinned, unit_of

VALUES = 1_500_000
"""Of all maps together; of a larger result, every n-th row and column is drawn."""
HIGHEST = 0.995
"""Quantile at which a colour bar without a natural end ends."""
OUTSIDE = ("#d9e6f2", "#b22222")
"""Colours of pixels that are explained, and of those that are not."""


@dataclass(frozen=True)
class ColourBar:
    """What colours mean.

    Attributes
    ----------
    picture : str
        Address of the picture, with the picture in it.
    low, high : str
        What its ends mean.
    label : str
        The quantity and its unit.
    """

    picture: str
    low: str
    high: str
    label: str


@dataclass(frozen=True)
class ReportMap:
    """A map.

    Attributes
    ----------
    name : str
        Of what it shows.
    picture : str
        Address of the picture, with the picture in it.
    description : str
        What it shows, for those who can't see it.
    """

    name: str
    picture: str
    description: str


@dataclass(frozen=True)
class MapGroup:
    """Maps with a common colour bar; no bar where colours are named in the explanation."""

    title: str
    explanation: str
    maps: list[ReportMap]
    bar: ColourBar | None


@dataclass(frozen=True)
class _Quantity:
    variable: str
    title: str
    explanation: str
    label: str
    palette: Sequence[str]
    ends_at_one: bool


_QUANTITIES = (
    _Quantity(
        "abundance",
        "Abundance",
        "Share of a pixel's area that each endmember covers.",
        "abundance",
        viridis(N_COLOURS),
        ends_at_one=True,
    ),
    _Quantity(
        "abundance_sd",
        "Uncertainty of the abundance",
        "Standard deviation of the abundance: how sure it is in each pixel.",
        "standard deviation of the abundance",
        magma(N_COLOURS),
        ends_at_one=False,
    ),
    _Quantity(
        "nonlinearity_degree",
        "Nonlinearity",
        "Nonlinear share of what the model does in each pixel: of how it mixes spectra (mixing), and of how it finds "
        "abundances (abundance).",
        "nonlinear share",
        cividis(N_COLOURS),
        ends_at_one=False,
    ),
    _Quantity(
        "reconstruction_rmse",
        "Residual",
        "How far the reconstruction is from each pixel. What lies together on the ground here is not noise.",
        "root mean square over the bands",
        magma(N_COLOURS),
        ends_at_one=False,
    ),
)


def report_maps(result: xr.Dataset) -> tuple[list[MapGroup], int]:
    """Draw the maps that a result has.

    Parameters
    ----------
    result : Dataset
        It may lie on disk.

    Returns
    -------
    groups : list of MapGroup
    step : int
        Every how manyth row and column is drawn.
    """
    names = [quantity.variable for quantity in _QUANTITIES if quantity.variable in result]
    n_maps = 1 + sum(result[name][0, 0].size for name in names)
    small, step = thinned(result, max(VALUES // n_maps, 1))
    masked = np.isnan(small["abundance"].values).any(axis=2)
    groups = [_drawn(small, quantity, masked) for quantity in _QUANTITIES if quantity.variable in result]
    if "outside_reach" in result:
        groups.append(_outside_reach(small["outside_reach"].values, masked))
    return groups, step


def _drawn(result: xr.Dataset, quantity: _Quantity, masked: np.ndarray) -> MapGroup:
    variable = result[quantity.variable]
    values = np.array(variable.values, dtype=np.float32).reshape(*masked.shape, -1)
    values[masked] = np.nan
    names = [str(label) for label in result[variable.dims[2]].values] if variable.ndim == 3 else [quantity.title]
    label = f"{quantity.label} [{unit_of(quantity.variable, provenance_of(result))}]"
    high, beyond = 1.0, ""
    if not quantity.ends_at_one:
        high = _rounded_up(float(np.nanquantile(values, HIGHEST)))
        beyond = " or more" if np.nanmax(values) > high else ""
    maps = [
        ReportMap(
            name,
            picture_of(colour_numbers(one, high), quantity.palette),
            _description(label if name == quantity.title else f"{quantity.label} of {name}", one),
        )
        for name, one in zip(names, np.moveaxis(values, 2, 0), strict=True)
    ]
    bar = ColourBar(picture_of(ramp(), quantity.palette), "0", f"{high:g}{beyond}", label)
    return MapGroup(quantity.title, quantity.explanation, maps, bar)


def _outside_reach(flags: np.ndarray, masked: np.ndarray) -> MapGroup:
    numbers = np.where(masked, N_COLOURS, flags.astype(bool)).astype(np.uint8)
    share = 100 * float((numbers == 1).mean() / max((~masked).mean(), 1e-12))
    described = f"Map of pixels outside the reach of the endmembers: {share:.2g} % of the pixels are."
    picture = picture_of(numbers, [*OUTSIDE, *["#000000"] * (N_COLOURS - 2)])
    explanation = (
        "Pixels that the endmembers don't explain are red: something else is in them, and their abundances are not to "
        "be read. The others are pale."
    )
    return MapGroup("Outside reach", explanation, [ReportMap("Outside reach", picture, described)], None)


def _rounded_up(value: float) -> float:
    """Return the next number with two digits that is not smaller.

    Examples
    --------
    >>> _rounded_up(0.0123), _rounded_up(0.0)
    (0.013, 1.0)
    """
    if not value > 0:
        return 1.0
    power = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.ceil(value / power - 1e-9) * power:.2g}")


def _description(what: str, values: Float[np.ndarray, "y x"]) -> str:
    low, median, high = np.nanquantile(values, [0.05, 0.5, 0.95])
    return f"Map of the {what}: {median:.3g} in the median pixel, {low:.3g} to {high:.3g} in nine of ten."
