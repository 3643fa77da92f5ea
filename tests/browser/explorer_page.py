"""What tests ask a page of Bokeh: models by name, and where places of a map are on the screen."""

from __future__ import annotations

from typing import Any

import numpy as np

_COLUMN = """([name, column]) => {
  const found = Bokeh.documents[0].get_model_by_name(name).data;
  return Array.from((found instanceof Map ? found.get(column) : found[column]) ?? []);
}"""
_VALUE = "(name) => Bokeh.documents[0].get_model_by_name(name).value"
_SET = "([name, value]) => { Bokeh.documents[0].get_model_by_name(name).value = value; }"
_ON_SCREEN = """([which, x, y]) => {
  const seen = [...Bokeh.index.query((view) => view.model.name === "map")];
  const plot = seen[which];
  const {left, top} = plot.canvas_view.el.getBoundingClientRect();
  return [left + plot.frame.x_scale.compute(x), top + plot.frame.y_scale.compute(y)];
}"""


def column(page: Any, name: str, of: str) -> np.ndarray:
    """Return a column of a data source."""
    return np.array(page.evaluate(_COLUMN, [name, of]))


def value(page: Any, name: str) -> Any:
    """Return the value of a widget."""
    return page.evaluate(_VALUE, name)


def set_value(page: Any, name: str, to: Any) -> None:
    """Set the value of a widget."""
    page.evaluate(_SET, [name, to])


def on_screen(page: Any, x: float, y: float, which: int = 0) -> tuple[float, float]:
    """Return where a place on the axes of a map is in the window."""
    left, top = page.evaluate(_ON_SCREEN, [which, x, y])
    return left, top


def wait_for(page: Any, name: str, to: Any) -> None:
    """Wait until a widget has a value."""
    page.wait_for_function(f"([name, value]) => ({_VALUE})(name) === value", arg=[name, to])
