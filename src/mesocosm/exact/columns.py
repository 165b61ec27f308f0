"""Money in whole micro-credits, sums and counts by group in row order, and stable orders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesocosm.errors import check

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

MICRO = 1_000_000
_WHOLE_FLOATS = 2.0**53  # below this every integer is a float64


def micro(x: ArrayLike) -> I64:
    """Turn credits into whole micro-credits, halves to the even one: the only rounding of money there is.

    Params   x: credits, finite, below 9e9 in size.
    Returns  int64, an array for an array and a scalar for a scalar.
    Raises   InvariantBroken for an amount that has no exact micro-credit value.
    Example
        >>> int(micro(0.1)), int(micro(-2.5e-6))
        (100000, -2)
    """
    scaled = np.rint(np.asarray(x, dtype=np.float64) * MICRO)
    if scaled.size:
        low, high = float(scaled.min()), float(scaled.max())
        check(
            low >= -_WHOLE_FLOATS and high <= _WHOLE_FLOATS,
            "an amount of credits is finite and below 9e9",
            lowest=low / MICRO,
            highest=high / MICRO,
        )
    whole: I64 = scaled.astype(np.int64)[()]
    return whole


def credits(m: ArrayLike) -> F64:  # noqa: A001 - the unit of account
    """Turn whole micro-credits into credits.

    Example
        >>> float(credits(100000))
        0.1
    """
    amount: F64 = np.asarray(m, dtype=np.int64) / MICRO
    return amount


def sum_by(group: NDArray[Any], value: NDArray[Any], n_groups: int) -> F64:
    """Sum values per group, adding in row order, so that a group's sum does not depend on the other groups.

    Shapes   group (n,) integers in [0, n_groups); value (n,)
    Returns  (n_groups,), 0 where a group has no rows.
    Example
        >>> sum_by(np.array([0, 2, 0]), np.array([1.0, 5.0, 0.5]), 3).tolist()
        [1.5, 0.0, 5.0]
    """
    total = np.bincount(group, weights=value, minlength=n_groups).astype(np.float64, copy=False)
    check(total.size == n_groups, "every group lies below n_groups", n_groups=n_groups, highest=total.size - 1)
    return total


def count_by(group: NDArray[Any], n_groups: int, where: Mask | None = None) -> I64:
    """Count rows per group, only those where the mask holds if there is one.

    Example
        >>> count_by(np.array([0, 2, 0]), 3).tolist()
        [2, 0, 1]
    """
    rows = group if where is None else group[where]
    total = np.bincount(rows, minlength=n_groups).astype(np.int64, copy=False)
    check(total.size == n_groups, "every group lies below n_groups", n_groups=n_groups, highest=total.size - 1)
    return total


def sum_by_int(group: NDArray[Any], value: NDArray[Any], n_groups: int) -> I64:
    """Sum int64 values per group exactly, as for money.

    Example
        >>> sum_by_int(np.array([1, 1]), np.array([2**62, -1]), 2).tolist()
        [0, 4611686018427387903]
    """
    total = np.zeros(n_groups, dtype=np.int64)
    check(group.size == 0 or bool(group.min() >= 0), "every group is counted from 0", n_groups=n_groups)
    np.add.at(total, group, value)
    return total


def mean_by(group: NDArray[Any], value: NDArray[Any], n_groups: int, where: Mask | None = None) -> F64:
    """Average values per group, only over rows where the mask holds; NaN where a group has none.

    Example
        >>> mean_by(np.array([0, 0, 1]), np.array([1.0, 2.0, 7.0]), 3).tolist()
        [1.5, 7.0, nan]
    """
    if where is not None:
        group, value = group[where], value[where]
    count = count_by(group, n_groups)
    mean = np.full(n_groups, np.nan)
    np.divide(sum_by(group, value, n_groups), count, out=mean, where=count > 0)
    return mean


def _stable_order(key: NDArray[Any]) -> I64:
    """Stable ascending order; integers below 2**32 by 16-bit digits, which NumPy sorts several times faster."""
    if key.dtype.kind not in "iu" or key.size == 0 or key.min() < 0 or key.max() >= 2**32:
        return np.argsort(key, kind="stable")
    order = np.argsort(key.astype(np.uint16), kind="stable")
    if key.max() >= 2**16:
        order = order[np.argsort((key >> 16).astype(np.uint16)[order], kind="stable")]
    return order


def order_by(*keys: NDArray[Any]) -> I64:
    """Return the rows in ascending order of the first key, ties by the second and so on, the rest as they stood.

    Example
        >>> order_by(np.array([1, 0, 1]), np.array([5, 9, 3])).tolist()
        [1, 2, 0]
    """
    order = _stable_order(keys[-1])
    for key in keys[-2::-1]:
        order = order[_stable_order(key[order])]
    return order


def rank_within(group: NDArray[Any]) -> I64:
    """Number each row among the rows of its own group, 0, 1, 2 in the order they stand.

    Example
        >>> rank_within(np.array([7, 3, 7, 7])).tolist()
        [0, 0, 1, 2]
    """
    order = _stable_order(group)
    ordered = group[order]
    position = np.arange(group.size, dtype=np.int64)
    start = position.copy()
    start[1:][ordered[1:] == ordered[:-1]] = 0
    np.maximum.accumulate(start, out=start)
    rank = np.empty(group.size, dtype=np.int64)
    rank[order] = position - start
    return rank


def largest_first(key: I64, k: int) -> I64:
    """The k largest of each row of distinct integers, largest first; ties cannot occur, so any sort agrees.

    Example
        >>> largest_first(np.array([[3, 9, 4]]), 2)
        array([[9, 4]])
    """
    return np.ascontiguousarray(np.sort(key, axis=1)[:, ::-1][:, :k])
