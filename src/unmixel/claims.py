"""What a file says of its size, beside its real one: a header of a hundred bytes may claim a petabyte."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from unmixel.errors import SceneError, UnmixingError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

SMALL = 20_000_000
"""Bytes that any file may claim."""
RATIO = 1000
"""Bytes that a file may claim for each byte it has: about what deflate makes of zeros, and far beyond any scene."""
_INDEX = 8
"""Bytes that a file has at least for each chunk that it stores; each takes time, also those that are not there."""
_REFLECTANCE = 4
_OF_CONTAINER = Path("/sys/fs/cgroup/memory.max")
"""Where Linux tells a container the bytes it may take; "max" if it may take all."""


def check_claim(path: Path, what: str, claimed: int, *, beside: bool = False) -> None:
    """Check that so many bytes can lie in a file or folder, before anything of that size is made.

    They may be at most `RATIO` times its size, or `SMALL`.

    Parameters
    ----------
    path : path
        The file, or the folder, whose files count together.
    what : str
        What is said to be of that size.
    claimed : int
        Bytes.
    beside : bool
        Count all files in the folder of the file with it.

    Raises
    ------
    SceneError
        If it claims more.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "scene.h5"
    >>> _ = file.write_bytes(bytes(1000))
    >>> check_claim(file, "its reflectance", 10**15)
    Traceback (most recent call last):
    ...
    unmixel.errors.SceneError: .../scene.h5 of 1 kB, which claims 1 PB for its reflectance; expected at most ...
    """
    if claimed <= SMALL:
        return
    stored = 0
    for size in _sizes(path, beside):
        stored += size
        if claimed <= RATIO * stored:
            return
    raise SceneError(
        f"{path} of {_bytes(stored)}, which claims {_bytes(claimed)} for {what}",
        f"at most {RATIO} times its own size",
        "it is damaged, or empty",
    )


def check_chunks(path: Path, what: str, shape: Sequence[int], chunk: Sequence[int]) -> None:
    """Check that an array does not lie in far more chunks than a file or folder can store.

    Raises
    ------
    SceneError
        If it claims to.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "scene.h5"
    >>> _ = file.write_bytes(bytes(1000))
    >>> check_chunks(file, "its reflectance", (1000, 1000), (1, 1))
    Traceback (most recent call last):
    ...
    unmixel.errors.SceneError: .../scene.h5 of 1 kB, which claims 8 GB for the chunks of its reflectance; expected ...
    """
    n_chunks = math.prod(-(-size // step) for size, step in zip(shape, chunk, strict=True))
    check_claim(path, f"the chunks of {what}", n_chunks * RATIO * _INDEX)


def read_small(path: Path, largest: int, *, error: type[UnmixingError] = SceneError) -> bytes:
    """Return the content of a file that is read whole, such as a header, if it is not larger than such files are.

    Raises
    ------
    SceneError, or `error`
        If it is larger: its holes take no room on the disk, but would in memory.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "scene.hdr"
    >>> _ = file.write_bytes(bytes(1001))
    >>> read_small(file, 1000)
    Traceback (most recent call last):
    ...
    unmixel.errors.SceneError: .../scene.hdr, which is too large; expected at most 1 kB; is it damaged, or ...
    """
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise error(f"{path}, which is too large", f"at most {_bytes(largest)}", "is it damaged, or another file?")
    return content


def _sizes(path: Path, beside: bool) -> Iterator[int]:
    """Yield the size of the file, and then of those that belong to it."""
    if path.is_file():
        yield path.stat().st_size
    if beside or path.is_dir():
        folder = path if path.is_dir() else path.parent
        yield from (other.stat().st_size for other in folder.rglob("*") if other.is_file() and other != path)


def check_memory(shape: Sequence[int]) -> None:
    """Check that a scene can be held in memory, before it is.

    Raises
    ------
    SceneError
        If it takes more than half of the memory of this machine, or of what its container or this process may take.
    """
    needed, memory = math.prod(shape) * _REFLECTANCE, _memory()
    if memory is not None and needed > memory // 2:
        raise SceneError(
            f"a scene of {' x '.join(map(str, shape))} values ({_bytes(needed)}) for {_bytes(memory)} of memory",
            "at most half of it",
            "unmix it from the file (`unmixel unmix`), or open it with open_lazily",
        )


def _memory() -> int | None:
    """Return the bytes of memory of this machine, or of its container or this process; None if they are not told."""
    if resource is None:
        return None
    told = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), resource.getrlimit(resource.RLIMIT_AS)[0]]
    if _OF_CONTAINER.is_file() and (limit := _OF_CONTAINER.read_text().strip()).isdecimal():
        told.append(int(limit))
    known = [size for size in told if size > 0]
    return min(known) if known else None


def _bytes(size: float | int) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} PB" if size < 1000 else "more than 1000 PB"
