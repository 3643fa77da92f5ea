"""The page of the explorer for results that know less than others; no browser is needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from bokeh.document import Document

from unmixel.explorer.document import ExplorerPage
from unmixel.explorer.exploration import Exploration
from unmixel.io.result_folder import write_result_folder
from unmixel.methods._fitted import Fitted
from unmixel.registry import get_method
from unmixel.result import add_provenance
from unmixel.simulate import simulate_demo

ROWS, COLUMNS = 12, 18


def unmixed(method: str, place: Path) -> tuple[xr.DataArray, Fitted, xr.Dataset]:
    scene, _ = simulate_demo(rows=ROWS, columns=COLUMNS)
    np.save(place / "scene.npy", scene.values)
    fitted = get_method(method)(n_endmembers=2).fit(scene)
    result = add_provenance(fitted.unmix(scene), input={"path": str(place / "scene.npy")})
    return scene, fitted, result


def page_of(folder: Path, **more: Path) -> tuple[Document, ExplorerPage, Exploration]:
    exploration, document = Exploration(folder, **more), Document()
    page = ExplorerPage(exploration)
    page.fill(document)
    return document, page, exploration


def sentences(document: Document) -> list[str]:
    return list(document.get_model_by_name("story").data["sentence"])


@pytest.mark.parametrize("method", ["fcls", "scls"])
def test_a_result_without_posterior(method: str, tmp_path: Path):
    scene, fitted, result = unmixed(method, tmp_path)
    write_result_folder(result, tmp_path / "out", fitted=fitted, scene=scene)
    document, page, exploration = page_of(tmp_path / "out")
    assert "the model is being loaded" in sentences(document)[-1]
    assert exploration.prepare().result() is None
    page.go(5, 7)
    page.tell()
    assert sentences(document)[0].startswith("Pixel in row 6, column 8 is")
    spectrum = document.get_model_by_name("spectrum").data
    good = scene["good_band"].values
    np.testing.assert_array_equal(spectrum["observed"][~exploration.opened.axis.gap], scene.values[5, 7, good])
    assert document.get_model_by_name("marginals") is None
    json.dumps(document.to_json(), default=repr)


def test_a_result_without_model_and_scene(tmp_path: Path):
    _, _, result = unmixed("fcls", tmp_path)
    (tmp_path / "scene.npy").unlink()
    write_result_folder(result, tmp_path / "out")
    document, page, exploration = page_of(tmp_path / "out")
    exploration.prepare().result()
    page.go(5, 7)
    page.tell()
    assert "the model is not in the folder" in sentences(document)[-1]
    assert len(document.get_model_by_name("spectrum").data["observed"]) == 0
    np.testing.assert_array_equal(
        document.get_model_by_name("abundances").data["abundance"], result["abundance"].values[5, 7].astype(float)
    )
    assert "not shown" in document.template_variables["notes"][0]


def test_a_masked_pixel(tmp_path: Path):
    scene, fitted, result = unmixed("fcls", tmp_path)
    write_result_folder(result, tmp_path / "out", fitted=fitted, scene=scene)
    document, page, exploration = page_of(tmp_path / "out")
    exploration.prepare().result()
    row, column = np.argwhere(np.isnan(result["abundance"].values[:, :, 0]))[0]
    page.go(int(row), int(column))
    page.tell()
    assert "is masked" in sentences(document)[0]
    assert document.get_model_by_name("map_text").data["sentence"][0].endswith("masked here.")


def test_numbers_that_are_typed(tmp_path: Path):
    scene, fitted, result = unmixed("fcls", tmp_path)
    write_result_folder(result, tmp_path / "out", fitted=fitted, scene=scene)
    document, page, _ = page_of(tmp_path / "out")
    document.get_model_by_name("row").value = 3
    document.get_model_by_name("column").value = 11
    page.tell()
    assert sentences(document)[0].startswith("Pixel in row 3, column 11")
    marker = document.get_model_by_name("marker").data
    assert (marker["x"], marker["y"]) == ([656_400 + 5 * 10.5], [5_319_250 - 5 * 2.5])
    document.get_model_by_name("row").value = None
    assert sentences(document)[0].startswith("Pixel in row 3, column 11")


def test_two_results_beside_each_other(tmp_path: Path):
    for method in ("fcls", "scls"):
        (tmp_path / method).mkdir()
        scene, fitted, result = unmixed(method, tmp_path / method)
        write_result_folder(result, tmp_path / method / "out", fitted=fitted, scene=scene)
    document, page, exploration = page_of(tmp_path / "fcls" / "out", other=tmp_path / "scls" / "out")
    exploration.prepare().result()
    page.go(5, 7)
    page.tell()
    assert document.template_variables["notes"] == exploration.notes
    assert len(exploration.notes) == 2 and "is compared with" in exploration.notes[0]
    first, second, difference = document.get_model_by_name("map_text").data["sentence"]
    assert "fcls" in first and "scls" in second and difference.startswith("difference")
    here = [float(line.rsplit("; ", 1)[1].removesuffix(" here.")) for line in (first, second, difference)]
    assert here[2] == pytest.approx(here[1] - here[0], abs=2e-3)
    assert any("scls" in line and "Pixel in row 6" in line for line in sentences(document))
