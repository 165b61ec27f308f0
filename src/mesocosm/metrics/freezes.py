"""Who is stopped by governance."""

from __future__ import annotations

import numpy as np

from mesocosm import exact
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import EpochTotals
from mesocosm.registry import metric


@metric("frozen_share", unit="share of agents", better="lower", over="last", undefined="no agent was active")
def frozen_share(totals: EpochTotals) -> F64:
    """Share of active agents that a lever has frozen at least once so far; of honest ones it is a false alarm.

    Returns  (R,), NaN where nobody is active.
    """
    frozen = (np.asarray(totals.agent("freezes")) > 0).astype(np.float64)
    return exact.mean_by(totals.agent_replicate, frozen, totals.n_replicates)
