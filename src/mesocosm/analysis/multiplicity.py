"""Several arms judged at once against one base: p values and intervals that hold for the family, not for each alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.resampling import RESAMPLES, flipped_sums, is_enumerated
from mesocosm.analysis.statistics import CONFIDENCE, t_quantile
from mesocosm.errors import UsageError

F64 = NDArray[np.float64]
_TIE = 1e-9  # statistics nearer than this are the same: sums in another order differ in their last bits


def holm(p_values: Sequence[float] | F64) -> F64:
    """Adjusted p values, for any dependence between the tests: reject those at most alpha, and at most alpha errs.

    Shapes   (k,) -> (k,). A missing p value stays missing and does not count as a test.
    Source   Holm (1979), step-down Bonferroni
    Example
        >>> holm([0.01, 0.04, 0.03, 0.005]).round(3).tolist()
        [0.03, 0.06, 0.06, 0.02]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if np.any((p < 0.0) | (p > 1.0)):
        raise UsageError("a p value lies between 0 and 1.")
    adjusted = np.full(p.shape, math.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * steps), 1.0)
    return adjusted


@dataclass(frozen=True)
class Family:
    """What max-T says of several arms, judged together.

    An arm whose differences are defined for fewer than two seeds is left out: its numbers are NaN. Where no pair of an
    arm differs, its p value is 1 and its interval exactly 0.
    """

    p_values: F64 = field(repr=False)  # (arms,) each arm alone, by the same flips
    adjusted: F64  # (arms,) for the family, step-down
    low: F64  # (arms,) intervals that cover all true changes at once
    high: F64
    size: int  # arms judged
    seeds: int  # seeds with a difference in some arm
    ways: int  # flips gone through or drawn
    is_exact: bool  # whether they are all there are
    least: float  # the smallest p value that so many seeds allow
    confidence: float = CONFIDENCE

    def can_reject(self, alpha: float = 0.05) -> bool:
        """Whether there are seeds enough that any arm could be told from luck: below six there are not, at 5 %."""
        return self.size > 0 and self.least <= alpha


def max_t(
    differences: Sequence[Sequence[float]] | F64, *, confidence: float = CONFIDENCE, resamples: int = RESAMPLES
) -> Family:
    """Judge arms together by swapping the two runs of some seeds: how often is the largest |t| as large as those found?

    A swap flips the signs of a seed's differences in all arms at once, so what the arms share, their base first of all,
    is kept, which Holm's method cannot use. Adjusted p values are step-down: the arm with the largest |t| is held
    against the largest of all arms, the next against the largest of those left. The intervals are single-step: the
    quantile of the largest |t| of flipped residuals stands for Student's. They may include 0 where an adjusted
    p value is below 1 - confidence. Of an arm with so few seeds that no flip could show anything (below six at 95 %)
    the interval is no narrower than Bonferroni's by Student's t, and infinite if its differences are all the same.

    Params   differences: arm less base with the same seed; NaN where undefined; resamples: all 2**n flips are gone
             through where they are no more than this, else so many are drawn, the same ones every time.
    Shapes   differences: (arms, n)
    Raises   UsageError when it is not a table.
    Source   Westfall and Young (1993), algorithm 4.1; p values with the data themselves counted: Phipson, Smyth (2010)
    Example
        >>> family = max_t([[1.0, 1.2, 0.9, 1.1, 0.8, 1.0], [0.1, -0.2, 0.1, 0.0, -0.1, 0.1]])
        >>> family.adjusted.round(3).tolist(), family.is_exact
        ([0.031, 1.0], True)
    """
    table = _table(differences)
    arms = len(table)
    nan = np.full(arms, math.nan)
    tested = np.flatnonzero(np.isfinite(table).sum(axis=1) >= 2)
    there = np.isfinite(table[tested]).any(axis=0) if len(tested) else np.zeros(table.shape[1], dtype=bool)
    seeds = int(there.sum())
    if not len(tested):
        return Family(nan, nan.copy(), nan.copy(), nan.copy(), 0, seeds, 0, True, math.nan, confidence)
    given = table[tested][:, there].T  # (seeds, arms)
    defined = np.isfinite(given)
    n = defined.sum(axis=0)
    filled = np.where(defined, given, 0.0)
    sizes = _t_sizes(filled, n, resamples)
    found = _t_sizes_of_sums(filled.sum(axis=0)[None, :], filled, n)[0]
    is_exact = is_enumerated(seeds, resamples)
    extra = 0 if is_exact else 1  # drawn flips leave the data as they are out
    ways = len(sizes) + extra
    p_values, adjusted, low, high = nan.copy(), nan.copy(), nan.copy(), nan.copy()
    p_values[tested] = (extra + _reached(sizes, found)) / ways
    adjusted[tested] = _step_down(sizes, found, extra)
    change = np.array([_mean(given[:, arm]) for arm in range(len(tested))])
    half = _half_widths(given, change, n, confidence, resamples)
    low[tested], high[tested] = change - half, change + half
    least = 2.0 / ways if is_exact else 1.0 / ways
    return Family(p_values, adjusted, low, high, len(tested), seeds, ways - extra, is_exact, least, confidence)


