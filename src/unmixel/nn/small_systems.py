r"""Many small positive definite systems at once, pixels along memory.

Elimination turns A x = b into U x = D Wb with :math:`A = W^{-1} D W^{-\top}`, W lower triangular with ones on its
diagonal, D diagonal and :math:`U = D W^{-\top}`. Its steps are few, and each runs along all pixels: for the few rows
that endmembers make that is about twice as fast as a factorisation of one matrix after the other. To solve systems,
only what A has on and above its diagonal counts. Nothing carries a gradient.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


@torch.no_grad()
def solve_positive_definite(system: Float[Tensor, "n columns batch"]) -> Float[Tensor, "n batch"]:
    """Solve symmetric positive definite systems (A, b) by elimination and back-substitution. They are overwritten.

    Examples
    --------
    >>> solve_positive_definite(torch.tensor([[2.0, 1.0, 4.0], [1.0, 3.0, 7.0]]).unsqueeze(-1)).squeeze(-1)
    tensor([1., 2.])
    """
    below = system
    for _ in range(len(system) - 1):
        row, below = below[0], below[1:, 1:]
        below.addcmul_((row[1:-1] / row[0]).unsqueeze(1), row[1:], value=-1)
    columns, solution = system.unbind(1), system[:, -1]
    for k in reversed(range(len(solution))):
        solved = solution[k].div_(columns[k][k])
        solution[:k].addcmul_(columns[k][:k], solved, value=-1)
    return solution


@torch.no_grad()
def solve_with_variances(
    system: Float[Tensor, "n columns batch"],
) -> tuple[Float[Tensor, "n batch"], Float[Tensor, "n batch"]]:
    r"""Solve symmetric positive definite systems (A, b), and return the diagonals of the inverses of A, too.

    Both need W alone, whose rows elimination leaves in place of what it has eliminated:
    :math:`x = W^\top D^{-1} (W b)` and :math:`A^{-1}_{jj} = \sum_k W_{kj}^2 / D_k`. The systems are overwritten.

    Examples
    --------
    >>> system = torch.tensor([[2.0, 1.0, 4.0], [1.0, 3.0, 7.0]])
    >>> solution, variances = solve_with_variances(system.unsqueeze(-1))
    >>> solution.squeeze(-1), variances.squeeze(-1)
    (tensor([1., 2.]), tensor([0.6000, 0.4000]))
    """
    solution, variances = torch.empty_like(system[:, -1]), torch.empty_like(system[:, -1])
    for k, row in enumerate(system):
        variances[k] = row[k].reciprocal()
        solution[k] = row[-1] * variances[k]
        divided = row[:-1] * variances[k]
        variances[:k].addcmul_(divided[:k], row[:k])
        solution[:k].addcmul_(row[:k], solution[k])
        below = system[k + 1 :]
        below.addcmul_(divided[k + 1 :].unsqueeze(1), row, value=-1)
        torch.neg(divided[k + 1 :], out=below[:, k])
    return solution, variances


@torch.no_grad()
def invert_positive_definite(matrices: Float[Tensor, "n n batch"]) -> Float[Tensor, "n n batch"]:
    """Invert symmetric positive definite matrices by Gauss-Jordan elimination, which needs no pivots for them.

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
