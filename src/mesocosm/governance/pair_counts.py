"""How often pairs of agents have dealt in the last epochs, kept as columns by replicate for a lever."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesocosm import exact
from mesocosm.api import I64
from mesocosm.measures.dyads import Dyads, dyads_of

# Columns, by replicate: "pair" holds codes of the pairs known, ascending and then 0; "count" how often each has dealt,
# by age in epochs, the present one first. A pair is the slots a < b, coded as a 2**32 + b.
HALF_WORD = np.int64(32)


def pairs_known(column: dict[str, Any]) -> Dyads:
    """The pairs that have dealt, a < b, with their deals of all ages."""
    group, place = np.nonzero(column["pair"])
    code = column["pair"][group, place]
    return Dyads(
        group,
        code >> HALF_WORD,
        code & np.int64(0xFFFFFFFF),
        column["count"][group, place].sum(axis=1),
        np.zeros(len(column["pair"]), dtype=np.int64),
    )


def enter(column: dict[str, Any], group: I64, one: I64, other: I64) -> None:
    """Count deals of the present epoch, given the replicate and the slots of both sides of each."""
    old = pairs_known(column)
    fresh = dyads_of(group, np.minimum(one, other), np.maximum(one, other), old.n_agents)
    if len(fresh) and (old.at(fresh.group, fresh.a, fresh.b) == 0).any():
        _lay_out(column, old.plus(fresh), old)
        old = pairs_known(column)
    place = _place(old)
    at = _where(old, fresh)
    column["count"][fresh.group, place[at], 0] += fresh.n


def forget(column: dict[str, Any], memory: I64) -> None:
    """Drop what is older than a replicate's memory, and pairs of which nothing is left.

    Shapes   memory: (R,) epochs.
    """
    count = column["count"]
    count[np.broadcast_to(np.arange(count.shape[2]) >= memory[:, None, None], count.shape)] = 0
    known = pairs_known(column)
    _lay_out(column, known.only(known.n > 0), known)


def grow_older(column: dict[str, Any], memory: I64) -> None:
    """Begin another epoch: every count is an epoch older, and forgotten if it is too old. Shapes: as `forget`."""
    before = column["count"]
    count = np.zeros((*before.shape[:2], int(memory.max())), dtype=np.int64)
    kept = min(count.shape[2], before.shape[2] + 1)
    count[:, :, 1:kept] = before[:, :, : kept - 1]
    column["count"] = count
    forget(column, memory)


def counted(pairs: Dyads, first: I64, n_rows: int) -> tuple[I64, I64]:
    """Deals of every agent row with anybody, and twice the deals of every replicate.

    Params   first: (R,) row of the first agent of each replicate.
    """
    start = first[pairs.group]
    row, n = np.concatenate([start + pairs.a, start + pairs.b]), np.concatenate([pairs.n, pairs.n])
    return exact.sum_by_int(row, n, n_rows), 2 * exact.sum_by_int(pairs.group, pairs.n, len(first))


def _place(pairs: Dyads) -> I64:
    """Place of every pair within its replicate."""
    return exact.rank_within(pairs.group)


def _where(pairs: Dyads, asked: Dyads) -> I64:
    """Position in the table of pairs that are all in it."""
    numbered = Dyads(pairs.group, pairs.a, pairs.b, np.arange(len(pairs)), pairs.n_agents)
    return numbered.at(asked.group, asked.a, asked.b)


def _lay_out(column: dict[str, Any], wanted: Dyads, known: Dyads) -> None:
    """Write the columns anew with other pairs, the counts of those already known with them."""
    n, ages = len(column["pair"]), column["count"].shape[2]
    width = int(exact.count_by(wanted.group, n).max(initial=0))
    pair, count = np.zeros((n, width), dtype=np.int64), np.zeros((n, width, ages), dtype=np.int64)
    place = _place(wanted)
    pair[wanted.group, place] = (wanted.a << HALF_WORD) | wanted.b
    before = known.only(wanted.at(known.group, known.a, known.b) > 0)
    kept = _where(wanted, before)
    count[before.group, place[kept]] = column["count"][before.group, _place(known)[_where(known, before)]]
    column["pair"], column["count"] = pair, count