def _table(differences: Sequence[Sequence[float]] | F64) -> F64:
    try:
        table = np.asarray(differences, dtype=np.float64)
    except ValueError:
        table = np.zeros(0)
    if table.ndim != 2:
        raise UsageError("differences are a table: a row for each arm, a column for each seed, NaN where undefined.")
    return np.where(np.isfinite(table), table, math.nan)


def _mean(values: F64) -> float:
    """The mean of what is defined, and exactly the value where all are the same."""
    values = values[np.isfinite(values)]
    return float(values[0] if values.min() == values.max() else values.mean())


def _t_sizes(filled: F64, n: NDArray[np.int64], resamples: int) -> F64:
    """|t| of every arm after every flip."""
    return _t_sizes_of_sums(flipped_sums(filled, resamples), filled, n)


def _t_sizes_of_sums(sums: F64, filled: F64, n: NDArray[np.int64]) -> F64:
    """|t| from sums alone: flips do not change the sum of squares, so the variance follows from the mean."""
    squares = (filled * filled).sum(axis=0)
    live = squares > 0.0
    share = np.zeros_like(sums)  # of the largest sum that these squares allow
    share[:, live] = np.abs(sums[:, live]) / np.sqrt(n[live] * squares[live])
    share[share > 1.0 - 1e-12] = 1.0
    with np.errstate(divide="ignore"):
        sizes: F64 = share * np.sqrt(n - 1.0) / np.sqrt(1.0 - share * share)
    return sizes


def _reached(sizes: F64, found: F64) -> F64:
    """How many flips reach what was found; an arm without any difference is reached by all."""
    reached: F64 = (sizes >= found * (1.0 - _TIE)).sum(axis=0).astype(np.float64)
    return reached


def _step_down(sizes: F64, found: F64, extra: int) -> F64:
    order = np.argsort(-found, kind="stable")
    left = np.maximum.accumulate(sizes[:, order[::-1]], axis=1)[:, ::-1]  # the largest of an arm and those after it
    p = (extra + _reached(left, found[order])) / (len(sizes) + extra)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted


def _half_widths(given: F64, change: F64, n: NDArray[np.int64], confidence: float, resamples: int) -> F64:
    """Standard errors times the quantile of the largest |t| of flipped residuals."""
    rest = np.where(np.isfinite(given), given - change, 0.0)
    error = np.sqrt((rest * rest).sum(axis=0) / (n - 1.0) / n)
    largest = _t_sizes(rest, n, resamples).max(axis=1)
    critical = float(np.quantile(largest, confidence, method="higher"))
    half: F64 = np.where(error > 0.0, error, 0.0) * (critical if math.isfinite(critical) else 0.0)
    half[(error > 0.0) & (not math.isfinite(critical))] = math.inf
    level = 1.0 - (1.0 - confidence) / len(n)
    for arm in np.flatnonzero(2.0 ** (1 - n) > (1.0 - confidence) * (1.0 + _TIE)):  # a quantile of a handful of flips
        least = t_quantile(level, int(n[arm]) - 1) * float(error[arm])
        half[arm] = math.inf if error[arm] == 0.0 and change[arm] != 0.0 else max(float(half[arm]), least)
    return half
