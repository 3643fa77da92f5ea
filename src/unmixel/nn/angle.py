"""Angles that can be minimised."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

NEARLY_ONE = 1 - 1e-6
"""Largest cosine whose angle is minimised further: beyond, its gradient is rounding."""


def angle_of(cosine: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Return the angle of a cosine [rad], with a gradient that is finite.

    Examples
    --------
    >>> [round(angle, 4) for angle in angle_of(torch.tensor([0.0, 1.0])).tolist()]
    [1.5708, 0.0014]
    """
    return torch.arccos(cosine.clamp(-NEARLY_ONE, NEARLY_ONE))
