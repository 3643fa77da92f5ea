"""`unmixel info`: what is in a scene file, and what was done to it on reading."""

from __future__ import annotations

from unmixel.cli.options import (
    Bands,
    KeepAtmosphere,
    Scale,
    SceneFile,
    Threads,
    Uncertainty,
    limit_threads,
    parse_bands,
)


def info(
    scene: SceneFile,
    bands: Bands = None,
    scale: Scale = None,
    keep_atmosphere: KeepAtmosphere = False,
    uncertainty: Uncertainty = None,
    threads: Threads = None,
) -> None:
    """Say what is in a scene file.

    Its place, bands, values and noise, what was done to it on reading, how many endmembers it may hold, and
    whether it looks like reflectance. It is read by parts, so that its size does not matter.
    """
    limit_threads(threads)
    from unmixel.cli.scene_report import WINDOW_MEMORY, print_scene
    from unmixel.cli.screen import screen
    from unmixel.io import open_lazily

    opened = open_lazily(
        scene,
        leave_out=parse_bands(bands),
        scale=scale,
        keep_atmosphere=keep_atmosphere,
        uncertainty=uncertainty,
        memory=WINDOW_MEMORY,
    )
    print_scene(opened, str(scene), screen())
