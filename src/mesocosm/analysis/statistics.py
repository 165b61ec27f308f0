"""Paired effects: the unit of replication is the seed, and two arms share their seeds and so their luck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.resampling import resampled_means
from mesocosm.config.study_schema import BCA_SEEDS_LEAST
from mesocosm.errors import UsageError, nearest

F64 = NDArray[np.float64]
CONFIDENCE = 0.95
T, BCA, AUTO = "t", "bca", "auto"
METHODS = (T, BCA, AUTO)


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
    p_value: float  # two-sided: of the t test, or by the same bootstrap as the interval
    variance_reduction: float
    confidence: float = CONFIDENCE
    standard_error: float = math.nan  # of the change; NaN for fewer than two pairs
    method: str = T  # how interval and p value were found: "t" or "bca"

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0.0 or self.high < 0.0

    @property
    def is_exactly_zero(self) -> bool:
        """Whether no pair differs at all."""
        return self.n > 0 and self.low == self.high == self.change == 0.0


def check_confidence(confidence: float) -> None:
    """Refuse what cannot be the confidence of an interval.

    Raises   UsageError with an example of what can.
    """
    if not 0.0 < confidence < 1.0:
        raise UsageError(f"a confidence lies between 0 and 1, as in 0.95; {confidence:g} was given.")


def t_quantile(confidence: float, degrees: float) -> float:
    """Half-width of a two-sided t interval in standard errors.

    Example
        >>> round(t_quantile(0.95, 29), 3)
        2.045
    """
    import scipy.stats

    return float(scipy.stats.t.ppf(0.5 + 0.5 * confidence, degrees))


def paired_effect(
    treated: Sequence[float] | F64, base: Sequence[float] | F64, confidence: float = CONFIDENCE, method: str = T
) -> PairedEffect:
    """The mean difference over pairs with its interval and p value.

    The t interval takes the mean of the differences to be near normal. BCa takes no shape for granted: it draws seeds
    again and corrects for bias and skewness; with few seeds it is too short, so it is given from 30 pairs on only.
    Either way the p value is below 1 - confidence where the interval excludes 0 (BCa: as finely as 9,999 resamples can
    tell). Differences that are all the same tell nothing of their spread: the p value is that of their signs, and there
    is an interval, without width, from as many pairs on as make it small (6 at 95 %).

    Params   method: "t", "bca", or "auto": t below 30 pairs and BCa from 30 on.
    Shapes   treated, base: (n,), one value a seed, in the same order; NaN where undefined.
    Returns  an effect whose interval is NaN for fewer than two pairs.
    Raises   UsageError for another method, a confidence that is none, and for BCa with fewer than 30 pairs.
    Source   science notes 5.14: paired differences, t interval, BCa from 30 seeds on, seeds as the unit; Efron (1987).
    Example
        >>> effect = paired_effect([1.0, 2.0, 3.0], [0.5, 1.0, 2.0])
        >>> round(effect.change, 3), round(effect.low, 3), round(effect.high, 3)
        (0.833, 0.116, 1.55)
    """
    check_confidence(confidence)
    one, two = np.asarray(treated, dtype=np.float64), np.asarray(base, dtype=np.float64)
    defined = np.isfinite(one) & np.isfinite(two)
    one, two = one[defined], two[defined]
    n, undefined = len(one), int((~defined).sum())
    chosen = _method(method, n)
    if n == 0:
        return PairedEffect(0, undefined, *(math.nan,) * 7, confidence)
    difference = one - two
    same = bool(difference.min() == difference.max())
    change = float(difference[0] if same else difference.mean())
    means = (float(two.mean()), float(one.mean()))
    if n == 1:
        return PairedEffect(n, undefined, *means, change, *(math.nan,) * 4, confidence)
    spread = 0.0 if same else float(difference.var(ddof=1))
    error = math.sqrt(spread / n)
    reduction = _ratio(float(one.var(ddof=1) + two.var(ddof=1)), spread)
    if chosen == BCA and not same:
        bootstrap = _Bootstrap.of(difference)
        low, high, p_value = *bootstrap.interval(confidence), bootstrap.p_value
    else:
        half = t_quantile(confidence, n - 1) * error
        low, high, p_value = change - half, change + half, _p_value(change, spread, n)
        if spread == 0.0 and change != 0.0 and p_value > 1.0 - confidence:
            low = high = math.nan
    return PairedEffect(n, undefined, *means, change, low, high, p_value, reduction, confidence, error, chosen)


def difference_of_effects(
    one: tuple[Any, Any], other: tuple[Any, Any], confidence: float = CONFIDENCE, method: str = T
) -> PairedEffect:
    """How much more one change does than another, seed by seed; each is given as (treated, base).

    Example
        >>> difference_of_effects(([3.0, 4.0], [1.0, 1.0]), ([2.0, 2.0], [1.0, 1.0])).change
        1.5
    """
    first, second = (np.asarray(pair[0], dtype=np.float64) - np.asarray(pair[1], dtype=np.float64)
                     for pair in (one, other))  # fmt: skip
    return paired_effect(first, second, confidence, method)


class _Bootstrap(NamedTuple):
    """The BCa bootstrap of a mean: means of resamples in order, bias correction and acceleration."""

    means: F64
    bias: float
    acceleration: float

    @classmethod
    def of(cls, difference: F64) -> _Bootstrap:
        from scipy.special import ndtri

        mean = difference.mean()
        means = np.sort(resampled_means(difference))
        off = difference - mean
        # the jackknife of a mean: its third moment over its second
        acceleration = float((off**3).sum() / (6.0 * (off**2).sum() ** 1.5))
        return cls(means, float(ndtri(_share_below(means, float(mean)))), acceleration)

    def interval(self, confidence: float) -> tuple[float, float]:
        from scipy.special import ndtr, ndtri

        z = self.bias + ndtri(np.array([0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence]))
        low, high = np.quantile(self.means, ndtr(self.bias + z / (1.0 - self.acceleration * z)))
        return float(low), float(high)

    @property
    def p_value(self) -> float:
        """1 - confidence of the interval that ends at 0; never below what this many resamples can tell."""
        from scipy.special import ndtr, ndtri

        change = float(self.means.mean())
        beyond = np.searchsorted(self.means, 0.0, "right")  # ties with 0 count against an effect
        if change < 0.0:
            beyond = len(self.means) - np.searchsorted(self.means, 0.0, "left")
        share = (1.0 + float(beyond)) / (1.0 + len(self.means))
        u = float(ndtri(share if change > 0.0 else 1.0 - share)) - self.bias
        curve = 1.0 + self.acceleration * u
        least = 2.0 / (1.0 + len(self.means))
        if curve <= 0.0:  # no level reaches as far as 0
            return least
        z = u / curve - self.bias
        return min(max(2.0 * float(ndtr(z if change > 0.0 else -z)), least), 1.0)


def _share_below(means: F64, value: float) -> float:
    """Share of sorted means below a value, ties counted half."""
    return float(np.searchsorted(means, value, "left") + np.searchsorted(means, value, "right")) / (2.0 * len(means))


def _method(method: str, n: int) -> str:
    if method not in METHODS:
        raise UsageError(f"intervals by {method!r} are not known. {nearest(method, METHODS)}")
    if method == AUTO:
        return BCA if n >= BCA_SEEDS_LEAST else T
    if method == BCA and n < BCA_SEEDS_LEAST:
        raise UsageError(
            f"a BCa interval needs at least {BCA_SEEDS_LEAST} pairs, and {n} are defined: with fewer it is too short. "
            'Run more seeds, or take method="t" ("auto" chooses).'
        )
    return method


def _ratio(unpaired: float, paired: float) -> float:
    if paired == 0.0:
        return math.inf
    return unpaired / paired


def _p_value(change: float, spread: float, n: int) -> float:
    if spread == 0.0:  # no t: of the 2**n ways to give the differences their signs, two are as far from 0 as these
        return 1.0 if change == 0.0 else 2.0 ** (1 - n)
    import scipy.stats

    return float(2.0 * scipy.stats.t.sf(abs(change) / math.sqrt(spread / n), n - 1))
