"""Cumulative sums (CUSUM): noticing that a rate has gone up while looking on deal by deal."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesocosm import exact
from mesocosm.measures.moments import F64

# Everywhere: good is the rate of bad signals that is in order, bad the rate that is to be noticed, both strictly
# between 0 and 1. Where bad is not above good there is nothing to notice, and nothing is ever added.


def likelihood_step(signal: Any, good: Any, bad: Any) -> F64:
    """What one signal adds to the evidence for the bad rate against the good one: their log likelihood ratio.

    x log(bad / good) + (1 - x) log((1 - bad) / (1 - good)). For signals between 0 and 1 it is linear in the signal, and
    e to the step is on average at most 1 while the mean signal is no more than the good rate (it is convex).

    Params   signal: x, from 0 to 1; good, bad: rates.
    Source   Page (1954); Wald (1945); science notes 3.1.4.
    Example
        >>> likelihood_step([1.0, 0.0], 0.2, 0.5).round(4).tolist()
        [0.9163, -0.47]
    """
    rise, fall = _ends(good, bad)
    step: F64 = fall + np.asarray(signal, dtype=np.float64) * (rise - fall)
    return step


def cusum(before: Any, step: Any) -> F64:
    """The sum after one more step: it never falls below 0, so that a long good past excuses nothing.

    Source   Page (1954): S <- max(0, S + step); the alarm is given where S >= h.
    Example
        >>> cusum([0.0, 1.0], [-0.47, 0.75]).tolist()
        [0.0, 1.75]
    """
    total: F64 = np.maximum(np.asarray(before, dtype=np.float64) + step, 0.0)
    return total


def tipping_signal(good: Any, bad: Any) -> F64:
    """The mean signal above which the sum rises in the long run and below which it falls back; 1 where none does.

    Example
        >>> round(float(tipping_signal(0.2, 0.5)), 4)
        0.339
    """
    rise, fall = _ends(good, bad)
    return np.where(rise > 0.0, -fall / np.where(rise > 0.0, rise - fall, 1.0), 1.0)


def drift(good: Any, bad: Any) -> F64:
    """How much the sum rises per signal at the bad rate, away from 0: an alarm takes about h / drift signals.

    Returns  the Kullback-Leibler distance between the two rates.
    Source   Lorden (1971); science notes 3.14: ARL1 ~ h / KL.
    Example
        >>> round(float(drift(0.2, 0.5)), 4)
        0.2231
    """
    return likelihood_step(bad, good, bad)


def least_false_run(limit: Any) -> F64:
    """A lower bound for the mean number of signals until a false alarm: e^h.

    Params   limit: h, at which the alarm is given.
    Source   Lorden (1971); science notes 3.1.4: ARL0 >= e^h.
    Example
        >>> round(float(least_false_run(3.0)), 2)
        20.09
    """
    return exact.exp(np.asarray(limit, dtype=np.float64))


def _ends(good: Any, bad: Any) -> tuple[F64, F64]:
    """Steps of the signals 1 and 0; nothing where the bad rate is not above the good one."""
    low, high = np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    rises = high > low
    rise = np.where(rises, exact.log(high / low), 0.0)
    fall = np.where(rises, exact.log((1.0 - high) / (1.0 - low)), 0.0)
    return rise, fall
