"""Matrix products whose every row is the same to the bit wherever it stands."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

NARROW = 16
"""Columns of a product from which every processor that was tried rounds a row the same wherever it stands."""


def narrow_product(pixels: Float[Tensor, "*batch in"], weights: Float[Tensor, "out in"]) -> Float[Tensor, "*batch out"]:
    r"""Return :math:`X W^\top`, made as :math:`(W X^\top)^\top` if it has few columns.

    On AMD processors, MKL sums the products of a few columns in an order that depends on the row's place in memory, so
    that what is found in a pixel would depend on its place among others. With pixels along the columns it does not.

    Examples
    --------
    >>> import torch
    >>> narrow_product(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[10.0, 1.0]]))
    tensor([[12.],
            [34.]])
    """
    if len(weights) >= NARROW:
        return pixels @ weights.T
    flat = pixels.reshape(-1, pixels.shape[-1])
    return (weights @ flat.T).T.reshape(*pixels.shape[:-1], len(weights))


class Linear(nn.Linear):
    """A layer whose every row is the same to the bit wherever it stands."""

    def forward(self, pixels: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Apply the layer."""
        return (
            super().forward(pixels) if self.out_features >= NARROW else narrow_product(pixels, self.weight) + self.bias
        )
