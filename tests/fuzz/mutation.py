"""Mutations that know nothing of a format but that it is text or bytes."""

from __future__ import annotations

import random
import re
import struct

CANARY = "../canary/secret"
"""A file that must never be read; each case has it beside its folder, as ``.npy``, ``.csv``, ``.img`` and ``.h5``."""

NUMBERS = (
    *("0", "-1", "1", "2", "3", "7", "255", "65536", "2147483647", "2147483648", "-2147483649", "4294967296"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "1" + "0" * 40, "1" * 5000),
    *("1e308", "-1e308", "1e309", "1e-320", "nan", "inf", "-inf", "-0.0", "0.5", "1_0", "0x10", "٣", "²", ""),
)
TEXTS = (
    *("", " ", "\x00", "\n", "\r", "\t", '"', "'", "{", "}", "[", "]", ",", ";", "=", "\\", "%s", "{0}", "[red]"),
    *("\x1b[31mred\x1b[0m", "=1+1", "@SUM(A1)", "é", "\u202e", "\ud7ff", "💥", "a" * 5000, "{" * 2000, "[" * 5000),
    *("null", "true", "NaN", "../..", "/", "/etc/passwd", "/dev/zero", "file:///etc/passwd", "http://127.0.0.1:1/x"),
    *(f"{CANARY}.npy", f"{CANARY}.csv", f"{CANARY}.img", f"{CANARY}.h5"),
)
SIZES = (0, 1, 2, 3, 4, 5, 6, 7, 100, 2**16, 2**31, 2**40, 2**62)
TYPES = ("u1", "<i2", ">i4", "i8", "u8", "f2", "f4", ">f8", "c8", "S4", "S0", "?", "V3")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*")
_INTEGERS = (0, 1, 2, 3, 4, 7, 8, 16, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_LARGE = (*_INTEGERS, 2**32, 2**40, 2**48, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e308, 1e-320, float("nan"), float("inf"), float("-inf"))


def is_text(content: bytes) -> bool:
    """Return whether content looks like text."""
    return not any(byte < 9 or 13 < byte < 32 for byte in content[:2000])


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return content with one mutation."""
    kinds = _OF_TEXT if is_text(content) and rng.random() < 0.85 else _OF_BYTES
    return rng.choice(kinds)(content, rng)


def _replaced(content: bytes, match: re.Match[bytes], new: str) -> bytes:
    return content[: match.start()] + new.encode("utf-8", "surrogatepass") + content[match.end() :]


def _token(content: bytes, rng: random.Random) -> bytes:
    pattern, pool = rng.choice(((_NUMBER, NUMBERS), (_NUMBER, NUMBERS), (_WORD, TEXTS)))
    found = list(pattern.finditer(content))
    return _replaced(content, rng.choice(found), rng.choice(pool)) if found else _insert(content, rng)


def _borrow(content: bytes, rng: random.Random) -> bytes:
    found = list(rng.choice((_NUMBER, _WORD)).finditer(content))
    if not found:
        return _insert(content, rng)
    return _replaced(content, rng.choice(found), rng.choice(found).group().decode("latin-1"))


def _lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    if not lines:
        return b"\n"
    here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            del lines[here]
        case 1:
            lines.insert(there, lines[here])
        case 2:
            lines[here], lines[there] = lines[there], lines[here]
        case 3:
            lines = lines[:here]
        case _:
            lines[here] = lines[here] * rng.choice((2, 50, 2000))
    return b"".join(lines)


def _insert(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice((*TEXTS, *NUMBERS)).encode("utf-8", "surrogatepass") + content[at:]


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _flip_early(content: bytes, rng: random.Random) -> bytes:
    """Mutate the first kilobyte, where headers are."""
    return _flip(content[:1024], rng) + content[1024:]


def _word(content: bytes, rng: random.Random) -> bytes:
    size = rng.choice((2, 4, 8))
    if len(content) < size:
        return content + bytes(size)
    if size == 8 and rng.random() < 0.3:
        new = struct.pack("<d", rng.choice(_FLOATS))
    else:
        number = rng.choice(_LARGE) % 256**size
        new = number.to_bytes(size, rng.choice(("little", "big")))
    far = len(content) if rng.random() < 0.5 else min(len(content), 1024)
    at = rng.randrange(max(1, far - size + 1)) // (unit := rng.choice((1, 2, 4))) * unit
    return content[:at] + new + content[at + size :]


def _cut(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    match rng.randrange(4):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + content[at + rng.choice((1, 2, 4, 8, 64, 512)) :]
        case 2:
            return content[:at] + content[at : at + 64] * rng.choice((1, 2, 30)) + content[at:]
        case _:
            return content + bytes(rng.choice((1, 8, 512, 65536)))


def _blank(content: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(content) + 1), rng.choice((1, 4, 16, 128))
    return content[:at] + rng.choice((b"\x00", b"\xff")) * min(size, len(content) - at) + content[at + size :]


_OF_TEXT = (_token, _token, _token, _borrow, _lines, _insert, _cut, _flip)
_OF_BYTES = (_flip, _flip_early, _word, _word, _word, _cut, _blank, _token)
