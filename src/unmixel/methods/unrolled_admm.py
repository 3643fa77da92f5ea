"""UADMM-BUNet: some steps of ADMM as a network, whose matrices are learned together with the endmembers."""

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
from unmixel.methods._networks import CAUTION, NetworkMethod, scale_of
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.nn.narrow_product import narrow_product

SPARSITY = 1e-3
"""Weight of the 1-norm at which the thresholds begin, relative to the largest eigenvalue of M Mᵀ."""
PENALTY = 0.1
"""Penalty of ADMM at the beginning, relative to the mean eigenvalue of M Mᵀ."""
LEAST = 1e-8
"""Added to each coefficient: a black pixel gets equal shares."""
BANDS = 20
"""Number of bands at which their weights learn as fast as the others; with more, slower, for their steps add up."""
MOST_LAYERS = 1000
BATCH = 256
"""Pixels of a step."""
FEWEST_STEPS = 20
"""Of an epoch."""


class UnrolledADMM(nn.Module):
    r"""Sparse non-negative least squares by ADMM, unrolled, divided by its sum; and a linear decoder.

    .. math::
        x_{i+1} &= W_i y + B_i (z_i + d_i) \\
        z_{i+1} &= \max(0,\; x_{i+1} - d_i - \theta_i) \\
        d_{i+1} &= d_i - \eta_i (x_{i+1} - z_{i+1})

    begins as :math:`W_i = (M M^\top + \mu I)^{-1} M`, :math:`B_i = \mu (M M^\top + \mu I)^{-1}`,
    :math:`\theta_i = \lambda / \mu` and :math:`\eta_i = 1`, from :math:`z_0 = d_0 = 0`.

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        M.
    n_layers : int
    sparsity : float
        λ relative to the largest eigenvalue of M Mᵀ.

    Examples
    --------
    >>> endmembers = np.array([[1.0, 0.0], [0.5, 0.5]], dtype=np.float32)
    >>> network = UnrolledADMM(endmembers, 200, sparsity=0.0)
    >>> network(torch.tensor([[0.6, 0.2]]))[0].detach().round(decimals=3)
    tensor([[0.5000, 0.5000]])
    """

    scale: Tensor

    def __init__(self, endmembers: Float[np.ndarray, "endmember band"], n_layers: int, sparsity: float = SPARSITY):
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale_of(endmembers)))
        spectra = endmembers.astype(np.float64) / float(self.scale)
        gram = spectra @ spectra.T
        penalty = PENALTY * np.trace(gram) / len(gram)
        inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
        threshold = sparsity * np.linalg.eigvalsh(gram)[-1] / penalty

        def each_layer(array: np.ndarray) -> nn.Parameter:
            return nn.Parameter(torch.tensor(array, dtype=torch.float32).repeat(n_layers, *[1] * array.ndim))

        self.unit = BANDS / endmembers.shape[1]
        self.of_pixel = each_layer(inverse @ spectra / self.unit)
        self.of_split = each_layer(penalty * inverse)
        self.thresholds = each_layer(np.array(threshold))
        self.steps = each_layer(np.array(1.0))
        self.decoder = nn.Parameter(torch.tensor(spectra / CAUTION, dtype=torch.float32))

    def abundances(self, pixels: Float[Tensor, "pixel band"]) -> Float[Tensor, "pixel endmember"]:
        """Return the abundances of pixels."""
        pixels = self.unit * pixels / self.scale
        split = dual = torch.zeros(len(pixels), len(self.decoder))
        layers = zip(self.of_pixel, self.of_split, self.thresholds, self.steps, strict=True)
        for of_pixel, of_split, threshold, step in layers:
            x = narrow_product(pixels, of_pixel) + narrow_product(split + dual, of_split)
            split = torch.relu(x - dual - threshold)
            dual = dual - step * (x - split)
        split = split + LEAST
        return split / split.sum(1, keepdim=True)

    def forward(self, pixels: Float[Tensor, "pixel band"]) -> tuple[Float[Tensor, "pixel endmember"], None]:
        """Return the abundances of pixels, which mix linearly."""
        return self.abundances(pixels), None

    def mix(self, abundances: Float[Tensor, "pixel endmember"]) -> Float[Tensor, "pixel band"]:
        """Return the linear mixtures of the decoder's spectra."""
        return self.scale * CAUTION * (abundances @ self.decoder)

    @property
    def endmembers(self) -> Float[np.ndarray, "endmember band"]:
        """The spectra of the decoder [reflectance]."""
        return (self.scale * CAUTION * self.decoder).detach().numpy()

    @torch.no_grad()
    def keep_non_negative(self) -> None:
        """Put spectra that became negative back to zero."""
        self.decoder.clamp_(min=0)


