"""Training of the default: labels that p makes teach q, and the scene, seen through q, teaches p.

What the networks see of a pixel does not change while they are trained, so an epoch's labels are made, and looked at,
all at once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Dirichlet

from unmixel.methods.idnet import objective
from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.inference import Look
from unmixel.methods.idnet.latent_regression import Regressed
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
    """Labelled pixels as the networks see them, and what they should find.

    Attributes
    ----------
    features : tensor, shape (pair, feature)
    found : tensor, shape (pair, endmember)
        Abundances by the regression.
    mean, variance : tensor, shape (pair, endmember, latent)
        Latents by the regression.
    gram : tensor, shape (pair, endmember, endmember)
        M Mᵀ.
    projected : tensor, shape (pair, endmember)
        M y.
    abundances : tensor, shape (pair, endmember)
        The label.
    latents : tensor, shape (pair, endmember, latent)
        The label.
    """

    features: Tensor
    found: Tensor
    mean: Tensor
    variance: Tensor
    gram: Tensor
    projected: Tensor
    abundances: Tensor
    latents: Tensor

    @property
    def look(self) -> Look:
        """What the networks of q see."""
        return Look(self.features, Regressed(self.found, self.mean, self.variance))


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
        self.scene = tuple(torch.cat(parts) for parts in zip(*(_flat(look) for look in looks), strict=True))
        with seeded(seed, pixels.device):
            self.watched = self.labels(N_WATCHED)
        self.epoch_labels: Labels | None = None
        self.used = 0

    def step(self) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a fresh batch and its terms."""
        if self.epoch_labels is None or self.used == len(self.epoch_labels.features):
            self.epoch_labels, self.used = self.labels(self.batch_size * self.steps_per_epoch), 0
        labels = Labels(*(part[self.used : self.used + self.batch_size] for part in self.epoch_labels))
        self.used += self.batch_size
        terms = self.terms(torch.randint(len(self.pixels), (self.batch_size,), device=self.pixels.device), labels)
        return -objective.total(terms, self.weights), {name: float(t.detach().mean()) for name, t in terms.items()}

    @torch.no_grad()
    def watch(self, training_loss: float) -> float:
        """Return minus the log score of abundances and latents of the watched labels."""
        labels, q = self.watched, self.model.q
        dirichlet = q.dirichlet(q.streams_from(labels.gram, labels.projected, labels.features))
        latents = q.latents_from(labels.look).log_prob(labels.latents)
        return -float((dirichlet.log_prob(labels.abundances) + latents).mean())

    @torch.no_grad()
    def labels(self, n_pairs: int) -> Labels:
        """Make labels, and look at them."""
        p, q = self.model.p, self.model.q
        chunks = []
        for first in range(0, n_pairs, CHUNK):
            pairs = mixed_pairs(p, min(CHUNK, n_pairs - first), len(p.ones), p.noise_sd)
            equations = normal_equations(pairs.endmembers, pairs.pixels)
            chunks.append((*_flat(q.look(pairs.pixels)), *equations, pairs.abundances, pairs.latents))
        mixed_up = torch.randperm(n_pairs, device=self.pixels.device)
        return Labels(*(torch.cat(parts)[mixed_up] for parts in zip(*chunks, strict=True)))

    def terms(self, batch: Tensor, labels: Labels) -> Terms:
        """Return the terms of the objective for some pixels of the scene, by their numbers, and some labels.

        The scene is seen at the posterior means and not at draws: q's latents are independent given the pixel, and a
        draw of them misses the pixel by far more than the posterior, whose latents make up for one another, would.
        """
        p, q, n = self.model.p, self.model.q, len(batch)
        assert isinstance(p.decoder, BundleDecoder)
        pixels = self.pixels[batch]
        features, found, mean, variance = (
            torch.cat([of_scene[batch], of_labels]) for of_scene, of_labels in zip(self.scene, labels[:4], strict=True)
        )
        latents = q.latents_from(Look(features, Regressed(found, mean, variance)))
        believed = latents.mean[:n].detach()
        gram, projected = p.decoder.normal_equations(believed, pixels)
        streams = q.streams_from(torch.cat([gram, labels.gram]), torch.cat([projected, labels.projected]), features)
        dirichlet = q.dirichlet(streams)
        of_labels = Dirichlet(dirichlet.concentration[n:], validate_args=False)
        return {
            "scene_likelihood": p.pixel(p.decoder(believed), dirichlet.mean[:n].detach()).log_prob(pixels),
            "abundances": of_labels.log_prob(labels.abundances),
            "latents": latents.log_prob(torch.cat([believed, labels.latents]))[n:],
            "mixing_decay": objective.frobenius_norm(p.mixing),
        }


def _flat(look: Look) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    assert look.regressed is not None
    return look.features, *look.regressed
