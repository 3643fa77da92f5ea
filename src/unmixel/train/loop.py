"""The training loop: steps, epochs, when to stop and why, what is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unmixel.errors import ModelError, TrainingError
from unmixel.train.checkpoint import load_checkpoint, optimizer_tensors, restore_optimizer, save_checkpoint


@dataclass(frozen=True)
class Schedule:
    """How long to train and how fast.

    Attributes
    ----------
    n_epochs, steps_per_epoch : int
    learning_rate : float
        Of Adam.
    decay : float
        The learning rate is multiplied by it after each of the first `decay_epochs` epochs.
    decay_epochs : int
    tolerance : float
        Training stops when the watched loss has not improved by this share of its size for `patience` epochs.
    patience : int
    max_gradient_norm : float
        Longer gradients are shortened to it.
    """

    n_epochs: int
    steps_per_epoch: int
    learning_rate: float = 1e-3
    decay: float = 0.9
    decay_epochs: int = 10
    tolerance: float = 0.01
    patience: int = 1
    max_gradient_norm: float = math.inf

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        return self.learning_rate * self.decay ** min(epoch, self.decay_epochs)


@dataclass
class History:
    """What happened: one entry an epoch, and why it stopped."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf
    since_best: int = 0
    stopped: str = ""


INTERRUPTED = "interrupted"
"""How `History.stopped` begins after Ctrl-C."""
Step = Callable[[], tuple[Tensor, Mapping[str, float]]]
"""Draws a batch; returns the loss to minimise and the terms it is made of."""


def train(
    module: nn.Module,
    step: Step,
    watch: Callable[[float], float],
    schedule: Schedule,
    *,
    progress: Callable[[Mapping[str, float]], None],
    checkpoint: Path | None = None,
    identity: str = "",
) -> History:
    """Train a module in place and leave it in its best state.

    Parameters
    ----------
    module : Module
        What is trained.
    step : callable
        Loss and terms of a fresh batch.
    watch : callable
        From the mean training loss of an epoch to the loss that decides which state is best and when to stop.
    schedule : Schedule
    progress : callable
        Told the numbers of every epoch.
    checkpoint : Path, optional
        Written after every epoch. If it is there already, training goes on from it.
    identity : str
        What is being trained on what; a checkpoint with another identity is refused.

    Returns
    -------
    History
        An interrupt (Ctrl-C) ends training like any other reason: the best state so far is kept.

    Raises
    ------
    TrainingError
        If the loss is no longer a number: the epoch and the terms are named.
    ModelError
        If the checkpoint is of another training.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=schedule.learning_rate, fused=True)
    history = History()
    best = _copy(module)
    if checkpoint is not None and checkpoint.exists():
        best = _resume(checkpoint, identity, module, optimizer, history)
        if len(history.epochs) < schedule.n_epochs and history.since_best < schedule.patience:
            history.stopped = ""
    try:
        while not history.stopped:
            _one_epoch(module, parameters, optimizer, step, watch, schedule, history)
            if history.best_epoch == len(history.epochs):
                best = _copy(module)
            if checkpoint is not None:
                _save(checkpoint, identity, module, best, optimizer, history)
            told = {name: history.epochs[-1][name] for name in ("epoch", "loss", "watched")}
            progress({**told, "of": schedule.n_epochs})
    except KeyboardInterrupt:
        history.stopped = f"{INTERRUPTED} in epoch {len(history.epochs) + 1}"
    module.load_state_dict(best)
    return history


def _one_epoch(
    module: nn.Module,
    parameters: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    step: Step,
    watch: Callable[[float], float],
    schedule: Schedule,
    history: History,
) -> None:
    """Take the steps of one epoch, then note its numbers and whether it was the last."""
    epoch = len(history.epochs)
    for group in optimizer.param_groups:
        group["lr"] = schedule.rate(epoch)
    sums: dict[str, float] = {}
    for _ in range(schedule.steps_per_epoch):
        loss, terms = step()
        value = float(loss.detach())
        if not math.isfinite(value):
            listed = ", ".join(f"{name} {number:.4g}" for name, number in terms.items())
            raise TrainingError(
                f"training diverged in epoch {epoch + 1}: the loss is {value} ({listed})",
                "a finite loss",
                "lower the learning rate, or check the scene for extreme values",
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if math.isfinite(schedule.max_gradient_norm):
            nn.utils.clip_grad_norm_(parameters, schedule.max_gradient_norm)
        optimizer.step()
        for name, number in {"loss": value, **terms}.items():
            sums[name] = sums.get(name, 0.0) + number
    means = {name: number / schedule.steps_per_epoch for name, number in sums.items()}
    watched = watch(means["loss"])
    if not math.isfinite(watched):
        raise TrainingError(
            f"training diverged in epoch {epoch + 1}: the watched loss is {watched}",
            "a finite loss",
            "lower the learning rate, or check the scene for extreme values",
        )
    history.epochs.append({"epoch": epoch + 1, "watched": watched, **means})
    first = math.isinf(history.best_loss)
    better = first or watched < history.best_loss - schedule.tolerance * abs(history.best_loss)
    history.since_best = 0 if better else history.since_best + 1
    if watched < history.best_loss:
        history.best_epoch, history.best_loss = epoch + 1, watched
    if history.since_best >= schedule.patience:
        share = f"{100 * schedule.tolerance:g} %"
        history.stopped = f"the watched loss improved by less than {share} for {history.since_best} epochs"
    elif epoch + 1 >= schedule.n_epochs:
        history.stopped = f"all {schedule.n_epochs} epochs done"


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def _save(
    path: Path,
    identity: str,
    module: nn.Module,
    best: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    history: History,
) -> None:
    groups: dict[str, dict[str, Tensor]] = {
        "module": module.state_dict(),
        "best": best,
        "optimizer": optimizer_tensors(optimizer),
        "random": {"cpu": torch.random.get_rng_state()},
    }
    device = next(module.parameters()).device
    if device.type == "cuda":
        groups["random"]["cuda"] = torch.cuda.get_rng_state(device)
    tensors = {f"{group}/{name}": tensor for group, named in groups.items() for name, tensor in named.items()}
    save_checkpoint(path, tensors, {"identity": identity, "history": asdict(history)})


def _resume(
    path: Path, identity: str, module: nn.Module, optimizer: torch.optim.Optimizer, history: History
) -> dict[str, Tensor]:
    """Put everything back as it was after the last finished epoch; return the best state."""
    tensors, facts = load_checkpoint(path)
    if facts.get("identity") != identity:
        raise ModelError(f"{path} is the checkpoint of another training", "the same scene and settings", "remove it")
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        group, rest = name.split("/", 1)
        groups.setdefault(group, {})[rest] = tensor
    module.load_state_dict(groups["module"])
    restore_optimizer(optimizer, groups["optimizer"])
    torch.random.set_rng_state(groups["random"]["cpu"])
    device = next(module.parameters()).device
    if device.type == "cuda":
        torch.cuda.set_rng_state(groups["random"]["cuda"], device)
    saved: dict[str, Any] = facts["history"]
    for name, value in saved.items():
        setattr(history, name, value)
    return {name: tensor.to(device) for name, tensor in groups["best"].items()}
