"""A figure that is saved fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


class SavedFigure(Figure):
    """A figure whose images are drawn once when it is saved; matplotlib also draws them to lay the figure out."""

    def savefig(self, fname: Any, *, dpi: float | int | str = "figure", **how: Any) -> None:
        """Write the figure, as `matplotlib.figure.Figure.savefig` does. A PNG is packed lightly: noise hardly packs."""
        if isinstance(fname, (str, Path)) and str(fname).lower().endswith(".png"):
            how = {"pil_kwargs": {"compress_level": 1}, **how}
        images = [image for axes in self.axes for image in axes.get_images() if image.get_visible()]
        layout, own_dpi = self.get_layout_engine(), self.dpi
        try:
            self.dpi = dpi if isinstance(dpi, (int, float)) else own_dpi
            for image in images:
                image.set_visible(False)
            self.draw_without_rendering()
            for image in images:
                image.set_visible(True)
            self.set_layout_engine(None)
            super().savefig(fname, dpi=self.dpi, **how)
        finally:
            for image in images:
                image.set_visible(True)
            self.set_layout_engine(layout)
            self.dpi = own_dpi
