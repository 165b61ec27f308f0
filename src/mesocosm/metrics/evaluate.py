"""Which metrics are shown by default, what each needs, and their values for one epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import registry
from mesocosm.errors import Blame, UsageError, nearest
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import AGENT_COLUMNS, EpochTotals, statistic_of

#: what a run prints and keeps when the scenario asks for nothing else, in order
DEFAULT_METRICS = (
    "toxicity_rate",
    "toxicity_true",
    "goodhart_gap",
    "acceptance_rate",
    "quality_gap",
    "conditional_loss_initiator",
    "spread",
    "private_welfare",
    "social_welfare",
    "participation",
    "influence_gini",
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What some metrics read: statistics of interactions, columns of agents, parameters of the economy."""

    statistics: tuple[str, ...]
    agent_columns: tuple[str, ...]
    parameters: tuple[str, ...]


class _Asked(dict[str, NDArray[Any]]):
    """A mapping that has whatever it is asked for, all of it empty, and remembers the names."""

    def __init__(self, empty: NDArray[Any], known: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.empty, self.known = empty, known
        self.seen: list[str] = []

    def __missing__(self, name: str) -> NDArray[Any]:
        if self.known and name not in self.known:
            raise UsageError(f"unknown column of agents {name!r}. {nearest(name, self.known)}")
        if name not in self.seen:
            self.seen.append(name)
        return self.empty


def needs_of(names: Iterable[str]) -> Needs:
    """Find out what metrics read by taking them once of an epoch in which nothing happened.

    Raises   UsageError for an unknown metric, statistic or column, with the nearest right name.
    """
    nobody = np.zeros(0, dtype=np.int64)
    sums, agents, economy = (
        _Asked(np.zeros((1, 1, 2))),
        _Asked(np.zeros(0), AGENT_COLUMNS),
        _Asked(np.ones(1)),
    )
    count = np.zeros((1, 1, 2), dtype=np.int64)
    evaluate_metrics(EpochTotals(0, ("",), count, sums, economy, nobody, nobody, agents), names)
    for name in sums.seen:
        statistic_of(name)
    return Needs(tuple(sums.seen), tuple(agents.seen), tuple(economy.seen))


def evaluate_metrics(totals: EpochTotals, names: Iterable[str] = DEFAULT_METRICS) -> dict[str, F64]:
    """Value of each metric for every replicate, NaN where it is undefined.

    Shapes   each value is (R,).
    Raises   UsageError for an unknown metric, or for one that does not return one number a replicate.
    """
    values: dict[str, F64] = {}
    for name in names:
        entry = registry.find("metric", name)
        with np.errstate(divide="ignore", invalid="ignore"), Blame(f"metric {name}", name, f"epoch {totals.epoch}"):
            value = np.asarray(entry.target(totals), dtype=np.float64)
        if value.shape != (totals.n_replicates,):
            raise UsageError(
                f"metric {name!r} ({entry.origin}) returned shape {value.shape}; "
                f"return one number a replicate, shape ({totals.n_replicates},)."
            )
        values[name] = value
    return values


def evaluate_by_type(totals: EpochTotals, names: Iterable[str] = DEFAULT_METRICS) -> dict[str, dict[str, F64]]:
    """Values of the metrics over the proposals of each agent type alone (and, of agents, over that type)."""
    chosen = tuple(names)
    return {agent_type: evaluate_metrics(totals.only(agent_type), chosen) for agent_type in totals.types}


def epoch_row(epoch: int, values: dict[str, F64], replicate: int = 0) -> dict[str, Any]:
    """One replicate's metrics of one epoch as plain numbers: {"epoch": 0, "toxicity_rate": 0.2, ...}."""
    return {"epoch": epoch} | {name: float(value[replicate]) for name, value in values.items()}
