"""Models with a posterior to draw from, that pixels can be drawn from, too."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from unmixel.errors import ParameterError
from unmixel.methods._pixelwise import PixelwiseFitted
from unmixel.result import make_result
from unmixel.scene import make_scene, pixels_of, to_map, valid_pixels
from unmixel.whole_numbers import checked_seed

FEWEST_PIXELS = 2
"""What a scene needs to be unmixed again."""


class ProbabilisticFitted(PixelwiseFitted):
    """A fitted method that knows the law of pixels, and of what they are made of."""

    @abc.abstractmethod
    def _draws_of(self, pixels: Float[np.ndarray, "pixel band"], n_draws: int, seed: int) -> dict[str, np.ndarray]:
        """Return draws from the posterior of pixels: ``abundance`` (draw, pixel, endmember), and ``latents`` if any."""

    @abc.abstractmethod
    def _drawn_pixels(
        self, n_pixels: int, seed: int
    ) -> tuple[Float[np.ndarray, "pixel band"], Float[np.ndarray, "pixel endmember"]]:
        """Return pixels drawn from the model, over its good bands, and their abundances."""

    def sample(self, scene: xr.DataArray, n_draws: int, *, seed: int = 0) -> xr.Dataset:
        """Draw from the posterior of every pixel.

        Given the model, pixels are independent, and so are their draws: sums over pixels of each draw are draws of the
        sum.

        Parameters
        ----------
        scene : DataArray
        n_draws : int
            At least 1.
        seed : int
            Up to `unmixel.whole_numbers.LARGEST_SEED`.

        Returns
        -------
        Dataset
            ``abundance`` (draw, y, x, endmember), and of a model with latents ``latents`` (draw, y, x, endmember,
            latent).

        Raises
        ------
        ParameterError
            If `n_draws` is below 1, or the seed out of its range.
        ModelError
            If the scene has other bands than the one the method was fitted to.
        """
        if n_draws < 1:
            raise ParameterError(f"n_draws = {n_draws}", "at least 1")
        seed = checked_seed(seed)
        scene = self.on_my_bands(scene)
        valid = valid_pixels(scene)
        dims = "draw", "y", "x", "endmember", "latent"
        coords = {name: scene.coords[name] for name in ("y", "x", "spatial_ref") if name in scene.coords}
        return xr.Dataset(
            {
                name: (dims[: draws.ndim + 1], np.stack([to_map(draw, valid) for draw in draws]))
                for name, draws in self._draws_of(pixels_of(scene), n_draws, seed).items()
            },
            coords={**coords, "endmember": list(self.endmember)},
        )

    def simulate(self, n_pixels: int, *, seed: int = 0) -> tuple[xr.DataArray, xr.Dataset]:
        """Draw pixels from the fitted model.

        Parameters
        ----------
        n_pixels : int
            At least 2.
        seed : int
            Up to `unmixel.whole_numbers.LARGEST_SEED`.

        Returns
        -------
        scene : DataArray, shape (n_pixels, 1, band)
            On the bands of the model, NaN in left-out bands.
        truth : Dataset
            Its ``abundance``.

        Raises
        ------
        ParameterError
            If `n_pixels` is below 2, or the seed out of its range.
        """
        if n_pixels < FEWEST_PIXELS:
            raise ParameterError(f"n_pixels = {n_pixels}", f"at least {FEWEST_PIXELS}")
        seed = checked_seed(seed)
        pixels, abundances = self._drawn_pixels(n_pixels, seed)
        bands: dict[str, Any] = self.bands
        values = np.full((n_pixels, 1, len(bands["good_band"])), np.nan, dtype=np.float32)
        values[:, 0, bands["good_band"]] = pixels
        scene = make_scene(values, **bands, reading=(f"drawn from a fitted {self.method.name} with seed {seed}",))
        truth = make_result(
            scene,
            endmember=self.endmember,
            maps={"abundance": abundances[:, None].astype(np.float32)},
            spectra={},
            provenance={"method": "simulation", "model": self.method.name, "seed": seed},
        )
        return scene, truth.assign_attrs(truth_kind="exact", convention="physical")
