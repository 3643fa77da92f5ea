"""What a measurement was made on: processor, cores and versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("unmixel", "numpy", "scipy", "torch", "xarray")


def processor() -> str:
    """Return the name of the processor, as well as the system knows it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe_environment() -> tuple[str, str]:
    """Return a line on the machine and a line on the versions."""
    machine = f"{processor()}, {os.cpu_count()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return machine, f"Python {platform.python_version()}, {packages}"
