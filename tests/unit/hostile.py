"""A scene and spectra that files are made of to do harm, and what has to be said of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numcodecs.jenkins import jenkins_lookup3

from unmixel.errors import SceneError
from unmixel.io import open_lazily, open_scene
from unmixel.scene import make_scene
from unmixel.spectra import make_bundle

VALUES = np.random.default_rng(3).uniform(0.05, 0.6, (4, 6, 5)).astype(np.float32)
SCENE = make_scene(VALUES, wavelength=np.linspace(450, 850, 5))
BUNDLE = make_bundle(VALUES[0, :3], ["soil", "water", "tree"], wavelength=np.linspace(450, 850, 5))

SHUFFLED = {"chunks": (2,), "compression": "gzip", "shuffle": True}
HOW = {"in chunks": {"chunks": (2,)}, "packed": {"chunks": (2,), "compression": "gzip"}, "shuffled": SHUFFLED}
"""Ways to store a dataset of HDF5."""


def refused(path: Path, words: str) -> str:
    """Both ways to open a scene refuse it; return what is said."""
    with pytest.raises(SceneError, match=words):
        open_lazily(path)
    with pytest.raises(SceneError, match=words) as caught:
        open_scene(path)
    assert path.name in str(caught.value)
    return str(caught.value)


def written_tiff(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(path, "w", "GTiff", 6, 4, 5, dtype="float32") as file,
    ):
        file.write(np.moveaxis(VALUES, 2, 0))
    return path


def with_checksum(content: bytes, start: int, size: int, at: int, changed: bytes) -> bytes:
    """Change a structure of so many bytes, after which its checksum comes, and make that right again."""
    structure = content[start : start + size]
    assert content[start + size : start + size + 4] == checksum_of(structure)
    structure = structure[:at] + changed + structure[at + len(changed) :]
    return content[:start] + structure + checksum_of(structure) + content[start + size + 4 :]


def checksum_of(structure: bytes) -> bytes:
    return jenkins_lookup3(structure, 0).to_bytes(4, "little")


def header_around(content: bytes, place: int) -> tuple[int, int]:
    """Return start and size of the header, or the piece of one, in which a place lies."""
    start = max(content.rfind(b"OHDR", 0, place), content.rfind(b"OCHK", 0, place))
    return start, size_at(content, start, place - start + 8)


def size_at(content: bytes, start: int, least: int = 8) -> int:
    """Return the bytes of a structure before its checksum."""
    sizes = range(least, len(content) - start - 3)
    return next(n for n in sizes if content[start + n : start + n + 4] == checksum_of(content[start : start + n]))
