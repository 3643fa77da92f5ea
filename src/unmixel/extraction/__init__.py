"""From a scene to its endmembers and their bundles."""

from unmixel.extraction.extracting import BUNDLES, EXTRACTORS, extract

__all__ = ["BUNDLES", "EXTRACTORS", "extract"]
