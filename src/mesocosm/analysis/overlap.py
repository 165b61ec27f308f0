"""Two samples that may share some of their seeds: their difference, pair by pair or over all seeds of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.power import seeds_to_reject
from mesocosm.analysis.statistics import CONFIDENCE, paired_effect, t_quantile

F64 = NDArray[np.float64]
BySeed = Mapping[int, float]
PAIRS_LEAST = 3  # to estimate how two samples go together
NARROWER = 0.7  # by this much at least: taking whichever is a little narrower by luck would promise too much


@dataclass(frozen=True)
class Difference:
    """Two means and by how much they differ; `second - first` is always `change`.

    `pairs` is the number of seeds that were compared one by one, 0 where all seeds of each sample count. The interval
    is NaN where there are too few.
    """

    first: float
    second: float
    change: float
    low: float
    high: float
    pairs: int
    seeds: tuple[int, int]  # with a value, in each mean

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0.0 or self.high < 0.0


def differences_of(samples: Sequence[tuple[BySeed, BySeed]], confidence: float = CONFIDENCE) -> list[Difference]:
    """The difference of each pair of samples, all of them found in the same way, whichever is the sharper for most.

    Seeds that both have are compared one by one where they are all there are, or where that gives clearly narrower
    intervals and there are six at least (or none differs at all); else all seeds of both count, and the shared ones
    lower the standard error by as much as they go together. The choice looks at widths only, not at what differs.

    Params   samples: (first, second), each a value by seed; NaN where undefined.
    Example
        >>> one, other = {1: 1.0, 2: 5.0, 3: 9.0}, {1: 1.5, 2: 5.6, 3: 9.4}
        >>> found = differences_of([(one, other)])[0]
        >>> round(found.change, 2), found.pairs
        (0.5, 3)
    """
    paired = [in_pairs(one, other, confidence) for one, other in samples]
    whole = [over_all(one, other, confidence) for one, other in samples]
    ratios = [
        _width(one) / _width(other) if _width(other) > 0.0 else float(_width(one) > 0.0)
        for one, other in zip(paired, whole, strict=True)
        if math.isfinite(_width(one)) and _may_pair(one, confidence)
    ]
    if all(one.pairs == max(other.seeds) for one, other in zip(paired, whole, strict=True)):
        return paired  # the same seeds in both
    are_narrow = bool(ratios) and 2 * len(ratios) >= len(samples) and float(np.median(ratios)) <= NARROWER
    return paired if are_narrow else whole


def _width(found: Difference) -> float:
    return math.inf if math.isnan(found.low) else found.high - found.low


def _may_pair(paired: Difference, confidence: float) -> bool:
    """Whether so few pairs can stand for all: of a handful, the narrowest interval is narrow by luck."""
    same = paired.pairs >= 2 and paired.low == paired.high == paired.change == 0.0
    return same or paired.pairs >= seeds_to_reject(1.0 - confidence)


def _defined(sample: BySeed) -> dict[int, float]:
    return {seed: value for seed, value in sample.items() if math.isfinite(value)}


def in_pairs(first: BySeed, second: BySeed, confidence: float = CONFIDENCE) -> Difference:
    """The difference over seeds that both samples have, seed by seed; the means are over these seeds, too."""
    one, other = _defined(first), _defined(second)
    seeds = sorted(one.keys() & other.keys())
    found = paired_effect([other[seed] for seed in seeds], [one[seed] for seed in seeds], confidence)
    return Difference(found.base, found.treated, found.change, found.low, found.high, len(seeds), (len(seeds),) * 2)


def over_all(first: BySeed, second: BySeed, confidence: float = CONFIDENCE) -> Difference:
    """The difference of the means over all seeds of each: Welch's, less what shared seeds have in common.

    Source   Derrick, Russ, Toher and White (2017), test statistics for partially overlapping samples, unequal variances
    """
    one, other = _defined(first), _defined(second)
    x, y = np.array(list(one.values())), np.array(list(other.values()))
    n, m = len(x), len(y)
    means = [_mean(values) for values in (x, y)]
    low = high = math.nan
    if min(n, m) >= 2:
        half = _half_width(x, y, [(one[seed], other[seed]) for seed in sorted(one.keys() & other.keys())], confidence)
        low, high = means[1] - means[0] - half, means[1] - means[0] + half
    return Difference(means[0], means[1], means[1] - means[0], low, high, 0, (n, m))


def _mean(values: F64) -> float:
    if not len(values):
        return math.nan
    return float(values[0] if values.min() == values.max() else values.mean())


def _half_width(x: F64, y: F64, shared: Sequence[tuple[float, float]], confidence: float) -> float:
    n, m, k = len(x), len(y), len(shared)
    if x.min() == x.max() and y.min() == y.max():  # nothing is known of their spread but that it did not show
        return 0.0 if x[0] == y[0] or min(n, m) >= seeds_to_reject(1.0 - confidence) else math.nan
    one, other = float(x.var(ddof=1)) / n, float(y.var(ddof=1)) / m
    variance = one + other
    degrees = variance * variance / (one * one / (n - 1) + other * other / (m - 1))
    if k >= PAIRS_LEAST:
        table = np.array(shared)
        apart = n + m - 2 * k
        r = 0.0 if (table.min(axis=0) == table.max(axis=0)).any() else float(np.corrcoef(table.T)[0, 1])
        variance -= 2.0 * r * math.sqrt(one * n * other * m) * k / (n * m)
        degrees = (k - 1) + (degrees - k + 1) / (n + m) * apart
    return t_quantile(confidence, max(degrees, 1.0)) * math.sqrt(max(variance, 0.0))
