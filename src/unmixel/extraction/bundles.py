"""Endmember bundles: several spectra of each material, so that its variability is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from unmixel.errors import ParameterError
from unmixel.extraction.kmeans import kmeans

Extractor = Callable[[np.ndarray, int, np.random.Generator], list[np.ndarray]]
"""From pixels, a number of endmembers and a generator to the rows whose mean is each endmember."""

BATCH_SHARE = 0.1
SMALLEST_BATCH = 200


def angle_bundle(
    pixels: Float[np.ndarray, "pixel band"],
    endmembers: Float[np.ndarray, "endmember band"],
    n_spectra: int = 100,
) -> list[np.ndarray]:
    r"""Find the pixels that look most like each endmember.

    .. math:: \theta(y, m_k) = \arccos \frac{y^\top m_k}{\|y\| \, \|m_k\|}

    A pixel can be in the bundle of the endmember nearest to it only, so bundles share no pixel; but an endmember that
    is nearest to none has the pixel nearest to it, which may be in another bundle, too. Bundles hold at most a tenth of
    all pixels together (but one each), so that in a small scene mixtures stay out. Black pixels are left out.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance :math:`y` [1].
    endmembers : array, shape (endmember, band)
        Reflectance :math:`m_k` [1].
    n_spectra : int
        Largest number of spectra of each endmember.

    Returns
    -------
    list of P arrays of int
        Rows of the pixels in the bundle of each endmember, nearest first; at least one each.

    References
    ----------
    Borsoi, Erdoğmuş, Imbiriba, *Learning interpretable deep disentangled neural networks for hyperspectral
    unmixing*, IEEE TCI 9, 2023. arXiv:2310.02340

    Examples
    --------
    >>> pixels = np.array([[0.1, 0.1], [0.0, 0.2], [0.5, 0.1]]).repeat(20, axis=0)
    >>> [rows.tolist() for rows in angle_bundle(pixels, np.array([[1.0, 0.0], [0.0, 1.0]]), n_spectra=2)]
    [[40, 41], [20, 21]]
    """
    cosines = _cosines(pixels, endmembers)
    n_spectra = max(1, min(n_spectra, len(pixels) // (10 * len(endmembers))))
    nearest = cosines.argmax(axis=1)
    bundle = []
    for k in range(len(endmembers)):
        own = np.flatnonzero((nearest == k) & (cosines[:, k] > -np.inf))
        if not len(own):
            own = np.array([cosines[:, k].argmax()])
        bundle.append(own[np.argsort(-cosines[own, k], kind="stable")[:n_spectra]])
    return bundle


def batch_bundle(
    pixels: Float[np.ndarray, "pixel band"],
    n_endmembers: int,
    extractor: Extractor,
    *,
    n_batches: int = 100,
    seed: int | np.random.Generator = 0,
) -> list[list[np.ndarray]]:
    """Extract endmembers from random batches of pixels, and group all that were found by their shape.

    Each batch has a tenth of the pixels. Its P endmembers join all others, scaled to length 1, in k-means
    with P clusters: each is one bundle.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance [1].
    n_endmembers : int
        Number of endmembers P.
    extractor : callable
        Finds endmembers in a batch.
    n_batches : int
        Number of batches; a bundle has about as many spectra, less those found again.
    seed : int or Generator
        Seed of the batches and of all that follows.

    Returns
    -------
    list of P lists of arrays of int
        For each endmember, for each of its spectra: rows of the pixels whose mean is the spectrum.

    Raises
    ------
    ParameterError
        If fewer than P different shapes were found.

    References
    ----------
    Somers, Zortea, Plaza, Asner, *Automated extraction of image-based endmember bundles for improved spectral
    unmixing*, IEEE JSTARS 5(2), 2012. doi:10.1109/JSTARS.2011.2181340
    """
    rng = np.random.default_rng(seed)
    size = min(len(pixels), max(SMALLEST_BATCH, int(BATCH_SHARE * len(pixels))))
    found: dict[bytes, np.ndarray] = {}
    for _ in range(n_batches):
        batch = np.sort(rng.choice(len(pixels), size, replace=False))
        for rows in extractor(pixels[batch], n_endmembers, rng):
            found[batch[rows].tobytes()] = batch[rows]
    candidates = list(found.values())
    spectra = np.stack([pixels[rows].mean(axis=0) for rows in candidates])
    labels = kmeans(spectra / np.linalg.norm(spectra, axis=1, keepdims=True), n_endmembers, n_restarts=20, seed=rng)
    n_groups = int(labels.max()) + 1
    if n_groups < n_endmembers:
        raise ParameterError(
            f"{n_endmembers} endmembers from batches of pixels that have {n_groups}",
            remedy="use bundle 'angle'",
        )
    return [[candidates[i] for i in np.flatnonzero(labels == k)] for k in range(n_endmembers)]


def _cosines(
    pixels: Float[np.ndarray, "pixel band"], endmembers: Float[np.ndarray, "endmember band"]
) -> Float[np.ndarray, "pixel endmember"]:
    """Return the cosine of the angle of every pixel and endmember; minus infinity for black pixels."""
    length = np.linalg.norm(pixels, axis=1)
    units = endmembers / np.maximum(np.linalg.norm(endmembers, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    inner = (pixels @ units.T).astype(np.float64)
    return np.divide(inner, length[:, None], out=np.full_like(inner, -np.inf), where=length[:, None] > 0)
