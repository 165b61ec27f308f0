"""Whether probabilities mean what they say: Brier score, calibration error beside its null, logistic recalibration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.measures.moments import F64, ratio

I64 = NDArray[np.int64]

BINS = 10
SURE = 1e-9  # probabilities nearer to 0 or 1 than this are taken to be this near, so that log odds are finite
ITERATIONS_MAX, HALVINGS_MAX = 100, 60
CONVERGED, NEARLY = 1e-9, 1e-6  # Newton's next error is about the square of its last step
NEGLIGIBLE = 1e-13  # a fall of the log likelihood, relative to its size, that is only rounding
_FOLDED_MEAN = math.sqrt(2.0 / math.pi)  # mean of |z| for a standard normal z
_FOLDED_VARIANCE = 1.0 - 2.0 / math.pi
_UPPER_5_PERCENT = float(exact.normal_quantile(0.95))


def brier_score(p: Any, good: Any, group: I64, n_groups: int) -> F64:
    """Mean squared distance between a probability and what came of it, by group; 0 is perfect, 1/4 says nothing.

    Shapes   p, good (1 where it happened), group: (k,); result (n_groups,).
    Source   science notes 5.5
    Example
        >>> brier_score([0.5, 1.0], [1, 1], np.zeros(2, dtype=np.int64), 1).tolist()
        [0.125]
    """
    error = np.asarray(p, dtype=np.float64) - np.asarray(good, dtype=np.float64)
    return exact.mean_by(group, error * error, n_groups)


def equal_mass_bins(p: Any, group: I64, n_groups: int, n_bins: int = BINS) -> I64:
    """Cell of each row when every group is cut, by p, into bins that hold equally many rows, or one more.

    Ties are cut in the order in which they stand.

    Shapes   p, group: (k,).
    Returns  (k,), group * n_bins + bin.
    Example
        >>> equal_mass_bins([0.9, 0.1, 0.5, 0.5], np.zeros(4, dtype=np.int64), 1, 2).tolist()
        [1, 0, 0, 1]
    """
    order = exact.order_by(group, np.asarray(p, dtype=np.float64))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = exact.rank_within(group[order])
    size = exact.count_by(group, n_groups)
    cell: I64 = group * n_bins + rank * n_bins // size[group]
    return cell


def murphy(p: Any, good: Any, group: I64, n_groups: int, n_bins: int = BINS) -> tuple[F64, F64, F64, F64]:
    """Brier score taken apart over bins of equal mass: reliability - resolution + uncertainty + what is left in bins.

    Returns  (reliability, resolution, uncertainty, rest), each (n_groups,); they add up to the Brier score exactly.
    Source   Murphy (1973); the rest within bins as in Stephenson et al. (2008); science notes 5.5
    """
    seen, happened = np.asarray(p, dtype=np.float64), np.asarray(good, dtype=np.float64)
    cell, n_cells = equal_mass_bins(seen, group, n_groups, n_bins), n_groups * n_bins
    mean_p, mean_good = (exact.mean_by(cell, column, n_cells)[cell] for column in (seen, happened))
    base = exact.mean_by(group, happened, n_groups)
    reliability = exact.mean_by(group, (mean_p - mean_good) * (mean_p - mean_good), n_groups)
    resolution = exact.mean_by(group, (mean_good - base[group]) * (mean_good - base[group]), n_groups)
    uncertainty = base * (1.0 - base)
    rest = brier_score(seen, happened, group, n_groups) - reliability + resolution - uncertainty
    return reliability, resolution, uncertainty, rest


def calibration_error(p: Any, good: Any, group: I64, n_groups: int, n_bins: int = BINS) -> F64:
    """Expected calibration error: mean distance between p and the share that happened, over bins of equal mass.

    It is above 0 even for probabilities that are right; `calibration_error_by_chance` says by how much.

    Shapes   p, good, group: (k,); result (n_groups,), NaN for an empty group.
    Source   science notes 5.5
    Example
        >>> calibration_error([0.1, 0.1, 0.8, 0.8], [0, 0, 1, 1], np.zeros(4, dtype=np.int64), 1, 2).round(12).tolist()
        [0.15]
    """
    off = np.asarray(p, dtype=np.float64) - np.asarray(good, dtype=np.float64)
    cell = equal_mass_bins(p, group, n_groups, n_bins)
    missed = np.abs(exact.sum_by(cell, off, n_groups * n_bins))
    return ratio(exact.sum_by(_group_of_cell(n_groups, n_bins), missed, n_groups), exact.count_by(group, n_groups))


def calibration_error_by_chance(p: Any, group: I64, n_groups: int, n_bins: int = BINS) -> tuple[F64, F64]:
    """Calibration error that probabilities would show if they were right: its mean, and what 95 of 100 stay below.

    A bin's distance is then a folded normal with scale sqrt(sum p (1-p)) / n; the sum of the bins is taken as normal.

    Returns  (mean, 95 % quantile), each (n_groups,), NaN for an empty group.
    Source   science notes 5.5
    """
    chance = np.asarray(p, dtype=np.float64)
    variance = exact.sum_by(
        equal_mass_bins(chance, group, n_groups, n_bins), chance * (1.0 - chance), n_groups * n_bins
    )
    n, whole = exact.count_by(group, n_groups), _group_of_cell(n_groups, n_bins)
    mean = ratio(_FOLDED_MEAN * exact.sum_by(whole, np.sqrt(variance), n_groups), n)
    spread = ratio(np.sqrt(_FOLDED_VARIANCE * exact.sum_by(whole, variance, n_groups)), n)
    return mean, mean + _UPPER_5_PERCENT * spread


def _group_of_cell(n_groups: int, n_bins: int) -> I64:
    return np.repeat(np.arange(n_groups, dtype=np.int64), n_bins)


def recalibrated(p: Any, good: Any, group: I64, n_groups: int) -> tuple[F64, F64]:
    """Intercept and slope of the logistic regression of what happened on the log odds of p, by maximum likelihood.

    0 and 1 where p is right. A slope above 1 means that p is too timid, below 1 that it claims too much.

    Shapes   p, good, group: (k,).
    Returns  (intercept, slope), each (n_groups,); NaN where no maximum exists: only one outcome, only one value of p,
             or a value of p that parts the outcomes.
    Source   Cox (1958); science notes 5.5
    """
    log_odds = exact.logit(np.minimum(np.maximum(np.asarray(p, dtype=np.float64), SURE), 1.0 - SURE))
    happened = np.asarray(good, dtype=np.float64)
    mean = exact.mean_by(group, log_odds, n_groups)
    centred = log_odds - mean[group]
    scale = np.sqrt(exact.mean_by(group, centred * centred, n_groups))
    known = _overlap(log_odds, happened > 0, group, n_groups) & (scale > 0)
    rows = np.flatnonzero(known[group])
    level, steepness, done = _newton(centred[rows] / scale[group[rows]], happened[rows], group[rows], n_groups)
    slope = ratio(np.where(done & known, steepness, np.nan), scale)
    return np.where(done & known, level, np.nan) - slope * mean, slope


def _overlap(x: F64, good: Any, group: I64, n_groups: int) -> NDArray[np.bool_]:
    """Whether no value of x has all of one outcome at or below it and all of the other at or above."""
    edges = []
    for side in (good, ~good):
        low, high = np.full(n_groups, np.inf), np.full(n_groups, -np.inf)
        np.minimum.at(low, group[side], x[side])
        np.maximum.at(high, group[side], x[side])
        edges.append((low, high))
    (low_good, high_good), (low_bad, high_bad) = edges
    overlap: NDArray[np.bool_] = (low_good < high_bad) & (low_bad < high_good)
    return overlap


def _newton(z: F64, happened: F64, group: I64, n_groups: int) -> tuple[F64, F64, NDArray[np.bool_]]:
    """Maximum of the likelihood of happened ~ sigmoid(a + b z) by group: a, b, and whether it was reached.

    Each step is worked out around the weighted mean of z, where level and slope do not disturb each other, and halved
    until the likelihood does not fall. A group that has converged stays as it is, so that its bits do not depend on the
    others.
    """
    level, slope, centre = np.zeros(n_groups), np.zeros(n_groups), np.zeros(n_groups)
    best, last = np.full(n_groups, -np.inf), np.full(n_groups, np.inf)
    done = exact.count_by(group, n_groups) == 0
    for _ in range(ITERATIONS_MAX):
        if done.all():
            break
        rows = np.flatnonzero(~done[group])
        which, x, y = group[rows], z[rows], happened[rows]
        chance = exact.sigmoid(level[which] + slope[which] * (x - centre[which]))
        weight, error = chance * (1.0 - chance), y - chance
        whole = exact.sum_by(which, weight, n_groups)
        middle = ratio(exact.sum_by(which, weight * x, n_groups), whole)
        off = x - middle[which]
        spread = exact.sum_by(which, weight * off * off, n_groups)
        up = ratio(exact.sum_by(which, error, n_groups), whole)
        steeper = ratio(exact.sum_by(which, error * off, n_groups), spread)
        here = level + slope * (middle - centre)
        length, found = _longest(best, (here, up), (slope, steeper), (which, off, y))
        active = ~done & np.isfinite(up) & np.isfinite(steeper)
        level = np.where(active, here + length * up, level)
        slope = np.where(active, slope + length * steeper, slope)
        centre, best = np.where(active, middle, centre), np.where(active, found, best)
        moved = np.maximum(np.abs(up), np.abs(steeper) * np.sqrt(ratio(spread, whole)))
        settled = (moved < CONVERGED) | ((moved < NEARLY) & (moved > 0.5 * last))  # the latter: down to the rounding
        done, last = done | (active & settled), np.where(active, moved, last)
    return level - slope * centre, slope, done


def _longest(best: F64, level: tuple[F64, F64], slope: tuple[F64, F64], rows: tuple[I64, F64, F64]) -> tuple[F64, F64]:
    """How far to go along a step in level and slope, 1 or 1/2 or 1/4 ..., and the log likelihood there, by group."""
    which, off, y = rows
    n_groups, length = len(best), np.ones(len(best))
    for _ in range(HALVINGS_MAX):
        there = (level[0] + length * level[1])[which] + (slope[0] + length * slope[1])[which] * off
        soft = np.maximum(there, 0.0) + exact.log(1.0 + exact.exp(-np.abs(there)))
        found = exact.sum_by(which, y * there - soft, n_groups)
        worse = found < best - NEGLIGIBLE * (1.0 + np.abs(best))
        if not worse.any():
            break
        length = np.where(worse, 0.5 * length, length)
    return length, found
