"""A price on messages, and ballots that are capped and split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from event_checks import check_books, micro
from mesocosm import registry
from mesocosm.agents.policies.adversarial import Adversarial
from mesocosm.api import REPLY, Acts, Enact, Policy, View
from mesocosm.engine.batch import open_batch
from mesocosm.engine.govern import open_stack
from mesocosm.engine.loop import play_batch
from mesocosm.engine.season import count_ballots
from mesocosm.env.events import Tick
from mesocosm.governance.vote_normalisation import VoteNormalisation
from mesocosm.runner.drive import Plan, drive
from trajectory import Event, Played, play, scenario

WRITTEN = ("posted", "replied")
#: agents that write every other step, and do nothing else
TALK: dict[str, Any] = {
    "feed": {"post_rate": 0.4, "reply_rate": 0.2, "vote_rate": 0.3},
    "simulation": {"epochs": 2, "steps_per_epoch": 10, "phases": {"tasks": False, "proposals": False}},
}
CROWD = [{"type": "honest", "count": 100, "role": "worker"}]
BRIGADE = {"honest": 8, "adversarial": 4}


def taxed(price: float) -> dict[str, Any]:
    return {"governance": {"message_tax": {"price": price}}}


def messages(played: Played, replicate: int = 0) -> list[Event]:
    return played.events(*WRITTEN, replicate=replicate)


# --- a price on messages


@pytest.mark.parametrize("price", [0.05, 0.2, 0.5])
def test_the_volume_of_messages_falls_as_the_worth_of_a_message_is_distributed(price: float) -> None:
    free, dear = (len(messages(play([scenario(CROWD, **TALK, **more)]))) for more in ({}, taxed(price)))
    expected = math.exp(-price / 0.2)
    assert free > 700
    assert abs(dear / free - expected) < 4.0 * math.sqrt(expected * (1.0 - expected) / free)


def test_who_writes_at_a_price_would_have_written_without_and_at_every_lower_one() -> None:
    """Posts alone, which nobody else's posts lead to."""
    posts = {**TALK, "feed": {"post_rate": 0.6, "reply_rate": 0.0, "vote_rate": 0.0}}

    def written(price: float) -> set[tuple[int, int]]:
        played = play([scenario(CROWD, **posts, **taxed(price))])
        return {(event["step"], event["agent"]) for event in messages(played)}

    assert written(0.4) < written(0.1) < written(0.0)


@pytest.mark.parametrize("adaptation", ["learning", "frozen"])
def test_every_message_is_paid_for_by_its_author_to_the_treasury(adaptation: str) -> None:
    each = scenario(adaptation=adaptation, **TALK, **taxed(0.1))
    played = play([each])
    written = sorted((event["step"], event["agent"]) for event in messages(played))
    charged = [(event["step"], event["agent"]) for event in played.events("charged")]
    assert charged == written
    assert {(event["what"], event["amount"]) for event in played.events("charged")} == {("message", 0.1)}
    assert micro(played.events("epoch_completed")[-1]["treasury"]) == len(written) * micro(0.1)
    assert sum(note["count"] for note in played.notes("fired")) == len(written) > 20
    check_books(played.events(), each)


@pytest.mark.parametrize("worth", [0.2, 0.0])
def test_honest_agents_respond_and_frozen_ones_write_on_and_pay(worth: float) -> None:
    feed = {"post_rate": 0.5, "reply_rate": 0.0, "vote_rate": 0.0, "message_worth": worth}
    for kind, adaptation, responds in (
        ("honest", "frozen", True), ("opportunistic", "learning", True), ("opportunistic", "frozen", False),
        ("deceptive", "frozen", False), ("adversarial", "frozen", False),
    ):  # fmt: skip
        own = {"adaptation": adaptation, "simulation": TALK["simulation"], "feed": feed}
        free, dear = (play([scenario({kind: 10}, **own, **more)]) for more in ({}, taxed(0.2)))
        told = [[(event["step"], event["agent"]) for event in messages(played)] for played in (free, dear)]
        assert (told[0] != told[1]) == responds, (kind, adaptation)
        assert (len(dear.events("charged")) > 50) == (not responds or len(told[1]) > 50)
        if responds and worth == 0.0:
            assert told[1] == []


