"""Comparing a scenario with and without a change: paired, exact, with controls, and told so that nobody is misled."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import mesocosm as mc
from mesocosm.analysis.comparison import BASE, CHANGED, Arm, Comparison, compare
from mesocosm.analysis.comparison_plot import figure_of_comparison
from mesocosm.analysis.comparison_words import (
    chance,
    interval,
    moved,
    pairing_sentence,
    redraw_sentence,
    sentences,
    signed,
)
from mesocosm.analysis.statistics import difference_of_effects, paired_effect
from mesocosm.cli.main import main
from mesocosm.errors import ConfigError, UsageError
from mesocosm.runner import table
from mesocosm.runner.drive import Plan, drive
from scenario_strategy import effort
from trajectory import scenario

AUDIT = ["governance.random_audit.probability=0.5"]
VALUES = st.lists(st.floats(-100, 100), min_size=3, max_size=30)


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare("baseline", AUDIT, seeds=4, epochs=2)


# --- paired effects


@given(VALUES, VALUES)
@effort(60, 1000)
def test_a_paired_effect_is_the_paired_t_test(one: list[float], two: list[float]) -> None:
    n = min(len(one), len(two))
    treated, base = np.array(one[:n]), np.array(two[:n])
    difference = treated - base
    effect = paired_effect(treated, base)
    assert effect.change == pytest.approx(difference.mean(), abs=1e-12)
    if difference.std() < 1e-9:
        return
    expected = scipy.stats.ttest_rel(treated, base)
    low, high = expected.confidence_interval(0.95)
    assert (effect.low, effect.high) == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    assert effect.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    unpaired = treated.var(ddof=1) + base.var(ddof=1)
    assert effect.variance_reduction == pytest.approx(unpaired / difference.var(ddof=1), rel=1e-9)


def test_pairs_with_an_undefined_side_are_left_out_and_counted() -> None:
    effect = paired_effect([1.0, math.nan, 3.0, 4.0], [0.0, 1.0, math.nan, 1.0])
    assert (effect.n, effect.undefined, effect.change) == (2, 2, 2.0)
    nothing = paired_effect([math.nan], [1.0])
    assert (nothing.n, nothing.undefined) == (0, 1)
    assert math.isnan(nothing.change)
    assert not nothing.excludes_zero
    single = paired_effect([2.0], [1.0])
    assert (single.n, single.change) == (1, 1.0)
    assert math.isnan(single.low)
    assert not single.excludes_zero


def test_no_difference_at_all_is_told_from_a_small_one() -> None:
    same = paired_effect([1.0, 2.0], [1.0, 2.0])
    assert same.is_exactly_zero
    assert same.p_value == 1.0
    assert math.isinf(same.variance_reduction)
    assert not paired_effect([1.0, 2.0 + 1e-12], [1.0, 2.0]).is_exactly_zero


def test_the_difference_of_two_effects_is_paired_too() -> None:
    random = np.random.default_rng(1)
    luck = random.normal(size=40)
    one, other = (luck + 2.0, luck), (luck + 0.5 + 0.1 * random.normal(size=40), luck)
    effect = difference_of_effects(one, other)
    assert effect.change == pytest.approx(1.5, abs=0.1)
    assert effect.high - effect.low < 0.2


# --- a comparison


def test_the_arms_are_the_runs_one_would_get_one_by_one(found: Comparison) -> None:
    for (kind, name), arm in found.arms.items():
        for number in (0, 3):
            alone = drive(Plan([arm.scenario], [found.seeds[number]], "epoch", names=found.metrics))
            for metric in found.metrics:
                assert repr(alone.whole[0][metric]) == repr(float(arm.whole[metric][number])), (kind, name, metric)
            course = [row["toxicity_true"] for row in alone.rows[0]]
            assert arm.epochs["toxicity_true"][number].tolist() == course


def test_how_runs_are_parted_into_tables_changes_nothing(found: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BLOCK_ROWS", 33)
    again = compare("baseline", AUDIT, seeds=4, epochs=2)
    assert again.per_seed.equals(found.per_seed, null_equal=True)
    assert str(again.effects) == str(found.effects)


def test_controls_and_both_kinds_of_agents_stand_beside_the_change(found: Comparison) -> None:
    assert found.adaptations == ("learning", "frozen")
    assert {name for _, name in found.arms} == {BASE, CHANGED, "sham", "redraw", "oracle"}
    for metric in found.metrics:
        effect = found.effect(metric, "sham")
        assert effect.is_exactly_zero or effect.n == 0
    assert found.effect("toxicity_true", "oracle").treated == 0.0
    assert found.effect("toxicity_true", "redraw").change != 0.0
    response = found.response("toxicity_true")
    both = [found.effect("toxicity_true", adaptation=kind).change for kind in found.adaptations]
    assert response.change == pytest.approx(both[0] - both[1], abs=1e-12)


def test_effects_are_given_for_every_agent_type(found: Comparison) -> None:
    frame = found.effects
    assert set(frame["agents"].unique()) == {"all", "honest", "opportunistic", "deceptive"}
    honest = found.effect("income", agent_type="honest")
    assert honest.n == 4
    assert honest.change != found.effect("income").change


def test_a_change_of_structure_is_compared_in_tables_of_its_own() -> None:
    longer = compare("baseline", ["simulation.epochs=3"], seeds=2, epochs=2, controls=False, adaptations=["learning"])
    assert longer.arms["learning", CHANGED].epochs["toxicity_true"].shape == (2, 3)
    assert longer.arms["learning", BASE].epochs["toxicity_true"].shape == (2, 2)
    assert figure_of_comparison(longer)
    assert any("true toxicity" in text for text in sentences(longer))


def test_any_scenario_object_can_be_compared_and_progress_is_told() -> None:
    told: list[float] = []
    made = mc.compare(scenario({"honest": 4}), ["payoff.h=3.0"], seeds=[5, 9], controls=False, progress=told.append)
    assert made.seeds == (5, 9)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    assert made.effect("toxicity_true").is_exactly_zero, "honest agents do not look at harm to others"
    assert not made.effect("social_welfare_true").is_exactly_zero


@pytest.mark.parametrize(
    ("changes", "options", "told"),
    [
        ([], {}, "give a change"),
        (["payoff.h=2.0"], {}, "no change"),
        (AUDIT, {"seeds": 1}, "at least two seeds"),
        (AUDIT, {"seeds": [3, 3]}, "each once"),
        (AUDIT, {"seeds": [-1, 3]}, "seed -1"),
        (AUDIT, {"seeds": [3, 2**63]}, "seed 9223372036854775808"),
        (AUDIT, {"epochs": 0}, "no epoch, nothing to compare"),
        (["simulation.epochs=0"], {"epochs": 1}, "no epoch, nothing to compare"),
        (AUDIT, {"adaptations": ()}, "learning, frozen"),
        (AUDIT, {"adaptations": "frozn"}, "Did you mean frozen"),
        (AUDIT, {"confidence": 95}, "between 0 and 1"),
        (None, {}, "changes: a text or a list of texts, and nothing is neither"),
        ([3], {}, "changes: a text or a list of texts"),
        ({"payoff.theta": 0.4}, {}, "changes: a text or a list of texts"),
        (AUDIT, {"metrics": 3}, "metrics: a text or a list of texts"),
        (AUDIT, {"seeds": None}, "seeds: how many, or a list of them"),
        (AUDIT, {"seeds": True}, "seeds: how many, or a list of them"),
        (AUDIT, {"seeds": [1.5, 2]}, "every seed is a whole number"),
        (["adaptation=frozen"], {}, "--adaptation"),
        ([*AUDIT, "simulation.seed=7"], {}, "--first-seed"),
        (AUDIT, {"base": ["adaptation=frozen"]}, "--adaptation"),
        (AUDIT, {"base": "simulation.seed = 7"}, "--first-seed"),
    ],
)
def test_a_comparison_of_nothing_is_refused(changes: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        compare("baseline", changes, **options)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["payoff.theta=0.4", "payoff.theta=0.6"], "payoff.theta: is set twice; keep one"),
        (["payoff.theta=0.4", "payoff={theta: 0.6}"], "payoff: sets what payoff.theta sets, too"),
        (["governance.transaction_tax_rate=0.1", "governance.transaction_tax.rate=0.2"], "sets what"),
        (["governance.random_audit=null", "governance.random_audit.probability=0.2"], "sets what"),
    ],
)
def test_changes_that_set_the_same_are_refused(
    changes: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        compare("baseline", changes)
    with pytest.raises(ConfigError, match=re.escape(told)):
        compare("baseline", AUDIT, base=changes)
    words = [word for change in changes for word in ("--set", change)]
    for command in ("compare", "run"):
        assert main([command, "baseline", *words]) == 2
        assert told in " ".join(capsys.readouterr().err.split())
    assert main(["run", "baseline", "--set", "simulation.epochs=3", "--epochs", "4"]) == 2
    assert "--epochs is set twice" in capsys.readouterr().err
    run = mc.run("baseline", epochs=2, output=tmp_path / "run")
    twice = [f"governance.random_audit.probability={p}" for p in (0.1, 0.2)]
    with pytest.raises(ConfigError, match="is set twice"):
        mc.branch(run, at=1, changes=twice, output=tmp_path / "branch")


def test_every_mistake_of_a_comparison_is_told_with_the_right_word() -> None:
    with pytest.raises(ConfigError, match="Did you mean random_audit"):
        compare("baseline", ["governance.random_audti.probability=0.5"])


def test_asking_for_what_was_not_compared_names_what_was(found: Comparison) -> None:
    with pytest.raises(UsageError, match="'toxicity' was not measured"):
        found.effect("toxicity")
    with pytest.raises(UsageError, match="arms: base, changed, sham, redraw, oracle"):
        found.effect("toxicity_true", "oracl")
    with pytest.raises(UsageError, match="agents that are 'frozn'"):
        found.effect("toxicity_true", adaptation="frozn")
    with pytest.raises(UsageError, match=r"no agents of type 'honst'.*honest"):
        found.effect("toxicity_true", agent_type="honst")


def test_a_comparison_of_frozen_agents_alone_is_asked_in_the_same_words() -> None:
    found = compare("baseline", AUDIT[0], seeds=2, epochs=1, adaptations="frozen", metrics="brier", controls=False)
    assert found.changes == tuple(AUDIT)
    assert found.adaptations == ("frozen",)
    assert found.effect("toxicity_true") == found.effect("toxicity_true", adaptation="frozen")
    assert "brier" in found.metrics
    with pytest.raises(UsageError, match="learning and frozen"):
        found.response("toxicity_true")


def test_a_comparison_is_shown_in_a_line(found: Comparison) -> None:
    told = "baseline: governance.random_audit.probability=0.5, 4 paired seeds, learning and frozen agents"
    assert repr(found) == f"Comparison({told})"


def test_agents_of_another_type_can_be_compared() -> None:
    fraud = [f"agents.{group}.type=deceptive" for group in range(3)]
    found = compare("baseline", [*fraud, "simulation.epochs=3"], seeds=2, epochs=2, controls=False)
    assert {group.type for group in found.arms["learning", CHANGED].scenario.agents} == {"opportunistic", "deceptive"}
    assert found.effect("income", agent_type="honest").n == 0
    assert found.effect("income", agent_type="deceptive").n == 2
    assert {row["agents"] for row in found.effect_rows()} == {"all", "opportunistic", "deceptive"}
    assert list(sentences(found))


# --- words


def made_up(**shift: tuple[float, float]) -> Comparison:
    """A comparison in which the change moves metrics as given, with learning and with frozen agents."""
    n = 12
    noise = np.linspace(-0.001, 0.001, n)
    metrics = ("toxicity_true", "toxicity_rate", "social_welfare_true", "income")
    arms = {}
    for place, kind in enumerate(("learning", "frozen")):
        for name in (BASE, CHANGED, "sham"):
            move = {metric: shift.get(metric, (0.0, 0.0))[place] if name == CHANGED else 0.0 for metric in metrics}
            whole = {metric: 0.2 + move[metric] + (noise if move[metric] else 0.0 * noise) for metric in metrics}
            arms[kind, name] = Arm(whole, {}, {}, [], kind, name, scenario())
    return Comparison(scenario(), ("a.b=1",), tuple(range(1000, 1000 + n)), metrics, arms)


def test_a_goodhart_effect_is_called_by_its_name() -> None:
    worse = " ".join(sentences(made_up(toxicity_true=(0.05, 0.0), toxicity_rate=(-0.05, 0.0))))
    assert "the proxy improves while the truth gets worse" in worse
    same = " ".join(sentences(made_up(toxicity_rate=(-0.05, 0.0))))
    assert "the proxy improves and the truth does not" in same
    fine = " ".join(sentences(made_up(toxicity_true=(-0.05, 0.0), toxicity_rate=(-0.05, 0.0))))
    assert "Goodhart" not in fine


def in_pairs(found: Comparison, metric: str, spread: float, move: float = 0.0) -> Comparison:
    """The same, with a metric that moves by a mean and scatters from pair to pair, for learning agents."""
    arm = found.arms["learning", CHANGED]
    values = 0.2 + move + spread * np.linspace(-1.0, 1.0, len(found.seeds))
    return replace(found, arms=found.arms | {("learning", CHANGED): replace(arm, whole=arm.whole | {metric: values})})


def test_a_truth_that_is_only_uncertain_is_no_goodhart_effect() -> None:
    proxy = made_up(toxicity_rate=(-0.02, 0.0))
    unsure = " ".join(sentences(in_pairs(proxy, "toxicity_true", spread=0.2, move=-0.07)))
    assert "Whether the truth improves is undecided." in unsure
    assert "Goodhart" not in unsure
    behind = " ".join(sentences(in_pairs(proxy, "toxicity_true", spread=0.01, move=0.001)))
    assert "Beware, Goodhart: the proxy improves, and the truth falls behind by +0.021 [" in behind


def test_frozen_agents_are_said_not_to_respond_to_levers_only() -> None:
    lever, constant = (replace(made_up(), changes=(change,)) for change in (AUDIT[0], "payoff.theta=0.4"))
    assert "With frozen agents, who do not respond to it, true toxicity" in " ".join(sentences(lever))
    assert "With frozen agents, who take it as given and do not learn," in " ".join(sentences(constant))
    both = replace(made_up(), changes=(AUDIT[0], "payoff.theta=0.4"))
    assert "do not respond" not in " ".join(sentences(both))


def test_what_pairing_buys_is_told_of_ten_pairs_and_where_it_buys_something() -> None:
    rng = np.random.default_rng(3)
    luck = rng.normal(size=40)
    close, apart = paired_effect(luck + 0.1 * rng.normal(size=40), luck), paired_effect(luck, -luck)
    [told] = pairing_sentence([close])
    assert told == f"Pairing by keyed draws divides the variance of a difference by {close.variance_reduction:.1f}."
    [told] = pairing_sentence([close, apart])
    assert told.endswith(", and in 1 of 2 arms not at all.")
    assert list(pairing_sentence([apart])) == [
        "Pairing by keyed draws does not lower the variance of a difference here."
    ]
    assert list(pairing_sentence([paired_effect([1.0, 2.0], [1.1, 2.0])])) == []


def test_other_luck_is_told_with_its_digits_and_its_own_confidence() -> None:
    off = paired_effect(0.002 + 0.0019 * np.linspace(-1, 1, 12), np.zeros(12), 0.9)
    told = redraw_sentence([off], 1.0 - off.confidence)
    assert told == "Other luck (redraw): +0.002 [+0.001, +0.003]: 0 lies outside, as it does by luck in 10 of 100."
    near = replace(off, change=0.0016, low=0.0001, high=0.0031)
    assert "+0.0016 [+0.0001, +0.0031]" in redraw_sentence([near], 0.05)
    assert "0 lies outside in 1 of 2" in redraw_sentence([near, replace(near, low=-0.001)], 0.05)


def test_incomes_are_told_of_types_that_differ_after_correction_for_their_number() -> None:
    found = made_up()
    clear, unclear = 0.5 + 0.1 * np.linspace(-1, 1, 12), 0.045 + 0.1 * np.linspace(-1, 1, 12)
    assert 0.02 < paired_effect(unclear, np.zeros(12)).p_value < 0.05
    for kind in ("learning", "frozen"):
        for name in (BASE, CHANGED):
            move = 1.0 if name == CHANGED else 0.0
            types = {"honest": {"income": move * clear}, "greedy": {"income": move * unclear}}
            more = {f"idle_{number}": {"income": np.linspace(0, 1, 12) * (-1.0) ** np.arange(12) * move * 0.01}
                    for number in range(3)}  # fmt: skip
            found.arms[kind, name] = replace(found.arms[kind, name], by_type=types | more)
    told = " ".join(sentences(found))
    assert "Income, credits per agent and epoch: honest +0.50 [" in told
    assert "greedy" not in told


def test_what_agents_response_is_worth_is_said() -> None:
    told = " ".join(sentences(made_up(toxicity_true=(-0.08, -0.02))))
    assert "That agents respond makes the difference of -0.060" in told
    told = " ".join(sentences(made_up(toxicity_true=(-0.05, -0.05))))
    assert "That agents respond makes no difference to it." in told


def test_a_sham_that_does_something_is_an_alarm() -> None:
    good = made_up()
    assert "exactly 0 on every metric" in " ".join(sentences(good))
    sham = good.arms["learning", "sham"]
    moved_sham = replace(sham, whole=sham.whole | {"income": sham.whole["income"] + 1e-9})
    bad = replace(good, arms=good.arms | {("learning", "sham"): moved_sham})
    assert "NOT 0 on income" in " ".join(sentences(bad))


def test_the_sham_is_judged_run_by_run_where_a_metric_is_seldom_defined() -> None:
    once = compare(
        "baseline", ["governance.random_audit.probability=0.2"], seeds=2, epochs=2,
        base="simulation.steps_per_epoch=2", adaptations="learning",
    )  # fmt: skip
    assert any(once.effect(metric, "sham").n == 1 for metric in once.metrics)
    assert "Sham: exactly 0 on every metric, as it must be." in sentences(once)
    metric = next(name for name in once.metrics if once.effect(name, "sham").n == 1)
    sham = once.arms["learning", "sham"]
    gone = replace(sham, whole=sham.whole | {metric: np.full(2, math.nan)})
    told = " ".join(sentences(replace(once, arms=once.arms | {("learning", "sham"): gone})))
    assert f"Sham: NOT 0 on {metric}" in told


def test_controls_of_which_nothing_is_defined_prove_nothing() -> None:
    empty = made_up()
    for name in (BASE, CHANGED, "sham"):
        arm = empty.arms["learning", name]
        nothing = {metric: np.full(12, math.nan) for metric in arm.whole}
        empty.arms["learning", name] = replace(arm, whole=nothing)
    empty.arms["learning", "redraw"] = empty.arms["learning", BASE]
    told = " ".join(sentences(empty))
    assert "Sham: nothing is defined in it, so it shows nothing." in told
    assert "0 lies" not in told
    assert "Other luck (redraw): there is no interval, so it shows nothing." in told


def test_numbers_never_hide_what_they_mean() -> None:
    tiny = paired_effect(np.array([1.0001, 1.0002, 1.0003]), np.ones(3))
    assert moved(tiny) == "does not clearly change (from 1.0000 to 1.0002): +0.0002 [0.0000, +0.0004]"
    sure = paired_effect(np.linspace(1.0002, 1.0003, 30), np.ones(30))
    assert moved(sure) == "rises from 1.00000 to 1.00025: +0.00025 [+0.00024, +0.00026]"
    assert signed(float("nan")) == "undefined"
    assert interval(paired_effect([1.0], [2.0])) == "[no interval]"
    assert chance(replace(sure, p_value=0.0421)) == "p = .042"
    assert moved(paired_effect([], [])) == "is undefined"


# --- the command


def test_the_command_tells_effects_controls_and_where_they_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    words = ["compare", "baseline", "--set", AUDIT[0], "--seeds", "3", "--epochs", "1", "--output", str(folder)]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "3 paired seeds (1000 to 1002), 5 agents, 1 epoch" in told
    assert "toxicity_true" in told
    assert "Sham: exactly 0" in told
    assert all(len(line) <= 80 for line in told.splitlines() if str(tmp_path) not in line)
    record = json.loads((folder / "comparison.json").read_text())
    assert record["changes"] == AUDIT
    assert record["seeds"] == [1000, 1001, 1002]
    assert {row["arm"] for row in record["effects"]} == {"changed", "sham", "redraw", "oracle"}
    assert (folder / "comparison.png").read_bytes()[:4] == b"\x89PNG"
    drawing = (folder / "comparison.svg").read_text()
    assert "<svg" in drawing
    again = tmp_path / "again"
    assert main([*words[:-1], str(again), "--quiet"]) == 0
    assert capsys.readouterr().out.strip() == str(again)
    for name in ("comparison.json", "comparison.png", "comparison.svg"):
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_longest_names_and_numbers_fit_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("mesocosm.cli.compare.paired_seeds", lambda count, first: range(2**62, 2**62 + count))
    words = ["compare", "baseline", "--set", AUDIT[0], "--seeds", "2", "--epochs", "1", "--no-plot"]
    metrics = ["--metrics", "conditional_loss_counterparty,social_welfare"]
    assert main([*words, *metrics, "--output", str(tmp_path / "out")]) == 0
    body = [line for line in capsys.readouterr().out.splitlines() if str(tmp_path) not in line]
    assert any("conditional_loss" in line for line in body)
    assert max(map(len, body)) <= 80


def test_the_picture_uses_the_words_of_the_screen_and_says_what_its_bands_are(found: Comparison) -> None:
    figure = figure_of_comparison(found)
    courses, effects, _ = figure.axes
    assert [text.get_text() for text in courses.get_legend().get_texts()] == [
        "true, as is", "true, changed", "proxy, as is", "proxy, changed",
    ]  # fmt: skip
    assert "bands: 95 % of each arm alone, not of the change" in courses.get_title()
    names = [label.get_text() for label in effects.get_yticklabels()]
    assert names == ["changed, learning", "changed, frozen", "sham", "redraw", "oracle"]
    told = [text.get_text() for text in effects.texts]
    assert f"{found.effect('toxicity_true').change:+.3f}" in told
    assert "0 exactly" in told
    for text in effects.texts:
        assert text.get_bbox_patch() is not None, "the line of zero does not run through a number"


def test_results_that_cannot_be_kept_are_refused_before_anything_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: Any, **named: Any) -> Any:
        raise AssertionError("nothing is to be run")

    words = ["compare", "baseline", "--set", AUDIT[0], "--seeds", "2", "--epochs", "1", "--no-plot", "--quiet"]
    kept = tmp_path / "kept"
    assert main([*words, "--output", str(kept)]) == 0
    before = (kept / "comparison.json").read_bytes()
    assert main([*words, "--output", str(kept)]) == 0, "the same once more is no loss"
    monkeypatch.setattr("mesocosm.analysis.comparison.run_all", never)
    (tmp_path / "file").write_text("mine")
    (kept / "broken").mkdir()
    (kept / "broken" / "comparison.json").write_text("{")
    capsys.readouterr()
    for place, other, told in (
        (kept, ["--set", "payoff.h=3.0"], "another comparison (baseline: governance.random_audit.probability=0.5)"),
        (kept, ["--base", "payoff.h=3.0"], "another comparison"),
        (kept / "broken", [], "another comparison"),
        (tmp_path / "file", [], "cannot keep results here"),
        (tmp_path / "file" / "below", [], "cannot keep results here"),
    ):
        assert main([*words, *other, "--output", str(place)]) in (1, 2)
        failure = " ".join(capsys.readouterr().err.split())
        assert told in failure
        assert str(place) in failure
    assert (kept / "comparison.json").read_bytes() == before


@pytest.mark.parametrize("options", [[], ["--output", "new/folder"]])
def test_a_comparison_that_fails_leaves_no_empty_folder(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MESOCOSM_RUNS", str(tmp_path / "runs"))
    assert main(["compare", "baseline", "--set", "payoff.h=2.0", *options]) == 2
    assert [path for path in tmp_path.rglob("*") if path.name != "runs"] == []


def test_the_command_prints_json_and_only_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "baseline", "--set", "governance.rho_b=0.5", "--base", "payoff.h=3.0", "--seeds", "2"]
    options = ["--epochs", "1", "--no-plot", "--no-controls", "--adaptation", "frozen", "--first-seed", "7", "--json"]
    assert main([*words, *options, "--output", str(tmp_path / "r")]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["adaptations"] == ["frozen"]
    assert record["seeds"] == [7, 8]
    assert record["scenario"]["payoff"]["h"] == 3.0
    assert record["response"] is None
    assert not list((tmp_path / "r").glob("*.png"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["baseline"], "--set governance.random_audit.probability=0.2"),
        (["baseline", "--set", "governance.sham.rat=1"], "Did you mean rate"),
        (["baselin", "--set", AUDIT[0]], "Did you mean baseline"),
        (["baseline", "--set", AUDIT[0], "--seeds", "1"], "from 2 to"),
        (["baseline", "--set", AUDIT[0], "--adaptation", "none"], "both, learning, frozen"),
        (["baseline", "--set", AUDIT[0], "--metrics", "toxicity_tru"], "Did you mean toxicity_true"),
        (["baseline", "--set", AUDIT[0], "--seed", "3"], "Did you mean --seeds"),
        (["baseline", "--set", AUDIT[0], "--base", "simulation.seed=3"], "--first-seed"),
        (["baseline", "--set", "adaptation=frozen"], "--adaptation"),
        (["baseline", "--set", AUDIT[0], "--epochs", "0"], "no epoch, nothing to compare"),
    ],
)
def test_the_command_refuses_what_it_cannot_compare(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *words]) == 2
    failure = capsys.readouterr().err
    assert told in " ".join(failure.split())
    assert "Traceback" not in failure


def test_ctrl_c_ends_a_comparison_without_a_traceback(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, threading\n"
        "from mesocosm.cli.main import main\n"
        "threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "sys.exit(main(['compare', 'adversarial_attack', '--set', 'governance.rho_a=1', '--seeds', '400']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "stopped" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_comparison_says_that_its_figures_leave_the_market_out_and_what_becomes_of_it() -> None:
    found = mc.compare("marketplace", "market.panel_accuracy=0.5", seeds=4, epochs=3, controls=False)
    told = " ".join(sentences(found))
    effect = found.effect("market_toxicity_true")
    assert "None of this counts the market. Of the work paid for on it the bad share rises from" in told
    assert effect.low > 0.0
    assert "the market" not in " ".join(sentences(mc.compare("baseline", "payoff.theta=0.4", seeds=2, epochs=1)))
