"""Scenes larger than memory: a sample to learn from, and unmixing by tiles from disk to disk."""

from unmixel.scale.sampling import Sample, sample_pixels

__all__ = ["Sample", "sample_pixels"]
