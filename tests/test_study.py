"""Studies: what their arms come to, corrected and judged, and the same bytes however they were played."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

import mesocosm as mc
from mesocosm.analysis.economies import draw_economies
from mesocosm.analysis.equivalence import VerdictKind
from mesocosm.analysis.multiplicity import holm, max_t
from mesocosm.analysis.pilot import run_pilot
from mesocosm.analysis.statistics import paired_effect
from mesocosm.analysis.study import StudyResults, read_study, sweep, with_seeds
from mesocosm.analysis.study_plan import plan_study, play_study
from mesocosm.analysis.study_plot import figure_of_study, plot_study
from mesocosm.analysis.study_record import save_study, study_as_dict
from mesocosm.analysis.study_words import study_sentences
from mesocosm.cli.main import main
from mesocosm.config.load import load_scenario, with_overrides
from mesocosm.config.study import Design, study_from_dict
from mesocosm.errors import ConfigError, UsageError

STUDY: dict[str, Any] = {
    "study_id": "three_rules",
    "question": "Which rule lowers true toxicity?",
    "base": "baseline",
    "epochs": 2,
    "arms": {
        "audit": {"governance.random_audit.probability": 0.4},
        "off": {"governance.random_audit.probability": 0.0},
        "tax": {"governance.transaction_tax.rate": 0.2},
    },
    "settings": {"as it is": {}, "harsher": {"payoff.h": 4.0}},
    "primary": "toxicity_true",
    "smallest_effect": 0.02,
    "expect": "falls",
    "metrics": ["income"],
    "seeds": 8,
    "robustness": {"samples": 9, "seeds": 2, "arms": ["audit"], "ranges": {"payoff.theta": [0.3, 0.7],
                                                                           "conduct.q_low": [0.05, 0.3]}},
}  # fmt: skip


def design(**changes: Any) -> Design:
    return study_from_dict(STUDY | changes)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return sweep(design(), workers=1, output=tmp_path_factory.mktemp("study"))


# --- what it finds


def test_an_effect_is_the_paired_difference_of_the_runs_themselves(found: StudyResults) -> None:
    table = found.per_seed
    for setting in found.settings:
        rows = table.filter(table["setting"] == setting).sort("seed")
        audit, base = (rows.filter(rows["arm"] == arm)["toxicity_true"].to_numpy() for arm in ("audit", "base"))
        effect = found.effect("toxicity_true", "audit", setting)
        assert effect == paired_effect(audit, base, 0.95)
        assert effect.change < -0.02


def test_intervals_are_students_unless_the_study_asks_for_bca(tmp_path: Path) -> None:
    asked = {"interval": "bca", "seeds": 32, "settings": {}, "robustness": None, "controls": False}
    drawn = sweep(design(**asked), workers=1, output=tmp_path)
    plain = sweep(design(**asked | {"interval": "t"}), workers=1, output=tmp_path)
    effects = [one.effect("toxicity_true", "audit") for one in (drawn, plain)]
    assert [effect.method for effect in effects] == ["bca", "t"]
    assert effects[0].change == effects[1].change
    assert effects[0].low != effects[1].low
    with pytest.raises(ConfigError, match="bca needs at least 30 seeds"):
        design(**asked | {"seeds": 29})


def test_too_few_seeds_to_find_anything_are_told(tmp_path: Path) -> None:
    few = sweep(design(seeds=5, settings={}, robustness=None), workers=1, output=tmp_path)
    assert "5 seeds are too few" in " ".join(study_sentences(few))
    assert {one.verdict.kind for one in few.contrasts if one.arm == "audit"} == {VerdictKind.UNDECIDED}


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_a_report_of_too_few_seeds_says_nothing_that_contradicts_it(seeds: int, tmp_path: Path) -> None:
    few = sweep(design(seeds=seeds, smallest_effect=5.0, robustness=None), workers=1, output=tmp_path)
    told = " ".join(study_sentences(few))
    assert f"{seeds} seeds are too few" in told
    for word in ("has no effect", "Against expectation", "clearly"):
        assert word not in told
    kinds = {one.verdict.kind for one in few.contrasts}
    assert kinds == {VerdictKind.UNDECIDED, VerdictKind.EXACTLY_ZERO}
    assert figure_of_study(few)


def test_of_a_single_arm_no_shares_are_told(tmp_path: Path) -> None:
    arms = {"audit": STUDY["arms"]["audit"]}
    one = sweep(design(arms=arms, settings={}, robustness=None), workers=1, output=tmp_path)
    told = " ".join(study_sentences(one))
    assert "toxicity_true falls by more than 0.02 under audit (-0.0" in told
    assert "of 1 arms" not in told
    assert study_as_dict(one)["contrasts"][0]["p_holm"] < 0.05
    assert one.design.study.alpha == 0.05


def test_arms_of_all_settings_are_one_family(found: StudyResults) -> None:
    assert [(one.setting, one.arm) for one in found.contrasts] == [
        (setting, arm) for setting in ("as it is", "harsher") for arm in ("audit", "off", "tax")
    ]
    rows = [found.differences("toxicity_true", one.arm, one.setting) for one in found.contrasts]
    family, adjusted = max_t(rows), holm([one.effect.p_value for one in found.contrasts])
    for number, one in enumerate(found.contrasts):
        assert one.p_max_t == family.adjusted[number] >= family.p_values[number]
        assert one.p_holm == adjusted[number] >= one.effect.p_value
        assert one.low <= one.effect.change <= one.high


def test_verdicts_say_what_the_arms_do(found: StudyResults) -> None:
    verdict = {(one.setting, one.arm): one.verdict for one in found.contrasts}
    for setting in found.settings:
        assert verdict[setting, "audit"].kind is VerdictKind.MATTERS
        assert verdict[setting, "audit"].direction == "falls"
        assert verdict[setting, "off"].kind is VerdictKind.EXACTLY_ZERO
    told = " ".join(study_sentences(found))
    assert "toxicity_true falls by more than 0.02 in 2 of 6 arms: audit in as it is (-0.0" in told
    assert "Sham: exactly 0 on every metric, as it must be." in told
    assert "does not move at all in 2 of 6 arms" in told
    welfare = [found.effect("social_welfare_true", one.arm, one.setting) for one in found.contrasts]
    rises, falls = sum(effect.low > 0.0 for effect in welfare), sum(effect.high < 0.0 for effect in welfare)
    assert rises >= 1
    assert f"True social welfare clearly rises in {rises} and falls in {falls} of 6 arms." in told


def test_the_record_says_how_surely_an_arm_is_better_on_both_outcomes(found: StudyResults) -> None:
    trade_off = {(one["setting"], one["arm"]): one["trade_off"] for one in study_as_dict(found)["contrasts"]}
    for setting in found.settings:
        assert trade_off[setting, "audit"]["both"] > 0.9
        assert trade_off[setting, "off"]["same"] == 1.0


def test_a_lever_at_its_neutral_setting_is_flagged(found: StudyResults) -> None:
    assert any("off in" in flag and "random_audit" in flag for flag in found.flags)


def test_controls_run_in_every_setting(found: StudyResults) -> None:
    for setting in found.settings:
        assert found.effect("toxicity_true", "sham", setting).is_exactly_zero
        assert found.effect("toxicity_true", "oracle", setting).treated == 0.0


def test_economies_fill_every_part_of_every_range_once() -> None:
    economies = draw_economies(design())
    for path, (low, high) in {"payoff.theta": (0.3, 0.7), "conduct.q_low": (0.05, 0.3)}.items():
        parts = [int(9 * (economy.constants[path] - low) / (high - low)) for economy in economies]
        assert sorted(parts) == list(range(9))
    for economy in economies:
        for scenario in economy.scenarios.values():
            assert scenario.payoff.theta == economy.constants["payoff.theta"]
    assert draw_economies(design()) == economies
    other = STUDY["robustness"] | {"luck": 1}
    assert draw_economies(design(robustness=other))[0].constants != economies[0].constants


def test_robustness_counts_the_economies_in_which_the_sign_holds(found: StudyResults) -> None:
    (trial,) = found.trials
    assert (trial.arm, trial.sign, len(trial.effects)) == ("audit", -1, 9)
    assert trial.holds.count == sum(effect.change < 0 for effect in trial.effects)
    assert trial.holds.low <= trial.holds.share <= trial.holds.high
    assert {influence.name for influence in trial.influences} == {"payoff.theta", "conduct.q_low"}
    number = 4
    runs = found.elsewhere[number]
    again = paired_effect(runs["audit"].whole["toxicity_true"], runs["base"].whole["toxicity_true"])
    assert trial.effects[number] == again


def test_no_economy_shares_its_seeds_with_another() -> None:
    plan = plan_study(design())
    seeds = {cell.name: cell.seed for cell in plan.cells}
    used = [sorted({seeds[name] for name in arms["audit"]}) for arms in plan.economy_places]
    assert used == [[1000 + 2 * number, 1001 + 2 * number] for number in range(9)]
    assert all(
        {seeds[name] for name in arms["base"]} == set(own) for arms, own in zip(plan.economy_places, used, strict=True)
    )


def test_luck_holds_its_sign_in_half_of_the_economies_and_its_interval_says_how_surely(tmp_path: Path) -> None:
    """A change that does nothing: the shares over many studies must scatter as independent economies do, no wider."""
    ranges = {"payoff.theta": [0.3, 0.7], "conduct.q_low": [0.05, 0.3], "conduct.q_high": [0.8, 0.95]}
    scatter = 0.0
    for number in range(12):
        asked = {
            "arms": {"luck": {"governance.redraw.stream": 5}}, "settings": {}, "epochs": 1, "controls": False,
            "set": {"simulation.steps_per_epoch": 4}, "seeds": {"reporting": 2, "first": 20_000 + 1_000 * number},
            "robustness": {"samples": 16, "seeds": 2, "luck": number, "ranges": ranges},
        }  # fmt: skip
        (trial,) = sweep(design(**asked), workers=1, output=tmp_path / str(number)).trials
        scatter += (trial.holds.count - 8.0) ** 2 / 4.0
    assert scatter < scipy.stats.chi2.ppf(0.9999, 12)


def test_constants_that_do_not_go_together_name_the_economy() -> None:
    ranges = {"conduct.q_low": [0.1, 0.9], "conduct.q_high": [0.2, 0.95]}
    try:
        draw_economies(design(robustness=STUDY["robustness"] | {"ranges": ranges}))
    except ConfigError as error:
        assert "no economy has conduct.q_low=" in str(error)


def test_a_dose_has_a_curve_and_a_trend(tmp_path: Path) -> None:
    axes = {"governance.random_audit.probability": [0.1, 0.3, 0.6]}
    dosed = sweep(design(arms={}, axes=axes, settings={}, robustness=None), workers=1, output=tmp_path)
    (trend,) = dosed.trends.values()
    assert trend.doses == (0.1, 0.3, 0.6)
    assert [effect.change for effect in trend.curve] == [one.effect.change for one in dosed.contrasts]
    assert trend.trend.change < -0.5
    assert "falls with the dose" in " ".join(study_sentences(dosed))
    assert len(figure_of_study(dosed).axes) == 2


def test_a_study_is_shown_in_a_line(found: StudyResults) -> None:
    assert repr(found) == "StudyResults(three_rules: 3 arms in 2 settings on toxicity_true, 8 paired seeds)"


def test_a_sham_that_moves_one_pair_or_defines_what_was_undefined_is_an_alarm(found: StudyResults) -> None:
    key = ("harsher", "sham")
    for metric, values in (("income", [0.5] + [math.nan] * 7), ("brier", [math.nan] * 8)):
        arms = {name: runs.whole | {metric: np.array(values)} for name, runs in found.runs.items()}
        same = {name: replace(runs, whole=arms[name]) for name, runs in found.runs.items()}
        told = " ".join(study_sentences(replace(found, runs=same)))
        assert "Sham: exactly 0 on every metric" in told
        moved = same[key].whole | {metric: np.array([*values[:-1], 0.25])}
        told = " ".join(study_sentences(replace(found, runs=same | {key: replace(same[key], whole=moved)})))
        assert f"Sham: NOT 0 on {metric}" in told


def test_other_luck_is_shown_to_change_nothing_that_matters_or_said_not_to_be(found: StudyResults) -> None:
    key = ("", "redraw") if ("", "redraw") in found.runs else (found.settings[0], "redraw")
    margin = found.design.study.smallest_effect

    def told(shift: float) -> str:
        base = found.runs[key[0], "base"].whole["toxicity_true"]
        same = {where: found.runs[where, "base"].whole["toxicity_true"] for where in found.settings}
        luck = np.resize([0.01 * margin, -0.01 * margin], len(base))
        runs = found.runs | {
            (where, "redraw"): replace(
                found.runs[where, "redraw"],
                whole=found.runs[where, "redraw"].whole | {"toxicity_true": values + luck + shift},
            )
            for where, values in same.items()
        }
        return next(text for text in study_sentences(replace(found, runs=runs)) if text.startswith("Other luck"))

    assert f"Smaller than {margin:g} in all 2 settings (TOST, p < .001)." in told(0.0)
    assert f"That it is smaller than {margin:g} is not shown in 2 of 2 settings (TOST)" in told(2.0 * margin)


def test_an_arm_that_is_safer_than_the_oracle_is_an_alarm(found: StudyResults) -> None:
    assert "No arm goes below it." in " ".join(study_sentences(found))
    key = (found.settings[1], "audit")
    runs = found.runs[key]
    better = replace(runs, whole=runs.whole | {"toxicity_true": runs.whole["toxicity_true"] - 1.0})
    told = " ".join(study_sentences(replace(found, runs=found.runs | {key: better})))
    assert f"NOT so: toxicity_true is lower under audit in {key[0]}." in told


def test_asking_for_what_was_not_studied_names_what_was(found: StudyResults) -> None:
    with pytest.raises(UsageError, match="arms: audit, off, tax"):
        found.effect("toxicity_true", "audits")
    with pytest.raises(UsageError, match="was not measured"):
        found.effect("toxicity", "audit")


# --- the same bytes


def outcome(folder: Path) -> dict[str, bytes]:
    """Every file of a study but its manifest."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != "manifest.jsonl")
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_results_are_the_same_bytes_from_workers_shards_and_a_second_time(tmp_path: Path) -> None:
    study = design()
    places = {name: tmp_path / name for name in ("one", "two", "part", "merged")}
    plan = plan_study(study)
    play_study(plan, places["one"], workers=1)
    play_study(plan, places["two"], workers=2)
    play_study(plan, places["part"], shard=(1, 2))
    play_study(plan, places["merged"], shard=(2, 2), merge=[places["part"]])
    for name in ("one", "two", "merged"):
        save_study(read_study(plan, places[name]), places[name])
    assert outcome(places["one"]) == outcome(places["two"]) == outcome(places["merged"])
    before = outcome(places["one"])
    save_study(read_study(plan, places["one"]), places["one"])
    assert outcome(places["one"]) == before


