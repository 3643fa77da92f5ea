"""What is done to stored values is said."""

from __future__ import annotations

import numpy as np
import pytest

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


LARGEST = np.finfo(np.float32).max


@pytest.mark.parametrize(
    ("dtype", "stored", "said"),
    [
        ("f4", -LARGEST, -3.40282347e38),
        ("f4", -LARGEST, -3.4028235e38),
        ("f4", LARGEST, 3.40282346638528859e38),
        ("f8", -np.finfo("f8").max, -1.7976931348623157e308),
        ("i8", 2**63 - 1, 9223372036854775807.0),
        ("u8", 2**64 - 1, 18446744073709551615.0),
        ("i2", -9999, -9999.0),
    ],
)
def test_a_fill_value_is_found_however_it_is_rounded(dtype: str, stored: float, said: float) -> None:
    values = np.array([[[1, 2], [stored, 3]]], dtype=dtype)
    raw = RawScene(shape=values.shape, dtype=values.dtype, read=lambda first, last: values, fill=(said,))
    found = Calibration(raw, None)(Window(0, 1, 0, 2))
    np.testing.assert_array_equal(np.isnan(found.values[0]), [[False, False], [True, False]])
    assert found.n_filled == 1


@pytest.mark.parametrize(
    ("dtype", "said"), [("u2", -9999.0), ("i2", 0.5), ("i2", 32768.0), ("f4", 1e39), ("f4", np.nan)]
)
def test_a_fill_value_that_no_value_can_have_is_none(dtype: str, said: float) -> None:
    values = np.array([[[1, 2], [4, 3]]], dtype=dtype)
    raw = RawScene(shape=values.shape, dtype=values.dtype, read=lambda first, last: values, fill=(said,))
    assert Calibration(raw, None).fills == []
