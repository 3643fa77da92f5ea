"""p and q put together, from starting values, from published settings, or from a saved state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.generative import Generative, NetworkDecoder
from unmixel.methods.idnet.inference import Inference, WhitenedComponents
from unmixel.methods.idnet.mixing_law import MixingLaw
from unmixel.methods.idnet.regression import Regression
from unmixel.methods.idnet.start import Start
from unmixel.nn.dense import Dense

INFORMED_WIDTHS = (32, 32)


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
    albedo, share_mean, share_sd
        The mixing law, see `MixingLaw`.
    concentration : float
        α, of p(a).
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
    albedo: bool
    share_mean: float
    share_sd: float
    concentration: float
    published: bool

    @property
    def law(self) -> MixingLaw:
        """The mixing law of labels and regression."""
        return MixingLaw(self.albedo, self.share_mean, self.share_sd)


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
            law=shape.law,
            concentration=shape.concentration,
        )
        self.q = Inference(
            nn.Identity() if published else WhitenedComponents(shape.n_features, shape.n_bands),
            **sizes,
            n_features=shape.n_bands if published else shape.n_features,
            regression=Regression(decoder, shape.law, shape.concentration)
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

        A published decoder starts with its mean spectra at the bundles' means.
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
        features.offset.copy_(told["offset"])
        features.axes.copy_(told["features"])
        regression.begin(start, pixels)
        regression.settle(pixels)
        self.p.begin_noise(pixels)
        self.p.latent_scale.copy_(torch.linalg.cholesky(told["latent_covariance"]))
        self.p.log_noise_sd.copy_(0.5 * regression.noise_variance.log())
        self.p.mixing.zero_last_layer()
        self.q.nonlinear.zero_last_layer()
        assert isinstance(self.q.log_precision, Dense)
        self.q.log_precision.zero_last_layer()
        self.q.latent_mean.zero_last_layer()
        self.q.latent_log_variance.zero_last_layer()
