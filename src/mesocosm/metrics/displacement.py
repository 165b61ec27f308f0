"""Where harm goes when a rule presses on it: through which terms of a deal, past the proxy or not, among whom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.measures.dyads import Dyads
from mesocosm.measures.moments import F64
from mesocosm.metrics.coalition_trust import backs_its_own
from mesocosm.metrics.totals import DealColumns, EpochTotals, Totals, statistic
from mesocosm.registry import metric

Mask = NDArray[np.bool_]
UNIT = "bad deals an epoch"


@statistic("toxic")
def is_toxic(column: DealColumns) -> Mask:
    """Whether a deal was accepted and went wrong."""
    toxic: Mask = (np.asarray(column["accepted"]) != 0) & (column["v"] < 0)
    return toxic


@statistic("toxic_extracting")
def is_toxic_extracting(column: DealColumns) -> Mask:
    """Whether such a deal took credits from the counterparty, tau < 0."""
    taken: Mask = is_toxic(column) & (column["tau"] < 0.0)
    return taken


@statistic("toxic_paying")
def is_toxic_paying(column: DealColumns) -> Mask:
    """Whether such a deal was paid for, tau > 0."""
    paid: Mask = is_toxic(column) & (column["tau"] > 0.0)
    return paid


@statistic("toxic_hidden")
def is_toxic_hidden(column: DealColumns) -> Mask:
    """Whether such a deal looked good, p at least 1/2."""
    hidden: Mask = is_toxic(column) & (column["p"] >= 0.5)
    return hidden


def _count(totals: Totals, name: str) -> F64:
    return totals.moments(name).sum_accepted


@metric("toxic_deals", unit=UNIT, better="lower")
def toxic_deals(totals: Totals) -> F64:
    """Accepted interactions with v=-1; by type, of initiators of that type, so that types add up to all.

    Returns  (R,).
    """
    return _count(totals, "toxic")


@metric("toxic_extracting", unit=UNIT, better="lower")
def toxic_extracting(totals: Totals) -> F64:
    """Accepted interactions with v=-1 in which the initiator took credits from its partner, tau < 0.

    Returns  (R,).
    """
    return _count(totals, "toxic_extracting")


@metric("toxic_paying", unit=UNIT, better="lower")
def toxic_paying(totals: Totals) -> F64:
    """Accepted interactions with v=-1 that the initiator paid its partner for, tau > 0.

    Returns  (R,).
    """
    return _count(totals, "toxic_paying")


@metric("toxic_plain", unit=UNIT, better="lower")
def toxic_plain(totals: Totals) -> F64:
    """Accepted interactions with v=-1 in which no credits went either way, tau = 0.

    Returns  (R,).
    """
    return _count(totals, "toxic") - _count(totals, "toxic_extracting") - _count(totals, "toxic_paying")


@metric("toxic_hidden", unit=UNIT, better="lower")
def toxic_hidden(totals: Totals) -> F64:
    """Accepted interactions with v=-1 that looked good, p at least 1/2: harm that the proxy does not see.

    Returns  (R,).
    """
    return _count(totals, "toxic_hidden")


@metric("toxic_visible", unit=UNIT, better="lower")
def toxic_visible(totals: Totals) -> F64:
    """Accepted interactions with v=-1 that looked bad, p below 1/2.

    Returns  (R,).
    """
    return _count(totals, "toxic") - _count(totals, "toxic_hidden")


def _among(totals: EpochTotals, mates: bool) -> F64:
    """Bad deals an epoch so far between agents who back each other, or between others."""
    table = totals.dyads("toxic")
    within = _are_mates(totals, table)
    chosen = within if mates else ~within
    chosen &= totals.is_chosen(table.group, table.a)
    count = exact.sum_by(table.group[chosen], table.n[chosen].astype(np.float64), totals.n_replicates)
    return count / (totals.epoch + 1.0)


def _are_mates(totals: EpochTotals, table: Dyads) -> Mask:
    """Whether both agents of a pair are of one type that knows and backs its own kind."""
    backs = backs_its_own(totals)
    kind = [totals.slot_type[totals.slot_offset[table.group] + agent] for agent in (table.a, table.b)]
    mates: Mask = (kind[0] == kind[1]) & backs[kind[0]]
    return mates


@metric("toxic_among_mates", unit=UNIT, better="lower", over="last")
def toxic_among_mates(totals: EpochTotals) -> F64:
    """Accepted interactions with v=-1 between agents of one coalition, a mean over the epochs so far.

    Returns  (R,).
    """
    return _among(totals, True)


@metric("toxic_outside", unit=UNIT, better="lower", over="last")
def toxic_outside(totals: EpochTotals) -> F64:
    """Accepted interactions with v=-1 between agents who are not of one coalition, a mean over the epochs so far.

    Returns  (R,).
    """
    return _among(totals, False)
