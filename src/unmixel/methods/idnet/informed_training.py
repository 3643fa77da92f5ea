"""Training of the default: labels that p makes teach q, and the scene, seen through q, teaches p.

What an epoch needs is made all at once: its labels and what the networks see of them, which does not change while they
are trained, and what q, as it is when the epoch begins, believes of the scene.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from unmixel.methods.idnet import objective
from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.inference import Look
from unmixel.methods.idnet.model import IDNetModel
from unmixel.methods.idnet.objective import Terms, Weights
from unmixel.methods.idnet.pairs import mixed_pairs
from unmixel.nn.unrolled_ista import normal_equations
from unmixel.train.seeding import seeded

N_WATCHED = 1024
"""Labels, the same all along, whose score says when to stop."""
CHUNK = 2048
"""Pixels looked at at a time."""


class Labels(NamedTuple):
    """Labelled pixels as q sees them, and what it should find.

    Attributes
    ----------
    seen, linear, latent_mean, latent_variance
        The look at them, see `Look`.
    gram : tensor, shape (pair, endmember, endmember)
        M Mᵀ.
    projected : tensor, shape (pair, endmember)
        M y, y without the bilinear light that the regression found.
    abundances : tensor, shape (pair, endmember)
        The label.
    latents : tensor, shape (pair, endmember, latent)
        The label.
    """

    seen: Tensor
    linear: Tensor
    latent_mean: Tensor
    latent_variance: Tensor
    gram: Tensor
    projected: Tensor
    abundances: Tensor
    latents: Tensor

    @property
    def look(self) -> Look:
        """What q sees."""
        return Look(*self[:4])


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
            self.watched = self.labels(N_WATCHED)
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
        """Return the batches of an epoch."""
        n = self.batch_size * self.steps_per_epoch
        beliefs, labels = self.beliefs(n), self.labels(n)
        of_scene = zip(*(part.split(self.batch_size) for part in beliefs), strict=True)
        of_labels = zip(*(part.split(self.batch_size) for part in labels), strict=True)
        return zip(itertools.starmap(Beliefs, of_scene), itertools.starmap(Labels, of_labels), strict=True)

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
            dirichlet = q.abundances_from(*p.decoder.normal_equations(latents, look.linear), look.seen)
            chunks.append((latents, dirichlet.mean))
        return Beliefs(pixels, *(torch.cat(parts) for parts in zip(*chunks, strict=True)))

    @torch.no_grad()
    def labels(self, n_pairs: int) -> Labels:
        """Make labels, and look at them."""
        p, q = self.model.p, self.model.q
        chunks = []
        for first in range(0, n_pairs, CHUNK):
            pairs = mixed_pairs(p, min(CHUNK, n_pairs - first), len(p.ones))
            look = q.look(pairs.pixels)
            equations = normal_equations(pairs.endmembers, look.linear)
            chunks.append((*look, *equations, pairs.abundances, pairs.latents))
        mixed_up = torch.randperm(n_pairs, device=self.pixels.device)
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
        dirichlet = q.abundances_from(labels.gram, labels.projected, labels.seen)
        return {
            "abundances": dirichlet.log_prob(labels.abundances),
            "latents": q.latents_from(labels.look).log_prob(labels.latents),
        }
