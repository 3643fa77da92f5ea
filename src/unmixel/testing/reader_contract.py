"""What every reader of scenes must keep, checked on a file of its format."""

from __future__ import annotations

import pickle

import numpy as np

from unmixel.io._raw import RawScene
from unmixel.io.windows import natural_windows


def check_reader(raw: RawScene) -> None:
    """Check that what a reader gives keeps its promises; a failed check raises an AssertionError that says
    which.

    Rows that are read alone, in pairs and all at once are the same values, of the shape and the type
    announced, and so are windows; numbers per band are one for each band; and what is given can be sent to
    another process.

    Parameters
    ----------
    raw : RawScene
        What the reader gave for a file of at least two rows.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from unmixel.io.numpy_arrays import read_npy
    >>> file = Path(tempfile.mkdtemp()) / "scene.npy"
    >>> np.save(file, np.arange(24.0).reshape(2, 3, 4))
    >>> check_reader(read_npy(file))
    """
    rows, columns, n_bands = raw.shape
    whole = np.asarray(raw.read(0, rows))
    assert whole.shape == raw.shape, f"all rows have shape {whole.shape}, announced: {raw.shape}"
    assert whole.dtype == raw.dtype, f"values of type {whole.dtype}, announced: {raw.dtype}"
    for first, last in [(row, row + 1) for row in range(rows)] + [(rows - 2, rows)]:
        part = np.asarray(raw.read(first, last))
        assert part.shape == (last - first, columns, n_bands), f"rows {first}:{last} have shape {part.shape}"
        assert np.array_equal(part, whole[first:last], equal_nan=True), f"rows {first}:{last} read alone differ"
    for window in natural_windows((rows, columns), (2, 3), 6):
        part = np.asarray(raw.read_window(window))
        assert part.shape == (*window.shape, n_bands), f"{window} has shape {part.shape}"
        assert part.dtype == raw.dtype, f"{window} has values of type {part.dtype}, announced: {raw.dtype}"
        assert np.array_equal(part, whole[window.slices], equal_nan=True), f"{window} read alone differs"
    assert raw.block is None or min(raw.block) > 0, f"blocks of {raw.block} pixels"
    for name in ("wavelength", "fwhm", "good_band"):
        given = getattr(raw, name)
        assert given is None or given.shape == (n_bands,), f"{name} is not one number for each band"
    for name in ("gain", "offset"):
        assert np.shape(getattr(raw, name)) in ((), (n_bands,)), f"{name} is neither one number nor one for each band"
    sent = pickle.loads(pickle.dumps(raw))
    assert np.array_equal(sent.read(0, rows), whole, equal_nan=True), "read differently after being sent elsewhere"
