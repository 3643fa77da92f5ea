"""unmixel: which materials are in every pixel of an imaging-spectroscopy scene, and how sure that is.

Importing the package loads neither torch nor xarray: each public name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "FCLS": "unmixel.methods.fcls",
    "IDNet": "unmixel.methods.idnet",
    "SCLS": "unmixel.methods.scls",
    "UnmixingError": "unmixel.errors",
    "abundance_interval": "unmixel.intervals",
    "datasets": "unmixel.datasets",
    "diagnose": "unmixel.diagnostics",
    "diagnosis_of": "unmixel.diagnostics",
    "endmember_interval": "unmixel.intervals",
    "errors": "unmixel.errors",
    "extract": "unmixel.extraction",
    "list_methods": "unmixel.registry",
    "load": "unmixel.registry",
    "make_bundle": "unmixel.spectra",
    "make_scene": "unmixel.scene",
    "open_bundle": "unmixel.io",
    "open_result": "unmixel.result",
    "open_scene": "unmixel.io",
    "metrics": "unmixel.metrics",
    "normal_interval": "unmixel.intervals",
    "plot": "unmixel.plot",
    "region_summary": "unmixel.regions",
    "save_scene": "unmixel.io",
    "simulate": "unmixel.simulate",
    "unmix": "unmixel.unmixing",
}

__all__ = [*sorted(_HOME), "__version__"]

if TYPE_CHECKING:
    from unmixel import datasets as datasets
    from unmixel import errors as errors
    from unmixel import metrics as metrics
    from unmixel import plot as plot
    from unmixel import simulate as simulate
    from unmixel.diagnostics import diagnose as diagnose
    from unmixel.diagnostics import diagnosis_of as diagnosis_of
    from unmixel.errors import UnmixingError as UnmixingError
    from unmixel.extraction import extract as extract
    from unmixel.intervals import abundance_interval as abundance_interval
    from unmixel.intervals import endmember_interval as endmember_interval
    from unmixel.intervals import normal_interval as normal_interval
    from unmixel.io import open_bundle as open_bundle
    from unmixel.io import open_scene as open_scene
    from unmixel.io import save_scene as save_scene
    from unmixel.methods.fcls import FCLS as FCLS
    from unmixel.methods.idnet import IDNet as IDNet
    from unmixel.methods.scls import SCLS as SCLS
    from unmixel.regions import region_summary as region_summary
    from unmixel.registry import list_methods as list_methods
    from unmixel.registry import load as load
    from unmixel.result import open_result as open_result
    from unmixel.scene import make_scene as make_scene
    from unmixel.spectra import make_bundle as make_bundle
    from unmixel.unmixing import unmix as unmix


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unmixel' has no attribute {name!r}")
    module = importlib.import_module(_HOME[name])
    return module if module.__name__ == f"unmixel.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
