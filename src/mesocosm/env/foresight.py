"""What governance lets agents foresee: consequences that the public rules and their own experience attach to a deal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class Terms(Protocol):
    """What is known of a deal before anybody answers: all that a lever's cost may depend on."""

    @property
    def row_a(self) -> I64:
        """(k,) initiator."""
        ...

    @property
    def row_b(self) -> I64:
        """(k,) counterparty."""
        ...

    @property
    def replicate(self) -> I64:
        """(k,)."""
        ...

    @property
    def difficulty(self) -> F64:
        """(k,) x of the task."""
        ...

    @property
    def tau(self) -> Any:
        """(k,) credits from a to b."""
        ...


@dataclass(slots=True)
class Ahead:
    """Deals that initiators consider, one row for each initiator and candidate.

    Shapes   m = rows. `look` has p_good and p_bad[d], what p is on average after a good outcome and after a bad one
             under disguise d, doubt_good and doubt_bad[d], how often it is then below 1/2, and suspect_good and
             suspect_bad[d], how often v_hat is then below 0.
    """

    row_a: I64  # (m,)
    row_b: I64  # (m,)
    replicate: I64  # (m,)
    difficulty: F64  # (m,)
    look: SimpleNamespace
    deals: I64  # (m,) own proposals accepted since the start
    audits: I64  # (m,) of them looked at by an audit
    freezes: I64  # (m,) times the initiator was frozen
    payoff: F64  # (m,) own running payoff per accepted proposal, at least the floor
    balance: F64  # (m,) credits
    stake: F64  # (m,) credits on deposit
    leaves: F64  # (m,) share of the epoch that is over when the deal is made
    steps_per_epoch: int
    others: I64  # (m,) other agents there are
    prior: F64  # (m,) what strangers think of the initiator
    rule: Any  # public rules of the economy, aligned with the rows
    weight: Any  # own deals that an announced chance is worth
    is_public: Any  # whether announced chances are believed as they are
    tau: Any = 0.0  # (m,) credits from a to b, where costs are asked for

    def __len__(self) -> int:
        return len(self.row_a)

    def believed(self, announced: Any, met: Any, of: Any) -> Any:
        """The chance an initiator believes in: (w announced + met) / (w + of), or the announced one where it is public.

        Params   met: how often it happened to the initiator, of so many occasions.
        Source   design section 2, q^ = (20 q + own audits) / (20 + own deals).
        """
        learnt = (self.weight * announced + met) / (self.weight + of)
        return np.where(self.is_public, announced, learnt)


@dataclass
class Foresight:
    """What levers tell an initiator to expect of a deal, by how it turns out and by the level of disguise if badly.

    Shapes   Every entry is a number or a column: (m,) over rows of Ahead while levers speak, (2, k) over candidates and
             proposers when a policy sees it, (m,) again where it is laid out flat. Costs have a leading T, transfers.
    """

    cost_a: Any = 0.0  # credits the initiator pays if the deal is accepted
    cost_b: Any = 0.0
    fine_good: Any = 0.0  # credits it expects to lose afterwards if the outcome is good
    fine_bad: Any = None  # [d], if it is bad; None for none
    pass_good: Any = None  # chance that levers let a good outcome through to the counterparty; None for always
    pass_bad: Any = None  # [d]; None for always
    pass_taking: Any = None  # chance that they let deals with tau below 0 through, beside the two; None for always
    reveal: Any = 0.0  # chance that levers bring the outcome to light, or what they take for it
    false_alarm: Any = 0.0  # chance that they say bad of a good outcome, at most `reveal`
    oversight: Any = 0.0  # chance that they say good of a bad one
    forfeit: Any = 0.0  # credits it loses if the outcome comes to light as bad, to its partner or through levers
    acclaim: Any = 0.0  # what it is worth to it, in credits, that the outcome comes to light as good
    sanction: Any = 0.0  # credits it loses for dealing with this partner again, however it turns out
    forgone: Any = 0.0  # credits that making a proposal costs in others that can then not be made
    keeps: Any = 1.0  # share of what trust is worth that levers leave it
    halts: list[tuple[Any, Any]] = field(default_factory=list)  # where expected 1-p exceeds the first, lose the second

    def join(self, other: Foresight) -> None:
        """Add what another lever foretells, which acts after those joined before and has the last word."""
        for name in ("fine_good", "forfeit", "acclaim", "forgone", "sanction"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.keeps = self.keeps * other.keeps
        self.false_alarm = (1.0 - other.reveal) * self.false_alarm + other.false_alarm
        self.oversight = (1.0 - other.reveal) * self.oversight + other.oversight
        self.reveal = self.reveal + (1.0 - self.reveal) * other.reveal  # exact where one of them is 0
        self.halts = [*self.halts, *other.halts]
        if other.pass_good is not None:
            self.pass_good = other.pass_good if self.pass_good is None else self.pass_good * other.pass_good
        if other.pass_taking is not None:
            self.pass_taking = other.pass_taking * (1.0 if self.pass_taking is None else self.pass_taking)
        if other.fine_bad is not None:
            before = self.fine_bad or [0.0] * len(other.fine_bad)
            self.fine_bad = [one + two for one, two in zip(before, other.fine_bad, strict=True)]
        if other.pass_bad is not None:
            before = self.pass_bad or [1.0] * len(other.pass_bad)
            self.pass_bad = [one * two for one, two in zip(before, other.pass_bad, strict=True)]

    def passage(self, candidate: I64, level: I64, takes: NDArray[np.bool_] | None = None) -> F64 | None:
        """(2, k) the chance that levers let the chosen deals through, if good and if bad; None where they let all.

        Params   candidate: 0 or 1 for each proposer, or -1 for nobody; level: of the disguise;
                 takes: whether tau is below 0. The layout is paired.
        """
        if self.pass_good is None and self.pass_bad is None and self.pass_taking is None:
            return None
        k = len(candidate)

        def of_chosen(chance: Any) -> F64:
            both: F64 = np.broadcast_to(np.asarray(1.0 if chance is None else chance, dtype=np.float64), (2, k))
            return both[np.maximum(candidate, 0), np.arange(k)]

        levels = [None] if self.pass_bad is None else self.pass_bad
        bad = np.stack([of_chosen(chance) for chance in levels])
        chances = np.stack([of_chosen(self.pass_good), bad[np.clip(level, 0, len(levels) - 1), np.arange(k)]])
        return chances if takes is None else np.where(takes, of_chosen(self.pass_taking), 1.0) * chances

    def paired(self) -> Foresight:
        """Laid out by candidate, as policies see it: (m,) becomes (2, k)."""
        return self._each(lambda value: value.reshape(*value.shape[:-1], 2, -1))

    def flat(self, index: I64 | None) -> Foresight:
        """Laid out flat again, all rows or some of them."""

        def flatten(value: NDArray[Any]) -> NDArray[Any]:
            column = value.reshape(*value.shape[:-2], -1)
            return column if index is None else column[..., index]

        return self._each(flatten)

    def _each(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Foresight:
        """The same with every column changed, and numbers as they are."""

        def changed(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return type(value)(changed(entry) for entry in value)
            return change(value) if isinstance(value, np.ndarray) and value.ndim else value

        return Foresight(**{item.name: changed(getattr(self, item.name)) for item in fields(self)})
