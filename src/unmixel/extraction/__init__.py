"""From a scene to its endmembers and their bundles."""

from unmixel.extraction.extracting import BUNDLES, EXTRACTORS, extract
from unmixel.extraction.number import suggest_n_endmembers

__all__ = ["BUNDLES", "EXTRACTORS", "extract", "suggest_n_endmembers"]