def test_a_study_that_is_not_all_there_says_how_much_is_missing(tmp_path: Path) -> None:
    plan = plan_study(design())
    play_study(plan, tmp_path, shard=(1, 2))
    with pytest.raises(UsageError, match=r"of 1[0-9]{2} runs of this study are missing"):
        read_study(plan, tmp_path)


def test_other_seeds_keep_their_purpose() -> None:
    assert with_seeds(design(), 3).study.seeds.chosen == range(1000, 1003)
    assert with_seeds(design(seeds={"reporting": 5, "first": 4000}), 3).study.seeds.chosen == range(4000, 4003)
    assert with_seeds(design(seeds={"tuning": 5}), 3).study.seeds.chosen == range(3)


# --- a pilot


def test_a_pilot_plays_tuning_seeds_and_plans_from_their_spread(tmp_path: Path) -> None:
    pilot = run_pilot(design(), 10, tmp_path)
    assert set(pilot.plans) == {(where, arm) for where in ("as it is", "harsher") for arm in ("audit", "off", "tax")}
    audit, off = pilot.plans["as it is", "audit"], pilot.plans["as it is", "off"]
    assert (audit.pilot, audit.family) == (10, 6)
    assert audit.seeds_cautious > audit.seeds > 2
    assert off.sd == 0.0
    assert any("The study asks for 8" in sentence for sentence in pilot.sentences())
    runs = {json.loads(file.read_text())["seed"] for file in tmp_path.rglob("cells/*/*.json")}
    assert runs == set(range(10))


