"""Result folders: what other programs find in them, and that they appear whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from matplotlib.figure import Figure
from rasterio.crs import CRS

from unmixel.errors import OutputError, SceneError
from unmixel.io import open_scene
from unmixel.io.result_folder import write_result_folder
from unmixel.io.whole_folder import check_output, whole_folder
from unmixel.result import make_result, open_result
from unmixel.scene import make_scene, pixels_of, to_maps

TRANSFORM = Affine(0.7, 0.0, 656_412.3, 0.0, -0.7, 5_319_240.9)
ENDMEMBERS = ("soil", "water, deep", "tree")


@pytest.fixture
def scene() -> xr.DataArray:
    """A scene of 5 x 7 pixels and 9 bands: one pixel masked, one band left out."""
    values = np.random.default_rng(1).uniform(0.1, 0.6, (5, 7, 9))
    values[1, 4] = np.nan
    return make_scene(
        values,
        wavelength=np.linspace(450.0, 890.0, 9),
        fwhm=np.full(9, 50.0),
        good_band=np.arange(9) != 3,
        crs_wkt=CRS.from_epsg(32632).to_wkt(),
        transform=TRANSFORM,
    )


@pytest.fixture
def result(scene: xr.DataArray) -> xr.Dataset:
    """Its result: 3 endmembers."""
    rng = np.random.default_rng(0)
    n = len(pixels_of(scene))
    abundance = rng.dirichlet(np.ones(3), n)
    return make_result(
        scene,
        endmember=ENDMEMBERS,
        maps=to_maps(
            scene,
            {
                "abundance": abundance,
                "abundance_sd": 0.1 * abundance,
                "reconstruction_rmse": rng.uniform(0, 0.02, n),
                "nonlinearity_degree": rng.uniform(0, 1, (n, 2)),
            },
        ),
        spectra={
            "endmember_spectrum": rng.uniform(0, 1, (3, 8)),
            "endmember_spectrum_sd": rng.uniform(0, 0.1, (3, 8)),
            "endmember_quantile": rng.uniform(0, 1, (2, 3, 8)),
        },
        quantile=(0.05, 0.95),
        provenance={"method": "fcls", "parameters": {"seed": 3}},
    )


class Model:
    """A model that writes one file."""

    def save(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.json").write_text("{}")


def test_maps_lie_where_the_scene_lies(result: xr.Dataset, tmp_path: Path) -> None:
    write_result_folder(result, tmp_path / "out")
    with rasterio.open(tmp_path / "out/abundance.tif") as file:
        maps = file.read()
        assert file.crs.to_epsg() == 32632
        assert file.transform == TRANSFORM
        assert file.descriptions == ENDMEMBERS
        assert np.isnan(file.nodata)
        assert file.units == ("1",) * 3
        assert file.tags()["units"] == "1"
        assert file.tags()["method"] == "fcls"
        assert file.dtypes == ("float32",) * 3
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    np.testing.assert_array_equal(maps, np.moveaxis(result["abundance"].values, 2, 0))
    assert np.isnan(maps[:, 1, 4]).all()
    assert np.isnan(maps).sum() == 3
    np.testing.assert_allclose(np.nansum(maps, axis=0)[0], 1, atol=1e-6)


def test_every_map_has_its_bands_and_unit(result: xr.Dataset, tmp_path: Path) -> None:
    write_result_folder(result, tmp_path / "out")
    expected = {
        "abundance_sd": (ENDMEMBERS, "1"),
        "reconstruction_rmse": (("reconstruction_rmse",), "reflectance"),
        "nonlinearity": (("mixing", "abundance"), "1"),
    }
    for name, (bands, unit) in expected.items():
        with rasterio.open(tmp_path / f"out/{name}.tif") as file:
            assert (file.descriptions, file.units[0]) == (bands, unit)


def test_maps_the_method_does_not_give_are_not_written(result: xr.Dataset, tmp_path: Path) -> None:
    write_result_folder(result.drop_vars(["abundance_sd", "nonlinearity_degree"]), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("*.tif")} == {
        "abundance.tif",
        "reconstruction_rmse.tif",
    }


def test_the_scene_is_there_in_three_colours(result: xr.Dataset, scene: xr.DataArray, tmp_path: Path) -> None:
    write_result_folder(result, tmp_path / "out", scene=scene)
    with rasterio.open(tmp_path / "out/scene.tif") as file:
        picture = file.read()
        assert (file.crs.to_epsg(), file.transform) == (32632, TRANSFORM)
        assert file.descriptions == ("835 nm", "725 nm", "505 nm")
        assert file.units == ("reflectance",) * 3
        assert file.tags()["quantity"] == "the scene in false colour: 835, 725, 505 nm"
        assert file.dtypes == ("float32",) * 3
        assert np.isnan(file.nodata)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    np.testing.assert_array_equal(picture, np.moveaxis(scene.values[:, :, [7, 5, 1]], 2, 0))
    assert np.isnan(picture[:, 1, 4]).all()
    assert np.isnan(picture).sum() == 3
    with pytest.raises(SceneError, match="a map that unmixel made"):
        open_scene(tmp_path / "out/scene.tif")


def test_a_scene_of_another_size_is_refused(result: xr.Dataset, scene: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"shape \(4, 7, 9\) for a result of \(5, 7, 9\)"):
        write_result_folder(result, tmp_path / "out", scene=scene[1:])
    assert not (tmp_path / "out").exists()


def test_a_scene_without_a_map_gives_tiffs_without_a_map(tmp_path: Path) -> None:
    scene = make_scene(np.random.default_rng(0).uniform(size=(6, 4)))
    spectra = {"endmember_spectrum": np.ones((2, 4))}
    result = make_result(
        scene,
        endmember=("a", "b"),
        maps=to_maps(scene, {"abundance": np.full((6, 2), 0.5)}),
        spectra=spectra,
        provenance={},
    )
    write_result_folder(result, tmp_path / "out")
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(tmp_path / "out/abundance.tif") as file,
    ):
        assert file.crs is None
        assert file.shape == (6, 1)


def test_csv_has_a_row_for_each_band_and_blanks_where_it_was_left_out(result: xr.Dataset, tmp_path: Path) -> None:
    write_result_folder(result, tmp_path / "out")
    with (tmp_path / "out/endmembers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert [row["good_band"] for row in rows] == ["1", "1", "1", "0", "1", "1", "1", "1", "1"]
    assert rows[3]["soil mean"] == ""
    assert float(rows[4]["wavelength_nm"]) == 670.0
    assert float(rows[5]["water, deep mean"]) == pytest.approx(result.endmember_spectrum.values[1, 5], rel=1e-6)
    assert float(rows[5]["tree q95"]) == pytest.approx(result.endmember_quantile.values[1, 2, 5], rel=1e-6)
    assert float(rows[0]["tree sd"]) == pytest.approx(result.endmember_spectrum_sd.values[2, 0], rel=1e-6)


def test_sli_opens_in_another_program(result: xr.Dataset, tmp_path: Path) -> None:
    import spectral.io.envi

    write_result_folder(result, tmp_path / "out")
    library = spectral.io.envi.open(str(tmp_path / "out/endmembers.hdr"), str(tmp_path / "out/endmembers.sli"))
    assert library.spectra.shape == (12, 8)
    assert library.names[0] == "soil mean"
    np.testing.assert_allclose(library.spectra[0], result.endmember_spectrum.values[0, np.arange(9) != 3], rtol=1e-6)


def test_everything_comes_back_from_zarr(result: xr.Dataset, tmp_path: Path) -> None:
    write_result_folder(result, tmp_path / "out", fitted=Model(), figures={"maps": Figure()})
    xr.testing.assert_identical(open_result(tmp_path / "out").load(), result)
    assert (tmp_path / "out/model/model.json").is_file()
    assert (tmp_path / "out/maps.png").read_bytes().startswith(b"\x89PNG")
    provenance = json.loads((tmp_path / "out/provenance.json").read_text())
    assert provenance["parameters"] == {"seed": 3}
    assert provenance["written_by"].startswith("unmixel ")


def test_an_existing_folder_stays_without_overwrite(result: xr.Dataset, tmp_path: Path) -> None:
    write_result_folder(result, tmp_path / "out")
    before = (tmp_path / "out/provenance.json").stat().st_mtime_ns
    with pytest.raises(OutputError, match=r"exists.*--overwrite"):
        write_result_folder(result, tmp_path / "out")
    assert (tmp_path / "out/provenance.json").stat().st_mtime_ns == before


def test_overwrite_replaces_a_result_whole(result: xr.Dataset, tmp_path: Path) -> None:
    write_result_folder(result, tmp_path / "out", figures={"old": Figure()})
    write_result_folder(result, tmp_path / "out", figures={"new": Figure()}, overwrite=True)
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["new.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_overwrite_never_deletes_what_unmixel_did_not_write(result: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("years of work")
    (tmp_path / "out/provenance.json").write_text("[]")
    with pytest.raises(OutputError, match="did not write"):
        write_result_folder(result, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/thesis.txt").read_text() == "years of work"


def test_overwrite_never_deletes_what_was_put_beside_a_result(result: xr.Dataset, tmp_path: Path) -> None:
    write_result_folder(result, tmp_path / "out")
    listed = json.loads((tmp_path / "out/provenance.json").read_text())["files"]
    assert listed == sorted(path.name for path in (tmp_path / "out").iterdir())
    (tmp_path / "out/thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"'thesis.txt' that unmixel did not write"):
        write_result_folder(result, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/thesis.txt").read_text() == "years of work"
    assert (tmp_path / "out/abundance.tif").is_file()


def test_overwrite_takes_an_empty_folder(result: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_result_folder(result, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/abundance.tif").is_file()


def test_a_failure_leaves_the_old_result_and_nothing_else(result: xr.Dataset, tmp_path: Path) -> None:
    class Broken:
        def savefig(self, fname: object, *, dpi: float) -> None:
            raise OSError(28, "No space left on device")

    write_result_folder(result, tmp_path / "out")
    with pytest.raises(OutputError, match="No space left"):
        write_result_folder(result, tmp_path / "out", figures={"maps": Broken()}, overwrite=True)
    assert (tmp_path / "out/abundance.tif").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_parents_are_made_and_go_again_after_a_failure(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "a/b/out", "result") as partial:
        (partial / "file").touch()
    assert (tmp_path / "a/b/out/file").is_file()
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "c/d/out", "result"):
        _ = 1 / 0
    assert not (tmp_path / "c").exists()


def test_an_output_below_a_file_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        check_output(tmp_path / "file/out", "result")
    with pytest.raises(OutputError, match="is a file"):
        check_output(tmp_path / "file", "result", overwrite=True)


@pytest.mark.parametrize("size", ["64k", "200k"])
def test_a_full_disk_is_an_error_and_leaves_nothing(result: xr.Dataset, tmp_path: Path, size: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)],
            capture_output=True,
            check=False,
        ).returncode
    ):
        pytest.skip("mounting a small disk needs root")
    try:
        (disk / "ballast").write_bytes(bytes(60_000))
        figure = Figure(figsize=(8, 8))
        figure.add_subplot().imshow(np.random.default_rng(0).uniform(size=(300, 300)))
        with pytest.raises(OutputError, match=r"cannot be written|No space"):
            write_result_folder(result, disk / "out", figures={"maps": figure})
        assert [path.name for path in disk.iterdir()] == ["ballast"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_read_only_disk_is_refused_before_the_work(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(disk)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("mounting a read-only disk needs root")
    try:
        with pytest.raises(OutputError, match="Read-only"):
            check_output(disk / "out", "result")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
