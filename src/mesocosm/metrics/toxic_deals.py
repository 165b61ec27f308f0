"""What the deals that go wrong are worth to those who make them: a loss in surplus, a gain in reputation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesocosm.measures.moments import F64, ratio
from mesocosm.metrics.totals import DealColumns, Totals, statistic
from mesocosm.registry import metric

NONE_TOXIC = "no accepted interaction went wrong"


@statistic("bad")
def outcome_is_bad(column: DealColumns) -> NDArray[np.bool_]:
    """1 where the realised outcome v is -1, else 0."""
    bad: NDArray[np.bool_] = column["v"] < 0
    return bad


@statistic("surplus_if_bad")
def surplus_if_bad(column: DealColumns) -> F64:
    """Surplus S by the proxy where v is -1, else 0."""
    return np.where(column["v"] < 0, column["surplus"], 0.0)


@statistic("surplus_true_if_bad")
def surplus_true_if_bad(column: DealColumns) -> F64:
    """Realised surplus where v is -1, else 0."""
    return np.where(column["v"] < 0, column["surplus_true"], 0.0)


@statistic("reputation_if_bad")
def reputation_if_bad(column: DealColumns) -> F64:
    """Reputation reward r_a of the initiator where v is -1, else 0."""
    return np.where(column["v"] < 0, column["r_a"], 0.0)


def _mean_over_toxic(totals: Totals, name: str) -> F64:
    return ratio(totals.moments(name).sum_accepted, totals.moments("bad").sum_accepted)


@metric(
    "toxic_surplus",
    unit="surplus",
    better="neither",
    over="pool",
    twin="toxic_surplus_true",
    undefined=NONE_TOXIC,
)
def toxic_surplus(totals: Totals) -> F64:
    """Mean surplus that the proxy sees in accepted interactions that went wrong, E[S|acc, v=-1].

    Returns  (R,), NaN where no accepted interaction went wrong.
    Source   science notes 6, success criterion
    """
    return _mean_over_toxic(totals, "surplus_if_bad")


@metric("toxic_surplus_true", unit="surplus", better="neither", over="pool", undefined=NONE_TOXIC)
def toxic_surplus_true(totals: Totals) -> F64:
    """Mean realised surplus of accepted interactions that went wrong, which is -s-.

    Returns  (R,), NaN where no accepted interaction went wrong.
    Source   science notes 6, success criterion
    """
    return _mean_over_toxic(totals, "surplus_true_if_bad")


@metric("toxic_reputation", unit="utility", better="lower", over="pool", undefined=NONE_TOXIC)
def toxic_reputation(totals: Totals) -> F64:
    """What initiators gain in reputation from accepted interactions that went wrong, E[w_rep r_a|acc, v=-1].

    Above 0 harm pays in standing, whatever it costs in surplus.

    Returns  (R,), NaN where no accepted interaction went wrong.
    Source   science notes 6, success criterion
    """
    worth: F64 = totals.parameter("w_rep") * _mean_over_toxic(totals, "reputation_if_bad")
    return worth
