"""The changes that a study is made of: written as dotted keys, tried one by one, combined into arms."""

from __future__ import annotations

from itertools import islice, product
from typing import Any

from mesocosm.config.findings import Findings
from mesocosm.config.load import deciding_part, with_overrides
from mesocosm.config.outline import did_you_mean
from mesocosm.config.overrides import set_twice
from mesocosm.config.schema import Scenario
from mesocosm.config.study_schema import ARMS_MAX, NO_RANGE, SET_HERE, Study, is_range
from mesocosm.config.wording import shown_value
from mesocosm.config.yaml_source import KeyPath, Place, Source, Unusable, dotted
from mesocosm.errors import ConfigError, Mistake

NO_CHANGE = "changes nothing: this is what the base says already"


def flatten_changes(data: dict[str, Any], source: Source) -> None:
    """Write changes as one dotted key each, wherever the file nests them, and know where each was written."""

    def flat(block: Any, path: KeyPath, home: KeyPath) -> Any:
        if not isinstance(block, dict):
            return block
        found: dict[str, Any] = {}

        def walk(there: dict[str, Any], inside: KeyPath) -> None:
            for key, value in there.items():
                here = (*inside, key)
                if isinstance(value, dict) and value:
                    walk(value, here)
                    continue
                name = dotted(here)
                if name in found:
                    source.mistakes.append(_mistake_at(source, (*path, *here), f"{name} is set twice; keep one"))
                found[name] = value
                for places in (source.key_place, source.value_place):
                    if (*path, *here) in places:
                        places[(*home, name)] = places[(*path, *here)]

        walk(block, ())
        return found

    for key in ("set", "axes"):
        if key in data:
            data[key] = flat(data[key], (key,), (key,))
    for key in ("arms", "settings"):
        if isinstance(data.get(key), dict):
            data[key] = {name: flat(block, (key, name), (key, name)) for name, block in data[key].items()}
    plan = data.get("robustness")
    if isinstance(plan, dict) and "ranges" in plan:
        plan["ranges"] = flat(plan["ranges"], ("robustness", "ranges"), ("robustness", "ranges"))
    if isinstance(data.get("seeds"), int) and not isinstance(data["seeds"], bool):
        source.value_place[("seeds", "reporting")] = source.value_place.get(("seeds",), Place(0, 0))
        data["seeds"] = {"reporting": data["seeds"]}


def _mistake_at(source: Source, path: KeyPath, message: str) -> Mistake:
    place = source.key_place.get(path, Place(0, 0))
    return Mistake(dotted(path), message, source.path, place.line, place.column)


def changed(start: Scenario, changes: Any, home: KeyPath, findings: Findings, is_known: bool = True) -> Scenario | None:
    """A scenario with changes, or None after noting what is wrong with them where they were asked for.

    Params   is_known: whether this is the scenario that was meant; of another only those mistakes are noted that
             would be mistakes in any.
    """
    if not isinstance(changes, dict) or any(isinstance(value, Unusable) for value in changes.values()):
        return None
    for path in changes:
        if path in SET_HERE:
            findings.at_key((*home, path), SET_HERE[path])
    try:
        return with_overrides(start, changes) if changes else start
    except ConfigError as error:
        for mistake in error.mistakes:
            around = [path for path in changes if f"{mistake.key}.".startswith(f"{path}.")]
            blamed = max(around, key=len, default="")
            if not is_known and not _holds_anywhere(blamed, mistake):
                continue
            place = (*home, blamed) if blamed else home
            note = findings.at_key if mistake.message.startswith("unknown") else findings.at_value
            note(place, mistake.message if blamed == mistake.key else f"{mistake.key}: {mistake.message}")
        return None


def _holds_anywhere(blamed: str, mistake: Mistake) -> bool:
    """Whether a mistake does not depend on the scenario that is changed: neither on its agents nor on their room."""
    section = blamed.partition(".")[0]
    if section in ("agents", "population"):
        return False
    return bool(blamed) and (section != "environment" or mistake.message.startswith("unknown"))


