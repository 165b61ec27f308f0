"""One proposal and everything that becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.object_loop.looks import Look, Traces
from benchmarks.object_loop.society import Agent, Record


@dataclass(slots=True)
class Deal:
    """A proposal of a to b: what a chose, how it turns out and looks, what b makes of it, and what both get."""

    a: Agent
    b: Agent
    x: float
    effort: float
    disguise: float
    level: int  # place of the disguise in its menu
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
    leniency: float  # how likely a thought b to look at its own gain alone
    passes: tuple[float, float]  # how likely a thought levers to let it through, if good and if bad
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
    inspected: bool = False  # an audit looked at it
    audited: bool = False  # an audit brought the outcome to light
    told_good: bool = False  # what that audit said of the outcome
    fine: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether the deal takes place."""
        return self.reason == "accepted"


def fields_of(deal: Deal) -> dict[str, Any]:
    """What the log says of an interaction."""
    traces = deal.traces
    return {
        "initiator": deal.a.slot,
        "counterparty": deal.b.slot,
        "accepted": deal.accepted,
        "reason": deal.reason,
        "difficulty": deal.x,
        "effort": deal.effort,
        "disguise": deal.disguise,
        "tau": deal.tau,
        "v": 1 if deal.good else -1,
        "progress": traces.progress,
        "rework": traces.rework,
        "rejections": traces.rejections,
        "misuse": traces.misuse,
        "engagement": traces.engagement,
        "v_hat": traces.v_hat,
        "p": traces.p,
        "trust": deal.trust,
        "estimate": deal.odds / (1.0 + deal.odds),
        "own_bar": deal.own,
        "joint_bar": deal.joint,
        "leniency": deal.leniency,
        "c_a": deal.c_a,
        "c_b": deal.c_b,
        "private_cost": deal.private_cost,
        "surplus": deal.surplus,
        "surplus_true": deal.surplus_true,
        "externality": deal.externality,
        "externality_true": deal.externality_true,
        "r_a": deal.r_a,
        "pi_a": deal.pi_a,
        "pi_b": deal.pi_b,
        "pi_a_true": deal.pi_a_true,
        "pi_b_true": deal.pi_b_true,
        "discovered": deal.discovered,
        "audited": deal.audited,
    }
