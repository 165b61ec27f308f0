"""What is true at one moment: agents with their memories, the feed, the tasks, the books."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.scalar import micro
from mesocosm.config.schema import Scenario

if TYPE_CHECKING:
    from benchmarks.object_loop.minds import Mind

LONG_AGO = -(10**6)
NEVER = 2**62
SECTIONS = (
    "environment", "payoff", "conduct", "proxy", "trust", "reputation", "adaptive", "feed", "tasks", "safety",
    "simulation",
)  # fmt: skip


def rules_of(scenario: Scenario) -> Any:
    """Every parameter of a scenario under its own name; feed and tasks share `capacity`, which they keep apart."""
    rule = SimpleNamespace()
    for section in SECTIONS:
        for name, value in getattr(scenario, section):
            setattr(rule, name, float(value) if type(value) is int else value)
    rule.feed_places = scenario.feed.capacity
    rule.feed_visible = scenario.feed.visible
    rule.task_places = scenario.tasks.capacity
    rule.slots = scenario.trust.slots
    rule.acceptance = scenario.acceptance
    share = scenario.proxy.weights
    whole = share.progress + share.rework + share.rejection_misuse + share.engagement
    for name, weight in share:
        setattr(rule, f"weight_{name}", weight / whole)
    return rule


@dataclass(slots=True)
class Record:
    """What an agent remembers of one partner."""

    alpha: float = 0.0  # good deals
    beta: float = 0.0  # bad deals
    seq: int = -1  # event that last changed it


@dataclass(slots=True)
class Opinion:
    """How lenient an agent that learns thinks one partner is."""

    omega: float  # chance that the partner looks at its own gain alone
    time: int  # moment of the answer that last changed it


@dataclass(slots=True)
class Agent:
    """One agent: who it is, what it has, what it remembers, and the meters that the rails read."""

    slot: int
    mind: Mind
    role: str
    skill: float
    arrival_epoch: int
    prior: float  # trust of a stranger in it
    payoff_mean: float
    tokens: float
    active: bool = False
    reputation: float = 0.0
    caught_step: int = LONG_AGO
    deals: int = 0  # own proposals accepted, since the start
    audits: int = 0  # of them looked at by an audit
    freezes: int = 0
    frozen_until: int = 0
    task: Task | None = None
    balance: int = 0
    stake: int = 0  # set aside for as long as it deals
    bond: int = 0  # set aside for the deals of the epoch
    spent: int = 0
    memory: dict[int, Record] = field(default_factory=dict)
    opinions: dict[int, Opinion] = field(default_factory=dict)
    place: int = 0  # in the list of active agents
    proposed: int = 0
    accepted: int = 0
    acted: int = 0
    refused: int = 0
    votes_received: int = 0
    posts: int = 0
    last_post: int = -(10**9)
    dealings: int = 0  # proposals of this step made or to be answered

    def trust_in(self, other: Agent, strength: float) -> tuple[float, float]:
        """(m, n): how much it trusts another, and the weight behind it."""
        record = self.memory.get(other.slot)
        if record is None:
            return (strength * other.prior) / strength, strength
        weight = record.alpha + record.beta + strength
        return (record.alpha + strength * other.prior) / weight, weight

    def is_mate(self, other: Agent) -> bool:
        """Whether both belong to one coalition."""
        return self.mind.coalition and self.mind.name == other.mind.name

    def remember(self, known: Record | None, partner: int, good: float, seq: int, slots: int) -> None:
        """Add an outcome to its record of a partner; a newcomer takes the place of whom it dealt with longest ago."""
        if known is None:
            if len(self.memory) >= slots:
                del self.memory[min(self.memory, key=lambda slot: self.memory[slot].seq)]
            known = self.memory[partner] = Record()
        known.alpha += good
        known.beta += 1.0 - good
        known.seq = seq

    def leniency_of(self, other: Agent, start: float) -> float:
        """omega: how likely it thinks another to look at its own gain alone; `start` before any answer."""
        opinion = self.opinions.get(other.slot)
        return start if opinion is None else opinion.omega

    def think(self, partner: int, omega: float, time: int, slots: int) -> None:
        """Change its mind about a partner's leniency; a newcomer takes the place of who answered longest ago."""
        if partner not in self.opinions and len(self.opinions) >= slots:
            del self.opinions[min(self.opinions, key=lambda slot: self.opinions[slot].time)]
        self.opinions[partner] = Opinion(omega, time)


@dataclass(slots=True)
class Post:
    """A post or reply on the feed; its id is the seq of its event."""

    seq: int
    author: int
    born: int
    votes: int = 0
    replies: int = 0
    hidden: bool = False
    voters: set[int] = field(default_factory=set)


class Feed:
    """The newest posts in a ring, and the places of the most visible ones, ranked once a step."""

    def __init__(self, places: int, limit: int) -> None:
        self.ring: list[Post | None] = [None] * places
        self.limit = limit
        self.written = 0
        self.visible: list[int] = []

    def add(self, post: Post) -> None:
        """Write a post over the oldest one."""
        self.ring[self.written % len(self.ring)] = post
        self.written += 1

    def at(self, place: int) -> Post:
        """The post that stands in a place where there is one."""
        post = self.ring[place]
        assert post is not None
        return post

    def rank(self, alpha: float, beta: float) -> None:
        """Order posts by votes + alpha * replies + beta * born; ties go to the later one."""
        size = len(self.ring)
        keyed = []
        for place, post in enumerate(self.ring):
            if post is not None and not post.hidden:
                score = post.votes + alpha * post.replies + beta * post.born
                keyed.append((round(score * (1 << 20)), (place - self.written) % size, place))
        keyed.sort(reverse=True)
        self.visible = [place for _, _, place in keyed[: self.limit]]


@dataclass(slots=True)
class Task:
    """A piece of work that needs a planner, a worker and a verifier."""

    number: int
    budget: int
    deadline: int
    difficulty: float
    last_seq: int
    status: str = "pending"
    planner: Agent | None = None
    worker: Agent | None = None
    v: int = 0


@dataclass(slots=True)
class Books:
    """Accounts that belong to nobody in particular, in micro-credits."""

    treasury: int = 0
    commons: int = 0
    budget: int = 0  # held for open tasks
    minted: int = 0
    burnt: int = 0

    def pay_treasury(self, agent: Agent, amount: int) -> None:
        """Moves: agent -> treasury."""
        agent.balance -= amount
        self.treasury += amount

    def fine(self, agent: Agent, due: int) -> tuple[int, int]:
        """Take a fine as far as the agent can pay: what came from its balance, then from its stake.

        Moves    agent, stake -> treasury.
        """
        cash = min(due, max(agent.balance, 0))
        rest = min(due - cash, agent.stake)
        self.pay_treasury(agent, cash)
        agent.stake -= rest
        self.treasury += rest
        return cash, rest

    def audit(self, agents: list[Agent], credit_limit: float) -> None:
        """Stop unless credits are conserved and nobody is overdrawn."""
        held = sum(agent.balance + agent.stake + agent.bond for agent in agents)
        assert min((min(agent.stake, agent.bond) for agent in agents), default=0) >= 0, "deposits are there"
        assert held + self.budget + self.treasury + self.commons == self.minted - self.burnt, "credits are conserved"
        assert min((agent.balance for agent in agents), default=0) >= -micro(credit_limit), "nobody is overdrawn"
