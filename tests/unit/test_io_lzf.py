"""LZF is unpacked as h5py packs it, and what is not LZF is said to be none."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmixel.io.lzf import unpacked


@given(
    words=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6),
    order=st.lists(st.integers(0, 5), min_size=1, max_size=400),
    zeros=st.integers(0, 3000),
)
def test_what_h5py_packs(words: list[bytes], order: list[int], zeros: int) -> None:
    content = b"".join(words[number % len(words)] for number in order) + bytes(zeros)
    with h5py.File("any", "w", driver="core", backing_store=False) as file:
        stored = file.create_dataset("a", data=np.frombuffer(content, "u1"), chunks=(len(content),), compression="lzf")
        left_out, packed = stored.id.read_direct_chunk((0,))
    if not left_out:
        assert unpacked(packed, len(content)) == content


@pytest.mark.parametrize(
    "packed",
    [b"\x05abc", b"\x20\x00", b"\x00a\x20\x01", b"\x00a\xe0", b"\x00a\xe0\x05", b"\x00a\x20"],
    ids=["cut bytes", "nothing to copy", "a copy from before", "no length", "no place after a length", "no place"],
)
def test_what_is_no_lzf(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|before the beginning"):
        unpacked(packed, 100)


def test_no_more_is_unpacked_than_is_asked_for() -> None:
    assert 1000 < len(unpacked(b"\x00a" + b"\xe0\xff\x00" * 10**6, 1000)) < 1300
