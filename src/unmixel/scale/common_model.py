"""One model for many scenes: fitted to pixels drawn from all of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from unmixel.errors import ModelError, NoValidPixelError, OutputError, ParameterError, SceneError
from unmixel.extraction import NumberEvidence
from unmixel.io.lazy import LazyScene
from unmixel.io.remarks import Counts
from unmixel.methods._bands import first_other_band
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._progress import Progress
from unmixel.registry import load
from unmixel.scale.beginning import begin, kept_if_worth_it
from unmixel.scale.fitting import FITTED_TO, fit_to_sample, what_decides
from unmixel.scale.identity import digest_of, run_identity
from unmixel.scale.plan import MODEL, TRAINING
from unmixel.scale.run_folder import finish, run_folder
from unmixel.scale.sampling import one_column, sample_pixels

FILES = {"model.json", "model.safetensors"}


def fit_to_all(
    method: Method,
    scenes: Sequence[LazyScene],
    folder: Path,
    *,
    bundle: xr.DataArray | None = None,
    progress: Progress | None = None,
    on_number: Callable[[NumberEvidence], None] | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Fitted:
    """Fit a method to pixels of all scenes, each valid pixel as likely as every other, and save the model.

    Parameters
    ----------
    method : Method
    scenes : sequence of LazyScene
        Scenes with the same bands. A band that is bad in one is left out for all.
    folder : path
        The folder of the model.
    bundle : DataArray, optional
        Endmember spectra.
    progress, on_number : callable, optional
        As in `unmixel.scale.unmix_file`.
    resume : bool
        Take the model that is there if it was made so, and go on with training that was interrupted.
    overwrite : bool
        Replace a model.

    Raises
    ------
    OutputError
        If the folder exists and is not to be replaced.
    SceneError
        If the bands of the scenes differ, or none has a valid pixel.
    ParameterError
        If the method unmixes scenes as a whole.
    """
    if method.fitted_type.neighbours:
        raise ParameterError(
            f"one model of method {method.name!r} for {len(scenes)} scenes",
            "a method that looks at each pixel alone",
            "fit a model to each scene (--each)",
        )
    decides = what_decides(method, bundle)
    read = [run_identity(decides, scene) for scene in scenes]
    identity = {name: [one[name] for one in read] for name in read[0]}
    if folder.exists():
        if resume and _made_by(folder) == digest_of(identity):
            return load(folder)
        _check_replaceable(folder, overwrite=overwrite)
    _check_bands(scenes)
    with run_folder(folder) as unfinished, kept_if_worth_it(unfinished):
        begin(unfinished, folder, identity, dict, resume=resume, overwrite=overwrite)
        sample = _sample_of_all(scenes, progress)
        fitted, told, _ = fit_to_sample(
            method, sample, bundle, progress=progress, on_number=on_number, checkpoint=unfinished / TRAINING
        )
        fitted.record = {**fitted.record, **told, "made_by": digest_of(identity)}
        shutil.rmtree(unfinished / MODEL, ignore_errors=True)
        fitted.save(unfinished / MODEL)
        finish(unfinished, unfinished / MODEL, folder)
    return fitted


def _check_replaceable(folder: Path, *, overwrite: bool) -> None:
    foreign = {path.name for path in folder.iterdir()} - FILES if folder.is_dir() else {folder.name}
    if foreign:
        raise OutputError(f"{folder}, which holds {min(foreign)}", "nothing, or a model", "move it elsewhere")
    if not overwrite:
        raise OutputError(
            f"{folder} exists, a model of other scenes or settings",
            "none, or that of these scenes and settings",
            f"replace it (--overwrite), or unmix further scenes by it: unmixel apply {folder} ...",
        )


def _made_by(folder: Path) -> str | None:
    """Return what a model for many scenes was made by; None if there is none in this folder."""
    try:
        return load(folder).record.get("made_by")
    except ModelError:
        return None


def _check_bands(scenes: Sequence[LazyScene]) -> None:
    first = scenes[0].outline["wavelength"].values
    for scene in scenes[1:]:
        remedy = "fit a model to each (--each), or unmix them in groups"
        if scene.shape[2] != scenes[0].shape[2]:
            raise SceneError(
                f"{scene.path} with {scene.shape[2]} bands, {scenes[0].path} with {scenes[0].shape[2]}",
                "scenes with the same bands for one model",
                remedy,
            )
        wavelength = scene.outline["wavelength"].values
        if (worst := first_other_band(first, wavelength)) is not None:
            raise SceneError(
                f"band {worst + 1} at {wavelength[worst]:.1f} nm in {scene.path}, at {first[worst]:.1f} nm in "
                f"{scenes[0].path}",
                "scenes with the same wavelengths for one model",
                remedy,
            )


def _sample_of_all(scenes: Sequence[LazyScene], progress: Progress | None) -> xr.DataArray:
    """Return pixels drawn from all scenes as a scene of one column: those with the smallest random numbers."""
    spectra = np.empty((0, scenes[0].shape[2]), dtype=np.float32)
    numbers = np.empty(0, dtype=np.uint64)
    counts = Counts()
    for seed, scene in enumerate(scenes):
        try:
            drawn = sample_pixels(scene, FITTED_TO, seed=seed, progress=progress)
        except NoValidPixelError:  # what is wrong with it is said when it is its turn to be unmixed
            continue
        counts = counts.plus(drawn.counts)
        numbers = np.concatenate([numbers, drawn.numbers])
        spectra = np.concatenate([spectra, drawn.scene.values[:, 0]])
        chosen = np.sort(np.argsort(numbers, kind="stable")[:FITTED_TO])
        numbers, spectra = numbers[chosen], spectra[chosen]
    if not len(spectra):
        raise NoValidPixelError(f"{len(scenes)} scenes without one valid pixel", "pixels with finite values")
    good = np.all([scene.good_band for scene in scenes], axis=0)
    together = one_column(scenes[0], spectra, counts).assign_coords(good_band=("band", good))
    return together.drop_vars("noise_sd", errors="ignore")  # that of one scene only
