"""Which scenes a command works on: files, patterns or a manifest -> scenes, each with a name of its own."""

from __future__ import annotations

import glob
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from unmixel.cli.manifest import SceneEntry, read_manifest
from unmixel.errors import ParameterError, SceneError, UnmixingError, damage_told
from unmixel.io.envi_header import find_data, is_envi_header, read_envi_header
from unmixel.io.opening import split_variable
from unmixel.io.products import comes_beside, product_of, whole_of

_PATTERN = frozenset("*?[")
_UNSAFE = frozenset('/\\:*?"<>|#%')  # separators, what Windows refuses, and what has a meaning in a link
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{k}" for port in ("COM", "LPT") for k in range(1, 10))}
_LONGEST = 200  # bytes; most systems take 255, and folders in the making have longer names


@dataclass(frozen=True)
class SceneJob:
    """A scene to work on.

    Attributes
    ----------
    path : path
        The file, as `unmixel.open_scene` takes it: ``file.mat::NAME`` is one array of several.
    name : str
        Name of its output folder, different from those of all other scenes.
    bands : str or None
        Bands to leave out of this scene, as text (see `unmixel.cli.options.parse_bands`); None: as the others.
    scale : float or None
        Stored value that means a reflectance of 1 in this scene; None: as the others.
    keep_atmosphere : bool or None
        Whether bands in which the air absorbs the light are used; None: as the others.
    uncertainty : path or None
        The uncertainty file of this scene.
    """

    path: Path
    name: str
    bands: str | None = None
    scale: float | None = None
    keep_atmosphere: bool | None = None
    uncertainty: Path | None = None


@dataclass(frozen=True)
class _Found:
    """A file that was asked for: by an argument, or by an entry of a manifest in `base` whose place is `where`."""

    path: Path
    data: Path
    variable: str | None
    entry: SceneEntry
    base: Path
    where: str = ""

    @property
    def identity(self) -> tuple[Path, str | None]:
        return self.data, self.variable

    def __str__(self) -> str:
        return f"{self.where}: {self.path}" if self.where else str(self.path)

    def own_name(self, depth: int) -> str:
        """Return the stem of the file; from depth 1 on with its variable, then with one more folder for each."""
        if depth == 0:
            return self.data.stem
        folders = self.data.parts[1:-1][-(depth - 1) :] if depth > 1 else ()
        return "_".join([*folders, self.data.stem, *([self.variable] if self.variable else [])])


def scenes_of(given: Sequence[Path], manifest: Path | None, *, made_in: Path | None = None) -> list[SceneJob]:
    """Return the scenes of the arguments of a command, or of a manifest.

    Patterns (``*``, ``?``, ``[...]``, and ``**`` for folders in folders, links not followed) that the shell left as
    they are, since they were quoted or stand in a manifest, are expanded in alphabetical order. An ENVI file and its
    header are one scene, and so are a file that is given twice and all files of a product. Folders (but for Zarr stores
    and products), ``.aux.xml`` files and the masks and uncertainties of products that match are passed over.

    The name of a scene is that of its data file without its last suffix, unless a manifest says another. Scenes that
    would have the same name get the name of their variable, too, and then as many of their folders as tell them
    apart: ``a/line.img`` and ``b/line.img`` are ``a_line`` and ``b_line``.

    Parameters
    ----------
    given : sequence of path
        Files and patterns.
    manifest : path, optional
        TOML or CSV (see `unmixel.cli.manifest`); its paths are relative to it.
    made_in : path, optional
        The output folder: a pattern doesn't mean what lies in it.

    Raises
    ------
    ParameterError
        If there are both arguments and a manifest, or neither; a pattern matches nothing; the manifest is wrong or
        lists a scene twice without a name for each; or a name is no name for a folder, or that of another scene.
    SceneError
        If a file does not exist, or an ENVI header has no data file.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for day in ("june", "july"):
    ...     (folder / day).mkdir()
    ...     (folder / day / "line.npy").touch()
    >>> [job.name for job in scenes_of([folder / "*" / "*.npy"], None)]
    ['july_line', 'june_line']
    """
    if given and manifest is not None:
        raise ParameterError(f"scenes and the manifest {manifest}", "one of them", "leave one out")
    if manifest is not None:
        found = _from_manifest(manifest, made_in)
    elif given:
        entries = [SceneEntry(path=str(path)) for path in given]
        found = _each_once(one for entry in entries for one in _find(entry, Path(), "", made_in))
    else:
        raise ParameterError("no scene", "scene files, patterns in quotes, or a manifest", "give at least one")
    return [_job(one, name) for one, name in zip(found, _names_of(found), strict=True)]


