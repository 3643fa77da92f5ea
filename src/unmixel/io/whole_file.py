"""Files that are written whole or not at all: under another name first, then renamed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unmixel.errors import OutputError


@contextmanager
def written_whole(
    target: Path, *, companions: tuple[Path, ...] = (), overwrite: bool = False
) -> Iterator[tuple[Path, ...]]:
    """Give the paths to write to, and move what was written to its place if all went well.

    The paths lie in a new hidden folder beside the target and keep their names. If anything is raised, the
    folder and all in it are removed.

    Parameters
    ----------
    target : path
        The file or folder to write.
    companions : tuple of path
        Further files that belong to it (a header), in the same folder. They are moved before the target.
    overwrite : bool
        Replace the target and its companions where they exist. If they cannot all be replaced, what was there
        is put back.

    Raises
    ------
    OutputError
        If the target or a companion exists and may not be replaced, or the system refuses to write.

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
        if not overwrite and (path.exists() or path.is_symlink()):
            raise OutputError(f"{path} exists", "a name that is free", "remove it or choose another")
    if not target.parent.is_dir():
        raise OutputError(f"{target}: {target.parent} is no folder", "an existing folder", "create it first")
    workshop = target.parent / f".{target.name}.partial-{secrets.token_hex(4)}"
    aside = target.parent / f".{target.name}.replaced-{secrets.token_hex(4)}"
    moved: list[Path] = []
    whole = False
    try:
        workshop.mkdir()
        yield tuple(workshop / path.name for path in targets)
        if overwrite:
            aside.mkdir()
            _move_aside(targets, aside)
        for path in reversed(targets):
            (workshop / path.name).rename(path)
            moved.append(path)
        whole = True
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror or error}", "a writable folder with enough space") from error
    finally:
        if not whole:
            _undo(targets, moved, aside)
        shutil.rmtree(workshop, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


def _move_aside(targets: tuple[Path, ...], aside: Path) -> None:
    for path in targets:
        if path.exists() or path.is_symlink():
            path.rename(aside / path.name)


def _undo(targets: tuple[Path, ...], moved: list[Path], aside: Path) -> None:
    """Take away what was moved to its place, and put back what was there before."""
    for path in moved:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in targets:
        before = aside / path.name
        if before.exists() or before.is_symlink():
            before.rename(path)
