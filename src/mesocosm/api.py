"""Read me first: the contracts a stranger plugs into (View, decisions, Policy, Lever)."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.bidding import TRADE_VISIBLE, Trader
from mesocosm.env.economy import take
from mesocosm.env.foresight import Ahead, Foresight, Terms
from mesocosm.env.interaction import Deals
from mesocosm.env.ledger import Ledger
from mesocosm.errors import UsageError, nearest

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
P = TypeVar("P")

PASS, POST, REPLY, VOTE, FLAG, PLAN, CLAIM, SUBMIT, APPROVE, REJECT = range(10)
ACTIONS = ("pass", "post", "reply", "vote", "flag", "plan", "claim", "submit", "approve", "reject")

#: question -> what a policy may ask to see (its `sees`), with the shape of each
VISIBLE: dict[str, dict[str, str]] = {
    "act": {
        "role": "(k,) index into ROLES",
        "skill": "(k,)",
        "luck": "(k,) keyed uniform for the choice of action",
        "task_stage": "(k,) TaskStatus of the task offered to the agent's role, 0 for none",
        "task_evidence": "(k,) odds that the submitted work is good, after an own look (verifiers)",
        "task_difficulty": "(k,) x of the task offered",
        "task_reward": "(k,) credits the agent would get on completion",
        "task_worker_is_mate": "(k,) whether the worker of the offered task belongs to the agent's coalition",
        "can_vote": "(k,) there is a post in focus that is not its own and that it has not voted on",
        "author_trust": "(k,) trust in the author of the post in focus",
        "author_is_mate": "(k,) whether that author belongs to the agent's coalition",
        "topic_luck": "(k,) keyed uniform for what to write about",
        "message_price": "(k,) credits that a post or a reply costs, or one number for all",
        "message_worth": "(k,) credits that a post or a reply is worth to the agent, or one number for all",
    },
    "propose": {
        "difficulty": "(k,) x, credits of private cost at full effort",
        "exists": "(2, k) whether there is such a candidate",
        "trust_in": "(2, k) the agent's trust in each candidate",
        "trust_of": "(2, k) each candidate's trust in the agent",
        "weight_of": "(2, k) the weight behind that trust",
        "leniency": "(2, k) omega, how likely the agent thinks each candidate to look at its own gain alone",
        "is_mate": "(2, k) whether the candidate belongs to the agent's coalition",
        "payoff_mean": "(k,) own running payoff per accepted proposal",
        "steps_since_caught": "(k,) steps since an own bad deal came to light",
        "skill": "(k,)",
        "luck": "(k,) keyed uniform of the agent's own",
    },
    "accept": {
        "odds": "(k,) odds that v = +1 after the agent's own look at the proposal",
        "trust": "(k,) trust in the initiator",
        "own_bar": "(k,) least probability at which the agent gains",
        "joint_bar": "(k,) least probability at which both together gain",
        "tau": "(k,) credits offered",
        "is_mate": "(k,) whether the initiator belongs to the agent's coalition",
        "luck": "(k,) keyed uniform of the agent's own",
    },
    **TRADE_VISIBLE,
}


class View:
    """What the rows of one policy may see when they are asked one question; nothing else is reachable.

    Attributes   agent: (k,) slots; step, epoch; rule: public rules of the economy, aligned with the rows;
                 menu: the public menus; learning: (k,) whether the agent responds to levers; and the columns that the
                 policy listed in `sees` and the question has (api.VISIBLE has all of them).
                 To `propose` alone, look: facts about outcomes that everybody can work out from the rules; foresight:
                 what levers tell proposers to expect, (2, k) by candidate (None where they do not respond).
    """

    def __init__(self, question: str, shown: dict[str, Any]) -> None:
        self.__dict__.update(shown)
        self.__dict__["question"] = question

    def __getattr__(self, name: str) -> Any:
        offered = VISIBLE[self.__dict__["question"]]
        if name in offered:
            raise AttributeError(f"the view has no {name!r}: add it to the policy's `sees`.")
        raise AttributeError(f"an agent cannot see {name!r}; when asked to {self.question}: {', '.join(offered)}.")

    def __len__(self) -> int:
        return len(self.agent)

    def also(self, **shown: Any) -> View:
        """The same view with more shown."""
        return View(self.question, vars(self) | shown)


class Menu(NamedTuple):
    """The choices open to a proposer: values by level."""

    effort: F64  # (E,)
    disguise: F64  # (D,)
    transfer: F64  # (T,) multiples of rule.transfer
    level_still: int  # level of the transfer menu that is 0


class Acts(NamedTuple):
    """Decisions on the first question: one action per row (see ACTIONS); value is the vote, topic what it is on."""

    kind: I64
    value: I64  # vote +1 or -1
    topic: I64
    effort: F64  # of submitted work


class Proposals(NamedTuple):
    """Decisions on the second question: which candidate (-1 for none), and the levels of effort, disguise, tau."""

    choice: I64
    effort: I64
    disguise: I64
    transfer: I64


class Weighed(NamedTuple):
    """The options that one proposer weighed: levels of each, what it is worth to the proposer, and why.

    Shapes   o = options.
    """

    candidate: I64  # (o,) 0 or 1
    effort: I64
    disguise: I64
    transfer: I64
    value: F64  # (o,)
    unit: str  # what the value counts
    parts: dict[str, F64]  # (o,) each

    def only(self, fits: Mask) -> Weighed:
        """Some of the options."""
        levels = [column[fits] for column in self[:4]]
        parts = {name: part[fits] for name, part in self.parts.items()}
        return Weighed(levels[0], levels[1], levels[2], levels[3], self.value[fits], self.unit, parts)


class Considered(NamedTuple):
    """What an agent that is being watched was shown and decided; nothing is sent back."""

    question: str
    policy: Policy
    view: View
    decided: Any  # Acts, Proposals or a mask
    partner: I64  # (2, 1) slots of the candidates, -1 where there is none, or (k,) of those who proposed


class DecisionRequest(NamedTuple):
    """The engine asks a driver to decide for rows that no array policy decides; answer with Acts, Proposals or a mask.

    An answer is recorded as an input of the run. One that is outside the menus counts as a pass, nobody or no, and as a
    refusal (rule unknown_choice).
    """

    question: str
    policy: str
    row: I64
    replicate: I64
    view: View
    detail: dict[str, Any]  # who and what the rows refer to, for building Observations


def _refuse_misspelt(kind: type, contract: type) -> None:
    """A method that is nearly one of the contract's was meant to be it, and would be ignored in silence."""
    hooks = [name for name in dir(contract) if not name.startswith("_") and callable(getattr(contract, name))]
    for name, member in vars(kind).items():
        if name.startswith("_") or hasattr(contract, name) or not callable(member):
            continue
        close = difflib.get_close_matches(name, hooks, n=1, cutoff=0.8)
        if close:
            raise UsageError(f"{kind.__name__}.{name}: nothing calls a method of that name. Did you mean {close[0]}?")


