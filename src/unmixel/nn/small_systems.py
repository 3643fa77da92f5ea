"""Many small positive definite systems at once, pixels along memory."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


@torch.no_grad()
def solve_positive_definite(
    matrices: Float[Tensor, "n n batch"], targets: Float[Tensor, "n batch"]
) -> Float[Tensor, "n batch"]:
    """Solve symmetric positive definite systems by elimination. It carries no gradient.

    Examples
    --------
    >>> matrix, target = torch.tensor([[2.0, 1.0], [1.0, 3.0]]), torch.tensor([4.0, 7.0])
    >>> solve_positive_definite(matrix.unsqueeze(-1), target.unsqueeze(-1)).squeeze(-1)
    tensor([1., 2.])
    """
    upper, solution = matrices.clone(), targets.clone()
    n = len(solution)
    for k in range(n - 1):
        below = upper[k, k + 1 :]
        scaled = below / upper[k, k]
        upper[k + 1 :, k + 1 :].addcmul_(scaled.unsqueeze(1), below.unsqueeze(0), value=-1)
        solution[k + 1 :].addcmul_(scaled, solution[k], value=-1)
    for k in reversed(range(n)):
        solution[k] -= (upper[k, k + 1 :] * solution[k + 1 :]).sum(0)
        solution[k] /= upper[k, k]
    return solution


@torch.no_grad()
def invert_positive_definite(matrices: Float[Tensor, "n n batch"]) -> Float[Tensor, "n n batch"]:
    """Invert symmetric positive definite matrices by Gauss-Jordan elimination, which needs no pivots for them.

    Every operation runs along the batch: for the few rows that endmembers make it is about twice as fast as a
    factorisation of one matrix after the other. It carries no gradient.

    Examples
    --------
    >>> matrix = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    >>> (invert_positive_definite(matrix.unsqueeze(-1)).squeeze(-1) @ matrix).round(decimals=6)
    tensor([[1., 0.],
            [0., 1.]])
    """
    inverse = matrices.clone()
    for k in range(len(inverse)):
        pivot = inverse[k, k].reciprocal()
        row, column = inverse[k] * pivot, inverse[:, k].clone()
        column[k] = 0
        inverse.addcmul_(column.unsqueeze(1), row.unsqueeze(0), value=-1)
        torch.mul(column, -pivot, out=inverse[:, k])
        inverse[k] = row
        inverse[k, k] = pivot
    return inverse
