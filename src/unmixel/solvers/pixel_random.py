"""Random numbers that a pixel has of its own, whatever other pixels are drawn for."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Float, UInt64
from scipy.special import ndtri

WORDS = 4
"""Words that the generator makes at a time."""
ROUNDS = 10
_FACTORS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEPS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _WIDTH = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox(
    counter: UInt64[np.ndarray, "four *rest"], key: UInt64[np.ndarray, "two *rest"]
) -> UInt64[np.ndarray, "four *rest"]:
    """Return the words of the counter-based generator Philox 4x32 with ten rounds.

    Parameters
    ----------
    counter, key : array of uint64, shape (4, ...) and (2, ...)
        Words below 2**32.

    References
    ----------
    J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, *Parallel random numbers: as easy as 1, 2, 3*, SC 2011,
    doi:10.1145/2063384.2063405.

    Examples
    --------
    >>> [hex(word) for word in philox(np.zeros(4, dtype=np.uint64), np.zeros(2, dtype=np.uint64)).tolist()]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    first, second, third, fourth = counter
    one, other = key
    for _ in range(ROUNDS):
        upper, lower = first * _FACTORS[0], third * _FACTORS[1]
        first, second = (lower >> _WIDTH) ^ second ^ one, lower & _LOW
        third, fourth = (upper >> _WIDTH) ^ fourth ^ other, upper & _LOW
        one, other = (one + _STEPS[0]) & _LOW, (other + _STEPS[1]) & _LOW
    return np.stack([first, second, third, fourth])


class PixelRandom:
    """Random numbers keyed by a seed and by what a pixel is: pixels that are equal to the bit have the same.

    Parameters
    ----------
    pixels : array, shape (pixel, band)
    seed : int

    Examples
    --------
    >>> one, three = np.ones((1, 5)), np.arange(15.0).reshape(3, 5)
    >>> alone, among = (PixelRandom(p, seed=0).uniforms(6)[0] for p in (one, np.concatenate([one, three])))
    >>> bool((alone == among).all())
    True
    """

    def __init__(self, pixels: Float[np.ndarray, "pixel band"], *, seed: int) -> None:
        salt = seed.to_bytes(8, "little")
        digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=16, salt=salt).digest() for row in pixels)
        words = np.frombuffer(digests, dtype="<u4").reshape(len(pixels), WORDS).T.astype(np.uint64)
        self._key, self._start = words[:2, :, None], words[2:, :, None]
        self._next = 0

    def uniforms(self, n: int) -> Float[np.ndarray, "pixel n"]:
        """Return the next n numbers of every pixel, uniform between 0 and 1 and neither of them."""
        n_blocks = -(-n // WORDS)
        number = np.arange(self._next, self._next + n_blocks, dtype=np.uint64)
        self._next += n_blocks
        shape = self._key.shape[1], n_blocks
        counter = [np.broadcast_to(word, shape) for word in (number & _LOW, number >> _WIDTH, *self._start)]
        words = philox(np.stack(counter), np.broadcast_to(self._key, (2, *shape)))
        return (words.transpose(1, 2, 0).reshape(len(words[0]), -1)[:, :n] + 0.5) / 2.0**32

    def normals(self, n: int) -> Float[np.ndarray, "pixel n"]:
        """Return the next n numbers of every pixel by the standard normal law."""
        return ndtri(self.uniforms(n))
