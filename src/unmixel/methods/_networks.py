"""What methods that train a network share: hyper-parameters and training."""

from __future__ import annotations

import abc
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from unmixel.methods._method import Method
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.solvers import scaled_nnls
from unmixel.train.loop import INTERRUPTED, Schedule, Step, train
from unmixel.train.seeding import MOST_THREADS, seeded, threads

CPU = torch.device("cpu")
LARGEST_SAMPLE = 10_000
"""Pixels trained on: a seeded sample of the scene."""
CAUTION = 0.03
"""Unit of a linear decoder's weights: so much slower it learns than the encoder. It begins at endmembers, the encoder
at random, and what a bad encoder teaches it is not unlearned."""
HEADROOM = 1.25
"""A sigmoid at a decoder's end reaches this many times the largest reflectance of the endmembers."""
LESSONS, STEPS_PER_LESSON = 20, 50
"""Epochs, at most, in which a network learns what least squares finds, and their steps."""
LESSON_RATE, LESSON_DECAY = 1e-2, 0.85
"""Learning rate there, and by what it is multiplied after each epoch."""
HOW_LONG = ("n_epochs", "threads")
"""Hyper-parameters that a resumed training may change."""


@dataclass(frozen=True, kw_only=True)
class NetworkMethod(Method):
    """A method that trains a network.

    Parameters
    ----------
    n_endmembers : int, optional
        Number of endmembers P, at least 2. Estimated from the scene when neither it nor a bundle is given.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    seed : int
        Seed of everything random.
    n_epochs : int
        Passes over the data, or what a method says.
    learning_rate : float
        Of Adam.
    threads : int
        Threads of torch while training and unmixing; no more are used than the machine has processors.
    """

    positive: ClassVar[tuple[str, ...]] = ("n_epochs", "learning_rate", "threads")

    n_epochs: int = 100
    learning_rate: float = 1e-3
    threads: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, *self.positive, above=0, expected="a number above 0")
        check_range(self, "threads", most=MOST_THREADS, expected=f"at most {MOST_THREADS}")

    @abc.abstractmethod
    def network(self, endmembers: Float[np.ndarray, "endmember band"]) -> nn.Module:
        """Return an untrained network around endmember spectra."""

    def seeded_network(self, endmembers: Float[np.ndarray, "endmember band"]) -> Any:
        """Return an untrained network, the same for the same seed."""
        with seeded(self.seed, CPU):
            return self.network(endmembers)

    def sample_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Float[Tensor, "sampled band"]:
        """Return the pixels to train on."""
        chosen = np.random.default_rng(self.seed).permutation(len(pixels))[:LARGEST_SAMPLE]
        return torch.from_numpy(pixels[chosen])

    def train(
        self,
        network: nn.Module,
        step: Step,
        steps_per_epoch: int,
        data: Float[Tensor, "..."],
        progress: Progress,
        checkpoint: Path | None,
        *,
        decay: float = 1.0,
        floor: float = -math.inf,
        patience: int | None = None,
    ) -> dict[str, Any]:
        """Train a network and leave it as it was after the epoch of the smallest mean loss; return what happened.

        Parameters
        ----------
        network : Module
        step : callable
            Loss and terms of a fresh batch.
        steps_per_epoch : int
        data : tensor
            What is trained on; a checkpoint of other data is refused.
        progress : callable
        checkpoint : Path, optional
        decay : float
            The learning rate is multiplied by it after each epoch.
        floor : float
            Loss below which nothing counts as better.
        patience : int, optional
            Epochs without a better loss after which training stops; it doesn't when None.
        """
        schedule = Schedule(
            n_epochs=self.n_epochs,
            steps_per_epoch=steps_per_epoch,
            learning_rate=self.learning_rate,
            decay=decay,
            decay_epochs=self.n_epochs,
            tolerance=0.0,
            patience=patience or self.n_epochs,
        )
        with seeded(self.seed, CPU), threads(self.threads):
            network.train()
            history = train(
                network,
                step,
                lambda loss: max(loss, floor),
                schedule,
                progress=lambda numbers: progress("train", numbers),
                checkpoint=checkpoint,
                identity=self._identity(data),
            )
        return {"epochs": len(history.epochs), "loss": history.best_loss, "stopped": history.stopped}

    def teach(self, network: nn.Module, lesson: Callable[[], Tensor]) -> None:
        """Let a network that begins at random learn what least squares finds, before it trains on reconstruction.

        Parameters
        ----------
        network : Module
        lesson : callable
            How far the network is from least squares in a fresh batch.

        Raises
        ------
        KeyboardInterrupt
            If it is interrupted: nothing is trained yet that could be kept.
        """
        n_epochs = min(self.n_epochs, LESSONS)
        schedule = Schedule(
            n_epochs=n_epochs,
            steps_per_epoch=STEPS_PER_LESSON,
            learning_rate=LESSON_RATE,
            decay=LESSON_DECAY,
            decay_epochs=n_epochs,
            tolerance=0.0,
            patience=n_epochs,
        )

        def step() -> tuple[Tensor, Mapping[str, float]]:
            loss = lesson()
            return loss, {"distance": float(loss.detach())}

        with seeded(self.seed, CPU), threads(self.threads):
            network.train()
            history = train(network, step, lambda loss: loss, schedule, progress=lambda numbers: None)
        if history.stopped.startswith(INTERRUPTED):
            raise KeyboardInterrupt

    def _identity(self, data: Tensor) -> str:
        decisive = {name: value for name, value in asdict(self).items() if name not in HOW_LONG}
        digest = hashlib.sha256(json.dumps([self.name, decisive], sort_keys=True).encode())
        digest.update(np.ascontiguousarray(data.numpy()).tobytes())
        return digest.hexdigest()


def was_interrupted(record: Mapping[str, Any]) -> bool:
    """Return whether Ctrl-C ended a training, from what `NetworkMethod.train` returned.

    Examples
    --------
    >>> was_interrupted({"epochs": 3, "stopped": "interrupted in epoch 4"})
    True
    """
    return str(record["stopped"]).startswith(INTERRUPTED)


def scale_of(endmembers: Float[np.ndarray, "endmember band"]) -> float:
    """Return the largest reflectance of endmembers, without its sign, by which networks divide: units don't matter."""
    return float(np.abs(endmembers).max()) or 1.0


def taught_abundances(
    pixels: Float[np.ndarray, "pixel band"], endmembers: Float[np.ndarray, "endmember band"]
) -> Float[Tensor, "pixel endmember"]:
    """Return the abundances that networks first learn: those of non-negative least squares, divided by their sum."""
    return torch.from_numpy(scaled_nnls(pixels, endmembers).astype(np.float32))
