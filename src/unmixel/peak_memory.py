"""How much memory a process has taken."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the largest resident memory of this process so far [bytes]."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    status = Path("/proc/self/status")
    if status.is_file():  # Linux, where the other way counts the process that started this one, too
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
