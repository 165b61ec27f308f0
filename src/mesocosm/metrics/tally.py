"""Adds interactions up as they happen, so that a run of a million agents need not keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.env.events import DETAIL_FIELDS, EventBatch
from mesocosm.errors import UsageError, check
from mesocosm.measures.moments import F64
from mesocosm.metrics.evaluate import DEFAULT_METRICS, Needs, needs_of
from mesocosm.metrics.pairs import PairCounts
from mesocosm.metrics.totals import (
    DealColumns,
    EpochTotals,
    bounty_statistic_of,
    decision_statistic_of,
    statistic_of,
)

#: rows added up at a time: small enough for the columns to stay in a CPU's cache
BLOCK = 16_384
#: kinds of event that are added up
TALLIED = ("interaction", "replayed", "bounty_closed")


class Tally:
    """Running totals of one epoch over a batch of replicates, by replicate and by the initiator's type.

    Every total is the plain sum of its rows, one after the other in the order in which they happened. So it depends
    neither on how rows are cut into batches nor on which replicates share them, and totals rebuilt from the log of one
    replicate have the same bits as the live ones.

    Params   names: metrics that will be asked for; only what they read is added up, or kept.
             roster: for each replicate, the type code of every slot, agents that have yet to arrive included.
             further: for each replicate, which slots are kept for further identities, which start without money of
             their own; none by default. types: name of each type code. Totals list them in alphabetical order.
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
        further: Sequence[Any] = (),
    ) -> None:
        self.n_replicates = len(roster)
        self.types = tuple(sorted(set(types)))
        self._needs = needs = needs_of(names)
        self._statistic = {name: statistic_of(name) for name in {**dict.fromkeys(needs.statistics + needs.raw)}}
        self._decision = {name: decision_statistic_of(name) for name in needs.decisions}
        self._bounty = {name: bounty_statistic_of(name) for name in needs.bounties}
        self._economy = _by_replicate(needs, economy, self.n_replicates)
        size = np.array([len(slots) for slots in roster], dtype=np.int64)
        self._offset = np.cumsum(size) - size
        code = np.array([self.types.index(name) for name in types], dtype=np.int64)
        slots = np.concatenate([np.asarray(slots, dtype=np.int64) for slots in roster] or [np.zeros(0, dtype=np.int64)])
        self._type = code[slots] if len(code) else slots
        self._party = np.repeat(np.arange(self.n_replicates), size) * len(self.types) + self._type
        self._pairs = {name: (statistic_of(name), PairCounts(self._offset, len(slots))) for name in needs.pairs}
        self._before = {name: np.full(len(slots), np.nan) for name in needs.agent_before}
        for before in self._before.values() if len(further) else ():
            before[np.concatenate([np.asarray(mask, dtype=bool) for mask in further])] = 0.0
        self._clear()

    def _clear(self) -> None:
        n_parties = self.n_replicates * len(self.types)
        self._count = np.zeros(2 * n_parties, dtype=np.int64)
        self._sum = {name: np.zeros(2 * n_parties) for name in self._needs.statistics}
        self._took_part = np.zeros(len(self._type) if "took_part" in self._needs.agent_columns else 0, dtype=bool)
        self._raw: dict[str, list[F64]] = {name: [] for name in self._needs.raw}
        self._raw_row: list[NDArray[np.int64]] = []
        self._raw_replicate: list[NDArray[np.int64]] = []
        self._decision_count = np.zeros(n_parties, dtype=np.int64)
        self._decision_sum = {name: np.zeros(n_parties) for name in self._decision}
        self._bounty_count = np.zeros(n_parties, dtype=np.int64)
        self._bounty_sum = {name: np.zeros(n_parties) for name in self._bounty}

    def add(self, batch: EventBatch) -> None:
        """Add a batch of interactions, replayed decisions or closed bounties to the totals of the current epoch.

        Moves   the running totals, and nothing else.
        Raises   UsageError when the batch lacks a column that the metrics read.
        """
        check(batch.kind in TALLIED, "only these kinds of event are tallied", kind=batch.kind, known=TALLIED)
        wanted, asked, add = {
            "interaction": (self._needs.columns, True, self._add),
            "replayed": (self._needs.decision_columns, bool(self._decision), self._add_decisions),
            "bounty_closed": (self._needs.bounty_columns, True, self._add_bounties),
        }[batch.kind]
        if not asked:
            return
        for name in wanted:
            if name not in batch.column:
                why = " The engine works it out only with detail." if name in DETAIL_FIELDS else ""
                raise UsageError(f"the metrics asked for read the column {name!r}, which is missing here.{why}")
        for start in range(0, len(batch), BLOCK):
            rows = slice(start, start + BLOCK)
            column = _Read({name: _numbers(batch.column[name][rows]) for name in wanted})
            add(batch.replicate[rows], column)

    def _add(self, replicate: NDArray[np.int64], column: DealColumns) -> None:
        offset = self._offset[replicate]
        initiator = offset + column["initiator"]
        accepted = np.asarray(column["accepted"], dtype=bool)
        cell = self._party[initiator] * 2 + accepted
        np.add.at(self._count, cell, 1)
        for name, function in self._statistic.items():
            value = np.asarray(function(column), dtype=np.float64)
            if name in self._sum:
                np.add.at(self._sum[name], cell, value)  # one row after the other, unlike a pairwise sum
            if name in self._raw:
                self._raw[name].append(np.array(np.broadcast_to(value, len(cell))))
        if self._raw:
            self._raw_row.append(initiator)
            self._raw_replicate.append(replicate)
        for function, pairs in self._pairs.values():
            true = np.asarray(function(column), dtype=bool)
            pairs.add(initiator[true], column["counterparty"][true])
        if len(self._took_part):
            self._took_part[initiator[accepted]] = True
            self._took_part[(offset + column["counterparty"])[accepted]] = True

    def _add_decisions(self, replicate: NDArray[np.int64], column: DealColumns) -> None:
        party = self._party[self._offset[replicate] + column["agent"]]
        np.add.at(self._decision_count, party, 1)
        for name, function in self._decision.items():
            np.add.at(self._decision_sum[name], party, np.asarray(function(column), dtype=np.float64))

    def _add_bounties(self, replicate: NDArray[np.int64], column: DealColumns) -> None:
        party = self._party[self._offset[replicate] + column["poster"]]
        np.add.at(self._bounty_count, party, 1)
        for name, function in self._bounty.items():
            np.add.at(self._bounty_sum[name], party, np.asarray(function(column), dtype=np.float64))

    def epoch(self, batch: EventBatch) -> EpochTotals:
        """Close the epoch: hand out its totals, and start the next from zero.

        Params   batch: the agents' state at the end of the epoch (kind agent_state), for every replicate.
        """
        check(batch.kind == "agent_state", "an epoch closes with the state of its agents", kind=batch.kind)
        shape = (self.n_replicates, len(self.types))
        active = np.asarray(batch.column["active"], dtype=bool)
        everyone = self._offset[batch.replicate] + np.asarray(batch.column["agent"], dtype=np.int64)
        replicate, row = batch.replicate[active], everyone[active]
        agents: dict[str, NDArray[Any]] = {}
        for name in self._needs.agent_columns:
            whole = self._took_part[row] if name == "took_part" else _numbers(batch.column[name])[active]
            agents[name] = whole.astype(np.float64)
        n_agents = exact.count_by(batch.replicate, self.n_replicates)
        raw_row = _joined(self._raw_row)
        totals = EpochTotals(
            epoch=batch.epoch,
            types=self.types,
            count=self._count.reshape(*shape, 2),
            sums={name: total.reshape(*shape, 2) for name, total in self._sum.items()},
            economy=self._economy,
            raw={name: _joined(parts, np.float64) for name, parts in self._raw.items()},
            raw_replicate=_joined(self._raw_replicate),
            raw_type=self._type[raw_row],
            decision_count=self._decision_count.reshape(shape),
            decision_sums={name: total.reshape(shape) for name, total in self._decision_sum.items()},
            bounty_count=self._bounty_count.reshape(shape),
            bounty_sums={name: total.reshape(shape) for name, total in self._bounty_sum.items()},
            agent_row=replicate,
            agent_type=self._type[row],
            agents=agents,
            before={name: column[row] for name, column in self._before.items()},
            pairs={name: pairs.table(n_agents) for name, (_, pairs) in self._pairs.items()},
            slot_type=self._type,
            slot_offset=self._offset,
        )
        for name, column in self._before.items():
            column[everyone] = _numbers(batch.column[name])
        self._clear()
        return totals


class _Read(dict[str, NDArray[Any]]):
    """Columns of some rows, those that the statistics were seen to read."""

    def __missing__(self, name: str) -> NDArray[Any]:
        raise UsageError(
            f"a statistic reads the column {name!r}, but not of every row: it was not seen to read it in the trial "
            "before the run. Let it read the same columns whatever they hold."
        )


def _by_replicate(needs: Needs, economy: Mapping[str, Any], n_replicates: int) -> dict[str, F64]:
    """The parameters that are needed, one of each for every replicate."""
    found: dict[str, F64] = {}
    for name in needs.parameters:
        if name not in economy:
            raise UsageError(f"the metrics asked for need the parameter {name!r} of the economy.")
        value = np.asarray(economy[name], dtype=np.float64)
        found[name] = np.broadcast_to(value, (n_replicates,)).copy()
    return found


def _joined(parts: Sequence[NDArray[Any]], dtype: Any = np.int64) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=dtype)


def _numbers(values: Any) -> NDArray[Any]:
    """A column as an array of numbers; what a log calls null is NaN."""
    column = np.asarray(values)
    return column.astype(np.float64) if column.dtype == object else column
