"""The same metrics from the columns of a log, bit for bit: what replay compares with the live ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.events import EventBatch
from mesocosm.metrics.evaluate import DEFAULT_METRICS, epoch_row, evaluate_metrics
from mesocosm.metrics.tally import Tally
from mesocosm.metrics.totals import EpochTotals


def totals_from_columns(
    names: Iterable[str],
    interaction: Mapping[str, Any],
    agent_state: Mapping[str, Any],
    *,
    roster: Any,
    types: Sequence[str],
    economy: Mapping[str, Any],
    replayed: Mapping[str, Any] | None = None,
    further: Any = None,
    bounty_closed: Mapping[str, Any] | None = None,
) -> Iterator[EpochTotals]:
    """Totals of each completed epoch of one replicate, from its log alone.

    An epoch is complete when the log holds the state of its agents; interactions of a later, cut epoch are left out.

    Params   interaction, agent_state: columns by name, among them seq and epoch; rows in any order.
             roster: type code of every slot; types, economy: as for Tally; replayed: decisions taken again, if any;
             further: which slots are kept for further identities; bounty_closed: bounties paid or refunded, if any.
    """
    tally = Tally(names, roster=[roster], types=types, economy=economy, further=() if further is None else [further])
    tables = {"interaction": interaction, "replayed": replayed or {}, "bounty_closed": bounty_closed or {}}
    ordered = {kind: _in_order(table) for kind, table in tables.items()}
    states = _in_order(agent_state)
    for epoch in np.unique(states["epoch"]).tolist():
        for part in (_batch(kind, table, epoch) for kind, table in ordered.items()):
            if len(part):
                tally.add(part)
        yield tally.epoch(_batch("agent_state", states, epoch))


def epochs_from_columns(
    interaction: Mapping[str, Any],
    agent_state: Mapping[str, Any],
    *,
    roster: Any,
    types: Sequence[str],
    economy: Mapping[str, Any],
    names: Iterable[str] = DEFAULT_METRICS,
    replayed: Mapping[str, Any] | None = None,
    further: Any = None,
    bounty_closed: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """One row of metrics for each completed epoch of one replicate, from its log alone.

    Params   as for totals_from_columns.
    Returns  rows as epoch_row gives them, in order of epoch.
    """
    asked = tuple(names)
    every = totals_from_columns(
        asked,
        interaction,
        agent_state,
        roster=roster,
        types=types,
        economy=economy,
        replayed=replayed,
        further=further,
        bounty_closed=bounty_closed,
    )
    return [epoch_row(totals.epoch, evaluate_metrics(totals, asked)) for totals in every]


def _in_order(column: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The columns as arrays, rows in the order in which they happened."""
    table = {name: np.asarray(values) for name, values in column.items()}
    if not {"seq", "epoch"} <= set(table):
        return {"seq": np.zeros(0, dtype=np.int64), "epoch": np.zeros(0, dtype=np.int64)}
    seq = table["seq"]
    if np.any(seq[1:] < seq[:-1]):
        order = np.argsort(seq, kind="stable")
        table = {name: values[order] for name, values in table.items()}
    return table


def _batch(kind: str, table: Mapping[str, NDArray[Any]], epoch: int) -> EventBatch:
    """One epoch's rows of a table; within a replicate the epoch never falls as seq rises."""
    start, stop = np.searchsorted(table["epoch"], [epoch, epoch + 1])
    column = {name: values[start:stop] for name, values in table.items()}
    replicate = np.zeros(stop - start, dtype=np.int64)
    return EventBatch(kind, epoch, 0, 0, replicate, column["seq"], column)
