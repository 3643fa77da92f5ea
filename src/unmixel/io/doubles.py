"""Numbers of a file in double precision, whatever type they have there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def in_doubles(numbers: ArrayLike) -> NDArray[np.float64]:
    """Return numbers in double precision: infinite where they are beyond it, as those of 16 bytes may be.

    Examples
    --------
    >>> in_doubles(np.array(["1e300", "1e400"], dtype=np.longdouble)).tolist()
    [1e+300, inf]
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(numbers).astype(np.float64)
