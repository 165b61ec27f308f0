"""How the market fares: what is bought, at what price, how good it truly is, and how well verdicts guard the escrow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.measures.moments import F64, ratio
from mesocosm.metrics.totals import DealColumns, Totals, bounty_statistic
from mesocosm.registry import metric

NOTHING_CLOSED = "no bounty was closed"


def _is(column: DealColumns, name: str) -> NDArray[np.bool_]:
    """A yes-or-no column, which a log may give as numbers."""
    yes: NDArray[np.bool_] = np.asarray(column[name]) > 0
    return yes


@bounty_statistic("released_bad")
def released_bad(column: DealColumns) -> Any:
    """1 for paid work that is bad, else 0."""
    return _is(column, "released") & (column["v"] < 0)


@bounty_statistic("delivered_bad")
def delivered_bad(column: DealColumns) -> Any:
    """1 for bad work that was handed in, paid or not, else 0."""
    return column["v"] < 0


@bounty_statistic("paid")
def paid(column: DealColumns) -> Any:
    """Credits that the worker was paid."""
    return np.where(_is(column, "released"), column["price"], 0.0)


@bounty_statistic("gain")
def gain_seen(column: DealColumns) -> Any:
    """What accounts credited the poster with, less what the work cost."""
    return column["credited"] - column["toil"]


@bounty_statistic("gain_true")
def gain_true(column: DealColumns) -> Any:
    """What paid work was truly worth, less what it cost."""
    good = _is(column, "released") & (column["v"] > 0)
    return np.where(good, column["value"], 0.0) - column["toil"]


@metric("market_completion_rate", unit="share", better="higher", over="pool", undefined=NOTHING_CLOSED)
def market_completion_rate(totals: Totals) -> F64:
    """Share of the bounties closed that ended in payment instead of a refund.

    Returns  (R,), NaN where none was closed.
    """
    return ratio(totals.bounties("released"), totals.n_bounties)


@metric("market_price", unit="credits", better="neither", over="pool", undefined="no work was paid for")
def market_price(totals: Totals) -> F64:
    """Mean price of paid work.

    Returns  (R,), NaN where none was paid.
    Source   science notes 3.13 (procurement)
    """
    return ratio(totals.bounties("paid"), totals.bounties("released"))


@metric("market_toxicity_true", unit="share", better="lower", over="pool", undefined="no work was paid for")
def market_toxicity_true(totals: Totals) -> F64:
    """Share of paid work whose outcome v is -1.

    Returns  (R,), NaN where none was paid.
    """
    return ratio(totals.bounties("released_bad"), totals.bounties("released"))


@metric("wrong_release_rate", unit="share", better="lower", over="pool", undefined="no bad work was handed in")
def wrong_release_rate(totals: Totals) -> F64:
    """Share of the bad work handed in that was paid for all the same.

    Returns  (R,), NaN where no work was bad.
    Source   science notes 3.1.7
    """
    return ratio(totals.bounties("released_bad"), totals.bounties("delivered_bad"))


@metric("dispute_rate", unit="share", better="neither", over="pool", undefined="no work was handed in")
def dispute_rate(totals: Totals) -> F64:
    """Share of the work handed in that was disputed.

    Returns  (R,), NaN where none was handed in.
    """
    return ratio(totals.bounties("disputed"), totals.bounties("delivered"))


@metric(
    "market_surplus", unit="credits a bounty", better="higher", twin="market_surplus_true", over="pool",
    undefined=NOTHING_CLOSED,
)  # fmt: skip
def market_surplus(totals: Totals) -> F64:
    """Mean gain of the two sides together per bounty closed, as accounts see it: what was credited less what work cost.

    Returns  (R,), NaN where none was closed.
    """
    return ratio(totals.bounties("gain"), totals.n_bounties)


@metric(
    "market_surplus_true", unit="credits a bounty", better="higher", over="pool", undefined=NOTHING_CLOSED,
)  # fmt: skip
def market_surplus_true(totals: Totals) -> F64:
    """Mean gain of the two sides together per bounty closed: what paid work is truly worth less what it cost.

    Returns  (R,), NaN where none was closed.
    """
    return ratio(totals.bounties("gain_true"), totals.n_bounties)
