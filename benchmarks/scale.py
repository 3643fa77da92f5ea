"""Scenes larger than memory: memory, time, workers and kills, as ratios within one run (``make bench-scale``).

``python benchmarks/scale.py > benchmarks/results/scale.md`` makes its scenes on the spot, in a folder that it removes.
They take twice the largest of ``--gigabytes`` of disk. Every run is a process of its own.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch

from environment import describe_environment
from synthetic_scene import BANDS, COLUMNS, P, block, endmembers, small_scene, write_scene
from unmixel.io import open_lazily
from unmixel.methods._pixelwise import filled_blocks
from unmixel.methods.fcls import FCLS
from unmixel.methods.idnet import IDNet
from unmixel.methods.idnet.fitted import FittedIDNet
from unmixel.registry import load
from unmixel.solvers import fcls
from unmixel.spectra import make_bundle

SIZES = (1.0, 3.0, 10.0)
"""Sizes of the scenes [GB]."""
KILLS = 10
REPEATS = 5
COPIED_AT_ONCE = 64_000_000
"""Bytes."""


def apply(model: Path, scene: Path, output: Path, *more: str) -> list[str]:
    """Return the command that unmixes a scene."""
    return [str(Path(sys.executable).with_name("unmixel")), "apply", str(model), str(scene), "-o", str(output), *more]


def best(call: Callable[[], object]) -> float:
    """Return the least of how long some calls take [s]."""
    return min(seconds(call) for _ in range(REPEATS))


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def run(*command: str) -> None:
    """Run a command in silence."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def told(output: Path) -> dict[str, float]:
    """Return what a run says of its times and its memory."""
    return json.loads((output / "provenance.json").read_text())


def bytes_of(output: Path) -> dict[str, str]:
    """Return the digest of each file of a result, but for the one that has times."""
    files = sorted(path for path in output.rglob("*") if path.is_file() and path.name != "provenance.json")
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read_and_write_back(scene: Path, copy: Path) -> None:
    """Copy a scene, some bytes at a time."""
    with scene.open("rb") as source, copy.open("wb") as file:
        shutil.copyfileobj(source, file, COPIED_AT_ONCE)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def scene_of(folder: Path, gigabytes: float) -> Iterator[Path]:
    """Make a scene, and remove it."""
    path = folder / f"scene_{gigabytes:g}.img"
    write_scene(path, gigabytes)
    yield path
    path.unlink()
    path.with_suffix(".hdr").unlink()


def models(folder: Path) -> dict[str, Path]:
    """Fit a model of each kind to a small scene of the same materials."""
    scene = small_scene()
    bundle = make_bundle(endmembers(), [f"material {k + 1}" for k in range(P)], wavelength=scene["wavelength"].values)
    paths = {}
    for name, method in {"fcls": FCLS(), "idnet": IDNet()}.items():
        paths[name] = folder / f"{name}.model"
        method.fit(scene, bundle).save(paths[name])
    return paths


def print_kernels(model: dict[str, Path]) -> float:
    """Print how fast pixels in memory are unmixed by one thread, and return ID-Net's rate [pixels/s]."""
    pixels = block(0).reshape(-1, BANDS)
    spectra = endmembers().astype(np.float32)
    idnet = load(model["idnet"])
    assert isinstance(idnet, FittedIDNet)
    blocks = [part for _, _, part in filled_blocks(pixels)]
    product, solved = best(lambda: pixels @ spectra.T), best(lambda: fcls(pixels, spectra))
    posterior = len(pixels) / best(lambda: [idnet.posterior_of(torch.from_numpy(part)) for part in blocks])
    whole = len(pixels) / best(lambda: [idnet._unmix_pixels(part) for part in blocks])
    shape = idnet.model.shape
    law = "linear" if not shape.law.bilinear and not shape.albedo else "nonlinear"
    print("## In memory, one thread\n")
    print(f"{len(pixels):,} pixels; best of {REPEATS}. ID-Net chose {shape.n_latents} latents for each endmember and")
    print(f"{law} mixing.\n")
    print("| | pixels/s | |")
    print("| --- | --- | --- |")
    print(f"| one product pixels @ endmembers.T | {len(pixels) / product:,.0f} | |")
    print(f"| fcls | {len(pixels) / solved:,.0f} | {solved / product:.1f} products; target: at most 5 |")
    print(f"| idnet, abundances, sd and latents | {posterior:,.0f} | target: at least 60,000 |")
    print(f"| idnet, and the mixing stream's residual | {whole:,.0f} | target: at least 25,000 |\n", flush=True)
    return whole


