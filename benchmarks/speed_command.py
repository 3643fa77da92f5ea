"""Speed of the command line: a scene from file to maps, and how soon help is there."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from samson_size import N_ENDMEMBERS, samson_file

REPEATS = 3
HELP_REPEATS = 7
PUBLISHED_PROGRAM = 920
"""CPU-seconds of the published program on Samson, measured elsewhere: 17 epochs of 564 steps of 95 ms."""
UNMIXEL = str(Path(sys.executable).with_name("unmixel"))
HEAVY = ("torch", "xarray")


def run(*command: str) -> tuple[float, float]:
    """Run a command; return its CPU-seconds and its seconds on the clock."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def loaded_by_import() -> list[str]:
    """Return which heavy packages ``import unmixel`` loads."""
    code = f"import sys, unmixel; print(*[name for name in {HEAVY} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def main() -> None:
    """Print the times of both commands and what an import loads."""
    with tempfile.TemporaryDirectory() as folder:
        path, what = samson_file(Path(folder))
        command = (UNMIXEL, "unmix", str(path), "-p", str(N_ENDMEMBERS), "-o", f"{folder}/out", "--overwrite")
        times = [run(*command) for _ in range(REPEATS)]
    cpu, wall = median(cpu for cpu, _ in times), median(wall for _, wall in times)
    print(f"Command: unmixel unmix, default method, reading to writing, on {what}; medians of {REPEATS} runs")
    print(f"  CPU                                 {cpu:9.1f} s    target: at most 30")
    print(f"  on the clock                        {wall:9.1f} s")
    print(f"  published program / CPU             {PUBLISHED_PROGRAM / cpu:9.1f}      its 920 CPU-s measured elsewhere")
    print(f"Command: unmixel --help; median of {HELP_REPEATS} runs")
    waited = median(run(UNMIXEL, "--help")[1] for _ in range(HELP_REPEATS))
    print(f"  on the clock                        {waited:9.2f} s    target: below 1")
    print(f"  import unmixel loads of {' and '.join(HEAVY):13s} {', '.join(loaded_by_import()) or 'neither'}")


if __name__ == "__main__":
    main()
