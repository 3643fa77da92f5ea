"""A report in a browser without a network: it asks for nothing, and a click explains the pixel that was clicked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from bokeh.palettes import viridis
from PIL import Image

from unmixel.diagnostics import diagnose
from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.pixel_story import tell
from unmixel.explorer.report import write_report
from unmixel.io import open_scene, write_envi
from unmixel.io.result_folder import write_result_folder
from unmixel.methods.fcls import FCLS
from unmixel.methods.idnet import IDNet
from unmixel.result import add_provenance
from unmixel.simulate import simulate_demo
from unmixel.spectra import make_bundle

ROWS, COLUMNS = 20, 30
HOSTILE = ("<script>alert(1)</script>", "<img src=x onerror=alert(2)>", '$$\\alpha$$ "{{ 7 * 7 }}"')
WHERE_THE_MAP_IS = """() => {
  const figure = Bokeh.documents[0].roots()[0];
  const view = Bokeh.index.find_one(figure);
  const place = view.el.getBoundingClientRect(), frame = view.frame.bbox;
  return [place.left + frame.left, place.top + frame.top, frame.width, frame.height];
}"""
COLUMN_OF = """([figure, name, column]) =>
  Array.from(Bokeh.documents[figure].get_model_by_name(name).data[column])"""


class Seen(NamedTuple):
    """What a page asked for and complained of."""

    requests: list[str]
    complaints: list[str]


def opened(page: Any, report: Path) -> Seen:
    """Open a report without a network, and wait until it can be used."""
    seen = Seen([], [])
    page.context.set_offline(True)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("dialog", lambda dialog: (seen.complaints.append(dialog.message), dialog.dismiss()))
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=20_000)
    page.wait_for_function("() => Bokeh.documents.every((one) => one.is_idle)")
    return seen


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> OpenedResult:
    """A result of a small ID-Net, with its report."""
    folder = tmp_path_factory.mktemp("report")
    write_envi(simulate_demo(rows=ROWS, columns=COLUMNS)[0], folder / "scene.img")
    scene = open_scene(folder / "scene.img")
    fitted = IDNet(n_endmembers=3, n_epochs=2, steps_per_epoch=5, extraction="clusters").fit(scene)
    found = diagnose(scene, fitted.unmix(scene), fitted=fitted)
    write_result_folder(add_provenance(found, input={"path": str(folder / "scene.img")}), folder / "out", fitted=fitted)
    write_report(folder / "out")
    return OpenedResult(folder / "out")


def said(page: Any) -> str:
    return page.locator("#pixel-said").inner_text()


def columns_of(page: Any, figure: int, name: str, *columns: str) -> list[np.ndarray]:
    return [np.array(page.evaluate(COLUMN_OF, [figure, name, column]), dtype=float) for column in columns]


def click(page: Any, row: float, column: float, held: float = 0.0) -> None:
    """Click on the middle of a pixel of the map, the button held for some milliseconds."""
    page.locator("#figure-map").scroll_into_view_if_needed()
    left, top, width, height = page.evaluate(WHERE_THE_MAP_IS)
    page.mouse.click(left + (column + 0.5) / COLUMNS * width, top + (row + 0.5) / ROWS * height, delay=held)


def wait_for_pixel(page: Any, row: int, column: int) -> None:
    page.wait_for_function(
        f"() => document.getElementById('pixel-said').textContent.includes('row {row + 1}, column {column + 1}')"
    )


def test_the_page_asks_for_nothing_and_does_not_complain(page: Any, result: OpenedResult) -> None:
    report = result.folder / "report.html"
    seen = opened(page, report)
    click(page, 4, 9)
    page.select_option("#endmember", "2")
    assert [url for url in seen.requests if not url.startswith("data:")] == [report.as_uri()]
    assert seen.complaints == []


@pytest.mark.parametrize(("row", "column"), [(3, 22), (17, 5)])
def test_a_click_explains_the_pixel_that_was_clicked(page: Any, result: OpenedResult, row: int, column: int) -> None:
    opened(page, result.folder / "report.html")
    click(page, row, column)
    story = tell(result, row, column)
    wait_for_pixel(page, row, column)
    assert said(page) == " ".join(story.sentences())
    abundance, lower, upper, fcls = columns_of(page, 1, "abundance", "abundance", "lower", "upper", "fcls")
    assert story.spectra is not None
    for shown, expected in (
        (abundance, story.abundance),
        (lower, story.lower),
        (upper, story.upper),
        (fcls, story.spectra.fcls),
    ):
        np.testing.assert_allclose(shown, expected, atol=1e-5)
    observed, reconstruction, high = columns_of(page, 2, "spectrum", "observed", "reconstruction", "upper")
    parts, at_band = story.spectra.parts, ~result.axis.gap
    made = parts.shares.sum(axis=0) + parts.nonlinear
    np.testing.assert_allclose(observed[at_band], parts.observed, atol=1e-4)
    np.testing.assert_allclose(reconstruction[at_band], made, atol=1e-4)
    np.testing.assert_allclose(high[at_band], made + 1.6449 * parts.sd, atol=2e-4)
    first, residual = columns_of(page, 3, "parts", "top0", "residual")
    np.testing.assert_allclose(first[at_band], parts.shares[0], atol=1e-4)
    np.testing.assert_allclose(residual[at_band], parts.observed - made, atol=2e-4)


def test_a_quick_second_click_and_a_long_one_explain_their_pixels(page: Any, result: OpenedResult) -> None:
    opened(page, result.folder / "report.html")
    click(page, 4, 9)
    click(page, 11, 20)
    wait_for_pixel(page, 11, 20)
    click(page, 7, 3, held=500)
    wait_for_pixel(page, 7, 3)
    assert said(page).startswith("Pixel in row 8, column 4 ")


def test_arrow_keys_move_by_one_pixel(page: Any, result: OpenedResult) -> None:
    opened(page, result.folder / "report.html")
    click(page, 5, 10)
    page.focus("#figure-map")
    for key, where in (
        ("ArrowDown", "row 7, column 11"),
        ("ArrowRight", "row 7, column 12"),
        ("ArrowUp", "row 6, column 12"),
        ("ArrowLeft", "row 6, column 11"),
    ):
        page.keyboard.press(key)
        assert where in said(page)
    for _ in range(COLUMNS):
        page.keyboard.press("ArrowLeft")
    assert "row 6, column 1 " in said(page)


@pytest.mark.parametrize("endmember", [0, 2])
def test_the_map_on_the_screen_is_the_result(page: Any, result: OpenedResult, endmember: int) -> None:
    opened(page, result.folder / "report.html")
    page.select_option("#endmember", str(endmember))
    click(page, ROWS - 1, COLUMNS - 1)
    page.mouse.move(1, 1)
    page.wait_for_timeout(300)
    left, top, width, height = page.evaluate(WHERE_THE_MAP_IS)
    screen = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    abundance = result.result["abundance"].values[:, :, endmember]
    for row, column in ((0, 0), (1, 28), (2, 13), (9, 4), (15, 25), (18, 1)):
        x, y = left + (column + 0.5) / COLUMNS * width, top + (row + 0.5) / ROWS * height
        colour = viridis(255)[round(float(abundance[row, column]) * 254)]
        expected = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(screen[int(y), int(x)] - expected).max() <= 3, (row, column)


def test_paper_has_no_explorer(page: Any, result: OpenedResult) -> None:
    opened(page, result.folder / "report.html")
    page.emulate_media(media="print")
    assert not page.locator("#figure-map").is_visible()
    assert page.locator("#maps").is_visible()


def test_hostile_names_are_shown_as_text(page: Any, tmp_path: Path) -> None:
    scene, truth = simulate_demo(rows=8, columns=13)
    spectra = np.nan_to_num(truth["endmember_spectrum"].values)
    fitted = FCLS().fit(scene, make_bundle(spectra, list(HOSTILE), wavelength=scene["wavelength"].values))
    write_envi(scene, tmp_path / "scene '\"><b>.img")
    found = diagnose(scene, fitted.unmix(scene), fitted=fitted)
    found = add_provenance(
        found,
        input={"path": str(tmp_path / "scene '\"><b>.img")},
        scene_reading=["</script><script>alert(3)</script>"],
    )
    write_result_folder(found, tmp_path / "out", fitted=fitted)
    seen = opened(page, write_report(tmp_path / "out"))
    page.wait_for_timeout(300)
    assert seen.complaints == []
    assert len([url for url in seen.requests if not url.startswith("data:")]) == 1
    assert page.locator("#endmember option").all_inner_texts() == list(HOSTILE)
    assert HOSTILE[0] in said(page)
    assert page.locator("b").count() == 0
    assert page.locator("script").count() == 4
    assert page.locator("#figure-parts").is_visible()
