"""ID-Net as a method: its hyper-parameters, the published settings, and training."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Dirichlet

from unmixel.errors import ParameterError
from unmixel.methods._protocol import EndmemberSpectra, Fitted, Method, Progress
from unmixel.methods.idnet import objective
from unmixel.methods.idnet.fitted import FittedIDNet, device_of
from unmixel.methods.idnet.model import IDNetModel, Shape
from unmixel.methods.idnet.objective import Terms, Weights
from unmixel.methods.idnet.pairs import Pairs, mixed_pairs, pure_pairs, stack_bundles
from unmixel.methods.idnet.start import LARGEST_SAMPLE, start_from
from unmixel.train.loop import History, Schedule, train
from unmixel.train.seeding import seeded, threads

PUBLISHED_BATCH = 16
PUBLISHED = {
    "dc1": {"labelled_weight": 10.0, "sparsity": 0.0, "abundance_decay": 1e4, "mixing_decay": 0.001},
    "dc2": {"labelled_weight": 1.0, "sparsity": 0.005, "abundance_decay": 0.01, "mixing_decay": 0.1},
    "samson": {"labelled_weight": 1.0, "sparsity": 0.005, "abundance_decay": 0.01, "mixing_decay": 0.1},
    "jasper_ridge": {"labelled_weight": 1.0, "sparsity": 0.0, "abundance_decay": 0.01, "mixing_decay": 0.1},
    "cuprite": {"labelled_weight": 10.0, "sparsity": 0.1, "abundance_decay": 0.05, "mixing_decay": 5.0},
}
"""λ, τ, λ_e and λ_d as published for each scene, for a loss summed over a batch of 16."""
HELD_OUT_SHARE, MOST_HELD_OUT = 0.1, 1024
STEPS_WHEN_SHORT = 40


@dataclass(frozen=True, kw_only=True)
class IDNet(Method):
    """ID-Net: a variational network that disentangles abundances from endmembers.

    The default needs no tuning: it starts from what the scene and its bundles say, teaches q by labels that p makes
    (mixed in all proportions, linear to bilinear) and lets the scene teach the nonlinear stream of p and its noise.
    ``IDNet.paper(scene)`` is the published objective, networks and settings. See ``docs/methods/idnet.md``.

    Parameters
    ----------
    n_endmembers : int, optional
        P. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given.
    seed : int
        Seed of everything random.
    n_latents : int
        H, latent dimensions of each endmember.
    n_ista : int
        Unrolled steps of the abundances' linear stream.
    mixing_gain, abundance_gain : float
        g_y and g_a, gains of the nonlinear streams.
    shared_brightness : float
        Correlation, between endmembers, of their brightness latents: 0 to below 1.
    published : bool
        Published networks, labels and objective in place of the default's. The weights below, `sparsity` apart, have
        no effect without it.
    labelled_weight : float
        λ, weight of the labelled bound.
    supervision : float
        β; the supervised terms count 1 + β.
    sparsity : float
        τ, weight of the concentration's quasi-norm.
    abundance_decay, mixing_decay : float
        λ_e and λ_d per pixel: weights of the Frobenius norms of f_a and f_y.
    n_draws : int
        Draws of the latents of a labelled pixel in the published objective.
    n_epochs, batch_size : int
    steps_per_epoch : int, optional
        One pass over the scene when None.
    learning_rate, decay : float
        Of Adam; the rate is multiplied by `decay` after each of the first ten epochs.
    tolerance : float
        Training stops when the watched loss improves by less than this share of it for `patience` epochs.
    patience : int
    n_nodes : int
        Nodes over which the latents are integrated when unmixing: the same for all pixels.
    device : str
        ``"cpu"`` or ``"cuda"``.
    threads : int
        Threads of torch while training and unmixing.
    """

    name: ClassVar[str] = "idnet"
    summary: ClassVar[str] = "variational network: nonlinear mixing, endmember variability, uncertainty"
    reference: ClassVar[str] = (
        "Borsoi, Erdoğmuş, Imbiriba: Learning Interpretable Deep Disentangled Neural Networks for Hyperspectral "
        "Unmixing. IEEE Transactions on Computational Imaging, 2023. arXiv:2310.02340"
    )
    fitted_type: ClassVar[type[Fitted]] = FittedIDNet

    n_latents: int = 3
    n_ista: int = 10
    mixing_gain: float = 0.1
    abundance_gain: float = 0.1
    shared_brightness: float = 0.9
    published: bool = False
    labelled_weight: float = 0.0
    supervision: float = 0.0
    sparsity: float = 0.0
    abundance_decay: float = 0.0
    mixing_decay: float = 0.1
    n_draws: int = 5
    n_epochs: int = 15
    batch_size: int = 128
    steps_per_epoch: int | None = 40
    learning_rate: float = 3e-3
    decay: float = 0.8
    tolerance: float = 0.001
    patience: int = 4
    n_nodes: int = 8
    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = (
            "n_latents",
            "n_epochs",
            "batch_size",
            "learning_rate",
            "n_draws",
            "n_nodes",
            "threads",
            "patience",
        )
        for name in positive:
            if not getattr(self, name) > 0:
                raise ParameterError(f"{name} = {getattr(self, name)}", "a number above 0")
        for name in (
            "labelled_weight",
            "sparsity",
            "abundance_decay",
            "mixing_decay",
            "supervision",
            "n_ista",
        ):
            if not getattr(self, name) >= 0:
                raise ParameterError(f"{name} = {getattr(self, name)}", "0 or above")
        if not 0 <= self.shared_brightness < 1:
            raise ParameterError(f"shared_brightness = {self.shared_brightness}", "0 to below 1")
        if self.steps_per_epoch is not None and self.steps_per_epoch < 1:
            raise ParameterError(f"steps_per_epoch = {self.steps_per_epoch}", "at least 1, or None")

    @classmethod
    def paper(cls, scene: str, **changes: Any) -> IDNet:
        """Return the published settings for a scene: "samson", "jasper_ridge", "cuprite", "dc1" or "dc2".

        The published loss is a sum over a batch of 16; here it is a mean over pixels, so the weights of the two norms,
        which do not grow with the batch, are divided by 16.

        Raises
        ------
        ParameterError
            If there are no published settings for that scene.

        Examples
        --------
        >>> IDNet.paper("dc1").abundance_decay
        625.0
        """
        if scene not in PUBLISHED:
            raise ParameterError(f"published settings for {scene!r}", f"one of {', '.join(PUBLISHED)}")
        weights = dict(PUBLISHED[scene])
        for name in ("abundance_decay", "mixing_decay"):
            weights[name] /= PUBLISHED_BATCH
        settings: dict[str, Any] = {
            "published": True,
            "extraction": "vca",
            "n_latents": 2,
            "supervision": 10.0,
            "n_epochs": 30,
            "batch_size": PUBLISHED_BATCH,
            "steps_per_epoch": None,
            "learning_rate": 1e-3,
            "decay": 0.9,
            "tolerance": 0.01,
            "patience": 1,
            "n_nodes": 1,
        }
        return cls(**{**settings, **weights, **changes})

    @property
    def weights(self) -> Weights:
        """The weights of the objective's terms."""
        if self.published:
            return Weights(
                scene_likelihood=1.0,
                scene_divergence=1.0,
                labelled=self.labelled_weight,
                abundances=1 + self.supervision,
                endmembers=1 + self.supervision,
                sparsity=self.sparsity,
                abundance_decay=self.abundance_decay,
                mixing_decay=self.mixing_decay,
            )
        return Weights(
            scene_likelihood=1.0,
            abundances=1.0,
            latents=1.0,
            sparsity=self.sparsity,
            mixing_decay=self.mixing_decay,
        )

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedIDNet:
        device = device_of(self.device)
        rng = np.random.default_rng(self.seed)
        chosen = rng.permutation(len(pixels))[:LARGEST_SAMPLE]
        sample = pixels[chosen]
        start = start_from(sample, endmembers.spectra, self.n_latents)
        shape = Shape(
            n_endmembers=len(endmembers.names),
            n_latents=self.n_latents,
            n_bands=pixels.shape[1],
            n_features=len(start.features),
            n_ista=self.n_ista,
            mixing_gain=self.mixing_gain,
            abundance_gain=self.abundance_gain,
            shared_brightness=self.shared_brightness,
            published=self.published,
        )
        with seeded(self.seed, device), threads(self.threads):
            model = IDNetModel(shape)
            model.begin(start, torch.as_tensor(sample[:MOST_HELD_OUT]))
            model.to(device)
            trainer = _Trainer(self, model, sample, endmembers.spectra, device)
            history = train(
                model,
                trainer.step,
                trainer.watch,
                trainer.schedule,
                progress=lambda numbers: progress("train", numbers),
                checkpoint=checkpoint,
                identity=_identity(self, sample, endmembers.spectra),
            )
        fitted = FittedIDNet(self, scene, endmembers.names, model)
        fitted.record = _record(history, trainer, start.noise_sd)
        return fitted


