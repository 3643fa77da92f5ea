"""Files of a product as DLR distributes it: ``NAME-METADATA.XML``, ``NAME-SPECTRAL_IMAGE.TIF`` and others beside."""

from __future__ import annotations

import re
from pathlib import Path

from unmixel.errors import SceneError

METADATA, IMAGE = "METADATA", "SPECTRAL_IMAGE"
_FILE = re.compile(
    rf"(?P<name>.+)-(?P<part>{METADATA}|{IMAGE}|QL_[A-Z0-9_]+?(?:-\d)?)(?:_COG)?"
    r"\.(?:XML|TIF|TIFF|GEOTIFF)",
    re.IGNORECASE,
)


def metadata_beside(path: Path) -> Path | None:
    """Return the metadata of the product that a spectral image, a metadata file or a folder is; None for all others.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("A-SPECTRAL_IMAGE_COG.TIF", "A-METADATA.XML", "A-QL_VNIR.TIF"):
    ...     (folder / name).touch()
    >>> metadata_beside(folder / "A-SPECTRAL_IMAGE_COG.TIF").name, metadata_beside(folder / "A-QL_VNIR.TIF")
    ('A-METADATA.XML', None)
    """
    try:
        products = _products_at(path)
    except OSError:
        return None
    return next((files[METADATA] for files in products.values() if METADATA in files), None)


def name_beside(path: Path) -> Path | None:
    """Return the name of the product that a file is a part of, in its folder; None if no metadata are beside it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("A-METADATA.XML", "A-QL_VNIR.TIF", "B-QL_VNIR.TIF"):
    ...     (folder / name).touch()
    >>> name_beside(folder / "A-QL_VNIR.TIF").name, name_beside(folder / "B-QL_VNIR.TIF")
    ('A', None)
    """
    told = _FILE.fullmatch(path.name)
    if told is None:
        return None
    has_metadata = any(path.with_name(f"{told['name']}-{METADATA}.{suffix}").is_file() for suffix in ("XML", "xml"))
    return path.with_name(told["name"]) if has_metadata else None


def files_of(path: Path) -> dict[str, Path]:
    """Return the files of the product that a spectral image, a metadata file or a folder is, by their part.

    Raises
    ------
    SceneError
        If the folder holds several products, or the product has no metadata.
    """
    try:
        products = {name: files for name, files in _products_at(path).items() if METADATA in files or IMAGE in files}
    except OSError as error:
        raise SceneError(f"{path}: {error.strerror or error}", "a readable folder") from error
    if len(products) != 1:
        raise SceneError(f"{path} with {len(products)} products", "one", "give the spectral image of one of them")
    ((name, files),) = products.items()
    if METADATA not in files:
        raise SceneError(f"{path} without {name}-{METADATA}.XML", "the whole product", "unpack all its files")
    return files


def image_among(files: dict[str, Path]) -> Path:
    """Return the spectral image.

    Raises
    ------
    SceneError
        If it is not there.
    """
    if IMAGE not in files:
        expected = files[METADATA].name.upper().replace(f"{METADATA}.XML", f"{IMAGE}.TIF")
        raise SceneError(f"{files[METADATA]} without {expected}", "the whole product", "unpack all its files")
    return files[IMAGE]


def _products_at(path: Path) -> dict[str, dict[str, Path]]:
    """Return the files of each product of a folder, or of that of a file, by their name and part."""
    if path.is_dir():
        found, only = sorted(path.iterdir()), None
    else:
        told = _FILE.fullmatch(path.name)
        if told is None or told["part"].upper() not in (METADATA, IMAGE):
            return {}
        found, only = [path, *sorted(path.parent.iterdir())], told["name"]
    products: dict[str, dict[str, Path]] = {}
    for file in found:
        told = _FILE.fullmatch(file.name)
        if told is not None and only in (None, told["name"]) and file.is_file():
            products.setdefault(told["name"], {}).setdefault(told["part"].upper(), file)
    return products
