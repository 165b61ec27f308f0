"""Miscoordination, conflict and collusion: losses by hand, silence where there is nothing, and planted cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from made_up import TYPES, Table, batch_of, tally_of
from mesocosm.config.load import load_scenario
from mesocosm.metrics.evaluate import evaluate_by_type, evaluate_metrics
from mesocosm.metrics.totals import EpochTotals
from mesocosm.runner.drive import Plan, drive
from scenario_strategy import effort
from slow_metrics import slow
from societies import NULLS, decide_as_planted, findings, plant, society

MODES = ("miscoordination", "conflict", "collusion")
NAMES = [f"{mode}_{what}" for mode in MODES for what in ("loss", "loss_true", "pairs")]
RUNS = 80

pytestmark = pytest.mark.usefixtures("registries_as_they_were")

# --- by hand

DEAL: Table = {
    "initiator": 0, "counterparty": 1, "accepted": True, "v": 1, "p": 0.8, "private_cost": 0.1,
    "tau": 0.0, "surplus": 1.4, "externality": 0.4, "pi_a": 0.7, "pi_b": 0.7,
    "surplus_true": 2.0, "externality_true": 0.0, "pi_a_true": 1.0, "pi_b_true": 1.0,
}  # fmt: skip


def totals_of_deals(*deals: Table, n_agents: int = 4) -> EpochTotals:
    """An epoch with these deals; agent k is of type k, the fourth honest again."""
    rows = [DEAL | deal for deal in deals]
    deal = {name: np.array([row[name] for row in rows]) for name in DEAL}
    tally = tally_of([np.array([0, 1, 2, 0, 0, 0])[:n_agents]], NAMES)
    tally.add(batch_of("interaction", [deal]))
    agent = {"agent": np.arange(n_agents), "active": np.ones(n_agents, dtype=bool)}
    return tally.epoch(batch_of("agent_state", [agent]))


def values(totals: EpochTotals) -> dict[str, float]:
    return {name: float(value[0]) for name, value in evaluate_metrics(totals, NAMES).items()}


def test_a_good_deal_that_is_made_loses_nothing() -> None:
    assert values(totals_of_deals(DEAL)) == dict.fromkeys(NAMES, 0.0)


def test_a_declined_deal_by_which_all_would_gain_loses_its_social_value() -> None:
    found = values(totals_of_deals({"accepted": False}, {"accepted": False, "surplus_true": -1.0, "pi_b_true": -0.5}))
    assert found["miscoordination_loss"] == pytest.approx(2 * (1.4 - 0.4))
    assert found["miscoordination_loss_true"] == pytest.approx(2.0)
    assert found["conflict_loss"] == found["collusion_loss"] == 0.0


@pytest.mark.parametrize("change", [{"pi_b": 0.0}, {"pi_a": 0.1}, {"surplus": 0.4}, {"accepted": True}])
def test_a_deal_that_somebody_would_not_gain_by_is_not_missed(change: Table) -> None:
    assert values(totals_of_deals({"accepted": False} | change))["miscoordination_loss"] == 0.0


@pytest.mark.parametrize(("gain", "loss"), [("pi_a", "pi_b"), ("pi_b", "pi_a")])
def test_a_deal_by_which_one_side_gains_what_the_other_loses_counts_with_the_loss(gain: str, loss: str) -> None:
    deal = {gain: 0.9, loss: -0.3, f"{gain}_true": 0.2, f"{loss}_true": -0.8}
    found = values(totals_of_deals(deal))
    assert (found["conflict_loss"], found["conflict_loss_true"]) == (0.3, 0.8)
    assert values(totals_of_deals(deal | {"accepted": False}))["conflict_loss"] == 0.0
    assert values(totals_of_deals(deal | {gain: -0.1}))["conflict_loss"] == 0.0, "both lose: nobody preys"


def exchange(a: int, b: int, n: int) -> list[Table]:
    """Bad-looking deals between two agents, accepted in both directions."""
    bad = {"p": 0.2, "externality": 1.6, "externality_true": 2.0, "v": -1}
    return [bad | {"initiator": x, "counterparty": y} for x, y in [(a, b), (b, a)] * n]


def among(n: int, agents: int = 6, **change: Any) -> list[Table]:
    """Ordinary deals, n from each agent to each other."""
    return [change | {"initiator": a, "counterparty": b} for a in range(agents) for b in range(agents) if a != b] * n


def test_harm_done_by_pairs_that_take_each_other_s_bad_deals_is_collusion() -> None:
    crowd = among(10, p=0.9, externality=0.2)
    outsiders = {"initiator": 0, "counterparty": 1, "externality": 5.0}
    found = values(totals_of_deals(*crowd, *exchange(2, 3, 12), outsiders, n_agents=6))
    assert found["collusion_pairs"] == 1
    assert found["collusion_loss"] == pytest.approx(24 * 1.6 + 20 * 0.2), "all their accepted deals, good ones too"
    assert found["collusion_loss_true"] == pytest.approx(24 * 2.0)
    silent = values(totals_of_deals(*crowd, *exchange(2, 3, 12)[::2], outsiders, n_agents=6))
    assert (silent["collusion_pairs"], silent["collusion_loss"]) == (0, 0), "one direction alone is none"


def test_those_who_decline_what_others_offer_do_not_collude_by_taking_little() -> None:
    """Two pick and choose; of bad-looking deals they offer each other as many as anybody else, and these are taken."""
    bad = {"p": 0.2, "externality": 1.6}
    offers = [bad | {"initiator": a, "counterparty": b} for a in (4, 5) for b in range(6) if a != b] * 6
    crowd = [deal | {"accepted": deal["counterparty"] < 4} for deal in among(10, p=0.9)]
    assert values(totals_of_deals(*crowd, *offers, n_agents=6))["collusion_pairs"] == 0


def test_a_type_has_the_losses_of_its_proposals_and_the_pairs_of_its_agents() -> None:
    planted = [
        *among(10, p=0.9, externality=0.2),
        *exchange(1, 2, 12),
        *[{"initiator": 2, "counterparty": 4, "pi_a": 0.5, "pi_b": -0.5}] * 30,
        *[{"initiator": 1, "counterparty": 5, "accepted": False}] * 30,
    ]
    totals = totals_of_deals(*planted, n_agents=6)
    assert {name: values(totals)[name] for name in NAMES if name.endswith("pairs")} == dict.fromkeys(
        [f"{mode}_pairs" for mode in MODES], 1.0
    )
    by_type = {kind: {name: float(x[0]) for name, x in each.items()}
               for kind, each in evaluate_by_type(totals, NAMES).items()}  # fmt: skip
    honest, second, third = (by_type[name] for name in TYPES)
    assert [each["collusion_pairs"] for each in (honest, second, third)] == [0, 1, 1], "either member"
    assert [each["conflict_pairs"] for each in (honest, second, third)] == [0, 0, 1], "the winner"
    assert [each["miscoordination_pairs"] for each in (honest, second, third)] == [0, 1, 0], "the initiator"
    for name in NAMES:
        if not name.endswith("pairs"):
            assert sum(each[name] for each in by_type.values()) == pytest.approx(values(totals)[name]), name


@given(st.integers(0, 10**6), st.sampled_from(["collusion", "conflict", "miscoordination"]), st.integers(8, 25))
@effort(30, 2000)
def test_flagged_pairs_are_those_of_a_slow_loop(seed: int, mode: str, n: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.choice(6, 2, replace=False).tolist()
    rows = [
        {
            "initiator": x,
            "counterparty": y,
            "accepted": rng.random() < 0.8,
            "p": rng.random(),
            "pi_b": rng.normal(0.5, 0.6),
        }
        for x, y in rng.integers(0, 6, (150, 2)).tolist()
        if x != y
    ]
    planted = {
        "collusion": exchange(a, b, n),
        "conflict": [{"initiator": a, "counterparty": b, "pi_b": -1.0}] * n,
        "miscoordination": [{"initiator": a, "counterparty": b, "accepted": False}] * n,
    }
    rows = [DEAL | row for row in (*rows, *planted[mode])]
    deal = {name: np.array([row[name] for row in rows]) for name in DEAL} | {"r_a": np.zeros(len(rows))}
    agent = {"agent": np.arange(6), "active": np.ones(6, dtype=bool), "votes_received": np.arange(6)}
    expected = slow(deal, agent | {"balance": np.zeros(6), "deposits": np.zeros(6), "freezes": np.zeros(6)})
    assert values(totals_of_deals(*rows, n_agents=6)) == pytest.approx({name: expected[name] for name in NAMES})


# --- through the engine: silent where no pair has anything of its own


@pytest.mark.parametrize("name", NULLS)
def test_where_no_pair_has_anything_of_its_own_hardly_any_run_is_flagged(name: str) -> None:
    found = findings(society(NULLS[name]), range(1000, 1000 + RUNS))
    for mode in MODES:
        alarms = found.runs_with_any(mode)
        assert stats.binomtest(alarms, RUNS).proportion_ci(0.95).low <= 0.05, mode
        assert alarms <= (8 if mode == "miscoordination" else 5), mode  # see docs/design/detectors.md


# --- and finds what is planted


@pytest.mark.parametrize("adversaries", [2, 5])
def test_a_coalition_is_found_pair_by_pair_and_nobody_else(adversaries: int) -> None:
    found = findings(society({"honest": 20 - adversaries, "adversarial": adversaries}), range(1000, 1025))
    pairs = [(a, b) for a in range(20 - adversaries, 20) for b in range(a + 1, 20)]
    hits = [found.runs_with("collusion", *pair) / found.n for pair in pairs]
    assert min(hits) > 0.8
    assert found.others("collusion", *pairs) == 0


@pytest.mark.parametrize("name", ["adversarial_attack", "status_game"])
def test_the_bundled_coalitions_are_found_and_their_harm_is_counted_from_then_on(name: str) -> None:
    each = load_scenario(name)
    adversaries = sum(group.count for group in each.agents if group.type == "adversarial")
    names = ("collusion_pairs", "collusion_loss_true")
    outcome = drive(Plan([each] * 20, range(1000, 1020), "epoch", names=names))
    pairs = adversaries * (adversaries - 1) // 2
    found = [whole["collusion_pairs"] for whole in outcome.whole]
    assert max(found) == pairs
    assert sum(found) >= 0.75 * 20 * pairs
    for rows in outcome.rows:
        known = [row["collusion_pairs"] > 0 for row in rows]
        assert all(row["collusion_loss_true"] == 0 for row, yes in zip(rows, known, strict=True) if not yes)
    loss = [whole["collusion_loss_true"] for whole in outcome.whole]
    assert sum(loss) / len(loss) > 0.2 * pairs


@pytest.mark.parametrize("others", [{"honest": 9, "opportunistic": 6, "deceptive": 3}, {"honest": 3}], ids=str)
def test_a_bully_is_found_with_its_victim(others: dict[str, int]) -> None:
    plant("bully")
    plant("meek")
    victim = sum(others.values())
    each = society({**others, "meek": 1, "bully": 1})
    found = findings(each, range(1000, 1030), lambda request: decide_as_planted(request, {victim + 1: victim}))
    assert found.runs_with("conflict", victim + 1, victim) >= 21
    assert found.others("conflict", (victim + 1, victim)) <= 2
    assert found.runs_with_any("collusion") == 0


@pytest.mark.parametrize("others", [{"honest": 10, "opportunistic": 6, "deceptive": 2}, {"honest": 3}], ids=str)
def test_two_that_always_decline_each_other_are_found_both_ways(others: dict[str, int]) -> None:
    plant("foe")
    one = sum(others.values())
    each = society({**others, "foe": 2})
    aims = {one: one + 1, one + 1: one}
    found = findings(each, range(1000, 1030), lambda request: decide_as_planted(request, aims))
    for pair in aims.items():
        assert found.runs_with("miscoordination", *pair) >= 28
    assert found.others("miscoordination", *aims.items()) <= 2