@pytest.mark.parametrize("count", [0, 4, 101])
def test_a_pilot_that_cannot_tell_is_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="from 5 to 100"):
        run_pilot(design(), count, tmp_path)


# --- from Python


def test_a_parameter_sweep_plays_every_combination(tmp_path: Path) -> None:
    plan = mc.ParameterSweep("baseline", seeds=3, epochs=1, controls=False)
    plan.add_variation("governance.transaction_tax_rate", [0.1, 0.2])
    plan.add_variation("payoff.theta", [0.4, 0.5, 0.6])
    scenarios = plan.generate_scenarios()
    assert [(one.governance["transaction_tax"]["rate"], one.payoff.theta) for one in scenarios] == [
        (rate, theta) for rate in (0.1, 0.2) for theta in (0.4, 0.5, 0.6)
    ]
    results = plan.run_sweep(n_workers=2, output=tmp_path)
    assert len(results.contrasts) == 6
    alone = mc.run(scenarios[4], seed=1001, output=tmp_path / "alone.jsonl")
    row = results.per_seed.filter(
        (results.per_seed["arm"] == results.design.arms[4]) & (results.per_seed["seed"] == 1001)
    )
    assert math.isclose(row["acceptance_rate"][0], np.mean([one["acceptance_rate"] for one in alone.rows]))


