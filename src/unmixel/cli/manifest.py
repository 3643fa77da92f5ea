"""Manifests: a file that lists scenes, with a name and settings of its own for each.

TOML, with a table for each scene, ::

    [[scene]]
    path = "2023-06-01/line_04.img"   # relative to the manifest
    name = "north"                    # of its output folder; the name of the file if left out
    bands = "1350-1450,1800-1950"     # to leave out, as --bands
    scale = 10000                     # as --scale
    keep_atmosphere = true            # as --keep-atmosphere
    uncertainty = "line_04_sd.img"    # as --uncertainty; relative to the manifest

    [[scene]]
    path = "2023-07-*/*.img"          # a pattern: each file that matches, under its own name

or CSV, with a line for each, and quotes around what holds a comma; only ``path`` is needed, and a cell may be empty::

    path,name,bands,scale
    2023-06-01/line_04.img,north,"1350-1450,1800-1950",10000
    2023-07-*/*.img,,,
"""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from unmixel.claims import read_small
from unmixel.cli.options import parse_bands
from unmixel.errors import ParameterError
from unmixel.settings import as_parameter_error
from unmixel.toml_text import LARGEST, read_toml


class SceneEntry(BaseModel):
    """What a manifest says of a scene, or of all scenes that match a pattern.

    Examples
    --------
    >>> SceneEntry(path="line_*.img", scale=10000).scale
    10000.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)
    name: str | None = Field(default=None, min_length=1)
    bands: str | None = None
    scale: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    keep_atmosphere: bool | None = None
    uncertainty: str | None = Field(default=None, min_length=1)

    @field_validator("bands")
    @classmethod
    def _ranges(cls, bands: str | None) -> str | None:
        try:
            parse_bands(bands)
        except ParameterError as error:
            raise PydanticCustomError("bands", "{expected}", {"expected": error.expected}) from error
        return bands


COLUMNS = tuple(SceneEntry.model_fields)


def read_manifest(path: Path) -> list[tuple[str, SceneEntry]]:
    """Read a manifest: what it says of each scene, with the place of it in the file, for errors.

    Raises
    ------
    ParameterError
        If the file is missing, is neither TOML nor CSV by its name and content, lists nothing, or holds an unknown
        key or column or a wrong value.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "campaign.csv"
    >>> _ = file.write_text("path,scale\\nline_04.img,10000\\nline_05.img,\\n")
    >>> [(where.replace(str(file.parent), "..."), entry.scale) for where, entry in read_manifest(file)]
    [('.../campaign.csv, line 2', 10000.0), ('.../campaign.csv, line 3', None)]
    """
    if path.suffix.lower() not in (".toml", ".csv"):
        raise ParameterError(f"the manifest {path}", "a name that ends in .toml or .csv", "rename it")
    entries = _from_toml(path) if path.suffix.lower() == ".toml" else _from_csv(path)
    if not entries:
        raise ParameterError(f"the manifest {path}, which lists no scene", "at least one")
    return entries


def _from_toml(path: Path) -> list[tuple[str, SceneEntry]]:
    content = read_toml(path, "the manifest")
    tables = content.pop("scene", [])
    if content:
        raise ParameterError(
            f"the manifest {path}: {next(iter(content))!r}", "tables [[scene]] alone", "remove it or correct its name"
        )
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ParameterError(f"the manifest {path}: scene", "[[scene]] above each scene", "double the brackets")
    places = [f"{path}, scene {number}" for number in range(1, len(tables) + 1)]
    return [(where, _entry(table, where, strict=True)) for where, table in zip(places, tables, strict=True)]


def _from_csv(path: Path) -> list[tuple[str, SceneEntry]]:
    try:
        text = read_small(path, LARGEST, error=ParameterError).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"the manifest {path} ({error})", "a readable file, in UTF-8") from error
    lines = csv.reader(StringIO(text, newline=None), strict=True, skipinitialspace=True)
    columns: list[str] = []
    entries = []
    try:
        for cells in lines:
            row = [cell.strip() for cell in cells]
            where = f"{path}, line {lines.line_num}"
            if not any(row):
                continue
            if not columns:
                columns = row
                _check_columns(columns, where)
                continue
            if any(row[len(columns) :]):
                raise ParameterError(
                    f"{where} with {len(row)} cells",
                    f"{len(columns)}, as in the header",
                    'put quotes around cells with commas: "1350-1450,1800-1950"',
                )
            filled = {column: cell for column, cell in zip(columns, row, strict=False) if column and cell}
            entries.append((where, _entry(filled, where, strict=False)))
    except csv.Error as error:
        raise ParameterError(f"{path}, line {lines.line_num} ({error})", "CSV", "check its quotes") from error
    return entries


def _check_columns(columns: list[str], where: str) -> None:
    known = ", ".join(COLUMNS)
    unknown = [column for column in columns if column and column not in COLUMNS]
    if unknown:
        by_others = len(columns) == 1 and any(mark in columns[0] for mark in ";\t")
        raise ParameterError(
            f"{where}: the column {unknown[0]!r}",
            f"some of {known}",
            "separate the columns by commas" if by_others else "remove it or correct its name",
        )
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise ParameterError(f"{where}: the column {twice[0]!r} twice", "each column once", "remove one")
    if "path" not in columns:
        raise ParameterError(f"{where} without the column 'path'", f"some of {known}, path among them", "add it")


def _entry(content: dict[str, Any], where: str, *, strict: bool) -> SceneEntry:
    if "path" not in content:
        raise ParameterError(f"{where} without a path", "the path of a scene, or a pattern", "add it")
    try:
        return SceneEntry.model_validate(content, strict=strict)
    except ValidationError as error:
        raise as_parameter_error(error, where, ", ".join(COLUMNS)) from error