def _job(found: _Found, name: str) -> SceneJob:
    entry = found.entry
    uncertainty = None if entry.uncertainty is None else found.base / entry.uncertainty
    return SceneJob(found.path, name, entry.bands, entry.scale, entry.keep_atmosphere, uncertainty)


def _from_manifest(manifest: Path, made_in: Path | None) -> list[_Found]:
    found: list[_Found] = []
    first: dict[tuple[Path, str | None], _Found] = {}
    for where, entry in read_manifest(manifest):
        with _said(where):
            listed = _each_once(_find(entry, manifest.parent, where, made_in))
        for one in listed:
            before = first.setdefault(one.identity, one)
            if before is not one and not (before.entry.name and entry.name):
                raise ParameterError(
                    f"{one}, which is listed before ({before.where})",
                    "each scene once, or under two names",
                    "remove one, or give a name to both",
                )
        found += listed
    return found


@contextmanager
def _said(where: str) -> Iterator[None]:
    """Say in the errors about a scene where the manifest has it."""
    try:
        yield
    except UnmixingError as error:
        raise type(error)(f"{where}: {error.given}", error.expected, error.remedy) from error


def _each_once(found: Iterator[_Found]) -> list[_Found]:
    first: dict[tuple[Path, str | None], _Found] = {}
    for one in found:
        first.setdefault(one.identity, one)
    return list(first.values())


def _find(entry: SceneEntry, base: Path, where: str, made_in: Path | None) -> Iterator[_Found]:
    """Yield the file of an entry, or every file that matches it; paths are relative to the base."""
    file, variable = split_variable(base / entry.path)
    with damage_told(file, "the name of a file", "check the path"):
        is_there = file.exists()
    if is_there:
        files = [file]
    elif not _PATTERN & set(entry.path):
        raise SceneError(f"{file}, which does not exist", "a scene file", "check the path")
    elif entry.name is not None:
        raise ParameterError(
            f"name = {entry.name!r} for the pattern {entry.path!r}",
            "no name: each scene has that of its file",
            "remove the name, or list the scenes one by one",
        )
    elif entry.uncertainty is not None:
        raise ParameterError(
            f"uncertainty = {entry.uncertainty!r} for the pattern {entry.path!r}",
            "the uncertainty file of one scene",
            "list the scenes one by one",
        )
    else:
        pattern = entry.path if variable is None else entry.path.removesuffix(f"::{variable}")
        with damage_told(file, "the name of a file", "check the path"):
            matches = sorted(_matches(pattern, base))
        files = _scenes_among([base / match for match in matches])
        if made_in is not None:
            files = [file for file in files if made_in.resolve() not in file.resolve().parents]
        if not files:
            raise ParameterError(f"the pattern {str(file)!r}, which matches no scene", "scene files", "check the path")
    for one in files:
        chosen = one if variable is None else one.with_name(f"{one.name}::{variable}")
        yield _Found(chosen, _data_of(one), variable, entry, base, where)


def _matches(pattern: str, base: Path) -> set[str]:
    """Return what matches a pattern; ``**`` follows no links, which may lead back to where they are."""
    found, parts = {""}, Path(pattern).parts
    while "**" in parts:
        at = parts.index("**")
        found = {folder for start in _match_each(found, parts[:at], base) for folder in _folders_in(start, base)}
        parts = parts[at + 1 :]
        if not parts:
            return found | _match_each(found, ("*",), base)
    return _match_each(found, parts, base)


def _match_each(starts: set[str], parts: Sequence[str], base: Path) -> set[str]:
    """Return what matches parts of a pattern in any of some folders."""
    if not parts:
        return starts
    tail = os.path.join(*parts)  # noqa: PTH118
    return {
        os.path.join(start, match)  # noqa: PTH118, it takes absolute patterns
        for start in starts
        for match in glob.glob(tail, root_dir=base / start)  # noqa: PTH207
    }


