"""How far an estimate is from the truth, on plain arrays."""

from unmixel.metrics.abundances import abundance_rmse, to_max_normalised_convention
from unmixel.metrics.matching import match_endmembers
from unmixel.metrics.reconstruction import reconstruction_rmse
from unmixel.metrics.spectral_angle import pairwise_spectral_angle, spectral_angle

__all__ = [
    "abundance_rmse",
    "match_endmembers",
    "pairwise_spectral_angle",
    "reconstruction_rmse",
    "spectral_angle",
    "to_max_normalised_convention",
]
