"""The tree of keys that a scenario may have, and the nearest right key for a wrong one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from mesocosm import registry
from mesocosm.config.schema import Scenario
from mesocosm.config.yaml_source import KeyPath, dotted

Tree = Mapping[str, Any]  # key -> subtree of a section, or None for a single value


def _model_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The section behind an annotation, and whether it is one of a list."""
    if get_origin(annotation) is Annotated:
        return _model_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        found = [_model_of(argument) for argument in get_args(annotation)]
        return next((item for item in found if item[0]), (None, False))
    if get_origin(annotation) is tuple:
        return _model_of(get_args(annotation)[0])[0], True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    return None, False


@cache
def _section_tree(model: type[BaseModel]) -> Tree:
    tree: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        section, is_list = _model_of(field.annotation)
        if section is None:
            tree[name] = None
        else:
            tree[name] = {"*": _section_tree(section)} if is_list else _section_tree(section)
    return tree


def subtree(path: KeyPath) -> Tree | None:
    """The keys that may stand at a path of the scenario; None for a single value or an unknown path."""
    tree: Any = _section_tree(Scenario)
    for part in path:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get("*") if isinstance(part, int) else tree.get(part)
    return tree if isinstance(tree, Mapping) else None


def short_forms() -> dict[str, tuple[str, str]]:
    """Flat names of lever parameters (the plan's spelling): name -> (lever, parameter)."""
    return {
        flat: (entry.name, parameter)
        for entry in registry.entries("lever")
        for flat, parameter in getattr(entry.target, "short_forms", {}).items()
    }


def governance_keys() -> dict[str, list[str]]:
    """What may stand under governance: each lever with its parameters, and the short forms with none."""
    keys: dict[str, list[str]] = {flat: [] for flat in short_forms()}
    for entry in registry.entries("lever"):
        keys[entry.name] = [item.name for item in registry.params(entry.target)]
    return keys


def single_keys() -> dict[str, list[str]]:
    """Every key -> the sections it may stand in, as people write them ("" is the top level)."""
    homes: dict[str, list[str]] = {}

    def walk(tree: Tree, where: tuple[str, ...]) -> None:
        for key, below in tree.items():
            if key != "*":
                homes.setdefault(key, []).append(".".join(where))
            if isinstance(below, Mapping):
                walk(below, where if key == "*" else (*where, key))

    walk(_section_tree(Scenario), ())
    for lever, parameters in governance_keys().items():
        homes.setdefault(lever, []).append("governance")
        for parameter in parameters:
            homes.setdefault(parameter, []).append(f"governance.{lever}")
    return homes


def edit_distance(first: str, second: str) -> int:
    """How many letters must be added, dropped, changed or swapped with a neighbour to get from one word to the other.

    Example
        >>> edit_distance("epochs", "epcohs"), edit_distance("seed", "sed")
        (1, 1)
    """
    rows = [list(range(len(second) + 1))]
    for i, letter in enumerate(first, 1):
        row = [i]
        for j, other in enumerate(second, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def closest(word: str, options: Collection[str], distance_max: int = 0) -> str | None:
    """The option nearest to a misspelt word, or None when none is near.

    Params   distance_max: most edits; 0 for two, or a third of a long word, and fewer than the word has letters.
    """
    if len(word) > 80:
        return None
    plain = word.lower().replace("-", "_").replace(" ", "_")
    limit = distance_max or max(2, len(plain) // 3)
    rated = [
        (edit_distance(plain, option.lower()), index, option)
        for index, option in enumerate(options)
        if abs(len(option) - len(plain)) <= limit
    ]
    near = [item for item in rated if item[0] <= limit and item[0] < max(len(plain), len(item[2]))]
    if near:
        return min(near)[2]
    longer = [option for option in options if len(plain) > 2 and option.startswith(plain)]
    return longer[0] if longer and not distance_max else None


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Name the nearest option, or all of them when none is near.

    Example
        >>> did_you_mean("epcohs", ["seed", "epochs"])
        'Did you mean epochs?'
    """
    known = list(options)
    near = closest(word, known)
    if near is not None:
        return f"Did you mean {near}?"
    if not known:
        return "Nothing of that kind is known."
    return f"Known: {', '.join(known[:30])}{', ...' if len(known) > 30 else ''}."


def key_hint(path: KeyPath, siblings: Iterable[str]) -> str:
    """Where a wrong key belongs, or which right key it resembles.

    Params   path: key path of the wrong key; siblings: the keys that may stand beside it.
    """
    word, known = str(path[-1]), [key for key in siblings if key != "*"]
    homes = single_keys()
    if word in homes:
        slip = closest(word, known, distance_max=1)
        meant = f"Did you mean {slip}? {word}" if slip else "It"
        return f"{meant} belongs {_under(homes[word])}."
    near = closest(word, known)
    if near is not None:
        return f"Did you mean {near}?"
    far = closest(word, [key for key in homes if len(key) > 3], distance_max=1 if len(word) < 7 else 2)
    if far is not None and len(word) > 3:
        return f"Did you mean {far}, which belongs {_under(homes[far])}?"
    shown = ", ".join(known[:30]) + (", ..." if len(known) > 30 else "")
    where = dotted(path[:-1])
    return f"Known {'in ' + where if where else 'here'}: {shown}." if known else ""


def _under(homes: list[str]) -> str:
    named = [f"under {home}" if home else "at the top level" for home in homes[:4]]
    return " or ".join(named)
