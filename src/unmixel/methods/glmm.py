"""Generalised linear mixing model: every pixel scales every endmember, band by band, smoothly over the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unmixel.methods._ranges import check_range
from unmixel.methods._scaled_spectra import ScaledSpectra

MOST_SCALINGS = 20


@dataclass(frozen=True, kw_only=True)
class GLMM(ScaledSpectra):
    """Generalised linear mixing model.

    ::

        min  1/2 sum_n ( ||y_n - S_n^T a_n||^2 / noise^2 + ||S_n - Psi_n * M||^2 / spectrum^2 )
             + 1/abundance_step sum ||a_n - a_n'|| + 1/2 sum_j (j + 1)^2 ||c_nj - c_n'j||^2 / scaling_step^2
             + 1/2 sum_n ( (c_n0 - 1)^T C^-1 (c_n0 - 1) + sum_j>0 (j + 1)^2 ||c_nj||^2 / scaling_spread^2 )
        such that   a_nj >= 0,   sum_j a_nj = 1,   S_n >= 0

    where y_n [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the mean spectra of
    the bundles, Psi_n = sum_j c_nj b_j (endmember, band) [1] their scalings in the pixel, with cosines b_j of
    wavelength and coefficients c_nj (endmember,), S_n (endmember, band) [reflectance] its endmembers, a_n
    (endmember,) its abundances [area fraction], C = scaling_spread^2 I + 1 1^T, and the sums without n run over
    pairs of neighbours. The noise is estimated, or told by the scene. See ``docs/methods/glmm.md``.

    Parameters
    ----------
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of the extraction.
    spectrum_spread : float
        How much a spectrum differs from its scaled reference in every band, relative to the root mean square of the
        endmembers [1].
    abundance_step : float
        Scale of the difference of neighbours' abundances [1].
    scaling_step : float
        Standard deviation of the difference of neighbours' scalings [1]; of the cosine with j half waves, 1/(j + 1) of
        it.
    scaling_spread : float
        Standard deviation of an endmember's scaling around the brightness that all endmembers of the pixel share, which
        is as good as free [1]; of the cosine with j half waves around 0, 1/(j + 1) of it.
    n_scalings : int
        Number of cosines, the constant among them.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    T. Imbiriba, R. A. Borsoi and J. C. M. Bermudez, *Generalized linear mixing model accounting for endmember
    variability*, ICASSP 2018, doi:10.1109/ICASSP.2018.8462214, arXiv:1710.07723.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]], ["water", "soil"])
    >>> scene = make_scene([[[0.1, 0.2, 0.1], [0.2, 0.25, 0.3]]]).assign_coords(noise_sd=("band", [1e-3] * 3))
    >>> GLMM(abundance_step=10.0).fit(scene, bundle).unmix(scene).abundance.values.round(1)
    array([[[1. , 0. ],
            [0.8, 0.2]]], dtype=float32)
    """

    name: ClassVar[str] = "glmm"
    summary: ClassVar[str] = "generalised linear mixing model: endmembers scaled band by band, smooth over the scene"
    reference: ClassVar[str] = "Imbiriba, Borsoi & Bermudez 2018, doi:10.1109/ICASSP.2018.8462214"

    n_scalings: int = 7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "n_scalings", least=1, most=MOST_SCALINGS, expected=f"1 to {MOST_SCALINGS}")

    @property
    def modes_of_scaling(self) -> int:
        return self.n_scalings


METHOD = GLMM
