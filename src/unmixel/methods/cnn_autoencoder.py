"""CNNAEU: a convolutional autoencoder whose decoder is the linear mixing of neighbouring pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Integer
from scipy.ndimage import distance_transform_edt
from torch import Tensor, nn

from unmixel.errors import ParameterError, SceneError
from unmixel.methods._endmember_spectra import EndmemberSpectra
from unmixel.methods._fitted import Fitted
from unmixel.methods._fitted_networks import NetworkFitted
from unmixel.methods._networks import CAUTION, NetworkMethod, scale_of, taught_abundances
from unmixel.methods._progress import Progress
from unmixel.methods._ranges import check_range
from unmixel.methods._whole_scene import Image, Solution, WholeSceneFitted
from unmixel.nn.angle import angle_of
from unmixel.scene import valid_pixels
from unmixel.train.seeding import threads

N_FILTERS = 48
FEWEST_PIXELS = 2
SLOPE = 0.02
"""Of the leaky ReLU."""
SOFTMAX_SCALE = 3.0


class ConvolutionalAutoencoder(nn.Module):
    """Encoder and decoder, whose weights are endmember spectra.

    Parameters
    ----------
    endmembers : array, shape (endmember, band)
        Where the decoder begins: all of a pixel comes from that pixel.
    kernel_size : int
        Width of the decoder's filters [pixel].
    """

    scale: Tensor

    def __init__(self, endmembers: Float[np.ndarray, "endmember band"], kernel_size: int) -> None:
        super().__init__()
        n_endmembers, n_bands = endmembers.shape
        self.register_buffer("scale", torch.tensor(scale_of(endmembers)))
        self.encoder = nn.Sequential(
            nn.Conv2d(n_bands, N_FILTERS, 3, padding=1, padding_mode="replicate", bias=False),
            nn.LeakyReLU(SLOPE),
            nn.BatchNorm2d(N_FILTERS),
            nn.Conv2d(N_FILTERS, n_endmembers, 1, bias=False),
            nn.LeakyReLU(SLOPE),
            nn.BatchNorm2d(n_endmembers),
        )
        middle = kernel_size // 2
        self.decoder = nn.Conv2d(
            n_endmembers, n_bands, kernel_size, padding=middle, padding_mode="replicate", bias=False
        )
        with torch.no_grad():
            self.decoder.weight.zero_()
            self.decoder.weight[:, :, middle, middle] = torch.from_numpy(endmembers).T / (self.scale * CAUTION)
            self.keep_non_negative()

    def abundances(self, images: Float[Tensor, "image band y x"]) -> Float[Tensor, "image endmember y x"]:
        """Return the abundances of images."""
        return torch.softmax(SOFTMAX_SCALE * self.encoder(images / self.scale), dim=1)

    def mix(self, abundances: Float[Tensor, "image endmember y x"]) -> Float[Tensor, "image band y x"]:
        """Return the images that abundances make."""
        return self.scale * CAUTION * self.decoder(abundances)

    @property
    def endmembers(self) -> Float[np.ndarray, "endmember band"]:
        """The spectra of the decoder: what a wide area of one endmember looks like."""
        return (self.scale * CAUTION * self.decoder.weight.sum(dim=(2, 3)).T).detach().contiguous().numpy()

    @torch.no_grad()
    def keep_non_negative(self) -> None:
        """Put spectra that became negative back to zero."""
        self.decoder.weight.clamp_(min=0)


def mean_angle(
    truth: Float[Tensor, "image band y x"],
    estimate: Float[Tensor, "image band y x"],
    valid: Bool[Tensor, "image y x"],
) -> Float[Tensor, ""]:
    """Return the mean spectral angle of valid pixels [rad].

    Examples
    --------
    >>> one, other = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), torch.tensor([1.0, 1.0]).view(1, 2, 1, 1)
    >>> round(float(mean_angle(one, other, torch.tensor([[[True]]]))), 4)
    0.7854
    """
    cosine = nn.functional.cosine_similarity(truth, estimate, dim=1)[valid]
    return angle_of(cosine).sum() / max(len(cosine), 1)


def filled_image(image: Image) -> Float[Tensor, "1 band y x"]:
    """Return a scene as an image in which invalid pixels look like the nearest valid one."""
    nearest = distance_transform_edt(~image.valid, return_distances=False, return_indices=True)
    filled = image.spread(image.pixels)[tuple(nearest)]
    return torch.from_numpy(np.ascontiguousarray(filled.transpose(2, 0, 1))[None])


class FittedCNNAutoencoder(NetworkFitted, WholeSceneFitted):
    """A trained convolutional autoencoder.

    Attributes
    ----------
    network : ConvolutionalAutoencoder
    """

    method: CNNAutoencoder

    @property
    def endmembers(self) -> Float[np.ndarray, "endmember band"]:
        """The spectra of the decoder [reflectance]."""
        return self.network.endmembers

    @torch.inference_mode()
    def _solve(self, image: Image, progress: Progress | None) -> Solution:
        with threads(self.method.threads):
            abundances = self.network.abundances(filled_image(image))
            mixed = self.network.mix(abundances)
        return {
            name: tensor[0].numpy().transpose(1, 2, 0)[image.valid]
            for name, tensor in {"abundance": abundances, "mixed": mixed}.items()
        }

    def _spectra_in(
        self, solution: Solution, chosen: Integer[np.ndarray, "chosen"]
    ) -> Float[np.ndarray, "chosen endmember band"]:
        return np.broadcast_to(self.endmembers, (len(chosen), *self.endmembers.shape))

    def _nonlinear_in(
        self,
        solution: Solution,
        chosen: Integer[np.ndarray, "chosen"],
        shares: Float[np.ndarray, "chosen endmember band"],
    ) -> Float[np.ndarray, "chosen band"]:
        """Return what neighbours add: their share in the pixel, less the pixel's share in them."""
        return solution["mixed"][chosen] - shares.sum(axis=1)


