"""Changes to a scenario from outside its file: ``--set simulation.epochs=20``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mesocosm.config.findings import Findings
from mesocosm.config.outline import closest, governance_keys, short_forms, subtree
from mesocosm.config.parameters import Levers, override_governance
from mesocosm.config.yaml_source import KeyPath, Source, dotted, read_yaml
from mesocosm.config.yaml_text import plain_values

Overrides = Sequence[str] | Mapping[str, Any]


def apply_overrides(data: dict[str, Any], levers: Levers, overrides: Overrides, findings: Findings) -> Levers:
    """Set each overridden value in `data` and return governance with its overrides; the last one wins."""
    for path, value in _parse(overrides, findings):
        if path[0] == "governance":
            levers = override_governance(levers, path, value, findings)
        elif _is_known(data, path):
            _set(data, path, value)
            findings.overridden.add(path)
        else:
            findings.at_override(dotted(path), f"unknown path. {_path_hint(data, path)}")
    return levers


def paths_of(overrides: Overrides) -> list[str]:
    """What overrides change, without the values.

    Example
        >>> paths_of(["simulation.seed = 7", "adaptation=frozen"])
        ['simulation.seed', 'adaptation']
    """
    written = [overrides] if isinstance(overrides, str) else overrides
    return [str(text).partition("=")[0].strip() for text in written]


def set_twice(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Paths that set what an earlier one sets too: the same, a part of it, or all around it, in either spelling.

    Example
        >>> list(set_twice(["payoff.theta", "payoff", "payoff.h"]))
        [('payoff', 'payoff.theta'), ('payoff.h', 'payoff')]
    """
    before: dict[str, str] = {}
    for path in paths:
        name = _in_full(path.strip())
        for other, written in before.items():
            if f"{name}.".startswith(f"{other}.") or f"{other}.".startswith(f"{name}."):
                yield path.strip(), written
                break
        before.setdefault(name, path.strip())


def refuse_set_twice(overrides: Sequence[str], flag: str = "--set") -> None:
    """Refuse overrides that somebody wrote side by side and of which one would undo another in silence.

    Raises   ConfigError naming each.
    """
    findings = Findings(Source(""), flag)
    for path, other in set_twice(paths_of(overrides)):
        told = "is set twice" if path == other else f"sets what {other} sets, too"
        findings.at_override(path, f"{told}; keep one")
    findings.raise_if_any()


def _in_full(path: str) -> str:
    """A path without short forms."""
    section, _, key = path.partition(".")
    lever = short_forms().get(key) if section == "governance" else None
    return ".".join((section, *lever)) if lever is not None else path


def check_mid_run(overrides: Overrides, flag: str = "--set") -> None:
    """Refuse overrides that cannot take effect in the middle of a run, where only governance can change.

    Raises   ConfigError naming every path outside governance, with the nearest right one.
    """
    refuse_set_twice(overrides if not isinstance(overrides, Mapping) else (), flag)
    findings, known = Findings(Source(""), flag), [f"governance.{key}" for key in _governance_paths()]
    for path, _ in _parse(overrides, findings):
        if path[0] == "governance":
            continue
        wrong = dotted(path)
        near = closest(f"governance.{wrong}", known, distance_max=2) or closest(wrong, known)
        same = [key for key in known if key.endswith(f".{path[-1]}")]
        meant = near or " or ".join(same[:4])
        hint = f"Did you mean {meant}?" if meant else "`mesocosm list levers` has them."
        findings.at_override(wrong, "cannot change in the middle of a run; only the rules of governance can, as "
                             f"governance.LEVER.PARAMETER=VALUE. {hint}")  # fmt: skip
    findings.raise_if_any()


def _parse(overrides: Overrides, findings: Findings) -> Iterator[tuple[KeyPath, Any]]:
    pairs: list[tuple[str, Any]] = []
    if isinstance(overrides, Mapping):
        pairs = [(str(path), plain_values(value, findings.source)) for path, value in overrides.items()]
    else:
        for text in [overrides] if isinstance(overrides, str) else overrides:
            path, sign, written = text.partition("=")
            if not sign or not path.strip():
                findings.at_override(text, "expected path=value, as in simulation.epochs=20")
                continue
            read = read_yaml(written.strip() or "null")
            if read.mistakes:
                findings.at_override(text, read.mistakes[0].message)
            else:
                pairs.append((path, read.value))
    for path, value in pairs:
        parts = path.strip().split(".")
        yield tuple(int(part) if re.fullmatch("[0-9]{1,9}", part) else part for part in parts), value


def _is_known(data: dict[str, Any], path: KeyPath) -> bool:
    below: Any = subtree(())
    there: Any = data
    for index, part in enumerate(path):
        if index and path[index - 1] == "params" and isinstance(path[index - 2], int):
            return index == len(path) - 1
        if not isinstance(below, Mapping):
            return False
        if "*" in below:
            if not isinstance(part, int) or not isinstance(there, list) or part >= len(there):
                return False
            below, there = below["*"], there[part]
        elif part in below:
            below = below[str(part)] if part != "params" else {}
            there = there.get(part) if isinstance(there, dict) else None
        else:
            return False
    return True


def _set(data: dict[str, Any], path: KeyPath, value: Any) -> None:
    there: Any = data
    for part in path[:-1]:
        if isinstance(there, dict):
            there = there.setdefault(part, {})
        elif isinstance(there, list):
            there = there[int(part)]
        else:
            return  # the file has a wrong type here, which is told on its own
    if isinstance(there, dict | list):
        there[path[-1]] = value  # type: ignore[index]


def _all_paths(data: dict[str, Any]) -> list[str]:
    found: list[str] = []

    def walk(tree: Mapping[str, Any], there: Any, path: KeyPath) -> None:
        for key, below in tree.items():
            if key == "*":
                for index, item in enumerate(there[:100] if isinstance(there, list) else []):
                    walk(below, item, (*path, index))
                continue
            found.append(dotted((*path, key)))
            if isinstance(below, Mapping):
                walk(below, there.get(key) if isinstance(there, dict) else None, (*path, key))

    walk(subtree(()) or {}, data, ())
    return found + [f"governance.{key}" for key in _governance_paths()]


def _governance_paths() -> list[str]:
    found: list[str] = []
    for lever, names in governance_keys().items():
        found += [lever, *(f"{lever}.{name}" for name in names)]
    return found


def _path_hint(data: dict[str, Any], path: KeyPath) -> str:
    """The path most like a wrong one: first by its last word, then as a whole."""
    known, wrong = _all_paths(data), dotted(path)
    if path[0] in ("agents", "population") and len(path) > 1 and isinstance(path[1], int):
        count = len(data["agents"]) if isinstance(data.get("agents"), list) else 0
        if path[0] == "agents" and path[1] >= count:
            return f"There are {count} groups, agents.0 to agents.{max(count - 1, 0)}."
    near = closest(wrong, known, distance_max=2)
    if near is None:
        by_leaf: dict[str, list[str]] = {}
        for option in known:
            by_leaf.setdefault(option.rsplit(".", 1)[-1], []).append(option)
        leaf = str(path[-1]) if str(path[-1]) in by_leaf else closest(str(path[-1]), by_leaf)
        if leaf is not None:
            return f"Did you mean {' or '.join(by_leaf[leaf][:4])}?"
        near = closest(wrong, known)
    return f"Did you mean {near}?" if near else "See `mesocosm show SCENARIO` for the keys there are."
