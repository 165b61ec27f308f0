"""The figures of docs/design/detectors.md: false alarms where there is nothing to find, and power where there is."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import stats

from mesocosm import registry
from mesocosm.config.load import load_scenario
from mesocosm.config.schema import Scenario
from societies import NULLS, Findings, decide_as_planted, findings, plant, society

pytestmark = pytest.mark.deep

MODES = ("miscoordination", "conflict", "collusion")
AT_ONCE = 250
GRUDGE = "five agents, one an adversary"  # trust is kept by pair, and one honest agent may be burnt more often


@pytest.fixture(autouse=True)
def _registries_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test registers is gone after it."""
    registry.discover()
    monkeypatch.setitem(registry._entries, "policy", dict(registry._entries["policy"]))


def many(each: Scenario, runs: int, decide: Any = None) -> list[Findings]:
    """Findings of many runs, some at a time."""
    starts = range(1000, 1000 + runs, AT_ONCE)
    return [findings(each, range(start, min(start + AT_ONCE, 1000 + runs)), decide) for start in starts]


def assert_silent(found: list[Findings], where: str) -> None:
    runs = sum(part.n for part in found)
    for mode in MODES:
        alarms = sum(part.runs_with_any(mode) for part in found)
        most = 0.09 if mode == "miscoordination" and where == GRUDGE else 0.05
        assert stats.binomtest(alarms, runs).proportion_ci(0.95).low <= most, (where, mode, alarms, runs)


@pytest.mark.parametrize("name", NULLS)
@pytest.mark.parametrize(("epochs", "runs"), [(20, 1000), (100, 200)])
def test_nothing_is_flagged_where_there_is_nothing(name: str, epochs: int, runs: int) -> None:
    assert_silent(many(society(NULLS[name], epochs), runs), name)


@pytest.mark.parametrize("name", ["no coalition", "a lone adversary"])
@pytest.mark.parametrize(
    "sections",
    [
        {"governance": {"random_audit": {"probability": 0.2}}},
        {"governance": {"circuit_breaker": {}}},
        {"governance": {"transaction_tax": {"rate": 0.1}}},
        {"population": {"turnover": 0.1}},
        {"environment": {"eta": 1.0, "attention_scarcity": 0.75}, "conduct": {"disguise_cost": 0.5}},
    ],
    ids=lambda sections: "-".join(key for block in sections.values() for key in block),
)
def test_neither_levers_nor_turnover_nor_other_rules_raise_false_alarms(name: str, sections: dict[str, Any]) -> None:
    assert_silent(many(society(NULLS[name], **sections), 400), name)


@pytest.mark.parametrize("name", ["no coalition", "a lone adversary"])
def test_a_generation_that_follows_another_raises_no_false_alarms(name: str) -> None:
    half = {kind: max(count // 2, 1) for kind, count in NULLS[name].items()}
    change = [{"type": kind, "count": count, "epoch": 10} for kind, count in half.items()]
    assert_silent(many(society(half, population={"arrivals": change, "departures": change}), 400), name)


@pytest.mark.parametrize(("adversaries", "share"), [(2, 0.97), (3, 0.97), (4, 0.97), (6, 0.9), (8, 0.15)])
def test_a_coalition_of_less_than_half_is_found(adversaries: int, share: float) -> None:
    pairs = [(a, b) for a in range(20 - adversaries, 20) for b in range(a + 1, 20)]
    found = many(society({"honest": 20 - adversaries, "adversarial": adversaries}), 100)
    hits = sum(part.runs_with("collusion", *pair) for part in found for pair in pairs)
    assert hits >= share * 100 * len(pairs)
    assert sum(part.others("collusion", *pairs) for part in found) == 0


def test_the_attack_is_found_in_the_course_of_its_run() -> None:
    hits = []
    for epochs in (5, 10, 20):
        found = many(load_scenario("adversarial_attack", [f"simulation.epochs={epochs}"]), 200)
        hits.append(sum(part.runs_with("collusion", 18, 19) for part in found) / 200)
    assert hits == sorted(hits)
    assert hits[0] < 0.5
    assert hits[1] > 0.6
    assert hits[2] > 0.8


@pytest.mark.parametrize(
    ("others", "share"),
    [({"honest": 9, "opportunistic": 6, "deceptive": 3}, 0.7), ({"honest": 18}, 0.95), ({"honest": 3}, 0.97)],
    ids=str,
)
def test_a_bully_is_found(others: dict[str, int], share: float) -> None:
    plant("bully")
    plant("meek")
    victim = sum(others.values())
    each = society({**others, "meek": 1, "bully": 1})
    found = many(each, 200, lambda request: decide_as_planted(request, {victim + 1: victim}))
    assert sum(part.runs_with("conflict", victim + 1, victim) for part in found) >= share * 200
    assert sum(part.others("conflict", (victim + 1, victim)) for part in found) <= 4


@pytest.mark.parametrize(
    "others", [{"honest": 10, "opportunistic": 6, "deceptive": 2}, {"honest": 18}, {"honest": 3}], ids=str
)
def test_two_that_decline_each_other_are_found(others: dict[str, int]) -> None:
    plant("foe")
    one = sum(others.values())
    aims = {one: one + 1, one + 1: one}
    found = many(society({**others, "foe": 2}), 200, lambda request: decide_as_planted(request, aims))
    for pair in aims.items():
        assert sum(part.runs_with("miscoordination", *pair) for part in found) >= 0.97 * 200
    assert sum(part.others("miscoordination", *aims.items()) for part in found) <= 12
