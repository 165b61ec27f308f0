"""What agents earn."""

from __future__ import annotations

import numpy as np

from mesocosm import exact
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import EpochTotals
from mesocosm.registry import metric


@metric("income", unit="credits an agent and epoch", better="higher", undefined="no agent was active")
def income(totals: EpochTotals) -> F64:
    """Mean change of what agents own over the epoch, of those active at its end; by type, what honest agents earn.

    What they own is their balance and what they have on deposit. For an agent that arrived in the epoch, counted from
    its endowment; for an identity that its owner opened, from nothing, as what it was given is missing on the owner's
    side.

    Returns  (R,), NaN where nobody is active.
    """
    row = totals.agent_replicate
    before = totals.agent_before("balance") + totals.agent_before("deposits")
    start = np.where(np.isnan(before), totals.parameter("initial_budget")[row], before)
    return exact.mean_by(row, totals.agent("balance") + totals.agent("deposits") - start, totals.n_replicates)
