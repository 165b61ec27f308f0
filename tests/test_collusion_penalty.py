"""The collusion penalty: silence where there is nothing, power over rings, what it takes, and how agents keep clear."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from scipy import stats

from event_checks import check_books
from mesocosm.api import Enact
from mesocosm.config.schema import Scenario
from rings import RING, WATCH, flagged_in, plant_ring, popular, shocked, with_ring
from scenario_strategy import IS_DEEP
from societies import NULLS, society
from trajectory import Event, play, scenario

pytestmark = pytest.mark.usefixtures("registries_as_they_were")

RUNS = range(1000, 3000 if IS_DEEP else 1200)
EPOCHS = 20 if IS_DEEP else 10
TIGHT = (0.0, 0.25, 0.5, 0.75, 1.0)
EVEN = {"leeway": 1.0, "level": 0.3}  # so strict that pairs that mean nothing come near


def runs_with_any(found: set[tuple[int, int, int]]) -> int:
    return len({run for run, _, _ in found})


def assert_quiet(found: set[tuple[int, int, int]], level: float = 0.05) -> None:
    """No more than a level of the runs have a flag, as far as so many runs can tell."""
    alarms = runs_with_any(found)
    assert alarms <= level * len(RUNS), alarms
    interval = stats.binomtest(alarms, len(RUNS)).proportion_ci(0.95, method="wilson")
    assert interval.low <= level
    assert interval.high <= level + 0.04


# --- silence


@pytest.mark.parametrize("name", NULLS)
def test_hardly_any_run_has_a_flag_where_nobody_colludes(name: str) -> None:
    """Tested at the end of every epoch, any flag in any of them counts."""
    assert_quiet(flagged_in(society(NULLS[name], EPOCHS, governance=WATCH), RUNS))


def test_friends_alone_would_be_flagged_without_the_leeway() -> None:
    """The silence is the leeway's: at 1 nearly every honest society has pairs that like each other."""
    strict = {"collusion_penalty": {"penalty": 0.0, "leeway": 1.0}}
    found = flagged_in(society(NULLS["all honest"], EPOCHS, governance=strict), range(1000, 1050))
    assert runs_with_any(found) > 40


def test_an_agent_to_whom_everybody_turns_is_no_colluder() -> None:
    each, decide = popular(EPOCHS)
    assert_quiet(flagged_in(each, RUNS, decide))


def test_a_shock_that_moves_everybody_at_once_is_no_collusion() -> None:
    each, orders = shocked(EPOCHS)
    assert_quiet(flagged_in(each, RUNS, orders=orders))


def test_honest_agents_are_fined_no_more_often_than_the_level_says() -> None:
    fined = 0
    n = 40
    for seed in range(n):
        each = society({"honest": 20}, 10, governance={"collusion_penalty": {}})
        fined += bool(play([each], [1000 + seed]).events("colluding"))
    assert stats.binomtest(fined, n).proportion_ci(0.95).low <= 0.05
    assert fined <= 4


# --- power


def test_the_tighter_a_ring_the_surer_it_is_found_and_nobody_else_is() -> None:
    plant_ring()
    runs = range(1000, 1500 if IS_DEEP else 1060)
    share, others = [], 0
    for tight in TIGHT:
        found = flagged_in(with_ring(tight, 10), runs)
        ring = {pair for pair in found if pair[1] >= 20 - RING}
        share.append(runs_with_any(ring) / len(runs))
        others += runs_with_any(found - ring)
    assert share == sorted(share)
    assert share[0] <= 0.05
    assert 0.4 < share[2] < 0.95
    assert share[-2:] == pytest.approx([1.0, 1.0], abs=0.02)
    assert others <= 0.05 * len(TIGHT) * len(runs)


@pytest.mark.parametrize("adversaries", [2, 3])
def test_a_coalition_of_the_model_is_found(adversaries: int) -> None:
    each = society({"honest": 20 - adversaries, "adversarial": adversaries}, 10, governance=WATCH)
    found = flagged_in(each, range(1000, 1060))
    ring = {pair for pair in found if pair[1] >= 20 - adversaries}
    assert runs_with_any(ring) >= 57
    assert runs_with_any(found - ring) <= 3


