"""Tiny whole products to be mutated: the look-alikes of their own tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from .seeds import Case, made

_LOOK_ALIKES = Path(__file__).parents[1] / "products"


def look_alike(name: str) -> ModuleType:
    """Return the module that writes a product's look-alike for its own tests."""
    if str(_LOOK_ALIKES) not in sys.path:
        sys.path.append(str(_LOOK_ALIKES))
    spec = importlib.util.spec_from_file_location(name, _LOOK_ALIKES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def aviris() -> list[Case]:
    """Of lines, and of chunks."""
    write = look_alike("aviris_scene").write
    return [
        made(lambda folder: write(folder / "s.nc")),
        made(lambda folder: write(folder / "s.nc", chunks=(2, 2, 2))),
    ]


EMIT_FILES = tuple(look_alike("emit_granule").STEM.format(kind) for kind in ("RFL", "MASK"))
"""The names by which the scene finds its mask."""


def emit() -> list[Case]:
    """A granule without its mask, and with it."""
    granule = look_alike("emit_granule")
    return [made(granule.write_scene), made(lambda folder: (granule.write_scene(folder), granule.write_mask(folder)))]


def prisma() -> list[Case]:
    """Of lines, and of chunks."""
    write = look_alike("prisma_scene").write
    return [
        made(lambda folder: write(folder / "s.he5")),
        made(lambda folder: write(folder / "s.he5", chunks=(2, 2, 2))),
    ]


def tanager() -> list[Case]:
    """On a grid, and as the sensor saw it."""
    write = look_alike("tanager_scene").write
    return [
        made(lambda folder: write(folder / "s.h5")),
        made(lambda folder: write(folder / "s.h5", basic=True)),
    ]


def enmap() -> list[Case]:
    """A folder with all quality layers, one with its image and metadata only, and one of raw numbers."""
    product = look_alike("enmap_scene")
    whole = made(product.make_product)
    return [
        whole,
        {name: content for name, content in whole.items() if "-QL_" not in name},
        made(lambda folder: (product.make_product(folder), product.as_raw_numbers(folder, "bil"))),
    ]


def desis() -> list[Case]:
    """A folder with its quality layer."""
    return [made(look_alike("test_desis").make_product)]


HYPERION_FILES = ("EO1H0370332004123110KZ_stack.tif", "s.hdr", ".")
"""A stack, or a folder of bands."""


def hyperion() -> list[Case]:
    """Stacks as GeoTIFF and ENVI, and a folder of 242 bands."""
    product, layers = look_alike("test_hyperion"), look_alike("dlr_products")
    values = product.stored()

    def bands(folder: Path) -> None:
        for band in product.NUMBERS:
            layers.write_image(folder / f"{product.SCENE}_B{band:03d}_L1T.TIF", values[:2, :3, band - 1 : band])

    header = f"""ENVI
samples = {layers.COLUMNS}
lines = {layers.ROWS}
bands = 242
data type = 2
interleave = bip
sensor type = Hyperion
reflectance scale factor = 10000
wavelength units = Nanometers
bbl = {{{", ".join(["0"] * 10 + ["1"] * 232)}}}
"""
    return [
        made(lambda folder: layers.write_image(folder / HYPERION_FILES[0], values)),
        {"s.hdr": header.encode(), "s.img": values.astype("<i2").tobytes()},
        made(bands),
    ]


def sentinel2() -> list[Case]:
    """A folder of JPEG 2000 with its metadata."""
    return [made(lambda folder: look_alike("test_sentinel2").make_product(folder / "S2B.SAFE"))]


def sentinel2_stack() -> list[Case]:
    """With what GDAL keeps of the metadata, and without."""
    write = look_alike("test_sentinel2_stack").write_stack
    tags = {"BOA_QUANTIFICATION_VALUE": "10000", "PROCESSING_BASELINE": "05.11"}
    return [
        made(lambda folder: write(folder / "s.tif", tags=tags, offset=-1000)),
        made(lambda folder: write(folder / "s.tif")),
    ]
