"""Extended linear mixing model: every pixel scales every endmember, smoothly over the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unmixel.methods._scaled_spectra import ScaledSpectra


@dataclass(frozen=True, kw_only=True)
class ELMM(ScaledSpectra):
    """Extended linear mixing model.

    ::

        min  1/2 sum_n ( ||y_n - S_n^T a_n||^2 / noise^2 + ||S_n - psi_n * M||^2 / spectrum^2 )
             + 1/abundance_step sum ||a_n - a_n'|| + 1/2 sum ||psi_n - psi_n'||^2 / scaling_step^2
             + 1/2 sum_n (psi_n - 1)^T C^-1 (psi_n - 1)
        such that   a_nj >= 0,   sum_j a_nj = 1,   S_n >= 0

    where y_n [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the mean spectra of
    the bundles, psi_n (endmember,) [1] their scalings in the pixel, S_n (endmember, band) [reflectance] its
    endmembers, a_n (endmember,) its abundances [area fraction], C = scaling_spread^2 I + 1 1^T, and the sums
    without index run over pairs of neighbours. The noise is estimated, or told by the scene. See
    ``docs/methods/elmm.md``.

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
        Standard deviation of the difference of neighbours' scalings [1].
    scaling_spread : float
        Standard deviation of an endmember's scaling around the brightness that all endmembers of the pixel share, which
        is as good as free [1].

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    L. Drumetz, M.-A. Veganzones, S. Henrot, R. Phlypo, J. Chanussot and C. Jutten, *Blind hyperspectral unmixing using
    an extended linear mixing model to address spectral variability*, IEEE TIP 25(8), 2016,
    doi:10.1109/TIP.2016.2579259.

    Examples
    --------
    >>> from unmixel.scene import make_scene
    >>> from unmixel.spectra import make_bundle
    >>> bundle = make_bundle([[0.1, 0.2, 0.1], [0.5, 0.4, 0.9]], ["water", "soil"])
    >>> scene = make_scene([[[0.1, 0.2, 0.1], [0.2, 0.25, 0.3]]]).assign_coords(noise_sd=("band", [1e-3] * 3))
    >>> ELMM(abundance_step=10.0).fit(scene, bundle).unmix(scene).abundance.values.round(1)
    array([[[1. , 0. ],
            [0.8, 0.2]]], dtype=float32)
    """

    name: ClassVar[str] = "elmm"
    summary: ClassVar[str] = "extended linear mixing model: endmembers scaled in every pixel, smooth over the scene"
    reference: ClassVar[str] = "Drumetz et al. 2016, doi:10.1109/TIP.2016.2579259"


METHOD = ELMM
