"""A study from a file, a bundled name or a mapping, with every mistake told at once and every run spelt out.

Example
    >>> design = load_study("tax_dose")
    >>> design.study.primary, len(design.arms)
    ('toxic_rate', 8)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from mesocosm import registry
from mesocosm.config.findings import Findings
from mesocosm.config.load import (
    OTHERS,
    check_metrics,
    load_scenario,
    note_refusal,
    read_named,
    refuse_shape,
    scenario_to_dict,
    with_overrides,
)
from mesocosm.config.outline import did_you_mean
from mesocosm.config.schema import Scenario, Section
from mesocosm.config.study_schema import (
    ARMS_MAX,
    NO_EPOCH,
    NO_RANGE,
    RESERVED,
    SET_HERE,
    RobustnessPlan,
    Seeds,
    Study,
    is_range,
)
from mesocosm.config.wording import shown_value, unknown_word
from mesocosm.config.yaml_source import KeyPath, Place, Source, Unusable, dotted, read_yaml
from mesocosm.config.yaml_text import plain_values, write_yaml
from mesocosm.errors import ConfigError, Mistake, check

STUDIES = Path(__file__).resolve().parent.parent / "studies"
BASE, ONLY = "base", ""  # the arm without a change, and the setting of a study that names none
#: what must do nothing, what must do nothing but luck, and what no lever can better
CONTROLS: dict[str, dict[str, Any]] = {
    "sham": {"governance.sham.rate": 0.2},
    "redraw": {"governance.redraw.stream": 1},
    "oracle": {"governance.oracle.reach": 1.0},
}
_NAME_MAX = 60
NO_CHANGE = "changes nothing: this is what the base says already"


@dataclass(frozen=True)
class Design:
    """A study with everything it will run: a scenario for each setting and arm.

    `start` is the scenario it begins with, `base` the same with the changes that hold in every run; `changes` has the
    changes of each arm, listed arms first, then those of the grid; `doses` the number behind each arm of a grid with
    one numeric axis.
    """

    study: Study
    start: Scenario
    base: Scenario
    settings: dict[str, dict[str, Any]]
    changes: dict[str, dict[str, Any]]
    doses: dict[str, float] = field(default_factory=dict)
    scenarios: dict[tuple[str, str], Scenario] = field(default_factory=dict, repr=False)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms that are compared with the base."""
        return tuple(self.changes)

    @property
    def controls(self) -> tuple[str, ...]:
        """Names of the controls that run beside them."""
        return tuple(CONTROLS) if self.study.controls else ()

    @property
    def axis(self) -> str:
        """The key behind the doses, or nothing."""
        return next(iter(self.study.axes)) if self.doses else ""


def bundled_studies() -> list[str]:
    """Names of the studies that come with Mesocosm, sorted."""
    return sorted(file.stem for file in STUDIES.glob("*.yaml"))


def study_text(name: str) -> str:
    """The YAML text of a bundled study, comments included."""
    return read_named(name, STUDIES, "study")[0].decode("utf-8")


def is_study(source: str | Path) -> bool:
    """Whether a name or file is a study's and not a scenario's, as far as that can be told without reading it all."""
    if source in bundled_studies():
        return True
    try:
        return re.search(r"^study_id\s*:", Path(source).read_text(encoding="utf-8"), re.MULTILINE) is not None
    except (OSError, ValueError):
        return False


def contents_of_study(design: Design) -> str:
    """What a study holds, in a line.

    Example
        >>> contents_of_study(load_study("tax_dose"))
        '8 arms and 3 controls of baseline, 100 reporting seeds'
    """
    study = design.study
    parts = [f"{len(design.arms):,} arm{'s' * (len(design.arms) != 1)}"]
    parts += [f"and {len(design.controls)} controls"] if design.controls else []
    where = f" in {len(design.settings)} settings" if len(design.settings) > 1 else ""
    elsewhere = f", {study.robustness.samples} economies" if study.robustness else ""
    seeds = f"{len(study.seeds.chosen):,} {study.seeds.purpose} seeds"
    return f"{' '.join(parts)} of {design.base.scenario_id}{where}, {seeds}{elsewhere}"


def load_study(source: str | Path) -> Design:
    """Read a study: the name of a bundled one, or the path of a YAML file.

    Raises   ConfigError with every mistake of the study and of the scenario that it starts from.
    """
    content, path = read_named(source, STUDIES, "study")
    return _build(read_yaml(content, path), Path(path).parent)


