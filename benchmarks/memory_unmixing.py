"""Memory of unmixing: what it needs besides the scene and the result, for a small and a large scene.

Each measurement is a process of its own, so that what one leaves behind is not counted in another.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import unmixel as ux
from resident_memory import RESET, resident
from samson_size import N_ENDMEMBERS, open_samson_size, repeat_to
from unmixel.unmixing import make_method

SMALL, LARGE = 20_000, 200_000
METHODS = ("idnet", "fcls")
MIB = 2**20


def measure(model: Path, n_pixels: int) -> None:
    """Print the growth of this process's memory while it unmixes, and the bytes of scene and result."""
    fitted = ux.load(model)
    with tempfile.TemporaryDirectory() as folder:
        scene, _ = open_samson_size(Path(folder))
    fitted.unmix(scene.isel(y=slice(0, 20)))
    large = repeat_to(scene, n_pixels)
    RESET.write_text("5")
    before = resident("VmRSS")
    result = fitted.unmix(large)
    print(resident("VmHWM") - before, large.nbytes, result.nbytes)


def measured(model: Path, n_pixels: int) -> tuple[float, float, float]:
    """Return growth, scene and result of a process that unmixes that many pixels [MiB]."""
    command = [sys.executable, __file__, str(model), str(n_pixels)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    growth, scene, result = (int(word) / MIB for word in done.stdout.split())
    return growth, scene, result


def print_memory(method: str, model: Path) -> None:
    """Print what unmixing two sizes of scene needs, and what each further pixel adds."""
    print(f"Memory of unmixing by {method} [MiB]")
    besides: dict[int, float] = {}
    sizes: dict[int, float] = {}
    for n_pixels in (SMALL, LARGE):
        growth, scene, result = measured(model, n_pixels)
        besides[n_pixels], sizes[n_pixels] = growth - result, scene
        print(
            f"  {n_pixels:7,} pixels: scene {scene:6.1f}, result {result:6.1f}, "
            f"growth while unmixing {growth:6.1f}, besides the result {growth - result:6.1f}"
        )
    share = (besides[LARGE] - besides[SMALL]) / (sizes[LARGE] - sizes[SMALL])
    print(f"  growth besides the result / growth of the scene {share:6.2f}      target: about 0")


def main() -> None:
    """Print the memory of each method."""
    if not RESET.exists():
        print("Memory of unmixing: measured on Linux only")
        return
    with tempfile.TemporaryDirectory() as folder:
        scene, _ = open_samson_size(Path(folder))
        for method in METHODS:
            options = {"n_epochs": 1} if method == "idnet" else {}
            fitted = make_method(method, n_endmembers=N_ENDMEMBERS, **options).fit(scene)
            fitted.save(Path(folder) / method)
            print_memory(method, Path(folder) / method)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
