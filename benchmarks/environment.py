"""What a measurement was made on: processor, cores and versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from unmixel.benchmark.machine import processor

PACKAGES = ("unmixel", "numpy", "scipy", "torch", "xarray")


def describe_environment() -> tuple[str, str]:
    """Return a line on the machine and a line on the versions."""
    machine = f"{processor()}, {os.cpu_count()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return machine, f"Python {platform.python_version()}, {packages}"
