"""The contract for agents written as Python objects, one object per agent: what they are told, and what they answer.

A class derived from `BaseAgent` under ``@agent("name")`` is a policy like any other: ``type: name`` in a scenario.

    from mesocosm.agents.contract import Action, BaseAgent, InteractionProposal, agent

    @agent("careful")
    class Careful(BaseAgent):
        ...

Each agent of a run is one object, made without arguments; `agent_id`, `agent_type`, `state` and its parameters are set
before it is asked anything. Decide with the `luck` you are given and not with randomness of your own: then the same
seed gives the same run, and a run that was cut can be resumed.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

import numpy as np

from mesocosm.agents.duties import usual_acts
from mesocosm.agents.records import AgentState, Candidate, Post, TaskOffer
from mesocosm.api import ACTIONS, Policy
from mesocosm.env.population import ROLES
from mesocosm.env.tasks import TaskStatus
from mesocosm.errors import UsageError, nearest
from mesocosm.registry import policy

A = TypeVar("A", bound="type[Agent]")
NOT_TOLD = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What an agent sees when it is asked for an action or a proposal; nothing else is reachable.

    Always   me, epoch, step (in the run), rule (the public rules: `rule.minimum`, `rule.theta`, ...), feed (best post
             first) and luck, a number in (0, 1) keyed by seed, step and agent.
    Action   task on offer (None for none); focus: the post it reads now, with can_vote, author_trust and
             author_is_mate; topic: a stock text to write.
    Proposal candidates (two at most); difficulty of the task, in credits at full effort; the menus efforts, disguises
             and transfers (credits from the proposer to the other; below 0 it extracts); payoff_mean: own payoff per
             accepted proposal so far; steps_since_caught; look: how outcomes look by level of disguise.
    """

    me: AgentState
    epoch: int
    step: int
    rule: Any
    feed: tuple[Post, ...] = ()
    luck: float = 0.5
    task: TaskOffer | None = None
    focus: Post | None = None
    can_vote: bool = False
    author_trust: float = 0.5
    author_is_mate: bool = False
    topic: str = ""
    topic_luck: float = 0.5
    message_price: float = 0.0
    message_worth: float = 0.0
    candidates: tuple[Candidate, ...] = ()
    difficulty: float = 0.0
    efforts: tuple[float, ...] = ()
    disguises: tuple[float, ...] = ()
    transfers: tuple[float, ...] = ()
    payoff_mean: float = 0.0
    steps_since_caught: int = 0
    look: Any = None

    @property
    def agent_id(self) -> str:
        """The agent's own id, such as a_03."""
        return self.me.agent_id

    @property
    def role(self) -> str:
        """The agent's own role."""
        return self.me.role


@dataclass(frozen=True, slots=True)
class Action:
    """One action on the feed or on a task; votes, flags and replies are on the post in focus.

    Params   kind: pass, post, reply, vote, flag, plan, claim, submit, approve or reject; content: text of a post or
             reply, "" for the observation's stock topic; vote: +1 or -1; effort: of submitted work, 0 to 1.
    """

    kind: str = "pass"
    content: str = ""
    vote: int = 1
    effort: float = 1.0


@dataclass(frozen=True, slots=True)
class InteractionProposal:
    """A deal that one agent offers another.

    Made     name the counterparty and choose effort, disguise and tau from the observation's menus.
    Received `initiator_id` offers `tau` credits (below 0: asks for them); effort and disguise are hidden (NaN). `odds`
             is how likely a good outcome looks after an own look, as odds; `trust` in the initiator; `own_bar` and
             `joint_bar` are the least probabilities at which this side, and both together, gain; `luck` is keyed.
    """

    counterparty_id: str
    effort: float = 1.0
    disguise: float = 0.0
    tau: float = 0.0
    initiator_id: str = ""
    odds: float = NOT_TOLD
    trust: float = NOT_TOLD
    own_bar: float = NOT_TOLD
    joint_bar: float = NOT_TOLD
    is_mate: bool = False
    luck: float = NOT_TOLD
    epoch: int = 0
    step: int = 0

    @property
    def estimate(self) -> float:
        """The chance of a good outcome, p~, as the counterparty sees it."""
        return self.odds / (1.0 + self.odds)

    def clears(self, bar: float) -> bool:
        """Whether the chance of a good outcome exceeds a bar.

        Example
            >>> InteractionProposal("a_01", odds=2.0).clears(0.5)
            True
        """
        return self.odds * (1.0 - bar) > bar


@dataclass(frozen=True, slots=True)
class InteractionOutcome:
    """What one side learns of an interaction it took part in.

    Params   payoff: what this side got after private cost and fines (credits and reputation's worth), 0 if not
             accepted; p: the chance of a good outcome by what could be observed, None if not accepted; v: +1 or -1 if
             it came to light, else None: as it was if discovered, else as an audit read it, which may be wrong.
    """

    initiator_id: str
    counterparty_id: str
    is_initiator: bool
    accepted: bool
    tau: float
    payoff: float
    p: float | None
    v: int | None
    epoch: int
    step: int

    @property
    def partner_id(self) -> str:
        """The other side."""
        return self.counterparty_id if self.is_initiator else self.initiator_id


