"""Time of every method on one scene of 100 x 100 pixels, 200 bands and 4 endmembers, on one thread: Markdown.

``python benchmarks/methods.py`` takes some minutes. Endmembers are found once, and are not in the times; what a method
loads when it is first used isn't either.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time

import numpy as np
import xarray as xr

from environment import describe_environment
from unmixel.extraction import extract
from unmixel.registry import list_methods
from unmixel.simulate import MATERIALS, Landscape, Sensor, simulate
from unmixel.unmixing import make_method

SIZE, WARM_UP = 100, 12
N_BANDS, N_ENDMEMBERS = 200, 4
TARGET_S = 10.0
SLOWER_S = {"mesma": 60.0, "ncm": 60.0, "khype": 60.0}
DEEP = ("idnet", "deepgun", "pgmsu", "cnn_autoencoder", "unrolled_admm", "undip", "cycu_net", "egu_net")
"""Methods that train networks, for which no time is asked."""


def scene_of(size: int) -> xr.DataArray:
    """Return a square scene of materials that vary, bilinearly mixed."""
    sensor = Sensor(
        wavelength=np.linspace(400.0, 2450.0, N_BANDS),
        fwhm=np.full(N_BANDS, 10.3),
        good_band=np.ones(N_BANDS, dtype=bool),
    )
    landscape = Landscape(materials=tuple(MATERIALS)[:N_ENDMEMBERS])
    return simulate(landscape, sensor, rows=size, columns=size, snr_db=30.0, seed=0)[0]


def seconds_of(name: str, scene: xr.DataArray, bundle: xr.DataArray) -> tuple[float, float]:
    """Return how long a method takes to be fitted, and to unmix the scene [s]."""
    start = time.perf_counter()
    fitted = make_method(name).fit(scene, bundle)
    fit = time.perf_counter()
    fitted.unmix(scene)
    return fit - start, time.perf_counter() - fit


def main() -> None:
    """Print a row for each method, the quickest first."""
    small, scene = scene_of(WARM_UP), scene_of(SIZE)
    of_small, bundle = (extract(one, N_ENDMEMBERS, extractor="clusters") for one in (small, scene))
    rows = []
    for name in list_methods():
        seconds_of(name, small, of_small)
        fit, unmix = seconds_of(name, scene, bundle)
        target = None if name in DEEP else SLOWER_S.get(name, TARGET_S)
        rows.append((fit + unmix, fit, unmix, name, target))
    machine, versions = describe_environment()
    print("# Time of the methods\n\nCommand: `python benchmarks/methods.py`\n")
    print(f"{machine}; {versions}. Load average: {os.getloadavg()[0]:.1f}.\n")
    n_spectra = bundle.sizes["spectrum"]
    print(f"{SIZE} x {SIZE} pixels, {N_BANDS} bands, {N_ENDMEMBERS} endmembers (bundles of {n_spectra} spectra in")
    print("all), one thread; seconds by the clock, of one run.\n")
    print("| method | fit [s] | unmix [s] | both [s] | target [s] |\n| --- | --- | --- | --- | --- |")
    for both, fit, unmix, name, target in sorted(rows):
        asked = "" if target is None else f"{target:g}{'' if both <= target else ': missed'}"
        print(f"| {name} | {fit:.2f} | {unmix:.2f} | {both:.2f} | {asked} |")


if __name__ == "__main__":
    main()
