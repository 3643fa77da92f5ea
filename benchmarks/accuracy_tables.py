"""Accuracy as Markdown: what the truth of a scene is worth, a table of medians, and figures measured elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from statistics import median

import xarray as xr

from unmixel.methods._protocol import Method

Rows = Mapping[tuple[str, str], Mapping[int, Mapping[str, float]]]
"""What was measured by (method, source of the endmembers), then by seed, then by name."""

BASELINES = ("fcls", "scls")
MAX_NORMALISED = "max-normalised endmembers"
MEASURED_ELSEWHERE = {
    "samson": (
        ("published ID-Net program", "0.235-0.240", "0.116-0.151"),
        ("FCLS", "0.283", "0.132"),
        ("NNLS over its sum", "0.128", "0.050"),
        ("MSNet", "0.134", "0.047"),
        ("PGMSU", "0.222-0.289", "0.117-0.140"),
    ),
    "jasper_ridge": (
        ("published ID-Net program", "0.281", "0.201"),
        ("FCLS", "0.199", "0.204"),
        ("NNLS over its sum", "0.116", "0.138"),
        ("PGMSU", "0.147", "0.157"),
    ),
}
"""Abundance RMSE as is and in the truth's convention, with VCA endmembers: for orientation."""


def default_extraction() -> str:
    """Return how endmembers are found when nothing is said."""
    return str(next(field.default for field in fields(Method) if field.name == "extraction"))


def scene_section(scene: str, rows: Rows, truth: xr.Dataset) -> str:
    """Return the section of a scene with maps of the truth."""
    both = truth.attrs["convention"] == MAX_NORMALISED
    names = {"as is": "abundance RMSE as is"}
    if both:
        names["as truth"] = "in the truth's convention"
    names |= {"angle": "spectral angle [rad]", "reconstruction": "reconstruction RMSE", "cpu_s": "CPU-s"}
    digits = {"cpu_s": 1, "reconstruction": 4}
    lines = [heading(scene, truth)]
    cells = [
        [
            method,
            described(source),
            *(spread([one[name] for one in by_seed.values()], digits.get(name, 3)) for name in names),
        ]
        for (method, source), by_seed in rows.items()
    ]
    lines.append(markdown(["method", "extraction", *names.values()], cells))
    lines += [wins(rows, name, names[name]) for name in ("as is", "as truth") if name in names]
    if scene in MEASURED_ELSEWHERE:
        columns = ["measured elsewhere, VCA endmembers", "abundance RMSE as is", "in the truth's convention"]
        lines.append(markdown(columns, MEASURED_ELSEWHERE[scene]))
    return "\n\n".join(lines)


def heading(scene: str, truth: xr.Dataset) -> str:
    """Return the title of a scene and what its truth is."""
    about = truth.attrs.get("truth", "simulated, another scene for every seed")
    kind, convention = truth.attrs["truth_kind"], truth.attrs["convention"]
    return f"## {scene}\n\nTruth: {kind} ({about}); its convention: {convention}."


def area_section(scene: str, rows: Rows) -> str:
    """Return the section of DLR HySU: errors of areas by the size of the target, largest to smallest."""
    areas = list(next(iter(next(iter(rows.values())).values())))
    cells = [
        [method, source, *(spread([100 * one[area] for one in by_seed.values()], 1) for area in areas)]
        for (method, source), by_seed in rows.items()
    ]
    about = (
        "Truth: independent (squares of five materials of known area on grass). Error [%] of the area found, the sum "
        "of a\nmaterial's abundances around a target times 0.49 m² a pixel, relative to the true area and averaged "
        "over the materials."
    )
    columns = ["method", "library", *(f"{float(area):g} m²" for area in areas)]
    return f"## {scene}\n\n{about}\n\n{markdown(columns, cells)}"


def wins(rows: Rows, name: str, what: str) -> str:
    """Return in how many seeds ID-Net has a smaller error than every baseline, all with the default extraction."""
    source = default_extraction()
    own = rows.get(("idnet", source), {})
    compared = [seed for seed in own if all(seed in rows.get((method, source), {}) for method in BASELINES)]
    better = sum(own[seed][name] < min(rows[method, source][seed][name] for method in BASELINES) for seed in compared)
    return f"{what}: `idnet` is below {' and '.join(BASELINES)} in {better} of {len(compared)} seeds ({source})."


def described(source: str) -> str:
    return f"{source} (default)" if source == default_extraction() else source


def spread(values: list[float], digits: int) -> str:
    """Return the median, and lowest to highest where they differ as printed."""
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), median(values), max(values)))
    return middle if low == high else f"{middle} ({low}-{high})"


def markdown(columns: list[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    ruler = ["---"] * len(columns)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ruler, *rows))
