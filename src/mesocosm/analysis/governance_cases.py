"""Closed forms of levers held against runs: how often and how soon a circuit breaker trips."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mesocosm.analysis.evidence import F64, Arms, Case, Claim
from mesocosm.analysis.market_cases import Overrides
from mesocosm.analysis.stopping_forms import sum_run, window_trip

LEVER = "governance.circuit_breaker"

# --- breaker_window

#: window, threshold, share of deals that go wrong
WINDOWS = ((10, 0.5, 0.2), (10, 0.5, 0.6), (20, 0.5, 0.6), (20, 0.6, 0.7), (50, 0.5, 0.6))
RARE, FEW, MANY = 0.1, 20, 50  # agents are many where a trip is rare, or early


def breaker_window() -> Case:
    """How often a window that has just been filled trips, by mistake and with reason."""
    arms: dict[str, Overrides] = {}
    claims = []
    for window, threshold, rate in WINDOWS:
        arm = f"W {window}, th {threshold:g}, p {rate:g}"
        arms[arm] = {
            f"{LEVER}.window": window, f"{LEVER}.threshold": threshold, "simulation.steps_per_epoch": window,
            "conduct.q_high": 1.0 - rate,
        }  # fmt: skip
        share = window_trip(window, threshold, rate)
        arms[arm] |= {"agents.0.count": FEW} if share > RARE else {}
        claims.append(Claim(f"share tripped, {arm}", share, _tripped(arm)))
    source = "a window of W deals trips with probability BinomSF(floor(W th), W, p)"
    return Case("breaker_window", source, arms, claims)


def _tripped(arm: str) -> Callable[[Arms], F64]:
    return lambda arms: arms[arm].agent_mean(arms[arm].agent["freezes"])


# --- breaker_cusum

GOOD, BAD = 0.2, 0.5
#: limit, share of deals that go wrong, deals watched
SUMS = ((3.0, BAD, 100), (4.0, BAD, 100), (3.0, GOOD, 400), (4.0, GOOD, 400), (3.0, 0.35, 200))


def breaker_cusum() -> Case:
    """How many deals a cumulative sum takes to trip, by mistake and with reason, and how often it has by the end."""
    arms: dict[str, Overrides] = {}
    claims = []
    for limit, rate, deals in SUMS:
        arm = f"h {limit:g}, p {rate:g}"
        arms[arm] = {
            f"{LEVER}.limit": limit, "simulation.steps_per_epoch": deals, "conduct.q_high": 1.0 - rate,
            "agents.0.count": FEW if rate == GOOD else MANY,
        }  # fmt: skip
        run, before = (sum_run(limit, GOOD, BAD, rate, watched) for watched in (deals, deals - 1))
        claims.append(Claim(f"deals until a trip, {arm}", run.mean, _proposals(arm)))
        if rate == GOOD:
            claims.append(Claim(f"tripped within {deals - 1}, {arm}", before.alarm, _stopped(arm, deals)))
    source = "CUSUM, Page 1954: S <- max(0, S + llr), an alarm at h; the mean run is that of an exact chain"
    return Case("breaker_cusum", source, arms, claims)


def _proposals(arm: str) -> Callable[[Arms], F64]:
    return lambda arms: arms[arm].agent_mean(arms[arm].agent["proposed"])


def _stopped(arm: str, deals: int) -> Callable[[Arms], F64]:
    return lambda arms: arms[arm].agent_mean(np.asarray(arms[arm].agent["proposed"]) < deals)


GOVERNANCE_CASES = (breaker_window, breaker_cusum)
