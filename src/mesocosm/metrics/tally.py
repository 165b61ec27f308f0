"""Adds interactions up as they happen, so that a run of a million agents need not keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.events import EventBatch
from mesocosm.errors import UsageError, check
from mesocosm.measures.moments import F64
from mesocosm.metrics.evaluate import DEFAULT_METRICS, needs_of
from mesocosm.metrics.totals import NUMBERS, EpochTotals, statistic_of

#: rows added up at a time: small enough for the columns to stay in a CPU's cache
BLOCK = 16_384


class Tally:
    """Running totals of one epoch over a batch of replicates, by replicate and by the initiator's type.

    Every total is the plain sum of its rows, one after the other in the order in which they happened. So it depends
    neither on how rows are cut into batches nor on which replicates share them, and totals rebuilt from the log of one
    replicate have the same bits as the live ones.

    Params   names: metrics that will be asked for; only what they read is added up.
             roster: for each replicate, the type code of every slot, agents that have yet to arrive included.
             types: name of each type code. Totals list them in alphabetical order.
             economy: parameters by name, a number for all or one for each replicate; s_plus and s_minus for spread,
             steps_per_epoch for activity.
    Raises   UsageError for an unknown metric, statistic or column, or a parameter that is needed and missing.
    """

    def __init__(
        self,
        names: Iterable[str] = DEFAULT_METRICS,
        *,
        roster: Sequence[Any],
        types: Sequence[str],
        economy: Mapping[str, Any],
    ) -> None:
        self.n_replicates = len(roster)
        self.types = tuple(sorted(set(types)))
        needs = needs_of(names)
        self._agent_columns = needs.agent_columns
        self._statistic = {name: statistic_of(name) for name in needs.statistics}
        self._economy: dict[str, F64] = {}
        for name in needs.parameters:
            if name not in economy:
                raise UsageError(f"the metrics asked for need the parameter {name!r} of the economy.")
            value = np.asarray(economy[name], dtype=np.float64)
            self._economy[name] = np.broadcast_to(value, (self.n_replicates,)).copy()
        size = np.array([len(slots) for slots in roster], dtype=np.int64)
        self._offset = np.cumsum(size) - size
        code = np.array([self.types.index(name) for name in types], dtype=np.int64)
        slots = np.concatenate([np.asarray(slots, dtype=np.int64) for slots in roster] or [np.zeros(0, dtype=np.int64)])
        self._type = code[slots] if len(code) else slots
        self._cell = (np.repeat(np.arange(self.n_replicates), size) * len(self.types) + self._type) * 2
        self._clear()

    def _clear(self) -> None:
        n_cells = self.n_replicates * len(self.types) * 2
        self._count = np.zeros(n_cells, dtype=np.int64)
        self._sum = {name: np.zeros(n_cells) for name in self._statistic}
        self._took_part = np.zeros(len(self._type) if "took_part" in self._agent_columns else 0, dtype=bool)

    def add(self, batch: EventBatch) -> None:
        """Add a batch of interactions to the totals of the current epoch.

        Moves   the running totals, and nothing else.
        """
        check(batch.kind == "interaction", "only interactions are tallied", kind=batch.kind)
        for start in range(0, len(batch), BLOCK):
            rows = slice(start, start + BLOCK)
            column = {name: values[rows] for name, values in batch.column.items() if name in NUMBERS}
            self._add(batch.replicate[rows], {name: _numbers(values) for name, values in column.items()})

    def _add(self, replicate: NDArray[np.int64], column: Mapping[str, NDArray[Any]]) -> None:
        offset = self._offset[replicate]
        initiator = offset + column["initiator"]
        accepted = np.asarray(column["accepted"], dtype=bool)
        cell = self._cell[initiator] + accepted
        np.add.at(self._count, cell, 1)
        for name, function in self._statistic.items():
            value = np.asarray(function(column), dtype=np.float64)
            np.add.at(self._sum[name], cell, value)  # one row after the other, unlike a pairwise sum
        if len(self._took_part):
            self._took_part[initiator[accepted]] = True
            self._took_part[(offset + column["counterparty"])[accepted]] = True

    def epoch(self, batch: EventBatch) -> EpochTotals:
        """Close the epoch: hand out its totals, and start the next from zero.

        Params   batch: the agents' state at the end of the epoch (kind agent_state), for every replicate.
        """
        check(batch.kind == "agent_state", "an epoch closes with the state of its agents", kind=batch.kind)
        shape = (self.n_replicates, len(self.types), 2)
        active = np.asarray(batch.column["active"], dtype=bool)
        replicate = batch.replicate[active]
        row = self._offset[replicate] + np.asarray(batch.column["agent"], dtype=np.int64)[active]
        agents: dict[str, NDArray[Any]] = {}
        for name in self._agent_columns:
            whole = self._took_part[row] if name == "took_part" else np.asarray(batch.column[name])[active]
            agents[name] = whole.astype(np.float64)
        sums = {name: total.reshape(shape) for name, total in self._sum.items()}
        count = self._count.reshape(shape)
        totals = EpochTotals(batch.epoch, self.types, count, sums, self._economy, replicate, self._type[row], agents)
        self._clear()
        return totals


def _numbers(values: Any) -> NDArray[Any]:
    """A column as an array of numbers; what a log calls null is NaN."""
    column = np.asarray(values)
    return column.astype(np.float64) if column.dtype == object else column
