"""Where the default of ID-Net stands on exact and independent truth: Markdown, from the stored tables of the benchmark.

``python benchmarks/place_of_idnet.py`` reads ``results/SUITE/table.parquet`` of every suite stored there. A seed is
*won* if ID-Net's error is at most that of the best other method, on the same scene with the same endmembers.
"""

from __future__ import annotations

from pathlib import Path

from unmixel.benchmark.standings import SceneStandings, Spread, Standing, standings_of
from unmixel.benchmark.table import read_table

RESULTS = Path(__file__).parent / "results"
IDNET = "idnet"


def main() -> None:
    """Print a row for each scene whose truth no unmixing made."""
    print("| scene | endmembers | idnet | rank | best other | its error | seeds won | own endmembers |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for table in sorted(RESULTS.glob("*/table.parquet")):
        for scene in standings_of(read_table(table)):
            if scene.is_ranked_first:
                print(line(scene))


def line(scene: SceneStandings) -> str:
    """Return the row of a scene."""
    given = {one.method: one for one in scene.methods if not one.finds_own}
    idnet = given.pop(IDNET)
    best = min(given.values(), key=lambda one: one.rank)
    won = sum(error <= errors_of(best, scene.error)[seed] for seed, error in errors_of(idnet, scene.error).items())
    own = next((one for one in scene.methods if one.finds_own), None)
    cells = [
        scene.scene,
        scene.endmembers,
        told(idnet.error),
        f"{idnet.rank} of {len(given) + 1}",
        best.method,
        told(best.error),
        f"{won} of {len(idnet.rows)}",
        told(own.error) if own else "",
    ]
    return f"| {' | '.join(cells)} |"


def errors_of(standing: Standing, column: str) -> dict[int, float]:
    """Return the error with each seed; infinite where the run failed."""
    errors = {row["seed"]: row.get(column) for row in standing.rows}
    return {seed: float("inf") if error is None else float(error) for seed, error in errors.items()}


def told(error: Spread | None) -> str:
    """Return the median error and its spread over the seeds."""
    return "failed" if error is None else f"{error.middle:.4f} ({error.low:.4f}-{error.high:.4f})"


if __name__ == "__main__":
    main()
