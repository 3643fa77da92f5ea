"""What agencies distribute, as they distribute it: one file per product, recognised by content.

A module here has a `NAME`, ``is_mine(path)``, which says cheaply whether a file or folder is that product and is False
for all others, damaged ones included, and ``read(path)``, which describes its scene as every reader does. It may have
``read_uncertainty(path)``, which does so for the standard deviations that a product comes with; and, where a product is
many files, ``whole_of(path)``: for any file that is one of them a path that is the same for all, the folder or the name
of the product, and None for other files. Where it comes with files that look like it but are no scene (a mask, an
uncertainty), ``comes_beside(path)`` says of a file whether it is one.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from unmixel.io.products import aviris, desis, emit, enmap, hyperion, prisma, sentinel2, sentinel2_stack, tanager

PRODUCTS: tuple[ModuleType, ...] = (
    aviris,
    desis,
    emit,
    enmap,
    hyperion,
    prisma,
    sentinel2,
    sentinel2_stack,
    tanager,
)


def whole_of(path: Path) -> Path | None:
    """Return the product that a file is a part of, as a path that is the same for all its parts; None if it is none."""
    asked = (product.whole_of(path) for product in PRODUCTS if hasattr(product, "whole_of"))
    return next((whole for whole in asked if whole is not None), None)


def comes_beside(path: Path) -> bool:
    """Return whether a file is no scene itself, but comes beside one: its mask or its uncertainty."""
    return any(product.comes_beside(path) for product in PRODUCTS if hasattr(product, "comes_beside"))


def product_of(path: Path) -> ModuleType | None:
    """Return the module of the product that a file or folder is, or None."""
    return next((product for product in PRODUCTS if product.is_mine(path)), None)
