"""Trained networks inside fitted methods and their saved models."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import nn

from unmixel.methods._fitted import Fitted
from unmixel.methods._fixed_spectra import FixedSpectraFitted, Mixture
from unmixel.methods._method import Method
from unmixel.methods._networks import NetworkMethod
from unmixel.methods._saved_state import spectra_in
from unmixel.scene import good_bands
from unmixel.train.seeding import threads

OF_NETWORK = "network."
"""What the names of a network's arrays begin with in a saved model."""


def arrays_of(network: nn.Module) -> dict[str, np.ndarray]:
    """Return a network's parameters and buffers, as arrays for a saved model."""
    return {OF_NETWORK + name: tensor.numpy() for name, tensor in network.state_dict().items()}


def put_arrays(network: nn.Module, state: dict[str, np.ndarray]) -> None:
    """Put the arrays of a saved model into a network.

    Raises
    ------
    ValueError
        If they are those of another network.
    """
    arrays = {name.removeprefix(OF_NETWORK): a for name, a in state.items() if name.startswith(OF_NETWORK)}
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    except RuntimeError as error:
        raise ValueError(str(error)) from error


class NetworkFitted(Fitted):
    """A fitted method that is a trained network; the other base says how it unmixes.

    Attributes
    ----------
    network : Module
    """

    method: NetworkMethod

    def __init__(self, method: Method, scene: xr.DataArray, endmember: tuple[str, ...], network: Any) -> None:
        super().__init__(method, scene, endmember)
        self.network = network.eval().requires_grad_(False)

    @property
    @abc.abstractmethod
    def endmembers(self) -> Float[np.ndarray, "endmember band"]:
        """Spectra around which a network of this shape is made again [reflectance]."""

    def _state(self) -> dict[str, np.ndarray]:
        return {"endmembers": self.endmembers, **arrays_of(self.network)}

    @classmethod
    def _from_state(cls, method: Any, scene: xr.DataArray, endmember: tuple[str, ...], state: dict) -> NetworkFitted:
        network = method.seeded_network(spectra_in(state, len(endmember), int(good_bands(scene).sum())))
        put_arrays(network, state)
        return cls(method, scene, endmember, network)


class FixedSpectraNetworkFitted(FixedSpectraFitted):
    """A network that gives the weights of spectra that hold in every pixel.

    Attributes
    ----------
    network : Module
        From pixels (pixel, band) to the weights (pixel, endmember) and what the mixing adds (pixel, band), or None.
    """

    method: NetworkMethod

    def __init__(
        self,
        method: Method,
        scene: xr.DataArray,
        endmember: tuple[str, ...],
        endmembers: Float[np.ndarray, "endmember band"],
        network: nn.Module,
    ) -> None:
        super().__init__(method, scene, endmember, endmembers)
        self.network = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def _mixture_of(self, pixels: Float[np.ndarray, "pixel band"]) -> Mixture:
        with threads(self.method.threads):
            weights, nonlinear = self.network(torch.from_numpy(pixels))
        return Mixture(weights.numpy(), None if nonlinear is None else nonlinear.numpy())

    def _state(self) -> dict[str, np.ndarray]:
        return {**super()._state(), **arrays_of(self.network)}

    @classmethod
    def _from_state(
        cls, method: Any, scene: xr.DataArray, endmember: tuple[str, ...], state: dict
    ) -> FixedSpectraNetworkFitted:
        endmembers = spectra_in(state, len(endmember), int(good_bands(scene).sum()))
        network = method.seeded_network(endmembers)
        put_arrays(network, state)
        return cls(method, scene, endmember, endmembers, network)
