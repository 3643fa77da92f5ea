"""One case, tried under limits: what came of it, and whether that is a finding.

Only an `UnmixingError` may come out of a hostile file. Anything else is a finding: another exception, an AssertionError
about what was read, more than `MEMORY` bytes, more than `SECONDS` of computing, a file outside the folder of the case
that was opened, or the death of the process.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from unmixel.errors import UnmixingError

from .seeds import VALUES, Case
from .targets import Target

MEMORY = 3_000_000_000
"""Address space that a case may take, beside that of the program."""
_UNTOUCHED = "data type object"
"""Labels in a Zarr chunk: numcodecs asks for room for as many as it claims, at most 34 GB, but touches none of it."""
LARGEST_FILE = 50_000_000
"""Bytes of a file that a process may write, those of a case among them."""
SECONDS = 6.0
"""Processor time that a case may take; ten times that by the clock."""


class Outcome(NamedTuple):
    """What came of a case.

    Attributes
    ----------
    finding : str
        What is wrong; empty if nothing is.
    signature : str
        The kind of outcome: cases that end in the same place for the same reason have the same one.
    """

    finding: str
    signature: str


def can_be_written(case: Case) -> bool:
    """Return whether no file of a case is larger than a process under limits may write."""
    return all(len(content) <= LARGEST_FILE for content in case.values())


def write_case(case: Case, folder: Path) -> None:
    """Write the files of a case to an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in case.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def read_case(folder: Path) -> Case:
    """Return the files that `write_case` wrote."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def try_case(target: Target, folder: Path) -> Outcome:
    """Open the files of a case, and say what came of it."""
    entry = next((folder / name for name in target.entry if (folder / name).exists()), folder / target.entry[0])
    began = time.process_time()
    with watched(folder.parent / "canary") as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", category=RuntimeWarning, module="unmixel")
        outcome = _outcome(target, entry)
    if opened():
        return Outcome("a file outside the folder was opened", "canary")
    if not outcome.finding and time.process_time() - began > SECONDS:
        return Outcome(f"{time.process_time() - began:.1f} s", f"slow {outcome.signature}")
    return outcome


def _outcome(target: Target, entry: Path) -> Outcome:
    try:
        target.open(entry)
    except UnmixingError as error:
        told = str(error)
        place = _places(error)
        if ("Unable to allocate" in told or "MemoryError" in told) and _UNTOUCHED not in told:
            return Outcome(f"tried to allocate: {told[:300]}", f"allocated {place}")
        if not all(mark.isprintable() for mark in told):
            return Outcome(f"an error with control characters: {told[:300]!r}", f"unprintable {place}")
        if len(told) > 2000:
            return Outcome(f"an error of {len(told)} characters: {told[:100]!r}", f"long {place}")
        return Outcome("", f"{type(error).__name__} {place}")
    except Exception as error:
        return Outcome("".join(traceback.format_exception(error)), f"{type(error).__name__} {_places(error)}")
    return Outcome("", "opened")


def _places(error: BaseException) -> str:
    """Return where in the package an exception passed."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if "/unmixel/" in frame.filename]
    cause = error.__cause__
    return " ".join(mine) + (f" < {type(cause).__name__} {_places(cause)}" if cause is not None else "")


def lay_canary(beside: Path) -> None:
    """Put files beside the folders of cases that hostile names lead to, and that no case may open."""
    canary = beside / "canary"
    canary.mkdir(parents=True, exist_ok=True)
    np.save(canary / "secret.npy", VALUES)
    (canary / "secret.img").write_bytes(VALUES.tobytes())
    (canary / "secret.csv").write_text("wavelength_nm,secret\n450,0.1\n550,0.2\n")
    with h5py.File(canary / "secret.h5", "w") as file:
        file["cube"] = file["reflectance"] = VALUES


@contextmanager
def watched(folder: Path) -> Iterator[object]:
    """Give a function that says whether a file of a folder was opened meanwhile, by Python or by a library."""
    watch = _watch(folder, os.getpid())
    _files_opened(watch)
    seen = False
    try:
        yield lambda: seen
    finally:
        seen = _files_opened(watch)


@cache
def _watch(folder: Path, process: int) -> int:
    """Return the descriptor that tells a process what happens in a folder.

    It stays open until the process ends: the kernel takes longer to close one than most cases compute.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    opened_or_made = 0x20 | 0x100
    libc.inotify_add_watch(watch, os.fsencode(folder), opened_or_made)
    return watch


def _files_opened(watch: int) -> bool:
    """Take what a watch has to tell; return whether a file was opened: folders are also looked into on the way."""
    folders = 0x40000000
    files = 0
    while True:
        try:
            events = os.read(watch, 4096)
        except BlockingIOError:
            return files > 0
        at = 0
        while at < len(events):
            _, what, _, length = struct.unpack_from("iIII", events, at)
            at += 16 + length
            files += not what & folders


def limit_process() -> None:
    """Limit what this process may take: its memory, and the size of a file it writes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    space = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(1000)
