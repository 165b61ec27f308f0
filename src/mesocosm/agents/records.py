"""Records at the boundary of the tables: one agent, post, task, candidate or interaction as a plain Python object."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from mesocosm.env.events import EVENT_FIELDS, EventBatch
from mesocosm.errors import UsageError


class AgentType(StrEnum):
    """Labels of the plan's four types. A plugin's agents carry the name they are registered under instead."""

    HONEST = "honest"
    OPPORTUNISTIC = "opportunistic"
    DECEPTIVE = "deceptive"
    ADVERSARIAL = "adversarial"


def agent_name(slot: int) -> str:
    """How an agent is shown to people.

    Example
        >>> agent_name(3), agent_name(120)
        ('a_03', 'a_120')
    """
    return f"a_{slot:02d}"


def slot_of_agent(agent_id: str) -> int:
    """Slot of an agent from its id.

    Raises   UsageError when it is no agent's id.
    Example
        >>> slot_of_agent("a_03")
        3
    """
    number = agent_id.removeprefix("a_")
    if not (agent_id.startswith("a_") and number.isdecimal() and number.isascii()):
        raise UsageError(f"{agent_id!r} is no agent; ids look like a_03.")
    return int(number)


@dataclass(frozen=True, slots=True)
class AgentState:
    """What an agent knows of its own standing when it is asked something.

    Params   reputation: public standing, about -1.5 to 1.5; resources: balance in credits; skill: share of effort
             that turns into quality.
    """

    agent_id: str = ""
    agent_type: str = ""
    role: str = "worker"
    reputation: float = 0.0
    resources: float = 0.0
    skill: float = 1.0


@dataclass(frozen=True, slots=True)
class Post:
    """A post of the feed as agents see it; its id is the seq of its event in the log."""

    post_id: int
    author_id: str
    content: str
    parent_id: int | None  # the post it answers
    step: int  # when it was written
    votes: int
    replies: int


@dataclass(frozen=True, slots=True)
class TaskOffer:
    """The task that an agent could work on now.

    Params   stage: pending (for a planner), planned (for a worker), claimed (the worker's own) or submitted (for a
             verifier); evidence: odds that submitted work is good, after a look; reward: credits for this agent on
             completion.
    """

    stage: str
    evidence: float
    difficulty: float
    reward: float
    worker_is_mate: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody an agent may propose an interaction to.

    Params   trust_in: the agent's trust in the candidate; trust_of: the candidate's trust in the agent, and
             weight_of the evidence behind it; is_mate: both belong to one coalition.
    """

    agent_id: str
    trust_in: float
    trust_of: float
    weight_of: float
    is_mate: bool


@dataclass(frozen=True, slots=True)
class SoftInteraction:
    """Everything the log knows of one interaction: the fields of its event, and where it stands in the run.

    Source   Plan, foundation layer; the meaning of each field is that of EVENT_FIELDS["interaction"].
    """

    epoch: int
    step: int
    turn: int
    seq: int
    initiator: str
    counterparty: str
    accepted: bool
    reason: str
    difficulty: float
    effort: float
    disguise: float
    tau: float
    v: int
    progress: float
    rework: int
    rejections: int
    misuse: int
    engagement: float
    v_hat: float
    p: float
    trust: float
    estimate: float
    own_bar: float
    joint_bar: float
    leniency: float
    c_a: float
    c_b: float
    private_cost: float
    surplus: float
    surplus_true: float
    externality: float
    externality_true: float
    r_a: float
    pi_a: float
    pi_b: float
    pi_a_true: float
    pi_b_true: float
    discovered: bool
    audited: bool


def soft_interactions(batch: EventBatch) -> list[SoftInteraction]:
    """The interactions of a batch of events, from the engine in full detail or read back from a log.

    Raises   UsageError when the batch holds events of another kind.
    """
    if batch.kind != "interaction":
        raise UsageError(f"a batch of {batch.kind!r} events holds no interactions.")
    names = [item.name for item in fields(SoftInteraction) if item.name in EVENT_FIELDS["interaction"]]
    columns = [batch.column[name].tolist() for name in names]
    found = []
    for seq, *values in zip(batch.seq.tolist(), *columns, strict=True):
        record = dict(zip(names, values, strict=True))
        for side in ("initiator", "counterparty"):
            record[side] = agent_name(record[side])
        found.append(SoftInteraction(batch.epoch, batch.step, batch.turn, seq, **record))
    return found
