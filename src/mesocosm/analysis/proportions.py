"""Shares of runs in which something happened, with intervals that hold for few runs and for none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mesocosm import exact
from mesocosm.analysis.statistics import CONFIDENCE
from mesocosm.errors import UsageError


@dataclass(frozen=True)
class Proportion:
    """How often something happened in n independent runs."""

    count: int
    n: int
    share: float  # NaN for no runs
    low: float  # ends of the confidence interval
    high: float
    confidence: float = CONFIDENCE


def proportion(count: int, n: int, confidence: float = CONFIDENCE) -> Proportion:
    """A share with its Wilson interval; where it never happened, or always did, the exact one-sided bound.

    Where it happened in none of n runs, it happens in at most 1 - (1 - confidence)**(1/n) of all runs with that
    confidence (about 3/n at 95 %); and the same from above where it happened in all.

    Raises   UsageError for counts that cannot be.
    Source   science notes 5.14: Wilson; zero events 1 - .05**(1/n)
    Example
        >>> found = proportion(8, 15)
        >>> round(found.low, 3), round(found.high, 3)
        (0.301, 0.752)
        >>> round(proportion(0, 30).high, 3)
        0.095
    """
    if not 0 <= count <= n:
        raise UsageError(f"{count} of {n} runs cannot be: a count lies between 0 and the number of runs.")
    if n == 0:
        return Proportion(0, 0, math.nan, math.nan, math.nan, confidence)
    bound = 1.0 - (1.0 - confidence) ** (1.0 / n)
    if count == 0:
        return Proportion(0, n, 0.0, 0.0, bound, confidence)
    if count == n:
        return Proportion(n, n, 1.0, 1.0 - bound, 1.0, confidence)
    z = float(exact.normal_quantile(0.5 + 0.5 * confidence))
    share, spread = count / n, 1.0 + z * z / n
    middle = (share + z * z / (2.0 * n)) / spread
    half = z / spread * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    return Proportion(count, n, share, middle - half, middle + half, confidence)
