"""Exact least squares with abundance constraints against other solvers and known answers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import quadprog
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.errors import BundleError
from unmixel.solvers import active_set, fcls, kkt_residual, nnls, scaled_nnls

SOLVERS = [(fcls, True), (nnls, False)]


def simulate(
    n_pixels: int, n_endmembers: int, n_bands: int, *, noise: float = 0.1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    endmembers = rng.random((n_endmembers, n_bands))
    abundances = rng.dirichlet(np.full(n_endmembers, 0.4), size=n_pixels)
    pixels = abundances @ endmembers + noise * rng.normal(size=(n_pixels, n_bands))
    return pixels, endmembers, abundances


def by_quadprog(pixel: np.ndarray, endmembers: np.ndarray, sum_to_one: bool) -> np.ndarray:
    n = len(endmembers)
    constraints, bounds = np.eye(n), np.zeros(n)
    if sum_to_one:
        constraints, bounds = np.column_stack([np.ones(n), constraints]), np.append(1.0, bounds)
    return quadprog.solve_qp(endmembers @ endmembers.T, endmembers @ pixel, constraints, bounds, int(sum_to_one))[0]


@pytest.mark.parametrize(("solver", "sum_to_one"), SOLVERS)
@pytest.mark.parametrize(("n_endmembers", "n_bands"), [(2, 7), (3, 40), (4, 200), (6, 31), (8, 50), (11, 60)])
def test_agrees_with_quadprog(solver, sum_to_one, n_endmembers, n_bands):
    pixels, endmembers, _ = simulate(200, n_endmembers, n_bands, noise=0.2)
    expected = np.stack([by_quadprog(pixel, endmembers, sum_to_one) for pixel in pixels])
    found = solver(pixels, endmembers)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert 0.02 < (found == 0).mean() < 0.98, "some constraints should be active, and some not"


def test_agrees_with_scipy_on_single_precision():
    pixels, endmembers, _ = simulate(300, 5, 33, noise=0.3)
    pixels, endmembers = pixels.astype(np.float32), endmembers.astype(np.float32)
    expected = [scipy.optimize.nnls(endmembers.T.astype(float), pixel.astype(float))[0] for pixel in pixels]
    np.testing.assert_allclose(nnls(pixels, endmembers), expected, atol=1e-11)


@pytest.mark.parametrize("n_endmembers", [2, 4, 8, 9, 12])
def test_recovers_noise_free_mixtures(n_endmembers):
    pixels, endmembers, abundances = simulate(500, n_endmembers, 60, noise=0)
    brightness = np.random.default_rng(1).uniform(0.2, 3, size=(500, 1))
    np.testing.assert_allclose(fcls(pixels, endmembers), abundances, atol=1e-11)
    np.testing.assert_allclose(nnls(pixels * brightness, endmembers), abundances * brightness, atol=1e-11)
    np.testing.assert_allclose(scaled_nnls(pixels * brightness, endmembers), abundances, atol=1e-11)


@settings(max_examples=60, deadline=None)
@given(
    n_endmembers=st.integers(2, 12),
    n_bands=st.integers(2, 40),
    noise=st.sampled_from([0.0, 0.01, 0.3, 3.0]),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
    seed=st.integers(0, 2**31),
)
def test_is_optimal(n_endmembers, n_bands, noise, scale, seed):
    pixels, endmembers, _ = simulate(40, n_endmembers, n_bands, noise=noise, seed=seed)
    pixels, endmembers = pixels * scale, endmembers * scale
    for solver, sum_to_one in SOLVERS:
        abundances = solver(pixels, endmembers)
        assert kkt_residual(pixels, endmembers, abundances, sum_to_one=sum_to_one).max() < 1e-10
        assert abundances.min() >= 0
    assert np.abs(fcls(pixels, endmembers).sum(axis=1) - 1).max() < 1e-14


def dependent_endmembers(case: str) -> np.ndarray:
    base = np.random.default_rng(5).random((4, 30))
    noise = np.random.default_rng(6).normal(size=(4, 30))
    return {
        "duplicates": np.vstack([base, base[:2]]),
        "a mixture of others": np.vstack([base, 0.3 * base[:1] + 0.7 * base[1:2]]),
        "a darker copy": np.vstack([base, 0.5 * base[:1]]),
        "a black one": np.vstack([base, 0 * base[:1]]),
        "all the same": np.repeat(base[:1], 3, axis=0),
        "nearly duplicates": np.vstack([base, base + 1e-8 * noise]),
        "hardly different": base[0] + 1e-5 * noise,
        "fewer bands than endmembers": np.random.default_rng(7).random((9, 5)),
        "more than fit in a bit mask": np.random.default_rng(8).random((70, 40)),
    }[case]


@pytest.mark.parametrize(("solver", "sum_to_one"), SOLVERS)
@pytest.mark.parametrize(
    "case",
    [
        "duplicates",
        "a mixture of others",
        "a darker copy",
        "a black one",
        "all the same",
        "nearly duplicates",
        "hardly different",
        "fewer bands than endmembers",
        "more than fit in a bit mask",
    ],
)
def test_dependent_endmembers_still_give_an_optimum(solver, sum_to_one, case):
    endmembers = dependent_endmembers(case)
    rng = np.random.default_rng(9)
    for noise in (0, 0.05):
        pixels = rng.dirichlet(np.full(len(endmembers), 0.3), size=60) @ endmembers
        pixels = pixels + noise * rng.normal(size=pixels.shape)
        abundances = solver(pixels, endmembers)
        assert kkt_residual(pixels, endmembers, abundances, sum_to_one=sum_to_one).max() < 1e-9


def test_two_endmembers_have_a_closed_form():
    pixels, endmembers, _ = simulate(400, 2, 9, noise=0.5)
    direction = endmembers[0] - endmembers[1]
    share = np.clip((pixels - endmembers[1]) @ direction / (direction @ direction), 0, 1)
    np.testing.assert_allclose(fcls(pixels, endmembers), np.column_stack([share, 1 - share]), atol=1e-12)


def test_a_pixel_equal_to_an_endmember_is_pure():
    _, endmembers, _ = simulate(1, 5, 20)
    np.testing.assert_allclose(fcls(endmembers, endmembers), np.eye(5), atol=1e-13)
    np.testing.assert_allclose(scaled_nnls(3 * endmembers, endmembers), np.eye(5), atol=1e-13)


def test_black_pixels():
    _, endmembers, _ = simulate(1, 4, 20)
    black = np.zeros((3, 20))
    assert (nnls(black, endmembers) == 0).all()
    assert (scaled_nnls(black, endmembers) == 0.25).all()
    np.testing.assert_allclose(fcls(black, endmembers)[0], by_quadprog(black[0], endmembers, True), atol=1e-12)


@pytest.mark.parametrize("solver", [fcls, nnls, scaled_nnls])
def test_any_number_of_pixels_and_one_endmember(solver):
    pixels, endmembers, _ = simulate(3, 4, 20)
    assert solver(pixels[:0], endmembers).shape == (0, 4)
    assert solver(pixels[:1], endmembers).shape == (1, 4)
    assert solver(np.abs(pixels), endmembers[:1]).shape == (3, 1)
    assert (fcls(pixels, endmembers[:1]) == 1).all()


@pytest.mark.parametrize("solver", [fcls, nnls, scaled_nnls])
@pytest.mark.parametrize("invalid", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_stay_out_of_the_others(solver, invalid):
    pixels, endmembers, _ = simulate(700, 4, 20)
    expected = solver(pixels, endmembers)
    pixels[[3, 500], [7, 0]] = invalid
    found = solver(pixels, endmembers)
    assert np.isnan(found[[3, 500]]).all()
    others = np.delete(np.arange(700), [3, 500])
    np.testing.assert_array_equal(found[others], expected[others])


@pytest.mark.parametrize("solver", [fcls, nnls])
@pytest.mark.parametrize("n_endmembers", [3, 8, 10])
def test_a_pixel_does_not_depend_on_the_others_bit_for_bit(solver, n_endmembers):
    pixels, endmembers, _ = simulate(9000, n_endmembers, 156, noise=0.2)
    pixels = pixels.astype(np.float32)
    whole = solver(pixels, endmembers)
    for part in (slice(0, 1), slice(8999, 9000), slice(17, 1500), slice(8000, 9000), slice(5, 9000, 37)):
        np.testing.assert_array_equal(solver(pixels[part], endmembers), whole[part])


def test_permuting_the_endmembers_permutes_the_abundances():
    pixels, endmembers, _ = simulate(300, 5, 40)
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(fcls(pixels, endmembers[order]), fcls(pixels, endmembers)[:, order], atol=1e-12)


def test_residual_sees_every_kind_of_error():
    pixels, endmembers, _ = simulate(50, 4, 20)
    exact = fcls(pixels, endmembers)
    shifted = exact.copy()
    shifted[:, 0] += 1e-3
    equal = np.full_like(exact, 0.25)
    negative = exact + np.array([-2.0, 2.0, 0.0, 0.0])
    for wrong in (shifted, equal, negative):
        assert kkt_residual(pixels, endmembers, wrong, sum_to_one=True).min() > 1e-4
    assert kkt_residual(pixels, endmembers, 1.01 * nnls(pixels, endmembers), sum_to_one=False).min() > 1e-4


def test_bad_endmembers_are_refused():
    pixels, endmembers, _ = simulate(3, 4, 20)
    endmembers[1, 2] = np.nan
    with pytest.raises(BundleError, match="1 values not finite"):
        fcls(pixels, endmembers)
    with pytest.raises(BundleError, match="0 endmembers over 20 bands"):
        nnls(pixels, endmembers[:0])


def test_a_wrong_answer_for_a_single_pixel_is_never_returned(monkeypatch):
    pixels, endmembers, _ = simulate(3, 70, 40)
    monkeypatch.setattr(active_set, "lawson_hanson", lambda matrix, target: (np.ones(70), 0.0))
    for solver in (fcls, nnls):
        with pytest.raises(BundleError, match="optimality residual"):
            solver(pixels, endmembers)


def test_a_single_pixel_without_an_answer_is_reported(monkeypatch):
    def gives_up(matrix, target):
        raise RuntimeError("Maximum number of iterations reached.")

    pixels, endmembers, _ = simulate(3, 70, 40)
    monkeypatch.setattr(active_set, "lawson_hanson", gives_up)
    with pytest.raises(BundleError, match="Maximum number of iterations"):
        nnls(pixels, endmembers)


def test_other_bands_are_refused_also_without_shape_checks():
    program = (
        "import numpy as np; from unmixel.solvers import fcls; from unmixel.errors import BundleError\n"
        "try: fcls(np.ones((2, 3)), np.ones((2, 4)))\n"
        "except BundleError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "endmembers of 4 bands for pixels of 3; expected the same bands"
