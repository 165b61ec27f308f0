"""The benchmark measures what it says: so many epochs, the code of before where there is any, budgets on their side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import apart
from benchmarks.apart import code_before
from benchmarks.budgets import Budget, budgets_beside_before, growth_budgets
from benchmarks.contrasts import HONEST, HONEST_BEFORE, LEARNING, MIXED_BEFORE, ratios
from benchmarks.growth import Growth
from benchmarks.measure import GOVERNANCE, Line, economy, measure

LINE = Line("engine", 6, 2, "mixed", "epoch", 2, 0.0, epochs=3)


@pytest.mark.parametrize("program", ["engine", "object_loop"])
def test_a_line_is_measured_for_as_many_epochs_as_it_asks_for_after_one_that_does_not_count(program: str) -> None:
    line = replace(LINE, program=program, replicates=2 if program == "engine" else 1)
    result = measure(line)
    assert result["agent_steps"] == 3 * 2 * 6 * line.replicates
    assert len(result["busy_by_epoch"]) == 3
    assert 0.0 < sum(result["busy_by_epoch"]) == pytest.approx(result["core_share"] * result["seconds_measured"])


def test_a_line_says_whether_its_agents_learn_and_whether_levers_are_in_force() -> None:
    assert economy(20, "mixed", 5).adaptation == "learning"
    assert economy(20, "mixed", 5, "frozen").adaptation == "frozen"
    assert economy(20, "mixed", 5).governance == {}
    assert set(economy(20, "mixed", 5, governed=True).governance) == set(GOVERNANCE)


def test_there_is_a_reason_where_there_is_no_code_of_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(apart, "BEFORE", "0" * 40)
    with code_before() as found:
        assert isinstance(found, str)
        assert "0" * 40 in found
    monkeypatch.setenv("PATH", str(tmp_path))
    with code_before() as found:
        assert found == "git is not installed"


def test_a_budget_is_met_on_one_side_only() -> None:
    assert Budget("seconds", 1.0, 0.9, at_most=True).is_met
    assert not Budget("seconds", 1.0, 1.1, at_most=True).is_met
    assert Budget("speed", 5e5, 6e5, at_most=False).is_met
    assert not Budget("speed", 5e5, 4e5, at_most=False).is_met


def test_a_ratio_belongs_to_one_round() -> None:
    assert ratios({"now": [1.0, 4.0], "before": [2.0, 2.0]}, "now", "before") == [0.5, 2.0]


def test_beside_the_code_of_before_the_budgets_hold_on_a_machine_of_any_speed() -> None:
    slow = {HONEST: [100.0], HONEST_BEFORE: [100.0], LEARNING: [60.0], MIXED_BEFORE: [100.0]}
    assert [budget.is_met for budget in budgets_beside_before(slow)] == [True, False]
    assert budgets_beside_before({HONEST: [100.0], LEARNING: [60.0]}) == []


def test_a_single_run_may_get_cheaper_but_equal_rows_must_cost_about_the_same_either_way() -> None:
    agents = [Growth("single", [0.1, 0.2, 0.1]), Growth("equal rows", [0.4, 0.4, 3.0])]
    found = growth_budgets(agents, [Growth("epochs", [1.1])])
    assert [(budget.name.split(",")[0], budget.is_met) for budget in found] == [
        ("single", True), ("equal rows", False), ("epochs", True),
    ]  # fmt: skip
