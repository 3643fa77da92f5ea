"""Text spectra of the USGS and ECOSTRESS libraries: files and folders like theirs, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import spectral.database.ecostress
import spectral.database.usgs
import xarray as xr

from unmixel.errors import BundleError
from unmixel.io import open_bundle, write_bundle_csv
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle, resample

BECKMAN = np.linspace(0.2, 3.0, 60)
ASD = np.linspace(0.35, 2.5, 44)


def column(file: Path, title: str, numbers: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f" splib07a Record={len(title)}: {title}\n" + "".join(f" {number:.7e}\n" for number in numbers))


@pytest.fixture
def usgs(tmp_path: Path) -> Path:
    """Two spectrometers of the library, a deleted channel, error bars, a transmittance."""
    root = tmp_path / "ASCIIdata_splib07a"
    minerals = root / "ChapterM_Minerals"
    column(root / "splib07a_Wavelengths_BECK_Beckman_0.2-3.0_microns.txt", "Wavelengths BECK Beckman", BECKMAN)
    column(root / "splib07a_Wavelengths_ASD_0.35-2.5_microns_2151_ch.txt", "Wavelengths ASD 0.35-2.5 microns", ASD)
    column(root / "splib07a_Bandpass_(FWHM)_BECK_Beckman_in_microns.txt", "Bandpass (FWHM) BECK", 0.001 + 0 * BECKMAN)
    column(root / "splib07a_Bandpass_(FWHM)_ASDFR_StandardResolution.txt", "Bandpass (FWHM) ASDFR", 0.008 + 0 * ASD)
    column(root / "splib07a_Bandpass_(FWHM)_ASDHR_High-Resolution.txt", "Bandpass (FWHM) ASDHR", 0.004 + 0 * ASD)
    alunite = 0.2 + 0.1 * BECKMAN
    alunite[30] = -1.23e34
    column(minerals / "splib07a_Alunite_GDS84_BECKb_AREF.txt", "Alunite GDS84 Na03            BECKb AREF", alunite)
    column(minerals / "splib07a_Alunite_GDS84_ASDFRa_AREF.txt", "Alunite GDS84 Na03            ASDFRa AREF", 0.1 * ASD)
    column(minerals / "splib07a_Quartz_HS32_ASDHRa_RREF.txt", "Quartz HS32.4B ASDHRa RREF", 0.9 - 0.1 * ASD)
    column(minerals / "splib07a_Mylar_NIC4aa_TRAN.txt", "Mylar 2-way trans NIC4aa TRAN", 0.9 - 0.1 * ASD)
    column(root / "errorbars" / "errorbars_for_splib07a_Alunite.txt", "Alunite GDS84 BECKb AREF", 0.001 * BECKMAN)
    return root


def scene_of(wavelength: np.ndarray, fwhm: float = 10.0, good: np.ndarray | None = None) -> xr.DataArray:
    values = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, len(wavelength)))
    return make_scene(values, wavelength=wavelength, fwhm=np.full(len(wavelength), fwhm), good_band=good)


def test_one_usgs_spectrum(usgs: Path) -> None:
    file = usgs / "ChapterM_Minerals" / "splib07a_Alunite_GDS84_BECKb_AREF.txt"
    bundle = open_bundle(file)
    theirs = spectral.database.usgs.SampleData.read_from_file(str(file))
    kept = np.arange(60) != 30
    assert bundle.endmember.values.tolist() == ["Alunite GDS84 Na03"]
    np.testing.assert_array_equal(bundle.values[0], np.array(theirs.values, np.float32)[kept])
    np.testing.assert_allclose(bundle.wavelength.values, 1000 * BECKMAN[kept], rtol=1e-7)
    np.testing.assert_allclose(bundle.fwhm.values, 1.0, rtol=1e-7)


@pytest.mark.parametrize(("name", "width"), [("Alunite_GDS84_ASDFRa_AREF", 8.0), ("Quartz_HS32_ASDHRa_RREF", 4.0)])
def test_widths_are_those_of_the_spectrometer(usgs: Path, name: str, width: float) -> None:
    bundle = open_bundle(usgs / "ChapterM_Minerals" / f"splib07a_{name}.txt")
    np.testing.assert_allclose(bundle.fwhm.values, width, rtol=1e-7)
    np.testing.assert_allclose(bundle.wavelength.values, 1000 * ASD, rtol=1e-7)


def test_a_usgs_folder_on_the_bands_of_a_scene(usgs: Path) -> None:
    wavelength = np.array([500.0, 800.0, 1600.0, 2200.0])
    bundle = open_bundle(usgs, scene=scene_of(wavelength))
    assert bundle.endmember.values.tolist() == ["Alunite GDS84 Na03", "Alunite GDS84 Na03", "Quartz HS32.4B"]
    um = wavelength / 1000
    np.testing.assert_allclose(bundle.values, [0.1 * um, 0.2 + 0.1 * um, 0.9 - 0.1 * um], atol=2e-4)
    np.testing.assert_array_equal(bundle.wavelength.values, wavelength)
    (note,) = bundle.attrs["reading"]
    assert note.startswith("1 file left out (splib07a_Mylar_NIC4aa_TRAN.txt): ")
    assert "transmittance" in note


def test_spectra_that_do_not_cover_the_scene_are_left_out(usgs: Path) -> None:
    bundle = open_bundle(usgs, scene=scene_of(np.array([500.0, 2200.0, 2900.0])))
    assert bundle.sizes["spectrum"] == 1
    assert "2 files left out" in bundle.attrs["reading"][0]
    assert "not over all good bands" in bundle.attrs["reading"][0]
    with pytest.raises(BundleError, match=r"3500\.0-3500\.0 nm"):
        open_bundle(usgs, scene=scene_of(np.array([500.0, 3500.0])))
    covered = scene_of(np.array([500.0, 2200.0, 3500.0]), good=np.array([True, True, False]))
    assert open_bundle(usgs, scene=covered).sizes["spectrum"] == 3


def test_a_usgs_folder_without_a_scene(usgs: Path) -> None:
    with pytest.raises(BundleError, match="different wavelengths"):
        open_bundle(usgs)
    for file in usgs.rglob("*BECKb*"):
        file.unlink()
    bundle = open_bundle(usgs)
    assert bundle.shape == (2, 44)


def test_channels_in_nanometres(tmp_path: Path) -> None:
    column(tmp_path / "s07_X_Wavelengths_nm.txt", "Wavelengths of X in nm", np.array([450.0, 550, 650]))
    column(tmp_path / "s07_X_Soil.txt", "Soil of mine", np.array([0.1, 0.2, 0.3]))
    bundle = open_bundle(tmp_path / "s07_X_Soil.txt")
    assert bundle.endmember.values.tolist() == ["Soil of mine"]
    assert bundle.wavelength.values.tolist() == [450, 550, 650]
    assert np.isnan(bundle.fwhm.values).all()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda root: (root / "splib07a_Wavelengths_BECK_Beckman_0.2-3.0_microns.txt").unlink(), "no files of 60 wave"),
        (lambda root: column(root / "b_Wavelengths_BECK_2.txt", "Wavelengths BECK", BECKMAN + 1), "2 files of 60 wave"),
        (lambda root: spoil(root, "0.2\nhalf\n"), "half"),
        (lambda root: spoil(root, ""), "without a number"),
        (lambda root: spoil(root, "-1.23e34\n" * 60), "without a wavelength that has a value"),
    ],
)
def test_damaged_usgs_files(usgs: Path, change: object, complaint: str) -> None:
    change(usgs)
    with pytest.raises(BundleError, match=complaint):
        open_bundle(usgs / "ChapterM_Minerals" / "splib07a_Alunite_GDS84_BECKb_AREF.txt")


def spoil(root: Path, content: str) -> None:
    file = root / "ChapterM_Minerals" / "splib07a_Alunite_GDS84_BECKb_AREF.txt"
    file.write_text(file.read_text().splitlines()[0] + "\n" + content)


def ecostress(file: Path, pairs: np.ndarray, **fields: str) -> Path:
    said = {
        "Name": "Construction  Concrete",
        "Type": "manmade",
        "Description": "Grey: weathered, of the runway at 12:30",
        "Measurement": "Directional (10 Degree) Hemispherical Reflectance",
        "First Column": "X",
        "Second Column": "Y",
        "X Units": "Wavelength (micrometers)",
        "Y Units": "Reflectance (percent)",
        "Number of X Values": str(len(pairs)),
        "Additional Information": "none",
    }
    said |= {name.replace("_", " "): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\n" for name, value in said.items())
    file.write_text(head + "\n" + "".join(f"{x:7.4f}\t{y:7.4f}\n" for x, y in pairs), encoding="latin-1")
    return file


FALLING = np.array([[2.5, 40.0], [1.5, 30.5], [0.5, 10.25], [0.4, 9.125]])


def test_one_ecostress_spectrum_wavelengths_falling(tmp_path: Path) -> None:
    file = ecostress(tmp_path / "a.spectrum.txt", FALLING)
    bundle = open_bundle(file)
    theirs = spectral.database.ecostress.read_ecostress_file(str(file))
    assert bundle.endmember.values.tolist() == ["Construction Concrete"]
    np.testing.assert_allclose(bundle.wavelength.values, 1000 * np.array(theirs.x))
    np.testing.assert_allclose(bundle.values[0], np.float32(theirs.y) / 100, rtol=1e-6)
    assert bundle.wavelength.values.tolist() == [400, 500, 1500, 2500]
    assert bundle.attrs["reading"] == []


def test_units_of_ecostress(tmp_path: Path) -> None:
    pairs = np.array([[400.0, 0.25], [500.0, 0.5]])
    units = {"X_Units": "Wavelength (nanometers)", "Y_Units": "Reflectance (fraction)"}
    bundle = open_bundle(ecostress(tmp_path / "a.txt", pairs, **units))
    assert bundle.wavelength.values.tolist() == [400, 500]
    assert bundle.values.tolist() == [[0.25, 0.5]]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"Y_Units": "Transmittance (percent)"}, "Transmittance"),
        ({"X_Units": "Wavenumber (cm-1)"}, "Wavenumber"),
    ],
)
def test_what_is_no_reflectance_is_refused(tmp_path: Path, fields: dict[str, str], complaint: str) -> None:
    with pytest.raises(BundleError, match=complaint):
        open_bundle(ecostress(tmp_path / "a.txt", FALLING, **fields))


def test_lines_that_are_no_pair(tmp_path: Path) -> None:
    file = ecostress(tmp_path / "a.txt", FALLING)
    file.write_text(file.read_text() + "0.0000 3.0\n 7.1\n nan nan\n-0.3 1.0\n", encoding="latin-1")
    assert open_bundle(file).sizes["band"] == 4
    file.write_text(file.read_text().replace(" 0.4000\t 9.1250\n", ""))
    bundle = open_bundle(file)
    assert bundle.sizes["band"] == 3
    assert bundle.attrs["reading"] == ["a.txt: 3 values, 4 announced"]
    ecostress(file, FALLING[:0])
    with pytest.raises(BundleError, match="without values"):
        open_bundle(file)


def test_both_libraries_in_one_folder(usgs: Path) -> None:
    ecostress(usgs / "concrete.spectrum.txt", FALLING)
    (usgs / "concrete.ancillary.txt").write_text("Name: Concrete\nmore on it\n")
    (usgs / "README.txt").write_text("read me")
    bundle = open_bundle(usgs, scene=scene_of(np.array([500.0, 1500.0]), fwhm=1.0))
    assert bundle.sizes["spectrum"] == 4
    assert bundle.endmember.values[3] == "Construction Concrete"
    np.testing.assert_allclose(bundle.values[3], [0.1025, 0.305], rtol=1e-5)


def test_folders_without_a_spectrum(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="without a spectrum"):
        open_bundle(tmp_path)
    ecostress(tmp_path / "a.txt", FALLING, Y_Units="Emissivity")
    with pytest.raises(BundleError, match="Emissivity"):
        open_bundle(tmp_path)


def test_a_scene_without_wavelengths(usgs: Path) -> None:
    with pytest.raises(BundleError, match="without wavelengths"):
        open_bundle(usgs, scene=make_scene(np.random.default_rng(0).random((2, 3, 4))))


def test_resampling_takes_off_the_width_that_a_library_has(tmp_path: Path) -> None:
    """A Gaussian line through a Gaussian response is a Gaussian line: its width and depth are known exactly."""
    wavelength = np.arange(400.0, 801.0, 1.0)

    def line(width: float) -> np.ndarray:
        return 0.8 - 0.3 * 10 / width * np.exp(-4 * np.log(2) * ((wavelength - 600) / width) ** 2)

    already = np.hypot(10.0, 12.0)
    library = make_bundle([line(already)], ["line"], wavelength=wavelength, fwhm=np.full(401, 12.0))
    write_bundle_csv(library, tmp_path / "library.csv")
    sensor = np.arange(500.0, 701.0, 10.0)
    found = open_bundle(tmp_path / "library.csv", scene=scene_of(sensor, fwhm=20.0))
    expected = np.interp(sensor, wavelength, line(np.hypot(10.0, 20.0)))
    np.testing.assert_allclose(found.values[0], expected, atol=5e-4)
    unknown = resample(library.drop_vars("fwhm"), sensor, np.full(21, 20.0))
    assert np.abs(unknown.values[0] - expected).max() > 0.01
