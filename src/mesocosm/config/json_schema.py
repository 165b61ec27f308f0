"""The scenario's JSON Schema, so that an editor completes keys and marks mistakes while one types."""

from __future__ import annotations

import json
from typing import Any

from mesocosm import registry
from mesocosm.config.outline import short_forms
from mesocosm.config.parameters import parameter_types
from mesocosm.config.schema import Scenario

DRAFT = "http://json-schema.org/draft-07/schema#"


def scenario_schema() -> dict[str, Any]:
    """JSON Schema (draft 7) of a scenario as a person may write it, with all registered policies and levers."""
    schema = _draft_7(Scenario.model_json_schema())
    definitions = schema["definitions"]
    policies = _policies()
    for name in ("AgentGroup", "Arrival", "Departure"):
        definitions[name]["properties"]["type"].update(policies)
    for name in ("AgentGroup", "Arrival"):
        definitions[name]["allOf"] = _policy_parameters()
    schema["properties"]["governance"] = _governance(schema["properties"]["governance"]["description"])
    metrics = registry.names("metric")
    if metrics:
        schema["properties"]["metrics_to_track"]["items"]["enum"] = metrics
    return {"$schema": DRAFT, "title": "Mesocosm scenario", **schema, "description": str(Scenario.__doc__)}


def schema_text() -> str:
    """The schema as it is written to `scenario.schema.json`."""
    return json.dumps(scenario_schema(), indent=2, ensure_ascii=False) + "\n"


def _draft_7(node: Any, is_names: bool = False) -> Any:
    """Pydantic's schema in the words of draft 7, without titles that only repeat the key.

    Params   is_names: whether the keys of `node` are names of properties instead of words of the schema language.
    """
    if isinstance(node, list):
        return [_draft_7(item) for item in node]
    if not isinstance(node, dict):
        return node.replace("#/$defs/", "#/definitions/") if isinstance(node, str) else node
    plain: dict[str, Any] = {}
    for key, value in node.items():
        if key == "title" and not is_names:
            continue
        written = "definitions" if key == "$defs" and not is_names else key
        plain[written] = _draft_7(value, is_names=written in ("properties", "definitions") and not is_names)
    if "$ref" in plain and not is_names and len(plain) > 1:
        # draft 7 ignores whatever stands beside $ref
        plain = {"allOf": [{"$ref": plain.pop("$ref")}], **plain}
    return plain


def _policies() -> dict[str, Any]:
    entries = list(registry.entries("policy"))
    if not entries:
        return {}
    return {
        "enum": [entry.name for entry in entries],
        "enumDescriptions": [entry.summary for entry in entries],
        "markdownDescription": "\n".join(f"- `{entry.name}`: {entry.summary}" for entry in entries),
    }


def _policy_parameters() -> list[Any]:
    return [
        {
            "if": {"properties": {"type": {"const": entry.name}}, "required": ["type"]},
            "then": {"properties": {"params": _parameters(entry.target)}},
        }
        for entry in registry.entries("policy")
    ]


def _parameters(target: Any) -> dict[str, Any]:
    """The parameters of one policy or lever as an object."""
    properties: dict[str, Any] = {}
    for item in registry.params(target):
        rule = _draft_7(parameter_types(target)[item.name].json_schema())
        rule["default"] = list(item.default) if isinstance(item.default, tuple) else item.default
        properties[item.name] = rule
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _governance(description: str) -> dict[str, Any]:
    """Each lever with its parameters, and the flat names as short forms."""
    properties: dict[str, Any] = {}
    targets = {entry.name: entry for entry in registry.entries("lever")}
    for name, entry in targets.items():
        block = _parameters(entry.target)
        properties[name] = {"description": entry.summary, "anyOf": [block, {"type": "null"}]}
    for flat, (lever, parameter) in short_forms().items():
        rule = {**_parameters(targets[lever].target)["properties"][parameter]}
        rule.pop("default", None)
        about = rule.pop("description", "")
        said = f"Short form of {lever}.{parameter}: {about}"
        if flat in properties:
            properties[flat]["anyOf"].append({**rule, "description": said})
        else:
            properties[flat] = {"description": said, "anyOf": [rule, {"type": "null"}]}
    ordered = dict(sorted(properties.items()))
    return {"type": "object", "description": description, "properties": ordered, "additionalProperties": False}
