"""The spectra that every pixel's endmembers have: fixed, drawn from libraries, or smoothly varying.

Spectra of a whole scene are many times larger than the scene, so they are made for a range of pixels at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from unmixel.errors import ParameterError
from unmixel.simulate.fields import gaussian_field
from unmixel.simulate.variability import spectral_modes

Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]


@runtime_checkable
class PixelSpectra(Protocol):
    """Spectra of the endmembers in every pixel."""

    def at(self, first: int, last: int) -> Float[np.ndarray, "pixel endmember band"]:
        """Return the spectra of the pixels from `first` to before `last`, in row-major order [reflectance]."""

    def law(self) -> dict[str, Any]:
        """Return the law the spectra were drawn from, in words and numbers."""

    def variables(self, rows: int, columns: int) -> Variables:
        """Return what the law needs besides, and what was drawn, as dims and values."""


@dataclass(frozen=True)
class FixedSpectra:
    """The same spectra in every pixel.

    Parameters
    ----------
    spectra : array, shape (endmember, band)
        Reflectance [1].

    Examples
    --------
    >>> FixedSpectra(np.array([[0.1, 0.2], [0.3, 0.4]])).at(3, 8).shape
    (5, 2, 2)
    """

    spectra: Float[np.ndarray, "endmember band"]

    def at(self, first: int, last: int) -> Float[np.ndarray, "pixel endmember band"]:
        """Return the spectra of some pixels."""
        return np.broadcast_to(self.spectra, (last - first, *self.spectra.shape))

    def law(self) -> dict[str, Any]:
        """Return the law."""
        return {"law": "fixed", "equation": "m_k = base_spectrum_k"}

    def variables(self, rows: int, columns: int) -> Variables:
        """Return the spectra."""
        return {"base_spectrum": (("endmember", "band"), self.spectra)}


@dataclass(frozen=True)
class LibrarySpectra:
    """In every pixel one spectrum of each endmember's library.

    Parameters
    ----------
    libraries : sequence of array, shape (spectrum, band)
        Reflectance of the spectra of each endmember [1].
    choice : array of int, shape (pixel, endmember)
        Which spectrum of its library each endmember has.

    References
    ----------
    Borsoi et al., *Spectral variability in hyperspectral data unmixing: a comprehensive review*, IEEE Geoscience
    and Remote Sensing Magazine 9(4), 2021. doi:10.1109/MGRS.2021.3071158

    Examples
    --------
    >>> libraries = [np.array([[0.1, 0.2]]), np.array([[0.3, 0.4], [0.5, 0.6]])]
    >>> LibrarySpectra(libraries, np.array([[0, 1], [0, 0]])).at(0, 2)[:, 1]
    array([[0.5, 0.6],
           [0.3, 0.4]])
    """

    libraries: Sequence[Float[np.ndarray, "_ band"]]
    choice: Int[np.ndarray, "pixel endmember"]

    @classmethod
    def drawn(
        cls, libraries: Sequence[Float[np.ndarray, "_ band"]], n_pixels: int, rng: np.random.Generator
    ) -> LibrarySpectra:
        """Draw a spectrum of each library for every pixel, all with the same probability.

        Raises
        ------
        ParameterError
            If a library is empty.
        """
        if not all(len(library) for library in libraries):
            raise ParameterError("a library without spectra", "at least one spectrum for each endmember")
        return cls(libraries, np.stack([rng.integers(len(library), size=n_pixels) for library in libraries], axis=1))

    def at(self, first: int, last: int) -> Float[np.ndarray, "pixel endmember band"]:
        """Return the spectra of some pixels."""
        chosen = self.choice[first:last]
        return np.stack([library[chosen[:, k]] for k, library in enumerate(self.libraries)], axis=1)

    def law(self) -> dict[str, Any]:
        """Return the law."""
        return {
            "law": "library",
            "equation": "m_k is one of the library_spectrum whose library_endmember is k; each is as likely",
            "independent": "pixels and endmembers",
        }

    def variables(self, rows: int, columns: int) -> Variables:
        """Return the libraries, and which of their members was drawn."""
        sizes = [len(library) for library in self.libraries]
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return {
            "library_spectrum": (("library_member", "band"), np.concatenate(list(self.libraries))),
            "library_endmember": (("library_member",), np.repeat(np.arange(len(sizes)), sizes)),
            "library_choice": (("y", "x", "endmember"), (self.choice + first).reshape(rows, columns, -1)),
        }


@dataclass(frozen=True)
class SmoothSpectra:
    r"""Spectra that vary smoothly over the ground and over wavelength, around other spectra.

    .. math:: m_k(u, \lambda) = m^0_k(u, \lambda) \exp\Big(\sigma \sum_j f_{kj}(u) \, b_{kj}(\lambda)\Big)

    Parameters
    ----------
    around : PixelSpectra
        The spectra :math:`m^0_k` [1].
    scores : array, shape (pixel, endmember, mode)
        Gaussian random fields :math:`f_{kj}` [1].
    modes : array, shape (endmember, mode, band)
        Functions :math:`b_{kj}` of wavelength [1], see `spectral_modes`.
    sd : float
        Standard deviation :math:`\sigma` of the logarithm of the reflectance [1].

    References
    ----------
    Thouvenin, Dobigeon, Tourneret, *Hyperspectral unmixing with spectral variability using a perturbed linear mixing
    model*, IEEE Trans. Signal Processing 64(2), 2016 (perturbed endmembers). doi:10.1109/TSP.2015.2486746

    Examples
    --------
    >>> around = FixedSpectra(np.full((2, 30), 0.3))
    >>> spectra = SmoothSpectra.drawn(around, np.linspace(400.0, 2400.0, 30), 7, 9, 0.1, 3.0, np.random.default_rng(0))
    >>> spectra.at(60, 63).shape
    (3, 2, 30)
    """

    around: PixelSpectra
    scores: Float[np.ndarray, "pixel endmember mode"]
    modes: Float[np.ndarray, "endmember mode band"]
    sd: float

    @classmethod
    def drawn(
        cls,
        around: PixelSpectra,
        wavelength: Float[np.ndarray, "band"],
        rows: int,
        columns: int,
        sd: float,
        correlation_length: float,
        rng: np.random.Generator,
        spectral_correlation_length: float = 300.0,
    ) -> SmoothSpectra:
        """Draw the modes and the fields; lengths in pixels over the ground and in nm over wavelength."""
        n_endmembers = around.at(0, 1).shape[1]
        modes = np.stack([spectral_modes(wavelength, spectral_correlation_length, rng) for _ in range(n_endmembers)])
        fields = [gaussian_field(rows, columns, correlation_length, rng).ravel() for _ in range(modes[:, :, 0].size)]
        return cls(around, np.stack(fields, axis=1).reshape(-1, *modes.shape[:2]), modes, sd)

    def at(self, first: int, last: int) -> Float[np.ndarray, "pixel endmember band"]:
        """Return the spectra of some pixels."""
        logarithm = self.sd * np.einsum("nkj,kjl->nkl", self.scores[first:last], self.modes)
        return self.around.at(first, last) * np.exp(logarithm)

    def law(self) -> dict[str, Any]:
        """Return the law."""
        return {
            "law": "smooth",
            "equation": "m_k = m0_k exp(sd sum_j variability_score_kj variability_mode_kj)",
            "sd": self.sd,
            "scores": "standard normal, independent for each k and j, smooth over the ground",
            "m0": self.around.law(),
        }

    def variables(self, rows: int, columns: int) -> Variables:
        """Return the modes and the fields, and what the spectra vary around."""
        scores = self.scores.reshape(rows, columns, *self.scores.shape[1:])
        return {
            **self.around.variables(rows, columns),
            "variability_mode": (("endmember", "mode", "band"), self.modes),
            "variability_score": (("y", "x", "endmember", "mode"), scores),
        }
