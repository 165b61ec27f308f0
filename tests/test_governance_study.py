"""The bundled study of governance: what it shows on fewer seeds, and that what is published is what the model gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.governance_page import PAGE, STUDIES, begin_of, end_of, tables_of

from mesocosm.analysis.equivalence import equivalence
from mesocosm.analysis.outcomes import OutcomeEffect, findings_of, outcomes_of
from mesocosm.analysis.study import StudyResults, direction_expected, sweep
from mesocosm.analysis.study_words import study_sentences
from mesocosm.config.study import load_study, study_from_dict, study_to_dict

JUDGED = ("toxicity_true", "collusion", "welfare")
#: what is asked of a rule, whatever the study expects of it: less harm, less collusion, more for everybody
BETTER = {"toxicity_true": -1, "collusion": -1, "welfare": 1}


def _levers_shown(found: StudyResults) -> dict[str, list[OutcomeEffect]]:
    """Arms with an effect that is clear of 0 after correction, and as theory has it, among agents who respond."""
    shown: dict[str, list[OutcomeEffect]] = {}
    outcomes, study = outcomes_of(found), found.design.study
    for each in findings_of(found):
        if each.setting != "adapted" or each.outcome not in JUDGED or not each.is_clear:
            continue
        way = direction_expected(study, outcomes[each.outcome], each.arm, each.setting)
        if way is not None and each.effect.change * BETTER[each.outcome] > 0.0:
            shown.setdefault(each.arm, []).append(each)
    return shown


def _controls_are_what_they_must_be(found: StudyResults) -> None:
    for setting in found.settings:
        for metric in found.metrics:
            assert not np.nan_to_num(found.differences(metric, "sham", setting)).any(), (setting, metric)
        assert equivalence(found.effect("toxicity_true", "redraw", setting), 0.01).is_shown, setting
        least = found.differences("toxicity_true", "oracle", setting).mean()
        for arm in found.design.arms:
            assert found.differences("toxicity_true", arm, setting).mean() >= least, (setting, arm)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    told: dict[str, Any] = study_to_dict(load_study("governance_mvp").study)
    told |= {"seeds": {"reporting": 20}, "robustness": None}
    told["settings"] = {name: told["settings"][name] for name in ("adapted", "frozen", "all honest")}
    told["expect_in"] = ["adapted"]
    return sweep(study_from_dict(told), workers=1, output=tmp_path_factory.mktemp("governance"))


@pytest.mark.slow
def test_six_levers_or_more_do_good_as_theory_has_it(found: StudyResults) -> None:
    assert set(_levers_shown(found)) >= {
        "bandwidth", "transparency", "audits", "breaker", "staking", "moderator", "combined",
    }  # fmt: skip


@pytest.mark.slow
def test_the_sham_is_exactly_0_other_luck_changes_nothing_and_nothing_beats_the_oracle(found: StudyResults) -> None:
    _controls_are_what_they_must_be(found)
    told = " ".join(study_sentences(found))
    assert "Smaller than 0.01 in all 3 settings (TOST" in told
    assert "No arm goes below it." in told


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["audits", "breaker", "staking", "combined"])
def test_what_works_works_mostly_because_agents_respond(found: StudyResults, arm: str) -> None:
    assert found.effect("toxicity_true", arm, "adapted").high < found.effect("toxicity_true", arm, "frozen").low


@pytest.mark.slow
def test_no_rule_and_not_all_of_them_together_brings_an_honest_society_down(found: StudyResults) -> None:
    for arm in found.design.arms:
        base = found.runs["all honest", "base"].whole
        treated = found.runs["all honest", arm].whole
        for metric in ("social_welfare_true", "acceptance_rate", "activity"):
            assert (treated[metric] > 0.9 * base[metric]).all(), (arm, metric)


@pytest.mark.deep
@pytest.mark.parametrize("study", STUDIES)
def test_the_published_tables_are_those_of_the_model(study: str, tmp_path: Path) -> None:
    published = PAGE.read_text(encoding="utf-8").partition(begin_of(study))[2].partition(end_of(study))[0]
    assert published.partition(" by ")[2] == tables_of(study, tmp_path)


@pytest.mark.deep
def test_the_study_shows_what_is_said_of_it(tmp_path: Path) -> None:
    found = sweep("governance_mvp", output=tmp_path)
    _controls_are_what_they_must_be(found)
    held = {
        arm
        for arm, effects in _levers_shown(found).items()
        if any(each.holds is not None and each.holds.count >= 0.8 * each.holds.n for each in effects)
    }
    assert len(held - {"combined"}) >= 6, held
    changes = {(each.outcome, each.setting, each.arm): each for each in findings_of(found)}
    disagree = [
        (each.setting, each.arm)
        for each in changes.values()
        if each.outcome == "toxicity_true" and each.is_clear
        and (looks := changes["proxy", each.setting, each.arm]).is_clear
        and looks.effect.change * each.effect.change < 0.0
    ]  # fmt: skip
    assert disagree
