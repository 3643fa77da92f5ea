"""Models that look at every pixel alone: so a scene may come in any pieces."""

from __future__ import annotations

import abc
from collections.abc import Iterator

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer

from unmixel.methods._fitted import Fitted
from unmixel.methods._parts import Parts
from unmixel.methods._progress import Progress
from unmixel.scene import ValidPixels

BLOCK = 1024
"""Pixels unmixed at a time, unless a method has its own number. Every block is filled up to its size and begins at a
multiple of `ALIGNMENT` in memory, because the last bits of a matrix product depend on its shape and, on some
processors, on that: so it does not matter for a pixel which others are unmixed with it."""
ALIGNMENT = 64
"""Bytes."""
SETTLED = "settled"
"""What is found with the variables of a result, where a search may end before its minimum: whether it didn't."""
SPECTRA_BLOCK = 64
"""The same where spectra are asked for, which is mostly of one pixel."""


def filled_blocks(
    pixels: Float[np.ndarray, "pixel band"] | ValidPixels, size: int = BLOCK
) -> Iterator[tuple[int, int, Float[np.ndarray, "block band"]]]:
    """Yield pixels by blocks: the first one's place, their number, and the block, filled up with its last pixel.

    Examples
    --------
    >>> [(first, n, block.shape) for first, n, block in filled_blocks(np.zeros((1500, 7), dtype=np.float32))]
    [(0, 1024, (1024, 7)), (1024, 476, (1024, 7))]
    """
    for first in range(0, max(len(pixels), 1), size):
        given = pixels[first : first + size]
        n, n_bands = given.shape
        block = _aligned(size, n_bands)
        block[:n] = given
        block[n:] = given[-1] if n else 0
        yield first, n, block


def _aligned(n_pixels: int, n_bands: int) -> Float[np.ndarray, "pixel band"]:
    """Return an array that is not filled, at a multiple of `ALIGNMENT` in memory."""
    n_bytes = 4 * n_pixels * n_bands
    memory = np.empty(n_bytes + ALIGNMENT, dtype=np.uint8)
    first = -memory.ctypes.data % ALIGNMENT
    return memory[first : first + n_bytes].view(np.float32).reshape(n_pixels, n_bands)


class PixelwiseFitted(Fitted):
    """A fitted method that unmixes each pixel by itself.

    Attributes
    ----------
    block : int
        Pixels unmixed at a time.
    """

    block: int = BLOCK

    @abc.abstractmethod
    def _unmix_pixels(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        """Return the per-pixel variables of the result for a block of pixels, and `SETTLED` if a search may not be.

        Each row depends on its pixel alone.
        """

    @abc.abstractmethod
    def _endmembers_of(
        self, pixels: Float[np.ndarray, "pixel band"]
    ) -> tuple[Float[np.ndarray, "pixel endmember band"], Float[np.ndarray, "pixel endmember band"]]:
        """Return mean and standard deviation of the endmember spectra of pixels."""

    @abc.abstractmethod
    def _parts_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Parts:
        """Return what pixels are made of."""

    @abc.abstractmethod
    def _endmember_statistics(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[str, np.ndarray]:
        """Return ``endmember_spectrum``, ``endmember_spectrum_sd`` and ``endmember_quantile`` over these pixels."""

    def _maps_of(self, scene: xr.DataArray, pixels: ValidPixels, progress: Progress | None) -> dict[str, np.ndarray]:
        rows, columns = pixels.shape
        flat: dict[str, np.ndarray] = {}
        self.ended = {}
        for first, n, block in filled_blocks(pixels, self.block):
            found = self._unmix_pixels(block)
            if SETTLED in found:
                unsettled = int((~found.pop(SETTLED)[:n]).sum())
                self.ended = {"unsettled_pixels": self.ended.get("unsettled_pixels", 0) + unsettled}
            for name, values in found.items():
                if name not in flat:
                    flat[name] = np.full((rows * columns, *values.shape[1:]), np.nan, dtype=np.float32)
                flat[name][pixels.numbers[first : first + n]] = values[:n]
            if progress:
                progress("unmix", {"pixel": first + n, "of": len(pixels)})
        return {name: values.reshape(rows, columns, *values.shape[1:]) for name, values in flat.items()}

    def _endmembers_in(
        self, pixels: ValidPixels, chosen: Integer[np.ndarray, "chosen"]
    ) -> tuple[Float[np.ndarray, "chosen endmember band"], Float[np.ndarray, "chosen endmember band"]]:
        return self._endmembers_of(pixels[chosen])

    def _parts_in(self, pixels: ValidPixels, chosen: Integer[np.ndarray, "chosen"]) -> Parts:
        return self._parts_of(pixels[chosen])

    def _statistics_in(self, pixels: ValidPixels, chosen: Integer[np.ndarray, "chosen"]) -> dict[str, np.ndarray]:
        return self._endmember_statistics(pixels[chosen])
