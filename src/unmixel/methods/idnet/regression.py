r"""The regression stream of q: the most probable abundances, latents and bilinear share of a pixel.

With decoders :math:`m_k = \bar m_k + W_k^\top z_k` and abundances :math:`a = \mathrm{softmax}(\eta)`, a pixel is

.. math:: y = f(\eta, z, \gamma) + n, \quad f = M^\top a + \gamma \sum_{j<k} a_j a_k\, m_j \odot m_k, \quad
          n \sim \mathcal N(0, s^2 I), \quad s^2 = s_y^2 + \sum_k a_k^2 s_k^2,

and with :math:`Z \sim \mathcal N(0, \Lambda^{-1})`, :math:`a \sim \mathrm{Dirichlet}(\alpha, \dots, \alpha)` (in the
coordinates η: density ∝ Π_k a_k^α) and :math:`\gamma \sim \mathcal N(\gamma_0, \sigma_\gamma^2)` the regression
minimises

.. math:: \frac{\lVert y - f \rVert^2}{2 s^2} + \tfrac12 z^\top \Lambda z - \alpha \sum_k \log a_k
          + \frac{(\gamma - \gamma_0)^2}{2 \sigma_\gamma^2}

by Gauss-Newton steps. Neighbouring bands in which all :math:`\bar m_k` and :math:`W_k` are most alike are averaged
first, down to 32: f is nearly the same in them. The curvature of −α Σ_k log a_k, αP (diag a − a aᵀ) ≤ αP/2 · I, is
replaced by that bound: steps from near a corner of the simplex would overshoot otherwise. The inverse of the last
Hessian is the covariance. Where no light meets two materials there is no γ, and J, by the shares
:math:`a_k (1, z_k)`, is the same in every pixel.

References
----------
Böhning, Multinomial logistic regression algorithm, Annals of the Institute of Statistical Mathematics, 1992,
doi 10.1007/BF00048682 (the bound).
MacKay, Choice of basis for Laplace approximation, Machine Learning, 1998, doi 10.1023/A:1007558615313 (why η).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from unmixel.methods.idnet.bundle_decoder import BundleDecoder
from unmixel.methods.idnet.mixing_law import MixingLaw
from unmixel.methods.idnet.start import Start
from unmixel.nn.narrow_product import narrow_product
from unmixel.nn.simplex_newton import FARTHEST_LOGIT, LARGEST_STEP
from unmixel.nn.small_systems import solve_positive_definite, solve_with_variances
from unmixel.nn.unrolled_ista import UnrolledISTA

FEWEST_STEPS, MOST_STEPS = 3, 5
STEP_TOLERANCE = 0.0025
"""Steps are as many as it takes until one more would change abundances by less (root mean square)."""
N_ISTA = 10
N_BINS = 32
"""Averages of neighbouring bands that the steps look at."""
N_NOISE_ROUNDS = 3
MODEL_ERROR = 0.01
"""What no model of a scene explains, relative to its mean reflectance: calibration, atmosphere, unknown materials."""
START_MIXED = 0.1
"""Share of equal abundances in the start: away from the boundary, where η would be infinite."""


class Regressed(NamedTuple):
    """What the regression finds in every pixel.

    Attributes
    ----------
    abundances : tensor, shape (pixel, endmember)
    logit_variance : tensor, shape (pixel, endmember)
        Marginal variances of η.
    noise_variance : tensor, shape (pixel,)
        s².
    mean : tensor, shape (pixel, endmember, latent)
        The latents.
    variance : tensor, shape (pixel, endmember, latent)
        Their marginal variances.
    bilinear_share : tensor, shape (pixel, 1)
        γ, 0 (linear mixing) to 1 (that of Fan et al. 2009).
    bilinear : tensor, shape (pixel, band)
        γ Σ_{j<k} a_j a_k m_j ⊙ m_k, the light that met two materials [reflectance].
    """

    abundances: Tensor
    logit_variance: Tensor
    noise_variance: Tensor
    mean: Tensor
    variance: Tensor
    bilinear_share: Tensor
    bilinear: Tensor


class State(NamedTuple):
    """Where the regression stands; pixels are the last axis.

    Attributes
    ----------
    logits : tensor, shape (endmember, pixel)
        η.
    latents : tensor, shape (endmember, latent, pixel)
    share : tensor, shape (pixel,)
        γ.
    """

    logits: Tensor
    latents: Tensor
    share: Tensor


class Mixed(NamedTuple):
    """A state seen in the bands; pixels are the last axis.

    Attributes
    ----------
    abundances : tensor, shape (endmember, pixel)
    coordinates : tensor, shape (endmember, term, pixel)
        c = (1, z).
    shares : tensor, shape (endmember, band, pixel)
        a_k m_k.
    linear : tensor, shape (band, pixel)
        Mᵀa.
    products : tensor, shape (band, pixel), optional
        Σ_{j<k} a_j a_k m_j ⊙ m_k, where light may have met two materials.
    """

    abundances: Tensor
    coordinates: Tensor
    shares: Tensor
    linear: Tensor
    products: Tensor | None


class Binned(NamedTuple):
    """Pixels in averages of neighbouring bands.

    Attributes
    ----------
    pixels : tensor, shape (bin, pixel)
    basis : tensor, shape (endmember, term, bin)
        B.
    counts : tensor, shape (bin, 1)
        How many bands each is the average of.
    """

    pixels: Tensor
    basis: Tensor
    counts: Tensor


class Regression(nn.Module):
    """Gauss-Newton steps from non-negative least squares. Nothing here is trained.

    Parameters
    ----------
    decoder : BundleDecoder
        That of p; it stays a part of p.
    law : MixingLaw
        What is known of the bilinear share before.
    concentration : float
        α, what is known of the abundances before.
    """

    average: Tensor
    precision: Tensor
    noise_variance: Tensor
    endmember_variance: Tensor
    n_steps: Tensor

    def __init__(self, decoder: BundleDecoder, law: MixingLaw, concentration: float) -> None:
        super().__init__()
        n_endmembers, n_latents, n_bands = decoder.axes.shape
        self.decoder = (decoder,)  # a tuple hides it from the state of this module
        self.law, self.concentration = law, concentration
        self.register_buffer("average", torch.eye(min(n_bands, N_BINS), n_bands))
        self.register_buffer("precision", torch.eye(n_endmembers * n_latents))
        self.register_buffer("noise_variance", torch.ones(()))
        self.register_buffer("endmember_variance", torch.ones(n_endmembers))
        self.register_buffer("n_steps", torch.tensor(FEWEST_STEPS))
        self.least_squares = UnrolledISTA(N_ISTA).requires_grad_(False)

    @torch.no_grad()
    def begin(self, start: Start, pixels: Float[Tensor, "pixel band"]) -> None:
        """Take everything from the data; the decoder's values, too.

        The noise is what the regression of some pixels leaves over, in the median pixel, for what the model can't
        explain counts as noise; but no less than the noise of the sensor and the error of any model.
        """
        (decoder,) = self.decoder
        told = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in start._asdict().items()}
        for name in ("means", "axes", "hidden_axes"):
            getattr(decoder, name).copy_(told[name])
        self.average.copy_(alike_neighbours(decoder.basis.flatten(0, 1), len(self.average)))
        self.precision.copy_(torch.linalg.inv(told["latent_covariance"].double()))
        self.endmember_variance.copy_(told["endmember_sd"].square() + told["hidden_axes"].square().sum(1).mean(-1))
        self.noise_variance.copy_(told["noise_sd"].square())
        for _ in range(N_NOISE_ROUNDS):
            found = self(pixels)
            left = pixels - found.bilinear - (decoder(found.mean) * found.abundances.unsqueeze(-1)).sum(-2)
            least = torch.maximum(told["noise_sd"], MODEL_ERROR * pixels.mean()).square()
            self.noise_variance.copy_(left.square().mean(-1).median().clamp_min(least))

    @torch.no_grad()
    def settle(self, pixels: Float[Tensor, "pixel band"]) -> None:
        """Take as many steps from now on as these pixels need: with little noise, they are more."""
        scene, state = self.binned(pixels), self.start(pixels)
        for n_steps in range(MOST_STEPS):
            moved = self.move(state, solve_positive_definite(self.equations(state, scene)))
            change = (moved.logits.softmax(0) - state.logits.softmax(0)).square().mean().sqrt()
            if n_steps >= FEWEST_STEPS and change < STEP_TOLERANCE:
                break
            self.n_steps.fill_(max(FEWEST_STEPS, n_steps + 1))
            state = moved

    @torch.no_grad()
    def forward(self, pixels: Float[Tensor, "*batch band"]) -> Regressed:
        """Return what is most probable in each pixel."""
        (decoder,) = self.decoder
        batch, pixels = pixels.shape[:-1], pixels.reshape(-1, pixels.shape[-1])
        scene, state = self.binned(pixels), self.start(pixels)
        for _ in range(int(self.n_steps) - 1):
            state = self.move(state, solve_positive_definite(self.equations(state, scene)))
        step, variances = solve_with_variances(self.equations(state, scene))
        state = self.move(state, step)
        abundances = state.logits.softmax(0)
        n_endmembers, n_latents, n_bands = decoder.axes.shape
        of_logits, of_latents = variances[:n_endmembers], variances[n_endmembers : n_endmembers * (1 + n_latents)]
        return Regressed(
            abundances.T.reshape(*batch, n_endmembers),
            of_logits.T.reshape(*batch, n_endmembers),
            self.variance_at(abundances).reshape(batch),
            state.latents.permute(2, 0, 1).reshape(*batch, n_endmembers, n_latents),
            of_latents.T.reshape(*batch, n_endmembers, n_latents),
            state.share.reshape(*batch, 1),
            self.bilinear(state).reshape(*batch, n_bands),
        )

    def bilinear(self, state: State) -> Float[Tensor, "pixel band"]:
        """Return the light that met two materials, in all bands."""
        (decoder,) = self.decoder
        products = self.mix(state, decoder.basis).products if self.law.bilinear else None
        if products is None:
            return state.share.new_zeros(1, 1).expand(len(state.share), decoder.means.shape[-1])
        return (state.share * products).T

    def binned(self, pixels: Float[Tensor, "pixel band"]) -> Binned:
        """Average neighbouring bands."""
        (decoder,) = self.decoder
        counts = 1 / self.average.square().sum(1, keepdim=True)
        return Binned(self.average @ pixels.T, decoder.basis @ self.average.T, counts)

    def start(self, pixels: Float[Tensor, "pixel band"]) -> State:
        """Return abundances by non-negative least squares with the mean spectra, and everything else at its prior."""
        (decoder,) = self.decoder
        n_endmembers, n_latents, _ = decoder.axes.shape
        abundances = self.least_squares.solve(decoder.means @ decoder.means.T, narrow_product(pixels, decoder.means)).T
        abundances = abundances / abundances.sum(0).clamp_min(1e-6)
        logits = ((1 - START_MIXED) * abundances + START_MIXED / n_endmembers).log()
        share = pixels.new_full((len(pixels),), self.law.share_mean)
        return State(logits, pixels.new_zeros(n_endmembers, n_latents, len(pixels)), share)

    def move(self, state: State, step: Float[Tensor, "unknown pixel"]) -> State:
        """Take a step in (η, z, γ), of limited size."""
        n_endmembers, n_latents, _ = state.latents.shape
        by_logits, by_latents, by_share = step.tensor_split([n_endmembers, n_endmembers * (1 + n_latents)])
        logits = state.logits + by_logits.clamp(-LARGEST_STEP, LARGEST_STEP)
        latents = state.latents + by_latents.clamp(-LARGEST_STEP, LARGEST_STEP).view(state.latents.shape)
        share = (state.share + by_share[0]).clamp(0, 1) if self.law.bilinear else state.share
        return State((logits - logits.mean(0)).clamp(-FARTHEST_LOGIT, FARTHEST_LOGIT), latents, share)

    def equations(self, state: State, scene: Binned) -> Float[Tensor, "unknown column pixel"]:
        """Return the Gauss-Newton Hessian by (η, z), and γ where the law is bilinear; minus the gradient comes last."""
        mixed = self.mix(state, scene.basis)
        n_endmembers, a = len(state.logits), mixed.abundances
        system = to_unknowns(mixed, misfit(state.share, mixed, scene), self.variance_at(a))
        hessian, downhill = system[:, :-1], system[:, -1]
        of_logits, of_latents = slice(n_endmembers), slice(n_endmembers, n_endmembers + len(self.precision))
        hessian[of_logits, of_logits].diagonal().add_(self.concentration * n_endmembers / 2)
        downhill[of_logits] += self.concentration * (1 - n_endmembers * a)
        hessian[of_latents, of_latents] += self.precision.unsqueeze(-1)
        downhill[of_latents].addmm_(self.precision, state.latents.flatten(0, 1), alpha=-1)
        if self.law.bilinear:
            hessian[-1, -1] += self.law.share_sd**-2
            downhill[-1] -= (state.share - self.law.share_mean) / self.law.share_sd**2
        return system

    def variance_at(self, abundances: Float[Tensor, "endmember pixel"]) -> Float[Tensor, "pixel"]:
        """Return s²."""
        return self.noise_variance + self.endmember_variance @ abundances.square()

    def mix(self, state: State, basis: Float[Tensor, "endmember term band"]) -> Mixed:
        """See a state in the bands."""
        abundances = state.logits.softmax(0)
        coordinates = torch.cat([torch.ones_like(state.latents[:, :1]), state.latents], dim=1)
        shares = torch.bmm(basis.mT, coordinates * abundances.unsqueeze(1))
        linear = shares.sum(0)
        products = None
        if self.law.bilinear:
            products = linear.square()
            for own in shares:
                products.addcmul_(own, own, value=-1)
            products *= 0.5
        return Mixed(abundances, coordinates, shares, linear, products)


class OfBilinear(NamedTuple):
    r"""What :math:`\tfrac12 \lVert y - f \rVert^2` to second order has of γ.

    Attributes
    ----------
    by_shares : tensor, shape (endmember, term, pixel)
        Jᵀ∂f/∂γ.
    by_itself : tensor, shape (pixel,)
        ‖∂f/∂γ‖².
    down : tensor, shape (pixel,)
        (∂f/∂γ)ᵀ(y − f).
    """

    by_shares: Tensor
    by_itself: Tensor
    down: Tensor


class Misfit(NamedTuple):
    r"""½‖y − f‖² to second order in the shares :math:`a_k c_{kt}` and γ.

    Attributes
    ----------
    by_shares : tensor, shape (endmember, endmember, term, term, pixel or 1)
        JᵀJ, of each two endmembers: the same in all pixels without γ.
    down_shares : tensor, shape (endmember, term, pixel)
        Jᵀ(y − f).
    bilinear : OfBilinear, optional
        Where the law is.
    """

    by_shares: Tensor
    down_shares: Tensor
    bilinear: OfBilinear | None


def misfit(share: Float[Tensor, "pixel"], mixed: Mixed, scene: Binned) -> Misfit:
    r"""See how the misfit changes: J is :math:`B_{kt} \odot w_k`, :math:`w_k = 1 + \gamma \sum_{j \ne k} a_j m_j`.

    Without γ all :math:`w_k` are 1. Then what all mean spectra share is left out of J, which makes rounding smaller:
    the abundances add up to 1, so no step in η can change f along it.
    """
    pixels, basis, counts = scene
    n_endmembers, n_terms, n_bins = basis.shape
    if mixed.products is None:
        varying = torch.cat([basis[:, :1] - basis[:, :1].mean(0), basis[:, 1:]], dim=1)
        flat = varying.flatten(0, 1)
        gram = ((flat * counts.T) @ flat.T).view(n_endmembers, n_terms, n_endmembers, n_terms, 1).transpose(1, 2)
        left = (pixels - mixed.linear).mul_(counts)
        return Misfit(gram, (flat @ left).view(n_endmembers, n_terms, -1), None)
    left = (pixels - mixed.linear).addcmul_(share, mixed.products, value=-1).mul_(counts)
    products = counts * mixed.products
    weights = torch.addcmul(1 + share * mixed.linear, share, mixed.shares, value=-1)
    gram = pixels.new_empty(n_endmembers, n_endmembers, n_terms, n_terms, len(share))
    for j in range(n_endmembers):
        for k in range(j, n_endmembers):
            inner = (basis[j].unsqueeze(1) * basis[k] * counts.T).view(-1, n_bins)
            torch.mm(inner, weights[j] * weights[k], out=gram[j, k].flatten(0, 1))
            if j < k:
                gram[k, j] = gram[j, k].transpose(0, 1)
    of_bilinear = OfBilinear(
        torch.bmm(basis, weights * products), (products * mixed.products).sum(0), (mixed.products * left).sum(0)
    )
    return Misfit(gram, torch.bmm(basis, weights * left), of_bilinear)


def to_unknowns(mixed: Mixed, by: Misfit, variance: Float[Tensor, "pixel"]) -> Float[Tensor, "unknown column pixel"]:
    """Turn derivatives by shares into those of ‖y − f‖² / 2s² by (η, z), and γ; minus the gradient comes last."""
    a, c = mixed.abundances, mixed.coordinates
    n_endmembers, n_terms, n_pixels = c.shape
    n = n_endmembers * n_terms
    n_unknowns = n + (by.bilinear is not None)
    system = a.new_empty(n_unknowns, n_unknowns + 1, n_pixels)
    hessian, downhill = system[:, :-1], system[:, -1]
    on_a = by.by_shares[:, :, :, 0] * c[:, None, 0]
    for t in range(1, n_terms):
        on_a.addcmul_(by.by_shares[:, :, :, t], c[:, None, t])
    logits_and_a, latents_and_a = chained(on_a, mixed)
    between = to_logits(logits_and_a, a, dim=1)
    between = 0.5 * (between + between.transpose(0, 1))
    between.diagonal().sub_(between.sum(0).T)  # a does not change where all η grow alike, and no rounding says it does
    hessian[:n_endmembers, :n_endmembers] = between
    hessian[n_endmembers:n, :n_endmembers] = to_logits(latents_and_a, a, dim=1).transpose(1, 2).flatten(0, 1)
    hessian[:n, :n_endmembers] /= variance
    hessian[:n_endmembers, n_endmembers:n] = hessian[n_endmembers:n, :n_endmembers].transpose(0, 1)
    between_latents = hessian[n_endmembers:n, n_endmembers:n].view(
        n_endmembers, n_terms - 1, n_endmembers, n_terms - 1, -1
    )
    pairs = (a / variance).unsqueeze(1) * a
    torch.mul(pairs[:, None, :, None], by.by_shares[:, :, 1:, 1:].transpose(1, 2), out=between_latents)
    downhill[:n] = torch.cat([part.flatten(0, -2) for part in chained(by.down_shares / variance, mixed)])
    if by.bilinear is not None:
        with_bilinear = [part.flatten(0, -2) for part in chained(by.bilinear.by_shares / variance, mixed)]
        hessian[-1, :n] = hessian[:n, -1] = torch.cat(with_bilinear)
        hessian[-1, -1] = by.bilinear.by_itself / variance
        downhill[-1] = by.bilinear.down / variance
    return system


def chained(derivatives: Float[Tensor, "endmember *columns term pixel"], mixed: Mixed) -> tuple[Tensor, Tensor]:
    """Turn derivatives by shares :math:`a_k c_{kt}` into derivatives by η and by z."""
    between = [1] * (derivatives.ndim - 3)
    n_endmembers, n_terms, n_pixels = mixed.coordinates.shape
    a = mixed.abundances.view(n_endmembers, *between, 1, n_pixels)
    c = mixed.coordinates.view(n_endmembers, *between, n_terms, n_pixels)
    return to_logits((c * derivatives).sum(-2), mixed.abundances), a * derivatives[..., 1:, :]


def to_logits(
    by_abundances: Float[Tensor, "*rows endmember *columns pixel"],
    abundances: Float[Tensor, "endmember pixel"],
    dim: int = 0,
) -> Tensor:
    """Turn derivatives by a into derivatives by η, of which a is the softmax, along a dimension."""
    shape = [1] * by_abundances.ndim
    shape[dim], shape[-1] = abundances.shape
    a = abundances.view(shape)
    return a * (by_abundances - (a * by_abundances).sum(dim, keepdim=True))


def alike_neighbours(spectra: Float[Tensor, "spectrum band"], n_bins: int) -> Float[Tensor, "bin band"]:
    """Return the averages over neighbouring bands that lose least of some spectra, as a matrix.

    The two neighbours are merged whose merging adds least to the squared deviations from the averages (Ward's rule),
    until so many are left.

    Examples
    --------
    >>> alike_neighbours(torch.tensor([[0.1, 0.1, 0.5, 0.6]]), 2)
    tensor([[0.5000, 0.5000, 0.0000, 0.0000],
            [0.0000, 0.0000, 0.5000, 0.5000]])
    """
    columns = spectra.double().cpu().numpy().T.copy()
    counts = np.ones(len(columns))
    while len(columns) > n_bins:
        added = counts[:-1] * counts[1:] / (counts[:-1] + counts[1:]) * (np.diff(columns, axis=0) ** 2).sum(axis=1)
        i = int(added.argmin())
        columns[i] = (counts[i] * columns[i] + counts[i + 1] * columns[i + 1]) / (counts[i] + counts[i + 1])
        counts[i] += counts[i + 1]
        columns, counts = np.delete(columns, i + 1, axis=0), np.delete(counts, i + 1)
    bins = np.repeat(np.eye(len(counts)) / counts[:, None], counts.astype(int), axis=1)
    return torch.as_tensor(bins, dtype=spectra.dtype, device=spectra.device)
