"""Where a rotated ENVI scene is: airborne scenes are turned along the flight."""

from __future__ import annotations

import math

from affine import Affine

from unmixel.errors import SceneError
from unmixel.io.envi_header import EnviHeader


def rotated_transform(header: EnviHeader) -> Affine | None:
    r"""Return the transform of a map that is rotated; None for others, which GDAL reads as they are.

    With the tie point :math:`(x_0, y_0)` at pixel corner (column :math:`c_0`, row :math:`r_0`), pixels of
    :math:`d_x` by :math:`d_y` and the angle :math:`\theta` of ``rotation`` ::

        x = x0 + dx cos(theta) (c - c0) + dy sin(theta) (r - r0)
        y = y0 + dx sin(theta) (c - c0) - dy cos(theta) (r - r0)

    GDAL agrees where the tie point is the first pixel and pixels are square, and says otherwise where they are not; it
    passes over ``rotation = 30`` with blanks. A rotation of 180 means to it that the lines run northwards.

    Raises
    ------
    SceneError
        If the map cannot be read.
    """
    parts = [part.strip() for part in header.text("map info").split(",")]
    rotation = next((value for name, _, value in (part.partition("=") for part in parts) if "rotation" in name), None)
    if rotation is None:
        return None
    try:
        angle = math.radians(float(rotation))
        column, row, x, y, width, height = (float(part) for part in parts[1:7])
    except ValueError:
        angle = column = row = x = y = width = height = math.nan
    if not math.isfinite(angle + column + row + x + y + width + height) or width == 0 or height == 0:
        given = header.text("map info")[:80]
        raise SceneError(f"{header.path} with map info = {given}", "six numbers and a rotation in degrees")
    if abs(math.sin(angle)) < 1e-12:
        return None
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = Affine(width * cosine, height * sine, x, width * sine, -height * cosine, y)
    return turned @ Affine.translation(1 - column, 1 - row)


def is_written_exactly(transform: Affine) -> bool:
    """Return whether GDAL writes a map as it is: turned pixels have to be square.

    Examples
    --------
    >>> turned = Affine.rotation(30)
    >>> is_written_exactly(turned @ Affine.scale(6, -6)), is_written_exactly(turned @ Affine.scale(6, -4))
    (True, False)
    """
    if transform.is_rectilinear:
        return True
    across, down = complex(transform.a, transform.d), complex(transform.b, transform.e)
    return abs(down + 1j * across) <= 1e-9 * abs(across)
