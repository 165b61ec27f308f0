"""How far a coalition has got into the trust of a society."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, registry
from mesocosm.measures.eigentrust import eigentrust
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import DealColumns, EpochTotals, statistic
from mesocosm.registry import metric

Mask = NDArray[np.bool_]


@statistic("well_received")
def is_well_received(column: DealColumns) -> Mask:
    """Whether a proposal was accepted and looks good, p at least 1/2."""
    well: Mask = (np.asarray(column["accepted"]) != 0) & (column["p"] >= 0.5)
    return well


def backs_its_own(totals: EpochTotals) -> Mask:
    """(T,) which types of agents know and back their own kind."""
    known = {entry.name: entry.target for entry in registry.entries("policy")}
    return np.array([name in known and bool(known[name].coalition) for name in totals.types], dtype=np.bool_)


@metric(
    "coalition_trust", unit="share of trust", better="lower", over="last",
    undefined="no agent backs its own kind, or all do",
)  # fmt: skip
def coalition_trust(totals: EpochTotals) -> F64:
    """EigenTrust that agents of a coalition hold, all others being trusted beforehand; by type, what that type holds.

    Whom an agent trusts follows from the deals that it has accepted since the run began and that looked good.

    Returns  (R,), NaN where there is no coalition, or nobody else.
    Source   Kamvar et al. (2003); science notes 3.7
    """
    mass, is_member = totals.shared("coalition trust", lambda: _masses(totals))
    row = np.arange(len(mass))
    group = np.searchsorted(totals.slot_offset, row, side="right") - 1
    wanted = is_member if totals.chosen is None else totals.is_chosen(group, row - totals.slot_offset[group])
    held = exact.sum_by(group[wanted], mass[wanted], totals.n_replicates)
    members, all_of = exact.count_by(group[is_member], totals.n_replicates), exact.count_by(group, totals.n_replicates)
    return np.where((members > 0) & (members < all_of), held, np.nan)


def _masses(totals: EpochTotals) -> tuple[F64, Mask]:
    """(n,) trust mass of every slot, and whether its agent belongs to a coalition."""
    n = len(totals.slot_type)
    group = np.searchsorted(totals.slot_offset, np.arange(n), side="right") - 1
    is_member = backs_its_own(totals)[totals.slot_type]
    others = exact.count_by(group[~is_member], totals.n_replicates)[group]
    before = np.where(is_member, 0.0, 1.0 / np.maximum(others, 1))
    table = totals.dyads("well_received")
    start = totals.slot_offset[table.group]
    tie = (start + table.b, start + table.a, table.n.astype(np.float64))
    return eigentrust(group, before, tie, totals.n_replicates), is_member
