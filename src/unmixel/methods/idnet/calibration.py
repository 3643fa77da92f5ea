r"""Calibration of the default: how sure q is, taught once more when everything else has been learnt.

While means and latents are still moving, the network that says how sure an abundance is learns to be sure of what they
were. So in the end it alone is trained, by the same log score (`unmixel.methods.idnet.informed_training`), on fresh
labels: pixels made by p, mixed anywhere and as believed in the scene, whose abundances are known. Everything it sees of
them is made once.

References
----------
Gneiting, Raftery, Strictly proper scoring rules, prediction, and estimation, JASA, 2007,
doi 10.1198/016214506000001437 (the score is best where the predicted distribution is the true one).
"""

from __future__ import annotations

import torch
from torch.distributions import Beta

from unmixel.methods.idnet.inference import mean_of
from unmixel.methods.idnet.informed_training import InformedTraining, as_believed, log_score
from unmixel.nn.dense import Dense
from unmixel.train.seeding import seeded

N_LABELS = 20_480
N_STEPS = 500
BATCH = 256
LEARNING_RATE = 8e-3
LARGEST_GRADIENT = 10.0


def calibrate(training: InformedTraining, seed: int) -> None:
    """Train how sure q is, and nothing else.

    Parameters
    ----------
    training : InformedTraining
        As it is in the end.
    seed : int
        Of the labels.
    """
    q = training.model.q
    assert isinstance(q.log_precision, Dense)
    device = training.pixels.device
    with seeded(seed, device):
        believed = as_believed(training.beliefs(N_LABELS // 2).abundances)
        labels = training.labels(torch.cat([training.anywhere(N_LABELS // 2), believed]))
        with torch.no_grad():
            mean = mean_of(q.streams_around(labels.linear_stream, labels.seen))
        optimiser = torch.optim.Adam(q.log_precision.parameters(), LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, N_STEPS)
        for _ in range(N_STEPS):
            batch = torch.randint(N_LABELS, (BATCH,), device=device)
            precision = q.precision_at(mean[batch], labels.seen[batch], labels.logit_variance[batch])
            marginals = Beta(precision * mean[batch], precision * (1 - mean[batch]), validate_args=False)
            loss = -log_score(marginals, labels.abundances[batch]).sum(-1).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(q.log_precision.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            schedule.step()
