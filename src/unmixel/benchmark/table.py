"""The table of a benchmark as a Parquet file: one row for each run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unmixel.benchmark.columns import COLUMNS
from unmixel.errors import SceneError, damage_told
from unmixel.io.whole_file import written_whole

Row = Mapping[str, Any]
NEEDED = ("scene", "endmembers", "method", "seed", "status", "run")
"""Columns that say which run a row is of."""
_TYPES = {
    "text": pa.string(),
    "number": pa.float64(),
    "whole": pa.int64(),
    "texts": pa.list_(pa.string()),
    "numbers": pa.list_(pa.float64()),
    "wholes": pa.list_(pa.int64()),
}


def write_table(rows: Iterable[Row], path: Path) -> None:
    """Write rows, in place of a table that is there; what a row doesn't have, or is not a number, is null.

    Raises
    ------
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "table.parquet"
    >>> run = {"scene": "dc1", "endmembers": "vca", "method": "fcls", "seed": 0, "status": "ok", "run": "dc1-fcls-0"}
    >>> write_table([{**run, "abundance_rmse": 0.05, "crps": float("nan")}], path)
    >>> (row,) = read_table(path)
    >>> row["scene"], row["abundance_rmse"], row["crps"]
    ('dc1', 0.05, None)
    """
    schema = pa.schema(
        [pa.field(column.name, _TYPES[column.kind], metadata={"meaning": column.meaning}) for column in COLUMNS]
    )
    cleaned = [{column.name: _known(row.get(column.name)) for column in COLUMNS} for row in rows]
    with written_whole(path, overwrite=True) as (partial,):
        pq.write_table(pa.Table.from_pylist(cleaned, schema=schema), partial)


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a table; columns that an older version didn't write are None.

    Raises
    ------
    SceneError
        If the file is no such table.
    """
    with damage_told(path, "a table of `unmixel benchmark`", "run the benchmark again with --resume"):
        rows = pq.read_table(path).to_pylist()
    if missing := [name for name in NEEDED if not all(row.get(name) is not None for row in rows)]:
        raise SceneError(f"{path} without {', '.join(missing)}", "a table that `unmixel benchmark` wrote")
    return [dict.fromkeys(column.name for column in COLUMNS) | row for row in rows]


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
