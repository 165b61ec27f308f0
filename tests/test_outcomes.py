"""Several outcomes of one study: one family, what was expected of each arm, other economies, and the page."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesocosm.analysis.displacement import LINES, METRICS, Displacement, displacement_of, is_measured
from mesocosm.analysis.equivalence import Expectation
from mesocosm.analysis.outcomes import OutcomeEffect, effects_elsewhere, findings_of, outcomes_of
from mesocosm.analysis.study import StudyResults, sweep
from mesocosm.analysis.study_markdown import study_page
from mesocosm.analysis.study_record import save_study
from mesocosm.analysis.study_tables import displacement_rows, mark_of, outcome_rows, robustness_rows
from mesocosm.cli.main import main
from mesocosm.config.study import study_from_dict
from mesocosm.config.yaml_text import write_yaml
from mesocosm.errors import ConfigError

STUDY: dict[str, Any] = {
    "study_id": "several",
    "question": "Which rule does what?",
    "base": "adversarial_attack",
    "epochs": 3,
    "arms": {
        "audits": {"governance.random_audit.probability": 0.3},
        "cap": {"governance.bandwidth_cap.max_actions": 3},
        "off": {"governance.random_audit.probability": 0.0},
    },
    "settings": {"adapted": {}, "frozen": {"adaptation": "frozen"}},
    "primary": "toxicity_true",
    "smallest_effect": 0.02,
    "expect": "falls",
    "expect_of": {"off": "unchanged"},
    "expect_in": ["adapted"],
    "outcomes": {
        "welfare": {"metric": "social_welfare_true", "smallest_effect": 5.0, "expect": "rises",
                    "expect_of": {"cap": "rises", "off": "unchanged"}},
        "honest pay": {"metric": "income", "agents": "honest", "smallest_effect": 0.2},
    },
    "metrics": [*METRICS],
    "seeds": 12,
    "robustness": {"samples": 9, "seeds": 2, "arms": ["audits"], "ranges": {"payoff.theta": [0.3, 0.7]}},
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return sweep(study_from_dict(STUDY), workers=1, output=tmp_path_factory.mktemp("several"))


@pytest.fixture(scope="module")
def findings(found: StudyResults) -> tuple[OutcomeEffect, ...]:
    return findings_of(found)


def one(findings: tuple[OutcomeEffect, ...], outcome: str, arm: str, setting: str = "adapted") -> OutcomeEffect:
    [match] = [each for each in findings if (each.outcome, each.arm, each.setting) == (outcome, arm, setting)]
    return match


def test_every_arm_is_judged_on_every_outcome_in_every_setting(
    found: StudyResults, findings: tuple[OutcomeEffect, ...]
) -> None:
    assert list(outcomes_of(found)) == ["toxicity_true", "welfare", "honest pay"]
    assert len(findings) == 3 * 3 * 2
    pay = one(findings, "honest pay", "audits").effect
    assert pay.change == found.effect("income", "audits", "adapted", "honest").change
    assert pay.change != found.effect("income", "audits", "adapted").change


def test_all_of_them_are_one_family_and_so_wider_than_the_primary_outcome_by_itself(
    found: StudyResults, findings: tuple[OutcomeEffect, ...]
) -> None:
    alone = {(each.setting, each.arm): each for each in found.contrasts}
    for each in findings:
        assert math.isnan(each.low) or each.low <= each.effect.change <= each.high
        if each.outcome == "toxicity_true" and not each.effect.is_exactly_zero:
            narrow = alone[each.setting, each.arm]
            assert each.high - each.low > narrow.high - narrow.low
            assert each.p_max_t >= narrow.p_max_t
            assert each.p_holm >= narrow.p_holm
    assert {each.effect.is_exactly_zero for each in findings if each.arm == "off"} == {True}


def test_what_was_expected_is_said_by_arm_outcome_and_setting(findings: tuple[OutcomeEffect, ...]) -> None:
    assert one(findings, "toxicity_true", "audits").verdict.expectation is Expectation.MET
    assert one(findings, "toxicity_true", "off").verdict.expectation is Expectation.MET
    assert one(findings, "toxicity_true", "audits", "frozen").verdict.expectation is Expectation.NOT_STATED
    assert one(findings, "honest pay", "audits").verdict.expectation is Expectation.NOT_STATED
    costly = one(findings, "welfare", "cap")  # a cap stops good deals, too
    assert costly.effect.high < 0.0
    assert costly.verdict.expectation is Expectation.AGAINST
    assert mark_of(costly).endswith("!")


def test_an_effect_is_held_against_other_economies_by_its_own_sign(
    found: StudyResults, findings: tuple[OutcomeEffect, ...]
) -> None:
    tried = one(findings, "welfare", "audits")
    assert tried.holds is not None
    changes = [each.change for each in effects_elsewhere(found, outcomes_of(found)["welfare"], "audits")]
    assert (tried.holds.n, tried.holds.count) == (9, sum(np.sign(c) == np.sign(tried.effect.change) for c in changes))
    assert one(findings, "welfare", "cap").holds is None
    rows = robustness_rows(found, findings)
    assert [row[0] for row in rows[1:]] == ["audits"]
    assert rows[1][2] == f"{tried.holds.count}/9"


def test_parts_of_the_harm_add_up_to_all_of_it(found: StudyResults) -> None:
    assert is_measured(found)
    parts = list(displacement_of(found, "adapted"))
    for arm in found.design.arms:
        own = [part for part in parts if part.arm == arm]
        [total] = [part.effect for part in own if part.part == "all"]
        for line in ("initiator", *LINES):
            changes = [part.effect.change for part in own if part.line == line]
            assert len(changes) >= 2
            assert sum(changes) == pytest.approx(total.change, abs=1e-9)
    stopped = next(part for part in parts if (part.arm, part.part) == ("audits", "opportunistic"))
    assert stopped.effect.high < 0.0


def test_a_study_that_did_not_ask_where_harm_went_does_not_tell(tmp_path: Path) -> None:
    small = STUDY | {"metrics": [], "seeds": 2, "settings": {}, "expect_in": [], "epochs": 1}
    few = sweep(study_from_dict({k: v for k, v in small.items() if k != "robustness"}), workers=1, output=tmp_path)
    assert not is_measured(few)
    page = study_page(few)
    assert "Where the harm went" not in page
    assert "Elsewhere" not in page


def test_tables_have_a_row_an_arm_and_a_column_an_outcome(
    found: StudyResults, findings: tuple[OutcomeEffect, ...]
) -> None:
    rows = outcome_rows(found, findings, "frozen")
    assert rows[0] == ["frozen", "toxicity_true", "welfare", "honest pay"]
    assert [row[0] for row in rows[1:]] == ["base", "audits", "cap", "off", "(sham)", "(redraw)", "(oracle)"]
    assert {len(row) for row in rows} == {4}
    assert rows[4][1].split()[1] == "0"  # exactly none
    assert [cell.split()[1] for cell in rows[5][1:]] == ["0"] * 3
    parts: list[Displacement] = list(displacement_of(found, "adapted"))
    assert displacement_rows(found, parts, "cluster")[0][1:] == ["all", "within a coalition", "outside"]


def test_the_page_and_the_record_hold_every_finding_and_are_the_same_every_time(
    found: StudyResults, tmp_path: Path
) -> None:
    files = {path.name: path for path in save_study(found, tmp_path)}
    page = files["study.md"].read_text()
    assert page == study_page(found)
    told = json.loads(files["study.json"].read_text())
    assert len(told["findings"]) == 18
    assert page.count("| adapted |") >= 9
    for word in ("## Elsewhere", "## Where the harm went", "## In words", "honest pay | income | honest | 0.2 |"):
        assert word in page
    assert {part["line"] for part in told["displacement"]} == {"all", "initiator", *LINES}


def test_the_command_prints_all_of_it_within_eighty_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    small = {key: value for key, value in STUDY.items() if key != "robustness"} | {"seeds": 6, "epochs": 1}
    (tmp_path / "several.yaml").write_text(write_yaml(small))
    assert main(["sweep", str(tmp_path / "several.yaml"), "--workers", "1", "--no-plot"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80 or str(tmp_path) in max(out.splitlines(), key=len)
    for word in ("honest pay", "frozen", "bad deals, initiator", "bad deals, cluster", "(oracle)"):
        assert word in out


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"outcomes": {"x": {"metric": "toxicity_tru", "smallest_effect": 1.0}}}, "Did you mean toxicity_true"),
        ({"outcomes": {"x": {"metric": "income", "agents": "honst", "smallest_effect": 1.0}}}, "Did you mean honest"),
        ({"outcomes": {"x": {"metric": "income"}}}, "smallest_effect"),
        ({"outcomes": {"x": {"metric": "income", "smallest_effect": 1.0, "expects": "falls"}}}, "expect"),
        ({"outcomes": {"x": {"metric": "income", "smallest_effect": 1.0, "expect_of": {"audit": "falls"}}}}, "audits"),
        ({"expect_of": {"audit": "falls"}}, "Did you mean audits"),
        ({"expect_in": ["adaptd"]}, "Did you mean adapted"),
    ],
)
def test_a_misspelt_outcome_is_refused_with_the_right_word(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        study_from_dict(STUDY | changes)
