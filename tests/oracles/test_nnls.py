"""The method's abundances meet the optimality conditions, and sum to the brightness of a pixel."""

from __future__ import annotations

import numpy as np

from unmixel.methods.nnls import NNLS
from unmixel.methods.scls import SCLS
from unmixel.scene import make_scene
from unmixel.solvers import kkt_residual
from unmixel.spectra import make_bundle


def test_abundances_sum_to_the_brightness_that_scls_divides_out():
    rng = np.random.default_rng(1)
    endmembers = rng.uniform(0.1, 0.6, (3, 30))
    truth = rng.dirichlet(np.ones(3), (20, 15))
    brightness = rng.uniform(0.3, 1.5, (20, 15, 1))
    clean = brightness * truth @ endmembers
    scene = make_scene(clean + 0.005 * rng.standard_normal(clean.shape))
    bundle = make_bundle(endmembers, ["ash", "bark", "clay"])
    fitted = NNLS().fit(scene, bundle)
    result = fitted.unmix(scene)
    found = result["abundance"].values
    np.testing.assert_allclose(found.sum(axis=2), brightness[..., 0], atol=0.05)
    np.testing.assert_allclose(
        found / found.sum(axis=2, keepdims=True),
        SCLS().fit(scene, bundle).unmix(scene)["abundance"].values,
        atol=1e-5,
    )
    residual = kkt_residual(
        scene.values.reshape(-1, 30), fitted.endmembers, found.reshape(-1, 3).astype(np.float64), sum_to_one=False
    )
    assert residual.max() < 1e-6
