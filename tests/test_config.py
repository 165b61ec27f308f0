"""A scenario file becomes a scenario: defaults, short forms, overrides, and back to text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fake_registry import only_fakes
from mesocosm import registry
from mesocosm.config.load import (
    bundled_scenarios,
    dump_scenario,
    load_scenario,
    parse_scenario,
    scenario_from_dict,
    scenario_text,
    scenario_to_dict,
    with_overrides,
)
from mesocosm.config.outline import closest, edit_distance
from mesocosm.config.schema import Scenario
from mesocosm.config.section import Section
from mesocosm.errors import ConfigError

FIXTURES = Path(__file__).parent / "fixtures"
SMALLEST: dict[str, Any] = {"scenario_id": "small", "agents": [{"type": "honest", "count": 2}]}


@pytest.fixture(scope="module", autouse=True)
def _fakes() -> Iterator[None]:
    with only_fakes():
        yield


def governed(**governance: Any) -> dict[str, dict[str, Any]]:
    return scenario_from_dict({**SMALLEST, "governance": governance}).governance


def told(overrides: Any, source: str = "baseline") -> str:
    with pytest.raises(ConfigError) as caught:
        load_scenario(source, overrides)
    return str(caught.value)


def test_two_lines_make_a_scenario_with_every_default_filled_in() -> None:
    scenario = scenario_from_dict(SMALLEST)
    assert (scenario.simulation.epochs, scenario.simulation.seed, scenario.payoff.theta) == (10, 42, 0.5)
    assert scenario.conduct.transfer_menu == (-1.0, 0.0, 1.0)
    assert scenario.agents[0].role == "worker"
    assert scenario.agents[0].params == {"patience_span": 0.5, "mood": "calm"}


def test_the_plans_own_example_loads_verbatim() -> None:
    scenario = load_scenario(FIXTURES / "plan_example.yaml")
    assert scenario.governance == {
        "bandwidth_cap": {"max_actions": 10},
        "reputation_decay": {"decay": 0.95},
        "transaction_tax": {"rate": 0.05},
    }
    assert (scenario.motif, scenario.simulation.epochs, scenario.agents_initial) == ("reputation_competition", 100, 6)
    assert scenario.metrics_to_track[1] == "conditional_loss_initiator"


def test_bundled_scenarios_have_the_agents_they_promise() -> None:
    mix = {}
    for name in ("baseline", "adversarial_attack", "status_game"):
        scenario = load_scenario(name)
        counts: dict[str, int] = {}
        for group in scenario.agents:
            counts[group.type] = counts.get(group.type, 0) + group.count
        mix[name] = (scenario.simulation.epochs, counts)
        assert scenario.scenario_id == name
    assert mix["baseline"] == (10, {"honest": 3, "opportunistic": 1, "deceptive": 1})
    assert mix["adversarial_attack"] == (20, {"honest": 10, "opportunistic": 5, "deceptive": 3, "adversarial": 2})
    assert mix["status_game"] == (20, {"honest": 10, "opportunistic": 7, "adversarial": 3})


def test_the_status_game_makes_attention_scarce_and_disguise_dear() -> None:
    scenario = load_scenario("status_game")
    environment = scenario.environment
    assert (environment.attention_scarcity, environment.eta, scenario.conduct.disguise_cost) == (0.75, 1.0, 0.5)


def test_bundled_scenarios_begin_with_the_editor_modeline_and_a_paragraph() -> None:
    for name in bundled_scenarios():
        lines = scenario_text(name).splitlines()
        assert lines[0] == "# yaml-language-server: $schema=./scenario.schema.json"
        assert sum(line.startswith("# ") for line in lines) >= 4


def test_a_scenario_is_found_by_name_by_path_and_by_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sub" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(scenario_text("baseline"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_scenario(file) == load_scenario("sub/mine.yaml") == load_scenario("baseline")


def test_a_name_without_a_scenario_gets_the_nearest_name() -> None:
    assert told((), "baselin") == "unknown scenario 'baselin'. Did you mean baseline?"
    assert told((), "scenarios/status_gane.yaml").endswith("there is no such file. Did you mean status_game?")
    with pytest.raises(ConfigError, match="Did you mean adversarial_attack"):
        scenario_text("adversarial_atack")


def test_a_folder_is_not_a_scenario(tmp_path: Path) -> None:
    assert "cannot be read" in told((), str(tmp_path) + "/")


def test_a_nested_lever_starts_from_its_defaults() -> None:
    assert governed(random_audit={})["random_audit"]["probability"] == 0.2
    assert governed(random_audit={"penalty": 5})["random_audit"] == {
        "probability": 0.2, "penalty": 5.0, "reads": "outcome", "tiers": (0.1, 0.2),
    }  # fmt: skip


def test_a_short_form_starts_from_the_neutral_setting() -> None:
    lever = governed(audit_probability=0.3)["random_audit"]
    assert (lever["probability"], lever["penalty"]) == (0.3, 0.0)
    assert governed(transaction_tax_rate=0.0) == {"transaction_tax": {"rate": 0.0}}


def test_two_short_forms_set_one_lever() -> None:
    lever = governed(audit_penalty=2, audit_probability=1)["random_audit"]
    assert (lever["probability"], lever["penalty"]) == (1.0, 2.0)


def test_null_means_that_a_lever_is_not_there() -> None:
    assert governed(random_audit=None, bandwidth_cap=None, transaction_tax_rate=None) == {}


def test_a_name_that_is_both_lever_and_short_form_takes_either_spelling() -> None:
    assert governed(reputation_decay=0.8) == governed(reputation_decay={"decay": 0.8})


def test_levers_are_sorted_whatever_the_order_in_the_file() -> None:
    assert list(governed(transaction_tax={}, sham={}, bandwidth_cap=3)) == ["bandwidth_cap", "sham", "transaction_tax"]


def test_one_parameter_spelt_both_ways_is_a_mistake_that_says_so() -> None:
    with pytest.raises(ConfigError, match=r"audit_penalty: set twice: .* governance\.random_audit\.penalty"):
        governed(random_audit={"penalty": 1}, audit_penalty=1)
    with pytest.raises(ConfigError, match="random_audit, which is null"):
        governed(random_audit=None, audit_penalty=1)


def test_a_rule_of_the_levers_own_class_is_told() -> None:
    with pytest.raises(ConfigError, match=r"governance\.random_audit: tiers must rise"):
        governed(random_audit={"tiers": [2, 1]})


def test_overrides_reach_sections_groups_parameters_and_levers() -> None:
    scenario = load_scenario(
        "baseline",
        [
            "simulation.epochs=3",
            "agents.1.count=7",
            "agents.0.params.mood=wary",
            "conduct.effort_menu=[0, 1]",
            "governance.transaction_tax_rate=0.25",
            "governance.random_audit.probability=1e-3",
            "simulation.phases.feed=false",
            "motif=null",
        ],
    )
    assert scenario.simulation.epochs == 3
    assert scenario.agents[1].count == 7
    assert scenario.agents[0].params["mood"] == "wary"
    assert scenario.conduct.effort_menu == (0.0, 1.0)
    assert scenario.governance["transaction_tax"] == {"rate": 0.25}
    assert scenario.governance["random_audit"]["probability"] == 0.001
    assert scenario.governance["random_audit"]["penalty"] == 3.0
    assert not scenario.simulation.phases.feed


def test_the_type_of_agents_can_be_overridden_in_a_scenario_as_in_its_file() -> None:
    change = ["agents.0.type=deceptive"]
    assert with_overrides(load_scenario("baseline"), change) == load_scenario("baseline", change)
    own = load_scenario("baseline", ["agents.0.params.mood=wary"])
    assert with_overrides(own, ["simulation.epochs=3"]).agents[0].params == own.agents[0].params
    with pytest.raises(ConfigError, match="mood: unknown key"):
        with_overrides(own, change)


def test_an_override_wins_over_either_spelling_in_the_file() -> None:
    plan = FIXTURES / "plan_example.yaml"
    for path in ("governance.transaction_tax.rate", "governance.transaction_tax_rate"):
        assert load_scenario(plan, {path: 0.5}).governance["transaction_tax"]["rate"] == 0.5
    assert "transaction_tax" not in load_scenario(plan, ["governance.transaction_tax=null"]).governance
    assert load_scenario(plan, ["governance.bandwidth_cap=null"]).governance.keys() == {
        "reputation_decay", "transaction_tax",
    }  # fmt: skip
    assert load_scenario(plan, ["governance.transaction_tax_rate=null"]).governance["transaction_tax"]["rate"] == 0.0
    assert load_scenario(plan, {"governance": {}}).governance == {}


def test_the_last_override_of_a_path_wins() -> None:
    assert load_scenario("baseline", ["simulation.seed=1", "simulation.seed=2"]).simulation.seed == 2


def test_an_override_can_mend_a_mistake_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(scenario_text("baseline").replace("epochs: 10", "epochs: many"), encoding="utf-8")
    assert load_scenario(file, ["simulation.epochs=4"]).simulation.epochs == 4


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("epochs=3", "--set epochs: unknown path. Did you mean simulation.epochs?"),
        ("simulaton.epochs=3", "--set simulaton.epochs: unknown path. Did you mean simulation.epochs?"),
        ("agents.count=3", "--set agents.count: unknown path. Did you mean agents.0.count?"),
        ("agents.9.count=3", "--set agents.9.count: unknown path. There are 5 groups, agents.0 to agents.4."),
        ("agents.0.params.moood=calm", "--set agents.0.params.moood: unknown key. Did you mean mood?"),
        ("agents.0.count.x=1", "--set agents.0.count.x: unknown path. Did you mean agents.0.count?"),
        ("simulation.epochs", "--set simulation.epochs: expected path=value, as in simulation.epochs=20"),
        ("simulation.epochs=-1", "--set simulation.epochs: must be at least 0, got -1"),
        ("simulation.epochs=[1", "--set simulation.epochs=[1: this bracket is not closed"),
        ("simulation.epochs=", "--set simulation.epochs: nothing is given, expected a whole number"),
        ("simulation=3", "--set simulation: got 3, expected a block of keys"),
        ("governance.transaction_taxrate=1", "unknown key. Did you mean transaction_tax_rate?"),
        ("governance.random_audit.prob=1", "--set governance.random_audit.prob: unknown key. Did you mean probabil"),
        ("governance.transaction_tax_rate=5", "--set governance.transaction_tax_rate: must be at most 1, got 5"),
        ("governance.random_audit=0.5", "expected its parameters, as in random_audit: {probability: 0.2}"),
        ("governance=3", "--set governance: got 3, expected a block of keys"),
        ("=3", "--set =3: expected path=value"),
    ],
)
def test_a_wrong_override_is_answered_with_the_right_path(override: str, answer: str) -> None:
    assert answer in told([override])


def test_mistakes_of_file_and_overrides_come_together() -> None:
    with pytest.raises(ConfigError) as caught:
        scenario_from_dict({**SMALLEST, "feed": {"visible": 0}}, ["simulation.epochs=x", "foo=1"])
    assert [mistake.key for mistake in caught.value.mistakes] == ["feed.visible", "foo", "simulation.epochs"]


def test_a_scenario_cannot_be_changed_but_can_be_varied() -> None:
    scenario = load_scenario("baseline")
    with pytest.raises(ValidationError):
        scenario.simulation.epochs = 3  # type: ignore[misc]
    assert with_overrides(scenario, {"simulation.epochs": 3}).simulation.epochs == 3
    assert scenario.simulation.epochs == 10


def test_numbers_of_numpy_are_numbers() -> None:
    scenario = load_scenario("baseline", {"simulation.seed": np.int64(7), "payoff.theta": np.float64(0.25)})
    assert (scenario.simulation.seed, scenario.payoff.theta) == (7, 0.25)
    assert type(scenario.simulation.seed) is int


def test_a_mapping_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["agents"] = loop
    with pytest.raises(ConfigError, match="levels deep"):
        scenario_from_dict(loop)


def test_keys_that_are_not_text_are_refused() -> None:
    with pytest.raises(ConfigError, match="key 3 is not text"):
        scenario_from_dict({**SMALLEST, 3: 4})  # type: ignore[dict-item]


def test_every_mistake_ends_with_exit_code_two() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_scenario("")
    assert caught.value.exit_code == 2


def test_an_unknown_policy_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match=r"agents\.0\.type: unknown policy 'honst'\. Did you mean honest\?"):
        scenario_from_dict({"scenario_id": "x", "agents": [{"type": "honst", "count": 1}]})


def test_metrics_are_taken_on_trust_while_none_is_registered() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._entries, "metric", {})
        assert scenario_from_dict({**SMALLEST, "metrics_to_track": ["anything"]}).metrics_to_track == ("anything",)


def test_capacity_is_what_is_listed_unless_more_is_asked_for() -> None:
    arrivals = [{"epoch": 2, "type": "honest", "count": 3}]
    assert scenario_from_dict({**SMALLEST, "population": {"arrivals": arrivals}}).agents_max == 5
    assert scenario_from_dict({**SMALLEST, "population": {"arrivals": arrivals, "capacity": 9}}).agents_max == 9


def test_every_key_says_what_it_means() -> None:
    sections: list[type[Section]] = [Scenario]
    while sections:
        section = sections.pop()
        assert section.__doc__
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert field.description.endswith((".", "!")), f"{section.__name__}.{name}"
            kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
            sections += [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)]


words = st.text("abcde_", max_size=7)


@given(words, words, words)
def test_edit_distance_is_a_distance_up_to_swaps(first: str, second: str, third: str) -> None:
    assert (edit_distance(first, second) == 0) == (first == second)
    assert edit_distance(first, second) == edit_distance(second, first) <= max(len(first), len(second))
    # swapped neighbours count once, which may shorten one side of the triangle by at most the swaps it has
    assert edit_distance(first, third) <= 2 * (edit_distance(first, second) + edit_distance(second, third))


def test_a_word_with_nothing_in_common_has_no_nearest() -> None:
    assert closest("zzzzzz", ["epochs", "seed"]) is None
    assert closest("h", ["k", "q"]) is None
    assert closest("prob", ["penalty", "probability"]) == "probability"


free_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
numbers = st.floats(0, 1)
rounds = st.lists(st.floats(0, 1), min_size=1, max_size=8, unique=True).map(sorted)
groups = st.fixed_dictionaries(
    {"type": st.sampled_from(["opportunistic", "deceptive"]), "count": st.integers(1, 50)},
    optional={"role": st.sampled_from(["planner", "moderator"]), "skill": st.floats(1e-9, 1)},
)
careful = st.fixed_dictionaries(
    {"type": st.just("honest"), "count": st.integers(1, 50)},
    optional={"params": st.fixed_dictionaries({}, optional={"patience_span": st.floats(0, 10)})},
)
audits = st.fixed_dictionaries({}, optional={"probability": numbers, "tiers": rounds, "reads": st.just("proxy")})
scenarios = st.fixed_dictionaries(
    {
        "scenario_id": st.from_regex(r"\A[a-z0-9_-]{1,64}\Z"),
        "agents": st.lists(st.one_of(groups, careful), min_size=1, max_size=4),
    },
    optional={
        "motif": st.one_of(st.none(), free_text),
        "description": st.one_of(free_text, st.sampled_from(["12:30", "~", "<<", "a: b", "# no", " x ", "x\ny"])),
        "population": st.fixed_dictionaries({"capacity": st.integers(1000, 2000)}, optional={"turnover": numbers}),
        "environment": st.fixed_dictionaries({}, optional={"initial_budget": st.floats(0, 1e8)}),
        "conduct": st.fixed_dictionaries({"effort_menu": rounds, "q_low": st.floats(0, 0.9)}),
        "simulation": st.fixed_dictionaries({"seed": st.integers(0, 2**63 - 1)}),
        "governance": st.fixed_dictionaries(
            {}, optional={"random_audit": audits, "transaction_tax_rate": numbers, "sham": st.just({})}
        ),
    },
)


@given(scenarios)
def test_a_scenario_written_as_text_reads_back_equal(written: dict[str, Any]) -> None:
    scenario = scenario_from_dict(written)
    text = dump_scenario(scenario)
    again = parse_scenario(text)
    assert again == scenario
    assert dump_scenario(again) == text
    assert scenario_from_dict(scenario_to_dict(scenario)) == scenario


@pytest.mark.parametrize(
    "word", ["no", "1e-3", "1e5", "0o17", "010", "null", "0x1f", "-", "--", "1", "9" * 50, "1_0", "---"]
)
def test_a_name_that_looks_like_something_else_stays_a_name(word: str) -> None:
    scenario = scenario_from_dict({**SMALLEST, "scenario_id": word, "motif": word, "description": word})
    assert parse_scenario(dump_scenario(scenario)) == scenario


def test_reading_configuration_needs_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, mesocosm.config.load; "
        "print([name for name in ('scipy', 'matplotlib', 'polars', 'networkx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