# --- the test, worked out again from the log


Flags = dict[tuple[int, int], tuple[Any, ...]]
BLOCKS: list[dict[str, Any]] = [
    {}, {"memory": 1, "level": 0.8, "leeway": 1.0}, {"memory": 3, "level": 0.3, "leeway": 1.2},
]  # fmt: skip


def slow_flags(events: list[Event], epoch: int, n: int, block: dict[str, Any]) -> Flags:
    """Flagged pairs at the end of an epoch, with count, expected count and probability, from the deals alone."""
    since = epoch - block.get("memory", 5)
    count: Counter[tuple[int, int]] = Counter()
    for deal in events:
        if deal["kind"] == "interaction" and deal["accepted"] and since < deal["epoch"] <= epoch:
            a, b = sorted((deal["initiator"], deal["counterparty"]))
            count[a, b] += 1
    degree: Counter[int] = Counter()
    for (a, b), times in count.items():
        degree[a] += times
        degree[b] += times
    m, found = sum(degree.values()), {}
    for (a, b), times in count.items():
        expected = degree[a] * degree[b] / 2 * (1 / (m - degree[a]) + 1 / (m - degree[b]))
        p = float(stats.poisson.sf(times - 1, block.get("leeway", 2.0) * expected))
        found[a, b] = (times, expected, p)
    ordered = sorted(p for _, _, p in found.values())
    tests = n * (n - 1) / 2
    passed = [p for rank, p in enumerate(ordered, 1) if p * tests <= block.get("level", 0.05) * rank]
    return {pair: told for pair, told in found.items() if passed and told[2] <= max(passed)}


@pytest.mark.parametrize(
    "block", [{}, {"memory": 1, "level": 0.8, "leeway": 1.0}, {"memory": 3, "level": 0.3, "leeway": 1.2}], ids=str
)
def test_those_fined_are_those_that_the_log_gives_reason_for(block: dict[str, Any]) -> None:
    agents = {"honest": 10, "opportunistic": 4, "adversarial": 3}
    each = scenario(agents, governance={"collusion_penalty": block}, simulation={"epochs": 8, "steps_per_epoch": 10})
    played = play([each])
    told: dict[int, Flags] = {epoch: {} for epoch in range(8)}
    for event in played.events("colluding"):
        told[event["epoch"]][event["agent"], event["partner"]] = (event["count"], event["expected"], event["p_value"])
    assert sum(map(len, told.values())) > 3
    for epoch, found in told.items():
        expected = slow_flags(played.events(), epoch, 17, block)
        assert set(found) == set(expected) | {(b, a) for a, b in expected}, "both members, and nobody else"
        for (a, b), numbers in expected.items():
            assert found[a, b] == found[b, a] == pytest.approx(numbers, rel=1e-9)


def test_a_memory_enacted_in_mid_run_reaches_as_far_as_it_says() -> None:
    def change(tick: Any) -> list[Enact] | None:
        return [Enact("collusion_penalty", "memory", 2)] if (tick.step, tick.turn) == (50, 0) else None

    agents = {"honest": 10, "adversarial": 3}
    played = play([scenario(agents, governance={"collusion_penalty": {}}, simulation=LONG)], orders=change)
    for epoch, memory in ((4, 5), (5, 2), (9, 2)):
        expected = slow_flags(played.events(), epoch, 13, {"memory": memory})
        found = {(e["agent"], e["partner"]) for e in played.events("colluding") if e["epoch"] == epoch}
        assert found == set(expected) | {(b, a) for a, b in expected}


# --- what it takes

LONG = {"epochs": 10, "steps_per_epoch": 10}
COALITION = {"honest": 14, "adversarial": 3}


def punished(sanction: str, budget: float = 100.0, penalty: float = 3.0, **more: Any) -> tuple[Scenario, Any]:
    block = {"sanction": sanction, "penalty": penalty, "cool_down": 4}
    environment = {"initial_budget": budget}
    each = scenario(
        COALITION, governance={"collusion_penalty": block, **more}, environment=environment, simulation=LONG
    )
    return each, play([each])


