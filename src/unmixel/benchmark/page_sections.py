"""A benchmark, scene by scene, as texts, charts and pictures that are ready to be put on a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bokeh.palettes import viridis

from unmixel.benchmark.agreement import MAX_NORMALISED
from unmixel.benchmark.columns import OK
from unmixel.benchmark.samples import Sample, open_sample
from unmixel.benchmark.standings import ERRORS, SceneStandings, Spread, Standing
from unmixel.pages.colours import endmember_colours
from unmixel.pages.line_chart import Curve, LineChart, line_chart
from unmixel.pages.pictures import N_COLOURS, colour_numbers, picture_of
from unmixel.pages.scatter_chart import ScatterChart, scatter_chart

BAR = 200
"""Length of the bar that shows the spread of an error [picture units]."""
SHOWN_SPECTRA = 6
"""Methods whose spectra are drawn: the best."""
NOTHING = "–"
SHOWN = {
    "nrmse_abundances": ("NRMSE, abundances [1]", "{:.3f}"),
    "nrmse_endmembers": ("NRMSE, endmembers [1]", "{:.3f}"),
    "nrmse_pixels": ("NRMSE, pixels [1]", "{:.3f}"),
    "sam_endmembers": ("spectral angle [rad]", "{:.3f}"),
    "coverage_90": ("coverage, 90 % intervals", "{:.2f}"),
    "crps": ("CRPS [1]", "{:.4f}"),
    "processor_s": ("processor time [s]", "{:.2f}"),
    "peak_memory_mb": ("memory [MB]", "{:.0f}"),
}
"""Columns of the table that stand beside the error, if any method has them."""
AS_IS = {"abundance_rmse": ("RMSE as they are [1]", "{:.4f}")}
"""The same where abundances are put into the truth's convention before they are compared."""


