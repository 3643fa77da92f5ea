"""What the command line knows of a run: its input files with their digests, and its command."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import xarray as xr

from unmixel.result import provenance_of


def add_provenance(result: xr.Dataset, **entries: Any) -> xr.Dataset:
    """Return the result with more entries in its provenance."""
    provenance = {**provenance_of(result), **entries}
    return result.assign_attrs(provenance=json.dumps(provenance, default=str, sort_keys=True))


def command_line() -> list[str]:
    """Return the command that is running."""
    return ["unmixel", *sys.argv[1:]]


def input_record(path: Path) -> dict[str, Any]:
    """Return where an input is and the SHA-256 of each of its files.

    An ENVI scene and a TIFF with a header beside it are two files: those that share the stem are all listed.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "scene.hdr").write_text("ENVI"), (folder / "scene.img").write_bytes(b"abc")
    >>> sorted(input_record(folder / "scene.img")["sha256"])
    ['scene.hdr', 'scene.img']
    """
    path = Path(str(path).partition("::")[0])
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        names = [str(file.relative_to(path)) for file in files]
    else:
        files = _companions(path)
        names = [file.name for file in files]
    return {
        "path": str(path.resolve()),
        "bytes": sum(file.stat().st_size for file in files),
        "sha256": {name: _digest(file) for name, file in zip(names, files, strict=True)},
    }


def _companions(path: Path) -> list[Path]:
    """Return the file, and the ENVI header that goes with it or the data that go with a header."""
    stem = path.name.removesuffix(".hdr")
    if stem == path.name:
        headers = [path.with_name(path.name + ".hdr"), path.with_suffix(".hdr")]
        return [path, *(header for header in headers[:2] if header.is_file())][:2]
    data = [file for file in path.parent.iterdir() if file.is_file() and file != path]
    return [path, *sorted(file for file in data if file.name == stem or file.stem == stem)]


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
