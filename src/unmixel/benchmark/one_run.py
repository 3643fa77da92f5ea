"""One run, in a process of its own: ``python -m unmixel.benchmark.one_run FOLDER``.

The folder holds ``run.json``; ``row.json`` and ``sample.npz`` are written beside it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from unmixel.benchmark.isolation import end_family
from unmixel.benchmark.machine import machine_columns, package_of
from unmixel.benchmark.measures import measures_of, order_of
from unmixel.benchmark.samples import sample_of
from unmixel.benchmark.scenes import TrueScene, endmembers_of, open_entry
from unmixel.benchmark.suite import Run
from unmixel.errors import UnmixingError
from unmixel.extraction import EXTRACTORS
from unmixel.peak_memory import peak_memory
from unmixel.registry import get_method
from unmixel.settings import checked_hyperparameters

PARENT_EVERY_S = 1.0


def main(folder: Path) -> None:
    """Do the run that a folder describes, and write its row, whatever happens."""
    run = Run.model_validate_json((folder / "run.json").read_text(encoding="utf-8"))
    row: dict[str, Any] = {**machine_columns()}
    try:
        known = open_entry(run.scene, run.seed)
        row |= {name: known.truth.attrs[name] for name in ("truth_kind", "convention", "truth")}
        row |= _measured(run, known, folder)
        row["status"] = "ok"
    except MemoryError as error:
        row |= {"status": "memory limit", "error": f"out of memory ({error})"}
    except Exception as error:  # whatever a method does is told in its row
        told = str(error) if isinstance(error, UnmixingError) else f"{type(error).__name__}: {error}"
        row |= {"status": "error", "error": told}
    row["peak_memory_mb"] = peak_memory() / 1e6
    (folder / "row.json").write_text(json.dumps(row), encoding="utf-8")


def _end_with(parent: int) -> None:
    """End this process and its children when the one that started it has ended, however that came about."""
    while os.getppid() == parent:
        time.sleep(PARENT_EVERY_S)
    end_family(os.getpid())


def _measured(run: Run, known: TrueScene, folder: Path) -> dict[str, Any]:
    """Unmix the scene and measure the result."""
    shared = run.method.endmembers == "shared"
    given = {"seed": run.seed} if shared else {"seed": run.seed, "n_endmembers": known.truth.sizes["endmember"]}
    kind = get_method(run.method.name)
    method = kind(**checked_hyperparameters(kind, {**run.method.parameters, **given}))
    started = time.perf_counter()
    bundle = endmembers_of(run.scene, known, run.seed) if shared else None
    extracted, computed = time.perf_counter(), time.process_time()
    fitted = method.fit(known.scene, bundle)
    fit = time.perf_counter()
    result = fitted.unmix(known.scene)
    unmixed, computed = time.perf_counter(), time.process_time() - computed
    order, matched_by = order_of(known.truth, result, given=shared and run.scene.endmembers not in EXTRACTORS)
    sample_of(known, result, order).save(folder / "sample.npz")
    return {
        "package": package_of(kind),
        "all_parameters": json.dumps({one.name: getattr(method, one.name) for one in fields(method)}, default=str),
        "endmember": known.truth["endmember"].values.astype(str).tolist(),
        "matched": order.tolist(),
        "matched_by": matched_by,
        "extraction_s": extracted - started,
        "fit_s": fit - extracted,
        "unmix_s": unmixed - fit,
        "seconds": unmixed - extracted,
        "processor_s": computed,
        **measures_of(known, fitted, result, order),
    }


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    main(Path(sys.argv[1]))
