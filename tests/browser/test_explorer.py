"""The explorer in a browser: the right pixel, the right way up, and nobody else at the door."""

from __future__ import annotations

import http.client
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
import xarray as xr
from explorer_page import column, on_screen, set_value, value, wait_for
from matplotlib import colormaps
from matplotlib.image import imread

from unmixel.explorer.band_axis import band_axis
from unmixel.explorer.map_coordinates import MapCoordinates, map_coordinates
from unmixel.io import open_scene, write_envi
from unmixel.io.result_folder import write_result_folder
from unmixel.methods.idnet.method import IDNet
from unmixel.regions import region_summary
from unmixel.result import add_provenance, open_result
from unmixel.scene import good_bands
from unmixel.simulate import simulate_demo
from unmixel.spectra import make_bundle

HOSTILE = "<img src=x onerror=alert(1)>"
ROWS, COLUMNS = 20, 30


class Explored(NamedTuple):
    """A page of the explorer, what it is about, and what went over the wire."""

    page: Any
    result: xr.Dataset
    scene: xr.DataArray
    where: MapCoordinates
    requests: list[str]
    complaints: list[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of a small scene, one of its endmembers with a hostile name."""
    place = tmp_path_factory.mktemp("explorer")
    scene, truth = simulate_demo(rows=ROWS, columns=COLUMNS)
    write_envi(scene, place / "scene.img")
    spectra = np.nan_to_num(truth["endmember_spectrum"].values)
    bundle = make_bundle(spectra, [HOSTILE, "soil", "limestone"], wavelength=scene["wavelength"].values)
    fitted = IDNet(n_epochs=2).fit(scene, bundle)
    result = add_provenance(fitted.unmix(scene), input={"path": str(place / "scene.img")})
    write_result_folder(result, place / "out", fitted=fitted)
    return place / "out"


class Running(NamedTuple):
    process: subprocess.Popen[str]
    link: str
    seconds: float


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    """`unmixel explore` on the result."""
    command = [sys.executable, "-c", "from unmixel.cli.main import run; run()", "explore", str(folder), "--no-browser"]
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        link = next((line.strip() for line in process.stdout if line.startswith("http://")), "")
        if not link:
            pytest.fail(process.stderr.read())
        yield Running(process, link, time.perf_counter() - start)
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()  # or what did not end at the signal would be waited for without end
        assert process.returncode == 0
        assert not any(word in said for word in ("Traceback", "KeyboardInterrupt", "CancelledError")), said


@pytest.fixture(scope="module")
def explored(browser: Any, running: Running, folder: Path) -> Iterator[Explored]:
    """The page, opened once by its link."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    start = time.perf_counter()
    page.goto(running.link)
    page.wait_for_selector("body[data-ready]")
    shown = time.perf_counter() - start
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('latent_cloud')?.data.x?.length > 0")
    whole = time.perf_counter() - start
    print(f"\nlink after {running.seconds:.1f} s, page after {shown:.1f} s, with its model after {whole:.1f} s")
    result = open_result(folder)
    yield Explored(page, result, open_scene(folder.parent / "scene.img"), map_coordinates(result), requests, complaints)
    page.close()


def go(explored: Explored, row: int, at: int) -> None:
    """Point at a pixel, by the numbers that are shown, and wait until all is said of it."""
    for name, number in (("row", row), ("column", at)):
        set_value(explored.page, name, number + 1)
    x, y = explored.where.centre_of(row, at)
    explored.page.wait_for_function(
        "([x, y, said]) => { const {data} = Bokeh.documents[0].get_model_by_name('marker');"
        " return data.x[0] === x && data.y[0] === y && document.getElementById('story').innerText.startsWith(said); }",
        arg=[x, y, f"Pixel in row {row + 1}, column {at + 1} is"],
    )


@pytest.mark.parametrize(("row", "at"), [(2, 25), (17, 4), (9, 13)])
def test_a_click_shows_the_pixel(explored: Explored, row: int, at: int, record_property: Callable[[str, str], None]):
    page = explored.page
    left, top = on_screen(page, *explored.where.centre_of(row, at))
    start = time.perf_counter()
    page.mouse.click(left, top)
    observed = explored.scene.values[row, at, good_bands(explored.scene)]
    page.wait_for_function(
        "(first) => Bokeh.documents[0].get_model_by_name('spectrum').data.observed[0] === first",
        arg=float(observed[0]),
        polling=5,
    )
    record_property(
        "latency", f"a click in the explorer was answered after {1000 * (time.perf_counter() - start):.0f} ms"
    )
    assert (value(page, "row"), value(page, "column")) == (row + 1, at + 1)
    gap = band_axis(explored.result).gap
    assert gap.any(), "bands are left out between others"
    shown = column(page, "spectrum", "observed").astype(np.float32)
    np.testing.assert_array_equal(shown[~gap], observed)
    assert np.isnan(shown[gap]).all()
    pixel = explored.result.isel(y=row, x=at)
    np.testing.assert_allclose(column(page, "abundances", "abundance"), pixel["abundance"].values, rtol=1e-6)
    misfit = column(page, "spectrum", "reconstruction")[~gap] - observed
    assert np.sqrt((misfit**2).mean()) == pytest.approx(pixel["reconstruction_rmse"].item(), abs=1e-5)
    page.wait_for_function(
        "(said) => document.getElementById('story').innerText.startsWith(said)",
        arg=f"Pixel in row {row + 1}, column {at + 1} is",
    )


def test_a_quick_second_click_and_a_long_one_show_their_pixels(explored: Explored):
    page = explored.page
    pixels = (3, 5), (12, 20), (6, 8)
    first, second, third = (on_screen(page, *explored.where.centre_of(*pixel)) for pixel in pixels)
    page.mouse.click(*first)
    page.mouse.click(*second)
    wait_for(page, "row", 13)
    wait_for(page, "column", 21)
    page.mouse.click(*third, delay=500)
    wait_for(page, "row", 7)
    wait_for(page, "column", 9)
    assert (value(page, "row"), value(page, "column")) == (7, 9)


def test_arrow_keys_move_the_pixel(explored: Explored):
    go(explored, 10, 15)
    page = explored.page
    page.focus("#map")
    for key, name, expected in (
        ("ArrowUp", "row", 10),
        ("ArrowLeft", "column", 15),
        ("ArrowDown", "row", 11),
        ("ArrowRight", "column", 16),
    ):
        page.keyboard.press(key)
        wait_for(page, name, expected)
    go(explored, 0, 0)
    page.focus("#map")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    assert (value(page, "row"), value(page, "column")) == (1, 1)


def test_plus_and_minus_zoom_on_the_pixel(explored: Explored):
    page, where = explored.page, explored.where
    go(explored, 4, 21)
    page.focus("#map")
    corners = where.axes @ (20, 3), where.axes @ (22, 5)
    (left, _), (right, _) = (on_screen(page, *corner) for corner in corners)
    page.keyboard.press("+")
    page.wait_for_timeout(200)
    (zoomed_left, top), (zoomed_right, bottom) = (on_screen(page, *corner) for corner in corners)
    assert zoomed_right - zoomed_left == pytest.approx(2 * (right - left), rel=1e-3)
    assert (bottom - top) == pytest.approx(zoomed_right - zoomed_left, rel=0.01)
    page.keyboard.press("-")
    x, y = where.centre_of(10, 15)
    page.evaluate(
        """([x, y]) => {
          const left = x - 75, low = y - 75 / 450 * 400;
          Bokeh.documents[0].get_model_by_name("map_x").setv({start: left, end: left + 150});
          Bokeh.documents[0].get_model_by_name("map_y").setv({start: low, end: low + 150 / 450 * 400});
        }""",
        [x - 2.5, y + 2.5],
    )
    page.wait_for_timeout(200)


def test_colours_at_five_places(explored: Explored):
    page, result = explored.page, explored.result
    go(explored, 10, 15)
    page.mouse.move(5, 5)
    picture = np.round(255 * imread(io.BytesIO(page.screenshot()))[:, :, :3])
    viridis = colormaps["viridis"]
    for row, at in ((0, 0), (0, COLUMNS - 1), (ROWS - 1, 0), (ROWS - 1, COLUMNS - 1), (4, 21)):
        left, top = on_screen(page, *explored.where.centre_of(row, at))
        abundance = result["abundance"].values[row, at, 0]
        expected = [191] * 3 if np.isnan(abundance) else [round(255 * part) for part in viridis(float(abundance))[:3]]
        np.testing.assert_allclose(picture[round(top), round(left)], expected, atol=2, err_msg=f"row {row}, {at}")


def test_a_slider_walks_the_latent_space(explored: Explored):
    page = explored.page
    go(explored, 6, 6)
    page.wait_for_function("() => !Bokeh.documents[0].get_model_by_name('latent1').disabled")
    bands = ~band_axis(explored.result).gap
    here, there = column(page, "latent_walk", "here")[bands], column(page, "latent_walk", "there")[bands]
    np.testing.assert_allclose(there, here, atol=2e-3)
    set_value(page, "latent1", value(page, "latent1") + 1.5)
    page.wait_for_function(
        "(before) => Math.abs(Bokeh.documents[0].get_model_by_name('latent_walk').data.there[0] - before) > 1e-6",
        arg=float(there[0]),
    )
    np.testing.assert_array_equal(column(page, "latent_walk", "here")[bands], here)
    assert np.abs(column(page, "latent_walk", "there")[bands] - here).max() > 1e-3


def test_a_polygon_that_is_drawn(explored: Explored):
    page, where = explored.page, explored.where
    corners = [where.axes @ corner for corner in ((3, 2), (13, 2), (13, 9), (3, 9))]
    page.evaluate(
        """() => {
          const tools = Bokeh.documents[0].get_model_by_name("maps").children[0].toolbar.tools;
          tools.find((tool) => tool.type === "LassoSelectTool").active = true;
        }"""
    )
    places = [on_screen(page, *corner) for corner in [*corners, corners[0]]]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()
    page.wait_for_function("() => !document.getElementById('region-table').hidden")
    summary = region_summary(explored.result, [where.on_the_map(*corner) for corner in corners])
    cells = page.locator("#region-table tbody tr")
    assert cells.count() == 3
    for k in range(3):
        area = summary["area"].values[k]
        shown = f"{area:,.0f} m²" if area >= 100 else f"{area:.3g} m²"
        assert cells.nth(k).locator("td").nth(1).inner_text().startswith(shown)
    assert page.inner_text("#region-said").startswith(f"{summary.attrs['n_pixels']} pixels")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save region.csv").click()
    assert Path(download.value.path()).read_text().startswith("endmember,mean_abundance")
    page.evaluate(
        """() => {
          const tools = Bokeh.documents[0].get_model_by_name("maps").children[0].toolbar.tools;
          tools.find((tool) => tool.type === "LassoSelectTool").active = false;
        }"""
    )


def test_hostile_names_are_text(explored: Explored):
    page = explored.page
    assert HOSTILE in page.inner_text("#story")
    assert page.evaluate(FOREIGN_PICTURES) == 0
    assert not [said for said in explored.complaints if said.startswith("dialog")]


def test_all_maps_at_once_move_together(explored: Explored):
    page = explored.page
    set_value(page, "way", "all maps")
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('maps').children[0].type === 'GridPlot'")
    page.wait_for_timeout(500)
    go(explored, 3, 20)
    before = on_screen(page, *explored.where.centre_of(3, 20), which=1)
    page.mouse.click(*on_screen(page, *explored.where.centre_of(5, 22), which=1))
    wait_for(page, "row", 6)
    wait_for(page, "column", 23)
    page.mouse.move(*on_screen(page, *explored.where.centre_of(10, 15), which=0))
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(500)
    assert on_screen(page, *explored.where.centre_of(3, 20), which=1) != before
    set_value(page, "way", "one map")
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('maps').children[0].type === 'Figure'")


def test_nothing_comes_from_elsewhere(explored: Explored, running: Running):
    host = urlsplit(running.link).netloc
    assert {urlsplit(url).netloc for url in explored.requests if not url.startswith(("data:", "blob:"))} == {host}
    assert [said for said in explored.complaints if "could not set initial ranges" not in said] == []


def test_the_page_fits_the_window(explored: Explored):
    page = explored.page
    for width in (1280, 1024, 853):
        page.set_viewport_size({"width": width, "height": 720})
        page.wait_for_timeout(200)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        for part in ("#map-part", "#pixel-part"):
            wide, room = page.evaluate(
                "(part) => [document.querySelector(part).scrollWidth, document.querySelector(part).clientWidth]", part
            )
            assert wide <= room, f"{part} at {width}"
    page.set_viewport_size({"width": 1280, "height": 720})
    assert page.evaluate("() => document.documentElement.lang") == "en"


def ask(link: str, path: str, **headers: str) -> int:
    """Return the status of an answer."""
    connection = http.client.HTTPConnection(urlsplit(link).netloc, timeout=10)
    connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    status = connection.getresponse().status
    connection.close()
    return status


SOCKET = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec_WebSocket_Protocol": "bokeh, token",
}


