"""ENVI headers: the text file that says what is in the binary file (or the TIFF) beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.claims import read_small
from unmixel.errors import SceneError

DTYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
_DATA_SUFFIXES = (
    *("", ".img", ".dat", ".raw", ".bin", ".bil", ".bip", ".bsq", ".cube", ".envi"),
    *(".tif", ".tiff", ".sli", ".lib"),
)


LARGEST_HEADER = 16_000_000
"""Bytes; those of large libraries take a few million."""
_FRAMES = ("major frame offsets", "minor frame offsets")
"""Bytes before and after each band and each line that are no values."""


@dataclass(frozen=True)
class EnviHeader:
    """The fields of an ENVI header: each is a text, or a list of texts if it was in braces."""

    path: Path
    fields: Mapping[str, str | list[str]]

    def text(self, key: str) -> str:
        """Return a field as text, empty if it is not there."""
        value = self.fields.get(key, "")
        return value if isinstance(value, str) else ", ".join(value)

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a field as a whole number."""
        text = self.text(key)
        if not text and default is not None:
            return default
        try:
            return int(text)
        except ValueError:
            given = f"{key} = {text}" if text else f"no {key!r}"
            raise SceneError(f"{self.path} with {given}", "a whole number", "correct the header") from None

    def numbers(self, key: str) -> NDArray[np.float64] | None:
        """Return a field as an array of numbers, or None if it is not there."""
        value = self.fields.get(key)
        if value is None or value == [] or value == "":
            return None
        try:
            return np.array([float(part) for part in ([value] if isinstance(value, str) else value)])
        except ValueError:
            raise SceneError(
                f"{self.path} with {key} = {self.text(key)[:60]}", "numbers", "correct the header"
            ) from None

    def shape(self) -> tuple[int, int, int]:
        """Return lines, samples and bands."""
        shape = self.whole("lines"), self.whole("samples"), self.whole("bands")
        if min(shape) < 1:
            raise SceneError(f"{self.path} with {shape[0]} lines, {shape[1]} samples, {shape[2]} bands", "one or more")
        return shape

    def dtype(self) -> np.dtype:
        """Return the type of the values, byte order included."""
        number = self.whole("data type")
        if number not in DTYPES:
            raise SceneError(
                f"{self.path} with data type = {number}",
                f"one of {sorted(DTYPES)} (real numbers)",
                "convert the file",
            )
        order = self.whole("byte order", 0)
        if order not in (0, 1):
            raise SceneError(f"{self.path} with byte order = {order}", "0 (little-endian) or 1", "correct the header")
        return np.dtype("<>"[order] + DTYPES[number])

    def check_size(self, data: Path, *, may_be_longer: bool = False) -> int:
        """Check that the binary file is as large as the header says, and return how many bytes follow.

        What follows the last value is harmless, but for a file that holds exactly so many more of those lines, samples
        or bands that lie within each other: its values would be put in wrong places.

        Raises
        ------
        SceneError
            If the file is smaller; or larger, unless it may be.
        """
        if self.whole("file compression", 0):
            raise SceneError(f"{data}, compressed", "an uncompressed ENVI file", "decompress it with ENVI or GDAL")
        for name in _FRAMES:
            if (around := self.numbers(name)) is not None and around.any():
                raise SceneError(f"{self.path} with {name} = {self.text(name)[:60]}", "values alone in the data file")
        if self.whole("header offset", 0) < 0:
            raise SceneError(f"{self.path} with header offset = {self.whole('header offset')}", "0 or more")
        lines, samples, bands = self.shape()
        offset, dtype = self.whole("header offset", 0), self.dtype()
        size = lines * samples * bands * dtype.itemsize
        expected, given = offset + size, data.stat().st_size
        within = (lines, samples) if self.text("interleave").lower() == "bsq" else (samples, bands)
        may_follow = may_be_longer and all((given - expected) % (size // count) for count in within)
        if given < expected or (given > expected and not may_follow):
            raise SceneError(
                f"{data} of {given} bytes",
                f"{expected} bytes by its header {self.path.name} ({lines} lines x {samples} samples "
                f"x {bands} bands x {dtype.itemsize} bytes + {offset})",
                "the file is truncated or the header is not its own",
            )
        return given - expected


def read_envi_header(path: Path) -> EnviHeader:
    """Read an ENVI header.

    Raises
    ------
    SceneError
        If the file is not one, or too large, or a brace is never closed.
    """
    raw = read_small(path, LARGEST_HEADER)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    lines = text.splitlines()
    if not lines or not lines[0].strip().startswith("ENVI"):
        raise SceneError(f"{path}, which is no ENVI header", "'ENVI' on its first line", "give the scene's own file")
    fields: dict[str, str | list[str]] = {}
    key = ""
    inside: list[str] = []
    for line in lines[1:]:
        if line.lstrip().startswith(";"):
            continue
        if not inside:
            name, equals, value = line.partition("=")
            if not equals:
                continue
            key, value = " ".join(name.lower().split()), value.strip()
            if not value.startswith("{"):
                fields[key] = value
                continue
            inside = [value]
        else:
            inside.append(line.strip())
        if "}" in inside[-1]:
            content = "\n".join(inside)[1:].rpartition("}")[0]
            fields[key] = [part.strip() for part in content.split(",") if part.strip()]
            inside = []
    if inside:
        raise SceneError(f"{path}, whose {key!r} never ends", "a closing brace", "the header is truncated")
    return EnviHeader(path, fields)


def header_of(path: Path, fields: Mapping[str, str], n_bands: int) -> EnviHeader:
    """Return fields that GDAL keeps of an ENVI header (names with underscores, lists in braces) as a header.

    Examples
    --------
    >>> header_of(Path("scene.tif"), {"wavelength_units": "nm", "wavelength": "{450, 550}"}, 2).numbers("wavelength")
    array([450., 550.])
    """
    read: dict[str, str | list[str]] = {"bands": str(n_bands)}
    for name, value in fields.items():
        text = value.strip()
        listed = [part.strip() for part in text[1:-1].split(",") if part.strip()]
        read[" ".join(name.lower().split("_"))] = listed if text[:1] == "{" and text[-1:] == "}" else text
    return EnviHeader(path, read | {"bands": str(n_bands)})


def is_envi_header(path: Path) -> bool:
    """Return whether a file begins like an ENVI header."""
    with path.open("rb") as file:
        return file.read(16).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"ENVI")


def find_header(data: Path) -> Path | None:
    """Return the ENVI header of a data file: its name with ``.hdr`` instead of its suffix, or after it."""
    return next(iter(headers_of(data)), None)


def headers_of(data: Path) -> list[Path]:
    """Return the ENVI headers that could be those of a data file, the likeliest first."""
    names = (f"{data.stem}.hdr", f"{data.name}.hdr", f"{data.stem}.HDR", f"{data.name}.HDR")
    beside = [data.with_name(name) for name in names]
    return [entry for entry in beside if entry.is_file() and entry != data and is_envi_header(entry)]


def data_files_of(header: Path) -> list[Path]:
    """Return the files that lie beside a header, or beside where it would be, and that it could belong to."""
    stem = header.name[: -len(".hdr")]
    return sorted(
        other
        for other in header.parent.iterdir()
        if other != header and other.stem == stem and other.suffix.lower() in _DATA_SUFFIXES and other.is_file()
    )


def find_data(header: EnviHeader) -> Path:
    """Return the data file of an ENVI header.

    Raises
    ------
    SceneError
        If there is none beside it, or several that it could belong to.
    """
    path, stem = header.path, header.path.name[: -len(".hdr")]
    exact = path.with_name(stem)
    if exact.is_file() and exact != path:
        return exact
    found = data_files_of(path)
    if len(found) == 1:
        return found[0]
    if not found:
        raise SceneError(
            f"the ENVI header {path} without its data file",
            f"{stem}, {stem}.img, {stem}.dat, {stem}.bsq or the like beside it",
            "give the data file itself if its name has another ending",
        )
    names = ", ".join(other.name for other in found)
    raise SceneError(f"the ENVI header {path} beside {names}", "one data file", "give the data file instead")


def bands_described(header: EnviHeader) -> dict[str, Any]:
    """Return what the header says about bands and values, under the names of RawScene."""
    said: dict[str, Any] = {
        "wavelength": header.numbers("wavelength"),
        "wavelength_unit": header.text("wavelength units"),
        "fwhm": header.numbers("fwhm"),
        "acquired": header.text("acquisition time"),
        "notes": (),
    }
    if header.text("unmixel content") == "scene":
        said["atmosphere"] = ()
    if product := header.text("product"):
        said["product"] = product
    flags = header.numbers("bbl")
    if flags is not None:
        said["good_band"] = flags > 0
    ignore = header.numbers("data ignore value")
    if ignore is not None:
        said["fill"] = tuple(ignore.tolist())
    n_bands = header.whole("bands")
    for prefix in ("data reflectance", "data"):
        gain, offset = header.numbers(f"{prefix} gain values"), header.numbers(f"{prefix} offset values")
        if gain is not None or offset is not None:
            said["gain"] = _one_per_band(header, gain, n_bands, 1.0)
            said["offset"] = _one_per_band(header, offset, n_bands, 0.0)
            said["notes"] = (f"gains and offsets of the header ({prefix} gain values)",)
            return said
    divisor = header.numbers("reflectance scale factor")
    if divisor is not None and divisor[0] > 0:
        said["gain"] = 1.0 / float(divisor[0])
    return said


def _one_per_band(
    header: EnviHeader, given: NDArray[np.float64] | None, n_bands: int, default: float
) -> NDArray[np.float64]:
    if given is None:
        return np.full(n_bands, default)
    if len(given) not in (1, n_bands):
        raise SceneError(f"{header.path} with {len(given)} gains or offsets for {n_bands} bands", "one for each band")
    return np.broadcast_to(given, (n_bands,)).astype(np.float64)


def format_field(key: str, value: object) -> str:
    """Return a line of an ENVI header; a sequence is written in braces."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{key} = {{{', '.join(str(part) for part in value)}}}\n"
    return f"{key} = {value}\n"
