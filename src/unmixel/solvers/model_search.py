"""Which spectrum of each class of a library explains a pixel best, without trying all combinations."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

ABSENT = -1
"""In place of the spectrum of a class that a model doesn't have."""
KEPT = 5
"""Sets of classes that are gone on with in each pixel, the best of each size."""
MOST_ROUNDS = 8
MOST_PAIRED = 20
"""Spectra of a class, the best by themselves, that are tried with as many of another."""
_SUM_WEIGHT = 1e4
"""Weight of the row that makes fractions sum to one, relative to the mean square length of the spectra."""
_RIDGE = 1e-10
"""Added to the spectra's products with themselves, relative to their mean: equal spectra are no trouble."""
_DEPENDENT = 1e-10
"""Share of a spectrum's square length that is left beside others, below which it depends on them."""


Enough = Callable[[np.ndarray], np.ndarray]


class Models(NamedTuple):
    """The model of every pixel: one spectrum of each of some classes.

    Attributes
    ----------
    spectrum : array of int, shape (pixel, class)
        Rows of the library, `ABSENT` for a class that is not in the model of the pixel.
    fraction : array, shape (pixel, class)
        Least-squares fractions [1], positive; 0 for an absent class.
    squared_error : array, shape (pixel,)
        Sum of squared residuals; infinite where the model found has a fraction that is not positive.
    """

    spectrum: Integer[np.ndarray, "pixel class"]
    fraction: Float[np.ndarray, "pixel class"]
    squared_error: Float[np.ndarray, "pixel"]

    def better(self, other: Models) -> Models:
        """Return, in every pixel, the one with the smaller error, this one where they are equal."""
        wins = other.squared_error < self.squared_error
        return Models(
            np.where(wins[:, None], other.spectrum, self.spectrum),
            np.where(wins[:, None], other.fraction, self.fraction),
            np.where(wins, other.squared_error, self.squared_error),
        )

    def of(self, rows: np.ndarray) -> Models:
        """Return those of some pixels."""
        return Models(*(array[rows] for array in self))

    def put(self, rows: np.ndarray, others: Models) -> None:
        """Put others in the place of those of some pixels."""
        for whole, part in zip(self, others, strict=True):
            whole[rows] = part


