"""The moderator: whom it refuses or suspends, how much it gets through, when, and how agents answer it."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from event_checks import check_order, check_presence
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import open_batch
from mesocosm.engine.observe import outlook
from mesocosm.governance.moderator_agent import ModeratorAgent
from trajectory import Event, play, scenario

MIX = {"honest": 6, "opportunistic": 6, "deceptive": 2, "adversarial": 2}
LONG = {"epochs": 6, "steps_per_epoch": 15}
FOUR = 4.0  # standard errors
ALL = 1_000


def moderated(agents: dict[str, int] = MIX, block: dict[str, Any] | None = None, **sections: Any) -> Scenario:
    """A society with a moderator, or without one where None is given."""
    governance = {} if block is None else {"moderator_agent": block}
    roomy = {"max_interactions_per_step": 100, "rate_limit_capacity": 1000.0}
    simulation = sections.pop("simulation", LONG)
    return scenario(agents, governance=governance, simulation=simulation, safety=roomy, **sections)


def near(hits: int, n: int, chance: float) -> bool:
    """Whether so many hits in n are within four standard errors of what a chance leads to."""
    return bool(abs(hits - n * chance) <= FOUR * float(n * chance * (1.0 - chance)) ** 0.5)


# --- before the deal


@pytest.mark.parametrize(("reach", "error"), [(0.5, 0.0), (1.0, 0.2), (0.4, 0.3), (1.0, 0.0)])
def test_flags_are_acted_upon_with_the_chances_that_are_announced(reach: float, error: float) -> None:
    """v_hat < 0 is refused with chance reach (1 - error), and what looks good with reach error."""
    block = {"reach": reach, "error": error, "capacity": ALL}
    played = play([moderated(block=block, adaptation="frozen")])
    deals = played.events("interaction")
    refused = {suspicious: [0, 0] for suspicious in (True, False)}
    for deal in deals:
        count = refused[deal["v_hat"] < 0.0]
        count[0] += deal["reason"] == "refused_by_lever"
        count[1] += 1
    assert min(n for _, n in refused.values()) > 300
    for suspicious, chance in ((True, reach * (1.0 - error)), (False, reach * error)):
        hits, n = refused[suspicious]
        assert near(hits, n, chance)
    reviews = {event["interaction"]: event for event in played.events("moderated")}
    assert sorted(reviews) == [deal["seq"] for deal in deals], "there was time for all of them"
    for deal in deals:
        review = reviews[deal["seq"]]
        assert (deal["reason"] == "refused_by_lever") == review["acted"]
        assert review["flagged"] >= review["acted"]
        assert review["agent"] == deal["initiator"]
        if error == 0.0:
            assert review["flagged"] == (deal["v_hat"] < 0.0)


def test_without_reach_the_run_is_the_same_to_the_bit() -> None:
    bare = play([moderated()])
    for idle in ({"reach": 0.0, "error": 0.4}, {"reach": 0.0, "delay": 3, "capacity": 2}):
        assert play([moderated(block=idle)]).hash() == bare.hash()


def test_a_moderator_without_time_reviews_nothing_and_stops_nobody() -> None:
    played = play([moderated(block={"reach": 1.0, "error": 1.0, "capacity": 0}, adaptation="frozen")])
    assert not played.events("moderated")
    assert played.hash() != play([moderated()]).hash(), "adaptation differs"
    deals, bare = (p.events("interaction") for p in (played, play([moderated(adaptation="frozen")])))
    assert deals == bare


# --- how much of it


@pytest.mark.parametrize("turns", ["simultaneous", "sequential"])
@pytest.mark.parametrize("delay", [0, 2])
def test_no_more_than_the_capacity_is_reviewed_in_a_step_and_no_less_if_there_is_enough(turns: str, delay: int) -> None:
    block = {"reach": 0.3, "capacity": 7, "delay": delay}
    played = play([moderated(block=block, simulation=LONG | {"turns": turns})])
    reviews = Counter(event["step"] for event in played.events("moderated"))
    deals = played.events("interaction")
    offered = Counter(deal["step"] for deal in deals if deal["accepted"] or delay == 0)
    assert reviews
    assert dict(reviews) == {step: min(n, 7) for step, n in offered.items()}
    assert max(offered.values()) > 7


def test_who_is_reviewed_is_drawn_by_lot_so_that_everybody_is_as_likely() -> None:
    """In the first pass of a step, 4 of 16 proposals: every agent's chance is 4/16."""
    each = moderated({"honest": 16}, {"reach": 0.01, "capacity": 4}, simulation={"epochs": 10, "steps_per_epoch": 40})
    reviews = Counter(event["agent"] for event in play([each]).events("moderated"))
    assert sum(reviews.values()) == 4 * 400
    assert all(near(reviews[agent], 400, 0.25) for agent in range(16))
    assert len(set(reviews.values())) > 3, "by lot, not by turns"


