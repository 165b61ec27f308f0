"""Miscoordination: deals by which both sides and everybody else would have gained, and which were not made."""

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


def _gains_all(column: DealColumns, truth: str) -> Mask:
    """Whether the initiator after its private cost, the counterparty and society would all gain."""
    own = column[f"pi_a{truth}"] - column["private_cost"]
    social = column[f"surplus{truth}"] - column[f"externality{truth}"]
    every: Mask = (own > 0) & (column[f"pi_b{truth}"] > 0) & (social > 0)
    return every


def _missed(column: DealColumns, truth: str) -> Mask:
    missed: Mask = _gains_all(column, truth) & (np.asarray(column["accepted"]) == 0)
    return missed


def _loss(column: DealColumns, truth: str) -> F64:
    lost: F64 = np.where(_missed(column, truth), column[f"surplus{truth}"] - column[f"externality{truth}"], 0.0)
    return lost


@statistic("gains_all")
def all_would_gain(column: DealColumns) -> Mask:
    """Whether both sides and everybody else would gain by a proposal, as the proxy sees it."""
    return _gains_all(column, "")


@statistic("missed")
def gain_is_missed(column: DealColumns) -> Mask:
    """Whether a proposal by which all would gain was not accepted, whatever the reason."""
    return _missed(column, "")


@statistic("missed_gain")
def missed_gain(column: DealColumns) -> Any:
    """S - E that was forgone where a proposal by which all would gain was not accepted, else 0."""
    return _loss(column, "")


@statistic("missed_gain_true")
def missed_gain_true(column: DealColumns) -> Any:
    """The same with v in place of p."""
    return _loss(column, "_true")


@metric("miscoordination_loss", unit="surplus an epoch", better="lower", twin="miscoordination_loss_true")
def miscoordination_loss(totals: Totals) -> F64:
    """Surplus less externality forgone in proposals not accepted although all would have gained by the proxy.

    Returns  (R,), 0 where there were none.
    Source   design section 6
    """
    return _sum_over_all(totals, "missed_gain")


@metric("miscoordination_loss_true", unit="surplus an epoch", better="lower")
def miscoordination_loss_true(totals: Totals) -> F64:
    """Surplus less externality forgone in proposals not accepted although all would in truth have gained.

    Returns  (R,), 0 where there were none.
    Source   design section 6
    """
    return _sum_over_all(totals, "missed_gain_true")


def _sum_over_all(totals: Totals, name: str) -> F64:
    lost = totals.moments(name)
    return lost.sum_rejected + lost.sum_accepted


def failing_pairs(totals: EpochTotals) -> Dyads:
    """From whom to whom good proposals have failed more often than what either does with others explains."""

    def found() -> Dyads:
        missed = totals.dyads("missed")
        return flagged_dyads(missed, expected_by_odds(missed, totals.dyads("gains_all")))

    flagged: Dyads = totals.shared("miscoordination", found)
    return flagged


@metric("miscoordination_pairs", unit="count of directed pairs", better="lower", over="last")
def miscoordination_pairs(totals: EpochTotals) -> F64:
    """Pairs in which one declined the other's good proposals more often than chance has it, so far in the run.

    Returns  (R,); of a type, the pairs in which the initiator is of that type.
    Source   docs/design/detectors.md
    """
    pairs = failing_pairs(totals)
    mine = totals.is_chosen(pairs.group, pairs.a)
    return exact.count_by(pairs.group, totals.n_replicates, mine).astype(np.float64)
