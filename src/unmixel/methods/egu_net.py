"""EGU-Net, pixel by pixel: pseudo-pure pixels teach the network that unmixes what endmembers are."""

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

from unmixel.extraction.bundles import angle_bundle
from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._fitted_networks import FixedSpectraNetworkFitted
from unmixel.methods._networks import HEADROOM, NetworkMethod, scale_of, taught_abundances
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.nn.dense import NormalisedDense, begin_by_xavier
from unmixel.nn.narrow_product import Linear
from unmixel.solvers import scaled_nnls

WIDTHS = (256, 128, 32)
DROPOUT = 0.1
BATCH = 256
"""Mixed pixels of a step."""
PURE_BATCH = 64
"""Pseudo-pure pixels of a step."""


class GuidedNetwork(nn.Module):
    """The encoder that both streams share, and the decoder of the mixed pixels.

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        What the abundances are of.
    """

    scale: Tensor
    endmembers: Tensor

    def __init__(self, endmembers: Float[np.ndarray, "endmember band"]) -> None:
        super().__init__()
        n_endmembers, n_bands = endmembers.shape
        self.register_buffer("scale", torch.tensor(HEADROOM * scale_of(endmembers)))
        self.register_buffer("endmembers", torch.from_numpy(endmembers.copy()))
        first, second, third = WIDTHS
        self.encoder = nn.Sequential(
            Linear(n_bands, first),
            nn.BatchNorm1d(first),
            nn.Dropout(DROPOUT),
            nn.Tanh(),
            Linear(first, second),
            nn.BatchNorm1d(second),
            nn.Tanh(),
            Linear(second, third),
            nn.BatchNorm1d(third),
            nn.ReLU(),
            Linear(third, n_endmembers),
        )
        self.decoder = NormalisedDense([n_endmembers, *reversed(WIDTHS), n_bands], nn.Sigmoid)
        self.apply(begin_by_xavier)

    def logits(self, pixels: Float[Tensor, "pixel band"]) -> Float[Tensor, "pixel endmember"]:
        """Return the logits of the abundances of pixels."""
        return self.encoder(pixels / self.scale)

    def mix(self, abundances: Float[Tensor, "pixel endmember"]) -> Float[Tensor, "pixel band"]:
        """Return the pixels that abundances make [reflectance]."""
        return self.scale * self.decoder(abundances)

    def forward(
        self, pixels: Float[Tensor, "pixel band"]
    ) -> tuple[Float[Tensor, "pixel endmember"], Float[Tensor, "pixel band"]]:
        """Return abundances, and what the decoder adds to linear mixtures of the endmembers."""
        abundances = torch.softmax(self.logits(pixels), dim=1)
        return abundances, self.mix(abundances) - abundances @ self.endmembers


