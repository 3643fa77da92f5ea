"""Nonlinear mixing laws against loops, series, bisection and their limits."""

from __future__ import annotations

from math import cos, radians, sqrt

import numpy as np
import pytest
from scipy.optimize import brentq

from unmixel.mixing import (
    albedo_of_reflectance,
    intimate,
    linear,
    multilinear,
    postnonlinear,
    reflectance_of_albedo,
)

GEOMETRIES = [(0.0, 0.0), (30.0, 0.0), (80.0, 15.0)]


@pytest.fixture
def mixture() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.dirichlet(np.ones(4), 6), rng.uniform(0.02, 0.9, (4, 9)), rng.uniform(0.1, 0.8, 6)


def hapke(albedo: float, incidence: float, viewing: float) -> float:
    gamma = sqrt(1 - albedo)
    return albedo / (1 + 2 * cos(radians(incidence)) * gamma) / (1 + 2 * cos(radians(viewing)) * gamma)


def test_postnonlinear_is_its_sum(mixture: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    abundances, endmembers, curvature = mixture
    mixed = postnonlinear(abundances, endmembers, curvature)
    for n in range(6):
        for band in range(9):
            single = sum(abundances[n, k] * endmembers[k, band] for k in range(4))
            square = sum(
                abundances[n, j] * abundances[n, k] * endmembers[j, band] * endmembers[k, band]
                for j in range(4)
                for k in range(4)
            )
            assert mixed[n, band] == pytest.approx(single + curvature[n] * square)


def test_multilinear_is_the_sum_over_all_orders(mixture: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    abundances, endmembers, probability = mixture
    mixed = multilinear(abundances, endmembers, probability)
    for n in range(6):
        single = sum(abundances[n, k] * endmembers[k] for k in range(4))
        series = sum((1 - probability[n]) * probability[n] ** (order - 1) * single**order for order in range(1, 400))
        np.testing.assert_allclose(mixed[n], series)


def test_multilinear_darkens_and_keeps_the_energy(mixture: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    abundances, endmembers, probability = mixture
    single, mixed = linear(abundances, endmembers), multilinear(abundances, endmembers, probability)
    assert (mixed < single).all()
    assert (mixed > 0).all()
    np.testing.assert_allclose(multilinear(abundances, np.ones((4, 9)), probability), 1.0)


def test_without_nonlinearity_the_laws_are_linear(mixture: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    abundances, endmembers, _ = mixture
    expected = linear(abundances, endmembers)
    np.testing.assert_array_equal(postnonlinear(abundances, endmembers, np.zeros(6)), expected)
    np.testing.assert_array_equal(multilinear(abundances, endmembers, np.zeros(6)), expected)


@pytest.mark.parametrize(("incidence", "viewing"), GEOMETRIES)
def test_albedo_is_the_root_of_the_law(incidence: float, viewing: float) -> None:
    reflectance = np.linspace(0.003, 0.99, 31)
    found = albedo_of_reflectance(reflectance, incidence, viewing)
    for value, albedo in zip(reflectance, found, strict=True):
        root = brentq(lambda w, value=value: hapke(w, incidence, viewing) - value, 0.0, 1.0, xtol=1e-14)
        assert albedo == pytest.approx(root, rel=1e-9)
    np.testing.assert_allclose(reflectance_of_albedo(found, incidence, viewing), reflectance, rtol=1e-12)


def test_a_lower_sun_makes_grains_brighter_beside_the_reference() -> None:
    levels = [reflectance_of_albedo(np.array([0.2, 0.7, 0.95]), angle) for angle in (0.0, 20.0, 40.0, 60.0, 80.0)]
    assert (np.diff(levels, axis=0) > 0).all()


@pytest.mark.parametrize(("incidence", "viewing"), GEOMETRIES)
def test_intimate_mixing_by_hand(
    mixture: tuple[np.ndarray, np.ndarray, np.ndarray], incidence: float, viewing: float
) -> None:
    abundances, endmembers, _ = mixture
    albedos = [
        [brentq(lambda w, m=m: hapke(w, incidence, viewing) - m, 0.0, 1.0, xtol=1e-14) for m in spectrum]
        for spectrum in endmembers
    ]
    expected = [
        [hapke(sum(a[k] * albedos[k][band] for k in range(4)), incidence, viewing) for band in range(9)]
        for a in abundances
    ]
    np.testing.assert_allclose(intimate(abundances, endmembers, incidence, viewing), expected, rtol=1e-9)


def test_intimate_mixing_of_equals_and_of_dark_with_bright() -> None:
    abundances = np.array([[0.2, 0.8], [1.0, 0.0], [0.5, 0.5]])
    equal = np.full((2, 5), 0.37)
    np.testing.assert_allclose(intimate(abundances, equal), 0.37, rtol=1e-12)
    unequal = np.array([[0.05, 0.1], [0.6, 0.8]])
    mixed, plain = intimate(abundances, unequal), linear(abundances, unequal)
    assert (mixed[[0, 2]] < plain[[0, 2]]).all()
    np.testing.assert_allclose(mixed[1], plain[1], rtol=1e-12)


def test_endmembers_of_each_pixel_and_float32(mixture: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    abundances, endmembers, strength = mixture
    own = endmembers * np.linspace(0.5, 1.0, 6)[:, None, None]
    for n in range(6):
        alone = slice(n, n + 1)
        np.testing.assert_allclose(
            postnonlinear(abundances, own, strength)[alone],
            postnonlinear(abundances[alone], own[n], strength[alone]),
        )
        np.testing.assert_allclose(
            multilinear(abundances, own, strength)[alone],
            multilinear(abundances[alone], own[n], strength[alone]),
        )
        np.testing.assert_allclose(intimate(abundances, own)[alone], intimate(abundances[alone], own[n]))
    small = [array.astype(np.float32) for array in (abundances, endmembers, strength)]
    assert postnonlinear(*small).dtype == np.float32
    assert multilinear(*small).dtype == np.float32
    assert intimate(small[0], small[1]).dtype == np.float32
