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
from unmixel.methods.idnet.start import VARIABILITIES, Observed, observe, start_from

N_PIXELS = 400
"""Pixels of the scene that are asked."""
OUTLIERS = 0.05
"""Share of the most and of the least probable pixels that don't count."""
BRIGHTNESS_SD = (0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
FIRST_BRIGHTNESS_SD = (0.05, 0.2)
"""Spreads of the shared brightness."""
CONCENTRATIONS = (1.0, 0.5, 0.25, 0.1)
"""Of the abundances: anywhere, to nearly pure pixels."""
N_LATENTS = (1, 2, 4, 6)
FROM_SCENE = 4
"""Latents where endmembers vary as the scene says: its residuals go on to show what isn't theirs."""
MARGIN = 0.1
"""The simplest hypothesis is chosen of those that are so near the most probable one [log evidence of a pixel]."""
OPEN, SURE = "generalised bilinear", 3.0
"""The law that leaves the bilinear share open is chosen unless another is better by so many standard errors."""
LATENTS_MARGIN = 0.7
"""The same as MARGIN for the number of latents, which cost time."""


class Hypothesis(NamedTuple):
    """What a model assumes.

    Attributes
    ----------
    mixing : str
        One of `MIXING_LAWS`.
    variability : str
        How endmembers vary, one of `VARIABILITIES`.
    n_latents : int
        H.
    brightness_sd : float
        Spread of the brightness that all endmembers of a pixel share.
    concentration : float
        α of p(a), the same for all endmembers.
    """

    mixing: str
    variability: str
    n_latents: int
    brightness_sd: float
    concentration: float = 1.0


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
    noise_variance : array, shape (band,), optional
        That of the sensor [1], if it is known.
    """

    def __init__(
        self,
        pixels: Float[np.ndarray, "pixel band"],
        spectra: tuple[np.ndarray, ...],
        noise_variance: Float[np.ndarray, "band"] | None = None,
    ) -> None:
        self.spectra, self.pixels, self._noise_variance = spectra, pixels, noise_variance
        self.asked = pixels[:N_PIXELS]
        self.found: dict[Hypothesis, np.ndarray] = {}
        self.observed: dict[bool, Observed] = {}

    def observe(self, *, albedo: bool) -> Observed:
        """See what scene and bundles say, in what mixes linearly."""
        if albedo not in self.observed:
            self.observed[albedo] = observe(
                to_domain(self.pixels, albedo=albedo),
                tuple(to_domain(s, albedo=albedo) for s in self.spectra),
                self._noise(albedo=albedo),
            )
        return self.observed[albedo]

    def _noise(self, *, albedo: bool) -> Float[np.ndarray, "band"] | None:
        """Return the variance of the noise in what mixes linearly, at the mean pixel; None if it is not known."""
        if self._noise_variance is None:
            return None
        mean, sd = self.pixels.mean(axis=0, dtype=np.float64), np.sqrt(self._noise_variance)
        above, below = (to_domain((mean + step * sd)[None], albedo=albedo)[0] for step in (1, -1))
        return ((above - below) / 2) ** 2

    def ask(self, hypothesis: Hypothesis) -> Float[np.ndarray, "pixel"]:
        """Return the log evidence of every asked pixel."""
        if hypothesis not in self.found:
            law = MIXING_LAWS[hypothesis.mixing]
            start = start_from(
                self.observe(albedo=law.albedo),
                hypothesis.n_latents,
                hypothesis.brightness_sd,
                variability=hypothesis.variability,
            )
            decoder = BundleDecoder(*start.axes.shape)
            regression = Regression(decoder, law, hypothesis.concentration)
            pixels = torch.as_tensor(to_domain(self.asked, albedo=law.albedo), dtype=torch.float32)
            regression.begin(start, pixels)
            regression.endmember_variance.zero_()  # what is left over counts once, as noise
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

    def best(self, hypotheses: list[Hypothesis], margin: float = 0.0) -> Hypothesis:
        """Return the first one whose evidence is within a margin of the best."""
        best = max(map(self.log_evidence, hypotheses))
        return next(one for one in hypotheses if self.log_evidence(one) >= best - margin)

    def surely_better(self, one: Hypothesis, other: Hypothesis) -> bool:
        """Return whether the evidence of one is greater, by more than the pixels' differences leave to chance."""
        differences = _inner(self.ask(one) - self.ask(other))
        return bool(differences.mean() > SURE * differences.std() / np.sqrt(len(differences)))


def _inner(values: Float[np.ndarray, "pixel"]) -> Float[np.ndarray, "inner"]:
    """Return the values without outliers."""
    n_out = int(OUTLIERS * len(values))
    return np.sort(values)[n_out : len(values) - n_out]


def _mean(values: Float[np.ndarray, "pixel"]) -> float:
    return float(_inner(values).mean())


def choose(
    pixels: Float[np.ndarray, "pixel band"],
    spectra: tuple[np.ndarray, ...],
    n_latents: int | None,
    *,
    only_linear: bool,
    noise_variance: Float[np.ndarray, "band"] | None = None,
) -> tuple[Hypothesis, Observed, list[Judged]]:
    """Choose a hypothesis, and say what was compared.

    First what mixes and how endmembers vary, at two spreads of the brightness; then the spread, the concentration of
    the abundances and the number of latents; then, with these, once more what mixes and how endmembers vary.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
        A random sample of the scene [reflectance].
    spectra : tuple of P arrays, shape (spectrum_k, band)
        The bundles [reflectance].
    n_latents : int, optional
        H; chosen when None.
    only_linear : bool
        Whether no other law is asked for.
    noise_variance : array, shape (band,), optional
        That of the sensor [1]; estimated from the pixels when None.
    """
    judge = Judge(pixels, spectra, noise_variance)
    most = pixels.shape[1]
    variabilities = [way for way in VARIABILITIES if way != "bundle" or max(map(len, spectra)) > 1]
    ways = [
        Hypothesis(mixing, variability, n_latents or min(FROM_SCENE, most), sd)
        for sd in FIRST_BRIGHTNESS_SD
        for mixing in (["linear"] if only_linear else MIXING_LAWS)
        for variability in variabilities
    ]
    chosen = judge.best(ways)
    chosen = judge.best([chosen._replace(brightness_sd=sd) for sd in BRIGHTNESS_SD], MARGIN)
    chosen = judge.best([chosen._replace(concentration=alpha) for alpha in CONCENTRATIONS], MARGIN)
    sizes = [size for size in N_LATENTS if size <= most] if n_latents is None else []
    chosen = _of_fewest_latents(chosen, sizes, judge)
    at_last = [chosen._replace(mixing=way.mixing, variability=way.variability) for way in ways]
    chosen = judge.best(at_last, MARGIN)
    undecided = judge.best([way for way in at_last if way.mixing == OPEN] or [chosen])
    if not judge.surely_better(chosen, undecided):
        chosen = undecided
    chosen = _of_fewest_latents(chosen, sizes, judge)
    judged = [Judged(hypothesis, round(_mean(values), 3)) for hypothesis, values in judge.found.items()]
    return chosen, judge.observe(albedo=MIXING_LAWS[chosen.mixing].albedo), judged


def _of_fewest_latents(chosen: Hypothesis, sizes: list[int], judge: Judge) -> Hypothesis:
    """Return the hypothesis with as few latents as are worth it, if there is a choice."""
    if chosen.variability == "scene" or not sizes:
        return chosen
    return judge.best([chosen._replace(n_latents=size) for size in sizes], LATENTS_MARGIN)