def check_changes(data: dict[str, Any], start: Scenario, findings: Findings, is_known: bool = True) -> None:
    """Try every change by itself, as far as it can be read, so that all mistakes are told together.

    Params   is_known: as of `changed`.
    """
    _check_overlaps(data, findings)
    world = changed(start, data.get("set", {}), ("set",), findings, is_known) or start
    settings = data.get("settings")
    for name, block in settings.items() if isinstance(settings, dict) else ():
        world = changed(world, block, ("settings", name), findings, is_known) or world
    arms = data.get("arms")
    same = deciding_part(world)
    for name, block in arms.items() if isinstance(arms, dict) else ():
        one = changed(world, block, ("arms", name), findings, is_known)
        if is_known and one is not None and deciding_part(one) == same:
            findings.at_key(("arms", name), NO_CHANGE)
    axes = data.get("axes")
    for path, values in axes.items() if isinstance(axes, dict) else ():
        _check_values(world, ("axes", path), path, values, findings, is_known)
    plan = data.get("robustness")
    if isinstance(plan, dict):
        listed = arms if isinstance(arms, dict) and not axes else None
        _check_robustness(plan, listed, world, findings, is_known)


def _check_overlaps(data: dict[str, Any], findings: Findings) -> None:
    """Refuse keys of which one sets what another sets too: which of them holds, nobody would see."""
    homes: list[KeyPath] = [("set",), ("axes",), ("robustness", "ranges")]
    homes += [(key, name) for key in ("arms", "settings") for name in _block(data.get(key))]
    for home in homes:
        block: Any = data
        for part in home:
            block = _block(block).get(str(part))
        for path, other in set_twice(_block(block)):
            findings.at_key((*home, path), f"sets what {other} sets too; keep one")


def _block(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_robustness(
    plan: dict[str, Any], arms: dict[str, Any] | None, world: Scenario, findings: Findings, is_known: bool
) -> None:
    """Try both ends of every range, and look for arms that are not there if all are listed."""
    ranges, tried = plan.get("ranges"), plan.get("arms")
    for path, ends in ranges.items() if isinstance(ranges, dict) else ():
        home = ("robustness", "ranges", path)
        if not is_range(ends):
            findings.at_value(home, NO_RANGE)
        _check_values(world, home, path, ends, findings, is_known)
    for number, arm in enumerate(tried if isinstance(tried, list) and arms is not None else ()):
        if arm not in (arms or {}):
            findings.at_value(("robustness", "arms", number), f"unknown arm. {did_you_mean(str(arm), arms or {})}")


def _check_values(world: Scenario, home: KeyPath, path: str, values: Any, findings: Findings, is_known: bool) -> None:
    """Try every value that a key is to take."""
    if not isinstance(values, list):
        return
    if path in SET_HERE:
        findings.at_key(home, SET_HERE[path])
    if not values:
        findings.at_value(home, "needs at least one value")
    for number, value in enumerate(values):
        if isinstance(value, Unusable):
            continue
        if value in values[:number]:
            findings.at_value((*home, number), f"{shown_value(value)} stands here twice")
        try:
            with_overrides(world, {path: value})
        except ConfigError as error:
            for mistake in error.mistakes:
                if not is_known and not _holds_anywhere(path, mistake):
                    continue
                place = home if mistake.message.startswith("unknown") else (*home, number)
                findings.at_value(place, mistake.message)


def grid_of(study: Study) -> dict[str, dict[str, Any]]:
    """The arm of every combination of values on the axes, and one more than fits if there are too many."""
    axes = study.axes
    if not axes:
        return {}
    short = _short_names(list(axes))
    found: dict[str, dict[str, Any]] = {}
    for values in islice(product(*axes.values()), ARMS_MAX + 1):
        block = dict(zip(axes, values, strict=True))
        found[", ".join(f"{short[path]}={_written(value)}" for path, value in block.items())] = block
    return found


def doses_of(study: Study, grid: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The number behind each arm of a grid with a single numeric axis."""
    if len(study.axes) != 1:
        return {}
    found = {arm: next(iter(block.values())) for arm, block in grid.items()}
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in found.values()):
        return {}
    return {arm: float(value) for arm, value in found.items()}


def _short_names(paths: list[str]) -> dict[str, str]:
    """The last word of each path, or more words where the last alone would not tell them apart."""
    found: dict[str, str] = {}
    for path in paths:
        parts = path.split(".")
        for length in range(1, len(parts) + 1):
            tail = ".".join(parts[-length:])
            if sum(other.endswith(f".{tail}") or other == tail for other in paths) == 1:
                break
        found[path] = tail
    return found


def _written(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
