"""Welfare: what those who deal gain, and what is left of it for society once harm to others is counted."""

from __future__ import annotations

from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import DealColumns, Totals, statistic
from mesocosm.registry import metric


@statistic("social_value")
def social_value_seen(column: DealColumns) -> F64:
    """Surplus less externality as the proxy sees them, S - E; transfers and rebated taxes cancel out."""
    value: F64 = column["surplus"] - column["externality"]
    return value


@statistic("social_value_true")
def social_value_realised(column: DealColumns) -> F64:
    """Surplus less externality with v in place of p."""
    value: F64 = column["surplus_true"] - column["externality_true"]
    return value


@metric("private_welfare", unit="utility", better="higher", twin="private_welfare_true")
def private_welfare(totals: Totals) -> F64:
    """Sum of both sides' payoffs over accepted interactions, which leaves harm to others out.

    Returns  (R,), 0 where nothing was accepted.
    Source   science notes 5.12
    """
    return totals.moments("pi_a").sum_accepted + totals.moments("pi_b").sum_accepted


@metric("private_welfare_true", unit="utility", better="higher")
def private_welfare_true(totals: Totals) -> F64:
    """Sum of both sides' realised payoffs over accepted interactions.

    Returns  (R,), 0 where nothing was accepted.
    Source   science notes 5.12
    """
    return totals.moments("pi_a_true").sum_accepted + totals.moments("pi_b_true").sum_accepted


@metric("social_welfare", unit="surplus", better="higher", twin="social_welfare_true")
def social_welfare(totals: Totals) -> F64:
    """Sum over accepted interactions of surplus less externality, S - E.

    Returns  (R,), 0 where nothing was accepted.
    Source   science notes 0.5, 5.12
    """
    return totals.moments("social_value").sum_accepted


@metric("social_welfare_true", unit="surplus", better="higher")
def social_welfare_true(totals: Totals) -> F64:
    """Sum over accepted interactions of realised surplus less realised externality.

    Returns  (R,), 0 where nothing was accepted.
    Source   science notes 0.5, 5.12
    """
    return totals.moments("social_value_true").sum_accepted
