"""`unmixel cite DIR`: what was used for a result, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from unmixel.cli.main import app
from unmixel.datasets import describe
from unmixel.extraction import EXTRACTORS, REFERENCES, extract
from unmixel.methods.fcls import FCLS
from unmixel.methods.nmf_l12 import NMFL12
from unmixel.result import add_provenance, make_result, open_result, save_result
from unmixel.scene import make_scene, to_maps
from unmixel.testing.method_contract import example_bundle, example_scene


def cite(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["cite", *map(str, arguments)])


def result_by(folder: Path, **provenance: Any) -> Path:
    """A result with a provenance, as a store."""
    scene = make_scene(np.random.default_rng(0).uniform(0.1, 0.6, (2, 3, 4)))
    result = make_result(
        scene,
        endmember=("soil", "tree"),
        maps=to_maps(scene, {"abundance": np.full((6, 2), 0.5)}),
        spectra={},
        provenance=provenance,
    )
    save_result(result, folder / "result.zarr")
    return folder


def sections(said: str) -> dict[str, list[str]]:
    """The lines under each title."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in said.splitlines():
        if line.startswith("  "):
            found[title].append(line.strip())
        else:
            title = line.removesuffix(":")
            found[title] = []
    return found


@pytest.mark.parametrize("extractor", ["clusters", "vca"])
def test_method_extractor_and_number_of_a_result_are_cited(extractor: str, tmp_path: Path) -> None:
    fitted = FCLS(extraction=extractor, n_endmembers=3).fit(example_scene())
    save_result(fitted.unmix(example_scene()), tmp_path / "result.zarr")
    said = cite(tmp_path)
    assert said.exit_code == 0, said.stderr
    found = sections(said.stdout)
    assert found["The method that made these maps"] == ["fcls: Heinz & Chang 2001, doi:10.1109/36.911111"]
    assert found["Its endmembers"] == [
        f"extracted from the scene by {extractor}",
        f"{extractor}: {REFERENCES[extractor]}",
    ]
    assert "Their number" not in found
    assert found["The program"][0].startswith("unmixel 0")
    assert "idnet" not in said.stdout
    estimated = add_provenance(open_result(tmp_path), number_of_endmembers={"suggested": 3})
    save_result(estimated.load(), tmp_path / "again.zarr")
    assert sections(cite(tmp_path / "again.zarr").stdout)["Their number"] == ["estimated: unmixel's own"]


def test_blind_methods_cite_what_found_the_spectra_they_began_with(tmp_path: Path) -> None:
    fitted = NMFL12(extraction="nfindr", n_endmembers=3, n_steps=2).fit(example_scene())
    save_result(fitted.unmix(example_scene()), tmp_path / "result.zarr")
    assert sections(cite(tmp_path).stdout)["Its endmembers"] == [
        "fitted to the scene by nmf_l12, from spectra extracted by nfindr",
        f"nfindr: {REFERENCES['nfindr']}",
    ]


def test_given_endmembers_are_no_extraction(tmp_path: Path) -> None:
    given = FCLS().fit(example_scene(), example_bundle())
    save_result(given.unmix(example_scene()), tmp_path / "result.zarr")
    assert sections(cite(tmp_path).stdout)["Its endmembers"] == ["given: whoever measured them"]
    for number, name in enumerate(("endmembers", "bundle")):
        told = {"endmembers": "given", name: {"path": "/data/usgs.csv", "reading": []}}
        (tmp_path / str(number)).mkdir()
        (line,) = sections(cite(result_by(tmp_path / str(number), method="fcls", **told)).stdout)["Its endmembers"]
        assert line == "given in /data/usgs.csv: whoever measured them"


def test_given_endmembers_that_were_extracted_cite_what_found_them(tmp_path: Path) -> None:
    found = extract(example_scene(), 3, extractor="vca")
    save_result(FCLS().fit(example_scene(), found).unmix(example_scene()), tmp_path / "result.zarr")
    assert sections(cite(tmp_path).stdout)["Its endmembers"] == ["given", f"vca: {REFERENCES['vca']}"]


@pytest.mark.parametrize(
    ("told", "endmembers"),
    [
        (
            "extracted from the scene by vca",
            "those of the model /june/model; when it was fitted: extracted from the scene by vca",
        ),
        ("given", "given to the model /june/model: whoever measured them"),
    ],
    ids=["extracted", "given"],
)
def test_a_scene_that_a_model_was_applied_to_is_not_where_its_endmembers_are_from(
    told: str, endmembers: str, tmp_path: Path
) -> None:
    found = sections(cite(result_by(tmp_path, method="fcls", endmembers=told, model="/june/model")).stdout)
    assert found["Its endmembers"] == [endmembers]
    assert found["The scene"] == [
        "whoever made it; `unmixel datasets` says it of public ones",
        "those that its model was fitted to: whoever made them",
    ]


def test_a_public_scene_is_known_by_its_files(tmp_path: Path) -> None:
    about = describe("jasper_ridge")
    digest = about.sha256("JasperRidge2_R198.mat")
    for name, digests, expected in (
        ("public", {"moved.mat": digest}, f"jasper_ridge: {about.citation}"),
        ("mine", {"moved.mat": digest[::-1]}, "EMIT L2A: its provider"),
    ):
        (tmp_path / name).mkdir()
        folder = result_by(tmp_path / name, method="fcls", product="EMIT L2A", input={"sha256": digests})
        assert sections(cite(folder).stdout)["The scene"] == [expected]


def test_a_provenance_that_says_nothing_or_does_harm(tmp_path: Path) -> None:
    found = sections(cite(result_by(tmp_path, method="\x1b[31mred", endmembers=3, environment=[], input="x")).stdout)
    assert found["The method that made these maps"] == [r"\x1b[31mred: not known"]
    assert found["Its endmembers"] == ["3"]
    assert found["The program"] == [
        "unmixel of a version that is not known, https://github.com/unmixel/unmixel (see CITATION.cff)"
    ]
    assert found["The scene"] == ["whoever made it; `unmixel datasets` says it of public ones"]


def test_a_folder_without_a_result_is_one_line(tmp_path: Path) -> None:
    refused = cite(tmp_path)
    assert refused.exit_code == 2
    assert refused.stderr.splitlines() == [
        f"unmixel: {tmp_path} holds no result; expected a folder written by `unmixel unmix`, or its result.zarr"
    ]


@pytest.mark.parametrize("command", ["cite", "report"])
def test_the_folder_of_many_scenes_says_which_results_there_are(command: str, tmp_path: Path) -> None:
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
        result_by(tmp_path / name, method="fcls")
    refused = CliRunner().invoke(app, [command, str(tmp_path)])
    assert refused.exit_code == 2
    assert refused.stderr.splitlines() == [
        f"unmixel: {tmp_path} holds results of several scenes; expected one result; "
        f"there are {tmp_path.as_posix()}/north and 1 more"
    ]


def test_every_extractor_has_a_reference() -> None:
    assert set(REFERENCES) == set(EXTRACTORS)
    said = cite().stdout
    for name in EXTRACTORS:
        assert f"  {name}: {REFERENCES[name]}" in said
