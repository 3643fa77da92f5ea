"""What a Python user would otherwise install, on the same arrays: times, and who is right where results differ.

The peers get an environment of their own, since pysptools needs cvxopt (GPL); its N-FINDR needs a numpy before 1.24::

    python -m venv peers
    peers/bin/pip install pysptools spectral cvxopt "numpy<1.24" "scipy<1.12" "scikit-learn<1.4" "matplotlib<3.9"
    python benchmarks/peers.py peers/bin/python
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from environment import describe_environment
from speed_fcls import simulate
from unmixel.extraction.nfindr import affine_coordinates, nfindr
from unmixel.extraction.vca import vca
from unmixel.solvers import fcls, kkt_residual, nnls, ucls

N_PIXELS = 10_000
REPEATS = 9
TARGET = 20
OURS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "UCLS": ucls,
    "NNLS": nnls,
    "FCLS": fcls,
    "N-FINDR": lambda pixels, endmembers: pixels[nfindr(pixels, len(endmembers))],
    "VCA": lambda pixels, endmembers: pixels[vca(pixels, len(endmembers))],
}


def cpu_seconds(call: Callable[[], object]) -> float:
    """Return the median of the processor's seconds: other processes disturb them less than those of the clock."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return median(times)


def run_peers(python: str, pixels: np.ndarray, endmembers: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the peers found and how long it took, by name."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.npz"), Path(folder, "target.npz")
        np.savez(source, pixels=pixels, endmembers=endmembers)
        worker = Path(__file__).with_name("peers_worker.py")
        command = [python, "-W", "ignore", worker, source, target]
        done = subprocess.run(command, capture_output=True, text=True, env=clean())
        told = [line for line in done.stderr.splitlines() if "skipped" in line]
        print("\n".join(told))
        if done.returncode:
            raise SystemExit(f"{python} {worker} failed:\n{done.stderr}")
        return dict(np.load(target))


def clean() -> dict[str, str]:
    """Return the environment without paths to this package."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def error_of(task: str, found: np.ndarray, pixels: np.ndarray, endmembers: np.ndarray) -> str:
    """Return how far a solution is from what its task asks for."""
    if task == "UCLS":
        exact = np.linalg.lstsq(endmembers.T, pixels.T, rcond=None)[0].T
        return f"{np.abs(found - exact).max():.0e} from LAPACK"
    if task in ("NNLS", "FCLS"):
        residual = kkt_residual(pixels, endmembers, found.astype(float), sum_to_one=task == "FCLS")
        return f"KKT residual {residual.max():.0e}"
    back = affine_coordinates(pixels, len(endmembers))[1]
    corners = np.column_stack([np.ones(len(found)), (found - back[0]) @ np.linalg.pinv(back[1:])])
    purest = pixels[nfindr(pixels, len(endmembers))]
    largest = np.column_stack([np.ones(len(found)), (purest - back[0]) @ np.linalg.pinv(back[1:])])
    return f"volume {abs(np.linalg.det(corners) / np.linalg.det(largest)):.3f} of ours"


def main() -> None:
    """Print a table: every task, every package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="interpreter of the peers' environment")
    python = parser.parse_args().python
    pixels, endmembers = (array.astype(np.float64) for array in simulate())
    pixels = np.ascontiguousarray(pixels[:N_PIXELS])
    print("# Peers\n\nCommand: `python benchmarks/peers.py PYTHON`\n")
    print(f"{'; '.join(describe_environment())}. Load average at the start: {os.getloadavg()[0]:.1f}.\n")
    peers = run_peers(python, pixels, endmembers)
    size = f"{N_PIXELS:,} pixels, {pixels.shape[1]} bands, {len(endmembers)} endmembers, double precision, one thread"
    print(f"{size}; medians of {REPEATS} runs (peers: 3), processor time.\n")
    print("| task | package | CPU ms | times ours | target | how exact |\n|---|---|---|---|---|---|")
    for task, call in OURS.items():
        ours = cpu_seconds(lambda call=call: call(pixels, endmembers))
        exact = error_of(task, call(pixels, endmembers), pixels, endmembers)
        print(f"| {task} | unmixel | {ours * 1e3:.1f} | 1 | | {exact} |")
        if task == "UCLS":
            inverse = np.ascontiguousarray(np.linalg.pinv(endmembers))
            floor = cpu_seconds(lambda inverse=inverse: pixels @ inverse)
            print(f"| {task} | one product of the pixels with a matrix | {floor * 1e3:.1f} | {floor / ours:.1f} | | |")
        for name in (name for name in peers if name.endswith(f" {task}")):
            theirs = float(peers[f"{name} s"])
            target = f"{TARGET}" if task in ("UCLS", "FCLS") else ""
            exact = error_of(task, peers[name], pixels, endmembers)
            print(f"| {task} | {peers[f'{name} of']} | {theirs * 1e3:.1f} | {theirs / ours:.1f} | {target} | {exact} |")


if __name__ == "__main__":
    main()
