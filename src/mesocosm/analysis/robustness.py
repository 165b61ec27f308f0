"""Whether a finding depends on the model's constants: how often its sign holds, and which constants move it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.multiplicity import holm
from mesocosm.analysis.proportions import Proportion, proportion
from mesocosm.analysis.statistics import CONFIDENCE
from mesocosm.errors import UsageError

F64 = NDArray[np.float64]
_NOTHING = 1e-9  # a residual this small beside what it is left of is rounding


@dataclass(frozen=True)
class Influence:
    """How a constant of the model moves an effect, all other constants held fixed."""

    name: str
    rank_correlation: float  # partial, -1 to 1; NaN for a constant that does not vary by itself
    p_value: float
    adjusted: float  # the same over all constants, by Holm


def sign_share(effects: Sequence[float] | F64, sign: float, confidence: float = CONFIDENCE) -> Proportion:
    """Share of economies in which an effect has the sign it is said to have; an effect of exactly 0 has not.

    The interval takes the effects as independent: each economy has to be played on seeds of its own. That a Latin
    hypercube spreads economies more evenly than chance makes the interval wider than need be, not narrower.

    Params   sign: above or below 0.
    Shapes   effects: (samples,), NaN where undefined, which is left out.
    Raises   UsageError for a sign of 0.
    Example
        >>> found = sign_share([-0.1, -0.2, 0.1, float("nan")], -1)
        >>> found.count, found.n
        (2, 3)
    """
    if not (sign > 0.0 or sign < 0.0):
        raise UsageError("a sign is a number above or below 0.")
    found = np.asarray(effects, dtype=np.float64)
    found = found[np.isfinite(found)]
    return proportion(int((np.sign(found) == np.sign(sign)).sum()), len(found), confidence)


def rank_influences(
    constants: Sequence[Sequence[float]] | F64, effects: Sequence[float] | F64, names: Sequence[str]
) -> list[Influence]:
    """Which constants move an effect most: partial rank correlations, the largest first.

    A partial rank correlation is that of a constant's ranks with the effect's ranks, once both are cleared of all
    other constants' ranks; it sees any monotone influence, straight or not, and none that turns back.

    Shapes   constants: (samples, k); effects: (samples,), NaN where undefined, which is left out; names: (k,)
    Raises   UsageError when shapes do not fit, or when fewer than k + 3 samples are defined.
    Source   Marino, Hogue, Ray and Kirschner (2008): PRCC on a Latin hypercube
    Example
        >>> x = [[0, 3], [1, 1], [2, 4], [3, 0], [4, 5], [5, 2]]
        >>> [(one.name, round(one.rank_correlation, 2)) for one in rank_influences(x, [0, 1, 4, 9, 17, 25], ["a", "b"])]
        [('a', 1.0), ('b', 0.0)]
    """
    table, found = np.asarray(constants, dtype=np.float64), np.asarray(effects, dtype=np.float64)
    if table.ndim != 2 or found.shape != table.shape[:1] or len(names) != table.shape[1]:
        raise UsageError("constants are a table: a row for each sample, a column for each name; effects, one a sample.")
    defined = np.isfinite(found)
    table, found = table[defined], found[defined]
    samples, k = table.shape
    if samples < k + 3:
        raise UsageError(f"{k} constants need at least {k + 3} economies with a defined effect; there are {samples}.")
    import scipy.stats

    ranks, goal = scipy.stats.rankdata(table, axis=0), scipy.stats.rankdata(found)
    r = np.array([_partial(ranks, goal, place) for place in range(k)])
    degrees = samples - 1 - k
    with np.errstate(divide="ignore"):
        p = 2.0 * scipy.stats.t.sf(np.abs(r) * np.sqrt(degrees) / np.sqrt(1.0 - r * r), degrees)
    adjusted = holm(p)
    order = np.argsort(np.where(np.isnan(r), 1.0, -np.abs(r)), kind="stable")
    return [Influence(names[place], float(r[place]), float(p[place]), float(adjusted[place])) for place in order]


def _partial(ranks: F64, goal: F64, place: int) -> float:
    others = np.column_stack([np.ones(len(goal)), np.delete(ranks, place, axis=1)])
    x, y = (_residual(others, column) for column in (ranks[:, place], goal))
    if not x.any():
        return float("nan")
    if not y.any():
        return 0.0
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1.0, 1.0))


def _residual(others: F64, column: F64) -> F64:
    """What the others do not explain of a column, exactly 0 where that is rounding."""
    if column.min() == column.max():
        return np.zeros_like(column)
    fit, *_ = np.linalg.lstsq(others, column, rcond=None)
    rest: F64 = column - others @ fit
    spread = column - column.mean()
    return np.zeros_like(rest) if (rest * rest).sum() <= _NOTHING * (spread * spread).sum() else rest
