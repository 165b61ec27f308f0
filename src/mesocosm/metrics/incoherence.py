"""How much of what agents decide badly is luck: their decisions taken again under other luck."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.measures.incoherence import replay_error, replay_variance, variance_share
from mesocosm.measures.moments import F64, ratio
from mesocosm.metrics.totals import DealColumns, Totals, decision_statistic
from mesocosm.registry import metric

NOT_REPLAYED = "no decision was replayed"


@decision_statistic("variance")
def decision_variance(column: DealColumns) -> F64:
    """Unbiased variance of a yes-or-no decision over its replays."""
    return replay_variance(column["yes"], column["of"])


@decision_statistic("error")
def decision_error_share(column: DealColumns) -> F64:
    """Share of a decision's replays that go against the outcome."""
    return replay_error(column["yes"], column["of"], column["v"])


def why_incoherence_is_unknown(totals: Totals) -> NDArray[Any]:
    """Nothing was replayed, or nothing that was replayed was ever wrong; which of the two, by replicate."""
    reasons = (NOT_REPLAYED, "no replayed decision was ever wrong, or one was replayed only once")
    return np.where(totals.n_decisions == 0, *reasons).astype(object)


@metric("incoherence", unit="share of error", better="neither", over="pool", undefined=why_incoherence_is_unknown)
def incoherence(totals: Totals) -> F64:
    """Share of the error in accepting that is variance: 1 if it is luck alone, 0 if the same mistakes always recur.

    A share says nothing of the size: read it beside decision_error.

    Returns  (R,), NaN where nothing was replayed, or nothing that was replayed was wrong.
    Source   science notes 0.6, 5.6
    """
    return variance_share(totals.decisions("variance"), totals.decisions("error"))


@metric("decision_error", unit="share", better="lower", over="pool", undefined=NOT_REPLAYED)
def decision_error(totals: Totals) -> F64:
    """How often replayed decisions go against the outcome: accept what fails, or decline what would have gone well.

    Returns  (R,), NaN where nothing was replayed.
    Source   science notes 5.6
    """
    return ratio(totals.decisions("error"), totals.n_decisions)
