"""Sets of endmembers that may be right: from clusters in several ways, and from extreme pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unmixel.extraction.bundles import angle_bundle
from unmixel.extraction.clusters import best_subsets, sample_and_centres
from unmixel.extraction.kmeans import kmeans
from unmixel.extraction.vca import vca

MORE_AXES = 2
"""Axes beyond the number of endmembers in which pixels are grouped; what lies in others is mostly noise."""
N_CLUSTERS = (10, 12, 14)
CLUSTERED = 5000
"""Pixels that are grouped."""
DARKEST = 0.01
"""Pixels darker than this share of the median are not grouped: their shape is noise."""
SUM_WEIGHT = 1e3
"""How much a sum of abundances that differs from 1 weighs against a residual of the size of the spectra."""
N_VCA = 3


def candidates(
    pixels: Float[np.ndarray, "pixel band"],
    axes: Float[np.ndarray, "band axis"],
    n_endmembers: int,
    *,
    seed: int | np.random.Generator = 0,
) -> dict[str, Float[np.ndarray, "endmember band"]]:
    """Make candidates for the endmembers of a scene, by name.

    Pixels are grouped by k-means, as they are (``reflectance``) and scaled to length 1 (``shape``), into 10, 12
    and 14 clusters, in the first axes of the scene. Of the centres, the subset is taken that reconstructs a sample
    balanced over the clusters best, with brightness ``free`` and with abundances that sum to ``one``. Vertex
    component analysis gives further candidates. Each is there as it is, and as the mean of the pixels that look
    most like it (``alike``).

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance [1].
    axes : array, shape (band, axis)
        Orthonormal axes of the scene, the strongest first.
    n_endmembers : int
        Number of endmembers P.
    seed : int or Generator
        Seed of everything random.

    Returns
    -------
    dict of str to array, shape (endmember, band)
        Spectra of each candidate; no two are the same.

    Examples
    --------
    >>> materials = np.array([[0.1, 0.2, 0.6], [0.5, 0.4, 0.3]])
    >>> pixels = np.linspace(0, 1, 101)[:, None] * (materials[1] - materials[0]) + materials[0]
    >>> found = candidates(pixels, np.linalg.svd(pixels)[2].T, 2)
    >>> found["vca 1"].round(2)
    array([[0.1, 0.2, 0.6],
           [0.5, 0.4, 0.3]])
    """
    rng = np.random.default_rng(seed)
    axes = axes[:, : n_endmembers + MORE_AXES]
    coordinates = pixels @ axes.astype(pixels.dtype)
    found: dict[str, np.ndarray] = {}
    for name, rows in _clustered(coordinates, n_endmembers, rng):
        found[name] = np.stack([pixels[members].mean(axis=0, dtype=np.float64) for members in rows])
    for run in range(N_VCA):
        corners = vca(coordinates, n_endmembers, n_restarts=1 if run else 20, seed=rng)
        found[f"vca {run + 1}"] = coordinates[np.sort(corners)].astype(np.float64) @ axes.T
    for name, spectra in list(found.items()):
        rows = angle_bundle(pixels, spectra.astype(pixels.dtype))
        found[f"{name}, alike"] = np.stack([pixels[members].mean(axis=0, dtype=np.float64) for members in rows])
    return {name: spectra for name, spectra in found.items() if name in _first_of_each(found)}


def _clustered(
    coordinates: Float[np.ndarray, "pixel axis"], n_endmembers: int, rng: np.random.Generator
) -> list[tuple[str, list[np.ndarray]]]:
    """Return names and, for each endmember, the rows of its cluster."""
    length = np.linalg.norm(coordinates, axis=1)
    lit = np.flatnonzero((length > 0) & (length >= DARKEST * np.median(length)))
    if len(lit) > CLUSTERED:
        lit = np.sort(rng.choice(lit, CLUSTERED, replace=False))
    found = []
    for kind, values in (("reflectance", coordinates[lit]), ("shape", coordinates[lit] / length[lit, None])):
        for n_clusters in N_CLUSTERS:
            labels = kmeans(values, n_clusters, n_restarts=2, seed=rng)
            members = [lit[labels == label] for label in range(int(labels.max()) + 1)]
            if len(members) < n_endmembers:
                continue
            sample, centres = sample_and_centres(coordinates, members, rng)
            for brightness, subset in (
                ("free", best_subsets(sample, centres, n_endmembers)[-1][0]),
                ("one", best_subsets(*_with_sum(sample, centres), n_endmembers)[-1][0]),
            ):
                rows = sorted((members[k] for k in subset), key=lambda own: int(own[0]))
                found.append((f"{n_clusters} clusters of {kind}, {brightness}", rows))
    return found


def _with_sum(
    sample: Float[np.ndarray, "sampled axis"], centres: Float[np.ndarray, "cluster axis"]
) -> tuple[Float[np.ndarray, "sampled more"], Float[np.ndarray, "cluster more"]]:
    """Return both with one more axis, on which they are all equal, so that abundances sum to one."""
    weight = SUM_WEIGHT * float(np.sqrt((centres**2).mean()))
    return tuple(np.hstack([table, np.full((len(table), 1), weight)]) for table in (sample, centres))  # type: ignore[return-value]


def _first_of_each(found: dict[str, np.ndarray]) -> set[str]:
    """Return the name of the first of all candidates that are the same up to rounding."""
    first: dict[bytes, str] = {}
    for name, spectra in found.items():
        first.setdefault(spectra.astype(np.float32).tobytes(), name)
    return set(first.values())
