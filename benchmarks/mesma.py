"""Speed of MESMA's search, as a ratio within one run to the one product that it cannot avoid."""

from __future__ import annotations

import time
from itertools import product
from statistics import median

import numpy as np

from unmixel.solvers.model_search import ModelSearch

N_PIXELS, N_BANDS, N_CLASSES = 1024, 200, 3
N_SPECTRA, N_TRIED = 100, 8
"""Spectra of a class; and of a class of the part of the library of which all models are tried."""
REPEATS = 5


def simulate(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (pixel, band) and the spectra they are mixed of (class, spectrum, band)."""
    rng = np.random.default_rng(seed)
    wave = np.cos(np.pi * np.arange(8)[:, None] * np.linspace(0, 1, N_BANDS)) / 4 ** np.linspace(0, 1, 8)[:, None]
    centres = rng.uniform(-0.2, 0.2, (N_CLASSES, 1, 8))
    spectra = 0.5 + (centres + 0.03 * rng.standard_normal((N_CLASSES, N_SPECTRA, 8))) @ wave
    spectra *= rng.uniform(0.8, 1.2, (N_CLASSES, N_SPECTRA, 1))
    choice = rng.integers(N_TRIED, size=(N_PIXELS, N_CLASSES))
    fractions = rng.dirichlet(np.ones(N_CLASSES), N_PIXELS) * rng.uniform(0.5, 1, (N_PIXELS, 1))
    pixels = np.einsum("nk,nkl->nl", fractions, spectra[np.arange(N_CLASSES), choice])
    return pixels + 0.005 * rng.standard_normal(pixels.shape), spectra


def smallest_errors(pixels: np.ndarray, spectra: np.ndarray) -> np.ndarray:
    """Return the smallest squared error of all models with one spectrum of every class, tried one by one."""
    smallest = np.full(len(pixels), np.inf)
    for rows in product(*(range(len(group)) for group in spectra)):
        model = spectra[np.arange(len(spectra)), rows]
        fractions = np.linalg.solve(model @ model.T, model @ pixels.T).T
        error = ((pixels - fractions @ model) ** 2).sum(axis=1)
        smallest = np.where((fractions > 0).all(axis=1), np.minimum(smallest, error), smallest)
    return smallest


def main() -> None:
    """Print medians and ratios."""
    pixels, spectra = simulate()
    library = spectra.reshape(-1, N_BANDS)
    search = ModelSearch(library, (N_SPECTRA,) * N_CLASSES, sum_to_one=False)
    times: dict[str, list[float]] = {"product": [], "search": []}
    for _ in range(REPEATS):
        for name, call in (("product", lambda: pixels @ library.T), ("search", lambda: search.best(pixels))):
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    floor, ours = (median(times[name]) for name in ("product", "search"))
    n_models = (N_SPECTRA + 1) ** N_CLASSES - 1
    some = spectra[:, :N_TRIED]
    start = time.perf_counter()
    smallest = smallest_errors(pixels, some)
    tried = N_PIXELS * N_TRIED**N_CLASSES / (time.perf_counter() - start)
    found = ModelSearch(some.reshape(-1, N_BANDS), (N_TRIED,) * N_CLASSES, sum_to_one=False).best(pixels)[2]
    exact = np.mean(found.squared_error <= smallest * (1 + 1e-6))
    print(
        f"MESMA: {N_PIXELS:,} pixels, {N_BANDS} bands, {N_CLASSES} classes of {N_SPECTRA} spectra, {n_models:,} models"
    )
    print(f"  one product pixels @ library.T   {floor * 1e3:10.1f} ms")
    print(f"  search                           {ours * 1e3:10.1f} ms   {ours / floor:.0f} products")
    print(f"  models decided between           {N_PIXELS * n_models / ours:10.2e} /s")
    print(f"  models tried one by one          {tried:10.2e} /s")
    print(f"  pixels whose best model is found {exact:10.1%}      of {N_TRIED} spectra a class, all tried")


if __name__ == "__main__":
    main()
