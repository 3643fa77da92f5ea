"""The comparison with the truth: endmembers in any order, and both conventions of abundances."""

from __future__ import annotations

import io

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from unmixel.benchmark.agreement import agreement, in_convention_of, in_order_of
from unmixel.cli.comparison import print_comparison
from unmixel.cli.progress import ProgressReport
from unmixel.result import make_result
from unmixel.scene import make_scene, to_maps

SPECTRA = np.array([[0.1, 0.05, 0.02, 0.01, 0.01], [0.2, 0.3, 0.4, 0.4, 0.3], [0.05, 0.1, 0.05, 0.6, 0.8]])
ABUNDANCES = np.random.default_rng(1).dirichlet(np.ones(3), 12)


def result_of(abundances: np.ndarray, spectra: np.ndarray, names: tuple[str, ...], **attrs: str) -> xr.Dataset:
    """A result of 4 x 3 pixels."""
    scene = make_scene(np.random.default_rng(0).uniform(size=(4, 3, 5)))
    return make_result(
        scene,
        endmember=names,
        maps=to_maps(scene, {"abundance": abundances, "reconstruction_rmse": np.full(12, 0.02)}),
        spectra={"endmember_spectrum": spectra},
        provenance={"extraction_s": 0.5, "fit_s": 2.0, "unmix_s": 1.0},
    ).assign_attrs(attrs)


def test_endmembers_in_another_order_agree_with_the_truth() -> None:
    truth = result_of(ABUNDANCES, SPECTRA, ("water", "soil", "tree"), convention="physical")
    order = [2, 0, 1]
    result = result_of(ABUNDANCES[:, order], 1.1 * SPECTRA[order], ("e1", "e2", "e3"))
    ordered = in_order_of(truth, result)
    assert ordered["endmember"].values.tolist() == ["water", "soil", "tree"]
    found = agreement(truth, ordered)
    assert found.abundance_rmse == 0
    assert found.abundance_rmse_as_truth is None
    assert found.spectral_angle == pytest.approx(0, abs=1e-6)
    assert found.reconstruction_rmse == pytest.approx(0.02)
    assert found.seconds == 3.5


def test_a_truth_of_max_normalised_endmembers_is_met_in_its_own_convention() -> None:
    brightest = SPECTRA.max(axis=1)
    scaled = ABUNDANCES * brightest
    scaled /= scaled.sum(axis=1, keepdims=True)
    convention = "max-normalised endmembers"
    truth = result_of(scaled, SPECTRA / brightest[:, None], ("water", "soil", "tree"), convention=convention)
    found = agreement(truth, in_order_of(truth, result_of(ABUNDANCES, SPECTRA, ("a", "b", "c"))))
    assert found.abundance_rmse > 0.05
    assert found.abundance_rmse_as_truth == pytest.approx(0, abs=1e-6)
    drawn = in_convention_of(truth, result_of(ABUNDANCES, SPECTRA, ("a", "b", "c")))
    np.testing.assert_allclose(drawn["abundance"].values, truth["abundance"].values, atol=1e-6)


def test_bands_and_pixels_that_one_of_them_lacks_are_left_out() -> None:
    truth = result_of(ABUNDANCES, SPECTRA, ("water", "soil", "tree"), convention="physical")
    result = truth.copy(deep=True)
    result["endmember_spectrum"].values[:, 2] = np.nan
    result["abundance"].values[1, 2] = np.nan
    truth["abundance"].values[0, 0] = np.nan
    found = agreement(truth, in_order_of(truth, result))
    assert found.abundance_rmse == 0
    assert found.spectral_angle == pytest.approx(0, abs=1e-6)


def test_the_table_keeps_its_brackets() -> None:
    truth = result_of(ABUNDANCES, SPECTRA, ("water", "soil", "tree"), convention="physical")
    screen = Console(file=io.StringIO(), markup=False, width=80)
    print_comparison({"fcls": agreement(truth, truth)}, "beside the exact truth", screen)
    text = screen.file.getvalue()
    assert "angle [rad]" in text
    assert "0.0200" in text


def test_progress_on_a_terminal_is_a_bar() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=100)
    with ProgressReport(screen) as report:
        report("train", {"epoch": 2, "of": 30, "loss": -1.25})
        report("train", {"epoch": 3, "of": 30, "loss": -1.5})
    text = screen.file.getvalue()
    assert "3/30" in text
    assert "loss -1.5" in text
