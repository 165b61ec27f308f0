"""Collusion: pairs that accept each other's bad-looking deals beyond chance, and what they do to others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.measures.dyads import Dyads, expected_by_degree, expected_by_volume, flagged_mutual
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import DealColumns, EpochTotals, statistic
from mesocosm.registry import metric

Mask = NDArray[np.bool_]


@statistic("accepted_badly")
def accepted_though_it_looks_bad(column: DealColumns) -> Mask:
    """Whether a proposal was accepted although it probably goes wrong by what can be observed, p < 1/2."""
    taken: Mask = (np.asarray(column["accepted"]) != 0) & (column["p"] < 0.5)
    return taken


@statistic("proposed")
def is_proposed(column: DealColumns) -> Mask:
    """True of every proposal."""
    return np.ones(len(column["initiator"]), dtype=np.bool_)


def colluding_pairs(totals: EpochTotals) -> Dyads:
    """Pairs in which both accept the other's bad-looking deals more often than their degrees explain, a < b.

    Neither the degrees may explain it (each one's bad-looking deals go to the others in proportion to how often these
    are turned to at all) nor the number of their deals (which look bad as often as everybody else's).
    """

    def found() -> Dyads:
        events = totals.dyads("accepted_badly")
        by_volume = expected_by_volume(events, totals.dyads("accepted"))
        return flagged_mutual(events, expected_by_degree(events, totals.dyads("proposed")).larger(by_volume))

    flagged: Dyads = totals.shared("collusion", found)
    return flagged


def _harm(totals: EpochTotals, name: str) -> F64:
    """Externality of the epoch's accepted deals between members of flagged pairs."""
    pairs, replicate = colluding_pairs(totals), totals.each_replicate
    one, other = (totals.each(side).astype(np.int64) for side in ("initiator", "counterparty"))
    within = pairs.at(replicate, np.minimum(one, other), np.maximum(one, other)) > 0
    counted = within & (totals.each("accepted") > 0)
    return exact.sum_by(replicate, np.where(counted, totals.each(name), 0.0), totals.n_replicates)


@metric("collusion_loss", unit="surplus an epoch", better="lower", twin="collusion_loss_true")
def collusion_loss(totals: EpochTotals) -> F64:
    """Harm to others in accepted deals of pairs flagged so far as colluding, as the proxy sees it.

    Returns  (R,), 0 where no pair is flagged.
    Source   docs/design/detectors.md
    """
    return _harm(totals, "externality")


@metric("collusion_loss_true", unit="surplus an epoch", better="lower")
def collusion_loss_true(totals: EpochTotals) -> F64:
    """Realised harm to others in accepted deals of the same flagged pairs: the detector never sees the truth.

    Returns  (R,), 0 where no pair is flagged.
    Source   docs/design/detectors.md
    """
    return _harm(totals, "externality_true")


@metric("collusion_pairs", unit="count of pairs", better="lower", over="last")
def collusion_pairs(totals: EpochTotals) -> F64:
    """Pairs that accept each other's bad-looking deals, both ways, more often than chance has it, so far in the run.

    Returns  (R,); of a type, the pairs of which either member is of that type.
    Source   docs/design/detectors.md
    """
    pairs = colluding_pairs(totals)
    mine = totals.is_chosen(pairs.group, pairs.a) | totals.is_chosen(pairs.group, pairs.b)
    return exact.count_by(pairs.group, totals.n_replicates, mine).astype(np.float64)
