"""Every constant of the model with its default, and what one scenario says otherwise than another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesocosm import registry
from mesocosm.config.yaml_source import dotted

NAMED_MOST = 8


@dataclass(frozen=True)
class Constant:
    """One key of a scenario: where it stands, what it means, and what it may be."""

    path: str
    default: Any
    bounds: str
    unit: str
    about: str

    @property
    def section(self) -> str:
        """The part of the scenario it belongs to, empty at the top level."""
        return self.path.rpartition(".")[0]


def constants(schema: Mapping[str, Any]) -> Iterator[Constant]:
    """Every key of a scenario but those of levers and policies, in order."""
    yield from _constants(schema["properties"], schema["definitions"], "")


def _constants(properties: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Iterator[Constant]:
    for key, rule in properties.items():
        path = f"{where}.{key}" if where else key
        inner = _reference(rule)
        if inner:
            yield from _constants(definitions[inner]["properties"], definitions, path)
        elif key not in ("governance", "params"):
            default = rule.get("default", "required")
            yield Constant(path, default, bounds_of(rule), rule.get("unit", ""), rule.get("description", ""))


def _reference(rule: Mapping[str, Any]) -> str:
    """The section that a key holds, or holds a list of; empty for a plain value."""
    inside = rule.get("items", rule)
    for option in (inside, *inside.get("allOf", ())):
        if "$ref" in option:
            return str(option["$ref"]).rpartition("/")[2]
    return ""


def bounds_of(rule: Mapping[str, Any]) -> str:
    """What a value may be, in words.

    Example
        >>> bounds_of({"minimum": 0, "maximum": 1}), bounds_of({"exclusiveMinimum": 0}), bounds_of({"enum": ["a", "b"]})
        ('0 to 1', 'above 0', 'a | b')
    """
    rule = next((option for option in rule.get("anyOf", ()) if option.get("type") != "null"), rule)
    if "enum" in rule:
        named = [str(value) for value in rule["enum"]]
        return " | ".join(named) if len(named) <= NAMED_MOST else f"{len(named)} names"
    if "const" in rule:
        return str(rule["const"])
    if rule.get("type") == "boolean":
        return "true | false"
    if rule.get("type") == "array":
        inside = bounds_of(rule.get("items", {}))
        return f"list of {inside}" if inside else "list"
    low, above = rule.get("minimum"), rule.get("exclusiveMinimum")
    high, below = rule.get("maximum"), rule.get("exclusiveMaximum")
    return range_in_words(low, above, high, below)


def range_in_words(low: Any, above: Any, high: Any, below: Any) -> str:
    """The numbers between two ends, each given as one that belongs to them, one that does not, or None."""
    start = _figure(low) if low is not None else f"above {_figure(above)}" if above is not None else ""
    end = f"to {_figure(high)}" if high is not None else f"below {_figure(below)}" if below is not None else ""
    if start and not end and low is not None:
        return f"{start} or more"
    return f"{start}, {end}" if above is not None and end else f"{start} {end}".strip()


def _figure(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def shown(value: Any) -> str:
    """A value as one writes it in a scenario."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(item) for item in value)}]"
    return '""' if value == "" else str(value)


def flat_values(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every single value of nested mappings and lists, by its dotted path.

    Example
        >>> dict(flat_values({"a": {"b": 1}, "c": [{"d": 2}]}))
        {'a.b': 1, 'c.0.d': 2}
    """
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from flat_values(entry, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for number, entry in enumerate(value):
            yield from flat_values(entry, (*path, number))
    else:
        yield dotted(path), value


def differing_values(first: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What the other says otherwise; None for what it does not have.

    Example
        >>> differing_values({"a": 1, "b": 2}, {"a": 1, "b": 3})
        {'b': 3}
    """
    keys = [*other, *(key for key in first if key not in other)]
    return {key: other.get(key) for key in keys if first.get(key, ...) != other.get(key, ...)}


def chosen_values(differs: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """Of differences those that somebody chose: of a lever that the first lacks only what is not at its default.

    A lever with everything at its default is there with its first parameter.

    Params   differs: as `differing_values` has it; first: the values of the first.
    Example
        >>> tax = {"governance.transaction_tax.rate": 0.05}
        >>> audit = {"governance.random_audit.probability": 0.4, "governance.random_audit.penalty": 3.0}
        >>> chosen_values(tax | audit, {})
        {'governance.transaction_tax.rate': 0.05, 'governance.random_audit.probability': 0.4}
    """
    kept: dict[str, Any] = {}
    fresh: dict[str, list[str]] = {}
    for key, value in differs.items():
        part, _, rest = key.partition(".")
        lever, _, name = rest.partition(".")
        is_fresh = part == "governance" and name and not any(path.startswith(f"governance.{lever}.") for path in first)
        if not is_fresh or lever not in registry.names("lever"):
            kept[key] = value
            continue
        default = {item.name: item.default for item in registry.params(registry.find("lever", lever).target)}
        fresh.setdefault(lever, []).append(key)
        if default.get(name, ...) != value:
            kept[key] = value
    for lever, keys in fresh.items():
        if not any(key.startswith(f"governance.{lever}.") for key in kept):
            kept[keys[0]] = differs[keys[0]]
    return {key: value for key, value in differs.items() if key in kept}
