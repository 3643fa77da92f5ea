"""Options that several commands share, and the reading of their text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from unmixel.errors import ParameterError
from unmixel.whole_numbers import LARGEST_SEED

_READ = (
    "ENVI, TIFF, MATLAB, NetCDF, Zarr or NumPy; or a product as it is distributed, its file or its folder (EMIT, "
    "PRISMA, AVIRIS, Tanager, EnMAP, DESIS, Hyperion, Sentinel-2)"
)
SceneFile = Annotated[
    Path,
    typer.Argument(metavar="SCENE", help=f"Scene: {_READ}.", show_default=False),
]
SceneFiles = Annotated[
    list[Path] | None,
    typer.Argument(metavar="SCENE...", help=f"Scenes: {_READ}.", show_default=False),
]
Manifest = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML or CSV that lists scenes with their settings, in place of SCENE."),
]
Workers = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Processes for unmixing. [default: by the size of the scenes]"),
]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Unmix on a running Dask cluster: tcp://HOST:PORT.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with what was not finished; begin if there is nothing yet.")
]
NEndmembers = Annotated[
    str | None,
    typer.Option(
        "--n-endmembers",
        "-p",
        metavar="P",
        help='Number of endmembers, or "auto": estimated, and the evidence shown; so it is when left out.',
    ),
]
Bands = Annotated[
    str | None,
    typer.Option(
        metavar="RANGES",
        help='Bands to leave out, in nm: "1350-1450,1800-1950" (numbers where nm are unknown).',
    ),
]
KeepAtmosphere = Annotated[
    bool,
    typer.Option("--keep-atmosphere", help="Use bands in which the air absorbs, too: 1350-1450 and 1800-1950 nm."),
]
Scale = Annotated[
    float | None,
    typer.Option(metavar="VALUE", help="Stored value that means a reflectance of 1, if the file is silent or wrong."),
]
Uncertainty = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Standard deviation of every value of the scene (EMIT's RFLUNCERT): taken as its noise, not estimated.",
    ),
]
OutputFolder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to make.", show_default=False)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a folder of this kind that unmixel wrote.")]
Seed = Annotated[
    int | None, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of everything random. [default: 0]")
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Threads for computing. [default: 1, or OMP_NUM_THREADS]"),
]


def parse_n_endmembers(text: str | None) -> int | str | None:
    """Read a number of endmembers: a whole number, "auto", or None when left out.

    Raises
    ------
    ParameterError
        If it is something else.

    Examples
    --------
    >>> parse_n_endmembers("4"), parse_n_endmembers("auto")
    (4, 'auto')
    """
    if text is None or text == "auto":
        return text
    try:
        return int(text)
    except ValueError as error:
        raise ParameterError(f"-p {text!r}", 'a whole number, or "auto"') from error


def parse_bands(text: str | None) -> list[tuple[float, float]]:
    """Read ranges of bands.

    Raises
    ------
    ParameterError
        If the text is not a list of ranges.

    Examples
    --------
    >>> parse_bands("1350-1450, 1800-1950.5")
    [(1350.0, 1450.0), (1800.0, 1950.5)]
    """
    ranges = []
    for part in (text or "").split(","):
        if not part.strip():
            continue
        try:
            low, high = (float(end) for end in part.split("-"))
        except ValueError as error:
            raise ParameterError(
                f"--bands {text!r}", "ranges like 1350-1450,1800-1950", "write low-high, separated by commas"
            ) from error
        if low > high:
            raise ParameterError(f"--bands {text!r}", "ranges from low to high", f"write {high:g}-{low:g}")
        ranges.append((low, high))
    return ranges


def limit_threads(threads: int | None) -> None:
    """Set how many threads numpy and torch will use; to be called before either is imported."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if threads is not None:
            os.environ[variable] = str(threads)
        else:
            os.environ.setdefault(variable, os.environ.get("OMP_NUM_THREADS", "1"))
