"""What a run has finished so far, on disk: a line that is there is true, whenever the run is killed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from unmixel.errors import DAMAGE


class Journal:
    """A file of one JSON object in each line. A line is on the disk before `add` returns.

    A last line that was cut short is as good as none: it is taken away when the journal is opened.

    Parameters
    ----------
    path : path
        The file; made if it is not there.

    Attributes
    ----------
    lines : list of dict
        All lines so far.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "journal"
    >>> Journal(path).add({"tile": 3})
    >>> with path.open("a") as file:
    ...     _ = file.write('{"tile": 4')
    >>> Journal(path).lines
    [{'tile': 3}]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        content = path.read_bytes() if path.exists() else b""
        whole = 0
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                self.lines.append(dict(json.loads(line)))
            except DAMAGE:
                break
            whole += len(line)
        with path.open("ab") as file:
            file.truncate(whole)
        sync(path.parent)

    def add(self, line: dict[str, Any]) -> None:
        """Write a line, and wait until it is on the disk."""
        with self.path.open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.lines.append(line)


def sync(path: Path) -> None:
    """Wait until a file, or the list of files of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
