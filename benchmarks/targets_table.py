"""The targets as Markdown: what was asked for beside what was measured, and the coverage of intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median

from target_rows import BASELINES, BLIND, DEFAULT_NOISE, GIVEN, PRESETS, Case, Target
from target_runs import FLOOR, IDNET, LEVELS, PAPER, THIRDS

Measured = Mapping[tuple[Case, str], Sequence[Mapping[str, float]]]
"""What was measured of every seed, by case and method."""

MOST_SPREAD = 1.5
"""Largest ratio of the worst seed to the median."""
NOTHING = "–"
LABELS = {
    "abundance_rmse": "abundance RMSE",
    "abundance_rmse_as_truth": "abundance RMSE, truth's convention",
    "spectral_angle": "spectral angle [rad]",
    "cpu_s": "CPU-s, fitting and unmixing",
    "mean": "error of area, mean of sizes",
}
OVERALL, BY_THIRD, BLIND_90 = 0.05, 0.10, (0.80, 0.97)


def targets_section(targets: Iterable[Target], measured: Measured) -> str:
    """Return the table of the targets, a row for each."""
    columns = ["scene", "endmembers", "measure", "target", "idnet", "", "worst/median", *BASELINES, PAPER, "floor"]
    about = (
        "Numbers are the median over the seeds (the worst seed). A target is met if the median reaches it and the "
        f"worst seed is\nwithin {MOST_SPREAD} times the median. The floor is the error of the posterior mean under the "
        "law of the simulation; for dc2\neach class is taken as normal, which makes it an orientation and no bound."
    )
    return f"## Targets\n\n{about}\n\n{markdown(columns, [_row(target, measured) for target in targets])}"


def _row(target: Target, measured: Measured) -> list[str]:
    case, name = target.case, target.measure
    own = _values(measured, case, IDNET, name)
    limit = limit_of(target, measured)
    ratio = max(own) / median(own) if own else None
    floors = _values(measured, replace(case, endmembers=GIVEN), FLOOR, name) if name == "abundance_rmse" else []
    return [
        str(case),
        case.endmembers,
        LABELS.get(name, f"error of area, {name} m²"),
        _asked(target, limit),
        _median_and_worst(own, name),
        NOTHING if not own or limit is None else verdict(own, limit),
        NOTHING if ratio is None else f"{ratio:.2f}",
        *(_median_and_worst(_values(measured, case, method, name), name) for method in (*BASELINES, PAPER)),
        _median_and_worst(floors, name),
    ]


def limit_of(target: Target, measured: Measured) -> float | None:
    """Return the largest median that reaches the target; None if nothing is asked for, or not measured."""
    if target.limit is None or not target.baselines:
        return target.limit
    medians = [
        median(values)
        for method in target.baselines
        if (values := _values(measured, target.case, method, target.measure))
    ]
    return target.limit * min(medians) if medians else None


def verdict(values: Sequence[float], limit: float) -> str:
    """Return whether a target is met, and if not, why."""
    if median(values) > limit:
        return "missed"
    return "met" if max(values) <= MOST_SPREAD * median(values) else "missed: spread"


def _asked(target: Target, limit: float | None) -> str:
    if target.limit is None or limit is None:
        return NOTHING
    if not target.baselines:
        return f"≤ {target.limit:g}"
    return f"≤ {target.limit:g} × {' or '.join(target.baselines)} = {_number(limit, target.measure)}"


def coverage_section(measured: Measured) -> str:
    """Return the tables of coverage by preset: the intervals of ID-Net, and those of the floor."""
    columns = ["preset", "endmembers", "level", "overall", *(f"{third} third" for third in THIRDS), "", "floor"]
    rows = [
        _coverage_row(Case(scene=scene, endmembers=endmembers, snr_db=DEFAULT_NOISE), level, measured)
        for endmembers in (GIVEN, BLIND)
        for scene in PRESETS
        for level in LEVELS
    ]
    about = (
        "Share [%] of true abundances inside the intervals of `idnet`, medians over the seeds, at "
        f"{DEFAULT_NOISE:g} dB: overall, and in each third\nof all true abundances. Target with the spectra given: "
        f"within {100 * OVERALL:g} points of the level overall, {100 * BY_THIRD:g} in each third; blind:\n"
        f"{100 * BLIND_90[0]:g} to {100 * BLIND_90[1]:g} % overall at 90 %. The last column is the posterior under the "
        "law of the simulation: overall (its thirds)."
    )
    return f"## Coverage\n\n{about}\n\n{markdown(columns, [row for row in rows if row])}"


def _coverage_row(case: Case, level: float, measured: Measured) -> list[str]:
    names = [f"coverage {level:g}", *(f"coverage {level:g} {third}" for third in THIRDS)]
    shares = [median(values) for name in names if (values := _values(measured, case, IDNET, name))]
    if not shares:
        return []
    best = [median(v) for name in names if (v := _values(measured, replace(case, endmembers=GIVEN), FLOOR, name))]
    percent = [f"{100 * share:.0f}" for share in best]
    return [
        case.scene,
        case.endmembers,
        f"{100 * level:g} %",
        *(f"{100 * share:.1f}" for share in shares),
        _coverage_verdict(case, level, shares),
        f"{percent[0]} ({', '.join(percent[1:])})" if percent else NOTHING,
    ]


def _coverage_verdict(case: Case, level: float, shares: Sequence[float]) -> str:
    if case.endmembers == BLIND:
        if level != 0.9:
            return NOTHING
        return "met" if BLIND_90[0] <= shares[0] <= BLIND_90[1] else "missed"
    overall = abs(shares[0] - level) <= OVERALL
    return "met" if overall and all(abs(share - level) <= BY_THIRD for share in shares[1:]) else "missed"


def _values(measured: Measured, case: Case, method: str, name: str) -> list[float]:
    return [one[name] for one in measured.get((case, method), ()) if name in one]


def markdown(columns: list[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    ruler = ["---"] * len(columns)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ruler, *rows))


def _median_and_worst(values: Sequence[float], name: str) -> str:
    if not values:
        return NOTHING
    middle, worst = _number(median(values), name), _number(max(values), name)
    return middle if middle == worst else f"{middle} ({worst})"


def _number(value: float, name: str) -> str:
    form: Callable[[float], str] = "{:.1f}".format if name == "cpu_s" else "{:.4f}".format
    return form(value)
