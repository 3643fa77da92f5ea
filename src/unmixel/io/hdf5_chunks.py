"""Packed datasets of HDF5, of which no chunk unpacks to more or less than it should hold.

The library goes on unpacking to the end of what is stored, whatever that takes, and fills up a chunk that is too short
with whatever is in memory, or dies. So what deflate (RFC 1951) or LZF packed is unpacked here, and other compressions
(SZIP, N-bit, scale-offset) are refused. (The HDF5 File Format Specification, version 3.0, section IV.A.2.l, says how
chunks are stored.)
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import h5py
import numpy as np
from h5py.h5z import FILTER_DEFLATE, FILTER_FLETCHER32, FILTER_LZF, FILTER_SHUFFLE
from numpy.typing import NDArray

from unmixel.errors import SceneError
from unmixel.io import lzf
from unmixel.io.hdf5_types import REFERENCE, is_text

_PACKINGS = {FILTER_DEFLATE, FILTER_LZF}
_TAKEN = _PACKINGS | {FILTER_FLETCHER32, FILTER_SHUFFLE}
CHECKSUM = 4
"""Bytes that the filter of checksums adds to a chunk."""


class _Overlap(NamedTuple):
    """What a chunk has of a part, along one axis."""

    start: int
    """Of the chunk."""
    in_chunk: slice
    in_part: slice


class PackedDataset(h5py.Dataset):
    """A dataset whose packed chunks are checked when they are read.

    Parameters
    ----------
    bind : h5py.h5d.DatasetID
        The ``id`` of the dataset as the library has it.

    Examples
    --------
    >>> import tempfile
    >>> file = h5py.File(tempfile.mkdtemp() + "/a.h5", "w")
    >>> stored = file.create_dataset("a", data=np.arange(6).reshape(2, 3), compression="gzip")
    >>> PackedDataset(stored.id)[:, 1:3].tolist()
    [[1, 2], [4, 5]]
    """

    @property
    def is_packed(self) -> bool:
        """Whether its chunks are checked."""
        return self.chunks is not None and any(number in _PACKINGS for number, _ in filters_of(self.id))

    def check_filters(self) -> None:
        """Check that its chunks went through no filter of which the library may die.

        Raises
        ------
        SceneError
            If they did.
        """
        if others := {number for number, _ in filters_of(self.id)} - _TAKEN:
            raise SceneError(
                f"{self.name!r}, which was packed by filter {min(others)} of HDF5",
                "deflate (gzip), LZF, or nothing",
                "pack it anew: h5repack -f GZIP=1 IN OUT",
            )

    def __getitem__(self, args: Any, new_dtype: Any = None) -> Any:
        """Return a part, given by slices without steps of its first axes, or by ``()``.

        Raises
        ------
        SceneError
            If a chunk of it does not hold what it should.
        """
        self.check_filters()
        if not self.is_packed:
            return super().__getitem__(args, new_dtype)
        numbers = [number for number, _ in filters_of(self.id)]
        packing = next(place for place, number in enumerate(numbers) if number in _PACKINGS)
        if set(numbers[packing + 1 :]) - {FILTER_FLETCHER32}:
            raise SceneError(f"{self.name!r}, which was changed after it was packed", "compressed last, or not at all")
        of_one = REFERENCE.itemsize if is_text(self.id.get_type()) else self.id.get_type().get_size()
        n_bytes = math.prod(self.chunks) * of_one
        n_bytes += CHECKSUM * numbers[:packing].count(FILTER_FLETCHER32)
        given = args if isinstance(args, tuple) else (args,)
        slices = (*given, *[slice(None)] * (self.ndim - len(given)))
        ranges = [range(*one.indices(count)) for one, count in zip(slices, self.shape, strict=True)]
        if not all(ranges):  # the others may be of any length
            return super().__getitem__(args, new_dtype)
        values = np.empty([len(each) for each in ranges], self.dtype) if self._is_plain() else None
        for overlaps in product(*map(_overlaps, ranges, self.chunks)):
            chunk = self._unpacked(tuple(one.start for one in overlaps), numbers, packing, n_bytes)
            if values is None:
                continue
            there = tuple(one.in_part for one in overlaps)
            if chunk is None:
                here = [slice(one.start + one.in_chunk.start, one.start + one.in_chunk.stop) for one in overlaps]
                values[there] = super().__getitem__(tuple(here))
            else:
                values[there] = self._array(*chunk)[tuple(one.in_chunk for one in overlaps)]
        return super().__getitem__(args, new_dtype) if values is None else values

    def _is_plain(self) -> bool:
        """Return whether its chunks are arrays as they are, once unpacked, or shuffled ones."""
        *shuffled, (last, _) = filters_of(self.id)
        return (
            last in _PACKINGS
            and self.dtype.kind in "iuf"
            and shuffled in ([], [(FILTER_SHUFFLE, (self.dtype.itemsize,))])
            and self.id.get_type() == h5py.h5t.py_create(self.dtype)
        )

    def _unpacked(
        self, start: tuple[int, ...], filters: list[int], packing: int, n_bytes: int
    ) -> tuple[int, bytes] | None:
        """Return which filters a chunk went without (a bit for each), and what it holds.

        None where nothing is stored, or it is damaged: the library knows the value of the one, and what is wrong with
        the other.
        """
        try:
            left_out, content = self.id.read_direct_chunk(start)
            after = [number for place, number in enumerate(filters) if place > packing and not left_out >> place & 1]
            content = content[: max(0, len(content) - CHECKSUM * after.count(FILTER_FLETCHER32))]
            whole = True
            if not left_out >> packing & 1:
                content, whole = self._content_of(content, filters[packing], n_bytes)
        except (OSError, RuntimeError, MemoryError, zlib.error):
            return None
        if len(content) != n_bytes or not whole:
            held = f"more than {n_bytes}" if len(content) > n_bytes else f"{len(content)}"
            raise SceneError(f"{self.name!r} with {held} bytes in a chunk", f"{n_bytes} of them", "is it damaged?")
        return left_out, content

    def _content_of(self, packed: bytes, packing: int, n_bytes: int) -> tuple[bytes, bool]:
        """Return what was packed, or the beginning of it if it is too long, and whether it has an end."""
        if packing == FILTER_DEFLATE:
            unpacking = zlib.decompressobj()
            return unpacking.decompress(packed, n_bytes + 1), unpacking.eof
        try:
            return lzf.unpacked(packed, n_bytes), True
        except ValueError as error:
            raise SceneError(f"{self.name!r} with {error}", "LZF in each chunk", "is it damaged?") from error

    def _array(self, left_out: int, content: bytes) -> NDArray:
        if len(filters_of(self.id)) == 2 and not left_out & 1:
            planes = np.frombuffer(content, np.uint8).reshape(self.dtype.itemsize, -1)
            together = np.empty(planes.shape[::-1], np.uint8)
            for byte, plane in enumerate(planes):
                together[:, byte] = plane
            return together.view(self.dtype).reshape(self.chunks)
        return np.frombuffer(content, self.dtype).reshape(self.chunks)


def filters_of(stored: h5py.h5d.DatasetID) -> list[tuple[int, tuple[int, ...]]]:
    """Return the filters that a dataset goes through when it is written, in order: number and options."""
    how = stored.get_create_plist()
    filters = (how.get_filter(place) for place in range(how.get_nfilters()))
    return [(number, options) for number, _, options, _ in filters]


def _overlaps(part: range, step: int) -> Iterator[_Overlap]:
    """Yield what chunks of so many values have of a part."""
    for start in range(part.start // step * step, part.stop, step):
        first, end = max(start, part.start), min(start + step, part.stop)
        yield _Overlap(start, slice(first - start, end - start), slice(first - part.start, end - part.start))
