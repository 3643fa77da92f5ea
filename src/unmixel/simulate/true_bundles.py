"""The spectra that each endmember of a simulated scene can have, as a bundle."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.errors import ParameterError
from unmixel.simulate.composing import laws_of
from unmixel.spectra import make_bundle
from unmixel.whole_numbers import checked_seed


def true_bundle(truth: xr.Dataset, *, n_spectra: int = 200, seed: int = 0) -> xr.DataArray:
    r"""Return spectra of every endmember by the law that those of a simulated scene were drawn from.

    .. math:: m_k \sim p(m_k)

    Fixed spectra are themselves; of a library come all its members, which are all as likely; from any other law
    spectra are drawn, independent of each other and of the scene. Brightness, which is a law of its own, is left out.

    Parameters
    ----------
    truth : Dataset
        Truth of `simulate_preset` or `compose`.
    n_spectra : int
        Spectra drawn of each endmember, if any have to be.
    seed : int
        Seed of the draws.

    Returns
    -------
    DataArray
        A bundle (see `unmixel.spectra`) on the bands of the scene, under the names of the truth's endmembers.

    Raises
    ------
    ParameterError
        If the truth does not say its laws, `n_spectra` is below 1, or the seed out of its range.

    Examples
    --------
    >>> from unmixel.simulate.presets import simulate_preset
    >>> _, truth = simulate_preset("dc2", rows=5, columns=7)
    >>> bundle = true_bundle(truth)
    >>> {name: int((bundle.endmember == name).sum()) for name in truth.endmember.values.tolist()}
    {'vegetation': 105, 'soil': 81, 'water': 81}
    """
    if "laws" not in truth.attrs:
        raise ParameterError("a truth without its laws", "one of simulate_preset or compose")
    if n_spectra < 1:
        raise ParameterError(f"n_spectra = {n_spectra}", "at least 1")
    law = laws_of(truth)["variability"]
    names = truth["endmember"].values.astype(str).tolist()
    if law["law"] == "smooth":
        rng = np.random.default_rng(checked_seed(seed))
        spectra = [_smooth(truth, law, k, n_spectra, rng) for k in range(len(names))]
    else:
        spectra = [class_spectra(truth, law, k) for k in range(len(names))]
    return make_bundle(
        np.concatenate(spectra),
        [name for name, group in zip(names, spectra, strict=True) for _ in group],
        wavelength=truth["wavelength"].values,
        fwhm=truth["fwhm"].values,
    )


def class_spectra(truth: xr.Dataset, law: dict[str, Any], k: int) -> Float[np.ndarray, "spectrum band"]:
    """Return all spectra that endmember k can have, each as likely, by a law of fixed spectra or libraries.

    Raises
    ------
    ParameterError
        If the law is another.
    """
    if law["law"] == "fixed":
        return truth["base_spectrum"].values[k : k + 1]
    if law["law"] == "library":
        return truth["library_spectrum"].values[truth["library_endmember"].values == k]
    raise ParameterError(f"spectra of the law {law['law']!r}", "fixed spectra or libraries")


def _smooth(
    truth: xr.Dataset, law: dict[str, Any], k: int, n_spectra: int, rng: np.random.Generator
) -> Float[np.ndarray, "spectrum band"]:
    around = class_spectra(truth, law["m0"], k)
    modes = truth["variability_mode"].values[k]
    logarithm = law["sd"] * rng.standard_normal((n_spectra, len(modes))) @ modes
    return around[rng.integers(len(around), size=n_spectra)] * np.exp(logarithm)