def test_capacity_is_of_each_replicate_and_a_moderator_works_the_same_alone_and_in_a_batch() -> None:
    few, late = (
        moderated(block={"reach": 0.7, "error": 0.1, "capacity": n, "delay": delay}) for n, delay in ((3, 0), (5, 4))
    )
    together = play([late, few, few, late], [1, 2, 3, 4])
    for replicate, each in enumerate((late, few, few, late)):
        assert play([each], [replicate + 1]).hash() == together.hash(replicate)


# --- after the deal


@pytest.mark.parametrize(("delay", "suspension"), [(1, 3), (4, 1), (50, 7)])
def test_with_a_delay_deals_stand_and_their_initiators_are_suspended_later(delay: int, suspension: int) -> None:
    block = {"reach": 0.4, "error": 0.1, "delay": delay, "suspension": suspension, "capacity": ALL}
    each = moderated(block=block)
    events = play([each]).events()
    check_order(events, LONG["steps_per_epoch"])
    check_presence(events, each)
    reviews = [event for event in events if event["kind"] == "moderated"]
    deals = {event["seq"]: event for event in events if event["kind"] == "interaction"}
    assert {deal["reason"] for deal in deals.values()} <= {"accepted", "declined", "counterparty_frozen"}
    assert sorted(event["interaction"] for event in reviews) == [s for s, deal in deals.items() if deal["accepted"]]
    suspicious = [event for event in reviews if deals[event["interaction"]]["v_hat"] < 0.0]
    assert near(sum(event["acted"] for event in suspicious), len(suspicious), 0.4 * 0.9)
    last = LONG["epochs"] * LONG["steps_per_epoch"] - 1
    due = {(event["agent"], event["step"] + delay) for event in reviews if event["acted"]}
    frozen = [event for event in events if event["kind"] == "frozen"]
    assert {(event["agent"], event["step"]) for event in frozen} == {(a, step) for a, step in due if step <= last}
    assert len(frozen) > 20
    for event in frozen:
        assert event["until_step"] == event["step"] + suspension
        cause = deals[event["causes"][0]]
        assert (cause["initiator"], cause["step"]) == (event["agent"], event["step"] - delay)


def test_whoever_left_before_its_suspension_is_not_suspended() -> None:
    block = {"reach": 0.3, "error": 1.0, "delay": 3, "suspension": 1, "capacity": ALL}
    leaving = {"departures": [{"type": "honest", "count": 6, "epoch": 1}]}
    events = play([moderated({"honest": 12}, block, population=leaving)]).events()
    gone = {event["agent"] for event in events if event["kind"] == "departed"}
    late = [event for event in events if event["kind"] == "moderated" and event["step"] >= LONG["steps_per_epoch"] - 3]
    assert any(event["acted"] and event["agent"] in gone for event in late)
    assert not any(event["kind"] == "frozen" and event["agent"] in gone and event["epoch"] > 0 for event in events)


# --- how agents answer it


def quality(agents: dict[str, int], block: dict[str, Any] | None, adaptation: str, seed: int) -> tuple[float, ...]:
    """Mean effort, mean disguise of proposals; number of accepted deals, and share of them that turned out badly."""
    deals = play([moderated(agents, block, adaptation=adaptation)], [seed]).events("interaction")
    accepted = [deal for deal in deals if deal["accepted"]]
    conduct = [float(np.mean([deal[name] for deal in deals])) for name in ("effort", "disguise")]
    return (*conduct, len(accepted), float(np.mean([deal["v"] < 0 for deal in accepted])))


@pytest.mark.parametrize("block", [{"reach": 1.0, "capacity": ALL}, {"reach": 1.0, "capacity": ALL, "delay": 2}])
def test_learners_work_harder_under_a_moderator_and_frozen_ones_do_not(block: dict[str, Any]) -> None:
    agents = {"opportunistic": 10}

    def effect(adaptation: str) -> Any:
        change = [
            np.subtract(quality(agents, block, adaptation, seed), quality(agents, None, adaptation, seed))
            for seed in range(5)
        ]
        return np.array(change)[:, 0]

    learning, frozen = effect("learning"), effect("frozen")
    assert learning.mean() > FOUR * np.std(learning, ddof=1) / 5**0.5
    assert (learning - frozen).mean() > FOUR * np.std(learning - frozen, ddof=1) / 5**0.5


