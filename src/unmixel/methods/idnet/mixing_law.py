"""Laws by which the materials of a pixel mix, as the default ID-Net tells them apart."""

from __future__ import annotations

from typing import NamedTuple


class MixingLaw(NamedTuple):
    r"""What mixes, and how much light meets two materials.

    .. math:: x = \sum_k a_k m_k + \gamma \sum_{j<k} a_j a_k\, m_j \odot m_k, \quad
              \gamma \sim \mathcal N(\gamma_0, \sigma_\gamma^2) \text{ clipped to } [0, 1]

    Attributes
    ----------
    albedo : bool
        Whether x and m are single-scattering albedos (Hapke), not reflectances.
    share_mean, share_sd : float
        γ₀ and σ_γ of the bilinear share; both 0 where no light meets two materials.
    """

    albedo: bool
    share_mean: float
    share_sd: float

    @property
    def bilinear(self) -> bool:
        """Whether light may have met two materials."""
        return self.share_sd > 0


MIXING_LAWS = {
    "linear": MixingLaw(albedo=False, share_mean=0.0, share_sd=0.0),
    "fan": MixingLaw(albedo=False, share_mean=1.0, share_sd=0.05),
    "generalised bilinear": MixingLaw(albedo=False, share_mean=0.35, share_sd=0.4),
    "intimate": MixingLaw(albedo=True, share_mean=0.0, share_sd=0.0),
}
"""The laws that are compared: those of `unmixel.mixing` that ID-Net can invert."""
