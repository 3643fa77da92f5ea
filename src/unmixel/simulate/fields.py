"""Random maps that are smooth over the ground, and abundances made of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def gaussian_field(
    rows: int, columns: int, correlation_length: float, rng: np.random.Generator
) -> Float[np.ndarray, "y x"]:
    r"""Draw a Gaussian random field with a Gaussian covariance.

    White noise is filtered in the Fourier domain, on a grid with a margin so that opposite edges are
    independent:

    .. math:: \operatorname{cov}(f(u), f(v)) = e^{-|u - v|^2 / 2 \ell^2}

    Parameters
    ----------
    rows, columns : int
        Size of the map [pixel].
    correlation_length : float
        Distance :math:`\ell` [pixel] at which the correlation has fallen to 0.61.
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    array, shape (y, x)
        The field [1]; its mean is 0 and its standard deviation 1 in expectation.

    References
    ----------
    Lang, Potthoff, *Fast simulation of Gaussian random fields*, Monte Carlo Methods and Applications 17(3),
    2011. doi:10.1515/mcma.2011.009

    Examples
    --------
    >>> field = gaussian_field(40, 60, 5.0, np.random.default_rng(0))
    >>> field.shape
    (40, 60)
    >>> bool(np.abs(np.diff(field, axis=1)).mean() < 0.3 * field.std())
    True
    """
    margin = int(np.ceil(4 * correlation_length))
    shape = (rows + margin, columns + margin)
    frequency_y = np.fft.fftfreq(shape[0])[:, None]
    frequency_x = np.fft.rfftfreq(shape[1])[None, :]
    # The square of the filter is the Fourier transform of the covariance.
    response = np.exp(-((np.pi * correlation_length) ** 2) * (frequency_y**2 + frequency_x**2))
    gain = np.sqrt(np.mean(np.fft.irfft2(response, s=shape) ** 2) * shape[0] * shape[1])
    noise = rng.standard_normal(shape)
    return (np.fft.irfft2(np.fft.rfft2(noise) * response, s=shape) / gain)[:rows, :columns]


def abundance_fields(
    rows: int,
    columns: int,
    n_endmembers: int,
    correlation_length: float,
    sharpness: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "y x endmember"]:
    r"""Draw spatially correlated abundances: the softmax of one random field for each endmember.

    .. math:: a_k = \frac{e^{s f_k}}{\sum_j e^{s f_j}}

    Parameters
    ----------
    rows, columns : int
        Size of the map [pixel].
    n_endmembers : int
        Number of endmembers P.
    correlation_length : float
        Correlation length of the fields :math:`f_k` [pixel].
    sharpness : float
        Sharpness :math:`s` [1]: 0 mixes everything equally; at 3 most pixels are dominated by one endmember.
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    array, shape (y, x, endmember)
        Area fractions [1], positive, summing to 1.

    Examples
    --------
    >>> abundances = abundance_fields(30, 50, 3, 5.0, 4.0, np.random.default_rng(1))
    >>> bool(np.allclose(abundances.sum(axis=2), 1.0))
    True
    """
    fields = [gaussian_field(rows, columns, correlation_length, rng) for _ in range(n_endmembers)]
    exponents = sharpness * np.stack(fields, axis=2)
    weights = np.exp(exponents - exponents.max(axis=2, keepdims=True))
    return weights / weights.sum(axis=2, keepdims=True)
