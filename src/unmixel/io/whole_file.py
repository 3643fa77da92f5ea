"""Files that are written whole or not at all: under another name first, then renamed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unmixel.errors import OutputError


@contextmanager
def written_whole(target: Path, *, companions: tuple[Path, ...] = ()) -> Iterator[tuple[Path, ...]]:
    """Give the paths to write to, and move what was written to its place if all went well.

    The paths lie in a new hidden folder beside the target and keep their names. If anything is raised, the
    folder and all in it are removed.

    Parameters
    ----------
    target : path
        The file or folder to write. It must not exist.
    companions : tuple of path
        Further files that belong to it (a header), in the same folder. They are moved before the target.

    Raises
    ------
    OutputError
        If the target or a companion exists, or the system refuses to write.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with written_whole(target) as (path,):
    ...     _ = path.write_text("whole")
    >>> [entry.name for entry in target.parent.iterdir()], target.read_text()
    (['a.txt'], 'whole')
    """
    targets = (target, *companions)
    for path in targets:
        if path.exists() or path.is_symlink():
            raise OutputError(f"{path} exists", "a name that is free", "remove it or choose another")
    if not target.parent.is_dir():
        raise OutputError(f"{target}: {target.parent} is no folder", "an existing folder", "create it first")
    workshop = target.parent / f".{target.name}.partial-{secrets.token_hex(4)}"
    try:
        workshop.mkdir()
        yield tuple(workshop / path.name for path in targets)
        for path in reversed(targets):
            (workshop / path.name).rename(path)
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror or error}", "a writable folder with enough space") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
