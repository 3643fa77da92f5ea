"""Memory does not grow with the scene."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from unmixel.io import open_scene, write_envi
from unmixel.methods.fcls import FCLS
from unmixel.scene import make_scene

MEMORY = """
    import sys
    from pathlib import Path
    from unmixel.io import open_scene
    from unmixel.registry import load
    from unmixel.scale import unmix_file

    def largest():
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

    folder, scene, how = sys.argv[1:]
    unmix_file(f"{folder}/model", f"{folder}/warm.img", f"{folder}/warm_{how}_{scene}", tile_memory=4_000_000)
    Path("/proc/self/clear_refs").write_text("5")
    before = largest()
    if how == "tiles":
        unmix_file(f"{folder}/model", f"{folder}/{scene}.img", f"{folder}/{how}_{scene}", tile_memory=4_000_000)
    else:
        load(f"{folder}/model").unmix(open_scene(f"{folder}/{scene}.img"))
    print(largest() - before)
"""


def test_memory_does_not_grow_with_the_scene(tmp_path: Path) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("resident memory is measured on Linux only")
    rng = np.random.default_rng(0)
    spectra = rng.uniform(0.05, 0.6, (3, 50))
    for name, rows in (("warm", 110), ("small", 400), ("large", 1200)):
        values = (rng.dirichlet(np.ones(3), (rows, 200)) @ spectra).astype(np.float32)
        write_envi(make_scene(values, wavelength=np.linspace(450, 2400, 50)), tmp_path / f"{name}.img")
    FCLS(n_endmembers=3).fit(open_scene(tmp_path / "small.img")).save(tmp_path / "model")

    def growth(how: str) -> int:
        peaks = [
            subprocess.run(
                [sys.executable, "-c", textwrap.dedent(MEMORY), str(tmp_path), scene, how],
                capture_output=True,
                check=True,
            ).stdout
            for scene in ("small", "large")
        ]
        return int(peaks[1]) - int(peaks[0])

    more = 800 * 200 * 50 * 4
    by_tiles, whole_scene = growth("tiles"), growth("whole")
    assert by_tiles < more / 2
    assert whole_scene > more
