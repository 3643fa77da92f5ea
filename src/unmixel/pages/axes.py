"""The axes of charts that are scalable pictures inside a page."""

from __future__ import annotations

from dataclasses import dataclass

ROOM_LEFT, ROOM_RIGHT, ROOM_ABOVE, ROOM_BELOW = 70, 14, 12, 52
"""Room around the axes [picture units]."""


@dataclass(frozen=True)
class Axes:
    """What a template needs to draw axes.

    Attributes
    ----------
    description : str
        Says in words what is to be seen.
    x_label, y_label : str
        With units.
    x_ticks, y_ticks : list of (float, str)
        Places in picture units, and what stands there.
    width, height : int
        Of the picture.
    """

    description: str
    x_label: str
    y_label: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    width: int
    height: int

    left = ROOM_LEFT
    top = ROOM_ABOVE

    @property
    def right(self) -> int:
        """Where the horizontal axis ends."""
        return self.width - ROOM_RIGHT

    @property
    def bottom(self) -> int:
        """Where the vertical axis begins."""
        return self.height - ROOM_BELOW