def study_from_dict(mapping: Mapping[str, Any], base: Scenario | None = None) -> Design:
    """Check a study given as plain values, as if they had been read from a file.

    Params   base: the scenario to start from, if it is there already.
    Raises   ConfigError with every mistake.
    """
    source = Source("", complete=True)
    source.value = plain_values(mapping, source)
    return _build(source, Path(), base)


def study_to_dict(study: Study) -> dict[str, Any]:
    """A study as plain values: every key with its value, ready for JSON or YAML."""
    return dict(plain_values(study.model_dump(mode="python"), Source("")))


def dump_study(study: Study) -> str:
    """A study as YAML text that loads to an equal study."""
    return write_yaml(study_to_dict(study))


def _build(source: Source, folder: Path, base: Scenario | None = None) -> Design:
    findings = Findings(source, "")
    data = source.value
    if not source.complete:
        findings.raise_if_any()
    if not isinstance(data, dict):
        refuse_shape(data, "study", findings)
        findings.raise_if_any()
    if "scenario_id" in data and "study_id" not in data:
        findings.at_key(("scenario_id",), f"this is {OTHERS['scenarios'].rstrip('.')}")
        findings.raise_if_any()
    _flatten(data, source)
    study = _check_keys(data, findings)
    start = base if base is not None else _start(data, folder, findings)
    if start is not None:
        _check_changes(data, start, findings)
    findings.raise_if_any()
    check(start is not None and study is not None, "a study without mistakes can be built")
    return _spell_out(cast(Study, study), cast(Scenario, start), findings)


def _flatten(data: dict[str, Any], source: Source) -> None:
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


def _check_keys(data: dict[str, Any], findings: Findings) -> Study | None:
    """The study, or None after noting what the schema refuses."""
    check_metrics(data.get("metrics"), ("metrics",), findings)
    known, primary = registry.names("metric"), data.get("primary")
    if isinstance(primary, str) and primary not in known:
        findings.at_value(("primary",), unknown_word(primary, known, "metric"))
    _check_names(data, findings)
    try:
        return Study.model_validate(data)
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            note_refusal(error, findings, _key_hint)
        return None


def _key_hint(path: KeyPath) -> str:
    """The key of a study that a wrong one resembles."""
    sections: dict[str, type[Section]] = {"seeds": Seeds, "robustness": RobustnessPlan}
    section = sections.get(str(path[0]), Study) if len(path) > 1 else Study
    return did_you_mean(str(path[-1]), section.model_fields)


def _check_names(data: dict[str, Any], findings: Findings) -> None:
    for key in ("arms", "settings"):
        for name in data[key] if isinstance(data.get(key), dict) else ():
            if key == "arms" and name in RESERVED:
                findings.at_key((key, name), f"every study has {name} of itself; choose another name")
            elif not name.strip() or len(name) > _NAME_MAX or not name.isprintable():
                findings.at_key((key, name), f"a name has 1 to {_NAME_MAX} characters that can be shown")
    listed, axes = data.get("arms"), data.get("axes")
    if not listed and not axes and not isinstance(listed, Unusable) and not isinstance(axes, Unusable):
        findings.at_key(("arms",), "nothing to compare: name at least one change under arms, or values under axes")


def _start(data: dict[str, Any], folder: Path, findings: Findings) -> Scenario | None:
    """The scenario that every run starts from; its own mistakes keep their own place."""
    name = data.get("base")
    if not isinstance(name, str):
        return None
    beside = folder / name
    try:
        return load_scenario(beside if re.search(r"[/\\]|\.ya?ml$", name) and beside.exists() else name)
    except ConfigError as error:
        for mistake in error.mistakes:
            if mistake.line:
                findings.adopt([mistake])
            else:
                findings.at_value(("base",), mistake.message)
        return None


def _changed(start: Scenario, changes: Any, home: KeyPath, findings: Findings) -> Scenario | None:
    """A scenario with changes, or None after noting what is wrong with them where they were asked for."""
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
            place = (*home, blamed) if blamed else home
            note = findings.at_key if mistake.message.startswith("unknown") else findings.at_value
            note(place, mistake.message if blamed == mistake.key else f"{mistake.key}: {mistake.message}")
        return None


