"""PRISMA L2D: what its file says comes out exactly, and damaged files and other levels are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import prisma_scene as made
import pytest
from affine import Affine
from rasterio.crs import CRS

from unmixel.errors import SceneError
from unmixel.io import open_scene
from unmixel.io.lazy import open_lazily
from unmixel.io.products import prisma, product_of
from unmixel.scene import crs_wkt_of, transform_of, valid_pixels

ORDER = np.argsort(made.READ)


def test_a_prisma_scene_is_what_the_product_says(tmp_path: Path) -> None:
    scene = open_scene(made.write(tmp_path / "scene.he5"))
    valid = np.ones((made.ROWS, made.COLUMNS), dtype=bool)
    for place in (made.EMPTY, made.ZERO_IN_A_BAND, made.INVALID_IN_L1, made.NEGATIVE):
        valid[place] = False
    np.testing.assert_array_equal(valid_pixels(scene), valid)
    good = np.array(made.GOOD)[ORDER]
    np.testing.assert_array_equal(scene["good_band"].values, good)
    expected = made.reflectance()[:, :, ORDER]
    np.testing.assert_allclose(scene.values[valid][:, good], expected[valid][:, good], rtol=0, atol=1e-7)
    np.testing.assert_array_equal(scene["wavelength"].values, np.sort(made.READ))
    widths = {w: f for name in made.FWHM for w, f in zip(made.WAVELENGTH[name], made.FWHM[name], strict=True)}
    np.testing.assert_array_equal(scene["fwhm"].values, [widths[wavelength] for wavelength in np.sort(made.READ)])
    reading = scene.attrs["reading"]
    assert reading[:2] == ["PRISMA L2D surface reflectance", "acquired 2020-05-24T10:37:04Z"]
    assert "stored values 0 to 65535 stand for reflectance 0 to 1.25 (VNIR) and -0.05 to 0.9 (SWIR)" in reading
    assert "1 SWIR band left out: the VNIR detector sees the same light (951 to 970 nm)" in reading
    assert "2 VNIR bands not there (wavelength 0), and not read" in reading
    assert "1 SWIR band flagged as unused by the product" in reading
    said = (
        "error matrices, by 34 pixels in 5 rows: 8.8% masked (no data, saturated, or flagged in more than 5% of the "
        "bands), 0.0% kept with single flagged values; most often: 800 nm (2.9%), 1600 nm (2.9%), 1100 nm (2.9%)"
    )
    assert said in reading


def flagged_scene(
    path: Path, value: int, places: dict[tuple[int, int], int], stored_as: int | None = None
) -> np.ndarray:
    """Return which pixels are valid where some of their SWIR bands are flagged, from the first window of the air on."""

    def change(stored: dict[str, np.ndarray], flags: dict[str, np.ndarray]) -> None:
        for (row, column), n_bands in places.items():
            flags["Swir"][row, :n_bands, column] = value
            if stored_as is not None:
                stored["Swir"][row, :n_bands, column] = stored_as

    return valid_pixels(open_scene(made.write_long_spectra(path, change)))


@pytest.mark.parametrize("value", [1, 2], ids=["invalid_in_l1", "negative"])
def test_a_pixel_flagged_in_few_bands_is_kept_and_one_flagged_in_many_is_masked(tmp_path: Path, value: int) -> None:
    """Of 100 bands 10 are in the air: 5 % of 90 are 4.5."""
    valid = flagged_scene(tmp_path / "scene.he5", value, {(2, 3): 4, (5, 6): 5})
    assert np.argwhere(~valid).tolist() == [[5, 6]]


@pytest.mark.parametrize("value", [3, 4, 255], ids=["saturated", "unknown", "largest"])
def test_a_saturated_value_masks_its_pixel(tmp_path: Path, value: int) -> None:
    assert np.argwhere(~flagged_scene(tmp_path / "scene.he5", value, {(2, 3): 1})).tolist() == [[2, 3]]


@pytest.mark.parametrize(("value", "is_valid"), [(0, False), (1, False), (2, True), (3, False)])
def test_a_stored_zero_is_no_data_unless_it_is_flagged_as_negative(tmp_path: Path, value: int, is_valid: bool) -> None:
    valid = flagged_scene(tmp_path / "scene.he5", value, {(2, 3): 1}, stored_as=0)
    assert np.argwhere(~valid).tolist() == ([] if is_valid else [[2, 3]])


def test_bands_in_the_air_do_not_count_against_a_pixel(tmp_path: Path) -> None:
    def change(stored: dict[str, np.ndarray], flags: dict[str, np.ndarray]) -> None:
        centres = np.linspace(2480, 980, 60)
        air = ((centres >= 1350) & (centres <= 1450)) | ((centres >= 1800) & (centres <= 1950))
        flags["Swir"][3, air, :4] = 1
        stored["Swir"][3, air, :4] = 0

    path = made.write_long_spectra(tmp_path / "scene.he5", change)
    assert valid_pixels(open_scene(path)).all()
    assert np.argwhere(~valid_pixels(open_scene(path, keep_atmosphere=True))).tolist() == [[3, k] for k in range(4)]


@pytest.mark.parametrize(("n_rows", "is_good"), [(6, True), (7, False)], ids=["in_half", "in_more"])
def test_a_band_flagged_in_most_pixels_is_left_out_and_masks_none(tmp_path: Path, n_rows: int, is_good: bool) -> None:
    def change(stored: dict[str, np.ndarray], flags: dict[str, np.ndarray]) -> None:
        stored["Swir"][:n_rows, 5] = 0
        flags["Vnir"][:, 9] = 3

    scene = open_scene(made.write_long_spectra(tmp_path / "scene.he5", change))
    wavelength = scene["wavelength"].values
    left_out = [float(each) for each in np.linspace(960, 410, 40)[[9]].astype(np.float32)]
    if not is_good:
        left_out.append(float(np.float32(np.linspace(2480, 980, 60)[5])))
    air = ((wavelength >= 1350) & (wavelength <= 1450)) | ((wavelength >= 1800) & (wavelength <= 1950))
    np.testing.assert_array_equal(~scene["good_band"].values, np.isin(wavelength, left_out) | air)
    assert valid_pixels(scene).sum() == (60 if is_good else 120)
    said = [line for line in scene.attrs["reading"] if "flagged or without data" in line]
    expected = "833 nm (100.0%)" if is_good else "833 nm (100.0%), 2353 nm (58.3%)"
    bands = "1 band" if is_good else "2 bands"
    assert said == [f"{bands} left out, flagged or without data in more than half of the pixels: {expected}"]


def test_error_matrices_are_the_same_by_windows(tmp_path: Path) -> None:
    def change(stored: dict[str, np.ndarray], flags: dict[str, np.ndarray]) -> None:
        rng = np.random.default_rng(4)
        for name in stored:
            flags[name][:] = rng.choice([0, 1, 2, 3], flags[name].shape, p=[0.98, 0.0095, 0.0095, 0.001])

    path = made.write_long_spectra(tmp_path / "scene.he5", change)
    whole, lazy = open_scene(path), open_lazily(path, memory=1)
    assert 0 < valid_pixels(whole).sum() < whole.shape[0] * whole.shape[1]
    for window in lazy.windows():
        rows, columns = window.slices
        np.testing.assert_array_equal(lazy.read(window).values, whole.values[rows, columns])


def test_corners_are_centres_of_pixels(tmp_path: Path) -> None:
    scene = open_scene(made.write(tmp_path / "scene.he5"))
    assert transform_of(scene) == Affine(30, 0, 300_000, 0, -30, 6_000_000)
    assert CRS.from_wkt(crs_wkt_of(scene)).to_epsg() == 32733
    assert "corner coordinates of the product taken as the centres of the corner pixels" in scene.attrs["reading"]
    assert (scene["x"].values[0], scene["y"].values[0]) == (300_015, 5_999_985)


def test_corners_are_outer_ones_where_they_are_so_far_apart(tmp_path: Path) -> None:
    path = made.write(tmp_path / "scene.he5")
    with h5py.File(path, "a") as file:
        file.attrs["Product_LRcorner_easting"] = 300_015.0 + 30 * made.COLUMNS
        file.attrs["Product_LRcorner_northing"] = 5_999_985.0 - 30 * made.ROWS
    assert transform_of(open_scene(path)) == Affine(30, 0, 300_015, 0, -30, 5_999_985)


@pytest.mark.parametrize("metres", [0.5, -1.0, 7.0])
def test_rounded_corners_still_place_the_scene(tmp_path: Path, metres: float) -> None:
    path = made.write(tmp_path / "scene.he5")
    with h5py.File(path, "a") as file:
        file.attrs["Product_LRcorner_easting"] = 300_015.0 + 30 * (made.COLUMNS - 1) + metres
    scene = open_scene(path)
    assert transform_of(scene) == Affine(30, 0, 300_000, 0, -30, 6_000_000)
    assert (
        "corner coordinates of the product taken as the centres of the corner pixels; "
        f"they fit 7 x 5 pixels of 30 m to {abs(metres) / 30:.2f} pixels" in scene.attrs["reading"]
    )


@pytest.mark.parametrize("metres", [7.6, 15.0, 22.0])
def test_corners_that_could_be_either_do_not_place_the_scene(tmp_path: Path, metres: float) -> None:
    path = made.write(tmp_path / "scene.he5")
    with h5py.File(path, "a") as file:
        file.attrs["Product_LRcorner_easting"] = 300_015.0 + 30 * (made.COLUMNS - 1) + metres
    assert transform_of(open_scene(path)) is None


@pytest.mark.parametrize("change", [{"Epsg_Code": 1}, {"Product_LRcorner_easting": 9e9}, {"Epsg_Code": np.nan}])
def test_a_place_that_cannot_be_is_not_used(tmp_path: Path, change: dict[str, float]) -> None:
    path = made.write(tmp_path / "scene.he5")
    with h5py.File(path, "a") as file:
        file.attrs.update(change)
    scene = open_scene(path)
    assert transform_of(scene) is None
    assert crs_wkt_of(scene) is None
    assert any(line.startswith("no place on the map") for line in scene.attrs["reading"])


def test_without_error_matrices_only_zeros_are_invalid(tmp_path: Path) -> None:
    path = made.write(tmp_path / "scene.he5")
    with h5py.File(path, "a") as file:
        for name in ("VNIR", "SWIR"):
            del file[f"{made.FIELDS}/{name}_PIXEL_L2_ERR_MATRIX"]
    scene = open_scene(path)
    assert np.argwhere(~valid_pixels(scene)).tolist() == [list(made.EMPTY), list(made.ZERO_IN_A_BAND)]
    assert "no error matrix of SWIR in the file: only values of 0 are made invalid" in scene.attrs["reading"]


@pytest.mark.parametrize(
    ("level", "what"), [("L1", "radiance"), ("L2B", "radiance"), ("L2C", "geometry of the sensor")]
)
def test_other_levels_are_refused(tmp_path: Path, level: str, what: str) -> None:
    path = tmp_path / "scene.he5"
    with h5py.File(path, "w") as file:
        file.create_group(f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields")
    with pytest.raises(SceneError, match=f"PRISMA {level}, .*{what}.*expected PRISMA L2D"):
        open_scene(path)


def cube_of(shape: tuple[int, ...], dtype: str = "u2") -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[f"{made.FIELDS}/VNIR_Cube"]
        file.create_dataset(f"{made.FIELDS}/VNIR_Cube", shape=shape, dtype=dtype, chunks=(1,) * len(shape))

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda file: file.__delitem__(f"{made.FIELDS}/SWIR_Cube"), "SWIR_Cube"),
        (lambda file: file.attrs.__delitem__("List_Cw_Swir"), "no numbers in 'List_Cw_Swir'"),
        (lambda file: file.attrs.__delitem__("L2ScaleVnirMax"), "L2ScaleVnirMax"),
        (lambda file: file.attrs.update({"L2ScaleVnirMax": np.inf}), "L2ScaleVnirMax"),
        (lambda file: file.attrs.update({"L2ScaleVnirMax": -1.0}), "from 0 to -1"),
        (lambda file: file.attrs.update({"List_Cw_Vnir": [500.0]}), "1 numbers in 'List_Cw_Vnir'"),
        (lambda file: file.attrs.update({"List_Cw_Vnir": "500"}), "no numbers in 'List_Cw_Vnir'"),
        (lambda file: file.attrs.update({"List_Cw_Vnir": np.zeros(6)}), "no wavelength in List_Cw_Vnir"),
        (lambda file: file.attrs.update({"List_Cw_Vnir": np.full(6, np.inf)}), "wavelengths"),
        (cube_of((5, 6)), "3 dimensions"),
        (cube_of((5, 6, 7), "f4"), "whole numbers"),
        (cube_of((5, 6, 8)), "another shape"),
        (cube_of((10**6, 6, 10**6)), "claims 12 TB"),
    ],
)
def test_a_damaged_product_is_one_clear_error(
    tmp_path: Path, change: Callable[[h5py.File], None], complaint: str
) -> None:
    path = made.write(tmp_path / "scene.he5")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(SceneError, match=complaint):
        open_scene(path)


def test_a_file_that_ends_early_is_one_clear_error(tmp_path: Path) -> None:
    whole = made.write(tmp_path / "scene.he5").read_bytes()
    path = tmp_path / "cut.he5"
    for length in range(0, len(whole), len(whole) // 9):
        path.write_bytes(whole[:length])
        with pytest.raises(SceneError):
            open_scene(path)


def test_what_is_no_prisma_is_not_claimed(tmp_path: Path) -> None:
    path = tmp_path / "other.he5"
    with h5py.File(path, "w") as file:
        file.create_group("HDFEOS/SWATHS/HYP")
    assert product_of(path) is None
    path.write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    assert not prisma.is_mine(path)
    assert not prisma.is_mine(tmp_path)
    assert not prisma.is_mine(tmp_path / "nothing")
