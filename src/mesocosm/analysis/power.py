"""How many seeds: power of the paired t test, seeds for an effect that matters, and what a small pilot can promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.statistics import t_quantile
from mesocosm.errors import UsageError

F64 = NDArray[np.float64]
ALPHA, POWER = 0.05, 0.8
PILOT_CONFIDENCE = 0.8  # of the upper bound on the spread: four plans of five then have the power they promise
SEEDS_MOST = 10_000_000


def power_of(n: int, sd: float, effect: float, alpha: float = ALPHA) -> float:
    """Chance that a two-sided paired t test over n seeds finds a true effect.

    Params   sd: of the difference between the two runs of a seed; alpha: for a family, already divided by its size.
    Source   noncentral t distribution with n - 1 degrees of freedom
    Example
        >>> round(power_of(34, 1.0, 0.5), 3)
        0.808
    """
    _positive(sd=sd, allow_zero=True)
    _share(alpha=alpha)
    if n < 2:
        return 0.0
    if sd == 0.0:
        return 1.0 if effect != 0.0 else 0.0
    import scipy.stats

    shift = abs(effect) / sd * math.sqrt(n)
    critical = t_quantile(1.0 - alpha, n - 1)
    far = float(scipy.stats.nct.sf(critical, n - 1, shift))
    near = float(scipy.stats.nct.cdf(-critical, n - 1, shift)) if shift < 5.0 else 0.0  # below 1e-10 beyond
    return min(far + near, 1.0) if math.isfinite(far) else 1.0


def seeds_needed(
    sd: float, smallest_effect: float, *, power: float = POWER, alpha: float = ALPHA, family: int = 1
) -> int:
    """Fewest seeds with which an effect of that size is found with that power, two-sided.

    Params   sd: of the difference between the two runs of a seed; family: arms on the primary outcome. Each is planned
             at alpha / family (Bonferroni), which is cautious: Holm and max-T find no less.
    Raises   UsageError for an effect of 0, which no number of seeds finds, and for shares outside 0 to 1.
    Example
        >>> seeds_needed(1.0, 0.5), seeds_needed(1.0, 0.5, family=5)
        (34, 51)
    """
    level = _level(alpha, family)
    _share(power=power)
    _positive(sd=sd, allow_zero=True)
    _positive(smallest_effect=abs(smallest_effect))
    return _fewest(lambda n: power_of(n, sd, smallest_effect, level) >= power, "to find so small an effect")


def seeds_to_decide(sd: float, smallest_effect: float, *, alpha: float = ALPHA, family: int = 1) -> int:
    """Fewest seeds with which the interval is expected to be as narrow as the smallest effect of interest.

    Such an interval cannot hold both 0 and an effect that matters, so the question is decided, wherever the truth lies.

    Params   as of `seeds_needed`.
    Example
        >>> seeds_to_decide(1.0, 0.5)
        64
    """
    level = _level(alpha, family)
    _positive(sd=sd, allow_zero=True)
    _positive(smallest_effect=smallest_effect)
    return _fewest(
        lambda n: 2.0 * t_quantile(1.0 - level, n - 1) * sd / math.sqrt(n) <= smallest_effect,
        "for so narrow an interval",
    )


def seeds_to_reject(alpha: float = ALPHA) -> int:
    """Fewest seeds with which flips of signs can tell anything from luck: two of 2**n ways are as far off as any.

    Example
        >>> seeds_to_reject(), seeds_to_reject(0.2)
        (6, 4)
    """
    _share(alpha=alpha)
    return math.ceil(1.0 - math.log2(alpha) - 1e-9)


def detectable_effect(n: int, sd: float, *, power: float = POWER, alpha: float = ALPHA, family: int = 1) -> float:
    """Smallest effect that n seeds find with that power; NaN for fewer than two.

    Example
        >>> round(detectable_effect(34, 1.0), 3)
        0.495
    """
    level = _level(alpha, family)
    _share(power=power)
    _positive(sd=sd, allow_zero=True)
    if n < 2:
        return math.nan
    if power <= level or sd == 0.0:
        return 0.0
    import scipy.optimize

    most = 1.0
    while power_of(n, 1.0, most, level) < power:
        most *= 2.0
    root = scipy.optimize.brentq(lambda effect: power_of(n, 1.0, effect, level) - power, 0.0, most, xtol=1e-12)
    return float(root) * sd


@dataclass(frozen=True)
class SeedPlan:
    """Seeds planned from a pilot: by the spread it showed, and by the most that spread may well be."""

    pilot: int  # seeds with a defined difference in the pilot
    sd: float  # of the differences
    sd_upper: float  # upper confidence bound on it
    confidence: float  # of that bound, one-sided
    seeds: int  # if the pilot's sd is right
    seeds_cautious: int  # if it is as large as the bound
    smallest_effect: float
    power: float = POWER
    alpha: float = ALPHA
    family: int = 1


def sd_upper_bound(sd: float, n: int, confidence: float = PILOT_CONFIDENCE) -> float:
    """Upper confidence bound on a standard deviation, by chi-square: differences taken as normal.

    Example
        >>> round(sd_upper_bound(1.0, 10), 3), round(sd_upper_bound(1.0, 100), 3)
        (1.293, 1.067)
    """
    _share(confidence=confidence)
    if n < 2:
        return math.nan
    import scipy.stats

    return sd * math.sqrt((n - 1) / float(scipy.stats.chi2.ppf(1.0 - confidence, n - 1)))


def plan_seeds(
    differences: Sequence[float] | F64,
    smallest_effect: float,
    *,
    power: float = POWER,
    alpha: float = ALPHA,
    family: int = 1,
    confidence: float = PILOT_CONFIDENCE,
) -> SeedPlan:
    """How many seeds a study needs, by the differences of a pilot on seeds that are not reported.

    The mean of the pilot is not used: what stands out in a few seeds is mostly an overestimate. `smallest_effect`
    is the smallest effect that would matter.

    Shapes   differences: (n,), NaN where undefined.
    Raises   UsageError for fewer than two defined differences, or an effect of 0.
    Source   Browne (1995): plan with the upper 80 % bound of the pilot's spread
    Example
        >>> plan = plan_seeds([0.1, -0.3, 0.2, 0.0, -0.1, 0.4], 0.1)
        >>> round(plan.sd, 2), round(plan.sd_upper, 2), plan.seeds, plan.seeds_cautious
        (0.24, 0.35, 49, 101)
    """
    found = np.asarray(differences, dtype=np.float64)
    found = found[np.isfinite(found)]
    if len(found) < 2:
        raise UsageError(f"a pilot needs at least two seeds with a defined difference, and this one has {len(found)}.")
    sd = 0.0 if found.min() == found.max() else float(found.std(ddof=1))
    upper = sd_upper_bound(sd, len(found), confidence)
    seeds, cautious = (
        seeds_needed(spread, smallest_effect, power=power, alpha=alpha, family=family) for spread in (sd, upper)
    )
    return SeedPlan(len(found), sd, upper, confidence, seeds, cautious, abs(smallest_effect), power, alpha, family)


def _fewest(enough: Callable[[int], bool], what: str) -> int:
    """Smallest n >= 2 for which a condition holds that goes on holding."""
    high = 2
    while not enough(high):
        high *= 2
        if high > SEEDS_MOST:
            raise UsageError(f"more than {SEEDS_MOST:,} seeds would be needed {what}: it drowns in the spread.")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _level(alpha: float, family: int) -> float:
    _share(alpha=alpha)
    if family < 1:
        raise UsageError(f"a family has at least one arm, and {family} was given.")
    return alpha / family


def _share(**given: float) -> None:
    for name, value in given.items():
        if not 0.0 < value < 1.0:
            raise UsageError(f"{name} lies between 0 and 1, and {value:g} was given.")


def _positive(allow_zero: bool = False, **given: float) -> None:
    for name, value in given.items():
        if not math.isfinite(value) or value < 0.0 or (value == 0.0 and not allow_zero):
            least = "a number of 0 or more" if allow_zero else "a number above 0"
            raise UsageError(f"{name.replace('_', ' ')} must be {least}, and {value:g} was given.")