def pseudo_pure(
    pixels: Float[np.ndarray, "pixel band"], endmembers: EndmemberSpectra
) -> tuple[Float[np.ndarray, "pure band"], Float[np.ndarray, "pure endmember"]]:
    """Return spectra that are nearly pure and their abundances: the bundles, and the pixels most like their means.

    The abundances are those of non-negative least squares, divided by their sum.

    Examples
    --------
    >>> spectra = (np.array([[0.1, 0.2]], dtype=np.float32), np.array([[0.5, 0.3]], dtype=np.float32))
    >>> pixels = np.concatenate(spectra).repeat(20, axis=0)
    >>> pure, abundances = pseudo_pure(pixels, EndmemberSpectra(("water", "soil"), spectra))
    >>> len(pure), abundances[:2].round(3).tolist()
    (6, [[1.0, 0.0], [0.0, 1.0]])
    """
    rows = np.concatenate(angle_bundle(pixels, endmembers.means))
    pure = np.concatenate([*endmembers.spectra, pixels[rows]]).astype(np.float32)
    return pure, scaled_nnls(pure, endmembers.means).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class EGUNet(NetworkMethod):
    """EGU-Net-pw: an autoencoder of mixed pixels that shares its encoder with a classifier of pseudo-pure pixels.

    ::

        a = softmax(f(y)),   y' = g(a)
        minimise  mean CE(softmax(f(p)), l) + mean (y - y')^2 + w sum ||weights||^2 / 2

    where y is a pixel over its good bands divided by 1.25 times the largest endmember reflectance, p a pseudo-pure
    pixel and l its abundances, CE the cross-entropy, a the abundances [area fraction], f and g networks of four layers.
    The decoder g is not linear: what it adds to the linear mixture of the endmembers is the nonlinear part of a pixel.
    It is a point estimate. See ``docs/methods/egu_net.md``.

    Parameters
    ----------
    n_endmembers, seed, threads
        As in :class:`~unmixel.methods._networks.NetworkMethod`.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    n_epochs : int
        Passes over at most 10 000 pixels of the scene.
    learning_rate : float
        Of Adam; multiplied by 0.95 after each epoch.
    weight_decay : float
        w.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    D. Hong, L. Gao, J. Yao, N. Yokoya, J. Chanussot, U. Heiden and B. Zhang, *Endmember-Guided Unmixing Network
    (EGU-Net): A General Deep Learning Framework for Self-Supervised Hyperspectral Unmixing*, IEEE TNNLS 33(11), 2022,
    doi:10.1109/TNNLS.2021.3082289.
    """

    name: ClassVar[str] = "egu_net"
    summary: ClassVar[str] = "autoencoder guided by pseudo-pure pixels: nonlinear mixing, fixed endmembers"
    reference: ClassVar[str] = "Hong, Gao, Yao, Yokoya, Chanussot, Heiden & Zhang 2022, doi:10.1109/TNNLS.2021.3082289"
    fitted_type: ClassVar[type[Fitted]] = FixedSpectraNetworkFitted

    n_epochs: int = 60
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "weight_decay", least=0, expected="a number from 0")

    def network(self, endmembers: Float[np.ndarray, "endmember band"]) -> GuidedNetwork:
        return GuidedNetwork(endmembers)

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FixedSpectraNetworkFitted:
        sample, network = self.sample_of(pixels), self.seeded_network(endmembers.means)
        pure, labels = (torch.from_numpy(array) for array in pseudo_pure(pixels, endmembers))
        taught = taught_abundances(sample.numpy(), endmembers.means)
        weights = [parameter for parameter in network.parameters() if parameter.ndim == 2]
        batch_size = max(2, min(BATCH, len(sample)))

        def step() -> tuple[Tensor, Mapping[str, float]]:
            mixed = sample[torch.randint(len(sample), (batch_size,))]
            chosen = torch.randint(len(pure), (PURE_BATCH,))
            of_mixed, of_pure = network.logits(torch.cat([mixed, pure[chosen]])).split([batch_size, PURE_BATCH])
            guide = nn.functional.cross_entropy(of_pure, labels[chosen])
            misfit = ((network.mix(torch.softmax(of_mixed, 1)) - mixed) / network.scale).square().mean()
            size = 0.5 * torch.stack([weight.square().sum() for weight in weights]).sum()
            loss = guide + misfit + self.weight_decay * size
            return loss, {"guide": float(guide.detach()), "misfit": float(misfit.detach())}

        def lesson() -> Tensor:
            chosen = torch.randint(len(sample), (batch_size,))
            found, a = torch.softmax(network.logits(sample[chosen]), 1), taught[chosen]
            linear = a @ network.endmembers
            return (found - a).square().mean() + ((network.mix(a) - linear) / network.scale).square().mean()

        self.teach(network, lesson)
        n_steps = -(-len(sample) // batch_size)
        record = self.train(network, step, n_steps, sample, progress, checkpoint, decay=0.95)
        fitted = FixedSpectraNetworkFitted(self, scene, endmembers.names, endmembers.means, network)
        fitted.record = record
        return fitted


METHOD = EGUNet
