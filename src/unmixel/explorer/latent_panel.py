"""Where a pixel lies among all pixels in the latent space of an endmember, and what lies elsewhere in that space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from bokeh.models import Column, ColumnDataSource, Row, Select, Slider
from bokeh.plotting import figure
from jaxtyping import Float

from unmixel.errors import UnmixingError
from unmixel.explorer.opened_result import OpenedResult
from unmixel.explorer.pixel_panels import HEIGHT, spectral_figure, with_legend
from unmixel.explorer.pixel_story import PixelStory
from unmixel.pages.colours import endmember_colours

MOST = 2500
"""Pixels whose latents are shown."""
PRESENT = 0.1
"""Abundance [1] from which the spectrum of an endmember is known well enough to show its latents."""
FEWEST = 20
"""Pixels; where fewer hold so much of an endmember, all are shown."""
REACH = 3.0
"""Standard deviations of the prior that sliders reach at least."""


@dataclass(frozen=True)
class LatentSample:
    """Latents of some pixels.

    Attributes
    ----------
    latents : array, shape (pixel, endmember, latent)
        Posterior means [1].
    abundance : array, shape (pixel, endmember)
        [1].
    """

    latents: np.ndarray
    abundance: np.ndarray

    def of(self, k: int) -> tuple[Float[np.ndarray, "pixel latent"], Float[np.ndarray, "pixel"]]:
        """Return the latents and the abundance of an endmember where it is present."""
        present = self.abundance[:, k] >= PRESENT
        chosen = present if present.sum() >= FEWEST else np.ones_like(present)
        return self.latents[chosen, k], self.abundance[chosen, k]


def sample_latents(result: xr.Dataset) -> LatentSample | None:
    """Return the latents of pixels on a regular grid; None if the method has none."""
    if "latent_mean" not in result:
        return None
    step = max(1, int(np.ceil(np.sqrt(result.sizes["y"] * result.sizes["x"] / MOST))))
    there = result[["latent_mean", "abundance"]].isel(y=slice(None, None, step), x=slice(None, None, step))
    abundance = np.asarray(there["abundance"].values).reshape(-1, result.sizes["endmember"])
    latents = np.asarray(there["latent_mean"].values).reshape(*abundance.shape, -1)
    known = np.isfinite(abundance).all(axis=1)
    return LatentSample(latents[known], abundance[known])


class LatentPanel:
    """The latents of one endmember: a map of them, sliders, and the spectrum that they stand for."""

    def __init__(self, opened: OpenedResult, sample: LatentSample) -> None:
        self._opened, self._sample = opened, sample
        self._story: PixelStory | None = None
        try:
            self._fitted = opened.fitted
        except UnmixingError:  # the story of every pixel says it
            self._fitted = None
        self._following = False
        names = [str(name) for name in opened.result["endmember"].values]
        self._colours = endmember_colours(len(names))
        n_latents = opened.result.sizes["latent"]
        self.endmember = Select(
            title="Endmember", options=[(str(k), name) for k, name in enumerate(names)], value="0", name="latent_of"
        )
        self.sliders = [
            Slider(
                title=f"latent {number + 1} [1]",
                start=-REACH,
                end=REACH,
                step=0.01,
                value=0.0,
                disabled=True,
                sizing_mode="stretch_width",
                name=f"latent{number + 1}",
            )
            for number in range(n_latents)
        ]
        self.cloud = ColumnDataSource({"x": [], "y": []}, name="latent_cloud")
        self.marks = ColumnDataSource({"x": [], "y": [], "colour": []}, name="latent_marks")
        self.walk = ColumnDataSource({"x": [], "there": [], "here": []}, name="latent_walk")
        self.plot = self._places(n_latents)
        self.spectrum = self._spectra()
        self.layout = Column(
            self.endmember,
            Row(*self.sliders, sizing_mode="stretch_width"),
            self.plot,
            self.spectrum,
            sizing_mode="stretch_width",
            name="latents",
        )
        self.endmember.on_change("value", lambda attribute, old, new: self._choose())
        for slider in self.sliders:
            slider.on_change("value", lambda attribute, old, new: self._walk())
        self._choose()

    def show(self, story: PixelStory) -> None:
        """Draw a pixel, and put the sliders where it is."""
        self._story = story
        self._place_sliders()

    def _places(self, n_latents: int) -> figure:
        plot = figure(
            height=HEIGHT,
            sizing_mode="stretch_width",
            title=f"Latents of pixels with at least {100 * PRESENT:.0f} % of it",
            x_axis_label="latent 1 [1]",
            y_axis_label="latent 2 [1]" if n_latents > 1 else "abundance [1]",
            tools="pan,wheel_zoom,box_zoom,reset,save",
            active_scroll=None,
        )
        plot.scatter("x", "y", source=self.cloud, size=3, color="#777777", alpha=0.4, legend_label="pixels")
        plot.scatter(
            "x",
            "y",
            source=self.marks,
            size=12,
            marker="diamond",
            fill_color="colour",
            line_color="black",
            legend_label="this pixel (filled) and the sliders (white)",
        )
        return with_legend(plot)

    def _spectra(self) -> figure:
        plot = spectral_figure("Its spectrum at the sliders", self._opened.axis)
        plot.line("x", "here", source=self.walk, color="black", line_dash="dashed", legend_label="in this pixel")
        self._line = plot.line("x", "there", source=self.walk, line_width=2, legend_label="at the sliders")
        return with_legend(plot)

    @property
    def _k(self) -> int:
        return int(self.endmember.value)

    @property
    def _latents(self) -> Float[np.ndarray, "endmember latent"] | None:
        """Of the pixel, if it is valid and the model decodes latents."""
        if self._story is None or not self._story.valid or not hasattr(self._fitted, "spectra_of"):
            return None
        return np.asarray(self._story.said["latent_mean"].values, dtype=np.float32)

    def _choose(self) -> None:
        """Show another endmember."""
        latents, abundance = self._sample.of(self._k)
        self._line.glyph.line_color = self._colours[self._k]
        self.cloud.data = {"x": latents[:, 0], "y": latents[:, 1] if latents.shape[1] > 1 else abundance}
        self._following = True
        for slider, values in zip(self.sliders, latents.T, strict=True):
            reach = max(REACH, float(np.abs(values).max(initial=0.0)) + 0.5)
            slider.update(start=-reach, end=reach)
        self._following = False
        self._place_sliders()

    def _place_sliders(self) -> None:
        latents = self._latents
        self._following = True
        for number, slider in enumerate(self.sliders):
            slider.disabled = latents is None
            value = 0.0 if latents is None else float(latents[self._k, number])
            slider.value = min(max(value, slider.start), slider.end)
        self._following = False
        self._walk()

    def _walk(self) -> None:
        """Draw the spectrum at the sliders."""
        if self._following:
            return
        latents = self._latents
        if latents is None or self._story is None:
            self.walk.data = {"x": [], "there": [], "here": []}
            self.marks.data = {"x": [], "y": [], "colour": []}
            return
        there = latents.copy()
        there[self._k] = [slider.value for slider in self.sliders]
        axis = self._opened.axis
        spectra = self._fitted.spectra_of(np.stack([latents, there]))[:, self._k]  # type: ignore[union-attr]
        self.walk.data = {"x": axis.x, "here": axis.line(spectra[0]), "there": axis.line(spectra[1])}
        x, y = latents[self._k, 0], there[self._k, 0]
        if latents.shape[1] > 1:
            heights = [latents[self._k, 1], there[self._k, 1]]
        else:
            heights = [self._story.abundance[self._k]] * 2
        colours = [self._colours[self._k], "#ffffff"]
        self.marks.data = {"x": [float(x), float(y)], "y": [float(height) for height in heights], "colour": colours}