class Policy(Trader):
    """How agents of one kind behave: a frozen dataclass whose fields are its parameters (numbers or columns).

    A policy decides for many rows at once and writes as if for one. It never sees v, effort, disguise or a type.
    What it does in the market, unless it says otherwise, is in `env.bidding.Trader`.
    """

    sees: ClassVar[tuple[str, ...]] = ()
    second_proposal: ClassVar[float] = 0.0  # chance of a second proposal in a step
    ballot_weight: ClassVar[float] = 1.0
    coalition: ClassVar[bool] = False  # knows and backs its own kind
    adaptive: ClassVar[bool] = False  # weighs payoffs: responds to levers and learns unless the scenario freezes it
    external: ClassVar[bool] = False  # decided outside, by a driver
    splits: ClassVar[bool] = False  # opens further identities where it may and that pays
    seeks_harm: ClassVar[bool] = False  # an identity is worth the harm it can do, not what it earns

    def __init_subclass__(cls) -> None:
        _refuse_misspelt(cls, Policy)
        known = {name for offered in VISIBLE.values() for name in offered}
        for name in cls.sees:
            if name not in known:
                raise UsageError(f"{cls.__name__}.sees: there is no {name!r} to see. {nearest(name, known)}")

    def act(self, view: View) -> Acts:
        """Choose one feed or task action per row: here, to pass."""
        nothing = np.zeros(len(view), dtype=np.int64)
        return Acts(nothing, nothing + 1, nothing, np.zeros(len(view)))

    def propose(self, view: View) -> Proposals:
        """Choose a candidate and the terms and conduct of a deal, or nobody."""
        nobody = np.full(len(view), -1, dtype=np.int64)
        return Proposals(nobody, nobody, nobody, nobody)

    def accept(self, view: View) -> Mask:
        """Say yes or no to proposals."""
        return np.zeros(len(view), dtype=np.bool_)

    def weigh(self, view: View) -> Weighed | None:
        """The options behind `propose` for a view of one row, for an explanation; None if it weighs nothing."""
        return None


