r"""Abundances of pixels whose endmembers are known: Gauss-Newton steps on the simplex, from a good start.

With :math:`a = \mathrm{softmax}(\eta) \sim \mathrm{Dirichlet}(\alpha, \dots, \alpha)`, whose density in η is
∝ Π_k a_k^α, each step lowers

.. math:: \frac{\lVert y - M^\top a \rVert^2}{2 s^2} - \alpha \sum_k \log a_k

With :math:`J = \mathrm{diag}\, a - a a^\top`, its gradient is :math:`J (M M^\top a - M y) / s^2 - \alpha (1 - P a)`
and its Hessian :math:`J M M^\top J / s^2 + \alpha P J`, of which the last part is replaced by its bound
:math:`\tfrac{\alpha P}2 I`.

References
----------
Böhning, Multinomial logistic regression algorithm, Annals of the Institute of Statistical Mathematics, 1992,
doi 10.1007/BF00048682 (the bound).
MacKay, Choice of basis for Laplace approximation, Machine Learning, 1998, doi 10.1023/A:1007558615313 (why η).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from unmixel.nn.small_systems import solve_positive_definite

LARGEST_STEP = 2.0
"""Of η, and of latents where they move with it."""
FARTHEST_LOGIT = 12.0


@torch.no_grad()
def newton_on_simplex(
    gram: Float[Tensor, "*batch endmember endmember"],
    projected: Float[Tensor, "*batch endmember"],
    abundances: Float[Tensor, "*#batch endmember"],
    noise_variance: Float[Tensor, "*#batch"],
    n_steps: int,
    concentration: float = 1.0,
) -> Float[Tensor, "*batch endmember"]:
    """Return the abundances after some steps. They carry no gradient.

    Parameters
    ----------
    gram : tensor, shape (..., endmember, endmember)
        M Mᵀ.
    projected : tensor, shape (..., endmember)
        M y.
    abundances : tensor, shape (..., endmember)
        Where the steps start, inside the simplex.
    noise_variance : tensor, shape (...)
        s², the same unit squared.
    n_steps : int
    concentration : float
        α.

    Examples
    --------
    >>> endmembers = torch.tensor([[1.0, 0.2, 0.1], [0.1, 0.3, 0.9]])
    >>> pixel = torch.tensor([0.3, 0.7]) @ endmembers
    >>> start, variance = torch.tensor([0.5, 0.5]), torch.tensor(1e-6)
    >>> newton_on_simplex(endmembers @ endmembers.T, endmembers @ pixel, start, variance, 6)
    tensor([0.3000, 0.7000])
    """
    batch, n = projected.shape[:-1], projected.shape[-1]
    gram = gram.reshape(-1, n, n).permute(1, 2, 0)
    projected = projected.reshape(-1, n).T
    logits = abundances.log().expand(*batch, n).reshape(-1, n).T
    precision = noise_variance.reciprocal().expand(batch).reshape(-1)
    for _ in range(n_steps):
        a = logits.softmax(0)
        weighted = gram * a
        gram_a = weighted.sum(1)
        misfit = precision * a * (projected - gram_a)
        downhill = misfit - a * misfit.sum(0) + concentration * (1 - n * a)
        rows = weighted.addcmul_(gram_a.unsqueeze(1), a, value=-1)
        hessian = precision * a.unsqueeze(1) * (rows - (a.unsqueeze(1) * rows).sum(0))
        hessian.diagonal().add_(concentration * n / 2)
        step = solve_positive_definite(torch.cat([hessian, downhill.unsqueeze(1)], dim=1))
        logits = logits + step.clamp_(-LARGEST_STEP, LARGEST_STEP)
        logits = (logits - logits.mean(0)).clamp(-FARTHEST_LOGIT, FARTHEST_LOGIT)
    return logits.softmax(0).T.reshape(*batch, n)
