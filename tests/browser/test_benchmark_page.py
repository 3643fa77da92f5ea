"""Ranks, spread and the page of a benchmark, from rows that are made up; in a browser it asks for nothing."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from benchmark_folder import HOSTILE, METHODS, made_up_rows, make_benchmark_folder

from unmixel.benchmark.page import write_page
from unmixel.benchmark.standings import mean_ranks, standings_of
from unmixel.benchmark.table import write_table
from unmixel.errors import SceneError


def test_methods_are_ranked_by_the_median_over_seeds_best_truth_first() -> None:
    scenes = standings_of(made_up_rows())
    assert [(scene.scene, scene.error) for scene in scenes] == [
        ("field <b>", "area_error"),
        ("simulated", "abundance_rmse_as_truth"),
        ("Samson", "abundance_rmse_as_truth"),
    ]
    for scene in scenes:
        assert [one.method for one in scene.methods] == list(METHODS)
        assert [one.rank for one in scene.methods] == [1, 2, 3, 4]
        assert scene.methods[1].error is not None
        assert astuple(scene.methods[1].error) == pytest.approx((0.2, 0.19, 0.21))
        assert scene.methods[3].error is None and scene.methods[3].n_failed == 3


def test_a_method_without_a_result_has_the_last_rank() -> None:
    rows = made_up_rows()
    lost = [row for row in rows if not (row["scene"] == "simulated" and row["method"] == "second")]
    lost += [
        {**row, "status": "time limit", "abundance_rmse_as_truth": None}
        for row in rows
        if row["scene"] == "simulated" and row["method"] == "second"
    ]
    first = [scene for scene in standings_of(lost) if scene.is_ranked_first]
    assert mean_ranks(first) == [("best", 1.0), (HOSTILE, 2.5), ("second", 3.0), ("never works", 4.0)]


def test_seeds_that_failed_count_as_infinite_errors() -> None:
    rows = [
        {**row, "status": "crash", "area_error": None} if row["method"] == "best" and row["seed"] in (0, 1) else row
        for row in made_up_rows()
        if row["scene"] == "field <b>"
    ]
    (scene,) = standings_of(rows)
    assert [(one.method, one.rank) for one in scene.methods] == [
        ("second", 1),
        (HOSTILE, 2),
        ("best", 4),
        ("never works", 4),
    ]
    best = next(one for one in scene.methods if one.method == "best")
    assert (best.n_failed, best.error is None) == (2, False)


def test_a_method_with_its_own_endmembers_pushes_no_other_down(tmp_path: Path) -> None:
    rows = made_up_rows()
    own = [
        {**row, "method": "finds its own", "method_endmembers": "own", "abundance_rmse_as_truth": 0.15}
        for row in rows
        if row["scene"] == "simulated" and row["method"] == "second"
    ]
    without, with_it = (
        {one.method: one.rank for scene in standings_of(each) if scene.scene == "simulated" for one in scene.methods}
        for each in (rows, rows + own)
    )
    assert with_it == {**without, "finds its own": 2}
    write_table(rows + own, make_benchmark_folder(tmp_path / "out") / "table.parquet")
    page = write_page(tmp_path / "out").read_text()
    ranking = page[: page.index("On derived truth")]
    assert ranking.index(">never works<") < ranking.index(">finds its own<")


def test_the_page_shows_what_the_table_says_and_obeys_no_name(tmp_path: Path) -> None:
    page = write_page(make_benchmark_folder(tmp_path / "out")).read_text()
    assert "<script" not in page and "field <b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for text in ("0.2000 (0.1900 to 0.2100)", "outputs of a linear solver", "9 have no result", "an abacus", "3 of 3"):
        assert text in page, text
    assert page.index("On exact and independent truth") < page.index("On derived truth")
    assert write_page(tmp_path / "out").read_text() == page


def test_a_page_without_samples_has_numbers_only(tmp_path: Path) -> None:
    folder = make_benchmark_folder(tmp_path / "out")
    for sample in (folder / "runs").iterdir():
        sample.write_bytes(b"not a sample")
    page = write_page(folder).read_text()
    assert "0.2000 (0.1900 to 0.2100)" in page
    assert "data:image/png" not in page


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.parquet").write_bytes(b"PAR1 of nothing")
    with pytest.raises(SceneError, match="cannot be read"):
        write_page(tmp_path)


def test_the_page_asks_for_nothing_and_shows_the_ranking(page: Any, tmp_path: Path) -> None:
    written = write_page(make_benchmark_folder(tmp_path / "out"))
    requests: list[str] = []
    complaints: list[str] = []
    page.context.set_offline(True)
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.goto(written.as_uri())
    assert [url for url in requests if not url.startswith("data:")] == [written.as_uri()]
    assert complaints == []
    assert page.locator("script").count() == 0
    ranking = page.locator("section:has(#ranking) table").first
    assert ranking.locator("tbody th").all_inner_texts() == list(METHODS)
    assert ranking.locator("tbody tr").first.locator("td").all_inner_texts() == ["1.0", "0.1000", "0.1000"]
    assert ranking.locator("td.best").all_inner_texts() == ["0.1000", "0.1000"]
    assert page.locator("h1").inner_text() == f"Benchmark: made up {HOSTILE}"
    widest = page.evaluate("document.documentElement.scrollWidth")
    assert widest <= 1280
    loaded = "() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)"
    assert page.evaluate(loaded)
    circles = page.locator("figure.figure").first.locator("circle")
    places = [(float(one.get_attribute("cx")), float(one.get_attribute("cy"))) for one in circles.all()]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)
