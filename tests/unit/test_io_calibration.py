"""What is done to stored values is said."""

from __future__ import annotations

import numpy as np

from unmixel.io._raw import RawScene
from unmixel.io.calibration import Calibration
from unmixel.io.windows import Window


def test_a_scale_that_is_asked_for_drops_the_offset_of_the_file_and_says_so() -> None:
    stored = np.full((1, 2, 3), 3000, dtype=np.uint16)
    raw = RawScene(
        shape=stored.shape, dtype=stored.dtype, read=lambda first, last: stored, gain=1e-4, offset=-0.1, fill=()
    )
    window = Window(0, 1, 0, 2)
    of_file, asked = Calibration(raw, None), Calibration(raw, 10_000)
    np.testing.assert_allclose(of_file(window).values, 0.2, atol=1e-7)
    assert of_file.notes() == ["values divided by 10000 and shifted by -0.1 (by the file)"]
    np.testing.assert_allclose(asked(window).values, 0.3, atol=1e-7)
    assert asked.notes() == ["values divided by 10000 (as asked, and not shifted as the file says)"]