def test_sweeps_of_scenarios_changed_in_python_keep_apart_and_those_of_one_name_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESOCOSM_RUNS", str(tmp_path))
    base = load_scenario("baseline")

    def played(h: float, name: str = "") -> StudyResults:
        plan = mc.ParameterSweep(with_overrides(base, [f"payoff.h={h}"]), seeds=2, epochs=1, controls=False, name=name)
        plan.add_variation("payoff.theta", [0.4])
        return plan.run_sweep(n_workers=1)

    found = [played(1.0), played(3.0)]
    assert found[0].folder != found[1].folder
    assert not any(one.flags and "changed" in one.flags[0] for one in found)
    played(1.0, "mine")
    again = played(3.0, "mine")
    assert "what is played as base, theta=0.4 changed" in again.flags[0]
    assert "amended when there were results" in repr(again)


def test_a_parameter_sweep_refuses_what_cannot_be(tmp_path: Path) -> None:
    plan = mc.ParameterSweep("baseline")
    with pytest.raises(UsageError, match="nothing varies yet"):
        plan.generate_scenarios()
    plan.add_variation("payoff.theta", [0.4])
    with pytest.raises(UsageError, match=r"^payoff.theta is varied already"):
        plan.add_variation("payoff.theta", [0.3])
    with pytest.raises(UsageError, match=r"payoff with payoff\.theta is varied already"):
        plan.add_variation("payoff", [{"theta": 0.3}])
    with pytest.raises(ConfigError, match=r"Did you mean payoff\.theta\?"):
        plan.add_variation("payoff.thta", [1])
    with pytest.raises(ConfigError, match="needs at least one value"):
        plan.add_variation("payoff.h", [])
    with pytest.raises(ConfigError, match="expected a number"):
        plan.add_variation("payoff.h", ["much"])
    for wrong in (0.5, "abc", {"a": 1}, None):
        with pytest.raises(UsageError, match="give a list of values"):
            plan.add_variation("payoff.h", wrong)  # type: ignore[arg-type]
    assert [one["param_path"] for one in plan.variations] == ["payoff.theta"]
    for workers in (2.5, "a", True, 0):
        with pytest.raises(UsageError, match=r"workers: .*from 1"):
            plan.run_sweep(workers, output=tmp_path)  # type: ignore[arg-type]


