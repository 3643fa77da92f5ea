"""Make demo.png: the simulated scene of `unmixel demo`, and what ID-Net finds in it.

Run it from anywhere: ``python docs/images/make_demo_figure.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import unmixel as ux
from unmixel.metrics import match_endmembers
from unmixel.plot.map_axes import MASKED, draw_map, frame_of
from unmixel.scene import RED_GREEN_BLUE, good_bands
from unmixel.simulate import simulate_demo

COLOURS = ("#009E73", "#D55E00", "#0072B2")


def main() -> None:
    """Unmix the demo scene and draw it."""
    scene, truth = simulate_demo(seed=0)
    result = ux.unmix(scene, n_endmembers=3, seed=0)
    good = good_bands(scene)
    order = match_endmembers(truth["endmember_spectrum"].values[:, good], result["endmember_spectrum"].values[:, good])
    result = result.isel(endmember=order).assign_coords(endmember=truth["endmember"].values)
    draw(scene, result).savefig(Path(__file__).with_name("demo.png"), dpi=100)


def draw(scene: xr.DataArray, result: xr.Dataset) -> Figure:
    """Return the scene and its spectra on the left; abundances and their uncertainty on the right."""
    figure = Figure(figsize=(12.0, 4.5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 3.0))
    above, below = left.subplots(2, 1)
    _draw_colours(above, scene)
    _draw_spectra(below, result)
    frame = frame_of(result)
    rows = right.subplots(2, 3, sharex=True, sharey=True)
    most = float(np.nanpercentile(result["abundance_sd"].values, 99.0))
    for axes_row, name, label, colours, high in (
        (rows[0], "abundance", "abundance [1]", "viridis", 1.0),
        (rows[1], "abundance_sd", "its standard deviation [1]", "magma", most),
    ):
        for k, axes in enumerate(axes_row):
            image = draw_map(axes, frame, result[name].values[:, :, k], cmap=colours, vmin=0.0, vmax=high)
        right.colorbar(image, ax=list(axes_row), label=label, extend="neither" if high == 1 else "max")
    for k, axes in enumerate(rows[0]):
        axes.set_title(str(result["endmember"].values[k]))
        rows[1, k].set_xlabel(frame.x_label, fontsize="small")
        rows[1, k].set_xticks((656_500, 656_800))
    for axes in rows[:, 0]:
        axes.set_ylabel(frame.y_label, fontsize="small")
    return figure


def _draw_colours(axes: Axes, scene: xr.DataArray) -> None:
    wavelength = scene["wavelength"].values
    colours = scene.values[:, :, [int(np.argmin(np.abs(wavelength - colour))) for colour in RED_GREEN_BLUE]]
    low, high = np.nanpercentile(colours, (2.0, 98.0), axis=(0, 1))
    stretched = np.clip((colours - low) / (high - low), 0.0, 1.0)
    stretched[np.isnan(colours).any(axis=2)] = float(MASKED)
    draw_map(axes, frame_of(scene), stretched)
    axes.set_title("scene (true colour)")


def _draw_spectra(axes: Axes, result: xr.Dataset) -> None:
    wavelength, quantile = result["wavelength"].values, result["endmember_quantile"].values
    for k, colour in enumerate(COLOURS):
        axes.fill_between(wavelength, quantile[0, k], quantile[-1, k], color=colour, alpha=0.25, linewidth=0)
        axes.plot(
            wavelength, result["endmember_spectrum"].values[k], color=colour, label=str(result["endmember"].values[k])
        )
    axes.set(xlabel="wavelength [nm]", ylabel="reflectance [1]", ylim=(0.0, 0.95))
    axes.set_title("endmembers: mean, 90 % of pixels", fontsize="medium")
    axes.legend(fontsize="x-small", loc="upper right", ncols=3, columnspacing=0.8, handlelength=1.0)


if __name__ == "__main__":
    main()
