"""UnDIP: abundances are what a convolutional network makes of noise: it fits smooth maps before it fits noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Integer
from torch import Tensor, nn

from unmixel.errors import SceneError
from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._method import Method
from unmixel.methods._networks import CPU, NetworkMethod, scale_of, was_interrupted
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods._saved_state import spectra_in
from unmixel.methods._whole_scene import Image, Solution, WholeSceneFitted
from unmixel.preprocess import noise_source
from unmixel.scene import good_bands
from unmixel.solvers import ucls
from unmixel.train.seeding import seeded, threads

N_SKIPPED = 4
"""Channels that go past the coarse image."""
INPUT_SIZE = 0.1
"""The input is uniform from 0 to this."""
MEMORY = 0.95
"""What a step's abundances weigh in their mean, relative to those of the next step."""
LEAST_SIDE = 3
"""Rows or columns, whichever are more."""
STEPS_PER_EPOCH = 10
PATIENCE = 4
"""Epochs after the misfit reached that of the noise."""


class DeepImagePrior(nn.Module):
    """An hourglass of one level with a skip, and softmax at the end: from noise to abundances.

    Parameters
    ----------
    n_endmembers, n_channels : int
    """

    def __init__(self, n_endmembers: int, n_channels: int) -> None:
        super().__init__()
        self.skip = _layer(n_endmembers, N_SKIPPED, 1)
        self.deeper = nn.Sequential(_layer(n_endmembers, n_channels, 3, stride=2), _layer(n_channels, n_channels, 3))
        self.joined = nn.Sequential(
            nn.BatchNorm2d(n_channels + N_SKIPPED),
            _layer(n_channels + N_SKIPPED, n_channels, 3),
            _layer(n_channels, n_channels, 1),
            nn.Conv2d(n_channels, n_endmembers, 1),
        )

    def forward(self, noise: Float[Tensor, "1 endmember y x"]) -> Float[Tensor, "1 endmember y x"]:
        """Return abundances."""
        coarse = self.deeper(noise)
        deeper = nn.functional.interpolate(coarse, size=noise.shape[2:], mode="bilinear", align_corners=False)
        return torch.softmax(self.joined(torch.cat([self.skip(noise), deeper], dim=1)), dim=1)


