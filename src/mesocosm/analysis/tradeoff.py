"""Two outcomes at once: the chance that a change is better on both, on one, or on neither."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.resampling import resampled_means
from mesocosm.errors import UsageError, nearest

F64 = NDArray[np.float64]
SIDES = {"lower": -1.0, "higher": 1.0}


@dataclass(frozen=True)
class TradeOff:
    """Shares of resamples of seeds in which a change is better on both outcomes, on one, or on neither.

    They add up to 1. "Better" is about mean differences: at least as good on both and better on one is better on both.
    """

    n: int  # seeds with both differences defined
    both: float  # the change dominates its base
    neither: float  # the base dominates the change
    first_only: float  # a price is paid in the second outcome
    second_only: float  # and in the first
    same: float  # no difference in either
    correlation: float  # of the two differences over seeds; NaN where one is constant


def pareto_dominance(
    first: Sequence[float] | F64, second: Sequence[float] | F64, better: tuple[str, str] = ("lower", "higher")
) -> TradeOff:
    """Over resamples of seeds, how often a change is better than its base on both of two outcomes.

    Params   better: whether lower or higher is better, for each outcome.
    Shapes   first, second: (n,), differences to the base, seeds in the same order; NaN where undefined.
    Raises   UsageError for another direction, or outcomes of different lengths.
    Source   science notes 5.14: trade-offs are reported jointly
    Example
        >>> found = pareto_dominance([-0.1, -0.2, -0.1], [1.0, 2.0, 1.5])
        >>> found.both, found.first_only
        (1.0, 0.0)
    """
    for word in better:
        if word not in SIDES:
            raise UsageError(f"better is lower or higher, and {word!r} is neither. {nearest(word, SIDES)}")
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise UsageError("two outcomes of the same seeds have as many differences each.")
    pairs = np.stack([one, two], axis=1)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    n = len(pairs)
    if n < 2:
        return TradeOff(n, *(math.nan,) * 6)
    gain = resampled_means(pairs) * [SIDES[word] for word in better]
    up, down = gain > 0.0, gain < 0.0
    is_both, is_neither = up.any(axis=1) & ~down.any(axis=1), down.any(axis=1) & ~up.any(axis=1)
    traded = up.any(axis=1) & down.any(axis=1)
    shares = [is_both, is_neither, traded & up[:, 0], traded & up[:, 1], ~(up | down).any(axis=1)]
    both, neither, first_only, second_only, same = (float(part.mean()) for part in shares)
    return TradeOff(n, both, neither, first_only, second_only, same, _correlation(pairs))


def _correlation(pairs: F64) -> float:
    if (pairs.min(axis=0) == pairs.max(axis=0)).any():
        return math.nan
    off = pairs - pairs.mean(axis=0)
    return float((off[:, 0] * off[:, 1]).sum() / np.sqrt((off * off).sum(axis=0).prod()))
