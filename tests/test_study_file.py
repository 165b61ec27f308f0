"""Study files: every mistake is told in one message, at its place, with the right word; nothing is ignored."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesocosm.config.load import load_scenario, with_overrides
from mesocosm.config.study import (
    BASE,
    Design,
    bundled_studies,
    dump_study,
    is_study,
    load_study,
    study_from_dict,
    study_to_dict,
)
from mesocosm.config.yaml_text import write_yaml
from mesocosm.errors import ConfigError

GOOD: dict[str, Any] = {
    "study_id": "mine",
    "base": "baseline",
    "arms": {"audit": {"governance.random_audit.probability": 0.2}},
    "primary": "toxicity_true",
    "smallest_effect": 0.01,
    "seeds": 10,
}


def study(**changes: Any) -> Design:
    return study_from_dict(copy.deepcopy(GOOD) | changes)


def mistakes(text: str, tmp_path: Path) -> list[str]:
    """What is told of a study file, each as line:column key: message."""
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as told:
        load_study(path)
    return [line.removeprefix(f"{path}:") for line in str(told.value).splitlines()]


# --- what a study says


@pytest.mark.parametrize("name", bundled_studies())
def test_bundled_studies_load_and_say_what_they_expect(name: str) -> None:
    design = load_study(name)
    assert design.study.study_id == name
    assert design.study.question.endswith("?")
    assert design.study.expect != "either"
    assert design.study.seeds.purpose == "reporting"
    assert len(design.scenarios) == len(design.settings) * (1 + len(design.arms) + len(design.controls))


@pytest.mark.parametrize("name", bundled_studies())
def test_a_study_written_out_loads_to_the_same_study(name: str, tmp_path: Path) -> None:
    design = load_study(name)
    path = tmp_path / "again.yaml"
    path.write_text(dump_study(design.study))
    assert load_study(path) == design


def test_changes_may_be_nested_or_dotted() -> None:
    nested = study(arms={"audit": {"governance": {"random_audit": {"probability": 0.2}}}})
    assert nested.scenarios == study().scenarios
    assert nested.changes == {"audit": {"governance.random_audit.probability": 0.2}}


def test_axes_make_every_combination_and_share_no_name() -> None:
    axes = {"governance.transaction_tax.rate": [0.1, 0.2], "governance.reputation_decay.decay": [0.5, 0.7, 0.9]}
    design = study(arms={}, axes=axes)
    assert len(design.arms) == 6
    assert "rate=0.2, decay=0.7" in design.arms
    one = design.scenarios["", "rate=0.2, decay=0.7"]
    assert one == with_overrides(load_scenario("baseline"), design.changes["rate=0.2, decay=0.7"])
    both = study(arms={}, axes={"payoff.rho_a": [0.1], "governance.externality_internalisation.rho_a": [0.5]})
    assert both.arms == ("payoff.rho_a=0.1, externality_internalisation.rho_a=0.5",)


def test_arms_and_axes_stand_beside_each_other() -> None:
    design = study(axes={"governance.transaction_tax.rate": [0.1, 0.2]})
    assert design.arms == ("audit", "rate=0.1", "rate=0.2")
    assert design.doses == {"rate=0.1": 0.1, "rate=0.2": 0.2}
    assert design.axis == "governance.transaction_tax.rate"


def test_in_every_setting_every_arm_is_built_on_that_setting() -> None:
    design = study(settings={"kind": {"payoff.h": 1.0}, "cruel": {"payoff.h": 4.0}})
    for setting, h in (("kind", 1.0), ("cruel", 4.0)):
        for arm in (BASE, "audit", *design.controls):
            assert design.scenarios[setting, arm].payoff.h == h
        assert "random_audit" in design.scenarios[setting, "audit"].governance
        assert "random_audit" not in design.scenarios[setting, BASE].governance


def test_an_arm_may_be_of_agents_of_another_type() -> None:
    design = study(arms={"fraud": {"agents.0.type": "deceptive"}, "lazy": {"adaptation": "frozen"}})
    assert design.scenarios["", "fraud"].agents[0].type == "deceptive"
    assert design.scenarios["", "lazy"].adaptation == "frozen"


def test_what_is_set_holds_in_every_run() -> None:
    design = study(set={"payoff": {"theta": 0.4}}, epochs=3)
    assert {(one.payoff.theta, one.simulation.epochs) for one in design.scenarios.values()} == {(0.4, 3)}


def test_a_base_may_lie_beside_the_study(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text((Path(load_scenario.__globals__["SCENARIOS"]) / "baseline.yaml").read_text())
    path = tmp_path / "study.yaml"
    path.write_text(write_yaml(GOOD | {"base": "world.yaml"}))
    assert load_study(path).scenarios == study().scenarios


def test_tuning_and_reporting_seeds_are_kept_apart() -> None:
    assert study(seeds={"tuning": 20}).study.seeds.chosen == range(20)
    assert study(seeds=30).study.seeds.chosen == range(1000, 1030)
    assert study(seeds={"reporting": 30, "first": 5000}).study.seeds.chosen == range(5000, 5030)
    for wrong in ({"tuning": 101}, {"reporting": 10, "first": 50}, {"tuning": 5, "reporting": 5}, {}, {"tuning": 1}):
        with pytest.raises(ConfigError):
            study(seeds=wrong)


# --- what is wrong with it

BAD = """\
study_id: My Study
quesiton: hello
base: baseline
epochs: 0
set:
  payoff.thta: 0.3
