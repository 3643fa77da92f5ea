"""Mixing laws against a sum written out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.mixing import fan, generalised_bilinear, linear


@pytest.fixture
def mixture() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.dirichlet(np.ones(4), 6), rng.random((4, 9)), rng.random((6, 6))


def by_hand(abundances: np.ndarray, endmembers: np.ndarray, gamma: dict[tuple[int, int], float]) -> np.ndarray:
    total = sum(abundances[k] * endmembers[k] for k in range(4))
    for (j, k), strength in gamma.items():
        total = total + strength * abundances[j] * abundances[k] * endmembers[j] * endmembers[k]
    return total


PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_every_law_is_its_sum(mixture: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    abundances, endmembers, gammas = mixture
    for n in range(6):
        strengths = dict(zip(PAIRS, gammas[n], strict=True))
        np.testing.assert_allclose(linear(abundances, endmembers)[n], by_hand(abundances[n], endmembers, {}))
        np.testing.assert_allclose(
            fan(abundances, endmembers)[n], by_hand(abundances[n], endmembers, dict.fromkeys(PAIRS, 1.0))
        )
        np.testing.assert_allclose(
            generalised_bilinear(abundances, endmembers, gammas)[n],
            by_hand(abundances[n], endmembers, strengths),
        )


def test_endmembers_of_each_pixel(mixture: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    abundances, endmembers, gammas = mixture
    own = endmembers * np.linspace(0.5, 1.5, 6)[:, None, None]
    for n in range(6):
        alone = slice(n, n + 1)
        np.testing.assert_allclose(linear(abundances, own)[alone], linear(abundances[alone], own[n]))
        np.testing.assert_allclose(fan(abundances, own)[alone], fan(abundances[alone], own[n]))
        np.testing.assert_allclose(
            generalised_bilinear(abundances, own, gammas)[alone],
            generalised_bilinear(abundances[alone], own[n], gammas[alone]),
        )


def test_float32_stays_float32(mixture: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    abundances, endmembers, _ = (array.astype(np.float32) for array in mixture)
    assert linear(abundances, endmembers).dtype == np.float32
    assert fan(abundances, endmembers).dtype == np.float32
    assert fan(abundances, np.stack([endmembers] * 6)).dtype == np.float32
