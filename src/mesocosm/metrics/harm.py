"""Toxicity and what hangs on it: the proxy's reading beside the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesocosm.measures.moments import F64
from mesocosm.measures.toxicity import harm_per_proposal, mean_harm
from mesocosm.metrics.totals import DealColumns, Totals, statistic
from mesocosm.registry import metric


@statistic("good")
def outcome_is_good(column: DealColumns) -> NDArray[np.bool_]:
    """1 where the realised outcome v is +1, else 0."""
    good: NDArray[np.bool_] = column["v"] > 0
    return good


@metric("toxicity_rate", unit="probability", better="lower", twin="toxicity_true", over="pool")
def toxicity_rate(totals: Totals) -> F64:
    """Mean chance of harm among accepted interactions as the proxy sees it, E[1-p|acc].

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 5.1
    """
    return mean_harm(totals.moments("p"))


@metric("toxicity_true", unit="share", better="lower", over="pool")
def toxicity_true(totals: Totals) -> F64:
    """Share of accepted interactions whose realised outcome v is -1.

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 5.1
    """
    return mean_harm(totals.moments("good"))


@metric("goodhart_gap", unit="share", better="lower", over="pool")
def goodhart_gap(totals: Totals) -> F64:
    """Toxicity by truth minus toxicity by proxy: above 0 the proxy flatters, below 0 it alarms.

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 0.3
    """
    return toxicity_true(totals) - toxicity_rate(totals)


@metric("harm_rate", unit="probability a proposal", better="lower", twin="toxic_rate", over="pool")
def harm_rate(totals: Totals) -> F64:
    """Chance of harm let through per proposal as the proxy sees it, toxicity_rate times acceptance_rate.

    Returns  (R,), NaN where nobody proposed.
    Source   science notes 5.1 (volume-aware harm)
    """
    return harm_per_proposal(totals.moments("p"))


@metric("toxic_rate", unit="share of proposals", better="lower", over="pool")
def toxic_rate(totals: Totals) -> F64:
    """Accepted interactions with v=-1 per proposal.

    Returns  (R,), NaN where nobody proposed.
    Source   science notes 5.1 (volume-aware harm)
    """
    return harm_per_proposal(totals.moments("good"))


@metric("mean_p", unit="probability", better="higher", twin="mean_p_true", over="pool")
def mean_p(totals: Totals) -> F64:
    """Mean of the proxy p over all proposals, accepted or not.

    Returns  (R,), NaN where nobody proposed.
    """
    return totals.moments("p").mean


@metric("mean_p_true", unit="share", better="higher", over="pool")
def mean_p_true(totals: Totals) -> F64:
    """Share of all proposals, accepted or not, whose outcome v is +1.

    Returns  (R,), NaN where nobody proposed.
    """
    return totals.moments("good").mean
