"""Colours that most colour-blind readers tell apart, for figures and pages alike."""

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Okabe & Ito, *Color universal design*, 2008."""
