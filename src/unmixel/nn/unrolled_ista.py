"""Non-negative least squares as a network: iterative soft thresholding, unrolled, with learned steps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class UnrolledISTA(nn.Module):
    r"""Non-negative sparse least squares, min ½‖y − Mᵀa‖² + t ‖a‖₁ over a ≥ 0, unrolled.

    .. math:: a_{i+1} = \max(0,\; a_i - \eta_i (M M^T a_i - M y) / \rho - \theta_i), \qquad a_0 = \max(0, (M^T)^+ y)

    where ρ is a bound on the largest eigenvalue of M Mᵀ, so that the learned steps η_i (starting at 1) mean the same
    for every M; the thresholds θ_i start at zero. M is (endmember, band).

    Parameters
    ----------
    n_steps : int
        Number of unrolled steps.

    References
    ----------
    Gregor & LeCun, Learning fast approximations of sparse coding, ICML 2010.

    Examples
    --------
    >>> endmembers = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    >>> UnrolledISTA(500)(endmembers, torch.tensor([[0.6, 0.2]])).detach().round(decimals=3)
    tensor([[0.4000, 0.4000]])
    """

    def __init__(self, n_steps: int) -> None:
        super().__init__()
        self.log_steps = nn.Parameter(torch.zeros(n_steps))
        self.thresholds = nn.Parameter(torch.zeros(n_steps))

    def forward(
        self, endmembers: Float[Tensor, "*#batch endmember band"], pixels: Float[Tensor, "*#batch band"]
    ) -> Float[Tensor, "*batch endmember"]:
        """Unmix pixels, each with its own endmembers."""
        gram = endmembers @ endmembers.mT
        projected = (endmembers @ pixels.unsqueeze(-1)).squeeze(-1)
        return self.from_gram(gram, projected)

    def from_gram(
        self, gram: Float[Tensor, "*batch endmember endmember"], projected: Float[Tensor, "*batch endmember"]
    ) -> Float[Tensor, "*batch endmember"]:
        """Unmix, given M Mᵀ and M y."""
        bound = gram.abs().sum(-1).amax(-1)[..., None].clamp_min(torch.finfo(gram.dtype).tiny)
        # a whisper of damping keeps the start finite for collinear endmembers
        damped = gram + 1e-5 * bound[..., None] * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        abundances = torch.relu(torch.linalg.solve_ex(damped, projected.unsqueeze(-1))[0].squeeze(-1))
        steps = self.log_steps.exp()
        for step, threshold in zip(steps, self.thresholds, strict=True):
            gradient = (gram * abundances.unsqueeze(-2)).sum(-1) - projected
            abundances = torch.relu(abundances - step * gradient / bound - threshold)
        return abundances
