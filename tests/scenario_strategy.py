"""Hypothesis strategies for whole valid scenarios over the entire schema, small enough to play in a moment.

A scenario has a structure (what all replicates of a batch share) and an economy (what may differ between them).
Money is often short, rails are often tight and memories small, so that rules that rarely bite get to bite.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from mesocosm import registry
from mesocosm.config.load import scenario_from_dict
from mesocosm.config.schema import Scenario

IS_DEEP = bool(os.environ.get("MESOCOSM_DEEP"))
POLICIES = ("honest", "opportunistic", "deceptive", "adversarial")
ROLES = ("planner", "worker", "verifier", "poster", "moderator")
SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]) | st.floats(0, 1)
AMOUNTS = st.sampled_from([0.0, 0.5, 1.0, 2.0]) | st.floats(0, 3)


def effort(few: int, many: int) -> settings:
    """How hard a test tries: few examples and no search for a smaller one in every run, many in the deep checks."""
    if IS_DEEP:
        return settings(max_examples=many)
    return settings(max_examples=few, phases=(Phase.explicit, Phase.generate))


def _above_zero(high: float, low: float = 0.01) -> SearchStrategy[float]:
    return st.floats(low, high)


#: keys that replicates of one batch may disagree on: path -> its values
ECONOMY: dict[str, SearchStrategy[Any]] = {
    "environment.initial_budget": st.sampled_from([0.0, 0.3, 1.0, 3.0, 100.0]) | st.floats(0, 20),
    "environment.credit_limit": st.sampled_from([0.0, 0.5, 5.0]) | st.floats(0, 10),
    "environment.attention_scarcity": SHARES,
    "environment.outrage": st.floats(0, 5),
    "environment.eta": st.floats(0, 5),
    "payoff.s_plus": AMOUNTS,
    "payoff.s_minus": AMOUNTS,
    "payoff.h": AMOUNTS,
    "payoff.theta": SHARES,
    "payoff.rho_a": st.floats(0, 5),
    "payoff.rho_b": st.floats(0, 5),
    "payoff.w_rep": st.floats(0, 10),
    "payoff.settle_on": st.sampled_from(["proxy", "outcome"]),
    "conduct.transfer": AMOUNTS,
    "conduct.effort_cost": AMOUNTS,
    "conduct.disguise_cost": AMOUNTS,
    "proxy.weights.progress": st.floats(0.1, 5),
    "proxy.weights.rework": st.floats(0, 5),
    "proxy.weights.rejection_misuse": st.floats(0, 5),
    "proxy.weights.engagement": st.floats(0, 5),
    "proxy.k": _above_zero(50),
    "proxy.prior": st.floats(0.01, 0.99),
    "proxy.gaussian_mean": st.floats(0, 10),
    "proxy.gaussian_sd": _above_zero(10),
    "proxy.phi": SHARES,
    "proxy.progress_gain": st.floats(0, 10),
    "proxy.progress_noise": _above_zero(10),
    "proxy.engagement_gain": st.floats(0, 10),
    "proxy.engagement_noise": st.floats(0, 10),
    "proxy.count_floor": _above_zero(20),
    "proxy.count_slope": st.floats(0, 20),
    "trust.prior_mean": st.floats(0.01, 0.99),
    "trust.prior_strength": _above_zero(1000),
    "trust.decay": SHARES,
    "trust.discovery": SHARES,
    "trust.minimum": SHARES,
    "trust.screen_weight": st.floats(0, 100),
    "reputation.keep": SHARES,
    "reputation.ballot_gain": st.floats(0, 10),
    "reputation.bound": _above_zero(10),
    "adaptive.patience": st.floats(0, 100),
    "adaptive.payoff_start": st.floats(-10, 10),
    "adaptive.payoff_floor": st.floats(0, 10),
    "adaptive.payoff_memory": _above_zero(1),
    "adaptive.exploit_trust": SHARES,
    "adaptive.caution_steps": st.integers(0, 20),
    "adaptive.harm_cost_weight": st.floats(0, 10),
    "adaptive.belief": st.sampled_from(["experience", "public"]),
    "adaptive.belief_weight": _above_zero(50),
    "adaptive.leniency": SHARES,
    "adaptive.leniency_floor": st.floats(0, 0.5),
    "adaptive.identity_horizon": st.integers(1, 8),
    "adaptive.identity_endowment": AMOUNTS,
    "adaptive.identities_at_once": st.integers(1, 3),
    "conduct.quality_follows_cost": SHARES,
    "feed.alpha": st.floats(0, 10),
    "feed.beta": st.floats(0, 10),
    "feed.poster_rate": SHARES,
    "feed.message_worth": AMOUNTS,
    "tasks.per_epoch": st.integers(0, 4),
    "tasks.budget": st.floats(0, 10),
    "tasks.duration_epochs": st.integers(1, 3),
    "market.auction": st.sampled_from(["first_price", "second_price"]),
    "market.condition": st.sampled_from(["on_verified", "on_submission"]),
    "market.need_rate": SHARES,
    "market.reserve": _above_zero(5),
    "market.cost_scale": _above_zero(3),
    "market.deadline_epochs": st.integers(1, 3),
    "market.panel_size": st.sampled_from([1, 3, 5, 9]),
    "market.panel_accuracy": st.floats(0.5, 1),
    "market.panel_correlation": SHARES,
    "market.dispute_bond": AMOUNTS,
    "safety.max_posts_per_epoch": st.integers(0, 3),
    "safety.max_interactions_per_step": st.integers(0, 3),
    "safety.max_content_length": st.integers(1, 60),
    "safety.min_time_between_posts": st.floats(0, 5),
    "safety.budget_per_epoch": st.sampled_from([0.0, 0.5, 2.0]) | st.floats(0, 5),
    "safety.kill_switch_enabled": st.booleans(),
    "safety.rate_limit_capacity": st.floats(0, 5),
    "safety.rate_limit_refill": st.floats(0, 3),
    "population.turnover": st.sampled_from([0.1, 0.5, 1.0]),
    "acceptance": st.sampled_from(["policy", "joint", "consent", "all"]),
    "adaptation": st.sampled_from(["learning", "frozen"]),
    "motif": st.sampled_from([None, "a market", "naïve – 模型"]),
    "description": st.sampled_from(["", "two lines\nof text"]),
    "log.level": st.sampled_from(["full", "columns", "epoch"]),
}
#: keys that all replicates of a batch share
STRUCTURE: dict[str, SearchStrategy[Any]] = {
    "simulation.epochs": st.integers(1, 3),
    "simulation.steps_per_epoch": st.integers(2, 6),
    "simulation.turns": st.sampled_from(["simultaneous", "sequential"]),
    "simulation.order": st.sampled_from(["round_robin", "random", "priority"]),
    "trust.slots": st.sampled_from([32, 1, 2, 3, 5, 64]),
    "feed.capacity": st.sampled_from([128, 64]),
    "feed.visible": st.sampled_from([20, 1, 2, 64]),
    "tasks.capacity": st.sampled_from([64, 1, 2]),
    "simulation.phases.market": st.booleans(),
    "market.bidders": st.sampled_from([4, 1, 2, 9]),
    "market.board_size": st.sampled_from([32, 1, 2]),
    "proxy.noise": st.sampled_from(["counts", "gaussian", "uniform"]),
    "simulation.decision_replays": st.sampled_from([0, 0, 2]),
    "proxy.calibration": st.sampled_from(["fixed", "bayes"]),
}
#: structural keys that most scenarios leave alone
RARE_STRUCTURE: dict[str, SearchStrategy[Any]] = {
    "simulation.phases.feed": st.booleans(),
    "simulation.phases.tasks": st.booleans(),
    "simulation.phases.proposals": st.booleans(),
    "conduct.effort_menu": st.sampled_from([[0.0, 0.5, 1.0], [0.0, 1.0], [1.0], [0.0], [0.25, 0.5, 0.75, 1.0]]),
    "conduct.disguise_menu": st.sampled_from([[0.0, 0.5, 1.0], [0.0], [0.5, 1.0], [0.0, 0.1, 0.2, 0.9]]),
    "conduct.transfer_menu": st.sampled_from([[-1.0, 0.0, 1.0], [0.0], [-1.0, -0.5, -0.25, 0.0], [0.0, 1.0]]),
}
#: keys that are drawn together, because a rule ties them
TIED = (
    "scenario_id", "agents", "population.capacity", "population.arrivals", "population.departures", "conduct.q_low",
    "conduct.q_high", "feed.post_rate", "feed.reply_rate", "feed.vote_rate", "simulation.seed", "governance",
    "metrics_to_track", "market.value_low", "market.value_high",
)  # fmt: skip


def put(mapping: dict[str, Any], path: str, value: Any) -> None:
    """Set the value of a key given as a path, making the blocks on the way."""
    *blocks, key = path.split(".")
    for block in blocks:
        mapping = mapping.setdefault(block, {})
    mapping[key] = value


@st.composite
def structures(draw: DrawFn) -> dict[str, Any]:
    """What all replicates of a batch share, as path -> value."""
    chosen = {path: draw(values) for path, values in STRUCTURE.items()}
    for path in draw(st.lists(st.sampled_from(sorted(RARE_STRUCTURE)), max_size=3, unique=True)):
        chosen[path] = draw(RARE_STRUCTURE[path])
    return chosen


@st.composite
def groups(draw: DrawFn, most: int) -> dict[str, Any]:
    """One group of agents of any policy, role and skill."""
    group: dict[str, Any] = {
        "type": draw(st.sampled_from(POLICIES)),
        "count": draw(st.integers(1, most)),
        "role": draw(st.sampled_from(ROLES)),
    }
    if draw(st.booleans()):
        group["skill"] = draw(st.floats(0.01, 1))
    if draw(st.integers(0, 3)) == 0:
        group["identities"] = draw(st.integers(2, 4))
    if group["type"] == "honest" and draw(st.booleans()):
        group["params"] = {"threshold": draw(st.floats(-1, 1))}
    return group


@st.composite
def populations(draw: DrawFn, scenario: dict[str, Any], epochs: int) -> None:
    """Fill in who is there, who comes and who goes: 2 to 14 agents at the start."""
    agents = draw(st.lists(groups(4), min_size=1, max_size=3))
    agents.append(draw(groups(2)))
    scenario["agents"] = agents
    newcomers = draw(st.lists(groups(2), max_size=2))
    arrivals = [{**group, "epoch": draw(st.integers(1, epochs))} for group in newcomers]
    if arrivals:
        put(scenario, "population.arrivals", arrivals)
    types = sorted({group["type"] for group in [*agents, *arrivals]})
    if draw(st.booleans()):
        leaving = {"epoch": draw(st.integers(1, epochs)), "type": draw(st.sampled_from(types))}
        put(scenario, "population.departures", [{**leaving, "count": draw(st.integers(1, 3))}])
    if draw(st.booleans()):
        listed = sum(group["count"] for group in [*agents, *arrivals])
        put(scenario, "population.capacity", listed + draw(st.integers(0, 3)))


def lever_parameters(target: Any) -> SearchStrategy[dict[str, Any]]:
    """Values for every parameter of a lever, within its declared bounds."""
    values: dict[str, SearchStrategy[Any]] = {}
    for item in registry.params(target):
        facts = item.metadata
        if facts.get("choices"):
            values[item.name] = st.sampled_from(facts["choices"])
            continue
        low = facts["ge"] if facts.get("ge") is not None else 0
        high = min(facts["le"] if facts.get("le") is not None else 5, max(5, low))
        values[item.name] = st.integers(int(low), int(high)) if isinstance(item.default, int) else st.floats(low, high)
    return st.fixed_dictionaries(values)


@st.composite
def governments(draw: DrawFn) -> dict[str, Any]:
    """Each lever absent, null, at neutral, with parameters, or by its short forms."""
    block: dict[str, Any] = {}
    for entry in registry.entries("lever"):
        how = draw(st.sampled_from(["absent", "absent", "nested", "default", "short", "neutral", "null"]))
        given = draw(lever_parameters(entry.target))
        if how == "nested":
            block[entry.name] = given
        elif how == "default":
            block[entry.name] = {}
        elif how == "neutral":
            block[entry.name] = dict(entry.target.neutral)
        elif how == "null":
            block[entry.name] = None
        elif how == "short":
            block |= {key: given[parameter] for key, parameter in entry.target.short_forms.items()}
    return block


@st.composite
def economies(draw: DrawFn, structure: Mapping[str, Any]) -> dict[str, Any]:
    """A whole scenario as a mapping: a structure, and everything that may differ between replicates."""
    scenario: dict[str, Any] = {"scenario_id": "drawn"}
    draw(populations(scenario, structure["simulation.epochs"]))
    for path in draw(st.lists(st.sampled_from(sorted(ECONOMY)), max_size=16, unique=True)):
        put(scenario, path, draw(ECONOMY[path]))
    if draw(st.booleans()):
        low, high = sorted((draw(SHARES), draw(SHARES)))
        put(scenario, "conduct.q_low", low)
        put(scenario, "conduct.q_high", high)
    if draw(st.booleans()):
        low, high = sorted((draw(AMOUNTS), draw(AMOUNTS)))
        put(scenario, "market.value_low", low)
        put(scenario, "market.value_high", high)
    if draw(st.booleans()):
        for key in ("post_rate", "reply_rate", "vote_rate"):
            put(scenario, f"feed.{key}", draw(st.floats(0, 1 / 3)))
    if draw(st.booleans()):
        scenario["governance"] = draw(governments())
    scenario["metrics_to_track"] = draw(st.lists(st.sampled_from(registry.names("metric")), max_size=2, unique=True))
    for path, value in structure.items():
        put(scenario, path, value)
    put(scenario, "simulation.seed", draw(st.integers(0, 2**63 - 1)))
    return scenario


@st.composite
def scenarios(draw: DrawFn) -> Scenario:
    """A whole valid scenario over the entire schema."""
    return scenario_from_dict(draw(economies(draw(structures()))))


@st.composite
def families(draw: DrawFn, fewest: int = 2, most: int = 5) -> list[Scenario]:
    """Scenarios of different sizes and economies that share a structure, so that they can run in one batch."""
    structure = draw(structures())
    size = draw(st.integers(fewest, most))
    return [scenario_from_dict(draw(economies(structure))) for _ in range(size)]


def leaves(model: Any = Scenario, path: str = "") -> set[str]:
    """Path of every key of the schema that holds a value and not a block."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and hasattr(inner, "model_fields"):
            found |= leaves(inner, f"{path}{name}.")
        else:
            found.add(f"{path}{name}")
    return found
