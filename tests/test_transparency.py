"""The public record: what enters it, when it can be read, what it does to trust, and how agents answer it."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mesocosm import exact
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import open_batch
from mesocosm.engine.loop import play_batch
from mesocosm.env.events import EventBatch, Tick
from mesocosm.env.leniency import acceptance_chance
from mesocosm.governance.transparency_ledger import TransparencyLedger
from trajectory import Event, play, scenario

MIX = {"honest": 6, "opportunistic": 6, "deceptive": 2, "adversarial": 2}
LONG = {"epochs": 6, "steps_per_epoch": 15}
FOUR = 4.0  # standard errors
WITHOUT_AND_WITH: tuple[dict[str, Any] | None, ...] = (None, {})


def with_record(agents: dict[str, int] = MIX, record: dict[str, Any] | None = None, **sections: Any) -> Scenario:
    """A society with a public record, or without one where None is given."""
    governance = sections.pop("governance", {})
    levers = governance if record is None else {"transparency_ledger": record, **governance}
    return scenario(agents, governance=levers, simulation=sections.pop("simulation", LONG), **sections)


def came_to_light(events: list[Event]) -> dict[int, int]:
    """What was learnt of each deal whose outcome came to light, by its seq."""
    told: dict[int, int] = {}
    read = {event["causes"][0]: -1 if event["found"] else 1 for event in events if event["kind"] == "audited"}
    for event in events:
        if event["kind"] == "interaction" and (event["discovered"] or event["audited"]):
            told[event["seq"]] = event["v"] if event["discovered"] else read[event["seq"]]
    return told


def published(events: list[Event]) -> list[Event]:
    return [event for event in events if event["kind"] == "published"]


# --- what enters


@pytest.mark.parametrize("coverage", [0.3, 0.7])
def test_what_came_to_light_is_published_with_the_chance_of_the_coverage(coverage: float) -> None:
    blurred = {"random_audit": {"probability": 0.5, "accuracy": 0.7, "penalty": 0.0}}
    events = play([with_record(record={"coverage": coverage}, governance=blurred)]).events()
    told, entries = came_to_light(events), published(events)
    by_seq = {event["seq"]: event for event in events}
    n = len(told)
    assert n > 800
    assert abs(len(entries) - coverage * n) < FOUR * (n * coverage * (1.0 - coverage)) ** 0.5
    for entry in entries:
        assert entry["v"] == told[entry["interaction"]], "what was learnt is published, even where an audit erred"
        assert entry["agent"] == by_seq[entry["interaction"]]["initiator"]
        assert entry["causes"] == [entry["interaction"]]
    misread = [entry for entry in entries if entry["v"] != by_seq[entry["interaction"]]["v"]]
    assert len(misread) > 20


def test_everything_that_came_to_light_is_published_once_at_full_coverage_and_nothing_else() -> None:
    events = play([with_record(record={"coverage": 1.0})]).events()
    assert [entry["interaction"] for entry in published(events)] == sorted(came_to_light(events))


def test_without_coverage_the_run_is_the_same_to_the_bit() -> None:
    audits = {"random_audit": {"probability": 0.3}}
    bare = play([with_record(record=None, governance=audits)])
    silent = play([with_record(record={"coverage": 0.0, "lag": 3}, governance=audits)])
    assert silent.hash() == bare.hash()
    assert play([with_record(record={"coverage": 0.01}, governance=audits)]).hash() != bare.hash()


def test_a_record_with_a_lag_is_the_same_alone_and_in_a_batch() -> None:
    late, at_once = (with_record(record={"coverage": 0.8, "lag": lag}) for lag in (7, 0))
    assert play([late]).hash() == play([at_once, late, at_once]).hash(1)


# --- the chain


def chained(entries: list[Event]) -> list[str]:
    """The heads that entries of the log should have, worked out from what is documented."""
    head, heads = bytes(32), []
    for entry in entries:
        plain = {name: entry[name] for name in ("agent", "interaction", "v")}
        head = hashlib.sha256(head + json.dumps(plain, separators=(",", ":")).encode()).digest()
        heads.append(head.hex())
    return heads


def test_anybody_can_recompute_the_chain_from_the_log_and_any_change_of_an_entry_shows_from_there_on() -> None:
    batch = [with_record(record={"coverage": 0.5}), with_record(record={"coverage": 1.0, "lag": 4})]
    played = play(batch, [3, 4])
    for replicate in range(2):
        entries = published(played.events(replicate=replicate))
        heads = [entry["head"] for entry in entries]
        assert len(heads) > 200
        assert chained(entries) == heads
        for field, change in (("agent", 1), ("interaction", 1), ("v", -2 * entries[100]["v"])):
            forged = [dict(entry) for entry in entries]
            forged[100][field] += change
            wrong = [one != two for one, two in zip(chained(forged), heads, strict=True)]
            assert wrong == [place >= 100 for place in range(len(heads))]
        del forged[50]
        assert chained(forged)[50:] != heads[50:-1], "an entry that was left out shows too"


# --- who reads it, and when


def priors_by_turn(each: Scenario) -> list[tuple[int, np.ndarray[Any, Any], np.ndarray[Any, Any], list[Event]]]:
    """(step, reputations, what strangers think, entries so far) at the end of every turn."""
    batch = open_batch([each], [5])
    seen, entries = [], []  # type: tuple[list[Any], list[Any]]
    for item in play_batch(batch):
        if isinstance(item, EventBatch) and item.kind == "published":
            agents, v = item.column["agent"].tolist(), item.column["v"].tolist()
            entries += [{"step": item.step, "agent": a, "v": sign} for a, sign in zip(agents, v, strict=True)]
        if isinstance(item, Tick):
            seen.append((item.step, batch.world.reputation.copy(), batch.world.prior.copy(), list(entries)))
    return seen


@pytest.mark.parametrize("lag", [0, 1, 6, 40, 100])
def test_strangers_think_what_can_be_read_by_then_makes_of_an_agents_standing(lag: int) -> None:
    """The prior is (s m0 + alpha) / (s + alpha + beta), of entries at least `lag` steps old, faded once an epoch."""
    trust = {"prior_strength": 2.5, "decay": 0.6, "prior_mean": 0.55}
    each = with_record(record={"coverage": 0.9, "lag": lag}, trust=trust)
    steps, moved = LONG["steps_per_epoch"], 0
    for step, reputation, prior, entries in priors_by_turn(each):
        weight: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for entry in entries:
            readable = entry["step"] + lag
            if readable <= step:
                weight[entry["agent"]][entry["v"] < 0] += 0.6 ** (step // steps - readable // steps)
        start = exact.sigmoid(exact.logit(0.55) + reputation)
        alpha, beta = (np.array([weight[agent][side] for agent in range(len(prior))]) for side in (0, 1))
        assert prior == pytest.approx((2.5 * start + alpha) / (2.5 + alpha + beta), abs=1e-12)
        moved += int(np.count_nonzero(abs(prior - start) > 0.01))
    assert (moved > 0) == (lag < LONG["epochs"] * steps)


def trust_of_strangers(record: dict[str, Any] | None) -> tuple[float, float]:
    """Mean trust in adversaries and in honest agents, of counterparties who never dealt with them, after ten steps."""
    agents = {"honest": 20, "adversarial": 2}
    found: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(3):
        met: set[tuple[int, int]] = set()
        for deal in play([with_record(agents, record, adaptation="frozen")], [seed]).events("interaction"):
            a, b = deal["initiator"], deal["counterparty"]
            if deal["step"] >= 10 and (a, b) not in met and b < 20:
                found[a >= 20].append(deal["trust"])
            if deal["accepted"]:
                met.add((a, b))
    assert min(len(trust) for trust in found.values()) > 20
    return float(np.mean(found[True])), float(np.mean(found[False]))


def test_strangers_trust_a_published_cheat_less_and_a_published_honest_agent_more() -> None:
    cheat, honest = trust_of_strangers(None)
    published_cheat, published_honest = trust_of_strangers({"coverage": 1.0})
    assert published_cheat < cheat - 0.15
    assert published_honest > honest + 0.05


# --- how agents answer it


def bad_share(adaptation: str, record: dict[str, Any] | None, agents: dict[str, int], seed: int) -> float:
    """Share of accepted deals that turned out badly."""
    each = with_record(agents, record, adaptation=adaptation)
    deals = [deal for deal in play([each], [seed]).events("interaction") if deal["accepted"]]
    return float(np.mean([deal["v"] < 0 for deal in deals]))


def test_learners_behave_better_under_the_record_and_frozen_ones_do_not() -> None:
    def effect(adaptation: str) -> np.ndarray[Any, Any]:
        agents = {"opportunistic": 10}
        pairs = [[bad_share(adaptation, record, agents, seed) for record in WITHOUT_AND_WITH] for seed in range(8)]
        return np.diff(np.array(pairs), axis=1)[:, 0]

    learning, frozen = effect("learning"), effect("frozen")
    error = np.std(learning, ddof=1) / 8**0.5
    assert learning.mean() < -FOUR * error
    gap = learning - frozen
    assert gap.mean() < -2.0 * np.std(gap, ddof=1) / 8**0.5


def test_among_honest_agents_the_record_costs_some_care_and_brings_more_deals() -> None:
    """Everybody is known to be good, so that more is accepted, of what looks bad too."""

    def lived(record: dict[str, Any] | None, seed: int) -> tuple[float, float]:
        deals = play([with_record({"honest": 12}, record)], [seed]).events("interaction")
        accepted = [deal for deal in deals if deal["accepted"]]
        return len(accepted), float(np.mean([deal["v"] < 0 for deal in accepted]))

    change = np.diff([[lived(record, seed) for record in WITHOUT_AND_WITH] for seed in range(6)], axis=1)[:, 0]
    deals, bad = change.mean(axis=0)
    assert 5 < deals < 60, "of about 1020"
    assert 0.0 < bad < 0.01


def test_what_is_foreseen_is_the_change_of_a_yes_over_all_who_read() -> None:
    rule = SimpleNamespace(patience=2.0, prior_strength=2.0)
    column = {"alpha": np.array([1.0, 0.0]), "beta": np.array([0.5, 0.0])}
    bench: Any = SimpleNamespace(column=column, weight_behind=lambda b, a: np.array([2.0, 8.0]))
    ahead: Any = SimpleNamespace(
        rule=rule, others=np.array([9, 9]), payoff=np.array([0.4, 0.4]), prior=np.array([0.7, 0.6]),
        row_a=np.array([0, 1]), row_b=np.array([1, 0]),
    )  # fmt: skip
    told = TransparencyLedger(coverage=0.5).foresee(bench, ahead)

    def yes(trust: float) -> float:
        return float(acceptance_chance(trust, float(exact.exp(1.0)), 1.0 / 3.0))

    weight, readers = (3.5, 2.0), (9.0, 9.0 * 2.0 / 8.0)
    for k, prior in enumerate((0.7, 0.6)):
        scale = 2.0 * 0.4 * 0.5 * readers[k]
        bad, good = prior * weight[k] / (weight[k] + 1.0), (prior * weight[k] + 1.0) / (weight[k] + 1.0)
        assert told.forfeit[k] == pytest.approx(scale * (yes(prior) - yes(bad)))
        assert told.acclaim[k] == pytest.approx(scale * (yes(good) - yes(prior)))
    nothing = TransparencyLedger(coverage=0.0).foresee(bench, ahead)
    assert not np.any(nothing.forfeit)
    assert not np.any(nothing.acclaim)


def test_the_heads_of_two_replicates_never_meet() -> None:
    """The same society under two seeds: neither record knows of the other."""
    each = with_record(record={"coverage": 1.0})
    together = play([each, each], [1, 2])
    for replicate, seed in enumerate((1, 2)):
        alone = published(play([each], [seed]).events())
        assert published(together.events(replicate=replicate)) == alone
    heads = [[entry["head"] for entry in published(together.events(replicate=r))] for r in range(2)]
    assert not set(heads[0]) & set(heads[1])
    assert all(one != two for one, two in pairwise(heads[0]))
