"""The totals of one epoch, which is all a metric sees, and how a metric's file declares a quantity to add up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.events import EVENT_FIELDS
from mesocosm.errors import UsageError, nearest
from mesocosm.measures.dyads import Dyads
from mesocosm.measures.moments import F64, Moments

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: the columns of some interactions (or replayed decisions), by the names of EVENT_FIELDS
DealColumns = Mapping[str, NDArray[Any]]
Statistic = Callable[[DealColumns], Any]
T = TypeVar("T", bound="Totals")

ABSENT = -1


def _numbers_of(kind: str) -> frozenset[str]:
    return frozenset(name for name, form in EVENT_FIELDS[kind].items() if form in ("int", "float", "bool"))


#: columns of an interaction that are numbers: each can be asked for under its own name, without declaring anything
NUMBERS = _numbers_of("interaction")
#: the same of a replayed decision
DECISION_NUMBERS = _numbers_of("replayed")
#: the same of a bounty that was closed
BOUNTY_NUMBERS = _numbers_of("bounty_closed")
#: what can be asked of each agent: the columns of agent_state, and whether it had an accepted interaction this epoch
AGENT_COLUMNS = frozenset(EVENT_FIELDS["agent_state"]) - {"agent", "active"} | {"took_part"}

_statistics: dict[str, Statistic] = {}
_decision_statistics: dict[str, Statistic] = {}
_bounty_statistics: dict[str, Statistic] = {}


def statistic(name: str) -> Callable[[Statistic], Statistic]:
    """Decorator: declare a quantity of every interaction that a metric may ask for by name.

    The function receives the columns of some interactions and returns one number for each. Columns themselves need no
    declaration: `totals.moments("p")` works as it stands.

    Raises   UsageError when the name is a column, or is declared elsewhere.
    """
    return _declared(name, _statistics, NUMBERS)


def decision_statistic(name: str) -> Callable[[Statistic], Statistic]:
    """Decorator: declare a quantity of every replayed decision that a metric may ask for by name.

    The function receives columns of EVENT_FIELDS["replayed"]: agent, interaction, yes, of, v.

    Raises   UsageError when the name is a column, or is declared elsewhere.
    """
    return _declared(name, _decision_statistics, DECISION_NUMBERS)


def bounty_statistic(name: str) -> Callable[[Statistic], Statistic]:
    """Decorator: declare a quantity of every bounty that was closed that a metric may ask for by name.

    The function receives columns of EVENT_FIELDS["bounty_closed"]; they can also be asked for as they stand.

    Raises   UsageError when the name is a column, or is declared elsewhere.
    """
    return _declared(name, _bounty_statistics, BOUNTY_NUMBERS)


def _declared(name: str, declared: dict[str, Statistic], columns: frozenset[str]) -> Callable[[Statistic], Statistic]:
    def add(target: Statistic) -> Statistic:
        known = declared.get(name)
        if name in columns:
            raise UsageError(f"statistic {name!r} is the name of an interaction's column; choose another name.")
        if known is not None and known.__module__ != target.__module__:
            raise UsageError(f"statistic {name!r} is already defined in {known.__module__}; choose another name.")
        declared[name] = target
        return target

    return add


def statistic_of(name: str) -> Statistic:
    """Function that gives a statistic's value for each interaction: a declared one, or a column as it is.

    Raises   UsageError with the nearest right name.
    """
    return _found(name, _statistics, NUMBERS)


def decision_statistic_of(name: str) -> Statistic:
    """Function that gives a statistic's value for each replayed decision: a declared one, or a column as it is.

    Raises   UsageError with the nearest right name.
    """
    return _found(name, _decision_statistics, DECISION_NUMBERS)


def bounty_statistic_of(name: str) -> Statistic:
    """Function that gives a statistic's value for each bounty that was closed: a declared one, or a column as it is.

    Raises   UsageError with the nearest right name.
    """
    return _found(name, _bounty_statistics, BOUNTY_NUMBERS)


def _found(name: str, declared: dict[str, Statistic], columns: frozenset[str]) -> Statistic:
    if name in columns:
        return lambda column: column[name]
    if name not in declared:
        raise UsageError(f"unknown statistic {name!r}. {nearest(name, [*sorted(columns), *declared])}")
    return declared[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What happened, added up by replicate and by the initiator's type: the part that epochs can be pooled by.

    Shapes   R = replicates, T = agent types, k = proposals.
             count (R, T, 2) and each of sums (R, T, 2): [..., 0] over rejected proposals, [..., 1] over accepted ones.
             raw: columns of single proposals, each (k,), with raw_replicate and raw_type of the initiator.
             decision_count (R, T) and each of decision_sums (R, T): replayed decisions by the type that decided.
             bounty_count (R, T) and each of bounty_sums (R, T): bounties closed, by the poster's type.
             economy: parameters by name, each (R,).
    """

    epoch: int
    types: tuple[str, ...]
    count: I64
    sums: Mapping[str, F64]
    economy: Mapping[str, F64]
    raw: Mapping[str, F64]
    raw_replicate: I64
    raw_type: I64
    decision_count: I64
    decision_sums: Mapping[str, F64]
    bounty_count: I64
    bounty_sums: Mapping[str, F64]
    chosen: int | None = None  # code of the one type that is looked at; ABSENT for one that nobody has

    @property
    def n_replicates(self) -> int:
        """Number of replicates, R."""
        return int(self.count.shape[0])

    @property
    def accepted(self) -> F64:
        """Number of accepted interactions by replicate, (R,)."""
        return _over_types(self, self.count[..., 1])

    @property
    def proposals(self) -> F64:
        """Number of proposals by replicate, (R,), refused ones included."""
        return self.accepted + _over_types(self, self.count[..., 0])

    def moments(self, name: str) -> Moments:
        """Counts and sums of a statistic (or of a column of interactions) on both sides of the decision to accept.

        Shapes   each of the moments is (R,).
        Raises   UsageError when the statistic does not exist, or no metric of this run asked for it.
        """
        total = _look(self.sums, name, "statistic")
        rejected, accepted = _over_types(self, self.count[..., 0]), _over_types(self, self.count[..., 1])
        return Moments(accepted, rejected, _over_types(self, total[..., 1]), _over_types(self, total[..., 0]))

    def each(self, name: str) -> F64:
        """A statistic (or a column of interactions) of every single proposal, in the order in which they happened.

        Shapes   (k,), in line with each_replicate; within a replicate the order does not depend on its company.
        """
        return _of_chosen(self, self.raw_type, _look(self.raw, name, "column of single proposals"))

    @property
    def each_replicate(self) -> I64:
        """Replicate of every single proposal, (k,)."""
        return _of_chosen(self, self.raw_type, self.raw_replicate)

    def decisions(self, name: str) -> F64:
        """Sum of a statistic over the replayed decisions, by replicate, (R,); of a type, over those it took."""
        return _over_types(self, _look(self.decision_sums, name, "statistic of decisions"))

    @property
    def n_decisions(self) -> F64:
        """Number of replayed decisions by replicate, (R,)."""
        return _over_types(self, self.decision_count)

    def bounties(self, name: str) -> F64:
        """Sum of a statistic over the bounties closed, by replicate, (R,); of a type, over those it posted."""
        return _over_types(self, _look(self.bounty_sums, name, "statistic of bounties"))

    @property
    def n_bounties(self) -> F64:
        """Number of bounties that were closed by replicate, (R,): paid, or refunded."""
        return _over_types(self, self.bounty_count)

    def parameter(self, name: str) -> F64:
        """A parameter of the economy by replicate, (R,), such as s_plus."""
        return _look(self.economy, name, "parameter of the economy")

    def only(self: T, agent_type: str) -> T:
        """The same totals over initiators (and agents) of one type alone; any metric can be taken of them.

        A type that no agent has gives empty totals, of which every rate is NaN.
        """
        return replace(self, chosen=self.types.index(agent_type) if agent_type in self.types else ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochTotals(Totals):
    """What happened in one epoch, and what the agents have come to at its end.

    Shapes   R = replicates, m = agents that are active at the end of the epoch.
             agent_row holds each agent's replicate, agent_type its type; columns of agents are (m,), in that order:
             agents as they are now, before as they were at the end of the epoch before.
             pairs: tables of dyads by statistic, counted from the start of the run.
             slot_type: type of every slot of every replicate, those of replicate r beginning at slot_offset[r].
    """

    agent_row: I64
    agent_type: I64
    agents: Mapping[str, NDArray[Any]]
    before: Mapping[str, F64]
    pairs: Mapping[str, Dyads]
    slot_type: I64
    slot_offset: I64
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def agent_replicate(self) -> I64:
        """Replicate of each active agent, (m,)."""
        return _of_chosen(self, self.agent_type, self.agent_row)

    def agent(self, name: str) -> NDArray[Any]:
        """A column of agent_state, or `took_part`, for each active agent, (m,)."""
        return _of_chosen(self, self.agent_type, _look(self.agents, name, "column of agents"))

    def agent_before(self, name: str) -> F64:
        """The same column at the end of the epoch before, (m,); NaN for an agent that was not there yet."""
        return _of_chosen(self, self.agent_type, _look(self.before, name, "earlier column of agents"))

    def dyads(self, name: str) -> Dyads:
        """How often a yes-or-no statistic has been true, from initiator to counterparty, since the run began.

        Always of the whole population, also when one type is chosen; `is_chosen` tells whose agents are whose.
        """
        if name not in self.pairs:
            _look({}, name, "table of dyads")
        return self.pairs[name]

    def is_chosen(self, replicate: I64, agent: I64) -> Mask:
        """Whether agents, given by replicate and slot, are of the type that was chosen (all are if none was)."""
        kind = self.slot_type[self.slot_offset[replicate] + agent]
        return np.ones(len(kind), dtype=np.bool_) if self.chosen is None else kind == self.chosen

    def shared(self, name: str, make: Callable[[], Any]) -> Any:
        """What several metrics of the epoch need, made once; it must not depend on the type that is chosen."""
        if name not in self.memo:
            self.memo[name] = make()
        return self.memo[name]


def _over_types(totals: Totals, table: NDArray[Any]) -> F64:
    """Add the types of a table (R, T) up in the order of their names, so that absent types change no bit."""
    total = np.zeros(totals.n_replicates)
    if totals.chosen == ABSENT:
        return total
    for code in range(len(totals.types)) if totals.chosen is None else (totals.chosen,):
        total = total + table[:, code]
    return total


def _of_chosen(totals: Totals, kind: I64, column: NDArray[Any]) -> NDArray[Any]:
    return column if totals.chosen is None else column[kind == totals.chosen]


def _look(table: Mapping[str, NDArray[Any]], name: str, what: str) -> NDArray[Any]:
    try:
        return table[name]
    except KeyError:
        raise UsageError(f"no {what} {name!r} was kept for the metrics of this run. {nearest(name, table)}") from None
