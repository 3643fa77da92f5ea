"""Files that lie beside a TIFF and that GDAL reads with it.

=================================== ================================================================================
``NAME.tif.aux.xml``                may say what the TIFF says itself, and is believed before it: place, no-data value,
                                    scale, and the metadata of bands, wavelengths among them (GDAL, QGIS, EnMAP-Box)
``NAME.tfw``, ``.wld``, ``.tab``    the place, where nothing else says it
``NAME.tif.ovr``, ``NAME.tif.msk``  overviews and a mask: nothing of what is read here comes from them, but GDAL opens
                                    them, as whatever format they are
=================================== ================================================================================
"""

from __future__ import annotations

from pathlib import Path

from unmixel.claims import read_small
from unmixel.errors import SceneError
from unmixel.io.xml_metadata import LARGEST

TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""What a TIFF or a BigTIFF begins with."""
_UNUSED = (".ovr", ".msk")


def believed_beside(path: Path) -> tuple[Path, ...]:
    """Return the files beside a TIFF that say something of the scene, and check the others that GDAL would open.

    Raises
    ------
    SceneError
        If overviews or a mask are no TIFF: another format could lead to other files, or to the network. If one of
        them is a pipe, or metadata are larger than any.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "scene.tif"
    >>> for name in ("scene.tif", "scene.tif.aux.xml", "scene.tfw", "scene.txt"):
    ...     file.with_name(name).touch()
    >>> [beside.name for beside in believed_beside(file)]
    ['scene.tfw', 'scene.tif.aux.xml']
    """
    ending = path.suffix[1:]
    worlds = (f"{ending[:1]}{ending[-1:]}w", f"{ending}w", "wld", "tab")
    told = [name.lower() for name in (f"{path.name}.aux.xml", *(f"{path.stem}.{world}" for world in worlds))]
    unused = [f"{path.name}{suffix}".lower() for suffix in _UNUSED]
    named_alike = [file for file in sorted(path.parent.iterdir()) if file.name.lower().startswith(path.stem.lower())]
    for file in named_alike:
        _check(file, is_told=file.name.lower() in told, is_tiff=file.name.lower() in unused)
    return tuple(file for file in named_alike if file.name.lower() in told and file.is_file())


def _check(file: Path, *, is_told: bool, is_tiff: bool) -> None:
    if file.exists() and not file.is_file() and not file.is_dir():
        raise SceneError(f"{file}, a device or a pipe", "files alone, since GDAL would wait for it", "move it away")
    if is_told and file.is_file():
        read_small(file, LARGEST)
    if is_tiff and file.is_file():
        with file.open("rb") as opened:
            if opened.read(4) not in TIFF:
                raise SceneError(f"{file}, which is no TIFF", "overviews or a mask as GDAL writes them", "move it away")
