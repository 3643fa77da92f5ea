"""Mixing laws y = f(a, M): the pixel that materials make together, on plain arrays."""

from unmixel.mixing.bilinear import fan, generalised_bilinear
from unmixel.mixing.linear import linear

__all__ = ["fan", "generalised_bilinear", "linear"]
