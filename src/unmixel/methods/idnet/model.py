"""p and q put together, from starting values, from published settings, or from a saved state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unmixel.methods.idnet.generative import BundleDecoder, Generative, NetworkDecoder
from unmixel.methods.idnet.inference import Inference, WhitenedComponents
from unmixel.methods.idnet.start import Start

INFORMED_WIDTHS = (32, 32)
PUBLISHED_SD = 0.1
"""Published start of s_y and s_k [reflectance]."""


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
        g_y and g_a; g_y is the gain of the decoders' nonlinear stream too.
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
        p, h, n_bands = shape.n_endmembers, shape.n_latents, shape.n_bands
        decoder: NetworkDecoder | BundleDecoder
        features: nn.Module
        if shape.published:
            decoder, features = NetworkDecoder(p, h, n_bands), nn.Identity()
        else:
            decoder = BundleDecoder(torch.zeros(p, n_bands), torch.zeros(p, h, n_bands), shape.mixing_gain)
            features = WhitenedComponents(torch.zeros(n_bands), torch.zeros(shape.n_features, n_bands))
        self.p = Generative(
            decoder,
            n_endmembers=p,
            n_latents=h,
            n_bands=n_bands,
            mixing_gain=shape.mixing_gain,
            noise_sd=PUBLISHED_SD,
            endmember_sd=torch.full((p,), PUBLISHED_SD),
            shared_brightness=0.0 if shape.published else shape.shared_brightness,
        )
        self.q = Inference(
            features,
            n_features=n_bands if shape.published else shape.n_features,
            n_endmembers=p,
            n_latents=h,
            n_bands=n_bands,
            widths=(5 * h, 2 * h) if shape.published else INFORMED_WIDTHS,
            endmembers=self.p.endmembers,
            abundance_gain=shape.abundance_gain,
            n_ista=shape.n_ista,
        )

    def begin(self, start: Start) -> None:
        """Take noise from the data and, unless published, everything else that the data say.

        A published decoder starts with its mean spectra at the bundles' means.
        """
        state = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in start._asdict().items()}
        with torch.no_grad():
            self.p.log_noise_sd.copy_(state["noise_sd"].log())
            self.p.log_endmember_sd.copy_(state["endmember_sd"].log())
            decoder = self.p.decoder
            if isinstance(decoder, NetworkDecoder):
                decoder.begin(state["means"])
                return
            assert isinstance(self.q.features, WhitenedComponents)
            decoder.means.copy_(state["means"])
            decoder.axes.copy_(state["axes"])
            self.q.features.offset.copy_(state["offset"])
            self.q.features.axes.copy_(state["features"])
            self.p.mixing.zero_last_layer()
            self.q.nonlinear.zero_last_layer()

    def posterior_latents(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of q(Z|y)."""
        posterior = self.q.latents(pixels)
        return posterior.mean, posterior.stddev
