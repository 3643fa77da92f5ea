"""Randomness and threads of torch, set for a block of code and put back after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block; the global random state is untouched after it.

    Examples
    --------
    >>> before = torch.random.get_rng_state()
    >>> with seeded(3, torch.device("cpu")):
    ...     first = torch.rand(2)
    >>> with seeded(3, torch.device("cpu")):
    ...     again = torch.rand(2)
    >>> bool((first == again).all()), bool((before == torch.random.get_rng_state()).all())
    (True, True)
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


MOST_THREADS = 1024


@contextmanager
def threads(n_threads: int) -> Iterator[None]:
    """Let torch use that many threads inside the block, or as many as the machine has processors."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(n_threads, os.cpu_count() or 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
