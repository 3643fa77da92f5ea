"""The report of a result: what is on the page, that it is told right, and where it is written."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from bokeh.palettes import viridis
from PIL import Image

from unmixel.citation import citations_of
from unmixel.cli.main import run
from unmixel.diagnostics import diagnose
from unmixel.errors import OutputError, SceneError
from unmixel.explorer import report_pixels
from unmixel.explorer.report import SECTIONS, write_report
from unmixel.intervals import abundance_interval
from unmixel.io import open_scene, write_envi
from unmixel.io.result_folder import write_result_folder
from unmixel.io.whole_folder import check_output, provenance_in
from unmixel.methods.fcls import FCLS
from unmixel.methods.idnet import IDNet
from unmixel.pages.colours import MASKED
from unmixel.registry import load
from unmixel.result import add_provenance, open_result, save_result
from unmixel.simulate import simulate_demo
from unmixel.spectra import make_bundle
from unmixel.unmixing import make_method

ROWS, COLUMNS = 20, 30
HOSTILE = ("<script>alert(1)</script>", 'soil & "dust" <b>bold</b>', "$$\\alpha$$ {{ 7 * 7 }}")
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """What a page holds: its elements in order, each with its attributes and its own text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element = (tag, dict(attributes), [])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, _, texts in self._open:
            texts.append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [
            (attributes, " ".join("".join(texts).split())) for name, attributes, texts in self.elements if name == tag
        ]

    def json(self, identifier: str) -> dict:
        return next(
            json.loads("".join(texts)) for _, attributes, texts in self.elements if attributes.get("id") == identifier
        )


def decoded(told: dict) -> np.ndarray:
    """Return an array of the page as the script of the page sees it."""
    codes = np.frombuffer(base64.b64decode(told["codes"]), "<u2").astype(float).reshape(-1, told["size"])
    return np.where(codes == 65535, np.nan, told["low"] + codes * told["step"])


