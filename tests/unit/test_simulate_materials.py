"""Leaves, soil and water are what their equations say."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expn

from unmixel.errors import ParameterError
from unmixel.simulate import MATERIALS, material
from unmixel.simulate.leaves import (
    Leaf,
    leaf_optics,
    parametric_leaf_optics,
    pile,
    prospect_d,
    read_leaf_optics,
    surface_transmittance,
)
from unmixel.simulate.soil import soil_over_angles
from unmixel.simulate.water import sky_over_sun, water_over_illumination

WAVELENGTH = np.linspace(400.0, 2400.0, 31)
SOIL = material("soil", WAVELENGTH)


def fresnel(theta: float, index: float) -> float:
    if theta < 1e-9:
        return 4 * index / (1 + index) ** 2
    inside = np.arcsin(np.sin(theta) / index)
    across = (np.sin(theta - inside) / np.sin(theta + inside)) ** 2
    along = (np.tan(theta - inside) / np.tan(theta + inside)) ** 2
    return 1 - (across + along) / 2


@pytest.mark.parametrize("angle", [20.0, 40.0, 59.0, 90.0])
def test_surface_transmittance_is_the_mean_of_fresnels_law(angle: float) -> None:
    largest = np.deg2rad(angle)
    for index in (1.3, 1.52):
        integral = quad(lambda t, index=index: fresnel(t, index) * np.sin(2 * t), 0, largest, limit=200)[0]
        found = surface_transmittance(np.array([index]), angle)[0]
        assert found == pytest.approx(integral / np.sin(largest) ** 2, abs=1e-6)


def test_two_and_three_plates_by_adding_one_below_another() -> None:
    r, t = np.array([0.1, 0.3, 0.05]), np.array([0.8, 0.4, 0.9])
    back, through = r, t
    for n_plates in (2, 3, 4):
        between = 1 - back * r
        back, through = back + through**2 * r / between, through * t / between
        np.testing.assert_allclose(pile(r, t, float(n_plates)), (back, through), rtol=1e-9)


def test_no_plate_and_plates_without_loss() -> None:
    r, t = np.array([0.2, 0.35]), np.array([0.7, 0.65])
    np.testing.assert_allclose(pile(r, t, 0.0), (np.zeros(2), np.ones(2)), atol=1e-12)
    back, through = pile(r, t, 2.0)
    assert through[1] == pytest.approx(0.65**2 / (1 - 0.35**2))
    assert back[1] + through[1] == pytest.approx(1.0)
    near = pile(np.array([0.35]), np.array([0.65 - 1e-6]), 2.0)
    np.testing.assert_allclose(near, ([back[1]], [through[1]]), atol=1e-5)


def test_a_leaf_of_two_plates_by_tracing_light() -> None:
    """The two plates one below the other, with the light inside each followed bounce by bounce."""
    optics = parametric_leaf_optics()
    leaf = Leaf(structure=2.0)
    reflectance, transmittance = prospect_d(leaf, optics)
    for band in (20, 150, 280, 500, 1040, 1500, 1900):
        k = sum(getattr(leaf, name) * values[band] for name, values in optics.absorption.items()) / 2
        tau = 2 * expn(3, k)
        index = optics.refractive_index[band : band + 1]
        inward = {angle: surface_transmittance(index, angle)[0] for angle in (40.0, 90.0)}
        outward = inward[90.0] / index[0] ** 2

        def plate(entering: float, tau: float = tau, outward: float = outward) -> tuple[float, float]:
            back, through, light = 1 - entering, 0.0, entering
            for _ in range(400):
                light *= tau
                through, light = through + light * outward, light * (1 - outward) * tau
                back, light = back + light * outward, light * (1 - outward)
            return back, through

        (top_back, top_through), (back, through) = plate(inward[40.0]), plate(inward[90.0])
        between = 1 - back * back
        assert reflectance[band] == pytest.approx(top_back + top_through * back * through / between, rel=1e-6)
        assert transmittance[band] == pytest.approx(top_through * through / between, rel=1e-6)


def test_a_leaf_neither_makes_light_nor_loses_it_without_absorption() -> None:
    optics = parametric_leaf_optics()
    empty = Leaf(structure=1.8, chlorophyll=0.0, carotenoids=0.0, anthocyanins=0.0, water=0.0, dry_matter=0.0)
    reflectance, transmittance = prospect_d(empty, optics)
    np.testing.assert_allclose(reflectance + transmittance, 1.0, atol=1e-6)
    for leaf in (Leaf(), Leaf(structure=2.8, brown=1.0), Leaf(water=0.05)):
        reflectance, transmittance = prospect_d(leaf, optics)
        assert (reflectance > 0).all()
        assert (transmittance > 0).all()
        assert (reflectance + transmittance < 1).all()


@pytest.mark.parametrize(
    ("content", "low", "high"),
    [("chlorophyll", 550, 720), ("carotenoids", 450, 500), ("anthocyanins", 520, 570), ("water", 1400, 1500)],
)
def test_more_of_a_content_darkens_where_it_absorbs(content: str, low: float, high: float) -> None:
    optics = leaf_optics()
    little, much = (prospect_d(Leaf(**{content: f * getattr(Leaf(), content)}), optics)[0] for f in (0.5, 2.0))
    between = (optics.wavelength >= low) & (optics.wavelength <= high)
    assert (much[between] < little[between]).all()


@pytest.mark.skipif(find_spec("prosail") is None, reason="the constants are in the optional package prosail")
def test_the_measured_constants_make_a_leaf() -> None:
    optics = leaf_optics()
    assert optics.source == "prosail: prospect_d_spectra.txt"
    assert (optics.wavelength[0], optics.wavelength[-1]) == (400.0, 2500.0)
    reflectance, _ = prospect_d(Leaf(), optics)
    at = dict(zip(optics.wavelength.astype(int), reflectance, strict=True))
    assert at[680] < 0.08 < at[550] < 0.2
    assert 0.4 < at[850] < 0.55
    assert at[1940] < 0.15 < at[1650]


def test_without_the_package_there_is_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmixel.simulate.leaves.find_spec", lambda name: None)
    assert leaf_optics().source == "parametric stand-in"


def test_a_table_is_read_by_column_and_others_are_refused(tmp_path: Path) -> None:
    table = np.column_stack([np.arange(400.0, 410.0), *(np.full(10, float(i)) for i in range(1, 8))])
    np.savetxt(tmp_path / "table.txt", table)
    optics = read_leaf_optics(tmp_path / "table.txt")
    assert {name: float(values[3]) for name, values in optics.absorption.items()} == {
        "chlorophyll": 2, "carotenoids": 3, "anthocyanins": 4, "brown": 5, "water": 6, "dry_matter": 7,
    }  # fmt: skip
    np.savetxt(tmp_path / "narrow.txt", table[:, :4])
    for name in ("narrow.txt", "missing.txt"):
        with pytest.raises(ParameterError, match=r"eight columns"):
            read_leaf_optics(tmp_path / name)


@pytest.mark.parametrize("changes", [{"structure": 0.5}, {"water": -0.1}])
def test_impossible_leaves_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="structure of at least 1"):
        prospect_d(Leaf(**changes), parametric_leaf_optics())


def test_soil_at_the_inverted_geometry_comes_back() -> None:
    made = soil_over_angles(SOIL, (30.0, 5.0), [(0.0, 5.0), (30.0, 5.0), (60.0, 5.0), (80.0, 5.0)])
    np.testing.assert_allclose(made[1], SOIL, rtol=1e-12)
    assert (np.diff(made, axis=0) > 0).all()
    again = soil_over_angles(made[3], (80.0, 5.0), [(30.0, 5.0)])
    np.testing.assert_allclose(again[0], SOIL, rtol=1e-9)


def test_water_is_scaled_by_its_light() -> None:
    water = material("water", WAVELENGTH)
    made = water_over_illumination(water, WAVELENGTH, 40.0, [0.0, 40.0, 90.0])
    np.testing.assert_allclose(made[1], water, rtol=1e-12)
    for band, nm in enumerate(WAVELENGTH):
        sky = 0.12 * (550.0 / nm) ** 3
        assert made[0, band] == pytest.approx(water[band] * (1 + sky) / (np.cos(np.deg2rad(40.0)) + sky))
        assert made[2, band] == pytest.approx(water[band] * sky / (np.cos(np.deg2rad(40.0)) + sky))
    assert (np.diff(sky_over_sun(WAVELENGTH)) < 0).all()


def test_impossible_angles_and_reflectances_are_refused() -> None:
    for geometry in ((90.0, 0.0), (-1.0, 0.0)):
        with pytest.raises(ParameterError, match="below 90"):
            soil_over_angles(SOIL, (30.0, 0.0), [geometry])
    with pytest.raises(ParameterError, match="0 to 1"):
        soil_over_angles(3 * SOIL, (30.0, 0.0), [(10.0, 0.0)])
    with pytest.raises(ParameterError, match="95"):
        water_over_illumination(SOIL, WAVELENGTH, 30.0, [95.0])


def test_there_are_bright_and_dark_minerals() -> None:
    bright, dark = material("gypsum", WAVELENGTH), material("basalt", WAVELENGTH)
    assert bright.mean() > 5 * dark.mean()
    assert {"kaolinite", "hematite"} <= set(MATERIALS)
