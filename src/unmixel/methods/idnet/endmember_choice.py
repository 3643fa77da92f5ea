"""Endmembers of a scene that nobody gave: two extractors, judged by the evidence of the whole model.

Clusters find materials that vary, and evidence-based extraction (`unmixel.extraction.choosing`) finds vertices, also
where no pixel is pure; neither is right for every scene. With cluster centres the mixing law is told first, because in
an intimate mixture the albedos are what has vertices.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from unmixel.extraction import extract
from unmixel.extraction.choosing import has_evidence
from unmixel.extraction.extracting import scene_rank
from unmixel.methods.idnet.hypotheses import FIRST_BRIGHTNESS_SD, FROM_SCENE, Hypothesis, Judge
from unmixel.methods.idnet.mixing_domain import to_domain, to_reflectance
from unmixel.methods.idnet.mixing_law import MIXING_LAWS
from unmixel.methods.idnet.start import LARGEST_SAMPLE
from unmixel.scene import good_bands, make_scene, pixels_of
from unmixel.spectra import endmember_names, spectra_of


class Candidate(NamedTuple):
    """A bundle, the best hypothesis with it, and how probable that makes the scene.

    Attributes
    ----------
    bundle : DataArray
    extractor : str
    hypothesis : Hypothesis
    log_evidence : float
        Mean per pixel, without outliers.
    """

    bundle: xr.DataArray
    extractor: str
    hypothesis: Hypothesis
    log_evidence: float


def extract_for_model(
    scene: xr.DataArray, n_endmembers: int | None, n_latents: int | None, *, only_linear: bool, seed: int
) -> xr.DataArray:
    """Extract endmembers with which the model predicts the scene best.

    Parameters
    ----------
    scene : DataArray
    n_endmembers : int, optional
        P; estimated from the scene when None.
    n_latents : int, optional
        H; that of scenes when None.
    only_linear : bool
        Whether no other mixing law is asked for.
    seed : int

    Returns
    -------
    DataArray
        A bundle; ``attrs["candidates"]`` says, as JSON, what was compared.
    """
    n_latents = n_latents or min(FROM_SCENE, int(good_bands(scene).sum()))
    every = pixels_of(scene)
    pixels = every[np.random.default_rng(seed).permutation(len(every))[:LARGEST_SAMPLE]]
    laws = ["linear"] if only_linear else list(MIXING_LAWS)
    clusters = _judged(
        extract(scene, n_endmembers, extractor="clusters", seed=seed), "clusters", scene, pixels, n_latents, laws
    )
    candidates = [clusters]
    albedo = MIXING_LAWS[clusters.hypothesis.mixing].albedo
    n_endmembers = len(endmember_names(clusters.bundle))
    mixing = to_domain(pixels, albedo=albedo)
    if has_evidence(mixing, n_endmembers) and scene_rank(mixing) >= n_endmembers:
        found = extract(_of_pixels(scene, pixels, albedo=albedo), n_endmembers, extractor="evidence", seed=seed)
        found = found.copy(data=to_reflectance(found.values, albedo=albedo))
        same_domain = [law for law in laws if MIXING_LAWS[law].albedo == albedo]
        candidates.append(_judged(found, "evidence", scene, pixels, n_latents, same_domain))
    compared = [
        {"extractor": one.extractor, **one.hypothesis._asdict(), "log_evidence": round(one.log_evidence, 3)}
        for one in candidates
    ]
    best = max(candidates, key=lambda one: one.log_evidence)
    attributes = {**clusters.bundle.attrs, "extractor": best.extractor, "candidates": json.dumps(compared)}
    return best.bundle.assign_attrs(attributes)


def _of_pixels(scene: xr.DataArray, pixels: np.ndarray, *, albedo: bool) -> xr.DataArray:
    """Return a scene of one column that holds some pixels of a scene, in what mixes."""
    values = np.full((len(pixels), 1, scene.sizes["band"]), np.nan, dtype=np.float32)
    values[:, 0, good_bands(scene)] = to_domain(pixels, albedo=albedo)
    bands: dict[str, Any] = {
        name: scene[name].values for name in ("wavelength", "fwhm", "good_band") if name in scene.coords
    }
    return make_scene(values, **bands)


def _judged(
    bundle: xr.DataArray, extractor: str, scene: xr.DataArray, pixels: np.ndarray, n_latents: int, laws: list[str]
) -> Candidate:
    """Judge a bundle by the best of a few hypotheses."""
    good = good_bands(scene)
    spectra = tuple(spectra_of(bundle, name)[:, good] for name in endmember_names(bundle))
    judge = Judge(pixels, spectra)
    best = judge.best([Hypothesis(law, "scene", n_latents, sd) for law in laws for sd in FIRST_BRIGHTNESS_SD])
    fixed = [best._replace(variability="none", brightness_sd=sd) for sd in FIRST_BRIGHTNESS_SD]
    best = judge.best([best, *fixed])
    return Candidate(bundle, extractor, best, judge.log_evidence(best))
