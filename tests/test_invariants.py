"""What is true of every run of every valid scenario: generated scenarios over the whole schema, played in process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_checks import check_books, check_order, check_presence
from mesocosm import registry
from mesocosm.config.load import scenario_from_dict, scenario_to_dict
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import open_batch
from mesocosm.env.events import EventBatch
from mesocosm.errors import InvariantBroken
from mesocosm.measures.selection import loss_from_gap, spread_from_gap, toxicity_from_gap
from mesocosm.metrics.evaluate import evaluate_metrics
from mesocosm.metrics.tally import Tally
from scenario_strategy import (
    ECONOMY,
    RARE_STRUCTURE,
    STRUCTURE,
    TIED,
    effort,
    families,
    leaves,
    lever_parameters,
    scenarios,
)  # fmt: skip
from trajectory import Played, play, scenario

LEVERS = registry.names("lever")
IDENTITY_METRICS = ("toxicity_rate", "mean_p", "acceptance_rate", "quality_gap", "spread", "conditional_loss_initiator")


def governed(base: Scenario, block: dict[str, Any]) -> Scenario:
    """The same scenario under other levers."""
    return scenario_from_dict(scenario_to_dict(base) | {"governance": block})


def first_difference(one: Played, two: Played, replicate: int) -> tuple[bytes, bytes]:
    """Where two trajectories part, for the message of a failing test."""
    pairs = zip(one.body[0], two.body[replicate], strict=False)
    return next(((x, y) for x, y in pairs if x != y), (b"(the states or the lengths differ)", b""))


def test_the_strategy_reaches_every_key_of_the_schema() -> None:
    assert leaves() == set(ECONOMY) | set(STRUCTURE) | set(RARE_STRUCTURE) | set(TIED)


@given(families(fewest=3, most=5))
@effort(50, 5000)
def test_every_run_keeps_its_books_and_order_and_is_the_same_alone_as_in_a_batch(family: list[Scenario]) -> None:
    together = play(family)
    for replicate, each in enumerate(family):
        alone = play([each])
        events = alone.events()
        check_order(events, each.simulation.steps_per_epoch)
        check_presence(events, each)
        check_books(events, each)
        assert alone.hash() == together.hash(replicate), first_difference(alone, together, replicate)


@given(families(fewest=3, most=4), st.randoms(use_true_random=False))
@effort(10, 1000)
def test_the_order_and_the_company_of_replicates_do_not_matter(family: list[Scenario], luck: Any) -> None:
    shuffled = list(range(len(family)))
    luck.shuffle(shuffled)
    kept = shuffled[:-1]
    before = play(family).hashes
    after = play([family[place] for place in kept]).hashes
    assert after == [before[place] for place in kept]


@given(families(fewest=2, most=2))
@effort(10, 1000)
def test_agents_added_to_one_replicate_change_no_other(family: list[Scenario]) -> None:
    first, other = family
    mapping = scenario_to_dict(other)
    more = {"type": "adversarial", "count": 5, "role": "worker"}
    arrivals = [*mapping["population"]["arrivals"], {**more, "epoch": 1}]
    population = mapping["population"] | {"arrivals": arrivals, "capacity": None}
    grown = scenario_from_dict(mapping | {"agents": [*mapping["agents"], more], "population": population})
    assert play([first, other]).hash(0) == play([first, grown]).hash(0)
    assert play([other, first]).hash(1) == play([grown, first]).hash(1)


def test_replicate_k_alone_equals_replicate_k_in_a_batch_of_64_of_different_sizes() -> None:
    batch = [
        scenario(
            {"honest": 1 + k % 7, "opportunistic": 1 + k % 3, "adversarial": 1 + k % 2},
            environment={"initial_budget": 1.0 + k % 5},
            governance={"random_audit": {"probability": 0.1 * (k % 4)}} if k % 3 else {},
            trust={"slots": 4},
        )
        for k in range(64)
    ]
    seeds = [1000 + 7 * k for k in range(64)]
    together = play(batch, seeds)
    for k in (0, 1, 17, 40, 63):
        assert play([batch[k]], [seeds[k]]).hash() == together.hash(k)


@given(families(fewest=2, most=2), st.sampled_from([name for name in LEVERS if name != "sham"]), st.data())
@effort(12, 3000)
def test_a_lever_at_neutral_leaves_the_trajectory_unchanged(family: list[Scenario], name: str, data: Any) -> None:
    target = registry.find("lever", name).target
    base, other = family
    given_block = scenario_to_dict(base)["governance"]
    without = {key: value for key, value in given_block.items() if key != name}
    neutral = governed(base, without | {name: data.draw(lever_parameters(target)) | dict(target.neutral)})
    active = governed(other, {name: data.draw(lever_parameters(target))})
    bare = play([governed(base, without)]).hash()
    assert play([neutral]).hash() == bare
    # beside a replicate in which it is in force, its hooks really run
    assert play([active, neutral]).hash(1) == bare


@pytest.mark.parametrize("name", LEVERS)
def test_a_lever_at_neutral_is_as_good_as_absent_in_a_long_run(name: str) -> None:
    long = {"epochs": 4, "steps_per_epoch": 12}
    neutral = scenario(governance={name: dict(registry.find("lever", name).target.neutral)}, simulation=long)
    active = scenario({"honest": 3, "adversarial": 3}, governance={name: {}}, simulation=long)
    assert play([active, neutral]).hash(1) == play([scenario(simulation=long)]).hash()


@given(families(fewest=2, most=2), st.floats(0.01, 1))
@effort(15, 1000)
def test_the_sham_lever_writes_notes_and_changes_nothing(family: list[Scenario], rate: float) -> None:
    base, other = family
    without = {key: value for key, value in scenario_to_dict(base)["governance"].items() if key != "sham"}
    bare = play([governed(base, without)])
    sham = play([governed(base, without | {"sham": {"rate": rate}}), governed(other, {"sham": {"rate": 1.0}})])
    assert sham.hash(0) == bare.hash(0)
    accepted = sum(event["accepted"] for event in sham.events("interaction", replicate=1))
    assert len(sham.notes("note", replicate=1)) == accepted


@given(scenarios())
@effort(15, 1000)
def test_a_thin_log_comes_from_the_same_trajectory(each: Scenario) -> None:
    assert play([each], detail=False).state == play([each]).state


def _identities(each: Scenario) -> int:
    """Hold the identities against every epoch of a run; returns in how many there was something to compare."""
    roster = open_batch([each], [1]).roster
    economy = {**each.payoff.model_dump(exclude={"settle_on"}), "steps_per_epoch": each.simulation.steps_per_epoch}
    tally = Tally(IDENTITY_METRICS, roster=[roster.types_by_slot(0)], types=roster.policies, economy=economy)
    compared = 0

    def watch(item: Any) -> None:
        nonlocal compared
        if isinstance(item, EventBatch) and item.kind == "interaction":
            tally.add(_only_surplus(item, each.payoff.theta))
        elif isinstance(item, EventBatch) and item.kind == "agent_state":
            value = {name: float(x[0]) for name, x in evaluate_metrics(tally.epoch(item), IDENTITY_METRICS).items()}
            compared += _holds(value, each)

    play([each], watch=watch)
    return compared


def _only_surplus(batch: EventBatch, theta: float) -> EventBatch:
    """The identities are about payoffs that depend on p alone, so the other terms of pi_a are left out."""
    return replace(batch, column=batch.column | {"pi_a": theta * batch.column["surplus"]})


def _holds(value: dict[str, float], each: Scenario) -> int:
    if np.isnan(value["quality_gap"]):
        return 0
    s_plus, s_minus, theta = each.payoff.s_plus, each.payoff.s_minus, each.payoff.theta
    beta, gap, mean_p = (np.array([x]) for x in (1.0 - value["acceptance_rate"], value["quality_gap"], value["mean_p"]))
    size = max(1.0, s_plus + s_minus)
    assert abs(value["toxicity_rate"] - toxicity_from_gap(mean_p, beta, gap)[0]) <= 1e-12
    assert abs(value["spread"] - spread_from_gap(beta, gap, s_plus, s_minus)[0]) <= 1e-12 * size
    loss = value["conditional_loss_initiator"]
    assert abs(loss - loss_from_gap(beta, gap, s_plus, s_minus, theta)[0]) <= 1e-12 * size
    assert abs(theta * value["spread"] + loss) <= 1e-12 * size
    return 1


@given(scenarios())
@effort(30, 5000)
def test_the_identities_between_the_headline_metrics_hold_on_every_run(each: Scenario) -> None:
    _identities(each)


def test_the_identities_are_compared_on_a_run_in_which_something_is_refused() -> None:
    assert _identities(scenario(simulation={"epochs": 3})) == 3


def test_a_credit_that_appears_from_nowhere_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = open_batch([scenario()], [1])
    batch.world.ledger.audit(0.0)
    batch.world.ledger.balance[3] += 1
    with pytest.raises(InvariantBroken, match="conserved"):
        batch.world.ledger.audit(0.0)
