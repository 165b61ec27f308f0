"""How unequally attention is spread over the agents."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.measures.inequality import gini, largest_share
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import EpochTotals
from mesocosm.registry import metric


def why_votes_say_nothing(totals: EpochTotals) -> NDArray[Any]:
    """Negative votes, no votes or fewer than two agents: the first of these that holds, by replicate."""
    row, votes, n_replicates = totals.agent_replicate, totals.agent("votes_received"), totals.n_replicates
    negative = exact.count_by(row, n_replicates, votes < 0) > 0
    nothing = exact.count_by(row, n_replicates, votes != 0) == 0
    reasons = ("an agent's votes received are negative", "nobody was voted for", "fewer than two agents were active")
    return np.where(negative, reasons[0], np.where(nothing, reasons[1], reasons[2])).astype(object)


@metric("influence_gini", unit="Gini", better="lower", undefined=why_votes_say_nothing)
def influence_gini(totals: EpochTotals) -> F64:
    """Inequality of votes received over active agents, those with none included; 0 equal, 1 all to one.

    Returns  (R,), NaN with fewer than two active agents, no votes at all, or an agent with a negative count.
    Source   science notes 5.8
    """
    return gini(totals.agent("votes_received"), totals.agent_replicate, totals.n_replicates)


@metric("influence_top1", unit="share", better="lower", undefined=why_votes_say_nothing)
def influence_top1(totals: EpochTotals) -> F64:
    """Share of all votes received that the most voted-for active agent has; read it beside the Gini in small groups.

    Returns  (R,), NaN with no votes at all, or an agent with a negative count.
    Source   science notes 5.8
    """
    return largest_share(totals.agent("votes_received"), totals.agent_replicate, totals.n_replicates)
