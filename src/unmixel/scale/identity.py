"""What decides the result of a run: the model, the scene and how it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unmixel import __version__
from unmixel.io.envi_header import find_data, find_header, is_envi_header, read_envi_header
from unmixel.io.lazy import LazyScene
from unmixel.io.opening import split_variable


def scene_identity(path: Path, variable: str | None, companions: Sequence[Path] = ()) -> dict[str, Any]:
    """Return what tells a scene file from another, or from itself after a change, without reading its pixels.

    Size and time of change of each of its files, and the content of its header. Companions are files that it is read
    from besides.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "scene.npy"
    >>> _ = file.write_bytes(b"abc")
    >>> before = scene_identity(file, None)
    >>> _ = file.write_bytes(b"abcd")
    >>> before == scene_identity(file, None)
    False
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        headers = [path / "zarr.json"]
    else:
        header = path if is_envi_header(path) else find_header(path)
        headers = [] if header is None else [header]
        data = find_data(read_envi_header(path)) if header == path else path
        files = sorted({data, *headers, *companions})
    stats = [(str(file.relative_to(path.parent)), file.stat()) for file in files]
    listed = json.dumps([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])
    return {
        "path": str(path.resolve()),
        "variable": variable,
        "bytes": sum(stat.st_size for _, stat in stats),
        "changed": max(stat.st_mtime for _, stat in stats),
        "files": hashlib.sha256(listed.encode()).hexdigest(),
        "header": [hashlib.sha256(header.read_bytes()).hexdigest() for header in headers if header.is_file()],
    }


def named(scene: Mapping[str, Any]) -> str:
    """Return the file of an identity, with its variable, as `unmixel.open_scene` takes it."""
    return scene["path"] if scene["variable"] is None else f"{scene['path']}::{scene['variable']}"


def run_identity(model: Mapping[str, Any] | str, scene: LazyScene) -> dict[str, Any]:
    """Return all that decides what a run writes, as plain values: the model, the scene and how it is read."""
    noise = scene.uncertainty
    identity = {
        "unmixel": __version__,
        "model": model,
        "scene": scene_identity(scene.path, scene.variable, scene.companions),
        "leave_out": [[float(low), float(high)] for low, high in scene.leave_out],
        "scale": scene.scale,
        "keep_atmosphere": scene.keep_atmosphere,
        "uncertainty": None if noise is None else scene_identity(*split_variable(noise)),
    }
    return json.loads(json.dumps(identity))


def digest_of(identity: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
