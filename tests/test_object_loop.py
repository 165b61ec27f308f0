"""The engine and the plain-Python object loop of the same model agree on every bit of every event."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.object_loop import play, scalar, trajectory_hash
from benchmarks.object_loop.agreement import engine_bodies, first_difference
from hypothesis import given, settings
from hypothesis import strategies as st

from mesocosm import exact, rng
from mesocosm.config.load import load_scenario, scenario_from_dict
from mesocosm.log.canonical import Chain

SHORT = ["simulation.epochs=3"]
ROLES = ("planner", "worker", "verifier", "poster", "moderator")
POLICIES = ("honest", "opportunistic", "deceptive", "adversarial")
LEVERS = (
    "transaction_tax.rate=0.3",
    "reputation_decay.decay=0.5",
    "bandwidth_cap.max_actions=4",
    "random_audit.probability=0.5",
    "random_audit.reads=proxy",
    "random_audit.accuracy=0.7",
    "circuit_breaker.threshold=0.2",
    "sham.rate=0.5",
)


def agree(name: str, overrides: list[str], seed: int = 42) -> None:
    assert first_difference(load_scenario(name, overrides), seed) == ""


@pytest.mark.parametrize("name", ["baseline", "adversarial_attack", "status_game"])
def test_the_loops_agree_on_bundled_scenarios(name: str) -> None:
    agree(name, SHORT)


@pytest.mark.parametrize("lever", LEVERS)
def test_the_loops_agree_under_each_lever(lever: str) -> None:
    agree("adversarial_attack", [*SHORT, f"governance.{lever}"], seed=7)


def test_the_loops_agree_under_all_levers_at_once() -> None:
    agree("adversarial_attack", [*SHORT, *(f"governance.{lever}" for lever in LEVERS)], seed=8)


@pytest.mark.parametrize("order", ["round_robin", "random", "priority"])
@pytest.mark.parametrize("turns", ["simultaneous", "sequential"])
def test_the_loops_agree_when_agents_are_poor_and_busy(turns: str, order: str) -> None:
    scarce = ["environment.initial_budget=2", "safety.max_interactions_per_step=1", "safety.budget_per_epoch=4"]
    crowded = ["tasks.per_epoch=6", "feed.post_rate=0.5", "safety.min_time_between_posts=0"]
    time = ["simulation.epochs=2", f"simulation.turns={turns}", f"simulation.order={order}"]
    agree("adversarial_attack", [*scarce, *crowded, *time], seed=3)


def test_the_loops_agree_when_memory_overflows() -> None:
    forty = {"scenario_id": "forty", "agents": [{"type": "honest", "count": 40}]}
    scenario = scenario_from_dict({**forty, "trust": {"slots": 8}, "simulation": {"epochs": 4}})
    assert first_difference(scenario, 5) == ""
    assert any(len(agent.memory) == 8 for agent in play(scenario, 5).agents)


def test_the_loops_agree_when_agents_come_and_go() -> None:
    population = {
        "capacity": 16,
        "turnover": 0.2,
        "arrivals": [
            {"type": "adversarial", "count": 2, "epoch": 2},
            {"type": "honest", "count": 3, "epoch": 1, "role": "planner", "params": {"threshold": 0.05}},
        ],
        "departures": [{"type": "honest", "count": 2, "epoch": 2}],
    }
    agents = [{"type": "honest", "count": 6}, {"type": "deceptive", "count": 2, "role": "verifier", "skill": 0.7}]
    mapping = {"scenario_id": "tide", "agents": agents, "population": population}
    scenario = scenario_from_dict({**mapping, "simulation": {"epochs": 5, "steps_per_epoch": 6}})
    assert first_difference(scenario, 11) == ""


def test_equal_events_have_equal_hashes() -> None:
    scenario = load_scenario("baseline", SHORT)
    chain = Chain()
    chain.add_events(engine_bodies(scenario, 1))
    assert trajectory_hash(play(scenario, 1).events) == chain.trajectory_hex


def test_a_difference_is_named_by_event_and_field(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_all(play: Any, accepted: list[Any]) -> None:
        for deal in accepted:
            deal.reason = "uncovered"

    monkeypatch.setattr("benchmarks.object_loop.deals.cover", refuse_all)
    message = first_difference(load_scenario("baseline", SHORT), 42)
    assert "interaction" in message
    assert "reason is 'accepted' in the engine, 'uncovered' in the object loop" in message


def test_scalar_functions_have_the_bits_of_the_exact_ones() -> None:
    random = np.random.default_rng(4)
    wide = np.concatenate([random.normal(size=3000) * 20, random.uniform(-760, 720, 3000), [0.0, -0.0, 709.8, -745.2]])
    above = np.concatenate([10.0 ** random.uniform(-320, 300, 3000), random.uniform(0.5, 2, 3000), [0.0, 1.0, 5e-324]])
    share = np.concatenate([random.uniform(size=3000), 10.0 ** -random.uniform(1, 16, 1000)])
    pairs: list[tuple[Any, Any, Any]] = [
        (exact.exp, scalar.exp, wide),
        (exact.sigmoid, scalar.sigmoid, wide),
        (exact.log, scalar.log, above),
        (exact.normal_quantile, scalar.normal_quantile, share),
    ]
    for whole, one, x in pairs:
        assert whole(x).tobytes() == np.array([one(value) for value in x.tolist()]).tobytes(), one.__name__


def test_scalar_draws_are_the_keyed_draws() -> None:
    draws = scalar.Draws(2**63 - 1)
    draws.at(9)
    base, agent = rng.block_key(2**63 - 1, 5, 9), np.arange(200)
    drawn = rng.bits(base, agent)
    assert rng.unit(drawn).tolist() == [draws.uniform(5, slot) for slot in range(200)]
    assert list(zip(*(third.tolist() for third in rng.thirds(drawn)), strict=True)) == [
        draws.thirds(5, slot) for slot in range(200)
    ]
    assert [half.tolist() for half in rng.halves(drawn)] == [
        list(side) for side in zip(*(draws.halves(5, slot) for slot in range(200)), strict=True)
    ]


@st.composite
def scenarios(draw: Any) -> dict[str, Any]:
    """Small economies with everything changed at once."""

    def one(*values: Any) -> Any:
        return draw(st.sampled_from(values))

    def group() -> dict[str, Any]:
        kind = one(*POLICIES)
        params = {"params": {"threshold": one(-0.1, 0.0, 0.2)}} if kind == "honest" else {}
        return {"type": kind, "count": one(1, 2, 4), "role": one(*ROLES), "skill": one(1.0, 0.6), **params}

    agents = [group() for _ in range(one(1, 2, 4))]
    arrivals = [{**group(), "epoch": one(1, 2)} for _ in range(one(0, 0, 1, 2))]
    departures = [{"type": agents[0]["type"], "count": one(1, 3), "epoch": one(1, 2)} for _ in range(one(0, 0, 1))]
    levers = draw(st.lists(st.sampled_from(LEVERS), max_size=3, unique=True))
    governance: dict[str, dict[str, Any]] = {}
    for entry in levers:
        path, value = entry.split("=")
        name, parameter = path.split(".")
        governance.setdefault(name, {})[parameter] = value if value == "proxy" else float(value)
    if "bandwidth_cap" in governance:
        governance["bandwidth_cap"]["max_actions"] = one(0, 3, 9)
    return {
        "scenario_id": "drawn",
        "agents": agents,
        "population": {"arrivals": arrivals, "departures": departures, "turnover": one(0.0, 0.0, 0.3)},
        "environment": {
            "initial_budget": one(100.0, 0.0, 1.5),
            "credit_limit": one(0.0, 2.0),
            "attention_scarcity": one(0.0, 0.5, 1.0),
            "eta": one(0.0, 0.25, 3.0),
            "outrage": one(0.0, 1.0, 4.0),
        },
        "payoff": {
            "theta": one(0.5, 0.0, 1.0, 0.3),
            "rho_a": one(0.0, 0.5),
            "rho_b": one(0.0, 0.5, 2.0),
            "s_minus": one(1.0, 0.0, 3.0),
            "w_rep": one(0.0, 1.0, 4.0),
            "settle_on": one("proxy", "outcome"),
        },
        "conduct": {
            "effort_menu": one([0.0, 0.5, 1.0], [0.0, 1.0], [0.4]),
            "disguise_menu": one([0.0, 0.5, 1.0], [0.0], [0.2, 0.3, 0.6, 0.9]),
            "transfer_menu": one([-1.0, 0.0, 1.0], [0.0], [-0.7, -0.2, 0.0]),
            "transfer": one(0.5, 0.0, 2.5),
            "disguise_cost": one(0.25, 0.0),
        },
        "proxy": {
            "noise": one("counts", "counts", "gaussian"),
            "calibration": one("fixed", "bayes"),
            "k": one(2.0, 30.0),
            "prior": one(0.5, 0.8),
            "phi": one(0.4, 0.0, 1.0),
            "count_slope": one(2.3, 0.0),
        },
        "trust": {
            "slots": one(32, 1, 3),
            "prior_mean": one(0.6, 0.2, 0.95),
            "prior_strength": one(2.0, 0.25),
            "discovery": one(0.5, 0.0, 1.0),
            "decay": one(0.9, 0.0, 1.0),
        },
        "reputation": {"ballot_gain": one(0.3, 5.0), "bound": one(1.5, 0.4)},
        "adaptive": {"patience": one(2.0, 0.0), "exploit_trust": one(0.65, 0.2), "caution_steps": one(10, 0)},
        "feed": {
            "capacity": one(64, 128),
            "visible": one(20, 2),
            "post_rate": one(0.1, 0.6),
            "vote_rate": one(0.3, 0.0),
            "beta": one(0.1, 0.0, 7.5),
        },
        "tasks": {
            "per_epoch": one(1, 0, 9),
            "capacity": one(64, 4),
            "duration_epochs": one(1, 2),
            "budget": one(4.0, 0.7),
        },
        "simulation": {
            "epochs": one(1, 3),
            "steps_per_epoch": one(1, 4, 8),
            "turns": one("simultaneous", "simultaneous", "sequential"),
            "order": one("round_robin", "random", "priority"),
            "phases": {name: one(True, True, False) for name in ("feed", "tasks", "proposals")},
        },
        "acceptance": one("policy", "policy", "policy", "joint", "consent", "all"),
        "safety": {
            "max_interactions_per_step": one(5, 1, 0),
            "max_posts_per_epoch": one(10, 1),
            "max_content_length": one(1000, 30),
            "min_time_between_posts": one(1.0, 0.0, 2.5),
            "budget_per_epoch": one(100.0, 3.0),
            "rate_limit_capacity": one(20.0, 1.5),
            "rate_limit_refill": one(10.0, 0.75),
        },
        "governance": governance,
    }  # fmt: skip


@settings(max_examples=25)
@given(mapping=scenarios(), seed=st.integers(0, 2**63 - 1))
def test_the_loops_agree_on_scenarios_drawn_at_random(mapping: dict[str, Any], seed: int) -> None:
    assert first_difference(scenario_from_dict(mapping), seed) == ""
