"""From a scene to its endmembers and their bundles."""

from unmixel.extraction.extracting import BUNDLES, EXTRACTORS, estimate_n_endmembers, extract
from unmixel.extraction.number import number_evidence, suggest_n_endmembers
from unmixel.extraction.number_evidence import NumberEvidence, NumberRow
from unmixel.extraction.references import REFERENCES

__all__ = [
    "BUNDLES",
    "EXTRACTORS",
    "REFERENCES",
    "NumberEvidence",
    "NumberRow",
    "estimate_n_endmembers",
    "extract",
    "number_evidence",
    "suggest_n_endmembers",
]
