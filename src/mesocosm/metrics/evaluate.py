"""Which metrics are shown by default, what each needs, and their values for one epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesocosm import registry
from mesocosm.env.events import DETAIL_FIELDS
from mesocosm.errors import Blame, MesocosmError, UsageError, nearest
from mesocosm.measures.dyads import Dyads
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import (
    AGENT_COLUMNS,
    BOUNTY_NUMBERS,
    DECISION_NUMBERS,
    NUMBERS,
    EpochTotals,
    Statistic,
    Totals,
    bounty_statistic_of,
    decision_statistic_of,
    statistic_of,
)

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
    """What some metrics read, found by taking them once of an epoch in which nothing happened.

    statistics are added up, raw ones kept row by row, pairs counted by dyad; columns are those of interactions that all
    of these are computed from, decisions and decision_columns the same of replayed decisions, bounties and
    bounty_columns of closed bounties.
    """

    statistics: tuple[str, ...]
    raw: tuple[str, ...]
    pairs: tuple[str, ...]
    columns: tuple[str, ...]
    decisions: tuple[str, ...]
    decision_columns: tuple[str, ...]
    bounties: tuple[str, ...]
    bounty_columns: tuple[str, ...]
    agent_columns: tuple[str, ...]
    agent_before: tuple[str, ...]
    parameters: tuple[str, ...]

    @property
    def detail(self) -> bool:
        """Whether the engine has to be asked for every field of every event."""
        return bool(self.decisions) or not DETAIL_FIELDS.isdisjoint(self.columns)

    @property
    def deals(self) -> bool:
        """Whether anything of single interactions is read beyond how many there were."""
        return bool(self.statistics or self.raw or self.pairs or self.decisions)


class _Asked(dict[str, Any]):
    """A mapping that has whatever it is asked for, always the same, and remembers the names."""

    def __init__(self, answer: Any, known: frozenset[str] = frozenset(), what: str = "") -> None:
        super().__init__()
        self.answer, self.known, self.what = answer, known, what
        self.seen: list[str] = []

    def __missing__(self, name: str) -> Any:
        if self.known and name not in self.known:
            raise UsageError(f"unknown column of {self.what} {name!r}. {nearest(name, self.known)}")
        if name not in self.seen:
            self.seen.append(name)
        return self.answer

    def __contains__(self, name: object) -> bool:
        return True


def needs_of(names: Iterable[str]) -> Needs:
    """Find out what metrics read.

    Raises   UsageError for an unknown metric, statistic or column, with the nearest right name, and for a metric whose
             value over a run is pooled although it reads what belongs to a single epoch.
    """
    chosen = tuple(names)
    nobody, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    sums, raw, economy = (_Asked(x) for x in (np.zeros((1, 1, 2)), nothing, np.ones(1)))
    decisions, bounties = (_Asked(np.zeros((1, 1))) for _ in range(2))
    agents, before = (_Asked(nothing, AGENT_COLUMNS, "agents") for _ in range(2))
    pairs = _Asked(Dyads(nobody, nobody, nobody, nobody, np.zeros(1, dtype=np.int64)))
    deals: dict[str, Any] = {
        "epoch": 0, "types": ("",), "count": np.zeros((1, 1, 2), dtype=np.int64), "sums": sums, "economy": economy,
        "raw": raw, "raw_replicate": nobody, "raw_type": nobody,
        "decision_count": np.zeros((1, 1), dtype=np.int64), "decision_sums": decisions,
        "bounty_count": np.zeros((1, 1), dtype=np.int64), "bounty_sums": bounties,
    }  # fmt: skip
    states: dict[str, Any] = {
        "agent_row": nobody, "agent_type": nobody, "agents": agents, "before": before, "pairs": pairs,
        "slot_type": nobody, "slot_offset": np.zeros(1, dtype=np.int64),
    }  # fmt: skip
    evaluate_metrics(EpochTotals(**deals, **states), chosen)
    for name in chosen:
        if registry.find("metric", name).facts["over"] == "pool":
            _check_pooled(name, Totals(**deals))
    read = [*dict.fromkeys([*sums.seen, *raw.seen, *pairs.seen])]
    return Needs(
        statistics=tuple(sums.seen),
        raw=tuple(raw.seen),
        pairs=tuple(pairs.seen),
        columns=_columns_read(
            [statistic_of(name) for name in read], ("initiator", "counterparty", "accepted"), NUMBERS
        ),
        decisions=tuple(decisions.seen),
        decision_columns=_columns_read(
            [decision_statistic_of(name) for name in decisions.seen], ("agent",), DECISION_NUMBERS
        ),
        bounties=tuple(bounties.seen),
        bounty_columns=_columns_read(
            [bounty_statistic_of(name) for name in bounties.seen], ("poster",), BOUNTY_NUMBERS
        ),
        agent_columns=tuple(agents.seen),
        agent_before=tuple(before.seen),
        parameters=tuple(economy.seen),
    )


def _check_pooled(name: str, totals: Totals) -> None:
    """Refuse a metric that is to be taken of all epochs together although it reads what only one epoch has."""
    try:
        evaluate_metrics(totals, [name])
    except MesocosmError as error:
        if isinstance(error.__cause__, AttributeError):
            raise UsageError(
                f"metric {name!r} is declared with over='pool', but it reads agents or dyads, which belong to a single "
                "epoch. Declare over='mean' (or 'last', for what is cumulative)."
            ) from error
        raise


def _columns_read(functions: Iterable[Statistic], always: tuple[str, ...], known: frozenset[str]) -> tuple[str, ...]:
    """Columns that statistics read, found by trying each on one row of zeros."""
    asked = _Asked(np.zeros(1), known, "interactions")
    for function in functions:
        name = getattr(function, "__name__", "statistic")
        with np.errstate(all="ignore"), Blame(f"statistic {name}", name, "a trial on one row of zeros"):
            function(asked)
    return tuple(dict.fromkeys([*always, *asked.seen]))


def evaluate_metrics(totals: Totals, names: Iterable[str] = DEFAULT_METRICS) -> dict[str, F64]:
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


def evaluate_by_type(totals: Totals, names: Iterable[str] = DEFAULT_METRICS) -> dict[str, dict[str, F64]]:
    """Values of the metrics over the proposals of each agent type alone (and, of agents, over that type)."""
    chosen = tuple(names)
    return {agent_type: evaluate_metrics(totals.only(agent_type), chosen) for agent_type in totals.types}


def epoch_row(epoch: int, values: dict[str, F64], replicate: int = 0) -> dict[str, Any]:
    """One replicate's metrics of one epoch as plain numbers: {"epoch": 0, "toxicity_rate": 0.2, ...}."""
    return {"epoch": epoch} | {name: float(value[replicate]) for name, value in values.items()}
