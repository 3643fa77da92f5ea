"""A file for writers that do not survive a full disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class SteadyFile(io.FileIO):
    """A file that keeps the first error of writing to itself.

    HDF5 ends the whole process when a file cannot be written to its end. So nothing is written any more after an error,
    while the writer goes on as if it were; `steady_file` raises the error when it is done.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of some bytes, unless an earlier write failed."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and self.error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Give the file a size, unless an earlier write failed."""
        try:
            if self.error is None:
                super().truncate(size)
        except OSError as error:
            self.error = error
        return self.tell() if size is None else size


@contextmanager
def steady_file(path: Path) -> Iterator[SteadyFile]:
    """Give a file that exists to a writer that does not survive a full disk.

    Raises
    ------
    OSError
        After the writer is done, if something could not be written.
    """
    with SteadyFile(path, "r+") as file:
        try:
            yield file
        except (OSError, RuntimeError, ValueError) as error:  # what it finds when it reads what was not written
            raise (file.error or error) from error
    if file.error is not None:
        raise file.error