@pytest.mark.parametrize("sanction", ["fine", "freeze", "both"])
def test_members_are_fined_or_frozen_or_both(sanction: str) -> None:
    each, played = punished(sanction)
    flags, freezes = played.events("colluding"), played.events("frozen")
    assert flags
    assert {event["fine"] for event in flags} == ({0.0} if sanction == "freeze" else {3.0})
    if sanction == "fine":
        assert not freezes
    else:
        assert {(e["step"], e["agent"]) for e in freezes} == {(e["step"], e["agent"]) for e in flags}
        assert {e["until_step"] - e["step"] for e in freezes} == {5}
    check_books(played.events(), each)


def test_nobody_pays_more_than_balance_and_stake() -> None:
    each, played = punished("fine", budget=30.0, penalty=100.0, staking={"amount": 1.0})
    flags = played.events("colluding")
    assert flags
    assert any(event["fine"] < 100.0 for event in flags)
    assert any(event["kind"] == "slashed" and not event["causes"] for event in played.events())
    check_books(played.events(), each)


def test_a_level_of_0_leaves_no_trace_and_another_memory_beside_it_makes_no_difference() -> None:
    bare = scenario(COALITION, simulation=LONG)
    off = scenario(COALITION, governance={"collusion_penalty": {"level": 0.0}}, simulation=LONG)
    each = scenario(COALITION, governance={"collusion_penalty": {}}, simulation=LONG)
    longer = scenario({"honest": 5, "adversarial": 2}, governance={"collusion_penalty": {"memory": 9}}, simulation=LONG)
    assert play([off]).hash() == play([bare]).hash()
    together = play([longer, off, each])
    assert together.hashes == [play([alone]).hash() for alone in (longer, off, each)]


def test_who_has_left_is_not_punished() -> None:
    groups = [{"type": "honest", "count": 14}, {"type": "adversarial", "count": 3}]
    leaving = {"departures": [{"type": "adversarial", "count": 1, "epoch": 6}]}
    each = scenario(groups, governance={"collusion_penalty": {}}, population=leaving, simulation=LONG)
    played = play([each])
    [gone] = [event["agent"] for event in played.events("departed")]
    late = [event for event in played.events("colluding") if event["epoch"] >= 6]
    assert late
    assert gone not in {event["agent"] for event in late}
    check_books(played.events(), each)


# --- how agents keep clear


def flags_and_deals(agents: dict[str, int], adaptation: str, **block: Any) -> tuple[float, int, int]:
    """Flagged pairs, deals of all, and deals between adversaries, over a few seeds."""
    flags, deals, inside = 0.0, 0, 0
    honest = agents.get("honest", 0)
    for seed in range(4):
        each = scenario(
            agents, governance={"collusion_penalty": block}, adaptation=adaptation,
            environment={"initial_budget": 1000.0}, simulation=LONG,
        )  # fmt: skip
        played = play([each], [seed])
        flags += len(played.events("colluding")) / 2
        made = [deal for deal in played.events("interaction") if deal["accepted"]]
        deals += len(made)
        inside += sum(min(deal["initiator"], deal["counterparty"]) >= honest for deal in made)
    return flags, deals, inside


def test_learning_agents_turn_to_others_before_a_pair_is_flagged_and_frozen_ones_do_not() -> None:
    calm, before, _ = flags_and_deals({"opportunistic": 8}, "learning", penalty=0.0, **EVEN)
    wary, after, _ = flags_and_deals({"opportunistic": 8}, "learning", penalty=10.0, **EVEN)
    assert calm > 40
    assert wary < 0.7 * calm, "pairs stay under the threshold"
    assert after > 0.95 * before, "and deal as much as ever, with others"
    loose, dull = (flags_and_deals({"opportunistic": 8}, "frozen", penalty=fine, **EVEN) for fine in (0.0, 10.0))
    assert dull == loose


def test_a_ring_that_learns_spreads_its_deals_where_the_fine_is_high() -> None:
    rich = {"honest": 17, "adversarial": 3}
    calm, wary = (flags_and_deals(rich, "learning", penalty=fine) for fine in (0.0, 100.0))
    assert wary[0] < 0.6 * calm[0]
    assert wary[2] < 0.9 * calm[2], "mates deal less with each other"
