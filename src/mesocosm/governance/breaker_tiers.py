"""What a circuit breaker's trip leads to: fewer proposals, or a freeze of the agent, its cluster, or everybody."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mesocosm import exact
from mesocosm.api import F64, I64, Bench, Mask

THROTTLE, AGENT, CLUSTER, HALT = range(4)
RUNGS = np.array(["throttle", "agent", "cluster", "halt"])


class Trips(NamedTuple):
    """Agents whose breaker has tripped in one turn, ascending and each once.

    Shapes   k = trips.
    """

    row: I64
    rung: I64  # how far each goes
    until: I64  # first step in which all is as before
    statistic: F64
    cause: I64  # seq of the deal


def rung_of(tier: Any, trips: I64) -> I64:
    """How far a trip goes: what the tier says, and under `rising` further with every trip, as far as the cluster.

    Params   tier: name, one or (k,); trips: (k,) earlier ones.
    Example
        >>> rung_of(np.array(["halt", "rising", "rising"]), np.array([5, 0, 5])).tolist()
        [3, 0, 2]
    """
    fixed = (np.asarray(tier)[..., None] == RUNGS).argmax(axis=-1)
    return np.where(np.asarray(tier) == "rising", np.minimum(trips, CLUSTER), fixed)


def act_on(bench: Bench, trips: Trips, deals: I64, share: F64) -> None:
    """Throttle and freeze whom the trips concern and who is not frozen as long already, and log it, each agent once.

    Params   deals: (k,) deals in a window that make a partner one of the cluster; share: (k,) of the replicate's
             active agents frozen above which all are, infinite for never.
    """
    mild = trips.rung == THROTTLE
    if mild.any():
        slow = trips.row[mild]
        bench.column["throttled"][slow] = np.maximum(bench.column["throttled"][slow], trips.until[mild])
        told = {"until_step": bench.column["throttled"][slow], "statistic": trips.statistic[mild]}
        bench.emit("throttled", slow, told, trips.cause[mild])
    firm = np.flatnonzero(~mild)
    reach = [(trips.row[firm], firm), _clusters(bench, trips, deals), _everybody(bench, trips, trips.rung == HALT)]
    reach.append(_everybody(bench, trips, _is_panic(bench, trips, reach, share)))
    whom, by = (np.concatenate(parts) for parts in zip(*reach, strict=True))
    fresh = np.flatnonzero(bench.frozen_until[whom] < trips.until[by])
    if len(fresh) == 0:
        return
    whom, by = whom[fresh], by[fresh]
    order = exact.order_by(whom, trips.row[by] != whom, by)  # an agent's own trip comes before that of another
    whom, by = whom[order], by[order]
    first = np.r_[True, whom[1:] != whom[:-1]]
    whom, by = whom[first], by[first]
    bench.freeze(whom, trips.until[by])
    told = {"until_step": trips.until[by], "statistic": trips.statistic[by]}
    bench.emit("frozen", whom, told, trips.cause[by])


def _clusters(bench: Bench, trips: Trips, deals: I64) -> tuple[I64, I64]:
    """Partners of the windows of trips that go so far, and the trip of each."""
    wide = np.flatnonzero(trips.rung == CLUSTER)
    known = bench.column["partner"][trips.row[wide]]
    at, place = np.nonzero(known)
    slot, by = known[at, place] - 1, wide[at]
    whom = np.searchsorted(bench.replicate, bench.replicate[trips.row[by]]) + slot
    order = exact.order_by(by, whom)
    by, whom = by[order], whom[order]
    start = np.flatnonzero(np.r_[True, (by[1:] != by[:-1]) | (whom[1:] != whom[:-1])][: len(by)])
    often = np.diff(np.r_[start, len(by)]) >= deals[by[start]]
    by, whom = by[start][often], whom[start][often]
    here = bench.active[whom]
    return whom[here], by[here]


def _everybody(bench: Bench, trips: Trips, chosen: Mask) -> tuple[I64, I64]:
    """All active agents of the replicates of some trips, and the first such trip there."""
    which = np.flatnonzero(chosen)
    where, first = np.unique(bench.replicate[trips.row[which]], return_index=True)
    whom = np.flatnonzero(bench.active & np.isin(bench.replicate, where))
    return whom, which[first[np.searchsorted(where, bench.replicate[whom])]]


def _is_panic(bench: Bench, trips: Trips, reach: list[tuple[I64, I64]], share: F64) -> Mask:
    """Whether, with those reached so far, more than a share of the active agents of a trip's replicate are frozen."""
    if not np.isfinite(share).any():
        return np.zeros(len(trips.row), dtype=np.bool_)
    still = bench.frozen_until > bench.step
    for whom, _ in reach:
        still[whom] = True
    where = bench.replicate[trips.row]
    n = int(bench.replicate[-1]) + 1
    stopped, there = (exact.count_by(bench.replicate, n, who & bench.active) for who in (still, bench.active))
    panic: Mask = stopped[where] > share * there[where]
    return panic
