"""A normal distribution over vectors with one standard deviation for all entries."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints


class IsotropicNormal(Distribution):
    r"""N(mean, sd² I) over vectors of length n.

    .. math:: \log p(x) = -\tfrac12 \lVert x - \mu \rVert^2 / \sigma^2 - n \log \sigma - \tfrac n2 \log 2\pi

    Parameters
    ----------
    mean : tensor, shape (..., n)
    sd : tensor, broadcastable to (...)

    Examples
    --------
    >>> IsotropicNormal(torch.zeros(2), torch.tensor(1.0)).log_prob(torch.tensor([1.0, 1.0]))
    tensor(-2.8379)
    """

    arg_constraints = {"mean": constraints.real_vector, "sd": constraints.positive}  # noqa: RUF012 (torch's own form)
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, mean: Tensor, sd: Tensor) -> None:
        self.loc = mean
        self.sd = sd
        super().__init__(mean.shape[:-1], mean.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (self.sd**2)[..., None].expand_as(self.loc)

    def log_prob(self, value: Tensor) -> Float[Tensor, "..."]:
        n = self.loc.shape[-1]
        squared = (value - self.loc).square().sum(-1)
        return -0.5 * squared / self.sd**2 - n * (self.sd.log() + 0.5 * math.log(2 * math.pi))

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        noise = torch.randn(*sample_shape, *self.loc.shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + self.sd[..., None] * noise
