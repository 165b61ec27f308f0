"""Parameters of policies and levers: checked against the dataclass that declares them, with defaults filled in."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from mesocosm import registry
from mesocosm.config.findings import Findings
from mesocosm.config.outline import did_you_mean, governance_keys, key_hint, short_forms
from mesocosm.config.wording import in_plain_words, shown_value, wrong_type
from mesocosm.config.yaml_source import KeyPath, Source, Unusable
from mesocosm.config.yaml_text import plain_values
from mesocosm.errors import MesocosmError

Levers = dict[str, dict[str, Any]]


@lru_cache(maxsize=256)
def parameter_types(target: Any) -> dict[str, TypeAdapter[Any]]:
    """A strict reader for each parameter that a registered dataclass declares."""
    try:
        hints = typing.get_type_hints(target)
    except (NameError, TypeError, AttributeError):
        hints = {}
    return {item.name: _reader(item, hints.get(item.name)) for item in registry.params(target)}


def _reader(item: Any, hint: Any) -> TypeAdapter[Any]:
    facts = item.metadata
    kind = type(item.default) if hint is None or isinstance(hint, str) else hint
    bounds: dict[str, Any] = {name: facts[name] for name in ("ge", "le", "gt") if facts.get(name) is not None}
    if facts.get("choices"):
        kind = Literal[tuple(facts["choices"])]
    elif typing.get_origin(kind) is tuple or kind is tuple:
        bounds["strict"] = False
    about = facts.get("about", "") + (f" [{facts['unit']}]" if facts.get("unit") else "")
    field = Field(description=about or None, **bounds)
    config = ConfigDict(strict=True, allow_inf_nan=False)
    return TypeAdapter(cast(Any, Annotated[kind, field]), config=config)


def default_parameters(target: Any) -> dict[str, Any]:
    """The default of each parameter, in order of declaration."""
    return {item.name: item.default for item in registry.params(target)}


def check_parameters(target: Any, given: Mapping[str, Any], path: KeyPath, findings: Findings) -> dict[str, Any]:
    """The parameters of one policy or lever, checked and complete; mistakes go to `findings`."""
    readers = parameter_types(target)
    choices = {item.name: item.metadata.get("choices", ()) for item in registry.params(target)}
    for name in given:
        if name not in readers:
            hint = key_hint((*path, name), readers) or "It has no parameters."
            findings.at_key((*path, name), f"unknown key. {hint}")
    resolved, is_sound = default_parameters(target), True
    for name, reader in readers.items():
        try:
            resolved[name] = reader.validate_python(given.get(name, resolved[name]))
        except ValidationError as failure:
            is_sound = False
            for error in failure.errors(include_url=False):
                message = in_plain_words(error, choices[name], "word")
                if message:
                    findings.at_value((*path, name, *_inside(error["loc"])), message)
    if is_sound and readers:
        try:
            target(**resolved)
        except (ValueError, TypeError, MesocosmError) as failure:
            findings.at_value(path, str(failure))
    return resolved


def _inside(loc: tuple[int | str, ...]) -> KeyPath:
    """The part of pydantic's path that a reader of the file knows: places in lists."""
    return tuple(part for part in loc if isinstance(part, int))


def leave_out_defaults(agents: list[dict[str, Any]]) -> None:
    """Take from groups of agents the parameters that their policy sets anyway, so that another type can be set."""
    known = {entry.name: entry.target for entry in registry.entries("policy")}
    for group in agents:
        if group["type"] in known:
            default = plain_values(default_parameters(known[group["type"]]), Source(""))
            given = group.get("params", {})
            group["params"] = {name: value for name, value in given.items() if value != default.get(name)}


def check_policies(agents: Any, path: KeyPath, findings: Findings) -> None:
    """Policy and parameters of each group of agents; the parameters are completed in place."""
    if not isinstance(agents, list):
        return
    known = {entry.name: entry for entry in registry.entries("policy")}
    for index, group in enumerate(agents):
        if not isinstance(group, dict) or not isinstance(group.get("type"), str):
            continue
        here = (*path, index)
        entry = known.get(group["type"])
        if entry is None:
            findings.at_value((*here, "type"), f"unknown policy {shown_value(group['type'])}. "
                              f"{did_you_mean(group['type'], known)}")  # fmt: skip
        elif isinstance(group.get("params", {}), dict):
            group["params"] = check_parameters(entry.target, group.get("params", {}), (*here, "params"), findings)


