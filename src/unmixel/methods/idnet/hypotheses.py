"""Which model a scene needs: what mixes linearly, whether light meets two materials, and how spectra vary.

Every hypothesis is a starting model, whose evidence in a sample of the scene says how well it predicts it (see
`unmixel.methods.idnet.evidence`): no ground truth, and nothing to tune.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.evidence import log_evidence
from unmixel.methods.idnet.mixing_domain import to_domain
from unmixel.methods.idnet.mixing_law import MIXING_LAWS
from unmixel.methods.idnet.regression import MODEL_ERROR, Regression
from unmixel.methods.idnet.start import Observed, observe, start_from

N_PIXELS = 400
"""Pixels of the scene that are asked."""
OUTLIERS = 0.05
"""Share of the most and of the least probable pixels that don't count."""
BRIGHTNESS_SD = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
FIRST_BRIGHTNESS_SD = (0.05, 0.2)
"""Spreads of the shared brightness."""


class Hypothesis(NamedTuple):
    """What a model assumes.

    Attributes
    ----------
    mixing : str
        One of `MIXING_LAWS`.
    as_in_bundle : bool
        Whether endmembers vary as the spectra in their bundle do, or as the scene says.
    brightness_sd : float
        Spread of the brightness that all endmembers of a pixel share.
    """

    mixing: str
    as_in_bundle: bool
    brightness_sd: float


class Judged(NamedTuple):
    """A hypothesis and what the pixels say of it.

    Attributes
    ----------
    hypothesis : Hypothesis
    log_evidence : float
        Mean per pixel, without outliers.
    """

    hypothesis: Hypothesis
    log_evidence: float


class Judge:
    """Asks a sample of the scene for the evidence of hypotheses.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        Reflectance.
    spectra : tuple of P arrays, shape (spectrum_k, band)
        The bundles [reflectance].
    n_latents : int
        H.
    """

    def __init__(
        self, pixels: Float[np.ndarray, "pixel band"], spectra: tuple[np.ndarray, ...], n_latents: int
    ) -> None:
        self.spectra, self.n_latents = spectra, n_latents
        self.pixels = pixels
        self.asked = pixels[:N_PIXELS]
        self.found: dict[Hypothesis, np.ndarray] = {}
        self.observed: dict[bool, Observed] = {}

    def observe(self, *, albedo: bool) -> Observed:
        """See what scene and bundles say, in what mixes linearly."""
        if albedo not in self.observed:
            self.observed[albedo] = observe(
                to_domain(self.pixels, albedo=albedo), tuple(to_domain(s, albedo=albedo) for s in self.spectra)
            )
        return self.observed[albedo]

    def ask(self, hypothesis: Hypothesis) -> Float[np.ndarray, "pixel"]:
        """Return the log evidence of every asked pixel."""
        if hypothesis not in self.found:
            mixing, as_in_bundle, brightness_sd = hypothesis
            law = MIXING_LAWS[mixing]
            start = start_from(
                self.observe(albedo=law.albedo), self.n_latents, brightness_sd, as_in_bundle=as_in_bundle
            )
            decoder = BundleDecoder(*start.axes.shape)
            regression = Regression(decoder, law)
            pixels = torch.as_tensor(to_domain(self.asked, albedo=law.albedo), dtype=torch.float32)
            regression.begin(start, pixels)
            self.found[hypothesis] = log_evidence(
                regression,
                pixels,
                self.asked,
                model_error=MODEL_ERROR * float(self.asked.mean()),
            )
        return self.found[hypothesis]

    def log_evidence(self, hypothesis: Hypothesis) -> float:
        """Return the mean over the asked pixels, without outliers."""
        return _mean(self.ask(hypothesis))

    def best(self, hypotheses: list[Hypothesis]) -> Hypothesis:
        """Return the most probable one; the first of equals."""
        return max(hypotheses, key=self.log_evidence)


def _inner(values: Float[np.ndarray, "pixel"]) -> Float[np.ndarray, "inner"]:
    """Return the values without outliers."""
    n_out = int(OUTLIERS * len(values))
    return np.sort(values)[n_out : len(values) - n_out]


def _mean(values: Float[np.ndarray, "pixel"]) -> float:
    return float(_inner(values).mean())


def choose(
    pixels: Float[np.ndarray, "pixel band"],
    spectra: tuple[np.ndarray, ...],
    n_latents: int,
    *,
    only_linear: bool,
) -> tuple[Hypothesis, Observed, list[Judged]]:
    """Choose a hypothesis, and say what was compared.

    First what mixes and how endmembers vary, at two spreads of the brightness; then the spread; then, at that spread,
    once more what mixes and how endmembers vary.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        A random sample of the scene [reflectance].
    spectra : tuple of P arrays, shape (spectrum_k, band)
        The bundles [reflectance].
    n_latents : int
        H.
    only_linear : bool
        Whether no other law is asked for.
    """
    judge = Judge(pixels, spectra, n_latents)
    ways = [
        Hypothesis(mixing, as_in_bundle, sd)
        for mixing in (["linear"] if only_linear else MIXING_LAWS)
        for as_in_bundle in (True, False)
        for sd in FIRST_BRIGHTNESS_SD
    ]
    first = judge.best(ways)
    spread = judge.best([first._replace(brightness_sd=sd) for sd in BRIGHTNESS_SD])
    chosen = judge.best([way._replace(brightness_sd=spread.brightness_sd) for way in ways])
    judged = [Judged(hypothesis, round(_mean(values), 3)) for hypothesis, values in judge.found.items()]
    return chosen, judge.observe(albedo=MIXING_LAWS[chosen.mixing].albedo), judged
