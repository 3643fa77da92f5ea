"""Fully connected networks: one, or one for each endmember evaluated as batched matrix products."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unmixel.nn.narrow_product import NARROW, Linear


class Dense(nn.Sequential):
    """A fully connected network with ReLU between its layers and none at the end.

    Parameters
    ----------
    sizes : sequence of int
        Widths from input to output.

    Examples
    --------
    >>> Dense([4, 8, 2])(torch.zeros(5, 4)).shape
    torch.Size([5, 2])
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            if i:
                layers.append(nn.ReLU(inplace=True))
            layers.append(Linear(fan_in, fan_out))
        super().__init__(*layers)

    def zero_last_layer(self) -> None:
        """Make the network return zero until it is trained."""
        last = self[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)


class NormalisedDense(nn.Sequential):
    """A fully connected network with normalisation over the batch and an activation after every layer.

    Parameters
    ----------
    sizes : sequence of int
        Widths from input to output.
    activation : callable
        Makes an activation.

    Examples
    --------
    >>> NormalisedDense([4, 8, 2], nn.ReLU)(torch.zeros(5, 4)).shape
    torch.Size([5, 2])
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], nn.Module]) -> None:
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            layers += [Linear(fan_in, fan_out), nn.BatchNorm1d(fan_out), activation()]
        super().__init__(*layers)


def begin_by_xavier(module: nn.Module) -> None:
    """Draw the weights of a fully connected layer as uniform as Glorot and Bengio do, and make its biases zero.

    References
    ----------
    X. Glorot and Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS 2010.
    """
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class EndmemberwiseDense(nn.Module):
    """P networks of the same sizes, one for each endmember: one batched product a layer.

    Parameters
    ----------
    n_endmembers : int
        P.
    sizes : sequence of int
        Widths from input to output, of every network.

    Examples
    --------
    >>> EndmemberwiseDense(3, [2, 8, 6])(torch.zeros(5, 3, 2)).shape
    torch.Size([5, 3, 6])
    """

    def __init__(self, n_endmembers: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in itertools.pairwise(sizes):
            bound = fan_in**-0.5
            self.weights.append(nn.Parameter(torch.empty(n_endmembers, fan_in, fan_out).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(n_endmembers, 1, fan_out).uniform_(-bound, bound)))

    def forward(self, inputs: Float[Tensor, "*batch endmember in"]) -> Float[Tensor, "*batch endmember out"]:
        """Apply network k to row k of every sample."""
        batch = inputs.shape[:-2]
        outputs = self.by_endmember(inputs.reshape(-1, *inputs.shape[-2:]).transpose(0, 1)).transpose(0, 1)
        return outputs.reshape(*batch, *outputs.shape[1:])

    def by_endmember(self, hidden: Float[Tensor, "endmember sample in"]) -> Float[Tensor, "endmember sample out"]:
        """Apply network k to row k, as they lie in memory inside."""
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if i:
                hidden = hidden.relu_()
            if weight.shape[-1] < NARROW:
                hidden = torch.baddbmm(bias.mT, weight.mT, hidden.mT).mT
            else:
                hidden = torch.baddbmm(bias, hidden, weight)
        return hidden

    def zero_last_layer(self) -> None:
        """Make the networks return zero until they are trained."""
        nn.init.zeros_(self.weights[-1])
        nn.init.zeros_(self.biases[-1])
