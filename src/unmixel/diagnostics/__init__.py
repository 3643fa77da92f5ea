"""What a result says about itself, without a truth: each number with what it means and what to do."""

from unmixel.diagnostics.diagnosing import diagnose
from unmixel.diagnostics.diagnosis import AlikePair, Diagnosis, diagnosis_of

__all__ = ["AlikePair", "Diagnosis", "diagnose", "diagnosis_of"]
