"""What a run was measured on: processor, cores and versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from unmixel.result import environment


def processor() -> str:
    """Return the name of the processor, as well as the system knows it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def package_of(kind: type) -> str:
    """Return the name and version of the package that a class is from; of its module, if it is from none.

    Examples
    --------
    >>> from unmixel.methods.fcls import FCLS
    >>> package_of(FCLS).split()[0]
    'unmixel'
    """
    top = kind.__module__.split(".")[0]
    owners = packages_distributions().get(top, [])
    return f"{owners[0]} {version(owners[0])}" if owners else top


def machine_columns() -> dict[str, Any]:
    """Return the columns of the table that say where a run was made."""
    versions = {name: version for name, version in environment().items() if name not in ("platform", "xarray")}
    return {"machine": f"{processor()}, {os.cpu_count()} cores", **versions}