def _layer(n_in: int, n_out: int, width: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution, normalised, with leaky ReLU."""
    convolution = nn.Conv2d(n_in, n_out, width, stride=stride, padding=width // 2, padding_mode="replicate")
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2))


def variance_outside(pixels: Float[np.ndarray, "pixel band"], endmembers: Float[np.ndarray, "endmember band"]) -> float:
    """Return the noise variance of a band, from what of the pixels no combination of the endmembers explains.

    Examples
    --------
    >>> endmembers = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    >>> round(variance_outside(np.array([[0.5, 0.5, 0.1, 0.3]]), endmembers), 6)
    0.05
    """
    outside = pixels - ucls(pixels, endmembers) @ endmembers
    free = max(endmembers.shape[1] - len(endmembers), 1)
    return float(np.square(outside, dtype=np.float64).sum()) / (len(pixels) * free)


class RecentMean:
    """Mean of what is seen, in which each weighs `MEMORY` times what the next does; the first is no more than others.

    Attributes
    ----------
    value : tensor
        Of the shape of what is seen; empty before.

    Examples
    --------
    >>> mean = RecentMean()
    >>> for seen in (1.0, 2.0, 3.0):
    ...     mean.see(torch.tensor([seen]))
    >>> round(float(mean.value), 4), round((3 + 0.95 * 2 + 0.95**2) / (1 + 0.95 + 0.95**2), 4)
    (2.0342, 2.0342)
    """

    def __init__(self) -> None:
        self.value = torch.empty(0)
        self._weight = 0.0

    def see(self, seen: Tensor) -> None:
        """Take one more."""
        self._weight = MEMORY * self._weight + 1.0
        self.value = torch.lerp(self.value, seen, 1 / self._weight) if self._weight > 1 else seen.clone()


class FittedUnDIP(WholeSceneFitted):
    """Endmember spectra; every scene gets a network of its own.

    Attributes
    ----------
    endmembers : array, shape (endmember, band)
        Reflectance over the good bands.
    """

    method: UnDIP

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
    ) -> None:
        super().__init__(method, scene, endmember)
        self.endmembers = endmembers
        self._training: dict[str, Any] = {}

    def provenance(self, scene: xr.DataArray) -> dict[str, Any]:
        """Return what `Fitted.provenance` does, and how the last scene that was unmixed was trained on."""
        return {**super().provenance(scene), "noise": noise_source(scene), **self._training}

    def _solve(self, image: Image, progress: Progress | None) -> Solution:
        rows, columns = image.valid.shape
        if max(rows, columns) < LEAST_SIDE:
            raise SceneError(
                f"a scene of {rows} x {columns} pixels",
                f"at least {LEAST_SIDE} rows or columns, for the network normalises over half of them",
                "unmix it by fcls",
            )
        scale = scale_of(self.endmembers)
        pixels = torch.from_numpy(image.pixels / np.float32(scale))
        spectra = torch.from_numpy(self.endmembers / np.float32(scale))
        gram, projected = spectra @ spectra.T, pixels @ spectra.T
        noise_variance = variance_outside(pixels.numpy(), spectra.numpy())
        if image.noise_told is not None:
            noise_variance = max(noise_variance, float(image.noise_told.mean()) / scale**2)
        power, valid = pixels.square().sum(), torch.from_numpy(image.valid)
        with seeded(self.method.seed, CPU), threads(self.method.threads):
            network = DeepImagePrior(len(spectra), self.method.n_channels)
            noise = INPUT_SIZE * torch.rand(1, len(spectra), *image.valid.shape)
            mean = RecentMean()

            def step() -> tuple[Tensor, Mapping[str, float]]:
                abundances = network(noise)[0][:, valid].T
                mean.see(abundances.detach())
                squared = ((abundances @ gram - 2 * projected) * abundances).sum() + power
                loss = squared / pixels.numel()
                return loss, {"misfit": float(loss.detach())}

            self._training = self.method.train(
                network,
                step,
                STEPS_PER_EPOCH,
                pixels,
                progress or (lambda stage, numbers: None),
                None,
                floor=noise_variance,
                patience=PATIENCE,
            )
        if was_interrupted(self._training):
            raise KeyboardInterrupt
        return {"abundance": mean.value.numpy()}

    def _spectra_in(
        self, solution: Solution, chosen: Integer[np.ndarray, "chosen"]
    ) -> Float[np.ndarray, "chosen endmember band"]:
        return np.broadcast_to(self.endmembers, (len(chosen), *self.endmembers.shape))

    def _state(self) -> dict[str, np.ndarray]:
        return {"endmembers": self.endmembers}

    @classmethod
    def _from_state(cls, method: Any, scene: xr.DataArray, endmember: tuple[str, ...], state: dict) -> FittedUnDIP:
        return cls(method, scene, endmember, spectra_in(state, len(endmember), int(good_bands(scene).sum())))


@dataclass(frozen=True, kw_only=True)
class UnDIP(NetworkMethod):
    """UnDIP: unmixing by a deep image prior.

    ::

        A = softmax(f(Z)),   minimise over the weights of f:  ||Y - A M||^2,   until the misfit is that of the noise

    where Y (pixel, band) [reflectance] is the scene over its good bands, M (endmember, band) [reflectance] the mean
    spectra of the bundles, A (pixel, endmember) the abundances [area fraction], Z an image of noise that stays the
    same, and f a convolutional network with random weights. Such a network fits what is smooth or repeats itself long
    before it fits noise. It is a point estimate, trained anew for every scene. See ``docs/methods/undip.md``.

    Parameters
    ----------
    n_endmembers, seed, learning_rate
        As in :class:`~unmixel.methods._networks.NetworkMethod`.
    extraction : str
        How endmembers are found when no bundle is given: a name from `unmixel.extraction`.
    n_epochs : int
        Of 10 steps, at most; it stops when the misfit is that of the noise.
    threads : int
        Threads of torch while unmixing.
    n_channels : int
        Channels of the network.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    B. Rasti, B. Koirala, P. Scheunders and P. Ghamisi, *UnDIP: Hyperspectral Unmixing Using Deep Image Prior*,
    IEEE TGRS 60, 2022, doi:10.1109/TGRS.2021.3067802.
    """

    name: ClassVar[str] = "undip"
    summary: ClassVar[str] = "deep image prior: linear mixing, smooth maps from noisy scenes, no uncertainty"
    reference: ClassVar[str] = "Rasti, Koirala, Scheunders & Ghamisi 2022, doi:10.1109/TGRS.2021.3067802"
    fitted_type: ClassVar[type[Fitted]] = FittedUnDIP
    positive: ClassVar[tuple[str, ...]] = (*NetworkMethod.positive, "n_channels")

    n_epochs: int = 100
    learning_rate: float = 5e-3
    n_channels: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "n_channels", most=MOST_CHANNELS, expected=f"at most {MOST_CHANNELS}")

    def network(self, endmembers: Float[np.ndarray, "endmember band"]) -> DeepImagePrior:
        return DeepImagePrior(len(endmembers), self.n_channels)

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedUnDIP:
        return FittedUnDIP(self, scene, endmembers.names, endmembers.means)


MOST_CHANNELS = 1024

METHOD = UnDIP