class Bench(Protocol):
    """What a lever may touch: the ledger, freezes, its own columns, keyed draws, and the log."""

    ledger: Ledger
    epoch: int
    step: int
    replicate: I64  # (n,) replicate of each row
    slot: I64  # (n,) number of each agent within its replicate
    reputation: F64  # (n,)
    proposed: I64  # (n,) proposals made in this epoch
    owner: I64  # (n,) row of the agent whose identity each row is; most are their own
    arrived_epoch: I64  # (n,) epoch at whose start the agent came or its identity was opened; huge if not so far
    active: Mask  # (n,) who is there
    rule: Any  # public rules of the economy without levers, aligned with all rows
    frozen_until: I64  # (n,) first step in which it may deal again; read only, `freeze` sets it
    column: dict[str, Any]  # the lever's own state, as declared by `columns`

    def draw(self, row: I64, channel: int = 0) -> F64:
        """Keyed uniform draws of this lever for agent rows; they disturb no other draw."""
        ...

    def weight_behind(self, owner: I64, partner: I64) -> F64:
        """(k,) the weight behind what owners think of partners: their own experience, and the prior's strength."""
        ...

    def freeze(self, row: I64, until_step: Any) -> None:
        """Bar agents from proposing and accepting until a step."""
        ...

    def emit(self, kind: str, row: I64, column: dict[str, Any], cause: I64 | None = None) -> None:
        """Log events, one per row, ascending; columns that name other agents hold their slots."""
        ...


class IdentityRules:
    """What a lever may say about identities: what a further one costs, whether it may be opened, what it may do."""

    def identity_price(self, bench: Bench, owner: I64) -> tuple[Any, Any]:
        """(cost, deposit): credits that an owner pays to the treasury for one more identity, and puts up for it."""
        return 0.0, 0.0

    def may_open(self, bench: Bench, row: I64) -> Mask | None:
        """Which identities that owners want to open may be opened; None for all. Params: row: their future rows."""
        return None

    def allowance(self, bench: Bench, row: I64, epoch: int) -> Any:
        """How many proposals each row may make in an epoch to come, by the public rules; None for any number."""
        return None


