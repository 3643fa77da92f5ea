"""Training of the default: labels that p makes teach q, and the scene, seen through q, teaches p.

What an epoch needs is made all at once: its labels and what the networks see of them, which does not change while they
are trained, and what q, as it is when the epoch begins, believes of the scene.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Beta

from unmixel.methods.idnet import objective
from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.inference import Look
from unmixel.methods.idnet.model import IDNetModel
from unmixel.methods.idnet.objective import Terms, Weights
from unmixel.methods.idnet.pairs import inside, label_abundances, mixed_pairs
from unmixel.train.seeding import seeded

N_WATCHED = 1024
"""Labels, the same all along, whose score says when to stop."""
SURPRISES, WIDER = 0.02, 10.0
"""Share of labels from a wider distribution, and how many times less precise it is."""
SMALL, ABSENT = 0.05, 0.15
"""A believed abundance below the first is none in this share of the labels."""
CHUNK = 2048
"""Pixels looked at at a time."""


class Labels(NamedTuple):
    """Labelled pixels as q sees them, and what it should find.

    Attributes
    ----------
    seen, linear, latent_mean, latent_variance, found, logit_variance, noise_variance
        The look at them, see `Look`.
    linear_stream : tensor, shape (pair, endmember)
        l(M, y), M = μ(E[Z | y]) as when a scene is unmixed.
    abundances : tensor, shape (pair, endmember)
        The label.
    latents : tensor, shape (pair, endmember, latent)
        The label.
    """

    seen: Tensor
    linear: Tensor
    latent_mean: Tensor
    latent_variance: Tensor
    found: Tensor
    logit_variance: Tensor
    noise_variance: Tensor
    linear_stream: Tensor
    abundances: Tensor
    latents: Tensor

    @property
    def look(self) -> Look:
        """What q sees."""
        return Look(*self[:7])


class Beliefs(NamedTuple):
    """Pixels of the scene, and what q believes of them.

    The scene is seen at the posterior means and not at draws: q's latents are independent given the pixel, and a draw
    of them misses the pixel by far more than the posterior, whose latents make up for one another, would.

    Attributes
    ----------
    pixels : tensor, shape (pixel, band)
    latents : tensor, shape (pixel, endmember, latent)
        E[Z | y].
    abundances : tensor, shape (pixel, endmember)
        E[a | M, y], M given by those latents.
    """

    pixels: Tensor
    latents: Tensor
    abundances: Tensor


class InformedTraining:
    """What one step of training is made of.

    Parameters
    ----------
    model : IDNetModel
        Begun from data.
    pixels : tensor, shape (pixel, band)
        The scene's.
    weights : Weights
    batch_size : int
        Scene pixels, and as many labels, of a step.
    steps_per_epoch : int
    seed : int
        Of the watched labels.
    """

    def __init__(
        self,
        model: IDNetModel,
        pixels: Float[Tensor, "pixel band"],
        *,
        weights: Weights,
        batch_size: int,
        steps_per_epoch: int,
        seed: int,
    ) -> None:
        self.model, self.pixels, self.weights = model, pixels, weights
        self.batch_size, self.steps_per_epoch = batch_size, steps_per_epoch
        model.p.log_endmember_sd.requires_grad_(False)
        model.p.log_noise_sd.requires_grad_(False)
        looks = [model.q.look(chunk) for chunk in pixels.split(CHUNK)]
        self.scene = [torch.cat(parts) for parts in zip(*looks, strict=True)]
        with seeded(seed, pixels.device):
            self.watched = self.labels(self.anywhere(N_WATCHED))
        self.batches: Iterator[tuple[Beliefs, Labels]] = iter(())

    def step(self) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a fresh batch and its terms."""
        batch = next(self.batches, None)
        if batch is None:
            self.batches = self.epoch()
            batch = next(self.batches)
        terms = self.terms(*batch)
        numbers = torch.stack([values.detach().mean() for values in terms.values()]).tolist()
        return -objective.total(terms, self.weights), dict(zip(terms, numbers, strict=True))

    @torch.no_grad()
    def watch(self, training_loss: float) -> float:
        """Return minus the log score of abundances and latents of the watched labels."""
        terms = self.taught(self.watched)
        return -float((terms["abundances"] + terms["latents"]).mean())

    def epoch(self) -> Iterator[tuple[Beliefs, Labels]]:
        """Return the batches of an epoch: every second label is mixed as q believes the scene is."""
        n = self.batch_size * self.steps_per_epoch
        beliefs = self.beliefs(n)
        labels = self.labels(torch.cat([self.anywhere(n - n // 2), as_believed(beliefs.abundances[: n // 2])]))
        of_scene = zip(*(part.split(self.batch_size) for part in beliefs), strict=True)
        of_labels = zip(*(part.split(self.batch_size) for part in labels), strict=True)
        return zip(itertools.starmap(Beliefs, of_scene), itertools.starmap(Labels, of_labels), strict=True)

    def anywhere(self, n_pairs: int) -> Tensor:
        """Draw abundances from all over the simplex."""
        p = self.model.p
        return label_abundances(n_pairs, len(p.ones), p.concentration, self.pixels.device)

    @torch.no_grad()
    def beliefs(self, n_pixels: int) -> Beliefs:
        """Draw pixels of the scene, and ask q."""
        p, q = self.model.p, self.model.q
        assert isinstance(p.decoder, BundleDecoder)
        chosen = torch.randint(len(self.pixels), (n_pixels,), device=self.pixels.device)
        pixels = self.pixels[chosen]
        chunks = []
        for chunk in chosen.split(CHUNK):
            look = Look(*(part[chunk] for part in self.scene))
            latents = q.latents_from(look).mean
            dirichlet = q.abundances_from(*p.decoder.normal_equations(latents, look.linear), look)
            chunks.append((latents, dirichlet.mean))
        return Beliefs(pixels, *(torch.cat(parts) for parts in zip(*chunks, strict=True)))

    @torch.no_grad()
    def labels(self, abundances: Float[Tensor, "pair endmember"]) -> Labels:
        """Make labels with these abundances, and look at them."""
        p, q = self.model.p, self.model.q
        chunks = []
        for chunk in abundances.split(CHUNK):
            pairs = mixed_pairs(p, chunk)
            look = q.look(pairs.pixels)
            equations = p.decoder.normal_equations(q.latents_from(look).mean, look.linear)
            chunks.append((*look, q.linear_stream(*equations, look), pairs.abundances, pairs.latents))
        mixed_up = torch.randperm(len(abundances), device=self.pixels.device)
        return Labels(*(torch.cat(parts)[mixed_up] for parts in zip(*chunks, strict=True)))

    def terms(self, beliefs: Beliefs, labels: Labels) -> Terms:
        """Return the terms of the objective for some pixels of the scene and some labels."""
        p = self.model.p
        pixels, latents, abundances = beliefs
        return {
            "scene_likelihood": p.pixel(p.decoder(latents), abundances).log_prob(pixels),
            **self.taught(labels),
            "mixing_decay": objective.frobenius_norm(p.mixing),
        }

    def taught(self, labels: Labels) -> Terms:
        """Return S_a and S_z of labels: what they teach q."""
        q = self.model.q
        marginals = q.marginals_around(labels.linear_stream, labels.look)
        return {
            "abundances": log_score(marginals, labels.abundances).sum(-1),
            "latents": q.latents_from(labels.look).log_prob(labels.latents),
        }


def as_believed(abundances: Float[Tensor, "pair endmember"]) -> Float[Tensor, "pair endmember"]:
    """Return labels like believed abundances, of which a small one may as well be none."""
    absent = (abundances < SMALL) & (torch.rand_like(abundances) < ABSENT)
    kept = abundances.masked_fill(absent, 0)
    return inside(kept / kept.sum(-1, keepdim=True))


def log_score(marginals: Beta, abundances: Float[Tensor, "pair endmember"]) -> Float[Tensor, "pair endmember"]:
    """Return the log density of labels, some of which are granted to come from a wider distribution.

    A few labels that q gets wrong would make it less sure of all others otherwise.
    """
    wider = Beta(marginals.concentration1 / WIDER, marginals.concentration0 / WIDER, validate_args=False)
    usual = math.log(1 - SURPRISES) + marginals.log_prob(abundances)
    return torch.logaddexp(usual, math.log(SURPRISES) + wider.log_prob(abundances))