@dataclass(frozen=True, kw_only=True)
class CNNAutoencoder(NetworkMethod):
    """CNNAEU: an autoencoder of patches that learns abundances and endmembers from the shape of spectra.

    ::

        a = softmax(3 f(Y))                 f: 3 x 3 convolutions, band -> 48 -> endmember
        y_i = sum_d W_d^T a_(i+d)           W_d (endmember, band) >= 0 [reflectance], d: steps to neighbouring pixels
        minimise  mean_i arccos( y_i . x_i / (|y_i| |x_i|) )

    where x_i [reflectance] is pixel i over its good bands, Y a patch, a (endmember, y, x) the abundances [area
    fraction] and M = sum_d W_d the endmembers. The angle doesn't see brightness: shade is no material. It is a
    point estimate. See ``docs/methods/cnn_autoencoder.md``.

    Parameters
    ----------
    n_endmembers, seed, learning_rate, threads
        As in :class:`~unmixel.methods._networks.NetworkMethod`.
    extraction : str
        How the endmembers at which the decoder begins are found when no bundle is given.
    n_epochs : int
        Passes over as many pixels as the scene has.
    patch_size : int
        Width of a patch [pixel], at least 2; smaller in smaller scenes.
    kernel_size : int
        Width of the decoder's filters [pixel], odd.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    References
    ----------
    B. Palsson, M. O. Ulfarsson and J. R. Sveinsson, *Convolutional Autoencoder for Spectral–Spatial Hyperspectral
    Unmixing*, IEEE TGRS 59(1), 2021, doi:10.1109/TGRS.2020.2992743.
    """

    name: ClassVar[str] = "cnn_autoencoder"
    summary: ClassVar[str] = "convolutional autoencoder: spectral and spatial, blind to brightness, no uncertainty"
    reference: ClassVar[str] = "Palsson, Ulfarsson & Sveinsson 2021, doi:10.1109/TGRS.2020.2992743"
    fitted_type: ClassVar[type[Fitted]] = FittedCNNAutoencoder

    n_epochs: int = 100
    learning_rate: float = 1e-3
    patch_size: int = 20
    kernel_size: int = 13

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ParameterError(f"kernel_size = {self.kernel_size}", "an odd number, at least 1")
        check_range(self, "patch_size", least=2, expected="at least 2")

    def network(self, endmembers: Float[np.ndarray, "endmember band"]) -> ConvolutionalAutoencoder:
        return ConvolutionalAutoencoder(endmembers, self.kernel_size)

    def _fit(
        self,
        scene: xr.DataArray,
        pixels: Float[np.ndarray, "pixel band"],
        endmembers: EndmemberSpectra,
        progress: Progress,
        checkpoint: Path | None,
    ) -> FittedCNNAutoencoder:
        valid = torch.from_numpy(valid_pixels(scene))
        if valid.numel() < FEWEST_PIXELS:
            raise SceneError(
                f"a scene of {valid.shape[0]} x {valid.shape[1]} pixels",
                f"at least {FEWEST_PIXELS} pixels, for the network normalises over them",
                "unmix it by a model of a larger scene, or by fcls",
            )
        image = filled_image(Image(pixels, valid.numpy()))[0]
        network = self.seeded_network(endmembers.means)
        taught = filled_image(Image(taught_abundances(pixels, endmembers.means).numpy(), valid.numpy()))[0]
        size = [min(self.patch_size, n) for n in valid.shape]

        def somewhere() -> tuple[slice, slice]:
            y, x = (int(torch.randint(n - wide + 1, ())) for n, wide in zip(valid.shape, size, strict=True))
            return slice(y, y + size[0]), slice(x, x + size[1])

        def lesson() -> Tensor:
            place = somewhere()
            found = network.abundances(image[(slice(None), *place)][None])[0]
            return (found - taught[(slice(None), *place)]).square().mean()

        def step() -> tuple[Tensor, Mapping[str, float]]:
            network.keep_non_negative()
            place = somewhere()
            patch = image[(slice(None), *place)][None]
            loss = mean_angle(patch, network.mix(network.abundances(patch)), valid[place][None])
            return loss, {"angle": float(loss.detach())}

        self.teach(network, lesson)
        record = self.train(network, step, -(-valid.numel() // (size[0] * size[1])), image, progress, checkpoint)
        network.keep_non_negative()
        self._set_brightness(network, image, valid)
        fitted = FittedCNNAutoencoder(self, scene, endmembers.names, network)
        fitted.record = record
        return fitted

    @torch.no_grad()
    def _set_brightness(
        self, network: ConvolutionalAutoencoder, image: Float[Tensor, "band y x"], valid: Bool[Tensor, "y x"]
    ) -> None:
        """Make the reconstruction as bright as the scene: the angle leaves it open."""
        with threads(self.threads):
            network.eval()
            mixed = network.mix(network.abundances(image[None]))[0][:, valid]
        network.decoder.weight *= (mixed * image[:, valid]).sum() / mixed.square().sum().clamp_min(1e-12)


METHOD = CNNAutoencoder