def _check_changes(data: dict[str, Any], start: Scenario, findings: Findings) -> None:
    """Try every change by itself, as far as it can be read, so that all mistakes are told together."""
    world = _changed(start, data.get("set", {}), ("set",), findings) or start
    settings = data.get("settings")
    for name, block in settings.items() if isinstance(settings, dict) else ():
        world = _changed(world, block, ("settings", name), findings) or world
    arms = data.get("arms")
    for name, block in arms.items() if isinstance(arms, dict) else ():
        one = _changed(world, block, ("arms", name), findings)
        if one is not None and scenario_to_dict(one) == scenario_to_dict(world):
            findings.at_key(("arms", name), NO_CHANGE)
    axes = data.get("axes")
    for path, values in axes.items() if isinstance(axes, dict) else ():
        _check_values(world, ("axes", path), path, values, findings)
    plan = data.get("robustness")
    if isinstance(plan, dict):
        _check_robustness(plan, arms if isinstance(arms, dict) and not axes else None, world, findings)


def _check_robustness(plan: dict[str, Any], arms: dict[str, Any] | None, world: Scenario, findings: Findings) -> None:
    """Try both ends of every range, and look for arms that are not there if all are listed."""
    ranges, tried = plan.get("ranges"), plan.get("arms")
    for path, ends in ranges.items() if isinstance(ranges, dict) else ():
        home = ("robustness", "ranges", path)
        if not is_range(ends):
            findings.at_value(home, NO_RANGE)
        _check_values(world, home, path, ends, findings)
    for number, arm in enumerate(tried if isinstance(tried, list) and arms is not None else ()):
        if arm not in (arms or {}):
            findings.at_value(("robustness", "arms", number), f"unknown arm. {did_you_mean(str(arm), arms or {})}")


def _check_values(world: Scenario, home: KeyPath, path: str, values: Any, findings: Findings) -> None:
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
                place = home if mistake.message.startswith("unknown") else (*home, number)
                findings.at_value(place, mistake.message)


def _spell_out(study: Study, start: Scenario, findings: Findings) -> Design:
    """The design with every scenario.

    Raises   ConfigError when changes that are right by themselves do not go together.
    """
    length = {} if study.epochs is None else {"simulation.epochs": study.epochs}
    base = with_overrides(start, dict(study.set) | length)
    grid = _grid(study)
    changes = {name: dict(block) for name, block in study.arms.items()} | grid
    if len(changes) > ARMS_MAX:
        findings.at_key(("axes",), f"more than {ARMS_MAX:,} arms; at most {ARMS_MAX:,} fit into one study")
        findings.raise_if_any()
    settings = {name: dict(world) for name, world in (study.settings or {ONLY: {}}).items()}
    scenarios: dict[tuple[str, str], Scenario] = {}
    for setting, world in settings.items():
        there = _changed(base, world, ("settings", setting), findings)
        if there is not None:
            scenarios |= {(setting, arm): one for arm, one in _in_setting(study, there, changes, findings)}
    for number, arm in enumerate(study.robustness.arms if study.robustness else ()):
        if arm not in changes:
            findings.at_value(("robustness", "arms", number), f"unknown arm. {did_you_mean(arm, changes)}")
    for (_, arm), one in scenarios.items():
        if one.simulation.epochs < 1:
            findings.at_key(("epochs",), NO_EPOCH if arm == BASE else f"{NO_EPOCH} (arm {arm})")
    findings.raise_if_any()
    return Design(study, start, base, settings, changes, _doses(study, grid), scenarios)


def _in_setting(
    study: Study, there: Scenario, changes: dict[str, dict[str, Any]], findings: Findings
) -> Iterator[tuple[str, Scenario]]:
    """The scenario of every arm and control in one setting."""
    yield BASE, there
    same = scenario_to_dict(there)
    for arm, block in changes.items():
        listed = arm in study.arms
        one = _changed(there, block, ("arms", arm) if listed else ("axes",), findings)
        if one is None:
            continue
        if listed and scenario_to_dict(one) == same:
            findings.at_key(("arms", arm), NO_CHANGE)
        yield arm, one
    for arm, block in CONTROLS.items() if study.controls else ():
        yield arm, with_overrides(there, block)


def _grid(study: Study) -> dict[str, dict[str, Any]]:
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


def _doses(study: Study, grid: dict[str, dict[str, Any]]) -> dict[str, float]:
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
