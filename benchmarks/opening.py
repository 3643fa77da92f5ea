"""Memory of opening, looking at and converting scenes that are much larger, for every format and product.

``python benchmarks/opening.py > benchmarks/results/opening.md`` makes one file after another, in a folder that it
removes, and takes at most 10 GB of disk. Every measurement is a process of its own, which has looked at a tiny scene
before, so that what it imports is not counted.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
from math import prod
from pathlib import Path

import numpy as np

from environment import describe_environment
from large_scenes import WRITERS, bytes_of, envi
from resident_memory import RESET, resident
from unmixel.cli.main import app
from unmixel.io import open_lazily
from unmixel.io.windows import Window

MB = 1e6
MOST = 200
"""Memory that opening a file may take [MB]."""
SIZES = (500, 2_000)
"""Rows of the scenes that are converted."""


def command(*words: str) -> None:
    """Run a command of unmixel in this process, in silence."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        app([*words], standalone_mode=False)


def one_pixel(path: Path) -> None:
    """Open a scene, and read a pixel in its middle."""
    scene = open_lazily(path)
    row, column = scene.shape[0] // 2, scene.shape[1] // 2
    scene.read(Window(row, row + 1, column, column + 1))


def measure(what: str, path: Path, *more: str) -> None:
    """Print how far the memory of this process grows [byte]."""
    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder) / "tiny.npy"
        np.save(tiny, np.random.default_rng(0).random((30, 30, 8)))
        command("info", str(tiny))
        one_pixel(tiny)
    RESET.write_text("5")
    before = resident("VmRSS")
    if what == "pixel":
        one_pixel(path)
    else:
        command(what, str(path), *more)
    print(resident("VmHWM") - before)


def measured(what: str, path: Path, *more: str) -> str:
    """Return how far the memory of a process grows [MB], or that it could not do it."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", what, str(path), *more], check=False, capture_output=True, text=True
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1][:80]
    grown = int(done.stdout) / MB
    return f"{grown:.0f}" + (" (!)" if grown > MOST else "")


def print_openings(folder: Path, names: list[str]) -> None:
    """Print the memory of each format and product."""
    print("| format | values | files | one pixel [MB] | `unmixel info` [MB] | info / values |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in names:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            print_row(name, WRITERS[name](Path(own)))


def print_row(name: str, path: Path) -> None:
    """Print the memory of one."""
    scene = open_lazily(path)
    size = prod(scene.shape) * scene._raw.dtype.itemsize / MB
    pixel, info = measured("pixel", path), measured("info", path)
    ratio = f"{float(info.split()[0]) / size:.3f}" if info[:1].isdigit() else ""
    print(f"| {name} | {size:,.0f} MB | {sum(bytes_of(path)) / MB:,.0f} MB | {pixel} | {info} | {ratio} |", flush=True)


def print_conversions(folder: Path) -> None:
    """Print the memory of writing every format from two sizes, and of opening what was written."""
    print("\n## Converting\n\nFrom ENVI (bil, int16, 2000 columns, 200 bands; only a few rows hold values).\n")
    print("| to | rows | values written | `unmixel convert` [MB] | then one pixel [MB] | `unmixel info` [MB] |")
    print("| --- | --- | --- | --- | --- | --- |")
    for rows in SIZES:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            scene = envi("bil", rows)(Path(own))
            for suffix in (".tif", ".img", ".nc", ".zarr"):
                target = Path(own) / f"converted{suffix}"
                grown = measured("convert", scene, str(target))
                size = prod(open_lazily(target).shape) * 4 / MB
                opened = measured("pixel", target), measured("info", target)
                print(f"| `{suffix}` | {rows:,} | {size:,.0f} MB | {grown} | {opened[0]} | {opened[1]} |", flush=True)
                subprocess.run(["rm", "-r", str(target)], check=True)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where to make scenes (default: the system's temporary folder)")
    parser.add_argument("--only", help="a part of the names of formats to measure (default: all, and converting)")
    options = parser.parse_args()
    print("# Opening large scenes\n\nCommand: `" + " ".join(["python benchmarks/opening.py", *sys.argv[1:]]) + "`\n")
    print("\n".join(f"- {line}" for line in describe_environment()))
    print(f"- growth of a fresh process that has imported all it needs; (!) is more than {MOST} MB\n\n## Opening\n")
    print_openings(options.folder, [name for name in WRITERS if (options.only or "") in name])
    if not options.only:
        print_conversions(options.folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
    else:
        main()
