"""What the command line knows of a run: its input files with their digests, and its command."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from unmixel.io.envi_header import find_data, find_header, is_envi_header, read_envi_header
from unmixel.io.opening import split_variable


def command_line() -> list[str]:
    """Return the command that is running."""
    return ["unmixel", *sys.argv[1:]]


def input_record(path: Path) -> dict[str, Any]:
    """Return where an input is and the SHA-256 of each of its files.

    An ENVI scene and a TIFF with an ENVI header beside it are two files. To be called before long work: a file
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
        files = _with_companion(path)
        names = [file.name for file in files]
    return {
        "path": str(path.resolve()),
        "bytes": sum(file.stat().st_size for file in files),
        "sha256": {name: _digest(file) for name, file in zip(names, files, strict=True)},
    }


def _with_companion(path: Path) -> list[Path]:
    """Return the file, and the data that go with an ENVI header or the header that goes with data."""
    companion = find_data(read_envi_header(path)) if is_envi_header(path) else find_header(path)
    return [path] if companion is None else [path, companion]


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
