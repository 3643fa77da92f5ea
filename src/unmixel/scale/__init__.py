"""Scenes larger than memory: a sample to learn from, and unmixing by tiles from disk to disk."""

from unmixel.scale.sampling import Sample, sample_pixels
from unmixel.scale.tiles import TileRun, unmix_tiles

__all__ = ["Sample", "TileRun", "sample_pixels", "unmix_tiles"]