def test_a_neighbour_with_a_price_changes_nothing_for_those_whose_messages_are_free() -> None:
    free = scenario(feed={"message_worth": 0.0}, environment={"initial_budget": 0.2, "credit_limit": 3.0})
    alone = play([free], [3])
    assert min(event["balance"] for event in alone.events("agent_state")) < 0.0
    assert len(messages(alone)) > 5
    assert play([free, scenario(**taxed(0.3))], [3, 4]).hash() == alone.hash()


def test_who_is_in_debt_may_still_do_what_costs_nothing() -> None:
    debt = {"initial_budget": 0.0, "credit_limit": 3.0}
    busy = {"post_rate": 0.2, "reply_rate": 0.0, "vote_rate": 0.8, "message_worth": 1000.0}
    each = scenario(feed=busy, environment=debt, simulation={"epochs": 3}, acceptance="all", **taxed(0.3))
    played = play([each])
    refused = played.events("refused")
    assert {event["attempt"] for event in refused if event["rule"] == "message_unpaid"} == {"post"}
    assert len(played.events("voted")) > 10


@pytest.mark.parametrize(
    ("environment", "safety", "most"),
    [({"initial_budget": 0.25}, {}, 2), ({"initial_budget": 0.3}, {}, 3), ({}, {"budget_per_epoch": 0.15}, 1)],
)
def test_messages_are_paid_from_the_balance_and_within_the_budget_of_the_epoch(
    environment: dict[str, Any], safety: dict[str, Any], most: int
) -> None:
    feed = {"post_rate": 1.0, "reply_rate": 0.0, "vote_rate": 0.0, "message_worth": 1000.0}
    simulation = {**TALK["simulation"], "epochs": 1}
    own = {"feed": feed, "simulation": simulation, "environment": environment, "safety": safety}
    crowd = [{"type": "honest", "count": 5, "role": "worker"}]
    played = play([scenario(crowd, **own, **taxed(0.1))])
    assert len(played.events("posted")) == 5 * most
    assert {event["rule"] for event in played.events("refused")} == {"message_unpaid"}
    assert len(played.events("refused")) == 5 * (10 - most)


@dataclass(frozen=True)
class Echo(Policy):
    """Replies, whether or not there is anything to reply to."""

    def act(self, view: View) -> Acts:
        nothing = np.zeros(len(view), dtype=np.int64)
        return Acts(nothing + REPLY, nothing + 1, nothing, np.zeros(len(view)))


def test_a_reply_to_nothing_is_not_written_and_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.discover()
    monkeypatch.setitem(registry._entries["policy"], "echo", registry.Entry("policy", "echo", Echo, "", {}))
    played = play([scenario({"echo": 3}, **taxed(0.1))])
    assert played.events("charged", *WRITTEN) == []
    assert {event["balance"] for event in played.events("agent_state")} == {100.0}


def test_a_price_enacted_in_mid_run_is_charged_from_then_on_and_only_there() -> None:
    def tax(tick: Tick) -> list[Enact] | None:
        return [Enact("message_tax", "price", 0.25, replicate=1)] if (tick.step, tick.turn) == (7, 1) else None

    calm = scenario(**TALK)
    played = play([calm, calm], [1, 1], orders=tax, extra_levers=["message_tax"])
    assert played.hash(0) == play([calm], [1]).hash()
    charged = played.events("charged", replicate=1)
    assert {event["amount"] for event in charged} == {0.25}
    assert min(event["step"] for event in charged) == 8
    assert len(charged) == len([event for event in messages(played, 1) if event["step"] >= 8])


@pytest.mark.parametrize("adaptation", ["learning", "frozen"])
def test_a_price_that_keeps_everybody_silent_is_not_said_to_have_done_nothing(adaptation: str) -> None:
    each = scenario({"honest": 4}, adaptation=adaptation, **taxed(1000.0))
    assert [flag for flag in drive(Plan([each], [1], "epoch")).flags[0] if "message_tax" in flag] == [
        "the lever message_tax acted on no deal: any effect it had is that of agents who expected it to"
    ]


# --- ballots


def votes(**block: float) -> dict[str, Any]:
    return {"governance": {"vote_normalisation": block}, "simulation": {"epochs": 3, "steps_per_epoch": 10}}


