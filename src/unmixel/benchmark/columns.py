"""The columns of the table of a benchmark, each with its meaning: one row for each run."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["text", "number", "whole", "texts", "numbers", "wholes"]


class Column(NamedTuple):
    """A column.

    Attributes
    ----------
    name : str
    kind : str
        Of its values; a plural is a list in every row.
    meaning : str
        With the unit.
    """

    name: str
    kind: Kind
    meaning: str


OK = "ok"
COLUMNS = (
    Column("scene", "text", "name of the scene in the suite"),
    Column("truth_kind", "text", "what the truth is worth: exact (simulated), independent (measured) or derived"),
    Column("truth", "text", "where the truth is from"),
    Column("convention", "text", "of the abundances of the truth: physical, or of max-normalised endmembers"),
    Column("endmembers", "text", "where the endmembers are from, which all methods are given: an extraction, or known"),
    Column("method_endmembers", "text", "shared: those that all methods are given; own: the method found its own"),
    Column("method", "text", "label of the method in the suite"),
    Column("registered", "text", "name of the method"),
    Column("parameters", "text", "its hyper-parameters that are not the default, as JSON"),
    Column("seed", "whole", "of the simulated scene, the extraction and the method"),
    Column("status", "text", "ok, error, time limit, memory limit or crash"),
    Column("error", "text", "why there is no result"),
    Column("endmember", "texts", "names of the true endmembers"),
    Column("matched", "wholes", "which endmember of the result, from 0, is each of them"),
    Column("matched_by", "text", "name, or the smallest sum of spectral angles (Hungarian method)"),
    Column("abundance_rmse", "number", "RMSE of the abundances as they are [1]"),
    Column("abundance_rmse_as_truth", "number", "RMSE after the estimate is put into the truth's convention [1]"),
    Column("abundance_rmse_by_endmember", "numbers", "the same of each endmember [1]"),
    Column("nrmse_abundances", "number", "NRMSE of the abundances, in the truth's convention [1]"),
    Column("nrmse_endmembers", "number", "NRMSE of the endmember spectra of pixels (2048 at most) [1]"),
    Column("nrmse_pixels", "number", "NRMSE of the reconstructed pixels [1]"),
    Column("spectral_angle", "number", "mean angle between the mean endmember spectra and the true ones [rad]"),
    Column("spectral_angle_by_endmember", "numbers", "the same of each endmember [rad]"),
    Column("sam_endmembers", "number", "mean angle between the endmember spectra of pixels and the true ones [rad]"),
    Column("reconstruction_rmse", "number", "RMSE of the reconstructed pixels [reflectance]"),
    Column("coverage_50", "number", "share of true abundances inside 50 % intervals; null without a posterior [1]"),
    Column("coverage_90", "number", "the same of 90 % intervals [1]"),
    Column("crps", "number", "mean continuous ranked probability score of the abundances [1]"),
    Column("area_error", "number", "mean relative error of the areas of targets [1]"),
    Column("area_error_by_target", "numbers", "the same of targets of each size [1]"),
    Column("target_area", "numbers", "sizes of the targets [m2]"),
    Column("limit_s", "number", "time after which a run is ended [s]"),
    Column("limit_gb", "number", "memory above which a run is ended [GB]"),
    Column(
        "seconds",
        "number",
        "fitting and unmixing, by the clock; with finding endmembers if they are its own [s]",
    ),
    Column("processor_s", "number", "the same, time of the processor: other work on the machine hardly changes it [s]"),
    Column("extraction_s", "number", "finding the endmembers that all methods are given [s]"),
    Column("fit_s", "number", "fitting; with finding endmembers if they are its own [s]"),
    Column("unmix_s", "number", "unmixing [s]"),
    Column("peak_memory_mb", "number", "largest resident memory of the run, its children, Python and scene [MB]"),
    Column("threads", "whole", "threads that a run may use"),
    Column("workers", "whole", "runs at a time"),
    Column("machine", "text", "processor and cores"),
    Column("package", "text", "name and version of the package that the method is from"),
    Column("all_parameters", "text", "all hyper-parameters of the method, as JSON"),
    Column("unmixel", "text", "version"),
    Column("python", "text", "version"),
    Column("numpy", "text", "version"),
    Column("scipy", "text", "version"),
    Column("torch", "text", "version"),
    Column("run", "text", "name of the files of the run in runs/"),
)
"""The schema of ``table.parquet``."""
