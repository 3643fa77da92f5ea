"""Scenes larger than memory, from file to folder: a sample to learn from, tiles to unmix, many processes."""

from unmixel.scale.common_model import fit_to_all
from unmixel.scale.engines import Engine, open_engine
from unmixel.scale.run import unmix_file
from unmixel.scale.sampling import Sample, sample_pixels
from unmixel.scale.stages import TileRun

__all__ = ["Engine", "Sample", "TileRun", "fit_to_all", "open_engine", "sample_pixels", "unmix_file"]
