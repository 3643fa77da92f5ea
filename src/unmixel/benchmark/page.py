"""A benchmark on one page: a file that travels, needs nothing else and asks nobody for anything."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bokeh.palettes import viridis

from unmixel import __version__
from unmixel.benchmark.columns import COLUMNS
from unmixel.benchmark.page_sections import NOTHING, section_of
from unmixel.benchmark.running import RUNS, TABLE
from unmixel.benchmark.standings import SceneStandings, failures_in, mean_ranks, standings_of
from unmixel.benchmark.table import Row, read_table
from unmixel.io.whole_file import written_whole
from unmixel.io.whole_folder import list_addition, provenance_in
from unmixel.pages.content_policy import content_policy
from unmixel.pages.pictures import N_COLOURS, picture_of, ramp
from unmixel.pages.templates import source_of, templates_of

PAGE = "benchmark.html"
VERSIONS = ("unmixel", "python", "numpy", "scipy", "torch")


def write_page(folder: str | Path) -> Path:
    """Write ``benchmark.html`` into the folder of a benchmark, in place of one that is there.

    The page is made from ``table.parquet``; maps and spectra come from ``runs/``, if they are there. It needs no other
    file and no network, and runs no script.

    Raises
    ------
    SceneError
        If the folder holds no table.
    OutputError
        If the page cannot be written.
    """
    folder = Path(folder)
    rows = read_table(folder / TABLE)
    templates = templates_of("unmixel.benchmark")
    scenes = standings_of(rows)
    provenance = provenance_in(folder)
    suite = provenance.get("suite") or {}
    title = str(suite.get("title") or folder.name)
    page = templates.get_template("benchmark.html.j2").render(
        title=f"Benchmark: {title}",
        policy=content_policy([]),
        style=source_of(templates, "page.css") + source_of(templates, "benchmark.css"),
        program=f"unmixel {__version__}",
        rankings=_rankings(scenes),
        any_derived=any(scene.truth_kind == "derived" for scene in scenes),
        sections=[section_of(scene, f"scene-{number}", folder / RUNS) for number, scene in enumerate(scenes, start=1)],
        bar=picture_of(ramp(), viridis(N_COLOURS)),
        n_runs=len(rows),
        failures=failures_in(rows),
        columns=COLUMNS,
        limits=suite.get("limits") or {},
        command=shlex.join(map(str, provenance.get("command") or [])),
        made_on=_made_on(rows),
    )
    list_addition(folder, PAGE)
    with written_whole(folder / PAGE, overwrite=True) as (path,):
        path.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    return folder / PAGE


def _rankings(scenes: Sequence[SceneStandings]) -> list[dict[str, Any]]:
    """Return the tables of all methods on all scenes: on exact and independent truth, then on derived truth."""
    tables = []
    for caption, kept in (
        ("On exact and independent truth", [scene for scene in scenes if scene.is_ranked_first]),
        ("On derived truth", [scene for scene in scenes if not scene.is_ranked_first]),
    ):
        if kept:
            cells = {(number, one.method): one for number, scene in enumerate(kept) for one in scene.methods}
            finders = {one.method for one in cells.values() if one.finds_own}
            rows = [
                (method, f"{mean:.1f}", [_cell(cells.get((number, method))) for number in range(len(kept))])
                for method, mean in mean_ranks(kept)
            ]
            groups = [[row for row in rows if (row[0] in finders) is own] for own in (False, True)]
            tables.append({"caption": caption, "scenes": kept, "groups": [group for group in groups if group]})
    return tables


def _cell(standing: Any) -> tuple[str, bool]:
    """Return a median error with the number of failures, and whether it is the best on its scene."""
    if standing is None:
        return NOTHING, False
    failed = f"{standing.n_failed} of {len(standing.rows)} failed" if standing.n_failed else ""
    error = "" if standing.error is None else f"{standing.error.middle:.4f}"
    return ", ".join(filter(None, (error, failed))), standing.rank == 1


def _made_on(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return on what machines and by what versions the runs were made."""
    names = ("machine", "threads", "workers", "package", *VERSIONS)
    values = {name: Counter(str(row[name]) for row in rows if row.get(name) is not None) for name in names}
    return [(name, _counted(found)) for name, found in values.items() if found]


def _counted(found: Counter[str]) -> str:
    """Return a value; or, of several, each with the number of its runs."""
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{value} ({count} runs)" for value, count in sorted(found.items()))
