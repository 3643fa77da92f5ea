"""The standard normal, from which latents are not to differ more than they must."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def divergence_from_standard(
    mean: Float[Tensor, "*batch latent"], log_variance: Float[Tensor, "*batch latent"]
) -> Float[Tensor, "*batch"]:
    r"""Return how far independent normal latents are from standard ones [nat].

    .. math:: \mathrm{KL}(N(\mu, \operatorname{diag} \sigma^2) \,\|\, N(0, I))
              = \tfrac12 \sum_h (\mu_h^2 + \sigma_h^2 - 1 - \log \sigma_h^2)

    Examples
    --------
    >>> import torch
    >>> divergence_from_standard(torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2))
    tensor([2.])
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)