class Agent(ABC):
    """One agent as one object; the engine asks, it answers.

    Class attributes `second_proposal` (chance of a second proposal in a step), `ballot_weight` and `coalition` mean
    what they mean for array policies. A parameter that scenarios may set is declared with `param(...)`.
    Source   Plan 1.1, BaseAgent.
    """

    second_proposal: ClassVar[float] = 0.0
    ballot_weight: ClassVar[float] = 1.0
    coalition: ClassVar[bool] = False
    declared: ClassVar[dict[str, Any]] = {}  # parameters by name; filled by the decorator

    agent_id: str = ""
    agent_type: str = ""
    state: AgentState = AgentState()

    @abstractmethod
    def propose_interaction(self, observation: Observation) -> InteractionProposal | None:
        """Decide whether to propose an interaction, to whom, and how; None for nobody."""

    @abstractmethod
    def accept_interaction(self, proposal: InteractionProposal) -> bool:
        """Decide whether to accept a proposed interaction."""

    @abstractmethod
    def select_action(self, observation: Observation) -> Action:
        """Select one action on the feed or on a task, or pass."""

    def update_state(self, outcome: InteractionOutcome) -> None:  # noqa: B027 (it may be left as it is)
        """Learn from an interaction once it is resolved; by default nothing is remembered."""

    def usual_action(
        self,
        observation: Observation,
        *,
        vote: int = 1,
        approve: bool = True,
        effort: float = 1.0,
        distrusts: bool = False,
    ) -> Action:
        """What the built-in policies do: the role's task first, then post, reply or vote at the feed's rates.

        Params   vote: on the post in focus; approve: verdict on submitted work; effort: of own work; distrusts:
                 whether a moderator hides the post in focus.
        """
        stage = 0 if observation.task is None else TaskStatus[observation.task.stage]
        view: Any = _OneRow(
            role=np.array([ROLES.index(observation.role)]),
            rule=observation.rule,
            luck=np.array([observation.luck]),
            can_vote=np.array([observation.can_vote]),
            task_stage=np.array([stage]),
            topic_luck=np.array([observation.topic_luck]),
            message_price=observation.message_price,
            message_worth=np.array([observation.message_worth]),
        )
        kind = usual_acts(view, vote, approve, effort, distrusts).kind[0]
        return Action(ACTIONS[int(kind)], observation.topic, vote, effort)


BaseAgent = Agent  # the plan's name


class _OneRow(SimpleNamespace):
    """A view of a single row, for the functions that array policies share."""

    def __len__(self) -> int:
        return 1


class OutsidePolicy(Policy):
    """A policy whose decisions are taken by Python objects, one per agent; made by the decorator `agent`."""

    external: ClassVar[bool] = True
    agent_class: ClassVar[type[Agent]]


def agent(name: str) -> Callable[[A], A]:
    """Decorator: register a class derived from BaseAgent, so that ``type: name`` works in a scenario.

    Raises   UsageError when the class is no BaseAgent or lacks one of its methods.
    """

    def add(target: A) -> A:
        if not issubclass(target, Agent):
            raise UsageError(f"agent {name!r}: {target.__name__} is not derived from BaseAgent.")
        if inspect.isabstract(target):
            missing = ", ".join(sorted(target.__abstractmethods__))
            raise UsageError(f"agent {name!r}: {target.__name__} does not say how to {missing}. Write it.")
        policy(name)(_policy_for(target))
        return target

    return add


def _policy_for(target: type[Agent]) -> type[OutsidePolicy]:
    """The policy that stands for a class of agents: same parameters, same facts, decided outside."""
    hints: dict[str, Any] = {}
    declared: dict[str, Any] = dict(target.declared)
    for owner in reversed(target.__mro__):
        declared |= {key: value for key, value in vars(owner).items() if isinstance(value, Field)}
        hints |= inspect.get_annotations(owner)
    for key, value in declared.items():
        if value.default is MISSING:
            raise UsageError(f"{target.__name__}.{key}: a parameter needs a default: param(0.5, about=...).")
        setattr(target, key, value.default)
    target.declared = declared  # for classes derived from this one, which find the defaults in place of the fields
    said = {key: getattr(target, key) for key in ("second_proposal", "ballot_weight", "coalition")}
    body = {
        "__module__": target.__module__,
        "__doc__": target.__doc__ or f"Agents of the class {target.__name__}.",
        "__annotations__": {key: hints.get(key, type(value.default)) for key, value in declared.items()},
        "agent_class": target,
        **said,
        **declared,
    }
    return dataclass(frozen=True)(type(f"{target.__name__}Policy", (OutsidePolicy,), body))


def check_action(action: Any) -> str:
    """Say what is wrong with an action that an agent chose; "" if nothing is."""
    if not isinstance(action, Action):
        return f"returned {type(action).__name__} instead of an Action"
    if action.kind not in ACTIONS:
        return f"chose the unknown action {action.kind!r}. {nearest(str(action.kind), ACTIONS)}"
    if action.kind == "vote" and (isinstance(action.vote, bool) or action.vote not in (1, -1)):
        return f"voted {action.vote!r}; a vote is +1 or -1"
    if action.kind == "submit" and not (_is_number(action.effort) and 0.0 <= action.effort <= 1.0):
        return f"submitted work of effort {action.effort!r}; it lies between 0 and 1"
    if action.kind in ("post", "reply"):
        content: Any = action.content
        if not isinstance(content, str):
            return f"wrote {type(content).__name__} instead of text"
        if any(0xD800 <= ord(character) < 0xE000 for character in content):
            return "wrote text that is not valid Unicode"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def menu_level(menu: tuple[float, ...], value: Any) -> int:
    """Level of a menu that a value stands for, -1 for none.

    Example
        >>> menu_level((0.0, 0.5, 1.0), 0.5), menu_level((0.0, 1.0), 0.7)
        (1, -1)
    """
    if _is_number(value):
        for level, entry in enumerate(menu):
            if abs(float(value) - entry) <= 1e-9:
                return level
    return -1


__all__ = [
    "Action",
    "Agent",
    "AgentState",
    "BaseAgent",
    "Candidate",
    "InteractionOutcome",
    "InteractionProposal",
    "Observation",
    "Post",
    "TaskOffer",
    "agent",
]