def print_sizes(folder: Path, model: dict[str, Path], sizes: list[float], in_memory: float) -> None:
    """Print memory and time of scenes of several sizes, beside ID-Net's rate in memory [pixels/s]."""
    print("## Memory and time by size, one process\n")
    print("| scene | method | peak resident memory | seconds (reading, unmixing, writing) | pixels/s | by size |")
    print("| --- | --- | --- | --- | --- | --- |")
    first: dict[str, float] = {}
    for gigabytes in sizes:
        with scene_of(folder, gigabytes) as scene:
            n_pixels = np.prod(open_lazily(scene).shape[:2])
            copying = seconds(lambda scene=scene: read_and_write_back(scene, folder / "copy"))
            (folder / "copy").unlink()
            print(f"| {gigabytes:g} GB | read and written back | | {copying:.1f} | {n_pixels / copying:,.0f} | |")
            for name in model:
                output = folder / f"out_{name}"
                whole = seconds(lambda n=name, s=scene, o=output: run(*apply(model[n], s, o, "--workers", "1")))
                found = told(output)
                parts = ", ".join(f"{found[part]:.1f}" for part in ("read_s", "unmix_s", "write_s"))
                rate = n_pixels / whole
                first.setdefault(name, rate)
                share = f"{rate / in_memory:.2f} of memory's"
                if name == "fcls":
                    share = f"{copying / whole:.2f} of the copy's"
                print(
                    f"| {gigabytes:g} GB | {name} | {found['peak_memory_mb']:,.0f} MB | {whole:.1f} ({parts}) "
                    f"| {rate:,.0f}; {share} | {rate / first[name]:.2f} of the smallest's |",
                    flush=True,
                )
                run("rm", "-r", str(output))


def speed_of_two(model: Path) -> float:
    """Return how many times as much two processes of this machine unmix in memory as one of them alone."""
    script = (
        "import sys, time; from synthetic_scene import BANDS, block; from unmixel.registry import load\n"
        "fitted, pixels, done = load(sys.argv[1]), block(0).reshape(-1, BANDS)[:1024], 0\n"
        "fitted._unmix_pixels(pixels); print('ready', flush=True); input(); end = time.monotonic() + 10\n"
        "while time.monotonic() < end: fitted._unmix_pixels(pixels); done += 1\n"
        "print(done)"
    )

    def done_by(n_processes: int) -> int:
        command = [sys.executable, "-c", script, str(model)]
        folder = Path(__file__).parent
        with ExitStack() as running:
            processes = [
                running.enter_context(
                    subprocess.Popen(command, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                )
                for _ in range(n_processes)
            ]
            for process in processes:
                process.stdout.readline()
            for process in processes:
                process.stdin.write("go\n")
                process.stdin.flush()
            return sum(int(process.stdout.readline()) for process in processes)

    alone = done_by(1)
    return done_by(2) / alone


def print_workers(folder: Path, model: Path, gigabytes: float) -> None:
    """Print how much faster two processes are, and whether they give the same bytes."""
    possible = speed_of_two(model)
    with scene_of(folder, gigabytes) as scene:
        times = [
            seconds(lambda n=n: run(*apply(model, scene, folder / f"workers_{n}", "--workers", str(n)))) for n in (1, 2)
        ]
        unmixing = [told(folder / f"workers_{n}")["unmix_s"] for n in (1, 2)]
        same = bytes_of(folder / "workers_1") == bytes_of(folder / "workers_2")
    print(f"\n## Two workers, idnet, {gigabytes:g} GB\n")
    print(f"- two processes that only unmix in memory, apart from each other: {possible:.2f} times what one does")
    print(f"- whole command: {times[0]:.1f} s and {times[1]:.1f} s: {times[0] / times[1]:.2f} times as fast")
    print(f"- unmixing alone: {unmixing[0]:.1f} s and {unmixing[1]:.1f} s: {unmixing[0] / unmixing[1]:.2f} times")
    print(f"- every file the same to the byte: {'yes' if same else 'NO'}", flush=True)


def print_kills(folder: Path, model: Path, gigabytes: float) -> None:
    """Print whether runs that were killed at random moments end as one that was not."""
    moments = random.Random(0)
    with scene_of(folder, gigabytes) as scene:
        whole = seconds(lambda: run(*apply(model, scene, folder / "undisturbed", "--workers", "1")))
        expected = bytes_of(folder / "undisturbed")
        same = 0
        for kill in range(KILLS):
            output = folder / f"killed_{kill}"
            with subprocess.Popen(
                apply(model, scene, output, "--workers", "1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                time.sleep(moments.uniform(0.05, 0.95) * whole)
                process.send_signal(signal.SIGKILL)
            run(*apply(model, scene, output, "--workers", "1", "--resume"))
            same += bytes_of(output) == expected
            run("rm", "-r", str(output))
    print(f"\n## Killed at {KILLS} random moments, fcls, {gigabytes:g} GB\n")
    print(f"{same} of {KILLS} ended with the bytes of the undisturbed run ({whole:.1f} s).", flush=True)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", default=",".join(map(str, SIZES)), help="sizes of scenes (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where to make scenes (default: the system's temporary folder)")
    options = parser.parse_args()
    sizes = [float(size) for size in options.gigabytes.split(",")]
    print("# Scenes larger than memory\n\nCommand: `" + " ".join(["python benchmarks/scale.py", *sys.argv[1:]]) + "`\n")
    print("\n".join(f"- {line}" for line in describe_environment()))
    print(f"- scenes of {COLUMNS} columns, {BANDS} bands and {P} endmembers that vary; ENVI, bil, float32\n")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        model = models(folder)
        in_memory = print_kernels(model)
        print_sizes(folder, model, sizes, in_memory)
        print_workers(folder, model["idnet"], sizes[len(sizes) // 2])
        print_kills(folder, model["fcls"], sizes[0])


if __name__ == "__main__":
    main()
