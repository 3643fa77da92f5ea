"""From an entry of a suite to a scene, its truth and the endmembers that every method is given."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from unmixel.benchmark.suite import LIBRARIES, SceneEntry
from unmixel.benchmark.truth_file import open_truth
from unmixel.datasets import describe, dlr_hysu_library, dlr_hysu_targets, open_dataset
from unmixel.errors import ParameterError, SceneError
from unmixel.extraction import EXTRACTORS, extract
from unmixel.io import open_scene
from unmixel.result import make_result
from unmixel.scene import good_bands
from unmixel.simulate import simulate_preset, true_bundle
from unmixel.spectra import endmember_means, make_bundle


@dataclass(frozen=True)
class TrueScene:
    """A scene with what is known about it.

    Attributes
    ----------
    scene : DataArray
    truth : Dataset
        In the schema of a result: true spectra, and abundances where their maps are known. Its attributes
        ``truth_kind``, ``convention`` and ``truth`` say what it is worth.
    targets : Dataset, optional
        Targets of known area, see `unmixel.datasets.dlr_hysu_targets`.
    """

    scene: xr.DataArray
    truth: xr.Dataset
    targets: xr.Dataset | None = None


def open_entry(entry: SceneEntry, seed: int) -> TrueScene:
    """Open or simulate a scene with its truth.

    Raises
    ------
    UnmixingError
        If it cannot be had, or the truth does not fit.
    """
    if entry.preset is not None:
        scene, truth = simulate_preset(
            entry.preset, rows=entry.rows, columns=entry.columns, snr_db=entry.snr_db, seed=seed
        )
        return TrueScene(scene, truth.assign_attrs(truth="simulated, another scene for every seed"))
    if entry.dataset == "dlr_hysu":
        return _targets_on_grass()
    if entry.dataset is not None:
        scene, known = open_dataset(entry.dataset)
        assert known is not None
        return TrueScene(scene, known)
    assert entry.file is not None
    assert entry.truth is not None
    return _from_files(entry)


def endmembers_of(entry: SceneEntry, known: TrueScene, seed: int) -> xr.DataArray:
    """Return the endmembers that every method is given: found in the scene by the same extraction and seed, or known.

    Raises
    ------
    UnmixingError
        If they can't be found.
    """
    if entry.endmembers in EXTRACTORS:
        n_endmembers = known.truth.sizes["endmember"]
        return extract(known.scene, n_endmembers, extractor=entry.endmembers, seed=seed)
    if entry.endmembers in LIBRARIES:
        return dlr_hysu_library(entry.endmembers)
    if "laws" in known.truth.attrs:
        return true_bundle(known.truth, seed=seed)
    return make_bundle(
        known.truth["endmember_spectrum"].values,
        known.truth["endmember"].values.astype(str).tolist(),
        wavelength=known.truth["wavelength"].values,
    )


def _targets_on_grass() -> TrueScene:
    """Return DLR HySU; the spectra of its truth are those that the image has on the large targets."""
    scene, _ = open_dataset("dlr_hysu")
    about, library = describe("dlr_hysu"), dlr_hysu_library("image")
    truth = make_result(
        scene,
        endmember=library["endmember"].values.astype(str).tolist(),
        maps={},
        spectra={"endmember_spectrum": endmember_means(library)[:, good_bands(scene)]},
        provenance={"method": "truth", "dataset": about.name},
    )
    told = {"truth_kind": about.truth_kind, "convention": about.convention, "truth": about.truth}
    return TrueScene(scene, truth.assign_attrs(told), dlr_hysu_targets())


def _from_files(entry: SceneEntry) -> TrueScene:
    assert entry.file is not None
    assert entry.truth is not None
    scene, truth = open_scene(entry.file), open_truth(entry.truth).load()
    sizes = {name: (truth.sizes[name], scene.sizes[name]) for name in ("y", "x", "band")}
    if other := [name for name, (theirs, ours) in sizes.items() if theirs != ours]:
        theirs, ours = sizes[other[0]]
        raise SceneError(f"the truth {entry.truth} with {theirs} along {other[0]}", f"{ours}, as in {entry.file}")
    silent = {
        "truth_kind": "derived",
        "convention": "physical",
        "truth": f"{entry.truth.name}, which doesn't say how it was made",
    }
    truth.attrs = {**silent, **truth.attrs}
    if entry.endmembers == "true" and truth.attrs["convention"] != "physical":
        raise ParameterError("the spectra of a truth of max-normalised endmembers", "endmembers from an extraction")
    return TrueScene(scene, truth)
