"""What is fuzzed: for each reader and loader the seeds, the file that is opened, and what is done with it.

A new reader is one line in `TARGETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pystac

from unmixel.benchmark.suite import read_suite
from unmixel.cli.run_config import read_run_config
from unmixel.cli.scenes import scenes_of
from unmixel.explorer.map_layers import layers_of
from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.scene_colours import scene_colours
from unmixel.io import Window, open_bundle, open_lazily, open_scene
from unmixel.io.stac import write_collection
from unmixel.registry import get_method, load
from unmixel.result import provenance_of
from unmixel.settings import checked_hyperparameters

from . import product_seeds, seeds
from .seeds import SCENE, Case


@dataclass(frozen=True)
class Target:
    """A reader to be fuzzed.

    Attributes
    ----------
    name : str
    seeds : callable
        Gives whole files to begin with.
    open : callable
        Does with the file or folder what a user would do; `entry` says which of the files it gets.
    entry : sequence of str
        Names, of which the first that exists is opened.
    """

    name: str
    seeds: Callable[[], list[Case]]
    open: Callable[[Path], object]
    entry: Sequence[str]


def scene(path: Path) -> None:
    """Open a scene in both ways, which must agree."""
    lazy = open_lazily(path, memory=4_000_000)
    windows = lazy.windows()
    part = lazy.read(windows[len(windows) // 2])
    whole = open_scene(path)
    assert whole.shape == lazy.shape, "the shape differs when the scene is opened lazily"
    assert (whole.good_band.values == lazy.good_band).all(), "good bands differ when the scene is opened lazily"
    rows, columns = windows[len(windows) // 2].slices
    assert np.array_equal(whole.values[rows, columns], part.values, equal_nan=True), "values differ lazily"
    known = whole.wavelength.values[np.isfinite(whole.wavelength.values)]
    assert (np.diff(known) >= 0).all(), "wavelengths do not ascend"
    assert np.isfinite(whole.values[~np.isnan(whole.values)]).all(), "infinite reflectance"


def bundle(path: Path) -> None:
    """Open endmember spectra, and bring them to the bands of a scene."""
    found = open_bundle(path)
    assert np.isfinite(found.values).all(), "spectra that are not finite"
    open_bundle(path, scene=SCENE)


def run_config(path: Path) -> None:
    """Read settings, and make the method that they ask for."""
    config = read_run_config(path)
    kind = get_method(config.method)
    kind(**checked_hyperparameters(kind, config.hyperparameters))


def manifest(path: Path) -> None:
    """List the scenes of a manifest."""
    for job in scenes_of([], path):
        assert "/" not in job.name, "an output outside its folder"
        assert job.name != "..", "an output outside its folder"


def model(path: Path) -> None:
    """Load a model, and unmix by it."""
    load(path).unmix(SCENE)


def stac_items(path: Path) -> None:
    """Make a collection of the items of results, and write it."""
    write_collection(path, sorted(path.glob("*/item.json")), identifier="all", description="results")
    pystac.Collection.from_file(str(path / "collection.json"))


def result(path: Path) -> None:
    """Open a result folder, its model, a pixel of it and its maps."""
    opened = OpenedResult(path)
    provenance_of(opened.result)
    opened.pixel(0, 0)
    for layer in layers_of(opened):
        layer.values(layer.whole, 2)
    colours, _ = scene_colours(opened)
    if colours is not None:
        colours.colours(colours.whole, 1)
    _ = opened.fitted, opened.axis, opened.scene
    if opened.scene is not None:
        opened.scene_at(Window(0, 1, 0, 1))


TARGETS = {
    target.name: target
    for target in (
        Target("envi", seeds.envi, scene, ("s.hdr", "s.img")),
        Target("tiff", seeds.tiff, scene, ("s.tif",)),
        Target("tiff_beside", seeds.tiff_beside, scene, ("s.tif",)),
        Target("matlab_5", seeds.matlab_5, scene, ("s.mat",)),
        Target("matlab_73", seeds.matlab_73, scene, ("s.mat",)),
        Target("netcdf", seeds.netcdf, scene, ("s.nc",)),
        Target("zarr", seeds.zarr, scene, ("s.zarr",)),
        Target("aviris", product_seeds.aviris, scene, ("s.nc",)),
        Target("emit", product_seeds.emit, scene, product_seeds.EMIT_FILES),
        Target("prisma", product_seeds.prisma, scene, ("s.he5",)),
        Target("tanager", product_seeds.tanager, scene, ("s.h5",)),
        Target("enmap", product_seeds.enmap, scene, (".",)),
        Target("desis", product_seeds.desis, scene, (".",)),
        Target("hyperion", product_seeds.hyperion, scene, product_seeds.HYPERION_FILES),
        Target("sentinel2", product_seeds.sentinel2, scene, ("S2B.SAFE",)),
        Target("sentinel2_stack", product_seeds.sentinel2_stack, scene, ("s.tif",)),
        Target("npy", seeds.npy, scene, ("s.npy",)),
        Target("npz", seeds.npz, scene, ("s.npz",)),
        Target("bundle_sli", seeds.bundle_sli, bundle, ("s.sli",)),
        Target("bundle_csv", seeds.bundle_csv, bundle, ("s.csv",)),
        Target("splib07", seeds.splib07, bundle, ("lib",)),
        Target("ecostress", seeds.ecostress, bundle, ("s.txt",)),
        Target("bundle_netcdf", seeds.bundle_netcdf, bundle, ("s.nc",)),
        Target("run_config", seeds.run_config, run_config, ("s.toml",)),
        Target("manifest", seeds.manifest, manifest, ("list.toml", "list.csv")),
        Target("suite", seeds.suite, read_suite, ("s.toml",)),
        Target("model_fcls", seeds.model_fcls, model, ("model",)),
        Target("model_idnet", seeds.model_idnet, model, ("model",)),
        Target("model_other", seeds.model_other, model, ("model",)),
        Target("stac_item", seeds.stac_item, stac_items, ("all",)),
        Target("result", seeds.result, result, ("out",)),
    )
}
"""By name."""
