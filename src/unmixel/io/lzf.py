"""The compression LZF, in which h5py packs chunks of HDF5 if it is asked to.

Each piece is either bytes as they are, or a copy of what came before (the format of LibLZF by Marc Lehmann, after
Ziv and Lempel, IEEE Transactions on Information Theory 23(3), 1977).
"""

from __future__ import annotations

_LITERAL = 32
"""The first byte of a piece of bytes as they are is less, and one less than their number."""
_LONG = 7
"""The length in the first byte of a copy which says that the next byte is to be added."""
_SHORTEST = 2


def unpacked(packed: bytes, most: int) -> bytes:
    """Return what was packed, at most about so many bytes of it.

    Raises
    ------
    ValueError
        If it is not LZF.

    Examples
    --------
    >>> unpacked(bytes([1]) + b"ab" + bytes([3 << 5, 1]) + bytes([0]) + b"c", 100)
    b'abababac'
    """
    content = bytearray()
    at, end = 0, len(packed)
    try:
        while at < end and len(content) <= most:
            first = packed[at]
            at += 1
            if first < _LITERAL:
                size = first + 1
                content += packed[at : at + size]
                at += size
                continue
            size = first >> 5
            if size == _LONG:
                size += packed[at]
                at += 1
            size += _SHORTEST
            start = len(content) - ((first & 31) << 8 | packed[at]) - 1
            at += 1
            if start < 0:
                raise ValueError("a copy of what comes before the beginning")
            piece = content[start : start + size]
            content += (piece * -(-size // len(piece)))[:size]
    except IndexError:
        at = end + 1
    if at > end:
        raise ValueError("a piece that is cut off")
    return bytes(content)