def test_under_a_cap_of_one_adversaries_count_as_if_their_ballots_weighed_what_others_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capped = play([scenario(**votes(max_weight=1.0))]).hash()
    assert capped != play([scenario(**votes(max_weight=4.0))]).hash()
    monkeypatch.setattr(Adversarial, "ballot_weight", 1.0)
    assert play([scenario(**votes(max_weight=4.0))]).hash() == capped


def test_a_brigade_loses_weight_under_a_cap() -> None:
    """Honest agents stand higher, and adversaries lower, than where the brigade counts in full."""

    def standing(**given: float) -> tuple[float, float]:
        played = play([scenario(BRIGADE, **votes(**given))] * 10, range(10))
        states = [e for r in range(10) for e in played.events("agent_state", replicate=r) if e["epoch"] == 2]
        honest, rest = ([e["reputation"] for e in states if (e["agent"] < 8) == side] for side in (True, False))
        return float(np.mean(honest)), float(np.mean(rest))

    full, weighed = standing(max_weight=4.0), standing(max_weight=1.0)
    assert weighed[0] > full[0] + 0.02
    assert weighed[1] < full[1] - 0.02


@pytest.mark.parametrize(("cap", "share"), [(1e9, 1.0), (2.5, 0.4), (1.0, 1.0), (0.0, 0.5), (1e9, 0.0)])
def test_ballots_are_weighed_like_a_count_by_hand(cap: float, share: float) -> None:
    each = scenario(
        {"honest": 3, "adversarial": 4, "deceptive": 2}, simulation={"epochs": 2, "steps_per_epoch": 10},
        population={"departures": [{"type": "adversarial", "count": 1, "epoch": 1}]},
        governance={"vote_normalisation": {"max_weight": cap, "share": share}},
    )  # fmt: skip
    batch = open_batch([each], [5])
    for item in play_batch(batch):
        if isinstance(item, Tick) and (item.step, item.turn) == (18, 1):
            break
    world = batch.world
    assert world.active.sum() == 8
    said = [_ballots_of(batch, voter) for voter in range(9)]
    expected = []
    for rated in range(9):
        given = weight = 0.0
        for voter, ballots in enumerate(said):
            if rated in ballots:
                whole = min(batch.cast[world.code[voter]].policy.ballot_weight, cap)
                counts = (1.0 - share) * whole + share * whole / len(ballots)
                given, weight = given + counts * ballots[rated], weight + counts
        moved = world.reputation[rated] + 0.3 * (given / weight if weight else 0.0)
        expected.append(min(max(moved, -1.5), 1.5) if world.active[rated] else world.reputation[rated])
    count_ballots(batch, open_stack(batch, batch.scenarios))
    assert world.reputation.tolist() == pytest.approx(expected, abs=1e-12)


def _ballots_of(batch: Any, voter: int) -> dict[int, float]:
    """What a voter votes on whom: on all it remembers, and a coalition on all its mates who are there."""
    world = batch.world
    if not world.active[voter]:
        return {}
    brigade, ballots = batch.cast[world.code[voter]].policy.coalition, {}
    for rated in range(9):
        record = world.memory.locate(np.array([voter]), np.array([rated]))
        mate = brigade and world.code[rated] == world.code[voter]
        if rated == voter or (mate and not world.active[rated]) or (not mate and record[0] < 0):
            continue
        alpha, beta = (float(count[0]) for count in world.memory.counts(record))
        trust = (alpha + 2.0 * world.prior[rated]) / (alpha + beta + 2.0)
        ballots[rated] = (1.0 if mate else -1.0) if brigade else float(np.sign(trust - 0.5))
    return ballots


def test_under_a_full_share_a_voter_has_the_same_say_on_however_many_it_votes() -> None:
    lever, weight, cast = VoteNormalisation(max_weight=1.0, share=1.0), np.array([4.0, 1.0, 1.0]), np.array([8, 8, 1])
    bench: Any = None
    assert (lever.weigh_ballots(bench, weight, cast) * cast).tolist() == [1.0, 1.0, 1.0]


def test_normalisation_fires_once_for_each_voter_whose_weight_it_changes() -> None:
    played = play([scenario(BRIGADE, **votes(max_weight=1.0))])
    assert [note["count"] for note in played.notes("fired")] == [4, 4, 4]
