"""Speed, printed as ratios within one run: what ``make bench`` runs."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import speed_fcls


def processor() -> str:
    """Return the name of the processor, as well as the system knows it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Print the environment and every section."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("unmixel", "numpy", "scipy"))
    print(f"{processor()}, {os.cpu_count()} cores, OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']}")
    print(f"Python {platform.python_version()}, {packages}\n")
    speed_fcls.main()


if __name__ == "__main__":
    main()
