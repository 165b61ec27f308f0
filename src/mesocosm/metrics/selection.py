"""Adverse selection: whether those who accept pick the better interactions, by the proxy and in truth."""

from __future__ import annotations

from mesocosm.measures.moments import F64
from mesocosm.measures.selection import acceptance_gap, adverse_spread, selection_effect
from mesocosm.metrics.totals import Totals
from mesocosm.registry import metric


@metric("quality_gap", unit="probability", better="higher", twin="quality_gap_true", over="pool")
def quality_gap(totals: Totals) -> F64:
    """How much better accepted interactions look than rejected ones, E[p|acc] - E[p|rej].

    Returns  (R,), NaN where nothing was accepted or nothing rejected; below 0 means adverse selection.
    Source   science notes 5.4
    """
    return acceptance_gap(totals.moments("p"))


@metric("quality_gap_true", unit="share", better="higher", over="pool")
def quality_gap_true(totals: Totals) -> F64:
    """How much more often accepted interactions turn out well than rejected ones, P(v=+1|acc) - P(v=+1|rej).

    Returns  (R,), NaN where nothing was accepted or nothing rejected.
    Source   science notes 5.4
    """
    return acceptance_gap(totals.moments("good"))


@metric(
    "conditional_loss_initiator", unit="utility", better="higher", twin="conditional_loss_initiator_true", over="pool"
)
def conditional_loss_initiator(totals: Totals) -> F64:
    """What selection is worth to the initiator, E[pi_a|acc] - E[pi_a] (a loss when below 0).

    A rejected proposal counts with the payoff it would have brought.

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 5.2
    """
    return selection_effect(totals.moments("pi_a"))


@metric("conditional_loss_initiator_true", unit="utility", better="higher", over="pool")
def conditional_loss_initiator_true(totals: Totals) -> F64:
    """What selection is worth to the initiator at realised payoffs, with v in place of p.

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 5.2
    """
    return selection_effect(totals.moments("pi_a_true"))


@metric(
    "conditional_loss_counterparty",
    unit="utility",
    better="higher",
    twin="conditional_loss_counterparty_true",
    over="pool",
)
def conditional_loss_counterparty(totals: Totals) -> F64:
    """What its own selection is worth to the counterparty, E[pi_b|acc] - E[pi_b] (a loss when below 0).

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 5.2
    """
    return selection_effect(totals.moments("pi_b"))


@metric("conditional_loss_counterparty_true", unit="utility", better="higher", over="pool")
def conditional_loss_counterparty_true(totals: Totals) -> F64:
    """What its own selection is worth to the counterparty at realised payoffs, with v in place of p.

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 5.2
    """
    return selection_effect(totals.moments("pi_b_true"))


@metric("spread", unit="surplus", better="lower", twin="spread_true", over="pool")
def spread(totals: Totals) -> F64:
    """The bid-ask spread that would pay for the selection, (s+ + s-)(E[p] - E[p|acc]).

    Returns  (R,), NaN where nothing was accepted; above 0 means adverse selection.
    Source   science notes 5.3
    """
    return adverse_spread(totals.moments("p"), totals.parameter("s_plus"), totals.parameter("s_minus"))


@metric("spread_true", unit="surplus", better="lower", over="pool")
def spread_true(totals: Totals) -> F64:
    """The spread with realised outcomes, (s+ + s-)(P(v=+1) - P(v=+1|acc)).

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 5.3
    """
    return adverse_spread(totals.moments("good"), totals.parameter("s_plus"), totals.parameter("s_minus"))