class Lever(IdentityRules):
    """A rule of governance: a frozen dataclass whose fields are its parameters.

    In every hook the parameters are already aligned with the rows that the hook is about, so that code reads as if
    for one row. At its neutral setting a lever leaves the trajectory bit-identical.
    """

    phase: ClassVar[int] = 50  # levers run by phase, then by name
    neutral: ClassVar[dict[str, float]] = {}
    short_forms: ClassVar[dict[str, str]] = {}
    moves: ClassVar[str] = "nothing"
    sparse: ClassVar[tuple[str, ...]] = ()  # columns of which only what is said counts: neither 0 nor NaN, any width

    def __init_subclass__(cls) -> None:
        _refuse_misspelt(cls, Lever)

    def columns(self, n_rows: int, n_replicates: int) -> dict[str, Any]:
        """State of its own that the lever keeps, by name: arrays of numbers, by row or by replicate."""
        return {}

    def cost(self, deal: Terms) -> tuple[Any, Any]:
        """(c_a, c_b): credits that either side pays to the treasury if the deal is accepted, known beforehand."""
        return 0.0, 0.0

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight | None:
        """What initiators who respond to levers should expect of this one beside its cost; None for nothing."""
        return None

    def internalise(self) -> tuple[Any, Any]:
        """(rho_a, rho_b): how much more of the harm to others either side feels; parameters are by replicate."""
        return 0.0, 0.0

    def salt(self) -> Any:
        """A whole number mixed into the seed of every draw, 0 for none; parameters are by replicate."""
        return 0

    def may_propose(self, bench: Bench, row: I64) -> Mask | None:
        """Which rows may propose now; None for all."""
        return None

    def admit(self, bench: Bench, deal: Deals) -> Mask | None:
        """Which proposals may be put to the counterparty; None for all."""
        return None

    def on_step(self, bench: Bench) -> None:
        """Act when a step begins, before anybody does anything; parameters are aligned with all rows."""

    def on_action(self, bench: Bench, row: I64) -> None:
        """Look at rows that have acted (posted, voted, worked or proposed)."""

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Look at accepted deals that have just been settled; may fine, freeze, or bring outcomes to light."""

    def on_epoch(self, bench: Bench) -> None:
        """Act at the end of an epoch, before ballots are counted; parameters are aligned with all rows."""


@runtime_checkable
class Amendable(Protocol):
    """What a lever has beside its other hooks if it must know when its parameters are changed in mid-run."""

    def on_enacted(self, bench: Bench, row: I64, parameter: str) -> None:
        """Look at rows for which a parameter has just got another value; parameters are aligned with the rows."""


class SocialLever(Lever):
    """A rule about the society beside its deals; it may have the hooks of any other lever too."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _refuse_misspelt(cls, SocialLever)

    def message_price(self) -> Any:
        """Credits that a post or a reply costs its author, to the treasury; parameters are by replicate."""
        return 0.0

    def weigh_ballots(self, bench: Bench, weight: F64, cast: I64) -> F64:
        """The weight of every voter's ballots, given what it would be and how many it casts; parameters by row."""
        return weight

    def public_record(self, bench: Bench) -> tuple[Any, Any] | None:
        """(alpha, beta): good and bad outcomes of each agent that everybody can read of now; None for none.

        They move what strangers think of the agent, as own memories would. It is asked when a step begins and after
        every turn of deals, and must change nothing; parameters are aligned with all rows.
        Shapes   (n,), or one number for all.
        """
        return None


def bind(rule: P, index: I64) -> P:
    """A policy or lever whose parameters, where they differ between replicates, are aligned with rows."""
    if not is_dataclass(rule):
        return rule
    value = {item.name: getattr(rule, item.name) for item in fields(rule)}
    if not any(isinstance(entry, np.ndarray) for entry in value.values()):
        return rule
    bound = object.__new__(type(rule))
    for name, entry in value.items():
        object.__setattr__(bound, name, take(entry, index))
    return bound


@dataclass(frozen=True)
class Enact:
    """An order to change a lever's parameter while a run is going, in one replicate or (None) in all."""

    lever: str
    parameter: str
    value: float | str
    replicate: int | None = None


@dataclass(frozen=True)
class Kill:
    """An order to stop the run at the end of the current turn, with the reason that the log will give."""

    reason: str


Control = Enact | Kill
