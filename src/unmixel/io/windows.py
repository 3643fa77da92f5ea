"""Windows of a scene: which pixels are read together."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """A rectangle of pixels: rows top to bottom and columns left to right, without the last ones.

    Examples
    --------
    >>> window = Window(2, 5, 0, 7)
    >>> window.shape, window.n_pixels, window.slices
    ((3, 7), 21, (slice(2, 5, None), slice(0, 7, None)))
    """

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts the window out of an array (y, x, ...)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def natural_windows(shape: tuple[int, int], block: tuple[int, int], most: int) -> list[Window]:
    """Cut a scene into equal windows of whole blocks of its file; those at the lower and right edge are smaller.

    Windows span whole rows if a row of blocks is small enough, and otherwise as many blocks as are allowed. Only a
    block that is itself too large is cut; the windows in it follow each other.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the scene.
    block : tuple of int
        Rows and columns that lie together in the file.
    most : int
        Pixels in a window.

    Examples
    --------
    >>> [tuple(window) for window in natural_windows((5, 4), (1, 4), 8)]
    [(0, 2, 0, 4), (2, 4, 0, 4), (4, 5, 0, 4)]
    >>> [tuple(window) for window in natural_windows((5, 4), (5, 1), 15)]
    [(0, 5, 0, 3), (0, 5, 3, 4)]
    >>> [tuple(window) for window in natural_windows((4, 4), (4, 2), 4)]
    [(0, 2, 0, 2), (2, 4, 0, 2), (0, 2, 2, 4), (2, 4, 2, 4)]
    """
    rows, columns = shape
    tall, wide = min(block[0], rows), min(block[1], columns)
    if tall * columns <= most:
        tall, wide = tall * (most // (tall * columns)), columns
        together = tall
    else:
        wide = min(wide * max(1, most // (tall * wide)), columns, max(most, 1))
        block_tall, tall = tall, part_of(tall, max(1, most // wide))
        together = block_tall // tall * tall
    return [
        Window(top, min(top + tall, rows), left, min(left + wide, columns))
        for first in range(0, rows, together)
        for left in range(0, columns, wide)
        for top in range(first, min(first + together, rows), tall)
    ]


def part_of(length: int, most: int) -> int:
    """Return how long equal parts of a length can be; unequal ones where equal ones would be very short.

    >>> part_of(512, 600), part_of(512, 300), part_of(13, 5)
    (512, 256, 5)
    """
    if length <= most:
        return length
    equal = max(part for part in range(1, most + 1) if length % part == 0)
    return equal if 2 * equal >= most else most
