"""A matrix product whose rows do not depend on how many there are."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

ROWS = 256
"""Rows in each product, few enough to stay in the cache; the last one is filled up."""


def rowwise_product(
    values: Float[np.ndarray, "pixel inner"], matrix: Float[np.ndarray, "inner outer"]
) -> Float[np.ndarray, "pixel outer"]:
    """Return the matrix product in double precision, the last bits of each row decided by that row alone.

    The last bits of an ordinary product depend on its shape; here all products have the same.

    Examples
    --------
    >>> rowwise_product(np.array([[1.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 3.0]]))
    array([[1., 6.]])
    """
    product = np.empty((len(values), matrix.shape[1]))
    rows = np.zeros((ROWS, len(matrix)))
    for first in range(0, len(values), ROWS):
        part = values[first : first + ROWS]
        rows[: len(part)] = part
        product[first : first + ROWS] = (rows @ matrix)[: len(part)]
    return product
