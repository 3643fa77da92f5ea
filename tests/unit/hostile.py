"""A scene and spectra that files are made of to do harm, and what has to be said of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

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
