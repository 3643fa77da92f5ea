"""Runs pysptools and spectral, in an environment of their own: reads arrays, writes what they found and their times."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import numpy as np

REPEATS = 3


def spectral_ucls(pixels: np.ndarray, endmembers: np.ndarray) -> np.ndarray:
    import spectral

    return spectral.unmix(pixels[None], endmembers)[0]


def pysptools_least_squares(name: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def solve(pixels: np.ndarray, endmembers: np.ndarray) -> np.ndarray:
        from pysptools.abundance_maps import amaps

        return getattr(amaps, name)(pixels, endmembers)

    return solve


def pysptools_nfindr(pixels: np.ndarray, endmembers: np.ndarray) -> np.ndarray:
    from pysptools.eea import NFINDR

    return NFINDR().extract(pixels[None], len(endmembers), ATGP_init=True)


CALLS = {
    "pysptools UCLS": pysptools_least_squares("UCLS"),
    "spectral UCLS": spectral_ucls,
    "pysptools NNLS": pysptools_least_squares("NNLS"),
    "pysptools FCLS": pysptools_least_squares("FCLS"),
    "pysptools N-FINDR": pysptools_nfindr,
}


def main(source: str, target: str) -> None:
    """Time each call; what can't run is told on stderr and left out."""
    arrays = dict(np.load(source))
    found: dict[str, np.ndarray] = {}
    for name, call in CALLS.items():
        package = name.split()[0]
        try:
            times = []
            for _ in range(REPEATS):
                start = time.process_time()
                result = call(arrays["pixels"], arrays["endmembers"])
                times.append(time.process_time() - start)
            found[name], found[f"{name} s"] = np.asarray(result), np.array(np.median(times))
            found[f"{name} of"] = np.array(f"{package} {version(package)}")
        except (ImportError, PackageNotFoundError, AttributeError, TypeError, ValueError) as error:
            print(f"{name} skipped: {type(error).__name__}: {error}", file=sys.stderr)
    np.savez(target, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
