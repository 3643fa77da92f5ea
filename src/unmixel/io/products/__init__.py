"""What agencies distribute, as they distribute it: one file per product, recognised by content.

A module here has a `NAME`, ``is_mine(path)``, which says cheaply whether a file or folder is that product and is False
for all others, damaged ones included, and ``read(path)``, which describes its scene as every reader does. It may have
``read_uncertainty(path)``, which does so for the standard deviations that a product comes with, and
``companions(path)``: the other files that are read with a scene.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from unmixel.io.products import emit

PRODUCTS: tuple[ModuleType, ...] = (emit,)


def product_of(path: Path) -> ModuleType | None:
    """Return the module of the product that a file or folder is, or None."""
    return next((product for product in PRODUCTS if product.is_mine(path)), None)


def companions_of(path: Path) -> list[Path]:
    """Return the other files that are read with a file or folder, if it is a product that has some."""
    find = getattr(product_of(path), "companions", None)
    return [] if find is None else find(path)
