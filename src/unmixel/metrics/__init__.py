"""How far an estimate is from the truth, and whether its uncertainty means what it says, on plain arrays."""

from unmixel.metrics.abundances import abundance_rmse, to_max_normalised_convention
from unmixel.metrics.alike_spectra import Likeness, likeness
from unmixel.metrics.areas import area_errors
from unmixel.metrics.beta_marginals import beta_marginals
from unmixel.metrics.calibration import calibration_ranks, central_coverage, probability_integral_transform
from unmixel.metrics.coverage import coverage_by_tercile, interval_coverage
from unmixel.metrics.crps import abundance_crps
from unmixel.metrics.matching import match_endmembers
from unmixel.metrics.negative_abundances import Negativity, negative_abundances, negativity
from unmixel.metrics.nrmse import nrmse
from unmixel.metrics.reach import Reach, noise_limit, usual_reach
from unmixel.metrics.reconstruction import reconstruction_rmse
from unmixel.metrics.spatial_structure import MoransI, morans_i, morans_i_by_rows
from unmixel.metrics.spectral_angle import pairwise_spectral_angle, spectral_angle

__all__ = [
    "Likeness",
    "MoransI",
    "Negativity",
    "Reach",
    "abundance_crps",
    "abundance_rmse",
    "area_errors",
    "beta_marginals",
    "calibration_ranks",
    "central_coverage",
    "coverage_by_tercile",
    "interval_coverage",
    "likeness",
    "match_endmembers",
    "morans_i",
    "morans_i_by_rows",
    "negative_abundances",
    "negativity",
    "noise_limit",
    "nrmse",
    "pairwise_spectral_angle",
    "probability_integral_transform",
    "reconstruction_rmse",
    "spectral_angle",
    "to_max_normalised_convention",
    "usual_reach",
]
