"""What levers let an agent that learns expect of a deal it has not made yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.object_loop.society import Agent


@dataclass(slots=True)
class Foresight:
    """Consequences of an accepted proposal beside its costs: each lever adds what it stands for.

    Attributes   fine_good, fine_bad: credits to be lost afterwards if the outcome is good, or bad under a level of
                 disguise; passes_bad: chance that a bad one is let through to the counterparty; reveal: chance that
                 the outcome comes to light; misread: chance that it does, but wrongly; halts: (signal above which a
                 deal is risky, credits that the risk costs); forfeit: credits to be lost if the outcome comes to light
                 as bad; acclaim: what it is worth that it comes to light as good; forgone: what a proposal costs in
                 others that can then not be made; keeps: share of the worth of trust that levers leave; sanction:
                 credits that dealing with this partner again costs, however it turns out.
    """

    fine_good: float
    fine_bad: list[float]
    passes_bad: list[float]
    reveal: float
    misread: float
    halts: list[tuple[float, float]]
    forfeit: float = 0.0
    acclaim: float = 0.0
    forgone: float = 0.0
    keeps: float = 1.0
    passes_taking: float = 1.0  # chance that any with a transfer below 0 is let through
    sanction: float = 0.0
    passes_good: float = 1.0  # chance that a good outcome is let through


def nothing_ahead(levels: int) -> Foresight:
    """What is expected where no lever says anything, for so many levels of disguise."""
    return Foresight(0.0, [0.0] * levels, [1.0] * levels, 0.0, 0.0, [])


def believed(rule: Any, announced: float, met: int, of: int) -> float:
    """A chance that levers announce, corrected by how often the agent has met with it on so many occasions.

    (w q + met) / (w + of), where the announced chance q is worth w occasions; q itself where agents go by what is
    public.
    """
    if rule.belief == "public":
        return announced
    chance: float = (rule.belief_weight * announced + met) / (rule.belief_weight + of)
    return chance


def usual_payoff(rule: Any, agent: Agent) -> float:
    """u_bar: what the agent's deals bring it on average, at least the floor."""
    payoff: float = max(agent.payoff_mean, rule.payoff_floor)
    return payoff
