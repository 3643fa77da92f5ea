"""CyCU-Net: two autoencoders in a row, so that what is reconstructed has the same abundances again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn

from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._fitted_networks import FixedSpectraNetworkFitted
from unmixel.methods._networks import CAUTION, NetworkMethod, scale_of, taught_abundances
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.nn.narrow_product import Linear

WIDTHS = (128, 64)
DROPOUT = 0.5
MOMENTUM = 0.9
"""Share of a batch in the running mean of the normalisation while training."""
LEAST = 1e-6
"""Added to each coefficient: a pixel in which all are cut off at zero gets equal shares."""
TINY = 1e-8
"""Least square of a singular value: its root's gradient is finite."""
BATCH = 2048
"""Pixels of a step."""
FEWEST_STEPS = 5
"""Of an epoch."""


class CycleNetwork(nn.Module):
    """An encoder that is used twice, and two linear decoders.

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        Where the decoders begin.
    """

    scale: Tensor

    def __init__(self, endmembers: Float[np.ndarray, "endmember band"]) -> None:
        super().__init__()
        n_endmembers, n_bands = endmembers.shape
        self.register_buffer("scale", torch.tensor(scale_of(endmembers)))
        self.encoder = nn.Sequential(
            Linear(n_bands, WIDTHS[0]),
            nn.BatchNorm1d(WIDTHS[0], momentum=MOMENTUM),
            nn.Dropout(DROPOUT),
            nn.ReLU(),
            Linear(WIDTHS[0], WIDTHS[1]),
            nn.BatchNorm1d(WIDTHS[1], momentum=MOMENTUM),
            nn.ReLU(),
            Linear(WIDTHS[1], n_endmembers),
            nn.BatchNorm1d(n_endmembers, momentum=MOMENTUM),
        )
        self.apply(_begin)
        begin = torch.from_numpy(endmembers).clamp_min(0) / (self.scale * CAUTION)
        self.first, self.second = nn.Parameter(begin.clone()), nn.Parameter(begin.clone())

    def coefficients(self, pixels: Float[Tensor, "pixel band"]) -> Float[Tensor, "pixel endmember"]:
        """Return what the encoder finds in pixels divided by the scale: 0 to 1, its sum near 1."""
        return self.encoder(pixels).clamp(0, 1)

    def forward(self, pixels: Float[Tensor, "pixel band"]) -> tuple[Float[Tensor, "pixel endmember"], None]:
        """Return the abundances of pixels, which mix linearly."""
        coefficients = self.coefficients(pixels / self.scale) + LEAST
        return coefficients / coefficients.sum(1, keepdim=True), None

    @property
    def endmembers(self) -> Float[np.ndarray, "endmember band"]:
        """The spectra of the first decoder [reflectance]."""
        return (self.scale * CAUTION * self.first).detach().numpy()

    @torch.no_grad()
    def keep_non_negative(self) -> None:
        """Put spectra that became negative back to zero."""
        self.first.clamp_(min=0)
        self.second.clamp_(min=0)


def _begin(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight)


def nuclear_norm(matrix: Float[Tensor, "pixel endmember"]) -> Float[Tensor, ""]:
    """Return the sum of the singular values, from the few numbers of BᵀB.

    Examples
    --------
    >>> round(float(nuclear_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]))), 4)
    7.0
    """
    return torch.linalg.eigvalsh(matrix.T @ matrix).clamp_min(TINY).sqrt().sum()