@dataclass(frozen=True, kw_only=True)
class UnrolledADMMNetwork(NetworkMethod):
    """UADMM-BUNet: unrolled ADMM, trained with the endmembers to reconstruct the scene.

    ::

        a = z / sum_k z_k,   z by layers of  x = W y + B (z + d),  z = max(0, x - d - theta),  d = d - eta (x - z)
        minimise  mean ||y - M^T a||^2   over W, B, theta, eta of each layer and M >= 0

    where y [reflectance] is a pixel over its good bands, M (endmember, band) [reflectance] the endmembers, a the
    abundances [area fraction]. Every layer begins as a step of ADMM for sparse non-negative least squares, so that few
    layers, trained, do what many do untrained. It is a point estimate. See ``docs/methods/unrolled_admm.md``.

    Parameters
    ----------
    n_endmembers, seed, learning_rate, threads
        As in :class:`~unmixel.methods._networks.NetworkMethod`.
    extraction : str
        How the endmembers at which training begins are found when no bundle is given.
    n_epochs : int
        Passes over at most 10 000 pixels of the scene, of 20 steps at least.
    n_layers : int

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    C. Zhou and M. R. D. Rodrigues, *ADMM-Based Hyperspectral Unmixing Networks for Abundance and Endmember
    Estimation*, IEEE TGRS 60, 2022, doi:10.1109/TGRS.2021.3136336.
    """

    name: ClassVar[str] = "unrolled_admm"
    summary: ClassVar[str] = "unrolled ADMM trained on the scene: linear mixing, endmembers refined, no uncertainty"
    reference: ClassVar[str] = "Zhou & Rodrigues 2022, doi:10.1109/TGRS.2021.3136336"
    fitted_type: ClassVar[type[Fitted]] = FixedSpectraNetworkFitted
    positive: ClassVar[tuple[str, ...]] = (*NetworkMethod.positive, "n_layers")

    n_epochs: int = 50
    learning_rate: float = 1e-3
    n_layers: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "n_layers", most=MOST_LAYERS, expected=f"at most {MOST_LAYERS}")

    def network(self, endmembers: Float[np.ndarray, "endmember band"]) -> UnrolledADMM:
        return UnrolledADMM(endmembers, self.n_layers)

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FixedSpectraNetworkFitted:
        sample, network = self.sample_of(pixels), self.seeded_network(endmembers.means)
        batch_size = min(BATCH, len(sample))

        def step() -> tuple[Tensor, Mapping[str, float]]:
            network.keep_non_negative()
            batch = sample[torch.randint(len(sample), (batch_size,))]
            misfit = (network.mix(network.abundances(batch)) - batch) / network.scale
            loss = misfit.square().mean()
            return loss, {"misfit": float(loss.detach())}

        n_steps = max(FEWEST_STEPS, -(-len(sample) // batch_size))
        record = self.train(network, step, n_steps, sample, progress, checkpoint)
        network.keep_non_negative()
        fitted = FixedSpectraNetworkFitted(self, scene, endmembers.names, network.endmembers, network)
        fitted.record = record
        return fitted


METHOD = UnrolledADMMNetwork