def make_result_folder(folder: Path, method: str, **how: object) -> Path:
    """Simulate a scene with masked pixels and unmix it."""
    folder.mkdir(parents=True, exist_ok=True)
    scene, _ = simulate_demo(rows=ROWS, columns=COLUMNS)
    write_envi(scene, folder / "scene.img")
    scene = open_scene(folder / "scene.img")
    fitted = make_method(method, n_endmembers=3, **how).fit(scene)
    result = diagnose(scene, fitted.unmix(scene), fitted=fitted)
    result = add_provenance(result, input={"path": str(folder / "scene.img"), "sha256": {"scene.img": "0" * 64}})
    write_result_folder(result, folder / "out", fitted=fitted)
    return folder / "out"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result folder of a small ID-Net, with its report."""
    folder = make_result_folder(
        tmp_path_factory.mktemp("idnet"), "idnet", n_epochs=2, steps_per_epoch=5, extraction="clusters"
    )
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(made: Path) -> Page:
    return Page(made / "report.html")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """The result folder of least squares."""
    return make_result_folder(tmp_path, "fcls")


def test_sections_are_there_in_order_under_headings_in_order(page: Page) -> None:
    levels = [int(name[1]) for name, _, _ in page.elements if name in ("h1", "h2", "h3")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert [text for _, text in page.all("h2")] == list(SECTIONS.values())
    assert [attributes["id"] for attributes, _ in page.all("h2")] == list(SECTIONS)
    assert [attributes["href"] for attributes, _ in page.all("a")] == [f"#{name}" for name in SECTIONS]
    assert page.all("html")[0][0]["lang"] == "en"


def test_pictures_have_a_text_and_table_headers_a_scope(page: Page) -> None:
    pictures = page.all("img")
    assert len(pictures) > 8
    assert all(attributes["alt"] for attributes, _ in pictures)
    assert all(attributes.get("scope") in ("row", "col") for attributes, _ in page.all("th"))
    assert all(
        (attributes.get("role") == "img" and attributes["aria-label"]) or "key" in str(attributes.get("class"))
        for attributes, _ in page.all("svg")
    )


def test_the_page_names_no_other_file_and_allows_only_its_own_scripts(page: Page) -> None:
    assert len(page.text) < 8e6
    sources = [attributes[name] for _, attributes, _ in page.elements for name in ("src",) if name in attributes]
    assert all(source and source.startswith("data:image/png") for source in sources)
    assert not page.all("link") and not page.all("iframe")
    policy = next(a["content"] for a, _ in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'") and "unsafe-eval" not in policy
    scripts = ["".join(texts) for name, attributes, texts in page.elements if name == "script" and not attributes]
    assert len(scripts) == 2
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy


def test_means_in_the_summary_are_those_of_the_result(made: Path, page: Page) -> None:
    result = open_result(made)
    rows = [text for _, text in page.all("tr")]
    for k, name in enumerate(result["endmember"].values):
        mean, sd = (np.nanmean(result[variable].values[:, :, k]) for variable in ("abundance", "abundance_sd"))
        row = next(row for row in rows if row.startswith(str(name)))
        assert f"{100 * mean:.1f} %" in row
        assert f"({100 * max(mean - 1.6449 * sd, 0):.1f} to {100 * min(mean + 1.6449 * sd, 1):.1f} %)" in row
    n_valid = int(np.isfinite(result["abundance"].values).all(axis=2).sum())
    assert 0 < n_valid < ROWS * COLUMNS
    assert f"{n_valid} pixels were unmixed; {ROWS * COLUMNS - n_valid} are masked" in page.all("p")[0][1]


def test_widths_of_intervals_are_those_of_the_result(made: Path, page: Page) -> None:
    result = open_result(made)
    interval = abundance_interval(result, 0.9)
    widths = np.nanmean((interval.upper - interval.lower).values, axis=(0, 1))
    texts = [text for _, text in page.all("tr")]
    for name, width in zip(result["endmember"].values, widths, strict=True):
        assert f"{name} {100 * width:.1f} %" in texts or f"{name}{100 * width:.1f} %" in texts


def test_what_to_cite_is_what_the_command_says(made: Path, page: Page) -> None:
    cited = citations_of(provenance_in(made))
    assert [text for _, text in page.all("dt")] == [part.title for part in cited]
    assert [text for _, text in page.all("dd")] == [source for part in cited for source in part.sources]


def test_a_file_of_endmembers_is_named_in_a_sentence(made: Path, tmp_path: Path) -> None:
    result = add_provenance(open_result(made).load(), endmembers={"path": "/data/usgs.csv", "bytes": 12})
    write_result_folder(result, tmp_path / "out")
    sentence = Page(write_report(tmp_path / "out")).all("p")[0][1]
    assert sentence.endswith("Endmembers: given in /data/usgs.csv.")


def test_provenance_and_what_was_compared_are_told(made: Path, page: Page) -> None:
    provenance = provenance_in(made)
    rows = {tuple(text.split(" ", 1)) for _, text in page.all("tr")}
    text = " ".join(text for _, text in page.all("section"))
    assert "0" * 64 in text and provenance["environment"]["torch"] in text and provenance["reference"] in text
    assert str(provenance["hypothesis"]["mixing"]) in text and f"{len(provenance['hypotheses'])} hypotheses" in text
    assert sum("yes" in row[-1] for row in rows) >= 1
    assert provenance["stopped"] in text
    for sentence in page.all("li"):
        assert sentence


def test_a_map_is_the_result_pixel_by_pixel(made: Path, page: Page) -> None:
    result = open_result(made)
    colours = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in [*viridis(255), MASKED]])
    figures = [a for a, _ in page.all("img") if str(a["alt"]).startswith("Map of the abundance of")]
    assert len(figures) == 3
    for k, attributes in enumerate(figures):
        content = base64.b64decode(str(attributes["src"]).partition(",")[2])
        shown = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
        abundance = result["abundance"].values[:, :, k]
        known = np.isfinite(abundance)
        numbers = np.where(known, np.round(np.where(known, abundance, 0) * 254), 255).astype(int)
        np.testing.assert_array_equal(shown, colours[numbers])


def test_numbers_of_pixels_are_those_of_result_scene_and_model(made: Path, page: Page) -> None:
    result, scene, fitted = open_result(made), open_scene(made.parent / "scene.img"), load(made)
    told = page.json("pixel-data")
    step, arrays = told["step"], {name: decoded(array) for name, array in told["arrays"].items()}
    assert told["shape"] == [-(-ROWS // step), -(-COLUMNS // step)]
    places = [(i, j) for i in range(0, ROWS, step) for j in range(0, COLUMNS, step)]
    interval = abundance_interval(result, 0.9)
    expected = {"abundance": result["abundance"], "lower": interval["lower"], "upper": interval["upper"]}
    for name, array in expected.items():
        np.testing.assert_allclose(arrays[name], [array.values[i, j] for i, j in places], atol=1e-5)
    number = next(n for n, (i, j) in enumerate(places) if i > 2 * step and j > 3 * step and i != j)
    place = places[number]
    parts = fitted.parts_at(scene, place)
    for name in ("observed", "shares", "nonlinear", "sd"):
        np.testing.assert_allclose(arrays[name][number], getattr(parts, name)[0].ravel(), atol=2e-5)
    observed = scene.values[place][scene["good_band"].values]
    np.testing.assert_allclose(arrays["observed"][number], observed, atol=2e-5)
    masked = [n for n, (i, j) in enumerate(places) if not np.isfinite(result["abundance"].values[i, j]).all()]
    assert all("masked" in told["sentences"][n] for n in masked)
    assert all(np.isnan(arrays[name][masked]).all() for name in arrays)
    assert f"row {place[0] + 1}, column {place[1] + 1}" in told["sentences"][number]


def test_a_page_that_would_be_too_large_holds_every_nth_pixel(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_pixels, "EMBEDDED", 150_000)
    page = Page(write_report(plain))
    told = page.json("pixel-data")
    assert told["step"] > 1
    assert len(json.dumps(told)) < 170_000
    assert len(told["sentences"]) == told["shape"][0] * told["shape"][1]
    assert f"every {told['step']}" in page.text


@pytest.mark.parametrize("method", ["fcls", "scls"])
def test_a_method_without_uncertainty_says_so(method: str, tmp_path: Path) -> None:
    page = Page(write_report(make_result_folder(tmp_path, method)))
    assert [text for _, text in page.all("h2")] == list(SECTIONS.values())
    assert "says nothing of how sure" in page.text
    assert "has nothing to train" in page.text
    assert np.isnan(decoded(page.json("pixel-data")["arrays"]["lower"])).all()


def test_a_report_does_without_scene_model_and_figures(plain: Path) -> None:
    (plain.parent / "scene.img").unlink()
    shutil.rmtree(plain / "model")
    page = Page(write_report(plain))
    assert "Spectra of single pixels are not shown: the folder holds no model" in page.text
    assert set(page.json("pixel-figures")) == {"map", "abundance"}
    assert set(page.json("pixel-data")["arrays"]) == {"abundance", "lower", "upper"}


def test_a_scene_that_moved_can_be_given(plain: Path) -> None:
    elsewhere = plain.parent / "elsewhere"
    elsewhere.mkdir()
    for name in ("scene.img", "scene.hdr"):
        (plain.parent / name).rename(elsewhere / name)
    assert "are not shown" in write_report(plain).read_text(encoding="utf-8")
    page = Page(write_report(plain, scene=elsewhere / "scene.img", overwrite=True))
    assert set(page.json("pixel-figures")) == {"map", "abundance", "spectrum", "parts"}
    with pytest.raises(SceneError, match="nowhere"):
        write_report(plain, scene=plain / "nowhere.img", overwrite=True)


def test_a_scene_that_was_changed_is_not_explained(plain: Path) -> None:
    stored = np.fromfile(plain.parent / "scene.img", dtype=np.float32)
    np.where(stored > 0, 0.9 * stored, stored).astype(np.float32).tofile(plain.parent / "scene.img")
    page = Page(write_report(plain))
    assert "Spectra of single pixels are not shown: the scene is not as it was when it was unmixed" in page.text
    assert set(page.json("pixel-figures")) == {"map", "abundance"}


def test_a_bare_result_is_enough(plain: Path, tmp_path: Path) -> None:
    result = open_result(plain).load()
    result = result.drop_vars([name for name in result.data_vars if name != "abundance"])
    result.attrs["provenance"] = "{}"
    (tmp_path / "bare").mkdir()
    save_result(result, tmp_path / "bare/result.zarr")
    page = Page(write_report(tmp_path / "bare"))
    assert [text for _, text in page.all("h2")] == list(SECTIONS.values())
    assert not (tmp_path / "bare/provenance.json").exists()


def test_hostile_names_are_text(tmp_path: Path) -> None:
    scene, truth = simulate_demo(rows=12, columns=9)
    bundle = make_bundle(
        np.nan_to_num(truth["endmember_spectrum"].values), list(HOSTILE), wavelength=scene["wavelength"].values
    )
    fitted = FCLS().fit(scene, bundle)
    result = diagnose(scene, fitted.unmix(scene), fitted=fitted)
    path = str(tmp_path / '"><img src=x onerror=alert(2)>.img')
    notes = ["</script><script>alert(3)</script>"]
    result = add_provenance(result, input={"path": path}, scene_reading=notes, command=["unmixel", path])
    write_result_folder(result, tmp_path / "out", fitted=fitted)
    page = Page(write_report(tmp_path / "out"))
    assert "alert(1)</script" not in page.text and "alert(3)</script" not in page.text
    assert len(page.all("script")) == 4
    assert all(str(attributes["src"]).startswith("data:") for attributes, _ in page.all("img"))
    assert [text for _, text in page.all("option")] == list(HOSTILE)
    assert any(notes[0] == text for _, text in page.all("li"))
    assert any(HOSTILE[0] == text for _, text in page.all("figcaption"))
    assert not page.all("b") and "49" not in page.all("option")[2][1]


def test_a_picture_that_leads_to_another_file_is_not_in_the_page(plain: Path) -> None:
    secret = plain.parent / "secret"
    secret.write_bytes(b"a private key of many bytes")
    picture = plain / "scene.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(99)))
    held = base64.b64encode(picture.read_bytes()).decode()
    assert held in write_report(plain).read_text()
    picture.unlink()
    picture.symlink_to(secret)
    page = write_report(plain, overwrite=True).read_text()
    assert held not in page and base64.b64encode(secret.read_bytes()).decode() not in page


def test_a_report_is_replaced_only_when_asked(plain: Path) -> None:
    before = provenance_in(plain)
    path = write_report(plain)
    after = provenance_in(plain)
    assert after.pop("files") == sorted({*before.pop("files"), "report.html"}) and after == before
    path.write_text("old")
    with pytest.raises(OutputError, match="--overwrite"):
        write_report(plain)
    assert path.read_text() == "old"
    assert len(write_report(plain, overwrite=True).read_text(encoding="utf-8")) > 100_000
    check_output(plain, "result", overwrite=True)
    assert not [entry for entry in plain.iterdir() if entry.name.startswith(".")]


def test_a_page_that_unmixel_did_not_write_stays(plain: Path) -> None:
    (plain / "report.html").write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        write_report(plain, overwrite=True)
    assert (plain / "report.html").read_text() == "mine"
    assert "report.html" not in provenance_in(plain)["files"]


def test_a_folder_without_a_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="holds no result"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_says_where_the_page_is(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for status, arguments in ((0, ["report", str(plain)]), (2, ["report", str(plain)])):
        monkeypatch.setattr(sys, "argv", ["unmixel", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        assert (ended.value.code or 0) == status
    out, err = capsys.readouterr()
    assert out.startswith(f"written: {plain / 'report.html'} (") and out.rstrip().endswith("MB)")
    assert err.count("\n") == 1 and "--overwrite" in err


def test_the_method_is_named_with_what_it_does(page: Page) -> None:
    assert IDNet.summary in page.all("p")[0][1]


def test_calibration_is_that_of_the_model_on_its_own_pixels(made: Path, page: Page) -> None:
    fitted = load(made / "model")
    scene, truth = fitted.simulate(2048)
    interval = abundance_interval(fitted.unmix(scene), level=0.9)
    true = truth["abundance"].values
    held = ((interval["lower"].values <= true) & (true <= interval["upper"].values)).mean(axis=(0, 1))
    cells = ["".join(text) for tag, _, text in page.elements if tag == "td"]
    for share in held:
        expected = f"{100 * share:.1f} ± {100 * np.sqrt(share * (1 - share) / 2048):.1f}"
        assert expected in cells, (expected, cells)
