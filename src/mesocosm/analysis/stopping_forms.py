"""What theory expects of rules that stop at a count or a cumulative sum: false alarms, and how long until one.

Pure functions of numbers. Nothing here uses the model's own code, so that agreement means something.
"""

from __future__ import annotations

import math
from typing import NamedTuple

NEGLIGIBLE = 1e-18


def binomial_tail(more_than: int, trials: int, chance: float) -> float:
    """Chance of more than so many successes.

    Example
        >>> binomial_tail(0, 2, 0.5), round(binomial_tail(5, 10, 0.2), 4)
        (0.75, 0.0064)
    """
    each = (math.comb(trials, k) * chance**k * (1.0 - chance) ** (trials - k) for k in range(more_than + 1, trials + 1))
    return math.fsum(each)


def window_trip(window: int, threshold: float, rate: float) -> float:
    """Chance that a window of signals, each 1 with a chance and else 0, has a mean above a threshold.

    Source   science notes 3.1.4: BinomSF(floor(W th), W, p0).
    Example
        >>> f"{window_trip(20, 0.5, 0.2):.1e}", f"{window_trip(10, 0.5, 0.2):.1e}", f"{window_trip(10, 0.5, 0.6):.3f}"
        ('5.6e-04', '6.4e-03', '0.633')
    """
    return binomial_tail(math.floor(window * threshold + 1e-9), window, rate)


class SumRun(NamedTuple):
    """How long a cumulative sum runs until it gives the alarm, as far as it is watched."""

    mean: float  # signals until the alarm, or until the end if it comes first
    alarm: float  # chance of an alarm by the end
    forever: float  # mean signals until the alarm if it were watched on: ARL


def sum_run(limit: float, good: float, bad: float, rate: float, signals: int) -> SumRun:
    """Run of S <- max(0, S + llr) to S >= h over signals that are 1 with a chance and else 0, step by exact step.

    The state is how many ones and zeros there were since S was last 0. What is beyond the end is extrapolated: by then
    the chance to go on is the same at every signal.

    Params   good, bad: rates the sum weighs against each other; rate: that of the signals; signals: how many.
    Source   Page (1954); science notes 3.14, where simulated: ARL 164 and 11.8 at .2 against .5, h = 3; 433, 15.4 at 4.
    Example
        >>> [round(sum_run(3.0, 0.2, 0.5, rate, 400).forever, 1) for rate in (0.2, 0.5)]
        [160.5, 11.7]
    """
    up, down = math.log(bad / good), math.log((1.0 - bad) / (1.0 - good))
    here = {(0, 0): 1.0}
    alive = [1.0]
    for _ in range(signals):
        then: dict[tuple[int, int], float] = {}
        for (ones, zeros), mass in here.items():
            for counts, part in (((ones + 1, zeros), rate), ((ones, zeros + 1), 1.0 - rate)):
                total = counts[0] * up + counts[1] * down
                if total < limit and mass * part > NEGLIGIBLE:
                    place = counts if total > 0.0 else (0, 0)
                    then[place] = then.get(place, 0.0) + mass * part
        here = then
        alive.append(math.fsum(here.values()))
    mean = math.fsum(alive[:-1])
    left = alive[-1] / (1.0 - alive[-1] / alive[-2]) if alive[-1] > 0.0 else 0.0
    return SumRun(mean, 1.0 - alive[-1], mean + left)
