"""The engine and the plain-Python object loop of the same model agree on every bit of every event."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.object_loop import bodies, play, scalar, trajectory_hash
from benchmarks.object_loop.agreement import compared, engine_bodies, first_difference
from benchmarks.object_loop.levers import LEVERS
from benchmarks.object_loop.play import Play
from hypothesis import given
from hypothesis import strategies as st

import scenario_strategy
from mesocosm import exact, registry, rng
from mesocosm.config.load import load_scenario, scenario_from_dict
from mesocosm.config.schema import Scenario
from mesocosm.log.canonical import Chain
from scenario_strategy import effort

ROLES = ("planner", "worker", "verifier", "poster", "moderator")
POLICIES = ("honest", "opportunistic", "deceptive", "adversarial")
ADAPTATIONS = ("learning", "frozen")
#: lever -> parameter -> values to draw, the first one for tests of one lever
LEVER_MENU: dict[str, dict[str, tuple[Any, ...]]] = {
    "bonds": {"amount": (0.5, 0.0, 3.0, 1e6)},
    "bandwidth_cap": {"max_actions": (12, 0, 3)},
    "circuit_breaker": {
        "threshold": (0.2, 0.05, 0.45, 1.0),
        "cool_down": (10, 1, 3),
        "rule": ("window", "cusum"),
        "window": (10, 1, 3, 12),
        "limit": (4.0, 0.5, 2.0),
        "good_rate": (0.2, 0.05),
        "bad_rate": (0.5, 0.3, 0.1),
        "tier": ("agent", "throttle", "cluster", "halt", "rising"),
        "throttle": (2, 0, 5),
        "cluster_deals": (3, 1, 2),
        "halt_share": (0.5, 0.1, 1.0),
    },
    "collusion_penalty": {
        "level": (1.0, 0.8, 0.05, 0.0),
        "memory": (2, 1, 5),
        "leeway": (1.0, 2.0, 1.3),
        "penalty": (3.0, 0.0, 0.7, 1e6),
        "sanction": ("fine", "freeze", "both"),
        "cool_down": (10, 1, 3),
    },
    "externality_internalisation": {"rho_a": (0.5, 0.0, 2.0), "rho_b": (0.5, 0.0, 5.0)},
    "message_tax": {"price": (0.1, 0.0, 0.9)},
    "identity_cost": {"price": (5.0, 0.0), "deposit": (1.0, 0.0)},
    "moderator_agent": {
        "reach": (0.6, 1.0, 0.0),
        "error": (0.1, 0.0, 1.0),
        "capacity": (5, 0, 1, 1000),
        "delay": (0, 2, 7, 50),
        "suspension": (3, 1, 20),
    },
    "oracle": {"reach": (0.5, 1.0, 0.0)},
    "probation": {"epochs": (1, 0, 2), "max_proposals": (4, 0, 9), "founders": ("yes", "no")},
    "random_audit": {
        "probability": (0.5, 1.0, 0.0, 0.1),
        "penalty": (3.0, 0.0, 0.4, 1e6),
        "accuracy": (0.7, 1.0, 0.5),
        "reads": ("outcome", "proxy"),
    },
    "redraw": {"stream": (1, 0, 99)},
    "reputation_decay": {"decay": (0.5, 0.0, 1.0)},
    "sham": {"rate": (0.5, 0.0, 1.0)},
    "staking": {"amount": (2.0, 0.0, 0.7, 1e6), "slash": (0.5, 0.0, 1.0), "dispute": (0.8, 0.0, 1.0)},
    "sybil_cap": {"max_identities": (1, 2), "detection": (1.0, 0.5)},
    "transaction_tax": {"rate": (0.3, 0.0, 1.0)},
    "transparency_ledger": {"coverage": (0.7, 1.0, 0.0), "lag": (2, 0, 1, 9, 100)},
    "vote_normalisation": {"max_weight": (1.0, 0.0, 2.5, 1e9), "share": (0.5, 0.0, 1.0)},
}
ON_IDENTITIES = {"identity_cost", "sybil_cap"}  # they do nothing where nobody may have several, as here
FIRST = {name: {key: values[0] for key, values in menu.items()} for name, menu in LEVER_MENU.items()}
GOVERNMENTS: dict[str, dict[str, dict[str, Any]]] = {
    **{name: {name: block} for name, block in FIRST.items()},
    **{
        f"breaker by {rule}, {tier}": {
            "circuit_breaker": FIRST["circuit_breaker"]
            | {"rule": rule, "tier": tier, "window": 5, "limit": 1.0, "cluster_deals": 2, "halt_share": 0.3}
        }
        for rule in ("window", "cusum")
        for tier in ("agent", "throttle", "cluster", "halt", "rising")
    },
    **{
        f"collusion, {sanction}": {
            "staking": {"amount": 1.0, "slash": 0.5, "dispute": 0.8},
            "collusion_penalty": FIRST["collusion_penalty"] | {"sanction": sanction, "memory": 1, "penalty": 60.0},
        }
        for sanction in ("freeze", "both")
    },
    "a late moderator": {"moderator_agent": FIRST["moderator_agent"] | {"delay": 3, "capacity": 1000}},
    "a record of audits that err, read at once": {
        "random_audit": FIRST["random_audit"],
        "transparency_ledger": {"coverage": 1.0, "lag": 0},
    },
    "audit of the proxy": {"random_audit": {**FIRST["random_audit"], "reads": "proxy"}},
    "all at once": FIRST,
}


def agree(scenario: Scenario, seed: int = 42) -> Play:
    """Hold the loops against each other, notes included, and hand over what the object loop has played."""
    played = play(scenario, seed)
    assert compared(engine_bodies(scenario, seed), bodies(played.events)) == ""
    return played


def times_fired(played: Play) -> dict[str, int]:
    """How often each lever did something in a run, as its notes say."""
    fired: dict[str, int] = {}
    for event in played.events:
        if event.kind == "fired":
            fired[event.field["lever"]] = fired.get(event.field["lever"], 0) + event.field["count"]
    return fired


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
@pytest.mark.parametrize("name", ["baseline", "adversarial_attack", "status_game"])
def test_the_loops_agree_on_bundled_scenarios(name: str, adaptation: str) -> None:
    agree(load_scenario(name, ["simulation.epochs=2", f"adaptation={adaptation}"]))


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
@pytest.mark.parametrize("government", GOVERNMENTS)
def test_the_loops_agree_under_each_lever_and_under_all(government: str, adaptation: str) -> None:
    scenario = load_scenario("adversarial_attack", ["simulation.epochs=2", f"adaptation={adaptation}"])
    fired = times_fired(agree(scenario.model_copy(update={"governance": GOVERNMENTS[government]}), seed=11))
    assert set(fired) == set(GOVERNMENTS[government])
    assert {name for name, times in fired.items() if times == 0} == ON_IDENTITIES & set(fired)


def test_the_object_loop_has_every_lever_and_the_tests_draw_every_parameter() -> None:
    offered = {entry.name: {item.name for item in registry.params(entry.target)} for entry in registry.entries("lever")}
    assert {name: set(menu) for name, menu in LEVER_MENU.items()} == offered
    assert set(LEVERS) == set(offered)


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
def test_the_loops_agree_on_the_noise_that_has_closed_forms(noise: str) -> None:
    under_audit = ["governance.random_audit.reads=proxy", "governance.circuit_breaker.threshold=0.4"]
    agree(load_scenario("status_game", ["simulation.epochs=2", f"proxy.noise={noise}", *under_audit]))


@pytest.mark.parametrize("belief", ["experience", "public"])
def test_the_loops_agree_on_what_agents_make_of_announced_chances(belief: str) -> None:
    levers = ["random_audit.probability=0.6", "circuit_breaker.threshold=0.3", "transaction_tax.rate=0.4"]
    overrides = [f"adaptive.belief={belief}", "adaptive.belief_weight=0.5", *(f"governance.{it}" for it in levers)]
    agree(load_scenario("adversarial_attack", ["simulation.epochs=2", *overrides]))


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
@pytest.mark.parametrize("order", ["round_robin", "random", "priority"])
@pytest.mark.parametrize("turns", ["simultaneous", "sequential"])
def test_the_loops_agree_when_agents_are_poor_and_busy(turns: str, order: str, adaptation: str) -> None:
    scarce = ["environment.initial_budget=2", "safety.max_interactions_per_step=1", "safety.budget_per_epoch=4"]
    crowded = ["tasks.per_epoch=6", "feed.post_rate=0.5", "safety.min_time_between_posts=0"]
    time = ["simulation.epochs=2", "simulation.steps_per_epoch=5", f"simulation.turns={turns}"]
    poor = [*scarce, *crowded, *time, f"simulation.order={order}", f"adaptation={adaptation}"]
    agree(load_scenario("adversarial_attack", poor), seed=3)


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
def test_the_loops_agree_when_memory_overflows(adaptation: str) -> None:
    agents = [{"type": "honest", "count": 25}, {"type": "deceptive", "count": 15}]
    scenario = scenario_from_dict(
        {
            "scenario_id": "forty", "agents": agents, "trust": {"slots": 4}, "simulation": {"epochs": 2},
            "adaptation": adaptation, "payoff": {"rho_a": 0.3},
        }
    )  # fmt: skip
    played = agree(scenario, 5)
    assert any(len(agent.memory) == 4 for agent in played.agents)
    assert any(len(agent.opinions) == 4 for agent in played.agents) == (adaptation == "learning")


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
def test_the_loops_agree_when_agents_come_and_go(adaptation: str) -> None:
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
    mapping = {"scenario_id": "tide", "agents": agents, "population": population, "adaptation": adaptation}
    agree(scenario_from_dict({**mapping, "simulation": {"epochs": 5, "steps_per_epoch": 6}}), 11)


def test_equal_events_have_equal_hashes() -> None:
    scenario = load_scenario("baseline", ["simulation.epochs=2"])
    chain = Chain()
    chain.add_events(engine_bodies(scenario, 1))
    assert trajectory_hash(play(scenario, 1).events) == chain.trajectory_hex


def test_a_difference_is_named_by_event_and_field(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_all(play: Any, accepted: list[Any]) -> None:
        for deal in accepted:
            deal.reason = "uncovered"

    monkeypatch.setattr("benchmarks.object_loop.settling.cover", refuse_all)
    message = first_difference(load_scenario("baseline", ["simulation.epochs=1"]), 42)
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
    governance = {
        name: {key: one(*values) for key, values in menu.items()}
        for name, menu in LEVER_MENU.items()
        if one(True, False, False)
    }
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
            "quality_follows_cost": one(0.0, 1.0, 0.3),
        },
        "proxy": {
            "noise": one("counts", "counts", "gaussian", "uniform"),
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
        "adaptation": one("learning", "learning", "frozen"),
        "adaptive": {
            "patience": one(2.0, 0.0, 30.0),
            "payoff_floor": one(0.05, 0.0, 2.0),
            "exploit_trust": one(0.65, 0.2),
            "caution_steps": one(10, 0),
            "belief": one("experience", "public"),
            "belief_weight": one(20.0, 0.3),
            "leniency": one(0.5, 0.0, 1.0),
            "leniency_floor": one(0.05, 0.0, 0.5),
        },
        "feed": {
            "capacity": one(64, 128),
            "visible": one(20, 2),
            "post_rate": one(0.1, 0.6),
            "vote_rate": one(0.3, 0.0),
            "beta": one(0.1, 0.0, 7.5),
            "message_worth": one(0.2, 0.0, 2.0),
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


@effort(25, 5000)
@given(mapping=scenarios(), seed=st.integers(0, 2**63 - 1))
def test_the_loops_agree_on_scenarios_drawn_at_random(mapping: dict[str, Any], seed: int) -> None:
    assert first_difference(scenario_from_dict(mapping), seed) == ""


@effort(15, 5000)
@given(scenario=scenario_strategy.scenarios(), seed=st.integers(0, 2**63 - 1))
def test_the_loops_agree_on_scenarios_over_the_whole_schema(scenario: Scenario, seed: int) -> None:
    """The object loop plays neither the market nor what other luck would bring, nor agents of several identities."""
    phases = scenario.simulation.phases.model_copy(update={"market": False})
    once = scenario.simulation.model_copy(update={"decision_replays": 0, "phases": phases})
    assert first_difference(undivided(scenario).model_copy(update={"simulation": once}), seed) == ""


def undivided(scenario: Scenario) -> Scenario:
    """The same with one identity each: splitting is not played by the object loop."""
    agents = tuple(group.model_copy(update={"identities": 1}) for group in scenario.agents)
    arrivals = tuple(group.model_copy(update={"identities": 1}) for group in scenario.population.arrivals)
    population = scenario.population.model_copy(update={"arrivals": arrivals})
    return scenario.model_copy(update={"agents": agents, "population": population})