def _folders_in(start: str, base: Path) -> Iterator[str]:
    """Yield a folder and all in it, but for hidden ones."""
    for folder, inner, _ in os.walk(base / start):
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield os.path.normpath(os.path.join(start, os.path.relpath(folder, base / start)))  # noqa: PTH118


def _scenes_among(matches: list[Path]) -> list[Path]:
    """Return the matches of a pattern that may be scenes: of the files of a product one, none if its folder matches."""
    found, folders, wholes = [], {match for match in matches if match.is_dir()}, set()
    for match in matches:
        whole = None if match in folders else whole_of(match)
        if whole is not None:
            if whole in wholes or not folders.isdisjoint((whole, whole.parent)) or product_of(match) is None:
                continue
            wholes.add(whole)
        if _may_be_scene(match):
            found.append(match)
    return found


def _may_be_scene(match: Path) -> bool:
    """Return whether a match is a file, a Zarr store or a product, and no part of a store or mask of a product."""
    if any((parent / "zarr.json").is_file() for parent in match.parents):
        return False
    if match.is_dir():
        return (match / "zarr.json").is_file() or product_of(match) is not None
    return not match.name.endswith(".aux.xml") and not comes_beside(match)


def _data_of(path: Path) -> Path:
    """Return the data file of an ENVI header, any other file as it is; from the root, links not followed."""
    try:
        if path.suffix.lower() == ".hdr" and path.is_file() and is_envi_header(path):
            path = find_data(read_envi_header(path))
    except OSError as error:
        raise SceneError(f"{path}: {error.strerror or error}", "a readable file") from error
    return Path(os.path.abspath(path))  # noqa: PTH100, a link has a name of its own


def _names_of(found: Sequence[_Found]) -> list[str]:
    """Return a name for each scene: its own, or that of its file with as many folders as tell them apart."""
    alike: defaultdict[str, list[_Found]] = defaultdict(list)
    for one in found:
        if one.entry.name is None:
            alike[_folded(one.own_name(0))].append(one)
    depths = {key: _depth(group) for key, group in alike.items()}
    names = [one.entry.name or one.own_name(depths[_folded(one.own_name(0))]) for one in found]
    taken: dict[str, _Found] = {}
    for one, name in zip(found, names, strict=True):
        _check_name(name, one)
        other = taken.setdefault(_folded(name), one)
        if other is not one:
            raise ParameterError(
                f"{one} and {other}, both of the name {name!r}",
                "a name for each, for its output folder",
                "give one of them another name" if one.where else "list them with names in a manifest",
            )
    return names


def _depth(group: Sequence[_Found]) -> int:
    """Return the least depth at which the names of files differ, or at which most do."""
    depths = range(min(max(len(one.data.parts) for one in group), _LONGEST))
    return max(depths, key=lambda depth: (len({_folded(one.own_name(depth)) for one in group}), -depth))


def _folded(name: str) -> str:
    """Return a name as systems compare it that don't tell capitals, or forms of accents, apart."""
    return unicodedata.normalize("NFC", name).casefold()


def _check_name(name: str, one: _Found) -> None:
    """Check that a name can be that of a folder, on any system and in a link."""
    if not name.strip():
        wrong = "blank"
    elif unsafe := sorted(letter for letter in set(name) if letter in _UNSAFE or not letter.isprintable()):
        wrong = f"with {unsafe[0]!r} in it"
    elif name.startswith((".", " ")) or name.endswith((".", " ")):
        wrong = "with a dot or a blank at an end"
    elif name.split(".")[0].upper() in _DEVICES:
        wrong = "which Windows keeps for a device"
    elif len(name.encode()) > _LONGEST:
        wrong = f"of {len(name.encode())} bytes"
    else:
        return
    raise ParameterError(
        f"{one}: the name {name!r}, {wrong}",
        f"a name for a folder, of at most {_LONGEST} bytes and without any of {' '.join(sorted(_UNSAFE))}",
        "give it another name" if one.where else "list it with a name in a manifest",
    )
