"""A process of its own for every run, with limits of time and memory: what it does there is told in a row."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from unmixel.benchmark.suite import Limits, Run
from unmixel.errors import DAMAGE

WORK = ".run-"
"""How the folder of a run that is not finished begins."""
LOOK_EVERY_S = 0.05
LAST_WORDS = 2000
"""Bytes of what a process that crashed said last."""


def run_isolated(run: Run, folder: Path, *, threads: int, stopping: threading.Event) -> dict[str, Any] | None:
    """Do a run in a process of its own, and return its row.

    Parameters
    ----------
    run : Run
    folder : Path
        Where the sample of the run is put, as ``NAME.npz``.
    threads : int
        Threads that the process may use.
    stopping : threading.Event
        Ends the run when it is set.

    Returns
    -------
    dict or None
        Columns of the table; None if the run was ended by `stopping`.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=WORK) as name:
        work = Path(name)
        (work / "run.json").write_text(run.model_dump_json(), encoding="utf-8")
        with (work / "said").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "unmixel.benchmark.one_run", str(work)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=_environment(threads),
                start_new_session=True,
            )
            most = 0
            try:
                stopped, most = _watched(process, run.limits, stopping)
            finally:
                end_family(process.pid)
                process.wait()
        if stopped == "stopping":
            return None
        row = _described(run) | _row_of(work, process.returncode, stopped, run.limits)
        row["peak_memory_mb"] = max(row.get("peak_memory_mb", 0.0), most / 1e6)
        if row["status"] == "ok":
            shutil.move(work / "sample.npz", folder / f"{run.name}.npz")
    return row


def _environment(threads: int) -> dict[str, str]:
    limited = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(limited, str(threads))}


def _watched(process: subprocess.Popen, limits: Limits, stopping: threading.Event) -> tuple[str, int]:
    """Wait for a process; return why it has to be ended, nothing if it ended itself, and its largest memory [bytes]."""
    started, most = time.monotonic(), 0
    while True:
        try:
            process.wait(LOOK_EVERY_S)
            return "", most
        except subprocess.TimeoutExpired:
            pass
        if stopping.is_set():
            return "stopping", most
        if time.monotonic() - started > limits.seconds:
            return "time limit", most
        most = max(most, _resident(process.pid))
        if most > limits.memory_gb * 1e9:
            return "memory limit", most


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def _resident(pid: int) -> int:
    """Return the resident memory of a process and its children [bytes]."""
    total = 0
    for one in _family(pid):
        with contextlib.suppress(psutil.Error):
            total += one.memory_info().rss
    return total


def end_family(pid: int) -> None:
    """End a process that leads a session, and all that it started: also when it has ended itself before."""
    for one in reversed(_family(pid)):
        with contextlib.suppress(psutil.Error):
            one.kill()
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _described(run: Run) -> dict[str, Any]:
    return {
        "scene": run.scene.title,
        "endmembers": run.scene.endmembers,
        "method": run.method.title,
        "method_endmembers": run.method.endmembers,
        "registered": run.method.name,
        "parameters": json.dumps(run.method.parameters, sort_keys=True),
        "seed": run.seed,
        "limit_s": run.limits.seconds,
        "limit_gb": run.limits.memory_gb,
        "run": run.name,
    }


def _row_of(work: Path, status: int, stopped: str, limits: Limits) -> dict[str, Any]:
    """Return what became of a run."""
    if stopped == "time limit":
        return {"status": stopped, "error": f"not finished after {limits.seconds:g} s"}
    if stopped == "memory limit":
        return {"status": stopped, "error": f"more than {limits.memory_gb:g} GB"}
    try:
        return json.loads((work / "row.json").read_text(encoding="utf-8"))
    except DAMAGE:
        said = (work / "said").read_bytes()[-LAST_WORDS:].decode(errors="replace").strip().splitlines()
        return {"status": "crash", "error": f"exit status {status}: {said[-1] if said else 'nothing was said'}"}
