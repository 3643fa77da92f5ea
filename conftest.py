"""Shape-checked signatures and real scenes for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests import remembered_checks

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
remembered_checks.install()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real scenes, or a skip that says what is missing."""
    folder = os.environ.get("UNMIXEL_DATA_DIR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real scenes are needed: set UNMIXEL_DATA_DIR to their folder")
    return Path(folder)
