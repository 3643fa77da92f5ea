"""One method on one case with one seed: how far off it is, and how often its intervals hold the truth."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import xarray as xr

from floors import floor
from target_rows import BASELINES, BLIND, GIVEN, Case
from unmixel import IDNet, abundance_interval
from unmixel.benchmark.agreement import agreement, in_order_of
from unmixel.benchmark.measures import areas_of
from unmixel.datasets import dlr_hysu_library, dlr_hysu_targets, open_dataset
from unmixel.methods._method import Method
from unmixel.metrics import coverage_by_tercile, interval_coverage
from unmixel.simulate import simulate_preset, true_bundle
from unmixel.spectra import make_bundle
from unmixel.unmixing import make_method, unmix

IDNET, PAPER, FLOOR = "idnet", "IDNet.paper", "floor"
WITH_PUBLISHED_SETTINGS = ("dc1", "dc2", "samson", "jasper_ridge")
LEVELS = (0.5, 0.9, 0.95)
THIRDS = ("low", "middle", "high")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One method on one case with one seed.

    Attributes
    ----------
    case, method, seed
        The seed is that of the scene, if it is simulated, and of the method.
    size : tuple of int, optional
        Rows and columns of a simulated scene, for a trial; the preset's own when None.
    epochs : int, optional
        Fewer epochs of the published settings, for a trial.
    """

    case: Case
    method: str
    seed: int
    size: tuple[int, int] | None = None
    epochs: int | None = None


def runs_of(
    case: Case, n_seeds: int, n_paper_seeds: int, size: tuple[int, int] | None, paper_epochs: int | None
) -> list[Run]:
    """Return every method with every seed, the methods of a seed together."""
    size = size if case.simulated else None
    runs = []
    for seed in range(max(n_seeds, n_paper_seeds)):
        one = Run(case=case, method=IDNET, seed=seed, size=size)
        if seed < n_seeds:
            runs += [one, *(replace(one, method=method) for method in BASELINES)]
            if case.has_floor and case.endmembers == GIVEN:
                runs.append(replace(one, method=FLOOR))
        if seed < n_paper_seeds and case.endmembers == BLIND and case.scene in WITH_PUBLISHED_SETTINGS:
            runs.append(replace(one, method=PAPER, epochs=paper_epochs))
    return runs


@lru_cache(maxsize=1)
def _simulated(scene: str, snr_db: float, size: tuple[int, int] | None, seed: int) -> tuple[xr.DataArray, xr.Dataset]:
    rows, columns = size or (None, None)
    return simulate_preset(scene, rows=rows, columns=columns, snr_db=snr_db, seed=seed)


def open_run(run: Run) -> tuple[xr.DataArray, xr.Dataset]:
    """Return the scene and its truth."""
    if run.case.snr_db is not None:
        return _simulated(run.case.scene, run.case.snr_db, run.size, run.seed)
    scene, truth = open_dataset(run.case.scene)
    assert truth is not None
    return scene, truth


def bundle_of(run: Run, truth: xr.Dataset) -> xr.DataArray | None:
    """Return the spectra that a method is given; None if it has to find them."""
    if run.case.endmembers == BLIND:
        return None
    if run.case.simulated:
        return true_bundle(truth, seed=run.seed)
    return make_bundle(
        truth["endmember_spectrum"].values,
        truth["endmember"].values.astype(str).tolist(),
        wavelength=truth["wavelength"].values,
        fwhm=truth["fwhm"].values,
    )


def method_of(run: Run, n_endmembers: int) -> Method:
    """Return the method; least squares with the extraction that suits it best."""
    if run.method == PAPER:
        paper = IDNet.paper(run.case.scene, n_endmembers=n_endmembers, seed=run.seed)
        return paper if run.epochs is None else replace(paper, n_epochs=run.epochs)
    extraction = "auto" if run.method == "idnet" else "evidence"
    return make_method(run.method, n_endmembers=n_endmembers, extraction=extraction, seed=run.seed)


def measure(run: Run) -> dict[str, float]:
    """Measure a run.

    Returns
    -------
    dict
        ``cpu_s`` of fitting and unmixing, and: on DLR HySU the relative error of the area found by the size of the
        target [m2], and their ``mean``; otherwise ``abundance_rmse``, ``abundance_rmse_as_truth`` (in the truth's
        convention, where that is another), ``spectral_angle`` [rad], and of methods that know how sure they are
        ``coverage LEVEL`` and ``coverage LEVEL THIRD``.
    """
    start = time.process_time()
    if run.case.scene == "dlr_hysu":
        scene, _ = open_dataset("dlr_hysu")
        result = unmix(scene, bundle=dlr_hysu_library(run.case.endmembers), method=run.method, seed=run.seed)
        cpu_s = time.process_time() - start
        found = areas_of(dlr_hysu_targets(), result)
        by_area = zip(found["target_area"], found["area_error_by_target"], strict=True)
        return {**{f"{area:g}": error for area, error in by_area}, "mean": found["area_error"], "cpu_s": cpu_s}
    scene, truth = open_run(run)
    bundle = bundle_of(run, truth)
    start = time.process_time()
    if run.method == FLOOR:
        return {**floor(scene, truth, LEVELS, THIRDS), "cpu_s": time.process_time() - start}
    result = method_of(run, truth.sizes["endmember"]).fit(scene, bundle).unmix(scene)
    cpu_s = time.process_time() - start
    ordered = in_order_of(truth, result) if bundle is None else result.sel(endmember=truth["endmember"].values)
    found = agreement(truth, ordered)
    as_truth = found.abundance_rmse_as_truth
    return {
        "abundance_rmse": found.abundance_rmse,
        **({} if as_truth is None else {"abundance_rmse_as_truth": as_truth}),
        "spectral_angle": found.spectral_angle,
        **(coverages(truth, ordered) if "concentration" in ordered else {}),
        "cpu_s": cpu_s,
    }


def coverages(truth: xr.Dataset, result: xr.Dataset) -> dict[str, float]:
    """Return how often the intervals of a result hold the truth, overall and by the third of the true abundance."""
    known = np.isfinite(result["abundance"].values).all(axis=2) & np.isfinite(truth["abundance"].values).all(axis=2)
    abundances = truth["abundance"].values[known]
    found: dict[str, float] = {}
    for level in LEVELS:
        interval = abundance_interval(result, level)
        lower, upper = interval["lower"].values[known], interval["upper"].values[known]
        found[f"coverage {level:g}"] = interval_coverage(abundances, lower, upper)
        for third, share in zip(THIRDS, coverage_by_tercile(abundances, lower, upper), strict=True):
            found[f"coverage {level:g} {third}"] = float(share)
    return found
