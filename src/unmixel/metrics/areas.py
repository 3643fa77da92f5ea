"""How far off the areas are that an unmixing finds of targets whose area is known."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def area_errors(
    abundances: Float[np.ndarray, "pixel material"],
    regions: Bool[np.ndarray, "material target pixel"],
    areas: Float[np.ndarray, "target"],
    pixel_area: float,
) -> Float[np.ndarray, "material target"]:
    r"""Return the relative error of the area found of each target.

    .. math:: \hat A_{kt} = A_\mathrm{pixel} \sum_{n \in R_{kt}} a_{nk}, \qquad
              e_{kt} = \left| \hat A_{kt} / A_t - 1 \right|

    Parameters
    ----------
    abundances : array, shape (pixel, material)
        Area fractions :math:`a` [1].
    regions : array of bool, shape (material, target, pixel)
        The pixels :math:`R_{kt}` of a target of a material, and around it.
    areas : array, shape (target,)
        Their true areas :math:`A_t`, above 0 [m2].
    pixel_area : float
        Area of a pixel [m2].

    Returns
    -------
    array, shape (material, target)
        Error [1].

    References
    ----------
    Cerra et al., *DLR HySU: a benchmark dataset for spectral unmixing*, Remote Sensing 13(13), 2559, 2021.
    doi:10.3390/rs13132559

    Examples
    --------
    A target of 1 m2, of which 2.2 pixels of 0.5 m2 are found:

    >>> regions = np.array([[[True, True, True, False]]])
    >>> area_errors(np.array([[1.0], [0.9], [0.3], [0.7]]), regions, np.array([1.0]), 0.5).round(3)
    array([[0.1]])
    """
    found = pixel_area * np.einsum("nk,ktn->kt", abundances.astype(np.float64), regions)
    return np.abs(found / areas - 1)
