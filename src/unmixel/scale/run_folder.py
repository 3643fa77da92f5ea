"""The folder of a run that is not finished: one process at a time works in it, and it outlives that process."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from unmixel.errors import OutputError
from unmixel.io.whole_folder import move_into_place, unwritable
from unmixel.scale.journal import sync
from unmixel.scale.plan import JOURNAL

KEPT = ("lock", "owner")
REPLACED = "replaced"


@contextmanager
def run_folder(output: Path) -> Iterator[Path]:
    """Yield the folder beside `output` where its run is made, locked against other processes.

    The lock is the kernel's: that of a process that died is free. The folder stays when an error is raised, unless it
    has no journal.

    Raises
    ------
    OutputError
        If another process works in it, or it cannot be written.
    """
    target = output.resolve()
    folder = target.with_name(f".{target.name}.unfinished")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"the output folder {output}, which {_owner(folder)} is writing",
            "one that no other run is writing",
            "wait for it, or choose another folder",
        ) from None
    except OSError as error:
        raise unwritable(output, error) from error
    try:
        if (folder / REPLACED).exists() and not target.exists():
            (folder / REPLACED).rename(target)
        (folder / "owner").write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield folder
    except OutputError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise unwritable(output, error.__cause__) from error
    except OSError as error:
        if error.filename is not None and not {folder, target} & {*(place := Path(error.filename)).parents, place}:
            raise
        raise unwritable(output, error) from error
    finally:
        if not (folder / JOURNAL).exists():
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def finish(folder: Path, made: Path, output: Path) -> None:
    """Move what a run made to its place, and remove the folder of the run."""
    target = output.resolve()
    move_into_place(made, target, folder / REPLACED)
    sync(target.parent)
    discard(folder)


def discard(folder: Path) -> None:
    """Forget what a run has made so far. The journal goes first: what it says must be true at any moment."""
    (folder / JOURNAL).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _owner(folder: Path) -> str:
    try:
        return (folder / "owner").read_text(encoding="utf-8")
    except OSError:
        return "another process"