arms:
  audit:
    governance:
      random_audit: {probability: 2, penallty: 3}
  sham: {governance.sham.rate: .1}
  nothing: {payoff.theta: 0.5}
  words: {simulation.steps_per_epoch: ten}
axes:
  governance.transaction_tax.rate: [0.1, 0.1, 7]
primary: toxicity_treu
smallest_effect: -1
expect: down
seeds: {reporting: 10, frist: 3}
robustness:
  samples: 2
  ranges:
    payoff.theta: [0.7, 0.3]
    payoff.h: [1]
    payoff.hh: [1, 2]
"""
TOLD = [
    "1:11 study_id: 'My Study' is not a name",
    "2:1 quesiton: unknown key. Did you mean question?",
    "4:9 epochs: must be at least 1, got 0",
    "6:3 set.payoff.thta: unknown path. Did you mean payoff.theta?",
    "10:35 arms.audit.governance.random_audit.probability: must be at most 1, got 2",
    "10:38 arms.audit.governance.random_audit.penallty: unknown key. Did you mean penalty?",
    "11:3 arms.sham: every study has sham of itself",
    "12:3 arms.nothing: changes nothing",
    "13:39 arms.words.simulation.steps_per_epoch: 'ten' is text, expected a whole number",
    "15:42 axes.governance.transaction_tax.rate.1: 0.1 stands here twice",
    "15:47 axes.governance.transaction_tax.rate.2: must be at most 1, got 7",
    "16:10 primary: unknown metric 'toxicity_treu'. Did you mean toxicity_true?",
    "17:18 smallest_effect: must be above 0, got -1",
    "18:9 expect: unknown expect 'down'. Known: falls, rises, unchanged, either.",
    "19:24 seeds.frist: unknown key. Did you mean first?",
    "21:12 robustness.samples: must be at least 8, got 2",
    "23:19 robustness.ranges.payoff.theta: a range is the least and the greatest value",
    "24:15 robustness.ranges.payoff.h: a range is the least and the greatest value",
    "25:16 robustness.ranges.payoff.hh: unknown path. Did you mean payoff.h?",
]


def test_every_mistake_is_told_at_its_place_in_one_message(tmp_path: Path) -> None:
    found = mistakes(BAD, tmp_path)
    assert len(found) == len(TOLD), "\n".join(found)
    for told, expected in zip(found, TOLD, strict=True):
        assert told.startswith(expected)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"arms": {}}, "nothing to compare"),
        ({"arms": {"audit": {}}}, "changes nothing"),
        ({"arms": {"audit": 3}}, "expected a block of keys"),
        ({"arms": {"": {"payoff.h": 1}}}, "a name has 1 to 60 characters"),
        ({"arms": {}, "axes": {"payoff.h": []}}, "needs at least one value"),
        ({"arms": {}, "axes": {"payoff.h": 3}}, "expected a list"),
        ({"base": "baselin"}, "Did you mean baseline?"),
        ({"base": "tax_dose"}, "is a study"),
        ({"base": 3}, "expected text"),
        ({"primary": None}, "expected text"),
        ({"metrics": ["incom"]}, "Did you mean income?"),
        ({"settings": {"far": {"agents.9.count": 3}}}, "agents.0 to agents.4"),
        ({"robustness": {"ranges": {"payoff.h": [1, 2]}, "arms": ["audits"]}}, "Did you mean audit?"),
        ({"robustness": {"ranges": {"payoff.theta": [0.5, 1.5]}}}, "must be at most 1, got 1.5"),
        ({"robustness": {"ranges": {}}}, "at least one"),
        ({"smallest_effect": 0}, "must be above 0"),
        ({"confidence": 95}, "must be at most"),
        ({"seeds": {"reporting": 10, "tuning": 10}}, "either reporting: 100 or tuning: 20"),
        ({"seeds": 1}, "must be at least 2"),
        ({"arms": {"off": {"governance.random_audit": None}}}, "changes nothing"),
        ({"arms": {"luck": {"simulation.seed": 7}}}, "arms.luck.simulation.seed: a study sets the seeds itself"),
        ({"settings": {"luck": {"simulation": {"seed": 7}}}}, "settings.luck.simulation.seed: a study sets the seeds"),
        ({"set": {"simulation.seed": 7}}, "set.simulation.seed: a study sets the seeds itself"),
        ({"axes": {"simulation.seed": [7, 8]}}, "axes.simulation.seed: a study sets the seeds itself"),
        ({"robustness": {"ranges": {"simulation.seed": [7, 8]}}}, "ranges.simulation.seed: a study sets the seeds"),
        ({"set": {"simulation.epochs": 0}}, "epochs: no epoch, nothing to compare"),
        ({"epochs": 2, "arms": {"never": {"simulation.epochs": 0}}}, "needs at least one (arm never)"),
    ],
)  # fmt: skip
def test_a_study_that_cannot_be_is_refused_and_says_why(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        study(**changes)
    assert told in str(refused.value)


def test_a_mistake_in_the_base_keeps_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text("scenario_id: w\nagents:\n  - {type: honest, cuont: 2, count: 2}\n")
    found = mistakes(write_yaml(GOOD | {"base": "world.yaml", "primary": "nothing"}), tmp_path)
    assert any("world.yaml:3:20 agents.0.cuont: unknown key. Did you mean count?" in line for line in found)
    assert any("primary: unknown metric 'nothing'" in line for line in found)


def test_changes_that_do_not_go_together_are_told_at_their_arm() -> None:
    with pytest.raises(ConfigError, match=r"arms[.]crowd"):
        study(arms={"crowd": {"population.capacity": 2}})


def test_a_key_set_twice_is_refused(tmp_path: Path) -> None:
    text = write_yaml(GOOD).replace(
        "    governance.random_audit.probability: 0.2\n",
        "    governance.random_audit.probability: 0.2\n    governance: {random_audit: {probability: 0.3}}\n",
    )
    assert any("is set twice" in line for line in mistakes(text, tmp_path))


@pytest.mark.parametrize("text", ["", "- a\n", "3\n", "study_id: [\n", "\x00", "scenario_id: x\nagents: []\n"])
def test_a_file_that_is_no_study_gets_one_clear_message(text: str, tmp_path: Path) -> None:
    assert mistakes(text, tmp_path)


def test_too_many_arms_are_refused_and_not_built() -> None:
    values = [number / 1000 for number in range(40)]
    with pytest.raises(ConfigError, match="at most 1,000"):
        study(arms={}, axes={"payoff.theta": values, "payoff.h": values})


def test_studies_and_scenarios_are_told_apart(tmp_path: Path) -> None:
    assert is_study("tax_dose")
    assert not is_study("baseline")
    assert not is_study(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match="this is a study; `mesocosm sweep` plays it"):
        load_scenario(Path(load_study.__globals__["STUDIES"]) / "tax_dose.yaml")
    with pytest.raises(ConfigError, match="tax_dose is a study"):
        load_scenario("tax_dose")
    with pytest.raises(ConfigError, match="baseline is a scenario"):
        load_study("baseline")


@given(st.data())
def test_no_misspelt_key_of_a_study_is_ignored(data: st.DataObject) -> None:
    whole = study_to_dict(load_study("tax_dose").study)
    key = data.draw(st.sampled_from([name for name in whole if whole[name] is not None]))
    place = data.draw(st.integers(0, len(key) - 1))
    wrong = key[:place] + data.draw(st.sampled_from("xqz")) + key[place + 1 :]
    broken = {(wrong if name == key else name): value for name, value in whole.items()}
    if wrong not in whole:
        with pytest.raises(ConfigError, match=re.escape(f"Did you mean {key}?")):
            study_from_dict(broken)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                    max_leaves=6),
       st.sampled_from([*GOOD, "set", "axes", "settings", "robustness", "metrics", "epochs", "question"]))  # fmt: skip
def test_no_value_ends_in_a_traceback(value: Any, key: str) -> None:
    try:
        study(**{key: value})
    except ConfigError as error:
        assert error.mistakes