def test_a_parameter_sweep_takes_a_single_metric_as_plain_text_and_any_list_of_values() -> None:
    plan = mc.ParameterSweep("baseline", seeds=2, epochs=1, metrics="brier")
    plan.add_variation("payoff.theta", np.array([0.3, 0.4]))  # type: ignore[arg-type]
    assert plan.design.study.metrics == ("brier",)
    assert plan.design.arms == ("theta=0.3", "theta=0.4")
    with pytest.raises(UsageError, match="metrics: a text or a list of texts"):
        mc.ParameterSweep("baseline", metrics=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, 5, [1]])
def test_a_study_that_is_none_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="a study is named by a text or a path"):
        mc.sweep(wrong)
    with pytest.raises(ConfigError, match="a scenario is named by a text or a path"):
        mc.compare(wrong, "payoff.theta=0.4")


def test_a_study_may_be_given_as_plain_values(tmp_path: Path) -> None:
    asked = STUDY | {"seeds": 2, "epochs": 1, "settings": {}, "robustness": None, "controls": False}
    assert mc.sweep(asked, workers=1, output=tmp_path).design.arms == ("audit", "off", "tax")
    with pytest.raises(ConfigError, match="study_id"):
        mc.sweep({})
    for workers in ("a", 2.5, True):
        with pytest.raises(UsageError, match="a whole number from 1"):
            mc.sweep(asked, workers=workers, output=tmp_path)  # type: ignore[arg-type]