def known_levers() -> dict[str, Any]:
    """The dataclass of each registered lever."""
    return {entry.name: entry.target for entry in registry.entries("lever")}


def nest_levers(given: Mapping[str, Any], findings: Findings) -> Levers:
    """Governance as written, with short forms moved into their levers and defaults filled in; not yet checked."""
    targets, forms = known_levers(), short_forms()
    levers: Levers = {}
    off: set[str] = set()
    flat: dict[str, Any] = {}
    for key, value in given.items():
        path = ("governance", key)
        if isinstance(value, Unusable):
            continue
        if key in targets and value is None:
            off.add(key)
        elif key in targets and isinstance(value, dict):
            levers[key] = {**default_parameters(targets[key]), **value}
        elif key in forms:
            flat[key] = value
        elif key in targets:
            findings.at_value(path, f"{wrong_type(value, 'its parameters')}, as in {_example(key, targets[key])}")
        else:
            findings.at_key(path, f"unknown key. {key_hint(path, governance_keys())}")
    for key, value in flat.items():
        if value is not None:
            lever, parameter = forms[key]
            before = given.get(lever)
            if lever in off and key != lever:
                findings.at_key(("governance", key), f"sets a parameter of {lever}, which is null; remove one of them")
            elif isinstance(before, dict) and parameter in before:
                findings.at_key(("governance", key), f"set twice: this is the short form of "
                                f"governance.{lever}.{parameter}, which is also given; keep one")  # fmt: skip
            else:
                set_short(levers, key, value, findings)
    return levers


def _example(lever: str, target: Any) -> str:
    first = next(iter(default_parameters(target).items()), None)
    return f"{lever}: {{{first[0]}: {first[1]}}}" if first else f"{lever}: {{}}"


def set_short(levers: Levers, flat: str, value: Any, findings: Findings) -> None:
    """Set one lever parameter by its short form; a lever that was absent starts at its neutral setting."""
    lever, parameter = short_forms()[flat]
    path = ("governance", flat)
    target = known_levers()[lever]
    if isinstance(value, dict | list):
        findings.at_value(path, f"{wrong_type(value, 'one value')}: short form of governance.{lever}.{parameter}")
        return
    if value is None:
        if lever in levers:
            levers[lever][parameter] = getattr(target, "neutral", {}).get(
                parameter, default_parameters(target).get(parameter)
            )
        return
    if lever not in levers:
        levers[lever] = {**default_parameters(target), **getattr(target, "neutral", {})}
    levers[lever][parameter] = value
    findings.written[("governance", lever, parameter)] = path


def check_levers(levers: Levers, findings: Findings) -> Levers:
    """Governance checked and complete, sorted by lever."""
    targets = known_levers()
    return {
        lever: check_parameters(targets[lever], levers[lever], ("governance", lever), findings)
        for lever in sorted(levers)
    }


def override_governance(levers: Levers, path: KeyPath, value: Any, findings: Findings) -> Levers:
    """Governance with one override applied; `path` begins with "governance"."""
    targets, forms = known_levers(), short_forms()
    findings.overridden.add(path)
    if len(path) == 1:
        if isinstance(value, dict):
            return nest_levers(value, findings)
        findings.at_value(path, wrong_type(value, "a block of keys"))
        return levers
    key = str(path[1])
    if len(path) == 2 and key in targets and (value is None or isinstance(value, dict)):
        kept = {lever: setting for lever, setting in levers.items() if lever != key}
        return kept if value is None else {**kept, key: {**default_parameters(targets[key]), **value}}
    if len(path) == 2 and key in forms:
        set_short(levers, key, value, findings)
    elif len(path) == 2 and key in targets:
        findings.at_value(path, f"{wrong_type(value, 'its parameters')}, as in {_example(key, targets[key])}")
    elif len(path) == 3 and key in targets and str(path[2]) in default_parameters(targets[key]):
        levers.setdefault(key, default_parameters(targets[key]))[str(path[2])] = value
    elif len(path) == 3 and key in targets:
        findings.at_key(path, f"unknown key. {key_hint(path, default_parameters(targets[key]))}")
    else:
        findings.at_key(path, f"unknown key. {key_hint(path[:2], governance_keys())}")
    return levers
