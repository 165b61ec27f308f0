"""Conflict: deals in which one side gains what the other loses, and who preys on whom."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.measures.dyads import Dyads, expected_by_odds, flagged_dyads
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import DealColumns, EpochTotals, Totals, statistic
from mesocosm.registry import metric

Mask = NDArray[np.bool_]


def _loss(column: DealColumns, truth: str) -> F64:
    """What the losing side of an accepted deal loses if the other gains, else 0."""
    pi_a, pi_b = column[f"pi_a{truth}"], column[f"pi_b{truth}"]
    low, high = np.minimum(pi_a, pi_b), np.maximum(pi_a, pi_b)
    return np.where((np.asarray(column["accepted"]) != 0) & (low < 0) & (high > 0), -low, 0.0)


@statistic("conflict")
def lost_to_the_other(column: DealColumns) -> Any:
    """What one side of an accepted deal loses while the other gains, as the proxy sees it."""
    return _loss(column, "")


@statistic("conflict_true")
def lost_to_the_other_true(column: DealColumns) -> Any:
    """The same with v in place of p."""
    return _loss(column, "_true")


@statistic("won_by_initiator")
def initiator_wins(column: DealColumns) -> Mask:
    """Whether the initiator gains and the counterparty loses by an accepted deal."""
    wins: Mask = (np.asarray(column["accepted"]) != 0) & (column["pi_a"] > 0) & (column["pi_b"] < 0)
    return wins


@statistic("won_by_counterparty")
def counterparty_wins(column: DealColumns) -> Mask:
    """Whether the counterparty gains and the initiator loses by an accepted deal."""
    wins: Mask = (np.asarray(column["accepted"]) != 0) & (column["pi_b"] > 0) & (column["pi_a"] < 0)
    return wins


@metric("conflict_loss", unit="utility an epoch", better="lower", twin="conflict_loss_true")
def conflict_loss(totals: Totals) -> F64:
    """What sides lose in accepted deals by which the other side gains, as the proxy sees it.

    Returns  (R,), 0 where there were none.
    Source   design section 6
    """
    return totals.moments("conflict").sum_accepted


@metric("conflict_loss_true", unit="utility an epoch", better="lower")
def conflict_loss_true(totals: Totals) -> F64:
    """What sides lose in accepted deals by which the other side gains, at realised payoffs.

    Returns  (R,), 0 where there were none.
    Source   design section 6
    """
    return totals.moments("conflict_true").sum_accepted


def preying_pairs(totals: EpochTotals) -> Dyads:
    """Who (a) has gained at whose (b) expense more often than what either does with others explains."""

    def found() -> Dyads:
        deals = totals.dyads("accepted")
        won, given = totals.dyads("won_by_initiator"), totals.dyads("won_by_counterparty")
        expected = expected_by_odds(won, deals).plus(expected_by_odds(given, deals).backwards)
        return flagged_dyads(won.plus(given.backwards), expected)

    flagged: Dyads = totals.shared("conflict", found)
    return flagged


@metric("conflict_pairs", unit="count of directed pairs", better="lower", over="last")
def conflict_pairs(totals: EpochTotals) -> F64:
    """Pairs in which one gained at the other's expense more often than chance has it, so far in the run.

    Returns  (R,); of a type, the pairs in which the winner is of that type.
    Source   docs/design/detectors.md
    """
    pairs = preying_pairs(totals)
    mine = totals.is_chosen(pairs.group, pairs.a)
    return exact.count_by(pairs.group, totals.n_replicates, mine).astype(np.float64)
