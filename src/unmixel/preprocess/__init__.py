"""What is known of a scene before it is unmixed: its noise and its number of endmembers."""

from unmixel.preprocess.hysime import hysime
from unmixel.preprocess.noise import estimate_noise, noise_source, noise_told, noise_variance_of
from unmixel.preprocess.virtual_dimensionality import nwhfc

__all__ = ["estimate_noise", "hysime", "noise_source", "noise_told", "noise_variance_of", "nwhfc"]
