"""p and q put together, from starting values, from published settings, or from a saved state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.generative import Generative, NetworkDecoder, linear_mixture
from unmixel.methods.idnet.inference import Inference, WhitenedComponents
from unmixel.methods.idnet.regression import Regression, alike_neighbours
from unmixel.methods.idnet.start import Start
from unmixel.nn.dense import Dense

INFORMED_WIDTHS = (32, 32)
N_NOISE_ROUNDS = 3
MODEL_ERROR = 0.025
"""What no model of a scene explains, relative to its mean reflectance: calibration, atmosphere, unknown materials."""


@dataclass(frozen=True)
class Shape:
    """The sizes and gains that, with a state, make a model.

    Attributes
    ----------
    n_endmembers, n_latents, n_bands : int
        P, H and L.
    n_features : int
        Whitened components that the networks of q see; 0 for the bands themselves.
    n_ista : int
        Unrolled steps of l.
    mixing_gain, abundance_gain : float
        g_y and g_a.
    shared_brightness : float
        Correlation of the brightness latents of different endmembers.
    published : bool
        Whether decoders and q have their published form.
    """

    n_endmembers: int
    n_latents: int
    n_bands: int
    n_features: int
    n_ista: int
    mixing_gain: float
    abundance_gain: float
    shared_brightness: float
    published: bool


class IDNetModel(nn.Module):
    """The generative model p and the inference model q of one scene."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        sizes = {"n_endmembers": shape.n_endmembers, "n_latents": shape.n_latents, "n_bands": shape.n_bands}
        published = shape.published
        decoder = NetworkDecoder(**sizes) if published else BundleDecoder(**sizes)
        self.p = Generative(
            decoder,
            **sizes,
            mixing_gain=shape.mixing_gain,
            shared_brightness=0.0 if published else shape.shared_brightness,
        )
        self.q = Inference(
            nn.Identity() if published else WhitenedComponents(shape.n_features, shape.n_bands),
            **sizes,
            n_features=shape.n_bands if published else shape.n_features,
            regression=Regression(decoder, bilinear=shape.mixing_gain > 0)
            if isinstance(decoder, BundleDecoder)
            else None,
            widths=(5 * shape.n_latents, 2 * shape.n_latents) if published else INFORMED_WIDTHS,
            endmembers=self.p.endmembers,
            abundance_gain=shape.abundance_gain,
            n_ista=shape.n_ista,
        )

    @torch.no_grad()
    def begin(self, start: Start, pixels: Tensor) -> None:
        """Take the noise from the data and, unless published, everything else that the data say.

        A published decoder starts with its mean spectra at the bundles' means. Otherwise the noise is what the
        regression of some pixels leaves over, in the median pixel, and the model's own error: what the model can't
        explain counts as noise, and even without noise it is not believed to the last digit.
        """
        told = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in start._asdict().items()}
        self.p.log_noise_sd.copy_(told["noise_sd"].log())
        self.p.log_endmember_sd.copy_(told["endmember_sd"].log())
        decoder, features, regression = self.p.decoder, self.q.features, self.q.regression
        if isinstance(decoder, NetworkDecoder):
            decoder.begin(told["means"])
            return
        assert isinstance(features, WhitenedComponents)
        assert regression is not None
        decoder.means.copy_(told["means"])
        decoder.axes.copy_(told["axes"])
        decoder.hidden_axes.copy_(told["hidden_axes"])
        regression.average.copy_(alike_neighbours(decoder.basis.flatten(0, 1), len(regression.average)))
        regression.precision.copy_(torch.cholesky_inverse(self.p.latent_scale))
        regression.noise_variance.copy_(told["noise_sd"].square())
        regression.endmember_variance.copy_(told["endmember_sd"].square())
        features.offset.copy_(told["offset"])
        features.axes.copy_(told["features"])
        for _ in range(N_NOISE_ROUNDS):
            found = regression(pixels)
            left = pixels - found.bilinear - linear_mixture(decoder(found.mean), found.abundances)
            left_over = left.square().mean(-1).median().clamp_min(told["noise_sd"].square())
            variance = left_over + (MODEL_ERROR * pixels.mean()).square()
            regression.noise_variance.copy_(variance)
        self.p.log_noise_sd.copy_(0.5 * regression.noise_variance.log())
        self.p.mixing.zero_last_layer()
        self.q.nonlinear.zero_last_layer()
        assert isinstance(self.q.log_precision, Dense)
        self.q.log_precision.zero_last_layer()
        self.q.latent_mean.zero_last_layer()
        self.q.latent_log_variance.zero_last_layer()
