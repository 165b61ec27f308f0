"""How much of what decides badly is chance: the same decision taken again under other luck."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesocosm.measures.moments import F64, ratio


def replay_variance(yes: Any, of: Any) -> F64:
    """Unbiased variance of a yes-or-no decision over its replays, R/(R-1) (1 - sum of squared shares).

    Shapes   yes, of: (k,).
    Returns  (k,), NaN where there are fewer than two replays.
    Source   science notes 5.6
    Example
        >>> replay_variance(np.array([2, 4]), np.array([4, 4])).round(3).tolist()
        [0.667, 0.0]
    """
    n = np.asarray(of, dtype=np.float64)
    share = ratio(yes, n)
    return ratio(n * (2.0 * share * (1.0 - share)), n - 1.0)


def replay_error(yes: Any, of: Any, v: Any) -> F64:
    """Share of a decision's replays that were wrong: no to what turns out well, yes to what does not.

    Shapes   yes, of, v (the outcome of what was proposed, +1 or -1): (k,).
    Source   science notes 5.6
    Example
        >>> replay_error(np.array([3, 3]), np.array([4, 4]), np.array([1, -1])).tolist()
        [0.25, 0.75]
    """
    share = ratio(yes, of)
    return np.where(np.asarray(v) > 0, 1.0 - share, share)


def variance_share(variance: Any, error: Any) -> F64:
    """Share of the error of some decisions that is variance and not bias, sum V / (2 sum E).

    Returns  NaN where nothing was wrong; 1 means that errors are luck alone, 0 that the same errors recur every time.
    Source   science notes 5.6 (Haegele et al. 2601.23045)
    """
    return ratio(variance, 2.0 * np.asarray(error, dtype=np.float64))
