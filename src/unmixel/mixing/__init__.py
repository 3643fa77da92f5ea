"""Mixing laws y = f(a, M): the pixel that materials make together, on plain arrays."""

from unmixel.mixing.bilinear import fan, generalised_bilinear
from unmixel.mixing.hapke import albedo_of_reflectance, intimate, reflectance_of_albedo
from unmixel.mixing.linear import linear
from unmixel.mixing.multilinear import multilinear
from unmixel.mixing.postnonlinear import postnonlinear

__all__ = [
    "albedo_of_reflectance",
    "fan",
    "generalised_bilinear",
    "intimate",
    "linear",
    "multilinear",
    "postnonlinear",
    "reflectance_of_albedo",
]
