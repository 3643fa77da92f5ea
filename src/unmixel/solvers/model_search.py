"""Which spectrum of each class of a library explains a pixel best, without trying all combinations."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

MOST_ROUNDS = 8
MOST_PAIRED = 20
"""Spectra of a class, the best by themselves, that are tried with as many of another."""
_SUM_WEIGHT = 1e4
"""Weight of the row that makes fractions sum to one, relative to the mean square length of the spectra."""
_RIDGE = 1e-10
"""Added to the spectra's products with themselves, relative to their mean: equal spectra are no trouble."""
_DEPENDENT = 1e-10
"""Share of a spectrum's square length that is left beside others, below which it depends on them."""


class Models(NamedTuple):
    """The model of every pixel: one spectrum of each of some classes.

    Attributes
    ----------
    spectrum : array of int, shape (pixel, class)
        Rows of the library; those of the classes of the model.
    fraction : array, shape (pixel, class)
        Least-squares fractions [1], positive.
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


class ModelSearch:
    r"""Least-squares models of pixels by one spectrum of each of some classes.

    .. math:: \min_{i_1, \ldots, i_j} \; \min_f \Big\| y - \sum_c f_c m_{i_c} \Big\|^2, \qquad f_c > 0

    With the products of all spectra known, the best spectrum of one class beside given ones of the others
    is found in closed form for all candidates at once: with :math:`r` and :math:`d_i` what the others leave
    of the pixel and of the candidate, the error falls by :math:`(r^\top d_i)^2 / \|d_i\|^2`. Classes take turns until
    nothing changes, from the best model of every subset with one class less; then pairs of classes do, with
    the best few of each: a number of models that grows with the sum of the classes' sizes, not with their
    product. No exchange of one spectrum improves the result. Models with a fraction that is not positive are out.

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
    >>> spectrum, fraction, squared_error = search.best(np.array([[0.6, 0.4, 0.4]]))[(0, 1)]
    >>> spectrum, fraction.round(2)
    (array([[0, 3]]), array([[0.6, 0.4]]))
    """

    def __init__(
        self, library: Float[np.ndarray, "spectrum band"], sizes: tuple[int, ...], *, sum_to_one: bool
    ) -> None:
        self._library = np.asarray(library, dtype=np.float64)
        products = self._library @ self._library.T
        length = float(products.diagonal().mean())
        self._constant = _SUM_WEIGHT * length if sum_to_one else 0.0
        self._gram = products + _RIDGE * length * np.eye(len(products)) + self._constant
        ends = np.cumsum((0, *sizes))
        self._members = [slice(first, last) for first, last in pairwise(ends)]

    def best(self, pixels: Float[np.ndarray, "pixel band"]) -> dict[tuple[int, ...], Models]:
        """Return the best model found of each set of classes (in ascending order), for every pixel."""
        values = pixels.astype(np.float64)
        inner = values @ self._library.T + self._constant
        power = np.einsum("nl,nl->n", values, values) + self._constant
        found: dict[tuple[int, ...], Models] = {}
        for size in range(1, len(self._members) + 1):
            for classes in combinations(range(len(self._members)), size):
                found[classes] = self._best_of(classes, found, inner, power)
        return found

    def _best_of(
        self,
        classes: tuple[int, ...],
        found: dict[tuple[int, ...], Models],
        inner: Float[np.ndarray, "pixel spectrum"],
        power: Float[np.ndarray, "pixel"],
    ) -> Models:
        """Return the best models of a set of classes, given those of its subsets."""
        places = range(len(classes))
        best: Models | None = None
        for place in places:
            others = classes[:place] + classes[place + 1 :]
            start = found[others].spectrum if others else np.zeros((len(power), 0), dtype=np.intp)
            added = self._ranked(start, classes[place], inner)[:, 0]
            models = self._models(np.insert(start, place, added, axis=1), inner, power)
            models = self._settled(models, [(other,) for other in places], classes, inner, power)
            best = models if best is None else best.better(models)
        assert best is not None
        return self._settled(best, list(combinations(places, 2)), classes, inner, power)

    def _settled(
        self,
        models: Models,
        exchanges: list[tuple[int, ...]],
        classes: tuple[int, ...],
        inner: Float[np.ndarray, "pixel spectrum"],
        power: Float[np.ndarray, "pixel"],
    ) -> Models:
        """Exchange the spectra at some places of the model, set of places by set of places, until nothing changes."""
        models = Models(*(array.copy() for array in models))
        going = np.arange(len(power))
        for _ in range(MOST_ROUNDS):
            current = Models(*(array[going] for array in models))
            before = current.squared_error
            for places in exchanges:
                exchanged = self._exchanged(current.spectrum, places, classes, inner[going])
                current = current.better(self._models(exchanged, inner[going], power[going]))
            for whole, part in zip(models, current, strict=True):
                whole[going] = part
            going = going[current.squared_error < before]
            if not len(going):
                break
        return models

    def _models(
        self,
        spectrum: Integer[np.ndarray, "pixel class"],
        inner: Float[np.ndarray, "pixel spectrum"],
        power: Float[np.ndarray, "pixel"],
    ) -> Models:
        """Return the models of given spectra."""
        fraction = self._given(spectrum, inner).fraction
        squared_error = power - np.einsum("nj,nj->n", np.take_along_axis(inner, spectrum, axis=1), fraction)
        valid = (fraction > 0).all(axis=1)
        return Models(spectrum, fraction, np.where(valid, np.maximum(squared_error, 0.0), np.inf))

    def _exchanged(
        self,
        spectrum: Integer[np.ndarray, "pixel class"],
        places: tuple[int, ...],
        classes: tuple[int, ...],
        inner: Float[np.ndarray, "pixel spectrum"],
    ) -> Integer[np.ndarray, "pixel class"]:
        """Return models with the best spectrum at one place, or the best two at two, given those at the others."""
        ranked = [self._ranked(np.delete(spectrum, place, axis=1), classes[place], inner) for place in places]
        exchanged = spectrum.copy()
        if len(places) == 1:
            exchanged[:, places[0]] = ranked[0][:, 0]
        else:
            given = self._given(np.delete(spectrum, places, axis=1), inner)
            exchanged[:, places] = self._best_two(given, *ranked)
        return exchanged

    def _ranked(
        self,
        others: Integer[np.ndarray, "pixel other"],
        new: int,
        inner: Float[np.ndarray, "pixel spectrum"],
    ) -> Integer[np.ndarray, "pixel candidate"]:
        """Return the best few spectra of a class beside given ones of others, the best first."""
        members = self._members[new]
        candidates = np.broadcast_to(np.arange(members.start, members.stop), (len(inner), members.stop - members.start))
        given = self._given(others, inner)
        left = self._left(given, candidates)
        own = left.inner / left.length
        theirs = given.fraction[:, :, None] - left.fractions * own[:, None, :]
        fall = _valid_first(left.inner * own, (own > 0) & (theirs > 0).all(axis=1))
        if fall.shape[1] > MOST_PAIRED:
            few = np.argpartition(-fall, MOST_PAIRED, axis=1)[:, :MOST_PAIRED]
            fall, candidates = np.take_along_axis(fall, few, axis=1), np.take_along_axis(candidates, few, axis=1)
        best_first = np.argsort(-fall, axis=1, kind="stable")
        return np.take_along_axis(candidates, best_first, axis=1)

    def _best_two(
        self,
        given: _Given,
        first: Integer[np.ndarray, "pixel candidate"],
        second: Integer[np.ndarray, "pixel other_candidate"],
    ) -> Integer[np.ndarray, "pixel 2"]:
        """Return the two spectra with which the error falls most, of all pairs of candidates."""
        mine, theirs = self._left(given, first), self._left(given, second)
        between = self._gram[first[:, :, None], second[:, None, :]]
        between -= np.einsum("njb,njc->nbc", mine.products, theirs.fractions)
        determinant = mine.length[:, :, None] * theirs.length[:, None, :] - between**2
        determinant[determinant <= _DEPENDENT * self._gram.diagonal().max() ** 2] = np.inf
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
        self, spectrum: Integer[np.ndarray, "pixel other"], inner: Float[np.ndarray, "pixel spectrum"]
    ) -> _Given:
        inverse = np.linalg.inv(self._gram[spectrum[:, :, None], spectrum[:, None, :]])
        fraction = np.einsum("nij,nj->ni", inverse, np.take_along_axis(inner, spectrum, axis=1))
        return _Given(spectrum, inverse, fraction, inner)

    def _left(self, given: _Given, candidates: Integer[np.ndarray, "pixel candidate"]) -> _Left:
        products = self._gram[given.spectrum[:, :, None], candidates[:, None, :]]
        fractions = np.einsum("nij,njc->nic", given.inverse, products)
        inner = np.take_along_axis(given.inner, candidates, axis=1)
        inner -= np.einsum("njc,nj->nc", products, given.fraction)
        length = self._gram.diagonal()[candidates]
        left = length - np.einsum("njc,njc->nc", products, fractions)
        return _Left(products, fractions, inner, np.where(left > _DEPENDENT * length, left, np.inf))


class _Given(NamedTuple):
    """Given spectra of a model, the inverse of their products, their fractions, and the pixels' products with all."""

    spectrum: Integer[np.ndarray, "pixel other"]
    inverse: Float[np.ndarray, "pixel other other"]
    fraction: Float[np.ndarray, "pixel other"]
    inner: Float[np.ndarray, "pixel spectrum"]


class _Left(NamedTuple):
    """Candidates' products with given spectra, as fractions of them, and what these leave of the candidates: their
    products with the pixel, and with themselves (infinite for a spectrum that depends on the given ones)."""

    products: Float[np.ndarray, "pixel other candidate"]
    fractions: Float[np.ndarray, "pixel other candidate"]
    inner: Float[np.ndarray, "pixel candidate"]
    length: Float[np.ndarray, "pixel candidate"]


def _valid_first(
    fall: Float[np.ndarray, "pixel candidate"], valid: Bool[np.ndarray, "pixel candidate"]
) -> Float[np.ndarray, "pixel candidate"]:
    """Return falls of the error, those of models that are not valid below all others."""
    return np.where(valid, fall, fall - 2 * np.abs(fall).max(axis=1, keepdims=True) - 1)