class _Trainer:
    """Batches and their objective: what one step of training is made of."""

    def __init__(
        self,
        method: IDNet,
        model: IDNetModel,
        sample: Float[np.ndarray, "pixel band"],
        spectra: tuple[np.ndarray, ...],
        device: torch.device,
    ) -> None:
        self.method, self.model = method, model
        self.weights = method.weights
        n_held_out = min(int(HELD_OUT_SHARE * len(sample)), MOST_HELD_OUT)
        pixels = torch.as_tensor(sample, dtype=torch.float32, device=device)
        self.held_out = pixels[:n_held_out] if n_held_out else pixels
        self.pixels = pixels[n_held_out:]
        tensors = [torch.as_tensor(np.asarray(s), dtype=torch.float32, device=device) for s in spectra]
        self.bundles, self.sizes = stack_bundles(tensors)
        self.sizes = self.sizes.to(device)
        # published: an SNR of 40 dB applied to the amplitude, sd = mean(Y) / 10⁴, which is 80 dB of power
        self.label_noise_sd = float(pixels.mean()) * 1e-4
        self.effective_draws = float("nan")
        if not method.published:
            model.p.log_endmember_sd.requires_grad_(False)
            model.p.log_noise_sd.requires_grad_(False)

    @property
    def schedule(self) -> Schedule:
        m = self.method
        steps = m.steps_per_epoch or max(1, len(self.pixels) // m.batch_size)
        return Schedule(
            n_epochs=m.n_epochs,
            steps_per_epoch=steps,
            learning_rate=m.learning_rate,
            decay=m.decay,
            tolerance=m.tolerance,
            patience=m.patience,
            max_gradient_norm=float("inf") if m.published else 10.0,
        )

    def step(self) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a fresh batch and its terms."""
        batch = torch.randint(len(self.pixels), (self.method.batch_size,), device=self.pixels.device)
        terms = self.terms(self.pixels[batch], self.pairs(self.method.batch_size))
        loss = -objective.total(terms, self.weights)
        return loss, {name: float(values.detach().mean()) for name, values in terms.items()}

    def watch(self, training_loss: float) -> float:
        """Return the loss that says when to stop: of held-out pixels and fixed draws; as published, of training."""
        if self.method.published:
            return training_loss
        with torch.no_grad(), seeded(self.method.seed + 1, self.pixels.device):
            terms = self.terms(self.held_out, self.pairs(MOST_HELD_OUT))
            return -float(terms["abundances"].mean() + terms["latents"].mean())

    def pairs(self, n_pairs: int) -> Pairs:
        p = self.model.p
        if self.method.published:
            return pure_pairs(self.bundles, self.sizes, n_pairs, self.label_noise_sd)
        return mixed_pairs(p, n_pairs, len(self.bundles), p.noise_sd)

    def terms(self, pixels: Float[Tensor, "pixel band"], pairs: Pairs) -> Terms:
        """Return the terms of the objective for a batch of the scene and a batch of labels."""
        return self._published_terms(pixels, pairs) if self.method.published else self._informed_terms(pixels, pairs)

    def _published_terms(self, pixels: Float[Tensor, "pixel band"], pairs: Pairs) -> Terms:
        p, q = self.model.p, self.model.q
        hidden = objective.draw(q, pixels)
        likelihood, divergence = objective.scene_terms(p, q, pixels, hidden)
        latents = q.latents(pairs.pixels).rsample((self.method.n_draws,))
        labelled, abundances, endmembers = objective.labelled_terms(p, q, pairs, latents)
        return {
            "scene_likelihood": likelihood,
            "scene_divergence": divergence,
            "labelled": labelled,
            "abundances": abundances,
            "endmembers": endmembers,
            "sparsity": objective.quasi_norm(q.abundances(hidden.endmembers, pixels).concentration),
            "abundance_decay": objective.frobenius_norm(q.nonlinear),
            "mixing_decay": objective.frobenius_norm(p.mixing),
        }

    def _informed_terms(self, pixels: Float[Tensor, "pixel band"], pairs: Pairs) -> Terms:
        """Labels teach q; the scene, seen at the posterior means, teaches p.

        The means and not draws: q's latents are independent given the pixel, and a draw of them misses the pixel by far
        more than the posterior, whose latents make up for one another, would.
        """
        p, q = self.model.p, self.model.q
        assert pairs.latents is not None
        n = len(pixels)
        together = torch.cat([pixels, pairs.pixels])
        latents = q.latents(together)
        endmembers = p.decoder(latents.mean[:n].detach())
        dirichlet = q.abundances(torch.cat([endmembers, pairs.endmembers]), together)
        seen = dirichlet.mean[:n].detach()
        concentration = dirichlet.concentration[n:]
        terms = {
            "scene_likelihood": p.pixel(endmembers, seen).log_prob(pixels),
            "abundances": Dirichlet(concentration, validate_args=False).log_prob(pairs.abundances),
            "latents": latents.log_prob(torch.cat([latents.mean[:n].detach(), pairs.latents]))[n:],
            "mixing_decay": objective.frobenius_norm(p.mixing),
        }
        if self.weights.sparsity:
            terms["sparsity"] = objective.quasi_norm(concentration)
        return terms


def _identity(method: IDNet, sample: np.ndarray, spectra: tuple[np.ndarray, ...]) -> str:
    """Return a digest of what is trained on what."""
    digest = hashlib.sha256(json.dumps(asdict(method), sort_keys=True).encode())
    for array in (sample, *spectra):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _record(history: History, trainer: _Trainer, starting_noise: float) -> dict[str, Any]:
    """Return what the provenance keeps of training."""
    return {
        "stopped": history.stopped,
        "best_epoch": history.best_epoch,
        "history": [{name: round(value, 5) for name, value in epoch.items()} for epoch in history.epochs],
        "training_pixels": len(trainer.pixels),
        "held_out_pixels": len(trainer.held_out),
        "noise_sd_at_start": round(starting_noise, 6),
        "noise_sd": round(float(trainer.model.p.noise_sd.detach()), 6),
    }


METHOD = IDNet
