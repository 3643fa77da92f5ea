"""Speed of FCLS, as ratios within one run: to the one product it cannot avoid, and to a loop over pixels."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from scipy.optimize import nnls as scipy_nnls

from unmixel.solvers import fcls, kkt_residual

N_PIXELS, N_BANDS, N_ENDMEMBERS = 100_000, 200, 4
N_LOOPED = 2_000
REPEATS = 9
SUM_TO_ONE_WEIGHT = 1e3


def simulate(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy mixtures of smooth spectra, many of them almost pure, in single precision."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(N_ENDMEMBERS, N_BANDS)).cumsum(axis=1)
    endmembers = 0.1 + 0.6 * (steps - steps.min(axis=1, keepdims=True)) / np.ptp(steps, axis=1)[:, None]
    abundances = rng.dirichlet(np.full(N_ENDMEMBERS, 0.3), size=N_PIXELS)
    pixels = abundances @ endmembers
    pixels += np.sqrt(np.mean(pixels**2) / 10**3.0) * rng.normal(size=pixels.shape)
    return pixels.astype(np.float32), endmembers.astype(np.float32)


def loop_over_pixels(pixels: np.ndarray, endmembers: np.ndarray) -> np.ndarray:
    """Return abundances by scipy's NNLS, pixel by pixel, with a heavy row for the sum."""
    matrix = np.vstack([endmembers.T.astype(float), np.full(len(endmembers), SUM_TO_ONE_WEIGHT)])
    targets = np.column_stack([pixels.astype(float), np.full(len(pixels), SUM_TO_ONE_WEIGHT)])
    return np.stack([scipy_nnls(matrix, target)[0] for target in targets])


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print the medians and their ratios."""
    pixels, endmembers = simulate()
    some = pixels[:N_LOOPED]
    times: dict[str, list[float]] = {"product": [], "fcls": [], "loop": []}
    for _ in range(REPEATS):
        times["product"].append(seconds(lambda: pixels @ endmembers.T))
        times["fcls"].append(seconds(lambda: fcls(pixels, endmembers)))
        times["loop"].append(seconds(lambda: loop_over_pixels(some, endmembers)) * N_PIXELS / N_LOOPED)
    product, ours, loop = (median(times[name]) for name in ("product", "fcls", "loop"))
    abundances = fcls(pixels, endmembers)
    residual = kkt_residual(pixels, endmembers, abundances, sum_to_one=True).max()
    apart = np.abs(abundances[:N_LOOPED] - loop_over_pixels(some, endmembers)).max()

    bounded = (abundances == 0).any(axis=1).mean()
    rate = N_PIXELS / ours / 1e6
    print(f"FCLS: {N_PIXELS:,} pixels, {N_BANDS} bands, {N_ENDMEMBERS} endmembers, single precision")
    print(f"  {bounded:.0%} of the pixels have an abundance of 0; medians of {REPEATS} runs")
    print(f"  one product pixels @ endmembers.T   {product * 1e3:9.1f} ms")
    print(f"  unmixel.solvers.fcls                {ours * 1e3:9.1f} ms   {rate:.2f} million pixels/s")
    print(f"  loop of scipy.optimize.nnls         {loop * 1e3:9.1f} ms   from {N_LOOPED:,} pixels")
    print(f"  fcls / product                      {ours / product:9.1f}      target: at most 8")
    print(f"  loop / fcls                         {loop / ours:9.1f}      target: at least 10")
    print(f"  largest optimality residual         {residual:9.1e}")
    print(f"  largest difference from the loop    {apart:9.1e}      whose sum is only almost 1")


if __name__ == "__main__":
    main()
