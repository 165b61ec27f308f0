"""Closed forms of the society beside its deals held against runs: what is written, and who is trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesocosm.analysis import society_forms as theory
from mesocosm.analysis.evidence import F64, Arms, Case, Claim, difference, metric_of

WORTH = 0.2  # of a message, in scenarios/messages.yaml
STEPS = 40
RESTART = 0.1  # of EigenTrust, as the metric has it


def messages() -> Case:
    """How many messages are written at a price."""
    prices = (0.0, 0.1, 0.2, 0.4)
    arms: dict[str, dict[str, Any]] = {f"{t:g}": {"governance.message_tax.price": t} for t in prices}
    arms["frozen"] = {"governance.message_tax.price": 0.4, "adaptation": "frozen", "agents.0.type": "deceptive"}

    def written(arm: str) -> Callable[[Arms], F64]:
        return lambda arms: arms[arm].agent_mean(arms[arm].agent["acted"]) / STEPS

    def paid(arm: str, price: float) -> Callable[[Arms], F64]:
        return lambda arms: (1e6 - arms[arm].agent_mean(arms[arm].agent["balance"])) / (price * STEPS)

    claims = [Claim(f"messages a step, price {t:g}", theory.message_share(t, WORTH), written(f"{t:g}")) for t in prices]
    claims += [Claim(f"paid for, price {t:g}", theory.message_share(t, WORTH), paid(f"{t:g}", t)) for t in prices[1:]]
    claims.append(Claim("messages of frozen agents, price 0.4", 1.0, written("frozen")))
    more = theory.message_share(0.1, WORTH) - theory.message_share(0.2, WORTH)
    claims.append(Claim("price 0.1 less price 0.2, same luck", more, difference(written("0.1"), written("0.2"))))
    return Case("messages", "a message worth x ~ Exp(m) is written iff x exceeds its price: exp(-t / m)", arms, claims)


def clique() -> Case:
    """How much trust a clique holds by how much of it flows in."""
    sizes = ((12, 2), (20, 2), (10, 5))
    arms = {f"{h} and {c}": {"agents.0.count": h, "agents.1.count": c} for h, c in sizes}
    claims = []
    for h, c in sizes:
        inflow = 2 * c / (2 * c + h - 1)  # a member proposes twice a step, another agent once, to anybody
        told = f"trust held by {c} beside {h}, inflow {inflow:.3f}"
        claims.append(Claim(told, theory.clique_mass(inflow, RESTART), metric_of(f"{h} and {c}", "coalition_trust")))
    source = "Kamvar et al. 2003: a clique that trusts itself alone holds (1 - a) e / (a + (1 - a) e), a = 0.1"
    return Case("eigentrust", source, arms, claims)


SOCIETY_CASES = (messages, clique)