@dataclass(frozen=True, kw_only=True)
class CyCUNet(NetworkMethod):
    """CyCU-Net: cascaded autoencoders with consistent spectra and abundances.

    ::

        b = clip(f(y), 0, 1),   y' = M^T b,   b' = clip(f(y'), 0, 1),   y'' = M'^T b'
        minimise  w mean (y - y')^2 + (1 - w) mean (y - y'')^2 + c mean (b - b')^2
                  + s mean |sum_k b_k - 1| + t ||B||_* / sqrt(N), and the same for b'
        a = b / sum_k b_k

    where y is a pixel over its good bands divided by the largest endmember reflectance, f the encoder, M and M'
    (endmember, band) >= 0 the endmembers of the two decoders, a the abundances [area fraction], and B
    the coefficients of N pixels, whose nuclear norm is pressed. It is a point estimate. See
    ``docs/methods/cycu_net.md``.

    Parameters
    ----------
    n_endmembers, seed, threads
        As in :class:`~unmixel.methods._networks.NetworkMethod`.
    extraction : str
        How the endmembers at which the decoders begin are found when no bundle is given.
    n_epochs : int
        Passes over at most 10 000 pixels of the scene.
    learning_rate : float
        Of Adam; multiplied by 0.8 twenty times in the course of training.
    first_weight : float
        w, 0 to 1.
    consistency, sum_weight, nuclear_weight : float
        c, s and t.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    L. Gao, Z. Han, D. Hong, B. Zhang and J. Chanussot, *CyCU-Net: Cycle-Consistency Unmixing Network by Learning
    Cascaded Autoencoders*, IEEE TGRS 60, 2022, doi:10.1109/TGRS.2021.3064958.
    """

    name: ClassVar[str] = "cycu_net"
    summary: ClassVar[str] = "cascaded autoencoders with consistent cycles: linear mixing, endmembers refined"
    reference: ClassVar[str] = "Gao, Han, Hong, Zhang & Chanussot 2022, doi:10.1109/TGRS.2021.3064958"
    fitted_type: ClassVar[type[Fitted]] = FixedSpectraNetworkFitted

    n_epochs: int = 100
    learning_rate: float = 3e-3
    first_weight: float = 0.5
    consistency: float = 0.1
    sum_weight: float = 1e-3
    nuclear_weight: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "first_weight", least=0, most=1, expected="a number from 0 to 1")
        check_range(self, "consistency", "sum_weight", "nuclear_weight", least=0, expected="a number from 0")

    def network(self, endmembers: Float[np.ndarray, "endmember band"]) -> CycleNetwork:
        return CycleNetwork(endmembers)

    def loss(self, network: CycleNetwork, batch: Float[Tensor, "pixel band"]) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of pixels divided by the scale, and its terms."""
        first = network.coefficients(batch)
        reconstructed = CAUTION * first @ network.first
        second = network.coefficients(reconstructed)
        terms = {
            "spectra": self.first_weight * (reconstructed - batch).square().mean()
            + (1 - self.first_weight) * (CAUTION * second @ network.second - batch).square().mean(),
            "abundances": self.consistency * (first - second).square().mean(),
            "sum": self.sum_weight * sum((b.sum(1) - 1).abs().mean() for b in (first, second)),
            "rank": self.nuclear_weight * sum(nuclear_norm(b) / len(b) ** 0.5 for b in (first, second)),
        }
        return sum(terms.values()), {name: float(term.detach()) for name, term in terms.items()}

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FixedSpectraNetworkFitted:
        network = self.seeded_network(endmembers.means)
        sample = self.sample_of(pixels) / network.scale
        taught = taught_abundances(sample.numpy(), endmembers.means / network.scale.numpy())
        batch_size = max(2, min(BATCH, len(sample)))

        def step() -> tuple[Tensor, Mapping[str, float]]:
            network.keep_non_negative()
            return self.loss(network, sample[torch.randint(len(sample), (batch_size,))])

        def lesson() -> Tensor:
            chosen = torch.randint(len(sample), (batch_size,))
            return (network.coefficients(sample[chosen]) - taught[chosen]).square().mean()

        self.teach(network, lesson)
        decay = 0.8 ** (20 / self.n_epochs)
        n_steps = max(FEWEST_STEPS, -(-len(sample) // batch_size))
        record = self.train(network, step, n_steps, sample, progress, checkpoint, decay=decay)
        network.keep_non_negative()
        fitted = FixedSpectraNetworkFitted(self, scene, endmembers.names, network.endmembers, network)
        fitted.record = record
        return fitted


METHOD = CyCUNet
