"""Panels of verifiers: how often a majority is right when verifiers err alone, and when they err together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def majority(accuracy: Any, size: Any) -> F64:
    """Chance that most of some independent verifiers are right.

    Params   accuracy: chance that one of them is; size: how many, odd. Numbers or columns.
    Source   Condorcet (1785); science notes 3.5.
    Example
        >>> round(float(majority(0.6, 11)), 4), round(float(majority(0.7, 3)), 4)
        (0.7535, 0.784)
    """
    a, n = np.broadcast_arrays(np.asarray(accuracy, dtype=np.float64), np.asarray(size, dtype=np.int64))
    chance = np.zeros(a.shape)
    for each in np.unique(n).tolist():
        chance = np.where(n == each, _most_of(a, each), chance)
    return chance


def panel_right(rule: Any, accuracy: Any = None) -> F64:
    """Chance that a panel's verdict is right: (1 - c) P_n + c a, with common-cause share c.

    Params   rule: panel_size, panel_accuracy, panel_correlation; accuracy: of one verifier, if not that of the rule.
    Source   science notes 3.5.
    """
    a = rule.panel_accuracy if accuracy is None else accuracy
    together = rule.panel_correlation
    right: F64 = (1.0 - together) * majority(a, rule.panel_size) + together * a
    return right


def accuracy_on_bad(rule: Any, disguise: Any) -> Any:
    """Chance that one verifier sees bad work for what it is: disguise takes away phi d of what accuracy adds to 1/2.

    At phi d = 1 the verifier is as likely to be fooled as it otherwise is to be right.
    """
    return rule.panel_accuracy - rule.phi * disguise * (2.0 * rule.panel_accuracy - 1.0)


def chance_paid(rule: Any, good: Any, disguise: Any) -> Any:
    """Chance that work is passed, and so paid for, when it is good with some chance; disputes apart."""
    passed = good * panel_right(rule) + (1.0 - good) * (1.0 - panel_right(rule, accuracy_on_bad(rule, disguise)))
    return np.where(np.asarray(rule.on_submission) > 0, 1.0, passed)


def votes_of(right: F64, together: F64, own: F64, rule: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """How many verifiers are right, and whether that is most of them.

    With the chance of the common cause all of them see what the first one sees.

    Params   right: (k,) chance that one is right; together: (k,) uniform, for the common cause; own: (k, n) uniform,
             one for each verifier of the largest panel; rule: panel_size, panel_correlation.
    """
    size = np.broadcast_to(np.asarray(rule.panel_size, dtype=np.int64), right.shape)
    sees = own < right[:, None]
    sees = np.where((together < rule.panel_correlation)[:, None], sees[:, :1], sees)
    n_right = (sees & (np.arange(own.shape[1]) < size[:, None])).sum(axis=1)
    return n_right, 2 * n_right > size


def _most_of(a: F64, n: int) -> F64:
    """Sum of the upper half of a binomial distribution."""
    yes, no = [np.ones_like(a)], [np.ones_like(a)]
    for _ in range(n):
        yes.append(yes[-1] * a)
        no.append(no[-1] * (1.0 - a))
    total = np.zeros_like(a)
    for k in range(n // 2 + 1, n + 1):
        total = total + math.comb(n, k) * yes[k] * no[n - k]
    return total
