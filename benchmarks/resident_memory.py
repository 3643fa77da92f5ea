"""Resident memory of this process, as Linux counts it."""

from __future__ import annotations

from pathlib import Path

RESET = Path("/proc/self/clear_refs")
"""Where Linux is told to forget the highest memory of a process."""


def resident(what: str) -> int:
    """Return the memory of this process [byte]: now (VmRSS), or at most since the last reset (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))
