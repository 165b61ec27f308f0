"""The totals of one epoch, which is all a metric sees, and how a metric's file declares a quantity to add up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.events import EVENT_FIELDS
from mesocosm.errors import UsageError, nearest
from mesocosm.measures.moments import F64, Moments

I64 = NDArray[np.int64]
#: the columns of some interactions, by the names of EVENT_FIELDS["interaction"]
DealColumns = Mapping[str, NDArray[Any]]
Statistic = Callable[[DealColumns], Any]

#: columns of an interaction that are numbers: each can be added up under its own name, without declaring anything
NUMBERS = frozenset(name for name, kind in EVENT_FIELDS["interaction"].items() if kind in ("int", "float", "bool"))
#: what can be asked of each agent: the columns of agent_state, and whether it had an accepted interaction this epoch
AGENT_COLUMNS = frozenset(EVENT_FIELDS["agent_state"]) - {"agent", "active"} | {"took_part"}

_statistics: dict[str, Statistic] = {}


def statistic(name: str) -> Callable[[Statistic], Statistic]:
    """Decorator: declare a quantity of every interaction that a metric may ask for by name.

    The function receives the columns of some interactions and returns one number for each. Columns themselves need no
    declaration: `totals.moments("p")` works as it stands.

    Raises   UsageError when the name is a column, or is declared elsewhere.
    """

    def add(target: Statistic) -> Statistic:
        known = _statistics.get(name)
        if name in NUMBERS:
            raise UsageError(f"statistic {name!r} is the name of an interaction's column; choose another name.")
        if known is not None and known.__module__ != target.__module__:
            raise UsageError(f"statistic {name!r} is already defined in {known.__module__}; choose another name.")
        _statistics[name] = target
        return target

    return add


def statistic_of(name: str) -> Statistic:
    """Function that gives a statistic's value for each interaction: a declared one, or a column as it is.

    Raises   UsageError with the nearest right name.
    """
    if name in NUMBERS:
        return lambda column: column[name]
    if name not in _statistics:
        raise UsageError(f"unknown statistic {name!r}. {nearest(name, [*sorted(NUMBERS), *_statistics])}")
    return _statistics[name]


@dataclass(frozen=True, slots=True)
class EpochTotals:
    """What happened in one epoch, added up by replicate and by the initiator's type.

    Shapes   R = replicates, T = agent types, m = agents that are active at the end of the epoch.
             count (R, T, 2) and each of sums (R, T, 2): [..., 0] over rejected proposals, [..., 1] over accepted ones.
             agent_row holds each agent's replicate, agent_type its type; columns of agents are (m,), in that order.
             economy: parameters by name, each (R,).
    """

    epoch: int
    types: tuple[str, ...]
    count: I64
    sums: Mapping[str, F64]
    economy: Mapping[str, F64]
    agent_row: I64
    agent_type: I64
    agents: Mapping[str, NDArray[Any]]
    chosen: tuple[int, ...] | None = None

    @property
    def n_replicates(self) -> int:
        """Number of replicates, R."""
        return int(self.count.shape[0])

    @property
    def accepted(self) -> F64:
        """Number of accepted interactions by replicate, (R,)."""
        return self._over_types(self.count, 1)

    @property
    def proposals(self) -> F64:
        """Number of proposals by replicate, (R,), refused ones included."""
        return self.accepted + self._over_types(self.count, 0)

    @property
    def agent_replicate(self) -> I64:
        """Replicate of each active agent, (m,)."""
        return self._of_chosen_agents(self.agent_row)

    def moments(self, name: str) -> Moments:
        """Counts and sums of a statistic (or of a column of interactions) on both sides of the decision to accept.

        Shapes   each of the moments is (R,).
        Raises   UsageError when the statistic does not exist, or no metric of this run asked for it.
        """
        total = self._look(self.sums, name, "statistic")
        rejected, accepted = self._over_types(self.count, 0), self._over_types(self.count, 1)
        return Moments(accepted, rejected, self._over_types(total, 1), self._over_types(total, 0))

    def agent(self, name: str) -> NDArray[Any]:
        """A column of agent_state, or `took_part`, for each active agent, (m,)."""
        return self._of_chosen_agents(self._look(self.agents, name, "column of agents"))

    def parameter(self, name: str) -> F64:
        """A parameter of the economy by replicate, (R,), such as s_plus."""
        return self._look(self.economy, name, "parameter of the economy")

    def only(self, agent_type: str) -> EpochTotals:
        """The same totals over initiators (and agents) of one type alone; any metric can be taken of them.

        A type that no agent has gives empty totals, of which every rate is NaN.
        """
        code = self.types.index(agent_type) if agent_type in self.types else None
        return replace(self, chosen=() if code is None else (code,))

    def _over_types(self, table: NDArray[Any], side: int) -> F64:
        """Add the types of a table up in the order of their names, so that absent types change no bit."""
        total = np.zeros(self.n_replicates)
        for code in range(len(self.types)) if self.chosen is None else self.chosen:
            total = total + table[:, code, side]
        return total

    def _of_chosen_agents(self, column: NDArray[Any]) -> NDArray[Any]:
        return column if self.chosen is None else column[np.isin(self.agent_type, self.chosen)]

    @staticmethod
    def _look(table: Mapping[str, NDArray[Any]], name: str, what: str) -> NDArray[Any]:
        try:
            return table[name]
        except KeyError:
            raise UsageError(
                f"no {what} {name!r} was kept for the metrics of this run. {nearest(name, table)}"
            ) from None
