"""How much happens: proposals, acceptances, and who takes part."""

from __future__ import annotations

from mesocosm import exact
from mesocosm.measures.moments import F64, ratio
from mesocosm.metrics.totals import EpochTotals, Totals
from mesocosm.registry import metric


@metric("acceptance_rate", unit="share", better="neither", over="pool")
def acceptance_rate(totals: Totals) -> F64:
    """Share of proposals that were accepted.

    Returns  (R,), NaN where nobody proposed.
    """
    return ratio(totals.accepted, totals.proposals)


@metric("interactions", unit="count", better="neither")
def accepted_count(totals: Totals) -> F64:
    """Number of accepted interactions.

    Returns  (R,).
    """
    return totals.accepted


@metric("proposals", unit="count", better="neither")
def proposal_count(totals: Totals) -> F64:
    """Number of proposals, accepted or not.

    Returns  (R,).
    """
    return totals.proposals


@metric("participation", unit="share", better="higher", undefined="no agent was active")
def participation(totals: EpochTotals) -> F64:
    """Share of agents active at the end of the epoch that had an accepted interaction in it, on either side.

    Returns  (R,), NaN where nobody is active.
    Source   science notes 5.13
    """
    return exact.mean_by(totals.agent_replicate, totals.agent("took_part"), totals.n_replicates)


@metric("activity", unit="proposals an agent-step", better="neither", undefined="no agent was active")
def activity(totals: EpochTotals) -> F64:
    """Proposals made per active agent and step.

    Returns  (R,), NaN where nobody is active.
    """
    n_active = exact.count_by(totals.agent_replicate, totals.n_replicates)
    return ratio(totals.proposals, n_active * totals.parameter("steps_per_epoch"))
