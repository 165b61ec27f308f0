"""Closed forms of identities held against runs: how many an owner buys, and what share of the ballots they decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mesocosm.agents.policies.adversarial import Adversarial
from mesocosm.analysis.evidence import F64, Arms, Case, Claim

# of the scenario
OWNERS, HONEST, FURTHER, BUDGET = 2, 4, 8, 20.0
GAIN = 10.0  # one proposal an epoch, worth 2, over 5 epochs ahead
PRICES = ((0.0, 0.0), (2.5, 0.0), (4.0, 0.0), (7.0, 0.0), (9.5, 0.0), (10.5, 0.0), (4.0, 5.0), (6.0, 5.0), (0.0, 9.0))
BALLOT_GAIN, JUDGES = 0.01, 5  # of the arms on ballots: six honest agents, each judged by the five others


def identities_bought(gain: float, price: float, budget: float, most: int) -> int:
    """How many further identities an owner opens if each gains the same and costs the same.

    Params   price: cost and deposit together; most: as many as it could have.
    Source   science notes 3.1.5: one more iff g(k) > c_id + stake, up to k* = budget / (c_id + stake).
    Example
        >>> [identities_bought(10, price, 20, 8) for price in (0, 2.5, 7, 9.5, 10.5)]
        [8, 8, 2, 2, 0]
    """
    if gain <= price:
        return 0
    return most if price == 0.0 else min(most, int(budget / price))


def sybil_influence(identities: int, credit: float, honest: float) -> float:
    """Share of all ballots that one owner decides with several identities.

    Params   credit: weight that each identity's ballot has; honest: weight of all others' ballots together.
    Source   science notes 3.1.5: k r0 / (k r0 + R); bound to their owner, k is 1: with equal weights 1 / owners.
    Example
        >>> sybil_influence(1, 1, 9), sybil_influence(3, 4, 4)
        (0.1, 0.75)
    """
    return identities * credit / (identities * credit + honest)


def sybil_stake() -> Case:
    """How many identities owners open at a price and a deposit, and what ballots of one owner decide, capped or not."""
    lever = "governance.identity_cost"
    arms: dict[str, dict[str, Any]] = {_arm(*terms): _priced(*terms) for terms in PRICES}
    arms["far-sighted"] = _priced(10.5, 0.0) | {"adaptive.identity_horizon": 6}
    arms["capped"] = _priced(0.0, 0.0) | {"governance.sybil_cap.max_identities": 3}
    ballots = {
        "agents.0.count": JUDGES + 1, "agents.1.type": "adversarial", "agents.1.count": 1,
        "simulation.epochs": 5, "simulation.steps_per_epoch": 80,  # so that everybody has dealt with everybody
        "governance.bandwidth_cap.max_actions": 1_000_000_000, "adaptive.identities_at_once": 9,
        "reputation.ballot_gain": BALLOT_GAIN, "governance.reputation_decay.decay": 0.0,
    }  # fmt: skip
    bought = {"nothing": (25.0, 0), "one": (15.0, 1), "three": (6.0, 3)}
    arms |= {f"ballots, {name} bought": ballots | {f"{lever}.price": price} for name, (price, _) in bought.items()}
    arms["ballots, capped"] = ballots | {f"{lever}.price": 0.0, "governance.sybil_cap.max_identities": 2}
    claims = [*_bought_claims()]
    held = {f"ballots, {name} bought": 1 + many for name, (_, many) in bought.items()} | {"ballots, capped": 2}
    for arm, k in held.items():
        expected = sybil_influence(k, Adversarial.ballot_weight, JUDGES)
        claims.append(Claim(f"share of ballots, k {k}, {arm.partition(', ')[2]}", expected, _decided(arm)))
    source = "one more identity iff its gain g exceeds cost and deposit, up to budget / (cost + deposit)"
    return Case("sybil_stake", source, arms, claims)


def _arm(price: float, deposit: float) -> str:
    return f"price {price:g}" + (f", deposit {deposit:g}" if deposit else "")


def _priced(price: float, deposit: float) -> dict[str, Any]:
    return {"governance.identity_cost.price": price, "governance.identity_cost.deposit": deposit}


def _bought_claims() -> Iterator[Claim]:
    for price, deposit in PRICES:
        expected = identities_bought(GAIN, price + deposit, BUDGET, FURTHER)
        arm = _arm(price, deposit)
        yield Claim(f"opened per owner, {arm}", expected, _opened(arm))
    expected = identities_bought(GAIN * 6 / 5, 10.5, BUDGET, FURTHER)
    yield Claim("opened per owner, price 10.5, g 12", expected, _opened("far-sighted"))
    yield Claim("opened per owner, at most 3 each", 2, _opened("capped"))


def _opened(arm: str) -> Callable[[Arms], F64]:
    """Identities beyond those there from the start, per owner; they have a state from their opening on."""
    return lambda arms: (_counted(arms, arm) - (OWNERS + HONEST)) / OWNERS


def _counted(arms: Arms, arm: str) -> F64:
    counted: F64 = np.bincount(arms[arm].agent["replicate"], minlength=len(arms[arm].rows)).astype(np.float64)
    return counted


def _decided(arm: str) -> Callable[[Arms], F64]:
    """Share of the ballots on honest agents that went against them: (1 - V) / 2, V the ballot by which they moved."""

    def measured(arms: Arms) -> F64:
        agent, n = arms[arm].agent, len(arms[arm].rows)
        judged = agent["agent"] <= JUDGES
        moved = np.bincount(agent["replicate"][judged], weights=agent["reputation"][judged], minlength=n)
        share: F64 = (1.0 - moved / (JUDGES + 1) / BALLOT_GAIN) / 2.0
        return share

    return measured


IDENTITY_CASES = (sybil_stake,)
