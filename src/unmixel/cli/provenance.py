"""What the command line knows of a run: its input files with their digests, and its command."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unmixel.io.envi_header import find_data, find_header, is_envi_header, read_envi_header
from unmixel.io.opening import split_variable

LARGEST_HASHED = 2_000_000_000
"""Bytes of an input from which on its digest would take as long as its reading: it is known by its time of change."""


def command_line() -> list[str]:
    """Return the command that is running."""
    return ["unmixel", *sys.argv[1:]]


def input_record(path: Path, companions: Sequence[Path] = ()) -> dict[str, Any]:
    """Return where an input is and the SHA-256 of each of its files, if they are not very large.

    An ENVI scene and a TIFF with an ENVI header beside it are two files; a product may have more (`companions`). To be
    called before long work: a file
    that changes meanwhile is not what was read.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "scene.hdr").write_text("ENVI"), (folder / "scene.img").write_bytes(b"abc")
    >>> sorted(input_record(folder / "scene.img")["sha256"])
    ['scene.hdr', 'scene.img']
    """
    path, _ = split_variable(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        names = [str(file.relative_to(path)) for file in files]
    else:
        files = [*_with_companion(path), *(file for file in companions if file != path)]
        names = [file.name for file in files]
    n_bytes = sum(file.stat().st_size for file in files)
    known: dict[str, Any] = {"path": str(path.resolve()), "bytes": n_bytes}
    if n_bytes > LARGEST_HASHED:
        changed = max(file.stat().st_mtime for file in files)
        return {**known, "changed": datetime.fromtimestamp(changed, UTC).isoformat()}
    return {**known, "sha256": {name: _digest(file) for name, file in zip(names, files, strict=True)}}


def _with_companion(path: Path) -> list[Path]:
    """Return the file, the data that go with an ENVI header or the header that goes with data."""
    companion = find_data(read_envi_header(path)) if is_envi_header(path) else find_header(path)
    return [path, *([] if companion is None else [companion])]


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
