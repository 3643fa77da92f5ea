"""A simulated scene of which several tests ask what default ID-Net makes."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import xarray as xr

from unmixel.diagnostics import diagnose
from unmixel.extraction import extract
from unmixel.methods.idnet import IDNet
from unmixel.methods.idnet.fitted import FittedIDNet
from unmixel.simulate import simulate_demo


class Case(NamedTuple):
    """A scene with its truth, a bundle found in it, and what default ID-Net makes of them."""

    scene: xr.DataArray
    truth: xr.Dataset
    bundle: xr.DataArray
    fitted: FittedIDNet
    result: xr.Dataset


@pytest.fixture(scope="session")
def case() -> Case:
    scene, truth = simulate_demo(rows=40, columns=50, seed=0)
    bundle = extract(scene, 3, extractor="clusters", seed=0)
    fitted = IDNet().fit(scene, bundle)
    return Case(scene, truth, bundle, fitted, diagnose(scene, fitted.unmix(scene), fitted=fitted))
