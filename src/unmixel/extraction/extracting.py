"""Endmember spectra of a scene: find the materials, then several spectra of each."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from unmixel.errors import ParameterError
from unmixel.extraction.bundles import Extractor, angle_bundle, batch_bundle
from unmixel.extraction.choosing import choose_by_evidence, has_evidence
from unmixel.extraction.clusters import clusters
from unmixel.extraction.nfindr import nfindr
from unmixel.extraction.number import number_evidence
from unmixel.extraction.number_evidence import NumberEvidence
from unmixel.extraction.sisal import sisal
from unmixel.extraction.successive_projection import atgp, spa
from unmixel.extraction.vca import vca
from unmixel.scene import check_scene, good_bands, valid_pixels
from unmixel.spectra import make_bundle
from unmixel.whole_numbers import checked_seed

MAX_PIXELS = 50_000
FEWEST = 2
RANK_TOLERANCE = 1e-6
"""Singular values of the pixels below this share of the greatest say nothing of how many materials there are."""

FROM_PIXELS: dict[str, Extractor] = {
    "vca": lambda pixels, n, rng: [np.array([row]) for row in vca(pixels, n, seed=rng)],
    "clusters": lambda pixels, n, rng: clusters(pixels, n, seed=rng),
    "nfindr": lambda pixels, n, rng: [np.array([row]) for row in nfindr(pixels, n)],
    "atgp": lambda pixels, n, rng: [np.array([row]) for row in atgp(pixels, n)],
    "spa": lambda pixels, n, rng: [np.array([row]) for row in spa(pixels, n)],
}
"""Extractors whose endmembers are means of pixels, by name."""

EXTRACTORS = (*FROM_PIXELS, "sisal", "evidence")
"""How endmembers are found."""

BUNDLES = ("angle", "batch", "none")
"""How more spectra of each endmember are found, by name."""


def extract(
    scene: xr.DataArray,
    n_endmembers: int | None = None,
    *,
    extractor: str = "clusters",
    bundle: str = "angle",
    n_spectra: int = 100,
    seed: int = 0,
) -> xr.DataArray:
    """Extract endmembers and several spectra of each from a scene.

    Works on the good bands of the valid pixels, or of 50 000 of them drawn at random. The endmembers are
    named ``endmember 1``, ``endmember 2``, ... from the brightest to the darkest. The spectra have all
    bands of the scene: in a band that unmixing leaves out they hold what the same pixels have there, or,
    where that is invalid, a straight line between the neighbouring good bands.

    Parameters
    ----------
    scene : DataArray
        The scene (see `unmixel.scene`).
    n_endmembers : int, optional
        Number of endmembers P, at least 2. When None, that of :func:`estimate_n_endmembers`, whose evidence is
        kept as JSON in ``attrs["number_of_endmembers"]``.
    extractor : str
        ``"vca"``: the purest pixels by vertex component analysis.
        ``"nfindr"``: the pixels that span the largest simplex.
        ``"atgp"``: the brightest pixel, then each time the one farthest from all mixtures of those before.
        ``"spa"``: the same with brightness divided out.
        ``"sisal"``: the smallest simplex that holds nearly all pixels; its endmembers needn't be pixels, and
        may be slightly negative. ``attrs["extraction_settled"]`` says as JSON whether the search ended at a minimum.
        ``"clusters"``: the cluster centres that reconstruct the scene best.
        ``"evidence"``: of both, in many variants, and of endmembers that no pixel is, those of the greatest
        evidence (see :func:`unmixel.extraction.choosing.choose_by_evidence`); what was considered is in
        ``attrs["candidates"]`` as JSON. In scenes of fewer than 200 pixels, and for more than 8 endmembers, it
        is the same as ``"clusters"``.
    bundle : str
        ``"angle"``: the pixels that look most like the endmember.
        ``"batch"``: endmembers extracted from random batches of pixels, grouped.
        ``"none"``: the endmember alone.
    n_spectra : int
        Largest number of spectra of each endmember (``"angle"``), or number of batches (``"batch"``).
    seed : int
        Seed of everything random.

    Returns
    -------
    DataArray
        A bundle (see `unmixel.spectra`) on the bands of the scene; ``attrs["extractor"]`` is the extractor's name.

    Raises
    ------
    ParameterError
        If a name is unknown, the seed out of its range, or the scene cannot have that many endmembers: more than its
        bands, its pixels or its rank.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> materials = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.4, 0.1, 0.1]])
    >>> abundances = np.linspace(0, 1, 60)[:, None] * [1, -1] + [0, 1]
    >>> scene = make_scene((abundances @ materials).reshape(6, 10, 4), wavelength=[500, 600, 700, 800])
    >>> bundle = extract(scene, 2, extractor="vca", bundle="none")
    >>> bundle.values.round(3)
    array([[0.5, 0.4, 0.1, 0.1],
           [0.1, 0.2, 0.3, 0.4]], dtype=float32)
    >>> bundle.endmember.values.tolist()
    ['endmember 1', 'endmember 2']
    """
    check_scene(scene)
    for what, name, known in (("extractor", extractor, tuple(EXTRACTORS)), ("bundle", bundle, BUNDLES)):
        if name not in known:
            raise ParameterError(f"{what} {name!r}", f"one of {', '.join(known)}")
    if n_spectra < 1:
        raise ParameterError(f"n_spectra = {n_spectra}", "at least 1")
    rng = np.random.default_rng(checked_seed(seed))
    every_band = _sampled_pixels(scene, rng)
    good = good_bands(scene)
    pixels = np.ascontiguousarray(every_band[:, good])
    attributes = {}
    if n_endmembers is None:
        evidence = number_evidence(pixels, seed=rng.spawn(1)[0])
        n_endmembers = evidence.suggested
        attributes["number_of_endmembers"] = json.dumps(evidence.as_record())
    _check_number(pixels, n_endmembers)

    if extractor == "evidence" and not has_evidence(pixels, n_endmembers):
        extractor = "clusters"
    if extractor in FROM_PIXELS:
        members = _members(pixels, n_endmembers, FROM_PIXELS[extractor], bundle, n_spectra, rng)
        spectra = [np.stack([_mean_spectrum(every_band[rows], good) for rows in group]) for group in members]
    elif bundle == "batch":
        raise ParameterError(
            f"bundle 'batch' with extractor {extractor!r}", f"with extractor {' or '.join(FROM_PIXELS)}"
        )
    else:
        if extractor == "sisal":
            simplex = sisal(pixels, n_endmembers)
            attributes["extraction_settled"] = json.dumps(simplex.settled)
            endmembers = simplex.endmembers
        else:
            judged = choose_by_evidence(pixels, n_endmembers, seed=rng)
            attributes["candidates"] = json.dumps([one.as_record() for one in judged])
            endmembers = judged[0].spectra
        spectra = _around(endmembers, every_band, good, n_spectra if bundle == "angle" else 0)

    spectra.sort(key=lambda group: -float(np.linalg.norm(group[:, good].mean(axis=0))))
    spectra = [_fill_left_out(group, good, scene["wavelength"].values) for group in spectra]
    names = [f"endmember {k + 1}" for k, group in enumerate(spectra) for _ in group]
    found = make_bundle(
        np.concatenate(spectra),
        names,
        wavelength=scene["wavelength"].values,
        fwhm=scene["fwhm"].values if "fwhm" in scene.coords else None,
    )
    return found.assign_attrs(**attributes, extractor=extractor)


def estimate_n_endmembers(scene: xr.DataArray, *, seed: int = 0) -> NumberEvidence:
    """Collect what speaks for each number of endmembers of a scene; `extract` with the same seed goes by it.

    Parameters
    ----------
    scene : DataArray
        The scene (see `unmixel.scene`).
    seed : int
        Seed of everything random.

    Returns
    -------
    NumberEvidence
        Its ``suggested`` is the number; see :func:`unmixel.extraction.number.number_evidence`.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> rng = np.random.default_rng(0)
    >>> pixels = rng.dirichlet(np.ones(3), 1200) @ rng.random((3, 30))
    >>> estimate_n_endmembers(make_scene(pixels.reshape(30, 40, 30))).suggested
    3
    """
    check_scene(scene)
    rng = np.random.default_rng(checked_seed(seed))
    pixels = np.ascontiguousarray(_sampled_pixels(scene, rng)[:, good_bands(scene)])
    return number_evidence(pixels, seed=rng.spawn(1)[0])


def _members(
    pixels: Float[np.ndarray, "pixel band"],
    n_endmembers: int,
    find: Extractor,
    bundle: str,
    n_spectra: int,
    rng: np.random.Generator,
) -> list[list[np.ndarray]]:
    """Return, for each endmember, for each of its spectra, the rows of the pixels whose mean it is."""
    if bundle == "batch":
        return batch_bundle(pixels, n_endmembers, find, n_batches=n_spectra, seed=rng)
    members = find(pixels, n_endmembers, rng)
    if bundle == "none":
        return [[rows] for rows in members]
    endmembers = np.stack([pixels[rows].mean(axis=0) for rows in members])
    return [list(rows[:, None]) for rows in angle_bundle(pixels, endmembers, n_spectra)]


def _around(
    endmembers: Float[np.ndarray, "endmember band"],
    every_band: Float[np.ndarray, "pixel every_band"],
    good: Bool[np.ndarray, "every_band"],
    n_spectra: int,
) -> list[Float[np.ndarray, "spectrum every_band"]]:
    """Return the pixels most alike to each endmember, moved so that it is their mean; their mean alone for none.

    So a bundle varies as pixels do, also around an endmember that no pixel is.
    """
    spectra = []
    for endmember, rows in zip(
        endmembers, angle_bundle(every_band[:, good], endmembers, n_spectra or 100), strict=True
    ):
        group = every_band[rows].astype(np.float64) if n_spectra else _mean_spectrum(every_band[rows], good)[None]
        group[:, good] += endmember - group[:, good].mean(axis=0)
        spectra.append(group)
    return spectra


def scene_rank(pixels: Float[np.ndarray, "pixel band"]) -> int:
    """Return how many directions the pixels span, those below a millionth of the first not counted.

    No more endmembers than that can be told apart.

    Examples
    --------
    >>> scene_rank(np.array([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6], [0.3, 0.3, 0.3], [0.4, 0.5, 0.6]]))
    2
    """
    values = pixels.astype(np.float64)
    power = np.linalg.eigvalsh(values.T @ values)
    return int((power > RANK_TOLERANCE**2 * max(power[-1], 1e-300)).sum())


def _sampled_pixels(scene: xr.DataArray, rng: np.random.Generator) -> Float[np.ndarray, "pixel band"]:
    """Return the valid pixels in every band, or as many of them as extraction looks at."""
    rows, columns = np.nonzero(valid_pixels(scene))
    if len(rows) > MAX_PIXELS:
        kept = np.sort(rng.choice(len(rows), MAX_PIXELS, replace=False))
        rows, columns = rows[kept], columns[kept]
    return np.asarray(scene.values[rows, columns], dtype=np.float32)


def _check_number(pixels: Float[np.ndarray, "pixel band"], n_endmembers: int) -> None:
    n_pixels, n_bands = pixels.shape
    given = f"n_endmembers = {n_endmembers}"
    if n_endmembers < FEWEST:
        raise ParameterError(given, f"at least {FEWEST}", "leave it out to estimate it from the scene")
    for limit, of_what in ((n_bands, "good bands"), (n_pixels, "valid pixels")):
        if n_endmembers > limit:
            raise ParameterError(f"{given} for a scene with {limit} {of_what}", f"at most {limit}", "lower it")
    rank = scene_rank(pixels)
    if n_endmembers > rank:
        raise ParameterError(
            f"{given} for a scene of rank {rank} (its spectra are combinations of {rank})",
            f"at most {rank}",
            "lower it",
        )


def _mean_spectrum(pixels: Float[np.ndarray, "pixel band"], good: np.ndarray) -> Float[np.ndarray, "band"]:
    """Return the mean of the finite values in each band; NaN where there are none."""
    finite = np.isfinite(pixels)
    counts = finite.sum(axis=0)
    sums = np.where(finite, pixels, 0).sum(axis=0, dtype=np.float64)
    return np.divide(sums, counts, out=np.full(len(good), np.nan), where=counts > 0)


def _fill_left_out(
    spectra: Float[np.ndarray, "spectrum band"], good: np.ndarray, wavelength: Float[np.ndarray, "band"]
) -> Float[np.ndarray, "spectrum band"]:
    """Put a straight line between good bands where a spectrum has no value."""
    at = wavelength if np.isfinite(wavelength).all() else np.arange(len(good), dtype=float)
    filled = spectra.copy()
    for row in filled:
        missing = ~np.isfinite(row)
        row[missing] = np.interp(at[missing], at[good], row[good])
    return filled