def test_among_honest_agents_a_moderator_costs_the_deals_that_looked_bad_by_accident_or_error() -> None:
    agents = {"honest": 10}
    bare = np.mean([quality(agents, None, "learning", seed) for seed in range(4)], axis=0)
    for error in (0.0, 0.2):
        block = {"reach": 1.0, "error": error, "capacity": ALL}
        held = np.mean([quality(agents, block, "learning", seed) for seed in range(4)], axis=0)
        assert held[3] < bare[3], "fewer bad ones"
        assert 1.0 - held[2] / bare[2] == pytest.approx(0.05 + 0.7 * error, abs=0.05)


@pytest.mark.parametrize(
    "proxy", [{}, {"calibration": "bayes", "prior": 0.2}, {"noise": "gaussian"}, {"noise": "uniform"}]
)
def test_agents_know_how_often_an_outcome_looks_suspicious(proxy: dict[str, Any]) -> None:
    each = moderated(
        {"opportunistic": 8, "adversarial": 8}, simulation={"epochs": 6, "steps_per_epoch": 30}, proxy=proxy
    )
    look = outlook(open_batch([each], [1]), np.array([0]))
    seen: dict[tuple[int, float], list[bool]] = {}
    for deal in play([each]).events("interaction"):
        level = deal["disguise"] if deal["v"] < 0 else 0.0
        seen.setdefault((deal["v"], level), []).append(deal["v_hat"] < 0.0)
    told = {(1, 0.0): look.suspect_good} | {
        (-1, d): chance for d, chance in zip((0.0, 0.5, 1.0), look.suspect_bad, strict=True)
    }
    tried = [kind for kind, flags in seen.items() if len(flags) > 100]
    assert len(tried) >= 2
    for kind in tried:
        n, chance = len(seen[kind]), float(np.ravel(told[kind])[0])
        assert abs(sum(seen[kind]) - n * chance) < FOUR * (n * chance * (1.0 - chance)) ** 0.5 + 0.005 * n, kind


def foreseen(block: dict[str, Any], reviewed: int = 0, brought: int = 0, is_public: bool = False) -> Any:
    """What a moderator of so many agents foretells one whose looks are known."""
    column = {"reviewed": np.array([reviewed]), "brought": np.array([brought])}

    def believed(announced: Any, met: Any, of: Any) -> Any:
        return announced if is_public else (20.0 * announced + met) / (20.0 + of)

    look = SimpleNamespace(suspect_good=np.array([0.1]), suspect_bad=[np.array([0.9]), np.array([0.4])])
    ahead: Any = SimpleNamespace(
        look=look, others=np.array([9]), row_a=np.array([0]), payoff=np.array([0.5]), believed=believed
    )  # fmt: skip
    bench: Any = SimpleNamespace(column=column)
    return ModeratorAgent(**block).foresee(bench, ahead)


def test_what_is_foreseen_follows_capacity_error_and_own_experience() -> None:
    told = foreseen({"reach": 0.5, "error": 0.2, "capacity": 4}, is_public=True)
    flagged = [0.1 * 0.8 + 0.9 * 0.2, 0.9 * 0.8 + 0.1 * 0.2, 0.4 * 0.8 + 0.6 * 0.2]
    assert told.pass_good[0] == pytest.approx(1.0 - 0.5 * 0.4 * flagged[0])
    assert [chance[0] for chance in told.pass_bad] == pytest.approx([1.0 - 0.5 * 0.4 * f for f in flagged[1:]])
    assert not np.any(told.fine_good)
    late = foreseen({"reach": 0.5, "error": 0.2, "capacity": 4, "delay": 3, "suspension": 6}, is_public=True)
    assert late.fine_good[0] == pytest.approx(0.5 * 0.4 * flagged[0] * 6 * 0.5)
    assert [fine[0] for fine in late.fine_bad] == pytest.approx([0.5 * 0.4 * f * 6 * 0.5 for f in flagged[1:]])
    assert late.pass_good[0] == 1.0
    met = foreseen({"reach": 1.0, "capacity": 4}, reviewed=20, brought=20)
    assert met.pass_bad[0][0] == pytest.approx(1.0 - 0.9 * 28.0 / 40.0)
    assert foreseen({"reach": 1.0, "capacity": 40}).pass_bad[0][0] == pytest.approx(0.1), "nobody is reviewed twice"


def test_the_review_of_a_proposal_is_logged_with_the_interaction_that_became_of_it() -> None:
    events: list[Event] = play([moderated(block={"reach": 0.5, "capacity": 5})]).events("interaction", "moderated")
    by_seq = {event["seq"]: event for event in events}
    for event in events:
        if event["kind"] == "moderated":
            assert event["causes"] == [event["interaction"]]
            assert by_seq[event["interaction"]]["step"] == event["step"]