def test_nobody_else_is_let_in(explored: Explored, running: Running):
    link = running.link
    host = urlsplit(link).netloc
    (cookie,) = explored.page.context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    mine = {"Cookie": f"{cookie['name']}={cookie['value']}"}
    assert ask(link, "/", **mine) == 200
    for path in ("/", "/static/js/bokeh.min.js", "/metadata", "/autoload.js", "/favicon.ico", "/nothing"):
        assert ask(link, path) == 403, path
    assert ask(link, "/?token=wrong") == 403
    assert ask(link, f"/{urlsplit(link).query and '?' + urlsplit(link).query}") == 403, "a used link"
    assert (
        ask(link, "/ws", **{**SOCKET, "Sec_WebSocket_Protocol": "bokeh, wrong"}, **mine, Origin=f"http://{host}") == 101
    )
    assert ask(link, "/", Host="evil.example", **mine) == 403
    assert ask(link, "/", Origin="http://evil.example", **mine) == 403
    assert ask(link, "/ws", Origin=f"http://{host}", **SOCKET) == 403
    assert ask(link, "/ws", Origin="http://evil.example", **SOCKET, **mine) == 403
    assert ask(link, "/ws", **SOCKET, **mine) == 403
    assert ask(link, "/ws", Origin=f"http://{host}", **SOCKET, **mine) == 101
    for path in ("/static/../../../../etc/passwd", "/static/%2e%2e/%2e%2e/resources.py"):
        assert ask(link, path, **mine) in (403, 404), path


def test_the_focus_can_be_seen(explored: Explored):
    """What the tabulator key reaches has a ring around it: of the page itself, or of Bokeh's widgets."""
    page = explored.page
    page.focus("#map")
    rings = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        rings.add(page.evaluate(RING))
    assert rings - {None}, "something has the focus"
    assert all(ring is None or ring.endswith("yes") for ring in rings), rings


RING = """() => {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) {
    element = element.shadowRoot.activeElement;
  }
  if (element === null || element === document.body) {
    return null;
  }
  const style = getComputedStyle(element);
  const ring = style.outlineStyle !== "none" || style.boxShadow !== "none";
  return `${element.tagName}.${element.className}: ${ring ? "yes" : "no"}`;
}"""

FOREIGN_PICTURES = """() => {
  const inside = (root) => [...root.querySelectorAll("*")].reduce((sum, element) =>
    sum + (element.matches('img[src="x"]') ? 1 : 0) + (element.shadowRoot ? inside(element.shadowRoot) : 0), 0);
  return inside(document);
}"""
