"""Two streams added: a linear one that can be read, and a nonlinear one that says how far from linear it is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class TwoStream(NamedTuple):
    """The sum of two streams, output = linear + gain · nonlinear.

    Attributes
    ----------
    linear : tensor, shape (..., n)
    nonlinear : tensor, shape (..., n)
        Already multiplied by its gain.

    Examples
    --------
    >>> streams = TwoStream(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 5.0]]))
    >>> streams.output
    tensor([[3., 9.]])
    >>> streams.nonlinearity_degree
    tensor([0.5000])
    """

    linear: Tensor
    nonlinear: Tensor

    @property
    def output(self) -> Float[Tensor, "*batch n"]:
        """The sum of both streams."""
        return self.linear + self.nonlinear

    @property
    def nonlinearity_degree(self) -> Float[Tensor, "*batch"]:
        """The nonlinear share ‖nonlinear‖ / (‖linear‖ + ‖nonlinear‖), 0 to 1."""
        linear = torch.linalg.vector_norm(self.linear, dim=-1)
        nonlinear = torch.linalg.vector_norm(self.nonlinear, dim=-1)
        return nonlinear / (linear + nonlinear).clamp_min(torch.finfo(linear.dtype).tiny)
