"""What every unmixing method is: a frozen set of hyper-parameters that can be fitted.

A new method is one file in this folder: a :class:`Method` and a :class:`~unmixel.methods._fitted.Fitted`, and
``METHOD = TheMethod`` at the end.
"""

from __future__ import annotations

import abc
import json
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.errors import ParameterError, SceneError
from unmixel.extraction import EXTRACTORS, extract
from unmixel.methods._endmember_spectra import EndmemberSpectra, on_bands_of
from unmixel.methods._fitted import Fitted
from unmixel.methods._hyperparameters import in_declared_form
from unmixel.methods._progress import Progress
from unmixel.methods._reflectance import BRIGHT, MOST_REFLECTANCE, bright_value, check_reflectance
from unmixel.result import OF_THE_SCENE, REFLECTANCE
from unmixel.scene import check_scene, pixels_of
from unmixel.spectra import check_bundle, endmember_names
from unmixel.whole_numbers import checked_seed


@dataclass(frozen=True, kw_only=True)
class Method(abc.ABC):
    """Hyper-parameters of an unmixing method, in the types that its fields declare: those of a saved model.

    Its abundances are not negative and sum to one, unless it says otherwise (``non_negative``, ``sum_to_one``). One
    whose result depends on the unit of the pixels refuses what can be no reflectance (``needs_reflectance``).

    Parameters
    ----------
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated by `unmixel.extraction.estimate_n_endmembers` when neither it nor
        a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of everything random, up to `unmixel.whole_numbers.LARGEST_SEED`. The same seed on the same machine gives
        the same bytes.

    Raises
    ------
    ParameterError
        If a value is of another type than its field, or out of its range, or a field is of a type that no saved model
        keeps.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    fitted_type: ClassVar[type[Fitted]]
    extractions: ClassVar[tuple[str, ...]] = tuple(EXTRACTORS)
    non_negative: ClassVar[bool] = True
    sum_to_one: ClassVar[bool] = True
    needs_reflectance: ClassVar[bool] = False

    n_endmembers: int | None = None
    extraction: str = "clusters"
    seed: int = 0

    def __post_init__(self) -> None:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in in_declared_form(type(self), given).items():
            object.__setattr__(self, name, value)
        if self.n_endmembers is not None and self.n_endmembers < 2:
            raise ParameterError(
                f"n_endmembers = {self.n_endmembers!r}",
                "a whole number, at least 2",
                "leave it out to estimate it from the scene",
            )
        if self.extraction not in self.extractions:
            raise ParameterError(f"extraction {self.extraction!r}", f"one of {', '.join(self.extractions)}")
        checked_seed(self.seed)

    def fit(
        self,
        scene: xr.DataArray,
        bundle: xr.DataArray | None = None,
        *,
        progress: Progress | None = None,
        checkpoint: str | Path | None = None,
    ) -> Fitted:
        """Fit the method to a scene.

        Parameters
        ----------
        scene : DataArray
            The scene (see `unmixel.scene`).
        bundle : DataArray, optional
            Endmember spectra on the bands of the scene (see `unmixel.spectra`). Extracted from the scene when None.
        progress : callable, optional
            Told how far fitting is.
        checkpoint : path, optional
            File that training writes after every epoch, and goes on from if it is there. A method that fits in one
            go needs none.

        Raises
        ------
        SceneError, BundleError, ParameterError
            If the scene or the bundle cannot be used together.
        """
        check_scene(scene)
        if bundle is not None:
            check_bundle(bundle)
        start = time.perf_counter()
        extracted = bundle is None
        if bundle is None:
            bundle = self._extract(scene)
        elif self.n_endmembers not in (None, len(endmember_names(bundle))):
            raise ParameterError(
                f"n_endmembers = {self.n_endmembers} and a bundle of {len(endmember_names(bundle))} endmembers",
                "the same number",
                "leave n_endmembers out",
            )
        endmembers = on_bands_of(scene, bundle)
        pixels = pixels_of(scene)
        if not len(pixels):
            raise SceneError("a scene without one valid pixel", "pixels with finite values in every good band")
        bright = bright_value(pixels)
        if self.needs_reflectance:
            check_reflectance(bright, self.name)
        extraction_s = time.perf_counter() - start
        fitted = self._fit(
            scene,
            pixels,
            endmembers,
            progress or (lambda stage, numbers: None),
            None if checkpoint is None else Path(checkpoint),
        )
        evidence = ("number_of_endmembers", "candidates", "extraction_settled") if extracted else ()
        fitted.record = {
            **{name: json.loads(bundle.attrs[name]) for name in evidence if name in bundle.attrs},
            "endmembers": f"extracted from the scene by {endmembers.extractor}" if extracted else "given",
            **({"extractor": endmembers.extractor} if endmembers.extractor else {}),
            "extraction_s": round(extraction_s, 3),
            "fit_s": round(time.perf_counter() - start - extraction_s, 3),
            BRIGHT: float(f"{bright:.4g}"),
            "unit": REFLECTANCE if bright <= MOST_REFLECTANCE else OF_THE_SCENE,
            **fitted.record,
        }
        return fitted

    def _extract(self, scene: xr.DataArray) -> xr.DataArray:
        """Find endmembers in the scene."""
        return extract(scene, self.n_endmembers, extractor=self.extraction, seed=self.seed)

    @abc.abstractmethod
    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> Fitted:
        """Fit to the valid pixels and the endmember spectra, both over the good bands."""
