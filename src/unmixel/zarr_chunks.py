"""Chunks of Zarr stores, unpacked only if they say that they hold no more than belongs in them.

A megabyte of zstd may hold 30 GB. Its frames and those of Blosc begin with the size of what they hold; gzip is unpacked
no further than that. Other compressions are refused. Lists of texts begin with the number of them.
"""

from __future__ import annotations

import math
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zarr
import zarr.codecs
from zarr.abc.codec import Codec
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
)
from zarr.registry import register_codec

from unmixel.claims import SMALL

GZIP = 31
"""What zlib calls the format of gzip."""
_MOST_MEMBERS = 10
_ZSTD = b"\x28\xb5\x2f\xfd"
_REPEATED = 1
"""The kind of a block that is one byte, repeated."""
_SHORTEST_BLOCK, _MOST_BLOCKS = 1024, 100
"""Bytes that a block of zstd holds at least, of which the library fills 128 kB, but for some."""
_OTHERS = (BytesCodec, Crc32cCodec, ShardingCodec, TransposeCodec, zarr.codecs.VLenUTF8Codec)
"""What does not unpack."""
_one_at_a_time = threading.Lock()


class _Bounded:
    """A codec that looks at a chunk before it is decoded, whichever of its two ways Zarr takes."""

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        if not hasattr(super(), "_decode_sync"):  # where Zarr has it, it is taken by this one
            self._check(chunk_bytes.to_bytes(), chunk_spec)
        return await super()._decode_single(chunk_bytes, chunk_spec)  # type: ignore[misc]

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        self._check(chunk_bytes.to_bytes(), chunk_spec)
        return super()._decode_sync(chunk_bytes, chunk_spec)  # type: ignore[misc]

    def _check(self, packed: bytes, chunk: Any) -> None:
        """Refuse a chunk that says it holds too much, by a ValueError."""
        raise NotImplementedError


class BoundedZstd(_Bounded, ZstdCodec):
    """Zstandard."""

    def _check(self, packed: bytes, chunk: Any) -> None:
        _check_held(_held_by_zstd(packed), chunk)


class BoundedBlosc(_Bounded, BloscCodec):
    """Blosc, all of its compressions."""

    def _check(self, packed: bytes, chunk: Any) -> None:
        _check_held(int.from_bytes(packed[4:8], "little"), chunk)


class BoundedGzip(_Bounded, GzipCodec):
    """Gzip."""

    def _check(self, packed: bytes, chunk: Any) -> None:
        held, n_members = 0, 0
        member = zlib.decompressobj(wbits=GZIP)
        while packed:
            held += len(member.decompress(packed, SMALL))
            _check_held(held, chunk)
            packed = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                n_members += 1
                if n_members == _MOST_MEMBERS:
                    raise ValueError("a chunk of many files of gzip")
                member = zlib.decompressobj(wbits=GZIP)


class VLenUTF8Codec(_Bounded, zarr.codecs.VLenUTF8Codec):
    """Texts of any length, after their number. Zarr knows it by the name of the class."""

    def _check(self, packed: bytes, chunk: Any) -> None:
        held, belong = int.from_bytes(packed[:4], "little"), math.prod(chunk.shape)
        if held != belong:
            raise ValueError(f"a chunk that claims {held} texts, where {belong} belong")


_BOUNDED = {"zstd": BoundedZstd, "blosc": BoundedBlosc, "gzip": BoundedGzip, "vlen-utf8": VLenUTF8Codec}
for _name, _codec in _BOUNDED.items():
    register_codec(_name, _codec)


@contextmanager
def bounded_chunks() -> Iterator[None]:
    """Have arrays that are opened meanwhile unpack no chunk that says it holds too much."""
    chosen = {f"codecs.{name}": f"{codec.__module__}.{codec.__qualname__}" for name, codec in _BOUNDED.items()}
    with _one_at_a_time, zarr.config.set(chosen):
        yield


def unbounded_codec(codecs: tuple[Codec, ...]) -> str:
    """Return the name of a compression that is not known to be bounded; empty if there is none."""
    for codec in codecs:
        if isinstance(codec, ShardingCodec) and (inner := unbounded_codec((*codec.codecs, *codec.index_codecs))):
            return inner
        if not isinstance(codec, (*_OTHERS, ZstdCodec, BloscCodec, GzipCodec)):
            return str(codec.to_dict().get("name"))
    return ""


def _check_held(held: int, chunk: Any) -> None:
    item = getattr(chunk.dtype, "item_size", None) or getattr(chunk.dtype, "itemsize", 1)  # Zarr 3.0 has NumPy's types
    most = max(SMALL, math.prod(chunk.shape) * item)
    if held > most:
        raise ValueError(f"a chunk that unpacks to {held:.3g} bytes, where at most {most:.3g} belong")


def _held_by_zstd(frame: bytes) -> int:
    """Return the bytes that a chunk, which is one frame of zstd, says it holds (RFC 8878, section 3.1.1.1).

    Examples
    --------
    >>> _held_by_zstd(bytes.fromhex("28b52ffd" "60" "0001" "031000" "00"))
    512
    >>> _held_by_zstd(bytes.fromhex("28b52ffd" "20" "05" "290000" "6162636465"))
    5
    """
    if frame[:4] != _ZSTD or len(frame) < 6:
        raise ValueError("a chunk that is no frame of zstd")
    described = frame[4]
    is_single, flag = bool(described & 32), described >> 6
    at = 5 + (not is_single) + (0, 1, 2, 4)[described & 3]
    size = (int(is_single), 2, 4, 8)[flag]
    if size == 0:
        raise ValueError("a chunk of zstd that does not say what it holds")
    held = int.from_bytes(frame[at : at + size], "little") + (256 if flag == 1 else 0)
    if _end_of_zstd(frame, at + size, held) + 4 * (described >> 2 & 1) != len(frame):
        raise ValueError("a chunk that is more or less than one frame of zstd")
    return held


def _end_of_zstd(frame: bytes, at: int, held: int) -> int:
    """Return where the last block of a frame of zstd ends (RFC 8878, section 3.1.1.2); one of no more than it needs."""
    for _ in range(_MOST_BLOCKS + held // _SHORTEST_BLOCK):
        if at >= len(frame):
            raise ValueError("a chunk that ends within a frame of zstd")
        block = int.from_bytes(frame[at : at + 3], "little")
        at += 3 + (1 if block >> 1 & 3 == _REPEATED else block >> 3)
        if block & 1:
            return at
    raise ValueError("a chunk of zstd in many small blocks")