@dataclass(frozen=True)
class Bar:
    """The spread of an error on a scale from 0, in picture units."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class MethodRow:
    """A method in the table of a scene, as texts."""

    rank: int
    method: str
    error: str
    bar: Bar | None
    cells: list[str]
    failed: str


@dataclass(frozen=True)
class MapRow:
    """The maps of a method, or of the truth: a picture and its description for each endmember."""

    name: str
    maps: list[tuple[str, str]]


@dataclass(frozen=True)
class SceneSection:
    """All that a template needs to show a scene.

    Attributes
    ----------
    anchor, title, endmembers, truth_kind, convention, truth : str
    error : str
        What methods are ranked by, with its unit.
    columns : list of str
        Headings beside the error.
    rows : list of MethodRow
    chart : ScatterChart or None
        Error against time.
    endmember : list of str
    maps : list of MapRow
        The truth first.
    targets_for_truth : bool
        Whether the first maps show where targets lie.
    spectra : list of (str, LineChart)
        By endmember.
    spectrum_colours : list of (str, str)
        Methods and the colours of their spectra.
    seed : int or None
        Of the maps and spectra.
    """

    anchor: str
    title: str
    endmembers: str
    truth_kind: str
    convention: str
    truth: str
    error: str
    columns: list[str]
    rows: list[MethodRow]
    chart: ScatterChart | None
    endmember: list[str]
    maps: list[MapRow]
    targets_for_truth: bool
    spectra: list[tuple[str, LineChart]]
    spectrum_colours: list[tuple[str, str]]
    seed: int | None


def section_of(scene: SceneStandings, anchor: str, runs: Path) -> SceneSection:
    """Lay out a scene; the samples of its runs are in the folder `runs`."""
    shown = {**AS_IS, **SHOWN} if scene.convention == MAX_NORMALISED else SHOWN
    columns = {name: heading for name, heading in shown.items() if any(one.spread(name) for one in scene.methods)}
    highest = max((one.error.high for one in scene.methods if one.error), default=1.0) or 1.0
    seed, samples = _samples_of(scene, runs)
    truth = next(iter(samples.values()), None)
    return SceneSection(
        anchor,
        scene.scene,
        scene.endmembers,
        scene.truth_kind,
        scene.convention,
        scene.truth,
        ERRORS[scene.error],
        [*(f"{size:g} m²" for size in _target_sizes(scene)), *(heading for heading, _ in columns.values())],
        [_row_of(one, highest, columns, _target_sizes(scene)) for one in scene.methods],
        _error_against_time(scene),
        [] if truth is None else truth.endmember.tolist(),
        [] if truth is None else _maps(truth, samples),
        scene.error == "area_error",
        [] if truth is None else _spectra(truth, samples, scene.convention),
        list(zip(samples, endmember_colours(SHOWN_SPECTRA), strict=False)),
        seed,
    )


def shown_spread(spread: Spread | None, form: str) -> str:
    """Return a median, and the lowest and highest value where they differ as printed.

    Examples
    --------
    >>> shown_spread(Spread(0.051, 0.042, 0.06), "{:.2f}"), shown_spread(None, "{:.2f}")
    ('0.05 (0.04 to 0.06)', '–')
    """
    if spread is None:
        return NOTHING
    middle, low, high = (form.format(value) for value in (spread.middle, spread.low, spread.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def _target_sizes(scene: SceneStandings) -> list[float]:
    """Return the areas of the targets of a scene [m2]; none where there are no targets."""
    return next((row["target_area"] for one in scene.methods for row in one.rows if row.get("target_area")), [])


def _row_of(
    standing: Standing, highest: float, columns: dict[str, tuple[str, str]], target_sizes: list[float]
) -> MethodRow:
    error = standing.error
    scale = BAR / highest
    return MethodRow(
        standing.rank,
        standing.method,
        shown_spread(error, "{:.4f}"),
        None if error is None else Bar(error.low * scale, error.middle * scale, error.high * scale),
        [
            *(_median(standing.target_error(place), "{:.3f}") for place in range(len(target_sizes))),
            *(_median(standing.spread(name), form) for name, (_, form) in columns.items()),
        ],
        f"{standing.n_failed} of {len(standing.rows)}" if standing.n_failed else "",
    )


def _median(spread: Spread | None, form: str) -> str:
    return NOTHING if spread is None else form.format(spread.middle)


def _error_against_time(scene: SceneStandings) -> ScatterChart | None:
    known = [(one, one.error, time) for one in scene.methods if one.error and (time := one.spread("processor_s"))]
    known = [(one, error, time) for one, error, time in known if error.low > 0 and time.middle > 0]
    if not known:
        return None
    label = ERRORS[scene.error]
    return scatter_chart(
        np.array([time.middle for _, _, time in known]),
        np.array([error.middle for _, error, _ in known]),
        np.array([[error.low, error.high] for _, error, _ in known]),
        colours=["#0072B2" if one.spread("crps") else "#555555" for one, _, _ in known],
        labels=[str(one.rank) for one, _, _ in known],
        x_label="processor time of fitting and unmixing [s]",
        y_label=label,
        description=f"{label} against time: "
        + "; ".join(f"{one.method} {error.middle:.3g} in {time.middle:.3g} s" for one, error, time in known),
    )


def _samples_of(scene: SceneStandings, runs: Path) -> tuple[int | None, dict[str, Sample]]:
    """Return the samples of the methods, the best first, of the seed that most of them have."""
    paths = {
        (one.method, row["seed"]): path
        for one in scene.methods
        for row in one.rows
        if row["status"] == OK and (path := runs / f"{Path(row['run']).name}.npz").exists()
    }
    seeds = [seed for _, seed in paths]
    if not seeds:
        return None, {}
    seed = max(sorted(set(seeds)), key=seeds.count)
    found = {}
    for one in scene.methods:
        sample = open_sample(paths[one.method, seed]) if (one.method, seed) in paths else None
        if sample is not None:
            found[one.method] = sample
    return seed, found


def _maps(truth: Sample, samples: dict[str, Sample]) -> list[MapRow]:
    rows = [("truth", truth.true_maps), *((method, sample.maps) for method, sample in samples.items())]
    return [MapRow(name, _pictures(name, maps, truth.endmember)) for name, maps in rows]


def _pictures(name: str, maps: np.ndarray, endmember: np.ndarray) -> list[tuple[str, str]]:
    palette = viridis(N_COLOURS)
    return [
        (
            picture_of(colour_numbers(one.astype(np.float32), 1.0), palette),
            f"{label}, {name}: {float(np.nanmean(one.astype(float))):.3f} on average",
        )
        for one, label in zip(np.moveaxis(maps, 2, 0), endmember.tolist(), strict=True)
    ]


def _spectra(truth: Sample, samples: dict[str, Sample], convention: str) -> list[tuple[str, LineChart]]:
    scaled = convention == MAX_NORMALISED
    best = dict(list(samples.items())[:SHOWN_SPECTRA])
    charts = []
    for k, name in enumerate(truth.endmember.tolist()):
        curves = [
            Curve(colour, _scaled(sample.spectra[k], scaled))
            for sample, colour in zip(best.values(), endmember_colours(SHOWN_SPECTRA), strict=False)
        ]
        chart = line_chart(
            truth.band_centres,
            [*curves, Curve("#000000", _scaled(truth.true_spectra[k], scaled))],
            x_label=str(truth.band_label),
            y_label="share of the maximum [1]" if scaled else "reflectance [1]",
            description=f"Spectrum of {name}: the true one, and those of {', '.join(best)}",
        )
        charts.append((name, chart))
    return charts


def _scaled(spectrum: np.ndarray, scaled: bool) -> np.ndarray:
    values = spectrum.astype(float)
    return values / np.nanmax(values) if scaled else values
