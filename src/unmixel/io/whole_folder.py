"""A folder that appears whole or not at all, and replaces nothing but one of its kind that unmixel wrote."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

from unmixel import __version__
from unmixel.claims import read_small
from unmixel.errors import DAMAGE, OutputError, SceneError
from unmixel.io.whole_file import written_whole

Kind = Literal["result", "benchmark", "calibration", "demonstration"]
"""What a folder of unmixel holds; one is replaced by another of its kind only."""
_LARGEST = 10_000_000
"""Bytes of the provenance of a folder."""


@contextmanager
def whole_folder(folder: str | Path, kind: Kind, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder to write to; it becomes `folder` if all goes well, and vanishes if not.

    Parameters
    ----------
    folder : path
        The folder to make; its parents are made too.
    kind : str
        What it will hold.
    overwrite : bool
        Replace the folder if it is of this kind and unmixel wrote all that lies in it (see `write_provenance`), or if
        it is empty.

    Raises
    ------
    OutputError
        If the folder exists and may not be replaced, or cannot be written. What was there stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new"
    >>> with whole_folder(target, "result") as partial:
    ...     _ = (partial / "note.txt").write_text("done")
    ...     target.exists()
    False
    >>> [path.name for path in target.iterdir()]
    ['note.txt']
    """
    check_output(folder, kind, overwrite=overwrite)
    target = Path(folder).resolve()
    new_parents = [parent for parent in target.parents if not parent.exists()]
    partial, aside = _sibling(target, "partial"), _sibling(target, "replaced")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        yield partial
        move_into_place(partial, target, aside)
    except OutputError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise unwritable(folder, error.__cause__) from error
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
        for parent in new_parents:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def check_output(folder: str | Path, kind: Kind, *, overwrite: bool = False) -> None:
    """Check that a folder of a kind can be written, before long work whose result would have no place.

    Raises
    ------
    OutputError
        If it exists and may not be replaced, or its place cannot be written.
    """
    target = Path(folder).resolve()
    try:
        if target.exists():
            _check_replaceable(target, Path(folder), kind, overwrite)
        place = next(parent for parent in target.parents if parent.exists())
        probe = place / _sibling(target, "partial").name
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise unwritable(folder, error) from error


def write_provenance(folder: Path, kind: Kind, provenance: Mapping[str, Any]) -> None:
    """Write ``provenance.json`` into a folder that is finished.

    Its list ``files`` of what lies in the folder is also what unmixel may replace later, by a folder of the same kind.
    One that is there is replaced whole or not at all: without it, the folder would be nobody's.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    files = sorted({path.name for path in folder.iterdir()} | {"provenance.json"})
    content = {"written_by": f"unmixel {__version__}", **provenance, "kind": kind, "files": files}
    with written_whole(folder / "provenance.json", overwrite=True) as (path,):
        path.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")


def check_addition(folder: Path, name: str, *, overwrite: bool = False) -> None:
    """Check that a file can be added to a finished folder, or replaced there.

    Raises
    ------
    OutputError
        If there is such a file already, and it may not be replaced or unmixel did not write it.
    """
    target = folder / name
    if not target.exists():
        return
    if not overwrite:
        raise OutputError(f"{target} exists", "a folder without it", "move it elsewhere or give --overwrite")
    if name not in _written_by_unmixel(folder):
        raise OutputError(f"{target}, which unmixel did not write", "a folder without it", "move it elsewhere")


def list_addition(folder: Path, name: str) -> None:
    """List a file that is added to a finished folder in its ``provenance.json``, so that unmixel may replace it later.

    A folder without a provenance is left without.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    content = provenance_in(folder)
    files = content.get("files")
    if not isinstance(files, list) or name in files:
        return
    content["files"] = sorted({*map(str, files), name})
    with written_whole(folder / "provenance.json", overwrite=True) as (path,):
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _sibling(target: Path, role: str) -> Path:
    return target.parent / f".{target.name}.{role}-{secrets.token_hex(4)}"


def move_into_place(new: Path, target: Path, aside: Path) -> None:
    """Move a finished folder to its place, and what was there aside."""
    if not target.exists():
        new.rename(target)
        return
    target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        aside.rename(target)
        raise


def _check_replaceable(target: Path, shown: Path, kind: Kind, overwrite: bool) -> None:
    if not target.is_dir():
        raise OutputError(f"the output {shown} is a file", "a folder that does not exist yet", "choose another")
    if not overwrite:
        raise OutputError(
            f"the output folder {shown} exists", "one that does not", "choose another or give --overwrite"
        )
    foreign = sorted({path.name for path in target.iterdir()} - _written_by_unmixel(target))
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise OutputError(
            f"the output folder {shown} holds {foreign[0]!r}{more} that unmixel did not write",
            "an empty folder or a result of unmixel to replace",
            "move what is yours elsewhere, or choose another folder",
        )
    if any(target.iterdir()) and (found := held_in(target)) != f"a {kind}":
        raise OutputError(
            f"the output folder {shown} holds {found} of unmixel", f"a {kind} to replace", "choose another folder"
        )


def held_in(folder: Path) -> str:
    """Return in words what kind of folder unmixel wrote there."""
    kind = provenance_in(folder).get("kind")
    return f"a {kind}" if kind in get_args(Kind) else "something else"


def provenance_in(folder: str | Path) -> dict[str, Any]:
    """Return the provenance of a folder that unmixel wrote; nothing if it is no such folder."""
    try:
        content = json.loads(read_small(Path(folder) / "provenance.json", _LARGEST))
    except (*DAMAGE, SceneError):
        return {}
    if not isinstance(content, dict) or not str(content.get("written_by", "")).startswith("unmixel "):
        return {}
    return content


def _written_by_unmixel(folder: Path) -> set[str]:
    """Return the names that the provenance of a folder lists; none if unmixel did not write it."""
    files = provenance_in(folder).get("files")
    return {str(name) for name in files} if isinstance(files, list) else set()


def unwritable(folder: str | Path, error: OSError) -> OutputError:
    """Return the error that says why an output folder cannot be written."""
    return OutputError(
        f"the output folder {folder} cannot be written ({error.strerror or error})",
        "a writable disk with enough free space",
        "free some space or choose another folder",
    )
