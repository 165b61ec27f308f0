"""Seeds drawn again and signs flipped: the same draws every time, so that an interval depends on its data alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mesocosm.rng import Purpose, bits, block_key, halves, pick

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
RESAMPLES = 9_999  # with the data as they are 10,000, so that p values are round
_KEY = 514  # any constant would do
_ROWS = 1_000  # resamples at a time
_KEPT_UP_TO = 500  # seeds; draws for more are made anew, which costs less than the memory


def resampled_means(values: F64, resamples: int = RESAMPLES) -> F64:
    """The mean of each resample of seeds, drawn with replacement.

    Shapes   values (n,) or (n, k), one row a seed -> (resamples,) or (resamples, k)
    Example
        >>> means = resampled_means(np.array([0.0, 1.0, 5.0]))
        >>> round(float(means.mean()), 1)
        2.0
    """
    n = len(values)
    block = _kept_places if n <= _KEPT_UP_TO else _places
    means = np.empty((resamples, *values.shape[1:]))
    for first in range(0, resamples, _ROWS):
        part = means[first : first + _ROWS]
        part[:] = values[block(n, first)[: len(part)]].mean(axis=1)
    return means


def is_enumerated(n: int, resamples: int = RESAMPLES) -> bool:
    """Whether all 2**n ways to flip the signs of n pairs are few enough to go through.

    Example
        >>> is_enumerated(13), is_enumerated(14)
        (True, False)
    """
    return n < 63 and 2**n <= resamples


def flipped_sums(values: F64, resamples: int = RESAMPLES) -> F64:
    """The sum of values over seeds after each way to swap the two runs of some pairs, which flips signs.

    A way flips the same seeds in every column. All 2**n ways are gone through, the first of them without a swap, where
    they are few enough; else as many as asked for are drawn.

    Shapes   values (n, k), one row a seed -> (2**n or resamples, k)
    Example
        >>> flipped_sums(np.array([[1.0], [3.0]]))[:, 0].tolist()
        [4.0, 2.0, -2.0, -4.0]
    """
    n = len(values)
    ways = 2**n if is_enumerated(n, resamples) else resamples
    block = _kept_signs if n <= _KEPT_UP_TO else _signs
    sums = np.empty((ways, values.shape[1]))
    for first in range(0, ways, _ROWS):
        part = sums[first : first + _ROWS]
        part[:] = block(n, first, is_enumerated(n, resamples))[: len(part)] @ values
    return sums


def _counter(first: int, n: int) -> I64:
    return np.arange(first * n, (first + _ROWS) * n, dtype=np.int64)


def _places(n: int, first: int) -> I64:
    """Which seeds each resample of a block holds."""
    drawn = bits(block_key(_KEY, Purpose.RESAMPLE, n), _counter(first, n))
    return pick(halves(drawn)[0], n).reshape(_ROWS, n)


def _signs(n: int, first: int, all_of_them: bool) -> F64:
    """A block of flips: +1 and -1 for each seed."""
    if all_of_them:
        swapped = np.arange(first, first + _ROWS)[:, None] >> np.arange(n) & 1
    else:
        drawn = bits(block_key(_KEY, Purpose.FLIP, n), _counter(first, n))
        swapped = np.right_shift(drawn, 63).astype(np.int64).reshape(_ROWS, n)
    return np.where(swapped > 0, np.float64(-1.0), np.float64(1.0))


_kept_places = lru_cache(maxsize=30)(_places)
_kept_signs = lru_cache(maxsize=30)(_signs)