def test_a_name_that_no_font_can_show_is_drawn_without_a_word(tmp_path: Path) -> None:
    asked = STUDY | {"seeds": 2, "epochs": 1, "settings": {}, "robustness": None, "controls": False}
    asked["arms"] = {"audit \U0001f50d": STUDY["arms"]["audit"]}
    found = mc.sweep(asked, workers=1, output=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(plot_study(found, tmp_path)) == 2


# --- on the command line


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "three_rules.yaml"
    path.write_text(json.dumps(STUDY | {"seeds": 4}))
    return path


def test_a_study_prints_verdicts_within_eighty_columns(
    study_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["sweep", str(study_file), "--workers", "1", "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    for told in ("three_rules: Which rule", "harsher", "(sham)", "exactly 0", "Elsewhere", "beware", "picture"):
        assert told in printed
    body = [line for line in printed.splitlines() if str(tmp_path) not in line]
    assert max(map(len, body)) <= 80
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names >= {"study.yaml", "study.json", "runs.parquet", "effects.parquet", "study.png", "manifest.jsonl"}
    assert main(["sweep", str(study_file), "--output", str(tmp_path / "out"), "--resume"]) == 0
    assert "nothing left to run" in capsys.readouterr().out


def test_shards_and_their_merger_on_the_command_line(
    study_file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for number in (1, 2):
        assert main(["sweep", str(study_file), "--shard", f"{number}/2", "--output", str(tmp_path / str(number))]) == 0
        assert "left to other shards" in capsys.readouterr().out
    merge = ["--merge", str(tmp_path / "1"), "--merge", str(tmp_path / "2")]
    assert main(["sweep", str(study_file), *merge, "--output", str(tmp_path / "all"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["played"]["ran"] == 0
    assert len(told["contrasts"]) == 6


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--shard", "1"], "expected I/N"),
        (["--shard", "3/2"], "counts from 1"),
        (["--executor", "rai"], "Did you mean ray?"),
        (["--workers", "-1"], "from 1"),
        (["--resume", "--output", "nowhere"], "no sweep to go on with"),
        (["--pilot", "3"], "from 5 to 100"),
        (["--merge", "nowhere"], "no cells of a sweep"),
        (["--merge", "/nonexist"], "no cells of a sweep"),
        (["--seeds", "0"], "must be at least 2"),
        (["--workers", "0"], "0 workers: from 1"),
        (["--pilot", "0"], "from 5 to 100"),
        (["--pilot", "1"], "a pilot of 1 seed: from 5"),
        (["--output", ""], "name a directory"),
        (["--output", "/dev/null/place"], "cannot keep results here"),
        (["--output", "/proc/place"], "cannot keep results here"),
        (["--pilot", "5", "--shard", "1/2"], "leave out --shard"),
        (["--pilot", "5", "--merge", "x", "--resume"], "leave out --merge, --resume"),
        (["--pilot", "5", "--executor", "rai"], "Did you mean ray?"),
        (["--resume", "--output", "."], "no sweep to go on with"),
        (["--seeds", "1"], "must be at least 2"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(
    words: list[str], told: str, study_file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["sweep", str(study_file), *words]) == 2
    assert told in capsys.readouterr().err


def test_a_pilot_on_the_command_line_shows_no_effect(
    study_file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["sweep", str(study_file), "--pilot", "6", "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "sd of a difference" in printed
    assert "effects are not looked at" in printed
    assert not (tmp_path / "out" / "cells").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_sweep_leaves_no_worker_and_says_how_to_go_on(
    study_file: Path, tmp_path: Path, number: signal.Signals
) -> None:
    long = json.loads(study_file.read_text()) | {"epochs": 400, "seeds": 200}
    study_file.write_text(json.dumps(long))
    command = [
        sys.executable,
        "-m",
        "mesocosm",
        "sweep",
        str(study_file),
        "--workers",
        "2",
        "--output",
        str(tmp_path / "o"),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(3.0)
    os.killpg(process.pid, number) if number == signal.SIGINT else os.kill(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "stopped" in err
    assert re.search(r"[0-9]+ of [0-9,]+ runs are kept in", " ".join(err.split()))
    assert "The same command goes on from there." in " ".join(err.split())
    assert "Traceback" not in err
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.05)
