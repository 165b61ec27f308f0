"""How unequally attention is spread over the agents."""

from __future__ import annotations

from mesocosm.measures.inequality import gini, largest_share
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import EpochTotals
from mesocosm.registry import metric


@metric("influence_gini", unit="Gini", better="lower")
def influence_gini(totals: EpochTotals) -> F64:
    """Inequality of votes received over active agents, those with none included; 0 equal, 1 all to one.

    Returns  (R,), NaN with fewer than two active agents, no votes at all, or an agent with a negative count.
    Source   science notes 5.8
    """
    return gini(totals.agent("votes_received"), totals.agent_replicate, totals.n_replicates)


@metric("influence_top1", unit="share", better="lower")
def influence_top1(totals: EpochTotals) -> F64:
    """Share of all votes received that the most voted-for active agent has; read it beside the Gini in small groups.

    Returns  (R,), NaN with no votes at all, or an agent with a negative count.
    Source   science notes 5.8
    """
    return largest_share(totals.agent("votes_received"), totals.agent_replicate, totals.n_replicates)
