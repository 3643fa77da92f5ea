"""Public scenes by name, verified, with what is known about their truth."""

from unmixel.datasets.catalogue import PublicScene, describe, list_datasets
from unmixel.datasets.dlr_hysu import dlr_hysu_library, dlr_hysu_targets
from unmixel.datasets.fetching import fetch
from unmixel.datasets.opening import open_dataset

__all__ = [
    "PublicScene",
    "describe",
    "dlr_hysu_library",
    "dlr_hysu_targets",
    "fetch",
    "list_datasets",
    "open_dataset",
]
