"""Non-negative least squares as a network: iterative soft thresholding, unrolled, with learned steps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

DAMPING = 1e-5
"""Added to the diagonal for the start, relative to ρ: it keeps the start finite for collinear endmembers."""


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
        return self.solve(*normal_equations(endmembers, pixels))

    def solve(
        self, gram: Float[Tensor, "*batch endmember endmember"], projected: Float[Tensor, "*batch endmember"]
    ) -> Float[Tensor, "*batch endmember"]:
        """Unmix, given M Mᵀ and M y. Pixels are the last axis in here: every operation runs along memory."""
        n = projected.shape[-1]
        g = gram.reshape(-1, n, n).permute(1, 2, 0).contiguous()
        target = projected.reshape(-1, n).T.contiguous()
        bound = g.abs().sum(1).amax(0).clamp_min(torch.finfo(g.dtype).tiny)
        g, target = g / bound, target / bound
        damping = DAMPING * torch.eye(n, dtype=g.dtype, device=g.device).unsqueeze(-1)
        abundances = torch.relu(solve_positive_definite(g + damping, target))
        for step, threshold in zip(self.log_steps.exp().unbind(), self.thresholds.unbind(), strict=True):
            gradient = (g * abundances).sum(1) - target
            abundances = torch.relu(torch.addcmul(abundances - threshold, gradient, -step))
        return abundances.T.reshape(projected.shape)


def normal_equations(
    endmembers: Float[Tensor, "*#batch endmember band"], pixels: Float[Tensor, "*#batch band"]
) -> tuple[Float[Tensor, "*batch endmember endmember"], Float[Tensor, "*batch endmember"]]:
    """Return M Mᵀ and M y."""
    projected = (endmembers @ pixels.unsqueeze(-1)).squeeze(-1)
    gram = endmembers @ endmembers.mT
    return gram.expand(*projected.shape, gram.shape[-1]), projected


def solve_positive_definite(
    matrices: Float[Tensor, "n n batch"], targets: Float[Tensor, "n batch"]
) -> Float[Tensor, "n batch"]:
    """Solve many small positive definite systems by Gauss-Jordan elimination, which needs no pivots for them.

    Examples
    --------
    >>> matrix, target = torch.tensor([[2.0, 1.0], [1.0, 3.0]]), torch.tensor([4.0, 7.0])
    >>> solve_positive_definite(matrix.unsqueeze(-1), target.unsqueeze(-1)).squeeze(-1)
    tensor([1., 2.])
    """
    n = len(targets)
    rows = torch.cat([matrices, targets.unsqueeze(1)], dim=1)
    unit = torch.eye(n, dtype=rows.dtype, device=rows.device).unsqueeze(-1)
    for k in range(n):
        pivot = rows[k] / rows[k, k]
        rows = rows - (rows[:, k] - unit[k]).unsqueeze(1) * pivot
    return rows[:, n]
