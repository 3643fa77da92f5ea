"""The folder of a benchmark that was never run: rows and samples made up, with names that a page must not obey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unmixel.benchmark.running import RUNS, TABLE
from unmixel.benchmark.samples import Sample
from unmixel.benchmark.table import write_table
from unmixel.io.whole_folder import write_provenance

HOSTILE = "<script>alert(1)</script>"
SCENES = {
    "Samson": ("derived", "max-normalised endmembers"),
    "field <b>": ("independent", "physical"),
    "simulated": ("exact", "physical"),
}
METHODS = ("best", "second", HOSTILE, "never works")
SEEDS = (0, 1, 2)


def made_up_rows() -> list[dict[str, Any]]:
    """Rows in which a method's error is 0.1 times its place, and 0.01 more or less for other seeds."""
    rows = []
    for scene, (kind, convention) in SCENES.items():
        for seed in SEEDS:
            for place, method in enumerate(METHODS, start=1):
                row = {
                    "scene": scene,
                    "endmembers": "clusters",
                    "method": method,
                    "registered": "fcls",
                    "seed": seed,
                    "run": f"{scene}-{place}-{seed}",
                    "machine": "an abacus",
                }
                if method == "never works":
                    rows.append({**row, "status": "error", "error": f"ValueError: {HOSTILE}"})
                    continue
                error = 0.1 * place + 0.01 * (seed - 1)
                rows.append(
                    {
                        **row,
                        "status": "ok",
                        "truth_kind": kind,
                        "convention": convention,
                        "truth": "made up",
                        "area_error" if kind == "independent" else "abundance_rmse_as_truth": error,
                        "crps": error / 2 if method == "best" else None,
                        "processor_s": 10.0**place,
                        "peak_memory_mb": 100.0 * place,
                    }
                )
    return rows


def make_benchmark_folder(folder: Path) -> Path:
    """Write table, samples and provenance."""
    rows = made_up_rows()
    (folder / RUNS).mkdir(parents=True)
    rng = np.random.default_rng(0)
    spectra = rng.uniform(0.1, 0.9, (2, 30))
    for row in rows:
        if row["status"] == "ok":
            maps = rng.dirichlet([1, 1], (5, 7))
            Sample(
                np.array(["soil", HOSTILE]),
                maps,
                maps[::-1],
                np.linspace(400, 900, 30),
                np.array("wavelength [nm]"),
                spectra,
                spectra[::-1],
            ).save(folder / RUNS / f"{row['run']}.npz")
    write_table(rows, folder / TABLE)
    write_provenance(
        folder, "benchmark", {"suite": {"title": f"made up {HOSTILE}"}, "command": ["unmixel", "benchmark", "x.toml"]}
    )
    return folder
