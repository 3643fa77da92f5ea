"""Endmember spectra from files: libraries, both layouts of tables, and what unmixel writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import spectral.io.envi
import xarray as xr

from unmixel.errors import BundleError, OutputError
from unmixel.io import open_bundle, write_bundle_csv, write_bundle_netcdf, write_sli
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle

WAVELENGTH = [450.5, 550.0, 650.0, 750.25, 850.0]
LABELS = ["water", "soil", "water"]


def a_bundle(**more: object) -> xr.DataArray:
    spectra = np.random.default_rng(4).uniform(0.02, 0.6, (3, 5)).astype(np.float32)
    return make_bundle(spectra, LABELS, **({"wavelength": WAVELENGTH, "fwhm": [5, 6, 7, 8, 9.5]} | more))


def a_scene(wavelength: object = WAVELENGTH, **more: object) -> xr.DataArray:
    n_bands = 5 if wavelength is None else len(wavelength)
    array = np.random.default_rng(5).uniform(0.02, 0.6, (3, 4, n_bands))
    return make_scene(array, wavelength=wavelength, **more)


WRITERS = {".sli": write_sli, ".csv": write_bundle_csv, ".nc": write_bundle_netcdf}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("more", [{}, {"fwhm": None}, {"wavelength": None, "fwhm": None}])
def test_round_trip(tmp_path: Path, suffix: str, more: dict[str, object]) -> None:
    bundle, path = a_bundle(**more), tmp_path / f"spectra{suffix}"
    WRITERS[suffix](bundle, path)
    back = open_bundle(path)
    np.testing.assert_array_equal(back.values, bundle.values)
    assert back.endmember.values.tolist() == LABELS
    for name in ("wavelength", "fwhm"):
        np.testing.assert_array_equal(back[name].values, bundle[name].values)


@pytest.mark.parametrize("suffix", WRITERS)
def test_nothing_is_overwritten(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"spectra{suffix}"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        WRITERS[suffix](a_bundle(), path)
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["mine"]


def test_another_program_reads_the_library(tmp_path: Path) -> None:
    bundle = a_bundle().assign_coords(endmember=("spectrum", ["wet, soil", "dry {1}", "water"]))
    write_sli(bundle, tmp_path / "spectra.sli")
    library = spectral.io.envi.open(tmp_path / "spectra.hdr")
    np.testing.assert_array_equal(library.spectra, bundle.values)
    assert library.names == ["wet; soil", "dry (1)", "water"]
    np.testing.assert_allclose(library.bands.centers, WAVELENGTH)
    np.testing.assert_allclose(library.bands.bandwidths, [5, 6, 7, 8, 9.5])


def test_library_of_another_program(tmp_path: Path) -> None:
    spectra = np.arange(10, dtype=np.float64).reshape(2, 5) * 100
    header = {
        "spectra names": ["a", "b"],
        "wavelength": [0.45, 0.55, 0.65, 0.75, 0.85],
        "wavelength units": "Micrometers",
        "reflectance scale factor": 10_000,
    }
    spectral.io.envi.SpectralLibrary(spectra, header).save(str(tmp_path / "lib"))
    for name in ("lib.sli", "lib.hdr"):
        bundle = open_bundle(tmp_path / name)
        np.testing.assert_array_equal(bundle.values, (spectra / 10_000).astype(np.float32))
        np.testing.assert_allclose(bundle.wavelength, [450, 550, 650, 750, 850])


def test_table_with_a_spectrum_in_each_row(tmp_path: Path) -> None:
    path = tmp_path / "library.csv"
    path.write_text("\ufeffClass,0.65,0.45,0.55\nsoil,3,1,2\nwater,30,10,20\nsoil,6,4,5\n", encoding="utf-8")
    bundle = open_bundle(path)
    assert bundle.endmember.values.tolist() == ["soil", "water", "soil"]
    np.testing.assert_allclose(bundle.wavelength, [450, 550, 650])
    np.testing.assert_array_equal(bundle.values, [[1, 2, 3], [10, 20, 30], [4, 5, 6]])


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_table_with_a_spectrum_in_each_column(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "library.txt"
    lines = ["wavelength,fwhm,soil,tree", "650,7,0.3,0.5", "450,5,0.1,0.4", "550,6,,0.2"]
    path.write_text("\n".join(lines).replace(",", mark))
    bundle = open_bundle(path)
    assert bundle.endmember.values.tolist() == ["soil", "tree"]
    assert bundle.wavelength.values.tolist() == [450, 650]
    assert bundle.fwhm.values.tolist() == [5, 7]
    np.testing.assert_allclose(bundle.values, [[0.1, 0.3], [0.4, 0.5]])


@pytest.mark.parametrize(
    ("header", "widths"),
    [
        ("wavelength_um,fwhm_nm", [5, 7]),
        ("wavelength [um],fwhm [um]", [5000, 7000]),
        ("wavelength_um,fwhm", [5000, 7000]),
        ("wavelength,fwhm (nm)", [5, 7]),
    ],
)
def test_widths_have_their_own_unit(header: str, widths: list[float], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{header},soil,tree\n0.45,5,0.3,0.5\n0.65,7,0.1,0.4\n")
    bundle = open_bundle(tmp_path / "a.csv")
    assert bundle.wavelength.values.tolist() == [450, 650]
    assert bundle.fwhm.values.tolist() == widths


def test_of_statistics_the_means_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "endmembers.csv"
    path.write_text(
        "wavelength_nm,fwhm_nm,good_band,soil mean,soil sd,soil q05,tree mean,tree sd,tree q05\n"
        "450,5,1,0.1,0.01,0.08,0.2,0.01,0.18\n550,5,0,,,,,,\n650,5,1,0.3,0.01,0.28,0.4,0.01,0.38\n"
    )
    bundle = open_bundle(path)
    assert bundle.endmember.values.tolist() == ["soil", "tree"]
    np.testing.assert_allclose(bundle.values, [[0.1, 0.3], [0.2, 0.4]])


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.csv", "wavelength,soil\n", "1 rows of 2 cells"),
        ("a.csv", "wavelength,soil\n450,0.1\n550\n", "1 cells in row 3"),
        ("a.csv", "wavelength,soil\n450,dark\n", "dark"),
        ("a.csv", "height,soil\n450,0.1\n", "'height'"),
        ("a.csv", "wavelength,soil\n450,\n550,\n", "without a band"),
        ("a.csv", "", "empty"),
        ("a.bin", bytes(range(200)).decode("latin-1"), "unknown format"),
        ("a.hdr", "ENVI\nsamples = 3\nlines = 2\nbands = 1\n", "without its data file"),
    ],
)
def test_files_without_spectra(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    (tmp_path / name).write_text(content, encoding="latin-1")
    with pytest.raises(BundleError) as caught:
        open_bundle(tmp_path / name)
    assert complaint in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_scenes_and_damaged_libraries(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="does not exist"):
        open_bundle(tmp_path / "nothing.sli")
    write_sli(a_bundle(), tmp_path / "a.sli")
    whole = (tmp_path / "a.sli").read_bytes()
    (tmp_path / "a.sli").write_bytes(whole[:-1])
    with pytest.raises(BundleError, match="59 bytes"):
        open_bundle(tmp_path / "a.sli")
    (tmp_path / "a.sli").write_bytes(whole)
    header = tmp_path / "a.hdr"
    text = header.read_text()
    header.write_text(text.replace("water, soil, water", "water, soil"))
    with pytest.raises(BundleError, match="2 spectra names for 3 spectra"):
        open_bundle(tmp_path / "a.sli")
    header.write_text(text.replace("ENVI Spectral Library", "ENVI Standard"))
    with pytest.raises(BundleError, match="ENVI Standard"):
        open_bundle(tmp_path / "a.sli")


def test_onto_the_bands_of_a_scene(tmp_path: Path) -> None:
    line = make_bundle([np.array(WAVELENGTH) / 1000], ["line"], wavelength=WAVELENGTH)
    write_bundle_csv(line, tmp_path / "line.csv")
    wanted = [480.0, 600.0, 700.0, 800.0]
    bundle = open_bundle(tmp_path / "line.csv", scene=a_scene(wanted, fwhm=[10.0] * 4))
    np.testing.assert_allclose(bundle.values, [np.array(wanted) / 1000], rtol=1e-5)
    np.testing.assert_array_equal(bundle.wavelength, wanted)


def test_bands_that_the_spectra_do_not_cover(tmp_path: Path) -> None:
    write_sli(a_bundle(), tmp_path / "a.sli")
    beyond = [500.0, 600.0, 700.0, 1600.0]
    with pytest.raises(BundleError, match=r"a\.sli.*1600"):
        open_bundle(tmp_path / "a.sli", scene=a_scene(beyond))
    only_bad_beyond = a_scene(beyond, good_band=[True, True, True, False])
    assert open_bundle(tmp_path / "a.sli", scene=only_bad_beyond).sizes["band"] == 4


def test_without_wavelengths_the_number_of_bands_decides(tmp_path: Path) -> None:
    write_sli(a_bundle(wavelength=None, fwhm=None), tmp_path / "a.sli")
    bundle = open_bundle(tmp_path / "a.sli", scene=a_scene())
    np.testing.assert_array_equal(bundle.wavelength, WAVELENGTH)
    with pytest.raises(BundleError, match="of 5 bands for a scene of 2, and it has no wavelengths"):
        open_bundle(tmp_path / "a.sli", scene=a_scene([500.0, 600.0]))
    write_sli(a_bundle(), tmp_path / "b.sli")
    np.testing.assert_array_equal(open_bundle(tmp_path / "b.sli", scene=a_scene(None)).values, a_bundle().values)


@pytest.mark.parametrize("scale", [100, 10_000])
def test_counts_are_divided_for_a_scene_in_reflectance(tmp_path: Path, scale: int) -> None:
    write_bundle_csv((a_bundle() * scale).astype(np.float32), tmp_path / "a.csv")
    bundle = open_bundle(tmp_path / "a.csv", scene=a_scene())
    np.testing.assert_allclose(bundle.values, a_bundle().values, rtol=1e-6)
    assert f"divided by {scale}" in bundle.attrs["reading"][0]
    as_is = open_bundle(tmp_path / "a.csv", scene=a_scene() * scale)
    np.testing.assert_allclose(as_is.values, a_bundle().values * scale, rtol=1e-6)
    write_bundle_csv((a_bundle() * 1e6).astype(np.float32), tmp_path / "b.csv")
    with pytest.raises(BundleError, match="reflectance, about 0 to 1"):
        open_bundle(tmp_path / "b.csv", scene=a_scene())


def test_a_table_with_an_empty_column_of_wavelengths_has_none(tmp_path: Path) -> None:
    path = tmp_path / "spectra.csv"
    path.write_text("wavelength_nm,fwhm_nm,good_band,soil,water\n,,1,0.3,0.1\n,,0,,\n,,1,0.4,0.2\n,,1,0.5,0.25\n")
    bundle = open_bundle(path)
    assert np.isnan(bundle.wavelength.values).all()
    np.testing.assert_allclose(bundle.values, [[0.3, 0.4, 0.5], [0.1, 0.2, 0.25]], rtol=1e-6)
    array = np.random.default_rng(5).uniform(0.02, 0.6, (3, 5, 4))
    on_scene = open_bundle(path, scene=make_scene(array, good_band=[True, False, True, True]))
    np.testing.assert_allclose(on_scene.values[:, [0, 2, 3]], bundle.values)
    assert on_scene.attrs["reading"] == ["3 bands without wavelengths taken for the 3 good bands of the scene"]


def test_bands_without_a_wavelength_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "spectra.csv"
    path.write_text("wavelength_nm,soil,water\n650,0.3,0.1\n,0.9,0.9\n550,0.4,0.2\n750,,0.3\n")
    bundle = open_bundle(path)
    np.testing.assert_array_equal(bundle.wavelength.values, [550.0, 650.0])
    np.testing.assert_allclose(bundle.values, [[0.4, 0.3], [0.2, 0.1]], rtol=1e-6)


@pytest.mark.parametrize("more", [{}, {"fwhm": None}, {"wavelength": None, "fwhm": None}])
def test_names_that_are_numbers_are_names(tmp_path: Path, more: dict[str, object]) -> None:
    bundle = a_bundle(**more).assign_coords(endmember=("spectrum", ["1", "2", "10"]))
    write_bundle_csv(bundle, tmp_path / "s.csv")
    back = open_bundle(tmp_path / "s.csv")
    assert back.endmember.values.tolist() == ["1", "2", "10"]
    np.testing.assert_allclose(back.values, bundle.values, rtol=1e-7)
    np.testing.assert_array_equal(back.wavelength, bundle.wavelength)


def test_deleted_channels_are_no_reflectance(tmp_path: Path) -> None:
    values = a_bundle().values.copy()
    values[1, 2], values[0, 4] = -1.23e34, -99.0
    bundle = make_bundle(values, LABELS, wavelength=WAVELENGTH)
    write_sli(bundle, tmp_path / "s.sli")
    with (tmp_path / "s.hdr").open("a") as header:
        header.write("data ignore value = -99\n")
    write_bundle_csv(bundle, tmp_path / "s.csv")
    library, table = open_bundle(tmp_path / "s.sli"), open_bundle(tmp_path / "s.csv")
    np.testing.assert_array_equal(library.wavelength, np.delete(WAVELENGTH, [2, 4]))
    np.testing.assert_array_equal(library.values, np.delete(values, [2, 4], axis=1))
    np.testing.assert_array_equal(table.wavelength, np.delete(WAVELENGTH, 2))
