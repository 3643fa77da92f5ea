"""Non-negative least squares as a network: iterative soft thresholding, unrolled, with learned steps."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from unmixel.nn.small_systems import invert_positive_definite

DAMPING = 1e-5
"""Added to the diagonal for the start, relative to ρ: it keeps the start finite for collinear endmembers."""
ALIGNED = 16
"""Bands: 64 bytes."""


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
        self, gram: Float[Tensor, "*of endmember endmember"], projected: Float[Tensor, "*batch endmember"]
    ) -> Float[Tensor, "*batch endmember"]:
        """Unmix, given M y and M Mᵀ, one for each pixel or one for all.

        Pixels are the last axis in here: every operation runs along memory.
        """
        n = projected.shape[-1]
        g = gram.reshape(-1, n, n).permute(1, 2, 0).contiguous()
        target = projected.reshape(-1, n).T.contiguous()
        bound = g.abs().sum(1).amax(0).clamp_min(torch.finfo(g.dtype).tiny)
        abundances = _Unrolled.apply(g / bound, target / bound, self.log_steps.exp(), self.thresholds)
        return abundances.T.reshape(projected.shape)


class _Unrolled(torch.autograd.Function):
    """Start and steps, whose gradient is taken for all of them at once and not along a graph."""

    @staticmethod
    def forward(
        ctx: Any,
        gram: Float[Tensor, "endmember endmember #pixel"],
        target: Float[Tensor, "endmember pixel"],
        steps: Float[Tensor, "step"],
        thresholds: Float[Tensor, "step"],
    ) -> Float[Tensor, "endmember pixel"]:
        n_kept = len(steps) if any(ctx.needs_input_grad) else 1
        gradients = target.new_empty(n_kept, *target.shape)
        iterates = target.new_empty(n_kept + 1, *target.shape)
        damped = gram.clone()
        damped.diagonal().add_(DAMPING)
        inverse = invert_positive_definite(damped)
        start = (inverse * target).sum(1)
        last = torch.clamp(start, min=0, out=iterates[0])
        for i, (step, threshold) in enumerate(zip(steps.tolist(), thresholds.tolist(), strict=True)):
            gradient = _gradient(gram, last, target, out=gradients[i % n_kept])
            last = torch.sub(last, gradient, alpha=step, out=iterates[(i + 1) % (n_kept + 1)])
            last.sub_(threshold).relu_()
        ctx.save_for_backward(gram, inverse, start, steps, gradients, iterates)
        return last.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_output: Tensor) -> tuple[Tensor | None, ...]:
        gram, inverse, start, steps, gradients, iterates = ctx.saved_tensors
        by_target = by_gram = None
        before_relu = torch.empty_like(gradients)
        columns, back = gram.unbind(1), by_output
        for i, step in reversed(list(enumerate(steps.tolist()))):
            torch.mul(back, iterates[i + 1] > 0, out=before_relu[i])
            back = before_relu[i].clone()
            for column, value in zip(columns, before_relu[i], strict=True):
                back.addcmul_(column, value, value=-step)
        if any(ctx.needs_input_grad[:2]):
            by_steps_target = before_relu * steps.view(-1, 1, 1)
            by_start_target = (inverse * (back * (start > 0))).sum(1)
            by_target = by_steps_target.sum(0) + by_start_target
            by_gram = -(iterates[:-1].unsqueeze(2) * by_steps_target.unsqueeze(1)).sum(0)
            by_gram = (by_gram - start.unsqueeze(1) * by_start_target).sum_to_size(gram.shape)
        return by_gram, by_target, -(before_relu * gradients).sum((1, 2)), -before_relu.sum((1, 2))


def _gradient(gram: Tensor, abundances: Tensor, target: Tensor, out: Tensor) -> Tensor:
    """Write M Mᵀ a − M y."""
    if gram.shape[-1] == 1:
        return torch.addmm(target, gram[..., 0], abundances, beta=-1, out=out)
    torch.neg(target, out=out)
    for row, abundance in zip(gram.unbind(), abundances, strict=True):
        out.addcmul_(row, abundance)
    return out


def normal_equations(
    endmembers: Float[Tensor, "*#batch endmember band"], pixels: Float[Tensor, "*#batch band"]
) -> tuple[Float[Tensor, "*batch endmember endmember"], Float[Tensor, "*batch endmember"]]:
    """Return M Mᵀ and M y; zeros after the last band let the spectra of every pixel begin alike in memory."""
    missing = -pixels.shape[-1] % ALIGNED
    endmembers, pixels = nn.functional.pad(endmembers, (0, missing)), nn.functional.pad(pixels, (0, missing))
    projected = (endmembers @ pixels.unsqueeze(-1)).squeeze(-1)
    gram = endmembers @ endmembers.mT
    return gram.expand(*projected.shape, gram.shape[-1]), projected
