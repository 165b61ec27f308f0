"""The value of each metric over a whole run, formed from its epochs without keeping interactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import registry
from mesocosm.measures.moments import F64, ratio
from mesocosm.metrics.evaluate import evaluate_metrics, needs_of
from mesocosm.metrics.totals import EpochTotals, Totals


class WholeRun:
    """Sums a run up, metric by metric, in the way that each declares (see `registry.metric`, over).

    mean  the mean over the epochs in which it is defined.
    pool  taken once, of the totals of all epochs together.
    last  its value in the last epoch.
    What is pooled are counts and sums; raw columns are kept only for metrics that are pooled and read them.

    Params   names: the metrics; by_type: those of them that are summed up for each agent type too.
    """

    def __init__(self, names: Iterable[str], by_type: Iterable[str] = ()) -> None:
        self.names, self.by_type = tuple(names), tuple(by_type)
        self._over = {name: str(registry.find("metric", name).facts["over"]) for name in (*self.names, *self.by_type)}
        self._n_replicates, self._types = 0, tuple[str, ...]()
        self._sum: dict[tuple[str, str], F64] = {}
        self._n: dict[tuple[str, str], F64] = {}
        self._last: dict[tuple[str, str], F64] = {}
        self._pool = _Pool([name for name, over in self._over.items() if over == "pool"])

    def single(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of some metrics whose values in single epochs are needed: all that are not pooled."""
        return tuple(name for name in names if self._over[name] != "pool")

    def add(
        self,
        totals: EpochTotals,
        values: Mapping[str, F64],
        parts: Mapping[str, Mapping[str, F64]] | None = None,
    ) -> None:
        """Take an epoch in, in order of time.

        Params   values: the metrics of the epoch that are not pooled, as evaluate_metrics gives them; or all of them.
                 parts: the same by type, if they have been evaluated already.
        Moves   the running values, and nothing else.
        """
        self._n_replicates, self._types = totals.n_replicates, totals.types
        self._pool.add(totals)
        self._take("", self.single(self.names), values)
        by_type = self.single(self.by_type)
        for agent_type in totals.types if by_type else ():
            known = parts[agent_type] if parts is not None else evaluate_metrics(totals.only(agent_type), by_type)
            self._take(agent_type, by_type, known)

    def _take(self, agent_type: str, names: Iterable[str], values: Mapping[str, F64]) -> None:
        for name in names:
            key, value = (agent_type, name), values[name]
            if self._over[name] == "last":
                self._last[key] = value
            else:
                known = ~np.isnan(value)
                self._sum[key] = self._sum.get(key, 0.0) + np.where(known, value, 0.0)
                self._n[key] = self._n.get(key, 0.0) + known

    def run_values(self) -> dict[str, F64]:
        """Value of each metric over the run so far, by replicate; NaN where it was never defined.

        Shapes   (R,) each, R = 0 before the first epoch.
        """
        return self._values("", self.names, self._pool.totals())

    def run_values_by_type(self) -> dict[str, dict[str, F64]]:
        """The same for each agent type alone, of the metrics for which it was asked; empty if it was for none."""
        totals = self._pool.totals()
        if totals is None or not self.by_type:
            return {}
        return {
            agent_type: self._values(agent_type, self.by_type, totals.only(agent_type)) for agent_type in self._types
        }

    def _values(self, agent_type: str, names: tuple[str, ...], totals: Totals | None) -> dict[str, F64]:
        wanted = [name for name in names if self._over[name] == "pool"]
        pooled = evaluate_metrics(totals, wanted) if totals is not None else {}
        return {name: self._value(agent_type, name, pooled) for name in names}

    def _value(self, agent_type: str, name: str, pooled: Mapping[str, F64]) -> F64:
        key, nothing = (agent_type, name), np.full(self._n_replicates, np.nan)
        if self._over[name] == "pool":
            return pooled.get(name, nothing)
        if self._over[name] == "last":
            return self._last.get(key, nothing)
        return ratio(self._sum[key], self._n[key]) if key in self._sum else nothing


def at_replicate(values: Mapping[str, F64], replicate: int) -> dict[str, float]:
    """Values of one replicate as plain numbers; NaN for all before the first epoch."""
    return {name: float(value[replicate]) if len(value) else float("nan") for name, value in values.items()}


class _Pool:
    """Totals of all epochs together, of what the pooled metrics read."""

    def __init__(self, names: list[str]) -> None:
        self.names = tuple(names)
        self._needs = needs_of(self.names)
        self._types, self._economy = tuple[str, ...](), dict[str, F64]()
        self._count: Any = None
        self._decision_count: Any = 0
        self._bounty_count: Any = 0
        self._sums: dict[str, Any] = dict.fromkeys(self._needs.statistics, 0.0)
        self._decision_sums: dict[str, Any] = dict.fromkeys(self._needs.decisions, 0.0)
        self._bounty_sums: dict[str, Any] = dict.fromkeys(self._needs.bounties, 0.0)
        self._raw: dict[str, list[NDArray[Any]]] = {name: [] for name in self._needs.raw}
        self._raw_place: list[tuple[NDArray[Any], NDArray[Any]]] = []

    def add(self, totals: Totals) -> None:
        """Add an epoch."""
        self._types, self._economy = totals.types, dict(totals.economy)
        self._count = totals.count if self._count is None else self._count + totals.count
        self._decision_count = self._decision_count + totals.decision_count
        self._bounty_count = self._bounty_count + totals.bounty_count
        for name in self._bounty_sums:
            self._bounty_sums[name] = self._bounty_sums[name] + totals.bounty_sums[name]
        for name in self._sums:
            self._sums[name] = self._sums[name] + totals.sums[name]
        for name in self._decision_sums:
            self._decision_sums[name] = self._decision_sums[name] + totals.decision_sums[name]
        for name, parts in self._raw.items():
            parts.append(totals.raw[name])
        if self._raw:
            self._raw_place.append((totals.raw_replicate, totals.raw_type))

    def totals(self) -> Totals | None:
        """What has been added so far, None before the first epoch."""
        if self._count is None:
            return None
        place = [np.concatenate(parts) for parts in zip(*self._raw_place, strict=True)]
        nowhere = np.zeros(0, dtype=np.int64)
        return Totals(
            epoch=-1,
            types=self._types,
            count=self._count,
            sums=self._sums,
            economy=self._economy,
            raw={name: np.concatenate(parts) for name, parts in self._raw.items()},
            raw_replicate=place[0] if place else nowhere,
            raw_type=place[1] if place else nowhere,
            decision_count=self._decision_count,
            decision_sums=self._decision_sums,
            bounty_count=self._bounty_count,
            bounty_sums=self._bounty_sums,
        )
