"""Safety rails bind every policy alike, and whatever they refuse is an event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from event_checks import micro
from mesocosm import registry
from mesocosm.agents.policies.honest import Honest
from mesocosm.api import POST, VOTE, Acts, Lever, Policy, Proposals, View
from trajectory import Event, play, scenario

EVERYONE = [
    {"type": name, "count": 2, "role": role}
    for name, role in (
        ("honest", "poster"), ("opportunistic", "worker"), ("deceptive", "poster"), ("adversarial", "poster"),
    )
]  # fmt: skip
BUSY = {"feed": {"poster_rate": 1.0, "post_rate": 0.6, "reply_rate": 0.3, "vote_rate": 0.1}}


def refusals(safety: dict[str, Any], **sections: Any) -> list[Event]:
    return play([scenario(EVERYONE, safety=safety, **(BUSY | sections))]).events("refused")


@pytest.mark.parametrize(
    ("safety", "rule"),
    [
        ({"max_posts_per_epoch": 2}, "max_posts_per_epoch"),
        ({"min_time_between_posts": 3.0}, "min_time_between_posts"),
        ({"max_content_length": 25}, "max_content_length"),
        ({"rate_limit_capacity": 2.0, "rate_limit_refill": 0.5}, "rate_limit"),
        ({"max_interactions_per_step": 0}, "max_interactions_per_step"),
    ],
)
def test_a_tight_rail_refuses_every_type_of_agent_and_says_which_rule(safety: dict[str, Any], rule: str) -> None:
    said = refusals(safety, simulation={"epochs": 2, "steps_per_epoch": 8})
    assert {event["rule"] for event in said} == {rule}
    types = {EVERYONE[event["agent"] // 2]["type"] for event in said}
    assert types == {"honest", "opportunistic", "deceptive", "adversarial"}


def test_default_rails_refuse_nothing_in_a_calm_economy() -> None:
    assert play([scenario()]).events("refused") == []


def test_an_agent_writes_no_more_posts_than_allowed_and_not_too_soon() -> None:
    each = scenario(
        EVERYONE, simulation={"epochs": 2, "steps_per_epoch": 12}, **BUSY,
        safety={"max_posts_per_epoch": 3, "min_time_between_posts": 2.5},
    )  # fmt: skip
    written = play([each]).events("posted", "replied")
    per_epoch = Counter((event["epoch"], event["agent"]) for event in written)
    assert max(per_epoch.values()) == 3
    for agent in range(8):
        step = [event["step"] for event in written if event["agent"] == agent]
        assert min(np.diff(step)) == 3


def test_tokens_limit_all_actions_and_proposals_of_an_agent_together() -> None:
    safety = {"rate_limit_capacity": 3.0, "rate_limit_refill": 1.0}
    events = play([scenario(EVERYONE, safety=safety, simulation={"epochs": 1, "steps_per_epoch": 20}, **BUSY)]).events()
    done: Counter[tuple[int, int]] = Counter()
    for event in events:
        if event["kind"] in ("posted", "replied", "voted", "interaction"):
            done[event["step"], event["initiator" if event["kind"] == "interaction" else "agent"]] += 1
    for agent in range(8):
        each_step = [done[step, agent] for step in range(20)]
        for first in range(20):
            for last in range(first, 20):
                assert sum(each_step[first : last + 1]) <= 3 + (last - first)


def test_nobody_takes_part_in_more_deals_of_a_step_than_allowed() -> None:
    each = scenario({"adversarial": 8}, safety={"max_interactions_per_step": 1}, acceptance="all")
    deals = play([each]).events("interaction")
    assert {deal["reason"] for deal in deals} >= {"accepted", "rail_interactions_per_step"}
    for side in ("initiator", "counterparty"):
        part = Counter((deal["step"], deal[side]) for deal in deals if deal["accepted"])
        assert max(part.values()) == 1, side
    both = Counter((d["step"], d[side]) for d in deals if d["accepted"] for side in ("initiator", "counterparty"))
    assert max(both.values()) == 1, "the limit is on the deals that an agent takes part in, on either side"


def test_the_budget_of_an_epoch_bounds_what_an_agent_can_lose_in_deals() -> None:
    each = scenario(safety={"budget_per_epoch": 1.6}, payoff={"settle_on": "outcome"}, simulation={"epochs": 3})
    deals = play([each]).events("interaction")
    spent: Counter[tuple[int, int]] = Counter()
    for deal in (deal for deal in deals if deal["accepted"]):
        part = micro(0.5 * deal["surplus_true"])
        gain = {deal["initiator"]: part - micro(deal["tau"]) - micro(deal["private_cost"])}
        gain[deal["counterparty"]] = part + micro(deal["tau"])
        for agent, amount in gain.items():
            spent[deal["epoch"], agent] += max(-amount, 0)
    assert 0 < max(spent.values()) <= 1_600_000
    assert any(deal["reason"] == "over_budget" for deal in deals)


def test_the_budget_of_an_epoch_bounds_what_work_on_tasks_costs_too() -> None:
    crew = [{"type": "honest", "count": 1, "role": "planner"}, {"type": "honest", "count": 2, "role": "worker"}]
    each = scenario(
        crew, safety={"budget_per_epoch": 0.0}, tasks={"per_epoch": 3}, simulation={"phases": {"proposals": False}}
    )
    burnt = play([each]).events("epoch_completed")[-1]["burnt"]
    assert burnt == 0.0


def test_the_limit_on_content_binds_submitted_work_too() -> None:
    crew = [{"type": "honest", "count": 1, "role": "planner"}, {"type": "honest", "count": 2, "role": "worker"}]
    events = play([scenario(crew, safety={"max_content_length": 5}, tasks={"per_epoch": 2})]).events()
    assert [event for event in events if event["kind"] == "task_submitted" and len(event["content"]) > 5] == []
    assert "submit" in {event["attempt"] for event in events if event["kind"] == "refused"}


def test_posts_of_a_feed_that_is_off_use_up_nothing_and_are_not_refused() -> None:
    simulation = {"phases": {"feed": False}}
    assert refusals({"max_posts_per_epoch": 0}, simulation=simulation) == []
    scarce = {"rate_limit_capacity": 2.0, "rate_limit_refill": 2.0}
    assert refusals(scarce, simulation=simulation) == []


@dataclass(frozen=True)
class Shouter(Policy):
    """Posts whatever its role allows."""

    def act(self, view: View) -> Acts:
        k = len(view)
        nothing = np.zeros(k, dtype=np.int64)
        return Acts(np.full(k, POST), nothing, nothing, np.zeros(k))


@pytest.fixture
def _shouter(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.discover()
    monkeypatch.setitem(registry._entries["policy"], "shouter", registry.Entry("policy", "shouter", Shouter, "", {}))


@pytest.mark.usefixtures("_shouter")
def test_a_tool_outside_the_role_is_refused() -> None:
    each = scenario([{"type": "shouter", "count": 1, "role": role} for role in ("verifier", "poster", "moderator")])
    played = play([each])
    assert {(e["agent"], e["rule"], e["attempt"]) for e in played.events("refused")} == {
        (0, "tool_allowlist", "post"), (2, "tool_allowlist", "post"),
    }  # fmt: skip
    assert {event["agent"] for event in played.events("posted")} == {1}
    state = played.events("agent_state")
    assert [event["refused"] for event in state if event["epoch"] == 1] == [5, 0, 5]


@dataclass(frozen=True)
class Stuffer(Policy):
    """Votes for whatever it reads, its own posts and posts it has voted on included."""

    def act(self, view: View) -> Acts:
        k = len(view)
        return Acts(np.full(k, VOTE), np.ones(k, dtype=np.int64), np.zeros(k, dtype=np.int64), np.zeros(k))


def test_a_second_vote_on_a_post_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.discover()
    monkeypatch.setitem(registry._entries["policy"], "stuffer", registry.Entry("policy", "stuffer", Stuffer, "", {}))
    posters = {"type": "honest", "count": 1, "role": "poster"}
    votes = play([scenario([posters, {"type": "stuffer", "count": 3}], safety={"max_posts_per_epoch": 1})])
    cast = Counter((event["agent"], event["post"]) for event in votes.events("voted"))
    assert len(cast) >= 3
    assert set(cast.values()) == {1}


@dataclass(frozen=True)
class FlatFee(Lever):
    """Both sides of a deal pay the same whatever it is about."""

    moves: ClassVar[str] = "initiator, counterparty -> treasury"

    def cost(self, deal: Any) -> tuple[Any, Any]:
        return 0.125, 0.25


@pytest.fixture
def _flat_fee(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.discover()
    monkeypatch.setitem(registry._entries["lever"], "flat_fee", registry.Entry("lever", "flat_fee", FlatFee, "", {}))


@pytest.mark.usefixtures("_flat_fee")
def test_a_cost_that_a_lever_gives_as_one_number_is_paid_like_a_column() -> None:
    played = play([scenario(governance={"transaction_tax": {"rate": 0.0}})], extra_levers=["flat_fee"])
    assert play([scenario()], extra_levers=["flat_fee"]).body == played.body
    accepted = sum(deal["accepted"] for deal in played.events("interaction"))
    assert played.events("epoch_completed")[-1]["treasury"] == pytest.approx(0.375 * accepted)


@dataclass(frozen=True)
class Latecomer(Honest):
    """Watches for three steps of an epoch before it proposes."""

    def propose(self, view: View) -> Proposals:
        wanted = super().propose(view)
        return wanted._replace(choice=np.where(view.step % 6 < 3, -1, wanted.choice))


@pytest.fixture
def _latecomer(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.discover()
    entry = registry.Entry("policy", "latecomer", Latecomer, "", {})
    monkeypatch.setitem(registry._entries["policy"], "latecomer", entry)


@pytest.mark.usefixtures("_latecomer")
def test_a_bandwidth_cap_counts_proposals_and_not_the_occasions_for_one() -> None:
    cap = {"bandwidth_cap": {"max_actions": 2}}
    each = scenario({"latecomer": 4}, governance=cap, simulation={"epochs": 1, "steps_per_epoch": 6})
    made = Counter(deal["initiator"] for deal in play([each]).events("interaction"))
    assert made == {0: 2, 1: 2, 2: 2, 3: 2}


def test_deals_whose_worst_case_is_nothing_never_overdraw_an_account() -> None:
    each = scenario(
        {"adversarial": 6},
        governance={"random_audit": {"probability": 0.3, "penalty": 1000.0}},  # leaves nothing at all
        payoff={"theta": 0.2000006, "s_minus": 1.0, "settle_on": "outcome"},
        conduct={
            "transfer": 0.4000012, "disguise_cost": 0.2000006, "disguise_menu": [1.0], "effort_menu": [0.0],
            "q_low": 0.0, "transfer_menu": [-1.0, 0.0],
        },
        acceptance="all",
    )  # fmt: skip
    assert play([each]).reason == "completed"
    assert min(event["balance"] for event in play([each]).events("agent_state")) == 0.0


@pytest.mark.parametrize("gain", [0.0, 0.7, 10.0])
def test_bayes_calibration_of_traces_without_noise_does_not_crash(gain: float) -> None:
    weights = {"progress": 1.0, "rework": 0.0, "rejection_misuse": 0.0, "engagement": 0.0}
    proxy = {"calibration": "bayes", "weights": weights, "progress_noise": 0.0, "progress_gain": gain}
    played = play([scenario(proxy=proxy)])
    assert played.reason == "completed"


def test_a_vote_goes_to_the_post_that_was_read_and_not_to_its_successor_in_the_ring() -> None:
    crowd = [{"type": "honest", "count": 60, "role": "poster"}, {"type": "honest", "count": 60, "role": "moderator"}]
    each = scenario(
        crowd, simulation={"epochs": 1, "steps_per_epoch": 6, "phases": {"proposals": False}},
        feed={"capacity": 64, "visible": 64, "poster_rate": 1.0},
    )  # fmt: skip
    events = play([each]).events("posted", "replied", "voted", "flagged")
    step = {event["seq"]: event["step"] for event in events}
    early = [event for event in events if "post" in event and step[event["post"]] == event["step"]]
    assert early == [], "with simultaneous turns nobody has read a post of the same step"
