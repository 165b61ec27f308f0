"""Paired effects: the unit of replication is the seed, and two arms share their seeds and so their luck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedEffect:
    """What a change does to one quantity, over pairs of runs with the same seed.

    `variance_reduction` says how much larger the variance of the difference would be without pairing; it is infinite
    where pairs do not differ at all, and NaN for fewer than two pairs.
    """

    n: int  # pairs in which both values are defined
    undefined: int  # pairs left out because one is not
    base: float  # mean without the change
    treated: float  # mean with it
    change: float  # mean difference
    low: float  # ends of the confidence interval
    high: float
    p_value: float  # two-sided t test
    variance_reduction: float
    confidence: float = CONFIDENCE

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0.0 or self.high < 0.0

    @property
    def is_exactly_zero(self) -> bool:
        """Whether no pair differs at all."""
        return self.n > 0 and self.low == self.high == self.change == 0.0

    @property
    def standard_error(self) -> float:
        """Standard error of the change, NaN for fewer than two pairs."""
        if self.n < 2:
            return math.nan
        return (self.high - self.low) / (2.0 * t_quantile(self.confidence, self.n - 1))


def t_quantile(confidence: float, degrees: int) -> float:
    """Half-width of a two-sided t interval in standard errors.

    Example
        >>> round(t_quantile(0.95, 29), 3)
        2.045
    """
    import scipy.stats

    return float(scipy.stats.t.ppf(0.5 + 0.5 * confidence, degrees))


def paired_effect(
    treated: Sequence[float] | F64, base: Sequence[float] | F64, confidence: float = CONFIDENCE
) -> PairedEffect:
    """The mean difference over pairs with its t interval and p value.

    Shapes   treated, base: (n,), one value a seed, in the same order; NaN where undefined.
    Returns  an effect whose interval is NaN for fewer than two pairs.
    Source   science notes 5.14: paired differences, t interval, seeds as the unit.
    Example
        >>> effect = paired_effect([1.0, 2.0, 3.0], [0.5, 1.0, 2.0])
        >>> round(effect.change, 3), round(effect.low, 3), round(effect.high, 3)
        (0.833, 0.116, 1.55)
    """
    one, two = np.asarray(treated, dtype=np.float64), np.asarray(base, dtype=np.float64)
    defined = np.isfinite(one) & np.isfinite(two)
    one, two = one[defined], two[defined]
    n, undefined = len(one), int((~defined).sum())
    if n == 0:
        return PairedEffect(0, undefined, *(math.nan,) * 7, confidence)
    difference = one - two
    change = float(difference.mean())
    means = (float(two.mean()), float(one.mean()))
    if n == 1:
        return PairedEffect(n, undefined, *means, change, *(math.nan,) * 4, confidence)
    spread = float(difference.var(ddof=1))
    half = t_quantile(confidence, n - 1) * math.sqrt(spread / n)
    reduction = _ratio(float(one.var(ddof=1) + two.var(ddof=1)), spread)
    p_value = _p_value(change, spread, n)
    return PairedEffect(n, undefined, *means, change, change - half, change + half, p_value, reduction, confidence)


def difference_of_effects(one: tuple[Any, Any], other: tuple[Any, Any], confidence: float = CONFIDENCE) -> PairedEffect:
    """How much more one change does than another, seed by seed; each is given as (treated, base).

    Example
        >>> difference_of_effects(([3.0, 4.0], [1.0, 1.0]), ([2.0, 2.0], [1.0, 1.0])).change
        1.5
    """
    first, second = (np.asarray(pair[0], dtype=np.float64) - np.asarray(pair[1], dtype=np.float64)
                     for pair in (one, other))  # fmt: skip
    return paired_effect(first, second, confidence)


def _ratio(unpaired: float, paired: float) -> float:
    if paired == 0.0:
        return math.inf
    return unpaired / paired


def _p_value(change: float, spread: float, n: int) -> float:
    if spread == 0.0:
        return 1.0 if change == 0.0 else 0.0
    import scipy.stats

    return float(2.0 * scipy.stats.t.sf(abs(change) / math.sqrt(spread / n), n - 1))
