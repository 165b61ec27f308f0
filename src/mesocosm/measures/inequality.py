"""How unequally something is held by the agents of a society."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.measures.moments import F64, ratio


def gini(value: Any, group: NDArray[np.int64], n_groups: int) -> F64:
    """Gini coefficient of a non-negative holding by group, corrected by n/(n-1) so that one owner of all gives 1.

    G = sum_i (2i-n-1) x_(i) / (n sum x) * n/(n-1), with x_(i) in ascending order.

    Shapes   value, group: (k,); result (n_groups,).
    Returns  NaN for a group of fewer than two, for one that holds nothing at all, and for one that contains a negative
             or missing value: a Gini of negative holdings is no share of anything, so it is refused, never shifted.
    Source   science notes 5.8
    Example
        >>> gini([0, 0, 0, 8], np.zeros(4, dtype=np.int64), 1).tolist()
        [1.0]
        >>> gini([2, 2], np.zeros(2, dtype=np.int64), 1).tolist()
        [0.0]
    """
    held = np.asarray(value, dtype=np.float64)
    owner = np.asarray(group, dtype=np.int64)
    ascending = exact.order_by(owner, held)
    owner, held = owner[ascending], held[ascending]
    n = exact.count_by(owner, n_groups)
    first = np.cumsum(n) - n
    rank = np.arange(len(held)) - first[owner] + 1
    weighted = exact.sum_by(owner, (2 * rank - n[owner] - 1) * held, n_groups)
    total = exact.sum_by(owner, held, n_groups)
    refused = exact.count_by(owner, n_groups, ~(held >= 0)) > 0
    return np.where(refused | (n < 2), np.nan, ratio(weighted, (n - 1) * total))


def largest_share(value: Any, group: NDArray[np.int64], n_groups: int) -> F64:
    """Share of a non-negative holding that the single largest holder of each group has.

    Shapes   value, group: (k,); result (n_groups,).
    Returns  NaN where nothing is held, or where a value is negative or missing.
    Source   science notes 5.8 (to be read beside the Gini when there are fewer than 20 agents)
    Example
        >>> largest_share([1, 3, 0], np.zeros(3, dtype=np.int64), 1).tolist()
        [0.75]
    """
    held = np.asarray(value, dtype=np.float64)
    owner = np.asarray(group, dtype=np.int64)
    total = exact.sum_by(owner, held, n_groups)
    largest = np.zeros(n_groups)
    np.maximum.at(largest, owner, held)
    refused = exact.count_by(owner, n_groups, ~(held >= 0)) > 0
    return np.where(refused, np.nan, ratio(largest, total))
