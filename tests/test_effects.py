"""What the economy must show: 30 paired seeds from 1000 on, effects whose intervals exclude 0, controls that are null.

Constants were chosen on seeds 0 to 99; these seeds were used for reporting only.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mesocosm.analysis.comparison import FROZEN, LEARNING, Comparison, compare
from mesocosm.analysis.statistics import paired_effect
from mesocosm.config.load import load_scenario
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import open_batch
from mesocosm.runner.drive import Plan, drive

SEEDS = tuple(range(1000, 1030))
AUDIT = ("governance.random_audit.probability=0.2",)
BREAKER = ("governance.circuit_breaker.threshold=0.35",)
RHO = ("governance.rho_a=0.5", "governance.rho_b=0.5")
TAX = ("governance.transaction_tax_rate=0.1",)
LEVERS = {"audit": AUDIT, "breaker": BREAKER, "rho": RHO, "tax": TAX}


def whole(each: Scenario, *names: str) -> dict[str, Any]:
    """Metrics over the whole run, by seed."""
    [found] = together([each], *names)
    return found


def together(cast: list[Scenario], *names: str) -> list[dict[str, Any]]:
    """Metrics over the whole run, by seed, for each of some scenarios that are run in one table."""
    n = len(SEEDS)
    outcome = drive(Plan([each for each in cast for _ in SEEDS], SEEDS * len(cast), "epoch", names=names))
    runs = [outcome.whole[place * n : (place + 1) * n] for place in range(len(cast))]
    return [{name: np.array([run[name] for run in part]) for name in names} for part in runs]


def society(*overrides: str, **count: int) -> Scenario:
    """Twenty epochs of the default economy with so many agents of each type."""
    agents = ", ".join(f"{{type: {kind}, count: {n}, role: worker}}" for kind, n in count.items() if n)
    return load_scenario("baseline", [f"agents=[{agents}]", "simulation.epochs=20", *overrides])


@cache
def contrast(scenario: str, changes: tuple[str, ...], epochs: int = 10) -> Comparison:
    """Ten epochs of a change against none, for learning and for frozen agents; the audit beside the controls."""
    return compare(scenario, changes, seeds=SEEDS, epochs=epochs, controls=changes == AUDIT)


# --- harm has a cause


def test_honest_agents_do_no_more_harm_than_their_skill_leaves() -> None:
    each = society(honest=20)
    floor = 1.0 - each.conduct.q_high
    found = whole(each, "toxicity_true", "toxicity_rate")
    error = found["toxicity_true"].std(ddof=1) / np.sqrt(len(SEEDS))
    assert found["toxicity_true"].mean() <= floor + 4.0 * error
    expected = 1.0 - open_batch([each], [1]).table.expected_p[0]
    assert abs(found["toxicity_rate"].mean() - expected) <= 0.03


def test_when_everything_is_accepted_honest_harm_is_exactly_that() -> None:
    found = whole(society("acceptance=all", honest=20), "toxicity_true")["toxicity_true"]
    assert abs(found.mean() - 0.05) <= 4.0 * found.std(ddof=1) / np.sqrt(len(SEEDS))


@pytest.mark.parametrize("others", ["honest", "mixed"])
def test_harm_rises_with_the_share_of_adversaries(others: str) -> None:
    shares = range(0, 15, 2)
    rest = [20 - adversaries for adversaries in shares]
    mix = [{"honest": n} if others == "honest" else {"honest": n - n // 3, "opportunistic": n // 3} for n in rest]
    cast = [society(adversarial=a, **m) for a, m in zip(shares, mix, strict=True)]
    levels = [found["toxicity_true"] for found in together(cast, "toxicity_true")]
    for lower, higher in pairwise(levels):
        assert paired_effect(higher, lower).low > 0.0
        assert (higher > lower).all(), "in every pair of seeds"
    assert levels[-1].mean() >= 3.0 * levels[0].mean()


def test_baseline_epochs_have_rejections_and_one_without_says_so() -> None:
    each = load_scenario("baseline")
    outcome = drive(Plan([each] * len(SEEDS), SEEDS, "epoch"))
    gaps = [(number, row) for number, rows in enumerate(outcome.rows) for row in rows]
    without = [(number, row["epoch"]) for number, row in gaps if np.isnan(row["quality_gap"])]
    assert len(without) <= 0.01 * len(gaps)
    told = {(number, flag) for number, flags in enumerate(outcome.flags) for flag in flags}
    for number, epoch in without:
        assert any(n == number and f"no rejections in epoch {epoch}" in flag for n, flag in told)
    open_handed = drive(Plan([society("acceptance=all", honest=5)], [1000], "epoch"))
    assert all(f"no rejections in epoch {epoch}" in " ".join(open_handed.flags[0]) for epoch in range(20))


# --- levers work through what agents do


def test_the_tax_of_the_plans_governance_test_lowers_the_toxic_rate() -> None:
    found = contrast("baseline", TAX, epochs=50)
    assert found.effect("toxic_rate").high < 0.0
    assert found.effect("toxic_rate", adaptation=FROZEN).high < 0.0


@pytest.mark.parametrize("scenario", ["baseline", "adversarial_attack"])
@pytest.mark.parametrize("lever", ["audit", "breaker", "rho"])
def test_levers_move_truth_as_theory_says(lever: str, scenario: str) -> None:
    found = contrast(scenario, LEVERS[lever])
    assert found.effect("toxicity_true").high < 0.0
    if lever != "rho":
        assert found.effect("social_welfare_true").low > 0.0


@pytest.mark.parametrize("scenario", ["baseline", "adversarial_attack"])
def test_an_audit_does_more_where_agents_respond_to_it(scenario: str) -> None:
    found = contrast(scenario, AUDIT)
    assert found.response("toxicity_true").high < 0.0


@pytest.mark.parametrize("scenario", ["baseline", "adversarial_attack"])
def test_the_controls_are_what_they_must_be(scenario: str) -> None:
    found = contrast(scenario, AUDIT)
    for kind in (LEARNING, FROZEN):
        for metric in found.metrics:
            sham = found.effect(metric, "sham", kind)
            assert sham.is_exactly_zero or sham.n == 0, metric
        assert not found.effect("toxicity_true", "redraw", kind).excludes_zero
        assert not found.effect("social_welfare_true", "redraw", kind).excludes_zero


@pytest.mark.parametrize("lever", sorted(LEVERS))
def test_no_lever_has_lower_toxicity_than_the_oracle(lever: str) -> None:
    for kind in (LEARNING, FROZEN):
        level = contrast("adversarial_attack", LEVERS[lever]).arms[kind, "changed"].whole["toxicity_true"]
        bound = contrast("adversarial_attack", AUDIT).arms[kind, "oracle"].whole["toxicity_true"]
        assert (bound <= level).all()


# --- what the proxy cannot tell


def test_toxic_deals_have_negative_surplus_and_pay_in_reputation_where_attention_is_scarce() -> None:
    names = ("toxic_surplus", "toxic_surplus_true", "toxic_reputation")
    scarce, plenty = (
        whole(load_scenario("status_game", [f"environment.attention_scarcity={scarcity}"]), *names)
        for scarcity in (0.75, 0.0)
    )
    for found in (scarce, plenty):
        assert (found["toxic_surplus"] < 0.0).all()
        assert (found["toxic_surplus_true"] == -1.0).all()
    assert (scarce["toxic_reputation"] > 0.0).all()
    assert (plenty["toxic_reputation"] <= 0.0).all()


def test_a_lever_that_reads_the_proxy_improves_the_proxy_and_worsens_the_truth() -> None:
    """Goodhart's law, with agents that respond; the same audit of outcomes improves both."""
    by_looks, by_truth = (
        contrast("appearances", (f"governance.random_audit.reads={what}",)) for what in ("proxy", "outcome")
    )
    assert by_looks.effect("toxicity_rate").high < 0.0
    assert by_looks.effect("toxicity_true").low > 0.0
    assert by_looks.effect("social_welfare").low > 0.0
    assert by_looks.effect("social_welfare_true").high < 0.0
    assert by_truth.effect("toxicity_rate").high < 0.0
    assert by_truth.effect("toxicity_true").high < 0.0
