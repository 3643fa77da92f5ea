"""Training as published: pure labels, the scene's bound teaches everything, the training loss says when to stop."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from unmixel.methods.idnet import objective
from unmixel.methods.idnet.model import IDNetModel
from unmixel.methods.idnet.objective import Terms, Weights
from unmixel.methods.idnet.pairs import Pairs, pure_pairs, stack_bundles

LABEL_NOISE = 1e-4
"""Noise of the labels relative to the mean of the scene: published as 40 dB of amplitude, 80 dB of power."""


class PublishedTraining:
    """What one step of published training is made of.

    Parameters
    ----------
    model : IDNetModel
    pixels : tensor, shape (pixel, band)
        The scene's.
    bundles : sequence of P tensors, shape (spectrum_k, band)
    weights : Weights
    batch_size : int
        Scene pixels, and as many labels, of a step.
    n_draws : int
        Draws of the latents of a labelled pixel.
    """

    def __init__(
        self,
        model: IDNetModel,
        pixels: Float[Tensor, "pixel band"],
        bundles: list[Tensor],
        *,
        weights: Weights,
        batch_size: int,
        n_draws: int,
    ) -> None:
        self.model, self.pixels, self.weights = model, pixels, weights
        self.batch_size, self.n_draws = batch_size, n_draws
        self.bundles, self.sizes = stack_bundles(bundles)
        self.noise_sd = LABEL_NOISE * float(pixels.mean())

    def step(self) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a fresh batch, and its terms with the effective number of draws."""
        batch = torch.randint(len(self.pixels), (self.batch_size,), device=self.pixels.device)
        pairs = pure_pairs(self.bundles, self.sizes, self.batch_size, self.noise_sd)
        terms, effective_draws = self.terms(self.pixels[batch], pairs)
        numbers = {name: float(values.detach().mean()) for name, values in terms.items()}
        return -objective.total(terms, self.weights), {**numbers, "effective_draws": effective_draws}

    def watch(self, training_loss: float) -> float:
        """Return the loss that says when to stop."""
        return training_loss

    def terms(self, pixels: Float[Tensor, "pixel band"], pairs: Pairs) -> tuple[Terms, float]:
        """Return the terms of the objective, and the mean effective sample size of its importance weights."""
        p, q = self.model.p, self.model.q
        hidden, posterior = objective.draw(q, pixels)
        likelihood, divergence = objective.scene_terms(p, posterior, pixels, hidden)
        of_latents = q.latents(pairs.pixels)
        latents = of_latents.rsample(torch.Size((self.n_draws,)))
        labelled, abundances, endmembers, weights = objective.labelled_terms(p, q, pairs, of_latents, latents)
        concentration: Tensor = posterior.abundances.concentration  # type: ignore[attr-defined]
        terms = {
            "scene_likelihood": likelihood,
            "scene_divergence": divergence,
            "labelled": labelled,
            "abundances": abundances,
            "endmembers": endmembers,
            "sparsity": objective.quasi_norm(concentration),
            "abundance_decay": objective.frobenius_norm(q.nonlinear),
            "mixing_decay": objective.frobenius_norm(p.mixing),
        }
        return terms, float(objective.effective_sample_size(weights).mean())
