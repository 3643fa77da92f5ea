"""The files of a public scene: found on this machine, or downloaded, and verified either way."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pooch

from unmixel.datasets.catalogue import PublicScene, describe
from unmixel.errors import DatasetError

DATA_DIR = "UNMIXEL_DATA_DIR"
"""Environment variable that names a folder with one folder of files for each scene."""


def fetch(name: str) -> Path:
    """Return the folder with the verified files of a public scene.

    They are taken from the scene's folder in ``UNMIXEL_DATA_DIR`` if all of them are there, or else
    downloaded into the user's cache, once.

    Parameters
    ----------
    name : str
        One of `list_datasets()`.

    Raises
    ------
    DatasetError
        If there is no such scene, a file cannot be downloaded, or its SHA-256 is wrong.
    """
    scene = describe(name)
    own = _own_folder(scene)
    if own is not None:
        for file in scene.files:
            _verify(own / file, scene.sha256(file))
        return own
    folder = Path(pooch.os_cache("unmixel")) / scene.folder
    for file in scene.files:
        _download(scene, file, folder)
    return folder


def _own_folder(scene: PublicScene) -> Path | None:
    """Return the scene's folder in UNMIXEL_DATA_DIR if it has all the files."""
    root = os.environ.get(DATA_DIR)
    if not root:
        return None
    folder = Path(root) / scene.folder
    return folder if all((folder / file).is_file() for file in scene.files) else None


def _verify(path: Path, sha256: str) -> None:
    found = pooch.file_hash(str(path), alg="sha256")
    if found != sha256:
        raise DatasetError(
            f"{path} with SHA-256 {found[:12]}...",
            f"{sha256[:12]}...",
            f"it is damaged or another version: replace it, or unset {DATA_DIR} to download it",
        )


def _download(scene: PublicScene, file: str, folder: Path) -> None:
    """Download a file into the folder unless it is there; nothing is left of a failed download."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        pooch.retrieve(
            scene.url(file),
            known_hash=f"sha256:{scene.sha256(file)}",
            fname=Path(file).name,
            path=(folder / file).parent,
        )
    except ValueError as error:
        raise DatasetError(
            f"{scene.url(file)}: {error}",
            f"a file with SHA-256 {scene.sha256(file)[:12]}...",
            "try again later",
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{scene.url(file)} could not be downloaded to {folder} ({type(error).__name__})",
            "a connection to the internet and space in the cache",
            f"or put the scene's files into the folder {scene.folder} of a folder that {DATA_DIR} names",
        ) from error
    finally:
        logger.setLevel(level)
