"""What agents know of each other: the feed they read, the partners they remember, the ballots they cast."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from mesocosm.engine.batch import open_batch
from mesocosm.engine.govern import open_stack
from mesocosm.engine.season import count_ballots
from mesocosm.env import state
from mesocosm.env.feed import Writing, open_feed
from mesocosm.env.trust import open_memory
from trajectory import Event, play, scenario


def of_kind(events: list[Event], *kinds: str) -> list[Event]:
    return [event for event in events if event["kind"] in kinds]


def test_the_feed_ranks_by_votes_replies_and_age_like_a_brute_force_sort() -> None:
    rng = np.random.default_rng(3)
    feed = open_feed(1, 4, 64, 20)
    offset, zero = np.array([0, 4]), np.zeros(1, dtype=np.int64)
    for step in range(150):
        feed.add_posts(offset, zero, Writing(zero, zero, np.array([step]), np.array([-1])), step)
        place = rng.integers(0, min(step + 1, 64), 3)
        np.add.at(feed.votes[0], place, rng.integers(-1, 2, 3))
        feed.replies[0, place[0]] += 1
        feed.hidden[0, place[2]] |= rng.random() < 0.05
        feed.rank(0.5, 0.125)
        shown = feed.get_visible(0)
        kept = [p for p in range(64) if feed.post[0, p] >= 0 and not feed.hidden[0, p]]
        score = feed.score(0, np.array(kept, dtype=np.int64), step, 0.5, 0.125)
        best = [p for _, _, p in sorted(zip(-score, -feed.post[0, kept], kept, strict=True))]
        assert shown.tolist() == best[:20]


def test_the_feed_keeps_only_the_newest_posts_and_forgets_their_votes() -> None:
    simulation = {"epochs": 3, "steps_per_epoch": 30, "phases": {"proposals": False}}
    settings = {"feed": {"capacity": 64, "visible": 64, "poster_rate": 1.0}, "safety": {"max_posts_per_epoch": 30}}
    posters = [{"type": "honest", "count": 8, "role": "poster"}]
    batch = open_batch([scenario(posters)], [1])
    size = batch.world.feed.post.size
    events = play([scenario(posters, simulation=simulation, **settings)]).events()
    assert len(of_kind(events, "posted")) > 5 * 64
    newest: list[int] = []
    for event in events:
        if event["kind"] in ("posted", "replied"):
            newest.append(event["seq"])
        if event["kind"] in ("replied", "voted"):
            assert event["post"] in newest[-64 - 16 :]
    assert batch.world.feed.post.size == size


@pytest.mark.parametrize("slots", [1, 3, 32])
def test_memory_found_by_an_index_and_memory_found_by_search_give_the_same_run(
    slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = scenario(simulation={"epochs": 3, "steps_per_epoch": 10}, trust={"slots": slots})
    indexed = play([each]).hash()
    monkeypatch.setattr(state, "open_memory", partial(open_memory, indexed_up_to=0))
    assert play([each]).hash() == indexed


def test_forgotten_partners_are_strangers_again() -> None:
    hashes = {play([scenario(trust={"slots": slots}, simulation={"epochs": 4})]).hash() for slots in (1, 3, 9, 32)}
    assert len(hashes) == 3, "nine places are enough for nine partners; fewer are not"


@pytest.mark.parametrize("indexed_up_to", [0, 256])
def test_a_full_memory_forgets_the_partner_it_has_not_dealt_with_for_longest(indexed_up_to: int) -> None:
    memory = open_memory(1, 2, 9, indexed_up_to)
    for seq, partner in enumerate([4, 7, 4, 8]):
        who, with_whom = np.array([0]), np.array([partner])
        memory.record(who, with_whom, memory.locate(who, with_whom), np.array([1.0]), np.array([seq]))
    assert sorted(memory.partner[0].tolist()) == [4, 8]
    assert memory.counts(memory.locate(np.array([0, 0]), np.array([4, 7])))[0].tolist() == [2.0, 0.0]


def _ballots_one_by_one(batch: Any) -> list[float]:
    """Reputations after the ballots, counted agent by agent."""
    world, cast = batch.world, batch.cast
    result: list[float] = world.reputation.tolist()
    for rated in np.flatnonzero(world.active):
        given = weight = 0.0
        for voter in np.flatnonzero(world.active):
            if voter == rated:
                continue
            policy = cast[world.code[voter]].policy
            record = world.memory.locate(np.array([voter]), np.array([rated]))
            knows = record[0] >= 0
            alpha, beta = (float(count[0]) for count in world.memory.counts(record))
            mean = (alpha + 2.0 * world.prior[rated]) / (alpha + beta + 2.0)
            vote = float(np.sign(round(mean - 0.5, 12)))
            if policy.coalition:
                mates = world.code[voter] == world.code[rated]
                knows, vote = knows or mates, 1.0 if mates else -1.0
            if knows:
                given, weight = given + policy.ballot_weight * vote, weight + policy.ballot_weight
        moved = result[rated] + 0.3 * (given / weight if weight else 0.0)
        result[rated] = min(max(moved, -1.5), 1.5)
    return result


def test_ballots_are_counted_like_a_count_by_hand() -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        batch = open_batch([scenario({"honest": 3, "opportunistic": 2, "adversarial": 3, "deceptive": 1})], [1])
        world = batch.world
        for seq in range(60):
            pair = rng.permutation(9)[:2]
            owner, partner = pair[:1], pair[1:]
            good = rng.integers(0, 2, 1).astype(float)
            world.memory.record(owner, partner, world.memory.locate(owner, partner), good, np.array([seq]))
        world.active[rng.integers(0, 9)] = False
        world.refresh_crowd()
        world.set_reputation(np.arange(9), rng.normal(size=9), 0.6)
        expected = _ballots_one_by_one(batch)
        count_ballots(batch, open_stack(batch, batch.scenarios))
        assert world.reputation.tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("decay", [0.5, 0.8, 0.95])
def test_standing_that_nothing_feeds_halves_once_a_half_life_under_reputation_decay(decay: float) -> None:
    """The operating characteristic of the lever: R_n = decay^n, so ln(1/2) / ln(decay) epochs to the half."""
    batch = open_batch([scenario({"honest": 4}, governance={"reputation_decay": {"decay": decay}})], [1])
    stack = open_stack(batch, batch.scenarios)
    batch.world.reputation[:] = [1.0, -0.5, 0.25, 0.0]
    course = [batch.world.reputation.copy()]
    for _ in range(60):
        stack.on_epoch(batch)
        course.append(batch.world.reputation.copy())
    left = np.array(course)
    assert left == pytest.approx(left[0] * decay ** np.arange(61.0)[:, None], rel=1e-12)
    first_below = int(np.argmax(left[:, 0] < 0.5 - 1e-12))
    half_life = np.log(0.5) / np.log(decay)
    assert half_life <= first_below <= half_life + 1.0 + 1e-9
