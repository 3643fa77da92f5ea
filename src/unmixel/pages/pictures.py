"""Maps as pictures inside a page: one picture point for each pixel."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from unmixel.pages.colours import MASKED

N_COLOURS = 255
"""The last number of a byte is left for masked pixels."""


def colour_numbers(values: Float[np.ndarray, "y x"], high: float) -> UInt8[np.ndarray, "y x"]:
    """Return the numbers of the colours; the last one is for what is not known."""
    known = np.isfinite(values)
    share = np.clip(np.where(known, values, 0) / high, 0, 1)
    return np.where(known, np.round(share * (N_COLOURS - 1)), N_COLOURS).astype(np.uint8)


def ramp() -> UInt8[np.ndarray, "1 colour"]:
    """Return the numbers of all colours, for a colour bar."""
    return np.arange(N_COLOURS, dtype=np.uint8)[None]


def picture_of(numbers: UInt8[np.ndarray, "y x"], palette: Sequence[str]) -> str:
    """Return a picture with 255 colours and grey, as an address that holds it.

    Examples
    --------
    >>> picture_of(np.zeros((2, 3), dtype=np.uint8), ["#000000"] * 255)[:22]
    'data:image/png;base64,'
    """
    image = Image.frombytes("P", numbers.shape[::-1], np.ascontiguousarray(numbers).tobytes())
    image.putpalette([int(colour[i : i + 2], 16) for colour in (*palette, MASKED) for i in (1, 3, 5)])
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return png_address(file.getvalue())


def png_address(content: bytes) -> str:
    """Return the content of a PNG file as an address that a page can show."""
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
