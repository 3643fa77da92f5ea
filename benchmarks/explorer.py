"""How long the explorer of a large result takes to open, and to answer a click. Prints both.

``python benchmarks/explorer.py [--rows 1000] [--columns 1000]``; it needs Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

from unmixel.io import write_envi
from unmixel.io.result_folder import write_result_folder
from unmixel.methods.idnet.method import IDNet
from unmixel.result import add_provenance
from unmixel.scene import make_scene
from unmixel.simulate import simulate_preset

SMALL = 100
CLICKS = 12
COMMAND = "from unmixel.cli.main import run; run()"


def make_result(place: Path, rows: int, columns: int) -> Path:
    """Write a large scene that repeats a small one, and its result; return the folder."""
    small, _ = simulate_preset("dc2", rows=SMALL, columns=SMALL)
    fitted = IDNet(n_endmembers=3, n_epochs=2).fit(small)
    times = -(-rows // SMALL), -(-columns // SMALL)
    repeated = np.tile(small.values, (*times, 1))[:rows, :columns]
    scene = make_scene(repeated, wavelength=small["wavelength"].values)
    print(f"{rows} x {columns} pixels, {scene.sizes['band']} bands")
    write_envi(scene, place / "scene.img")
    few = fitted.unmix(small)
    maps = {
        name: (values.dims, np.tile(values.values, (*times, *[1] * (values.ndim - 2)))[:rows, :columns], values.attrs)
        for name, values in few.data_vars.items()
        if values.dims[:2] == ("y", "x")
    }
    rest = few.drop_vars([*maps, "y", "x", "spatial_ref"])
    place_of = {name: scene.coords[name] for name in ("y", "x", "spatial_ref")}
    result = xr.Dataset(maps, coords=place_of, attrs=few.attrs).merge(rest)
    result = add_provenance(result.assign_attrs(few.attrs), input={"path": str(place / "scene.img")})
    write_result_folder(result, place / "out", fitted=fitted)
    return place / "out"


def measure(folder: Path) -> None:
    """Open the explorer, click, and print how long both took."""
    from playwright.sync_api import sync_playwright

    start = time.perf_counter()
    command = [sys.executable, "-c", COMMAND, "explore", str(folder), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, sync_playwright() as driver:
        assert process.stdout is not None
        link = next(line.strip() for line in process.stdout if line.startswith("http://"))
        print(f"link after {time.perf_counter() - start:.2f} s")
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"], headless=True
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        start = time.perf_counter()
        page.goto(link)
        page.wait_for_selector("body[data-ready]")
        print(f"page after {time.perf_counter() - start:.2f} s more")
        page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('latent_cloud')?.data.x?.length > 0")
        print(f"with its model after {time.perf_counter() - start:.2f} s more")
        seconds = []
        box = page.locator("#map").bounding_box()
        assert box is not None
        for click in range(CLICKS):
            before = page.inner_text("#story")
            start = time.perf_counter()
            page.mouse.click(box["x"] + 150 + 20 * click, box["y"] + 150 + 13 * click)
            page.wait_for_function("(before) => document.getElementById('story').innerText !== before", arg=before)
            seconds.append(time.perf_counter() - start)
            time.sleep(0.5)
        print(
            f"a click is answered after {1000 * np.median(seconds):.0f} ms (median), {1000 * max(seconds):.0f} at most"
        )
        browser.close()
        process.terminate()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1000)
    options.add_argument("--columns", type=int, default=1000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as made:
        measure(make_result(Path(made), given.rows, given.columns))
