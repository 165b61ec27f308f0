"""The levers, one deal at a time; each runs in order of its phase, then of its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.looks import Look, Traces
from benchmarks.object_loop.scalar import MICRO
from benchmarks.object_loop.society import Agent, Record
from mesocosm.rng import lever_purpose

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play

WINDOW = 10


@dataclass(slots=True)
class Deal:
    """One proposal and what becomes of it."""

    a: Agent
    b: Agent
    x: float
    effort: float
    disguise: float
    tau: float
    good: bool
    look: Look
    traces: Traces
    record: Record | None  # what b remembers of a
    trust: float
    odds: float
    private_cost: float
    own: float
    joint: float
    c_a: float
    c_b: float
    reason: str = "declined"
    seq: int = -1
    cause: int = -1
    r0: float = 0.0
    r_a: float = 0.0
    surplus: float = 0.0
    surplus_true: float = 0.0
    externality: float = 0.0
    externality_true: float = 0.0
    pi_a: float = 0.0
    pi_b: float = 0.0
    pi_a_true: float = 0.0
    pi_b_true: float = 0.0
    discovered: bool = False
    audited: bool = False
    told_good: bool = False  # what an audit said of the outcome
    fine: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether the deal takes place."""
        return self.reason == "accepted"


class Lever:
    """A rule of governance with its parameters, playing in one society."""

    name = ""
    phase = 50

    def __init__(self, play: Play, params: dict[str, Any]) -> None:
        self.play = play
        self.params = params
        self.purpose = lever_purpose(self.name)
        self.second_purpose = lever_purpose(self.name, 1)

    def cost(self, tau: float) -> float:
        """Credits that each side pays if the deal is accepted."""
        return 0.0

    def may_propose(self, agent: Agent) -> bool:
        """Whether the agent may propose now."""
        return True

    def on_settle(self, deals: list[Deal]) -> None:
        """Look at the deals of a turn that have just been settled."""

    def on_epoch(self, agents: list[Agent]) -> None:
        """Act at the end of an epoch."""


class TransactionTax(Lever):
    """Both sides pay rate * |tau|."""

    name = "transaction_tax"
    phase = 20

    def cost(self, tau: float) -> float:
        """rate * |tau|."""
        due: float = self.params["rate"] * abs(tau)
        return due


class ReputationDecay(Lever):
    """Standing fades."""

    name = "reputation_decay"
    phase = 40

    def on_epoch(self, agents: list[Agent]) -> None:
        """R <- decay * R."""
        for agent in agents:
            agent.reputation *= self.params["decay"]


class BandwidthCap(Lever):
    """At most max_actions proposals per epoch."""

    name = "bandwidth_cap"
    phase = 10

    def may_propose(self, agent: Agent) -> bool:
        """Whether the agent has any left."""
        return bool(agent.proposed < self.params["max_actions"])


class RandomAudit(Lever):
    """Audits some accepted deals and fines the initiators of bad ones."""

    name = "random_audit"
    phase = 60

    def on_settle(self, deals: list[Deal]) -> None:
        """Draw, fine, bring to light, log."""
        play, params = self.play, self.params
        by_outcome = params["reads"] == "outcome"
        found: list[tuple[Deal, bool]] = []
        for deal in deals:
            if not deal.accepted or play.draws.uniform(self.purpose, deal.a.slot) >= params["probability"]:
                continue
            correct = play.draws.uniform(self.second_purpose, deal.a.slot) < params["accuracy"]
            bad = deal.good != correct if by_outcome else deal.traces.p < 0.5
            if bad:
                fine = min(round(params["penalty"] * MICRO), max(deal.a.balance, 0))
                play.books.pay_treasury(deal.a, fine)
                deal.fine += fine / MICRO
            deal.audited, deal.told_good = by_outcome, not bad
            found.append((deal, bad))
        for deal, bad in found:
            v = 1 if deal.good else -1
            play.log("audited", deal.seq, agent=deal.a.slot, v=v, found=bad, fine=deal.fine if bad else 0.0)


class Sham(Lever):
    """Fires, draws, notes, and changes nothing."""

    name = "sham"
    phase = 65

    def on_settle(self, deals: list[Deal]) -> None:
        """Note where it would have acted."""
        for deal in deals:
            luck = self.play.draws.uniform(self.purpose, deal.a.slot)
            if deal.accepted and luck < self.params["rate"]:
                self.play.annotate("note", lever=self.name, agent=deal.a.slot, value=luck)


class CircuitBreaker(Lever):
    """Freezes agents whose last accepted proposals look too toxic."""

    name = "circuit_breaker"
    phase = 70

    def __init__(self, play: Play, params: dict[str, Any]) -> None:
        super().__init__(play, params)
        self.ring: dict[int, list[float | None]] = {}
        self.place: dict[int, int] = {}

    def on_settle(self, deals: list[Deal]) -> None:
        """Note 1 - p; freeze where ten of them average above the threshold."""
        until = self.play.step + 1 + self.params["cool_down"]
        tripped: list[tuple[Deal, float]] = []
        for deal in deals:
            if not deal.accepted:
                continue
            slot = deal.a.slot
            ring = self.ring.setdefault(slot, [None] * WINDOW)
            place = self.place.get(slot, 0)
            ring[place] = 1.0 - deal.traces.p
            self.place[slot] = (place + 1) % WINDOW
            statistic = mean(ring)
            if statistic is not None and statistic > self.params["threshold"]:
                self.ring[slot] = [None] * WINDOW
                deal.a.frozen_until = max(deal.a.frozen_until, until)
                tripped.append((deal, statistic))
        for deal, statistic in tripped:
            self.play.log("frozen", deal.seq, agent=deal.a.slot, until_step=until, statistic=statistic)


def mean(ring: Iterable[float | None]) -> float | None:
    """Mean of a full window; None while it is not full."""
    total = None
    for value in ring:
        if value is None:
            return None
        total = value if total is None else total + value
    return None if total is None else total / WINDOW


LEVERS = {
    lever.name: lever for lever in (TransactionTax, ReputationDecay, BandwidthCap, RandomAudit, Sham, CircuitBreaker)
}


def levers_of(play: Play, governance: dict[str, dict[str, Any]]) -> list[Lever]:
    """The levers that a scenario asks for, in the order in which they run."""
    levers = [LEVERS[name](play, params) for name, params in governance.items()]
    return sorted(levers, key=lambda lever: (lever.phase, lever.name))
