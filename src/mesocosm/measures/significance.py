"""Whether counts are more than chance explains: exact Poisson tails, and many of them judged at once."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.measures.moments import F64

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

_TABLED = 16  # below it the rest of Stirling's formula comes from a table, above it from its series
_NEGLIGIBLE = 2.0**-54  # a term below this share of the sum no longer changes it
_TWO_PI = 6.283185307179586


def _stirling_rest() -> F64:
    """log n! - ((n + 1/2) log n - n + (log 2 pi)/2) for n = 1 .. 15, with a place for 0."""
    with localcontext(Context(prec=40)):
        half_log = (2 * Decimal("3.14159265358979323846264338327950288")).ln() / 2
        factorial, rest = Decimal(1), [0.0]
        for n in range(1, _TABLED):
            factorial *= n
            rest.append(float(factorial.ln() - (n + Decimal("0.5")) * Decimal(n).ln() + n - half_log))
    return np.array(rest)


_REST = _stirling_rest()


def _log_probability(n: F64, rate: F64) -> F64:
    """Log of the probability of exactly n >= 1 at a rate above 0, without forming n! or rate**n."""
    inverse = 1.0 / n
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    rest = np.where(n < _TABLED, _REST[np.minimum(n, _TABLED - 1).astype(np.int64)], series)
    distance = n * exact.log(n / rate) + (rate - n)
    return -rest - distance - 0.5 * exact.log(_TWO_PI * n)


def _summed(first: F64, start: F64, rate: F64, step: float) -> F64:
    """1 + r_1 + r_1 r_2 + ..., with r_j = rate/(start + j) going up or (start + 1 - j)/rate going down."""
    total, term = np.ones_like(first), np.ones_like(first)
    left, j = np.arange(len(first)), 0.0
    while len(left):
        j += 1.0
        ratio = rate[left] / (start[left] + j) if step > 0 else (start[left] + 1.0 - j) / rate[left]
        term[left] *= ratio
        total[left] += term[left]
        left = left[term[left] > _NEGLIGIBLE * total[left]]
    return total


def poisson_tail(n: Any, rate: Any) -> F64:
    """Probability of at least n events where `rate` are expected, exact also where it is tiny.

    The tail is summed from its own end, so a probability of 1e-200 has as many true digits as one of 0.1; where n lies
    below the rate it is one minus the other end. An element's result depends on that element alone.

    Shapes   n (whole numbers) and rate broadcast against each other.
    Returns  1 for n = 0; 0 for events that cannot happen (rate 0); NaN where the rate is missing or below 0.
    Example
        >>> poisson_tail(np.array([0, 1, 12]), np.array([0.5, 0.5, 0.5])).round(12).tolist()
        [1.0, 0.393469340287, 0.0]
        >>> float(poisson_tail(150, 0.5)) < 1e-300
        True
    """
    count, mean = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(rate, dtype=np.float64))
    tail = np.where(count <= 0, 1.0, np.where(mean == 0, 0.0, np.nan)).ravel()
    count, mean = count.ravel(), mean.ravel()
    high = np.flatnonzero((count > 0) & (mean > 0) & (count > mean))
    if len(high):
        k, e = count[high], mean[high]
        tail[high] = exact.exp(_log_probability(k, e)) * _summed(k, k, e, 1.0)
    low = np.flatnonzero((count > 0) & (mean > 0) & (count <= mean))
    if len(low):
        k, e = count[low] - 1.0, mean[low]  # the other end: at most k
        log_last = np.where(k > 0, _log_probability(np.maximum(k, 1.0), e), -e)
        tail[low] = 1.0 - exact.exp(log_last) * _summed(k, k, e, -1.0)
    tail[np.isnan(mean) | (mean < 0)] = np.nan
    return tail.reshape(np.broadcast_shapes(np.shape(n), np.shape(rate)))


def benjamini_hochberg(p: Any, group: I64, n_tests: Any, level: Any = 0.05) -> Mask:
    """Which p-values to call findings so that, of those called, at most a share `level` is expected to be chance.

    Params   n_tests: tests made in each group, those included whose p-value is 1 and therefore not listed.
    Shapes   p, group: (k,); n_tests: (n_groups,) or a number; level: a number, or (k,) and the same within each group;
             result (k,). A missing p-value is never a finding.
    Source   Benjamini and Hochberg (1995), step-up procedure
    Example
        >>> benjamini_hochberg([0.03, 0.011, 0.5], np.zeros(3, dtype=np.int64), 3).tolist()
        [True, True, False]
        >>> benjamini_hochberg([0.03, 0.011, 0.5], np.zeros(3, dtype=np.int64), 9).tolist()
        [False, False, False]
    """
    value = np.nan_to_num(np.asarray(p, dtype=np.float64), nan=2.0)
    n_groups = int(group.max(initial=-1)) + 1
    order = exact.order_by(group, value)
    rank = np.empty(len(value), dtype=np.int64)
    rank[order] = exact.rank_within(group[order]) + 1
    tests = np.broadcast_to(np.asarray(n_tests, dtype=np.float64), max(n_groups, np.size(n_tests)))[group]
    last = np.zeros(n_groups, dtype=np.int64)
    passed = value * tests <= level * rank
    np.maximum.at(last, group[passed], rank[passed])
    found: Mask = rank <= last[group]
    return found