class ModelSearch:
    r"""Least-squares models of pixels by one spectrum of each of some classes.

    .. math:: \min_{i_1, \ldots, i_j} \; \min_f \Big\| y - \sum_c f_c m_{i_c} \Big\|^2, \qquad f_c > 0

    With the products of all spectra known, the best spectrum of one class beside given ones of the others
    is found in closed form for all candidates at once: with :math:`r` and :math:`d_i` what the others leave
    of the pixel and of the candidate, the error falls by :math:`(r^\top d_i)^2 / \|d_i\|^2`. Models grow by a class at
    a time: from the best `KEPT` sets of classes of a pixel follow larger ones by every class they lack, of which the
    best `KEPT` are gone on with. In these, classes take turns until nothing changes; then pairs of classes do, with the
    best few spectra of each. So the number of models tried grows with the sum of the classes' sizes and a power of
    their number, not with the product of the sizes or with the number of sets. No exchange of one spectrum improves
    the result. Models with a fraction that is not positive are out.

    Parameters
    ----------
    library : array, shape (spectrum, band)
        The spectra of all classes, class by class.
    sizes : sequence of int
        How many each class has.
    sum_to_one : bool
        Whether fractions sum to one (to about 1e-5).

    References
    ----------
    D. A. Roberts et al., *Mapping chaparral in the Santa Monica Mountains using multiple endmember spectral
    mixture models*, Remote Sensing of Environment 65(3), 1998. doi:10.1016/S0034-4257(98)00037-6

    Examples
    --------
    >>> library = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    >>> search = ModelSearch(library, (2, 2), sum_to_one=False)
    >>> _, (spectrum, fraction, squared_error) = search.best(np.array([[0.6, 0.4, 0.4]]))
    >>> spectrum, fraction.round(2)
    (array([[0, 3]]), array([[0.6, 0.4]]))
    """

    def __init__(
        self, library: Float[np.ndarray, "spectrum band"], sizes: tuple[int, ...], *, sum_to_one: bool
    ) -> None:
        self._library = np.asarray(library, dtype=np.float64)
        products = self._library @ self._library.T
        length = float(products.diagonal().mean()) or 1.0
        self._constant = _SUM_WEIGHT * length if sum_to_one else 0.0
        self._gram = products + _RIDGE * length * np.eye(len(products)) + self._constant
        self._sizes = np.array(sizes)
        self._first = np.cumsum((0, *sizes))[:-1]

    def best(self, pixels: Float[np.ndarray, "pixel band"], enough: Enough | None = None) -> list[Models]:
        """Return the best models found of one class, of two, and so on, for every pixel.

        Parameters
        ----------
        pixels : array, shape (pixel, band)
        enough : callable, optional
            Of the squared errors found so far (number of classes, pixel), says for which pixels no more classes need be
            tried: their larger models are absent and have infinite errors.
        """
        values = pixels.astype(np.float64)
        inner = values @ self._library.T + self._constant
        power = np.einsum("nl,nl->n", values, values) + self._constant
        n_pixels, n_classes = len(values), len(self._sizes)
        nothing = np.zeros((n_pixels, 0), dtype=np.intp)
        sets = _Sets(np.arange(n_pixels), nothing, nothing)
        found = []
        for size in range(1, n_classes + 1):
            sets = self._grown(sets, inner, power)
            models = self._models(sets.pixel, sets.spectrum, inner, power)
            for n_together in (1, 2):
                exchanges = list(combinations(range(size), n_together))
                models = self._settled(models, exchanges, sets, inner, power)
            sets = sets._replace(spectrum=models.spectrum)
            found.append(_best_of(sets, models, n_pixels, n_classes))
            if enough:
                errors = np.stack([level.squared_error for level in found])
                sets = sets.of(~enough(errors)[sets.pixel])
        return found

    def _grown(
        self, sets: _Sets, inner: Float[np.ndarray, "pixel spectrum"], power: Float[np.ndarray, "pixel"]
    ) -> _Sets:
        """Return the `KEPT` most promising sets of every pixel with one class more."""
        n_classes = len(self._sizes)
        has = (sets.classes[:, :, None] == np.arange(n_classes)).any(axis=1)
        row, new = np.nonzero(~has)
        pixel, others = sets.pixel[row], sets.spectrum[row]
        added = self._first[new] + self._falls(pixel, others, new, inner).argmax(axis=1)
        classes = np.concatenate([sets.classes[row], new[:, None]], axis=1)
        order = classes.argsort(axis=1)
        spectrum = np.take_along_axis(np.concatenate([others, added[:, None]], axis=1), order, axis=1)
        error = self._models(pixel, spectrum, inner, power).squared_error
        key = (pixel << n_classes) + (1 << classes).sum(axis=1)
        by_set = np.lexsort((error, key))
        by_set = by_set[np.diff(key[by_set], prepend=-1) != 0]
        by_pixel = by_set[np.lexsort((error[by_set], pixel[by_set]))]
        rank = np.arange(len(by_pixel)) - np.searchsorted(pixel[by_pixel], pixel[by_pixel])
        kept = by_pixel[rank < KEPT]
        return _Sets(pixel[kept], np.take_along_axis(classes, order, axis=1)[kept], spectrum[kept])

    def _settled(
        self,
        models: Models,
        exchanges: list[tuple[int, ...]],
        sets: _Sets,
        inner: Float[np.ndarray, "pixel spectrum"],
        power: Float[np.ndarray, "pixel"],
    ) -> Models:
        """Exchange the spectra at some places of the model, set of places by set of places, until nothing changes."""
        models = Models(*(array.copy() for array in models))
        going = np.arange(len(sets.pixel))
        for _ in range(MOST_ROUNDS if exchanges else 0):
            current = models.of(going)
            before, pixel, classes = current.squared_error, sets.pixel[going], sets.classes[going]
            for places in exchanges:
                exchanged = self._exchanged(pixel, current.spectrum, places, classes, inner)
                current = current.better(self._models(pixel, exchanged, inner, power))
            models.put(going, current)
            going = going[current.squared_error < before]
            if not len(going):
                break
        return models

    def _models(
        self,
        pixel: Integer[np.ndarray, "row"],
        spectrum: Integer[np.ndarray, "row class"],
        inner: Float[np.ndarray, "pixel spectrum"],
        power: Float[np.ndarray, "pixel"],
    ) -> Models:
        """Return the models of given spectra."""
        fraction = self._given(pixel, spectrum, inner).fraction
        squared_error = power[pixel] - np.einsum("nj,nj->n", inner[pixel[:, None], spectrum], fraction)
        valid = (fraction > 0).all(axis=1)
        return Models(spectrum, fraction, np.where(valid, np.maximum(squared_error, 0.0), np.inf))

    def _exchanged(
        self,
        pixel: Integer[np.ndarray, "row"],
        spectrum: Integer[np.ndarray, "row class"],
        places: tuple[int, ...],
        classes: Integer[np.ndarray, "row class"],
        inner: Float[np.ndarray, "pixel spectrum"],
    ) -> Integer[np.ndarray, "row class"]:
        """Return models with the best spectrum at one place, or the best two at two, given those at the others."""
        exchanged = spectrum.copy()
        falls = [self._falls(pixel, np.delete(spectrum, place, axis=1), classes[:, place], inner) for place in places]
        if len(places) == 1:
            exchanged[:, places[0]] = self._first[classes[:, places[0]]] + falls[0].argmax(axis=1)
        else:
            given = self._given(pixel, np.delete(spectrum, places, axis=1), inner)
            which = [classes[:, place, None] for place in places]
            few = [np.minimum(_few(fall), self._sizes[one] - 1) for one, fall in zip(which, falls, strict=True)]
            first, second = (self._first[one] + best for one, best in zip(which, few, strict=True))
            exchanged[:, places] = self._best_two(pixel, given, first, second, inner)
        return exchanged

    def _falls(
        self,
        pixel: Integer[np.ndarray, "row"],
        others: Integer[np.ndarray, "row other"],
        new: Integer[np.ndarray, "row"],
        inner: Float[np.ndarray, "pixel spectrum"],
    ) -> Float[np.ndarray, "row candidate"]:
        """Return by how much each spectrum of a class lowers the error beside given ones of others.

        Falls with which a fraction would not be positive are below all others, and those of spectra that a class
        smaller than others does not have are the lowest.
        """
        place = np.arange(self._sizes.max())
        missing = place >= self._sizes[new, None]
        candidates = self._first[new, None] + np.where(missing, 0, place)
        given = self._given(pixel, others, inner)
        left = self._left(pixel, given, candidates, inner)
        own = left.inner / left.length
        theirs = given.fraction[:, :, None] - left.fractions * own[:, None, :]
        fall = _valid_first(left.inner * own, (own > 0) & (theirs > 0).all(axis=1))
        fall[missing] = -np.inf
        return fall

    def _best_two(
        self,
        pixel: Integer[np.ndarray, "row"],
        given: _Given,
        first: Integer[np.ndarray, "row candidate"],
        second: Integer[np.ndarray, "row other_candidate"],
        inner: Float[np.ndarray, "pixel spectrum"],
    ) -> Integer[np.ndarray, "row 2"]:
        """Return the two spectra with which the error falls most, of all pairs of candidates."""
        mine, theirs = (self._left(pixel, given, candidates, inner) for candidates in (first, second))
        between = self._gram[first[:, :, None], second[:, None, :]]
        between -= np.einsum("njb,njc->nbc", mine.products, theirs.fractions)
        determinant = mine.length[:, :, None] * theirs.length[:, None, :] - between**2
        independent = determinant > _DEPENDENT * self._gram.diagonal().max() ** 2
        independent &= mine.independent[:, :, None] & theirs.independent[:, None, :]
        determinant[~independent] = np.inf
        own = (mine.inner[:, :, None] * theirs.length[:, None, :] - theirs.inner[:, None, :] * between) / determinant
        other = (theirs.inner[:, None, :] * mine.length[:, :, None] - mine.inner[:, :, None] * between) / determinant
        taken = mine.fractions[:, :, :, None] * own[:, None] + theirs.fractions[:, :, None, :] * other[:, None]
        valid = (own > 0) & (other > 0) & (taken < given.fraction[:, :, None, None]).all(axis=1)
        fall = mine.inner[:, :, None] * own + theirs.inner[:, None, :] * other
        flat = len(fall), first.shape[1] * second.shape[1]
        best = _valid_first(fall.reshape(flat), valid.reshape(flat)).argmax(axis=1)
        rows = np.arange(len(best))
        return np.stack([first[rows, best // second.shape[1]], second[rows, best % second.shape[1]]], axis=1)

    def _given(
        self,
        pixel: Integer[np.ndarray, "row"],
        spectrum: Integer[np.ndarray, "row other"],
        inner: Float[np.ndarray, "pixel spectrum"],
    ) -> _Given:
        inverse = np.linalg.inv(self._gram[spectrum[:, :, None], spectrum[:, None, :]])
        return _Given(spectrum, inverse, np.einsum("nij,nj->ni", inverse, inner[pixel[:, None], spectrum]))

    def _left(
        self,
        pixel: Integer[np.ndarray, "row"],
        given: _Given,
        candidates: Integer[np.ndarray, "row candidate"],
        inner: Float[np.ndarray, "pixel spectrum"],
    ) -> _Left:
        products = self._gram[given.spectrum[:, :, None], candidates[:, None, :]]
        fractions = np.einsum("nij,njc->nic", given.inverse, products)
        of_pixel = inner[pixel[:, None], candidates] - np.einsum("njc,nj->nc", products, given.fraction)
        length = self._gram.diagonal()[candidates]
        left = length - np.einsum("njc,njc->nc", products, fractions)
        independent = left > _DEPENDENT * length
        of_pixel, left = np.where(independent, of_pixel, 0.0), np.where(independent, left, 1.0)
        return _Left(products, fractions, of_pixel, left, independent)


class _Sets(NamedTuple):
    """Sets of classes, several for a pixel: whose they are, the classes in ascending order, and a spectrum of each."""

    pixel: Integer[np.ndarray, "row"]
    classes: Integer[np.ndarray, "row class"]
    spectrum: Integer[np.ndarray, "row class"]

    def of(self, rows: np.ndarray) -> _Sets:
        """Return some of them."""
        return _Sets(*(array[rows] for array in self))


class _Given(NamedTuple):
    """Given spectra of a model, the inverse of their products, and their fractions."""

    spectrum: Integer[np.ndarray, "row other"]
    inverse: Float[np.ndarray, "row other other"]
    fraction: Float[np.ndarray, "row other"]


class _Left(NamedTuple):
    """Candidates' products with given spectra, as fractions of them, and what these leave of the candidates: their
    products with the pixel and with themselves (0 and 1 for a spectrum that depends on the given ones)."""

    products: Float[np.ndarray, "pixel other candidate"]
    fractions: Float[np.ndarray, "pixel other candidate"]
    inner: Float[np.ndarray, "pixel candidate"]
    length: Float[np.ndarray, "pixel candidate"]
    independent: Bool[np.ndarray, "pixel candidate"]


def _best_of(sets: _Sets, models: Models, n_pixels: int, n_classes: int) -> Models:
    """Return the best model of every pixel, among those of several sets of classes."""
    found = Models(np.full((n_pixels, n_classes), ABSENT), np.zeros((n_pixels, n_classes)), np.full(n_pixels, np.inf))
    order = np.lexsort((models.squared_error, sets.pixel))
    best = order[np.diff(sets.pixel[order], prepend=-1) != 0]
    best = best[np.isfinite(models.squared_error[best])]
    pixel = sets.pixel[best]
    found.spectrum[pixel[:, None], sets.classes[best]] = models.spectrum[best]
    found.fraction[pixel[:, None], sets.classes[best]] = models.fraction[best]
    found.squared_error[pixel] = models.squared_error[best]
    return found


def _few(fall: Float[np.ndarray, "row candidate"]) -> Integer[np.ndarray, "row few"]:
    """Return the places of the few largest falls, the largest first."""
    few = np.broadcast_to(np.arange(fall.shape[1]), fall.shape)
    if fall.shape[1] > MOST_PAIRED:
        few = np.argpartition(-fall, MOST_PAIRED, axis=1)[:, :MOST_PAIRED]
    best_first = np.argsort(-np.take_along_axis(fall, few, axis=1), axis=1, kind="stable")
    return np.take_along_axis(few, best_first, axis=1)


def _valid_first(
    fall: Float[np.ndarray, "pixel candidate"], valid: Bool[np.ndarray, "pixel candidate"]
) -> Float[np.ndarray, "pixel candidate"]:
    """Return falls of the error, those of models that are not valid below all others."""
    return np.where(valid, fall, fall - 2 * np.abs(fall).max(axis=1, keepdims=True) - 1)
