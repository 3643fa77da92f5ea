"""Files of a product as DLR distributes it: ``NAME-METADATA.XML``, ``NAME-SPECTRAL_IMAGE.TIF`` and others beside.

The image may also be ``.BSQ``, ``.BIL`` or ``.BIP`` with an ENVI header ``NAME-SPECTRAL_IMAGE.HDR``, and quality layers
may be JPEG 2000. An image in JPEG 2000 is refused: a window of it cannot be read without unpacking all of it.
"""

from __future__ import annotations

import re
from pathlib import Path

from unmixel.errors import SceneError

METADATA, IMAGE = "METADATA", "SPECTRAL_IMAGE"
_FILE = re.compile(
    rf"(?P<name>.+)-(?P<part>{METADATA}|{IMAGE}|QL_[A-Z0-9_]+?(?:-\d)?)(?:_COG)?"
    r"\.(?P<suffix>XML|TIF|TIFF|GEOTIFF|BSQ|BIL|BIP|HDR|JP2|J2K)",
    re.IGNORECASE,
)
_XML, _TIFF, _ENVI, _JPEG2000 = {"XML"}, {"TIF", "TIFF", "GEOTIFF"}, {"BSQ", "BIL", "BIP"}, {"JP2", "J2K"}


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
        If it is not there, or in JPEG 2000.
    """
    if IMAGE not in files:
        expected = files[METADATA].name.upper().replace(f"{METADATA}.XML", f"{IMAGE}.TIF")
        raise SceneError(f"{files[METADATA]} without {expected}", "the whole product", "unpack all its files")
    image = files[IMAGE]
    if is_jpeg2000(image):
        raise SceneError(
            f"{image}, JPEG 2000",
            "a spectral image in GeoTIFF, BSQ, BIL or BIP",
            f"unpack it once: gdal_translate {image.name} {image.stem}.TIF in its folder, and give the folder",
        )
    return image


def is_jpeg2000(path: Path) -> bool:
    """Return whether a file of a product is JPEG 2000, by its name."""
    return path.suffix[1:].upper() in _JPEG2000


def is_raw_image(path: Path) -> bool:
    """Return whether a file of a product is raw numbers that an ENVI header describes, by its name."""
    return path.suffix[1:].upper() in _ENVI


def _is_part(part: str, suffix: str) -> bool:
    """Return whether a part of a product comes with such a suffix."""
    if part == METADATA:
        return suffix in _XML
    return suffix in _TIFF | _JPEG2000 or (part == IMAGE and suffix in _ENVI)


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
        if told is None or only not in (None, told["name"]) or not file.is_file():
            continue
        part = told["part"].upper()
        if _is_part(part, told["suffix"].upper()):
            product = products.setdefault(told["name"], {})
            if part not in product or is_jpeg2000(product[part]):
                product[part] = file
    return products
