"""Accuracy of every method on scenes with a truth, over several seeds, as Markdown tables.

``python benchmarks/accuracy.py > benchmarks/results/accuracy.md`` runs everything, a scene at a time and one thread
each; ``--help`` tells how to run less. Progress goes to the standard error.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context

import numpy as np
import xarray as xr

from accuracy_tables import Rows, area_section, scene_section
from environment import describe_environment
from known_areas import LIBRARIES, area_errors, true_areas
from unmixel import IDNet
from unmixel.cli.comparison import agreement, in_order_of
from unmixel.datasets import open_dataset
from unmixel.errors import UnmixingError
from unmixel.methods._protocol import Method
from unmixel.simulate.demo import simulate_demo
from unmixel.unmixing import make_method

METHODS = ("idnet", "fcls", "scls")
SCENES = ("demo", "samson", "jasper_ridge", "dlr_hysu")
WITH_PUBLISHED_SETTINGS = ("samson", "jasper_ridge")
PAPER = "IDNet.paper"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One method on one scene with one seed.

    Attributes
    ----------
    scene, method, seed
    source : str
        Where the endmembers come from: an extraction, or a library of DLR HySU.
    epochs : int, optional
        Fewer epochs than published, for a trial.
    """

    scene: str
    method: str
    source: str
    seed: int
    epochs: int | None = None


@lru_cache(maxsize=1)
def open_with_truth(name: str, seed: int) -> tuple[xr.DataArray, xr.Dataset]:
    """Return a scene and its truth; the simulated scene is another one for every seed."""
    if name == "demo":
        return simulate_demo(seed=seed)
    scene, truth = open_dataset(name)
    assert truth is not None
    return scene, truth


def method_of(run: Run, n_endmembers: int) -> Method:
    """Return the method with its hyper-parameters."""
    if run.method != PAPER:
        return make_method(run.method, n_endmembers=n_endmembers, extraction=run.source, seed=run.seed)
    paper = IDNet.paper(run.scene, n_endmembers=n_endmembers, extraction=run.source, seed=run.seed)
    return paper if run.epochs is None else replace(paper, n_epochs=run.epochs)


def measure(run: Run) -> dict[str, float]:
    """Return what a table says of a run: errors by their name, and the CPU-seconds of extraction, fit and unmixing."""
    if run.scene == "dlr_hysu":
        errors = area_errors(run.method, run.source, run.seed)
        return {str(area): float(error) for area, error in zip(true_areas(), errors, strict=True)}
    scene, truth = open_with_truth(run.scene, run.seed)
    start = time.process_time()
    result = method_of(run, truth.sizes["endmember"]).fit(scene).unmix(scene)
    cpu_s = time.process_time() - start
    found = agreement(truth, in_order_of(truth, result))
    as_truth = found.abundance_rmse_as_truth
    return {
        "as is": found.abundance_rmse,
        "as truth": np.nan if as_truth is None else as_truth,
        "angle": found.spectral_angle,
        "reconstruction": found.reconstruction_rmse,
        "cpu_s": cpu_s,
    }


def runs_on(scene: str, n_seeds: int, paper_epochs: int | None) -> list[Run]:
    """Return every method with every source of endmembers and every seed."""
    sources = LIBRARIES if scene == "dlr_hysu" else ("vca", "clusters", "evidence")
    pairs = [(method, source) for source in sources for method in METHODS]
    if scene in WITH_PUBLISHED_SETTINGS and paper_epochs != 0:
        pairs.append((PAPER, "vca"))
    return [
        Run(scene=scene, method=method, source=source, seed=seed, epochs=paper_epochs if method == PAPER else None)
        for method, source in pairs
        for seed in range(n_seeds)
    ]


def perform(runs: Sequence[Run], n_processes: int) -> Iterator[tuple[Run, dict[str, float]]]:
    """Measure the runs, telling how far it is; a run that its method gives up is told and left out."""
    started = time.perf_counter()
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(measure, run): run for run in runs}
        for done, future in enumerate(as_completed(waiting), start=1):
            run = waiting[future]
            what = f"[{done}/{len(runs)}, {time.perf_counter() - started:.0f} s] {run}"
            try:
                yield run, future.result()
            except UnmixingError as error:
                what = f"{what} failed: {error}"
            print(what, file=sys.stderr, flush=True)


def by_method(runs: Sequence[Run], measured: Mapping[Run, dict[str, float]]) -> Rows:
    """Return what was measured by method and source, then by seed, in the order of the runs."""
    rows: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
    for run in runs:
        if run in measured:
            rows.setdefault((run.method, run.source), {})[run.seed] = measured[run]
    return rows


def main() -> None:
    """Run what was asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", default=",".join(SCENES), help="some of %(default)s")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 (default: %(default)s)")
    parser.add_argument("--paper-epochs", type=int, help="epochs of IDNet.paper; 0 leaves it out (default: published)")
    parser.add_argument("--processes", type=int, default=1, help="runs at a time (default: %(default)s)")
    options = parser.parse_args()
    scenes = options.scenes.split(",")
    if unknown := set(scenes) - set(SCENES):
        parser.error(f"scenes {sorted(unknown)}: expected some of {', '.join(SCENES)}")

    print("# Accuracy\n")
    print(f"Command: `{' '.join(['python benchmarks/accuracy.py', *sys.argv[1:]])}`")
    print("\n".join(["", *(f"- {line}" for line in describe_environment())]))
    print(f"- {options.seeds} seeds from 0, {options.processes} runs at a time; numbers are median (lowest-highest)")
    for scene in scenes:
        runs = runs_on(scene, options.seeds, options.paper_epochs)
        measured = dict(perform(runs, options.processes))
        rows = by_method(runs, measured)
        with_maps = scene != "dlr_hysu"
        section = scene_section(scene, rows, open_with_truth(scene, 0)[1]) if with_maps else area_section(scene, rows)
        print(f"\n{section}", flush=True)
        for run in runs:
            if run not in measured:
                print(f"\nGave up, and is not in the table: {run.method}, {run.source}, seed {run.seed}.", flush=True)


if __name__ == "__main__":
    main()
