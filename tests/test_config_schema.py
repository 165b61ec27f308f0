"""The JSON Schema that editors use agrees with what the program accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from fake_registry import only_fakes
from mesocosm.config.json_schema import scenario_schema, schema_text
from mesocosm.config.load import SCENARIOS, bundled_scenarios, load_scenario, scenario_text, scenario_to_dict
from mesocosm.config.yaml_source import read_yaml

PLAN = Path(__file__).parent / "fixtures" / "plan_example.yaml"
SMALLEST = {"scenario_id": "x", "agents": [{"type": "honest", "count": 1}]}


def complaints(written: Any) -> list[str]:
    return [error.message for error in Draft7Validator(scenario_schema()).iter_errors(written)]


def words_of(node: Any, is_names: bool = False) -> set[str]:
    """Every word of the schema language that a schema uses."""
    if isinstance(node, list):
        return {word for item in node for word in words_of(item)}
    if not isinstance(node, dict):
        return set()
    found: set[str] = set() if is_names else set(node)
    for key, value in node.items():
        if is_names or key not in ("default", "enum", "const"):
            found |= words_of(value, is_names=key in ("properties", "definitions") and not is_names)
    return found


def test_the_schema_keeps_to_draft_7() -> None:
    schema = scenario_schema()
    Draft7Validator.check_schema(schema)
    assert not words_of(schema) & {"$defs", "prefixItems", "unevaluatedProperties", "dependentRequired"}


def test_the_schema_file_beside_the_scenarios_is_up_to_date() -> None:
    committed = (SCENARIOS / "scenario.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "run `mesocosm schema > src/mesocosm/scenarios/scenario.schema.json`"


@pytest.mark.parametrize("name", bundled_scenarios())
def test_bundled_scenarios_satisfy_the_schema(name: str) -> None:
    assert complaints(read_yaml(scenario_text(name)).value) == []


@pytest.mark.parametrize("name", bundled_scenarios())
def test_a_bundled_scenario_loads_and_is_called_like_its_file(name: str) -> None:
    assert load_scenario(name).scenario_id == name


def test_the_plans_example_satisfies_the_schema_and_loads_with_the_real_levers() -> None:
    assert complaints(read_yaml(PLAN.read_bytes()).value) == []
    assert list(load_scenario(PLAN).governance) == ["bandwidth_cap", "reputation_decay", "transaction_tax"]


def test_resolved_scenarios_satisfy_the_schema() -> None:
    with only_fakes():
        scenario = load_scenario(PLAN, ["governance.random_audit.probability=0.5", "population.capacity=10"])
        assert complaints(scenario_to_dict(scenario)) == []


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"epochs": 3}, "'epochs' was unexpected"),
        ({"simulation": {"epochs": -1}}, "minimum"),
        ({"simulation": {"epochs": "3"}}, "'integer'"),
        ({"agents": [{"type": "honst", "count": 1}]}, "'honst' is not one of"),
        ({"agents": [{"type": "honest", "count": 1, "role": "king"}]}, "'king' is not one of"),
        ({"agents": [{"type": "honest", "count": 1, "params": {"moood": 1}}]}, "'moood' was unexpected"),
        ({"agents": []}, "non-empty"),
        ({"governance": {"transaction_taxrate": 0.1}}, "'transaction_taxrate' was unexpected"),
        ({"governance": {"transaction_tax": {"rate": 2}}}, "not valid under any of the given schemas"),
        ({"governance": {"transaction_tax_rate": 2}}, "not valid under any of the given schemas"),
        ({"governance": {"reputation_decay": "x"}}, "not valid under any of the given schemas"),
        ({"conduct": {"effort_menu": [0, 2]}}, "maximum"),
        ({"trust": {"prior_mean": 1}}, "1"),
        ({"metrics_to_track": ["quality_gpa"]}, "'quality_gpa' is not one of"),
    ],
)
def test_an_editor_marks_what_the_program_refuses(spoilt: dict[str, Any], words: str) -> None:
    with only_fakes():
        assert complaints(SMALLEST) == []
        assert any(words in complaint for complaint in complaints({**SMALLEST, **spoilt}))


def test_every_policy_and_lever_is_described_in_the_schema() -> None:
    with only_fakes():
        schema = scenario_schema()
    kind = schema["definitions"]["AgentGroup"]["properties"]["type"]
    assert kind["enum"] == ["adversarial", "deceptive", "honest", "opportunistic"]
    assert kind["enumDescriptions"][2] == "Looks twice."
    levers = schema["properties"]["governance"]["properties"]
    assert levers["random_audit"]["description"] == "Looks at some deals."
    assert levers["audit_penalty"]["description"] == "Short form of random_audit.penalty: The fine. [credits]"
