"""Unmixing methods: one file (or folder) per method, its name is the method's name.

For authors of methods, in this package and in others: what a method is made of. Each name is loaded when it is first
used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "QUANTILES": "_spectra_statistics",
    "EndmemberSpectra": "_endmember_spectra",
    "Fitted": "_fitted",
    "FixedSpectraFitted": "_fixed_spectra",
    "Image": "_whole_scene",
    "Method": "_method",
    "Mixture": "_fixed_spectra",
    "Parts": "_parts",
    "PixelwiseFitted": "_pixelwise",
    "Progress": "_progress",
    "Solution": "_whole_scene",
    "WholeSceneFitted": "_whole_scene",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from unmixel.methods._endmember_spectra import EndmemberSpectra as EndmemberSpectra
    from unmixel.methods._fitted import Fitted as Fitted
    from unmixel.methods._fixed_spectra import FixedSpectraFitted as FixedSpectraFitted
    from unmixel.methods._fixed_spectra import Mixture as Mixture
    from unmixel.methods._method import Method as Method
    from unmixel.methods._parts import Parts as Parts
    from unmixel.methods._pixelwise import PixelwiseFitted as PixelwiseFitted
    from unmixel.methods._progress import Progress as Progress
    from unmixel.methods._spectra_statistics import QUANTILES as QUANTILES
    from unmixel.methods._whole_scene import Image as Image
    from unmixel.methods._whole_scene import Solution as Solution
    from unmixel.methods._whole_scene import WholeSceneFitted as WholeSceneFitted


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unmixel.methods' has no attribute {name!r}")
    return getattr(importlib.import_module(f"unmixel.methods.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
