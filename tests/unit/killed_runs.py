"""Runs in processes of their own, killed where a test says; all are forks of one in which everything is loaded."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unmixel.io import result_folder
from unmixel.methods.idnet import IDNet
from unmixel.scale import finishing, run, unmix_file
from unmixel.scale.journal import Journal

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["torch._dynamo", "scipy.optimize", "unmixel.methods.idnet", "unmixel.methods.fcls", "unmixel.scale.finishing"]
)


def exit_code(target: Callable[..., None], *arguments: Any) -> int:
    """Return how a process ended in which a function was called; minus a signal that killed it."""
    process = FORKS.Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def die(*_: object, **__: object) -> None:
    """End this process like a loss of power does."""
    os.kill(os.getpid(), signal.SIGKILL)


def learn_and_die(folder: Path, output: str, tile_memory: int, stage_to_die_in: str, at: int) -> None:
    """Unmix a scene by an ID-Net that learns from it, until so much of a stage is done."""

    def progress(stage: str, numbers: dict[str, float]) -> None:
        if stage == stage_to_die_in and next(iter(numbers.values())) == at:
            die()

    method = IDNet(n_endmembers=3, extraction="clusters", n_epochs=3, steps_per_epoch=2)
    unmix_file(method, folder / "scene.img", folder / output, tile_memory=tile_memory, progress=progress, resume=True)


def unmix_and_die(folder: Path, tile_memory: int, point: str, at: int) -> None:
    """Unmix a scene by a model, until a point has been reached more than so many times."""
    calls = 0

    def count(*_: object, **__: object) -> None:
        nonlocal calls
        calls += 1
        if calls > at:
            die()

    def before(where: Any, name: str) -> None:
        original = getattr(where, name)

        def replaced(*given: Any, **named: Any) -> Any:
            count()
            return original(*given, **named)

        setattr(where, name, replaced)

    def after(where: Any, name: str) -> None:
        original = getattr(where, name)

        def replaced(*given: Any, **named: Any) -> None:
            original(*given, **named)
            count()

        setattr(where, name, replaced)

    points = {
        "tile": lambda: None,
        "before the journal": lambda: before(Journal, "add"),
        "maps": lambda: after(result_folder, "stream_cog"),
        "spectra": lambda: before(finishing, "write_spectra"),
        "before the move": lambda: before(run, "finish"),
        "after the move": lambda: after(sys.modules["unmixel.scale.run_folder"], "move_into_place"),
    }
    points[point]()
    progress = (lambda stage, numbers: count() if stage == "tiles" else None) if point == "tile" else None
    unmix_file(folder / "model", folder / "scene.img", folder / "out", tile_memory=tile_memory, progress=progress)
