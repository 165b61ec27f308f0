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
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from mesocosm import registry
from mesocosm.config.findings import Findings
from mesocosm.config.load import (
    OTHERS,
    check_metrics,
    deciding_part,
    load_scenario,
    note_refusal,
    read_named,
    refuse_shape,
    with_overrides,
)
from mesocosm.config.outline import did_you_mean
from mesocosm.config.schema import Scenario
from mesocosm.config.section import Section
from mesocosm.config.study_changes import NO_CHANGE, changed, check_changes, doses_of, flatten_changes, grid_of
from mesocosm.config.study_schema import ARMS_MAX, NO_EPOCH, RESERVED, OutcomePlan, RobustnessPlan, Seeds, Study
from mesocosm.config.wording import unknown_word
from mesocosm.config.yaml_source import KeyPath, Source, Unusable, read_yaml
from mesocosm.config.yaml_text import plain_values, write_yaml
from mesocosm.errors import ConfigError, check

STUDIES = Path(__file__).resolve().parent.parent / "studies"
BASE, ONLY = "base", ""  # the arm without a change, and the setting of a study that names none
STAND_IN = "baseline"  # what changes are tried on when the scenario that was meant cannot be read
#: what must do nothing, what must do nothing but luck, and what no lever can better
CONTROLS: dict[str, dict[str, Any]] = {
    "sham": {"governance.sham.rate": 0.2},
    "redraw": {"governance.redraw.stream": 1},
    "oracle": {"governance.oracle.reach": 1.0},
}
_NAME_MAX = 60
_STUDY_ID = re.compile(r"""(?:^|[{,])\s*["']?study_id["']?\s*:""", re.MULTILINE)


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
        return _STUDY_ID.search(Path(source).read_text(encoding="utf-8")) is not None
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
    flatten_changes(data, source)
    study = _check_keys(data, findings)
    start = base if base is not None else _start(data, folder, findings)
    check_changes(data, load_scenario(STAND_IN) if start is None else start, findings, start is not None)
    findings.raise_if_any()
    check(start is not None and study is not None, "a study without mistakes can be built")
    return _spell_out(cast(Study, study), cast(Scenario, start), findings)


def _check_keys(data: dict[str, Any], findings: Findings) -> Study | None:
    """The study, or None after noting what the schema refuses."""
    metrics = data.get("metrics")
    check_metrics(metrics, ("metrics",), findings)
    listed = metrics if isinstance(metrics, list) else []
    for number, name in enumerate(listed):
        if isinstance(name, str) and name in listed[:number]:
            findings.at_value(("metrics", number), f"{name} stands here twice")
    known, primary = registry.names("metric"), data.get("primary")
    if isinstance(primary, str) and primary not in known:
        findings.at_value(("primary",), unknown_word(primary, known, "metric"))
    _check_outcomes(data, findings)
    _check_names(data, findings)
    try:
        return Study.model_validate(data)
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            note_refusal(error, findings, _key_hint)
        return None


def _check_outcomes(data: dict[str, Any], findings: Findings) -> None:
    """Metrics and types of agents that there are."""
    asked = data.get("outcomes")
    known = {"metric": registry.names("metric"), "agents": registry.names("policy")}
    for name, outcome in asked.items() if isinstance(asked, dict) else ():
        for key, names in known.items() if isinstance(outcome, dict) else ():
            value = outcome.get(key)
            if isinstance(value, str) and value not in names:
                findings.at_value(("outcomes", name, key), unknown_word(value, names, {"agents": "type"}.get(key, key)))


def _key_hint(path: KeyPath) -> str:
    """The key of a study that a wrong one resembles."""
    sections: dict[str, type[Section]] = {"seeds": Seeds, "robustness": RobustnessPlan, "outcomes": OutcomePlan}
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


def _spell_out(study: Study, start: Scenario, findings: Findings) -> Design:
    """The design with every scenario.

    Raises   ConfigError when changes that are right by themselves do not go together.
    """
    length = {} if study.epochs is None else {"simulation.epochs": study.epochs}
    base = with_overrides(start, dict(study.set) | length)
    grid = grid_of(study)
    changes = {name: dict(block) for name, block in study.arms.items()} | grid
    if len(changes) > ARMS_MAX:
        findings.at_key(("axes",), f"more than {ARMS_MAX:,} arms; at most {ARMS_MAX:,} fit into one study")
        findings.raise_if_any()
    settings = {name: dict(world) for name, world in (study.settings or {ONLY: {}}).items()}
    scenarios: dict[tuple[str, str], Scenario] = {}
    for setting, world in settings.items():
        there = changed(base, world, ("settings", setting), findings)
        if there is not None:
            scenarios |= {(setting, arm): one for arm, one in _in_setting(study, there, changes, findings)}
    _check_expected(study, changes, findings)
    _refuse_equal_arms(study, scenarios, findings)
    for number, arm in enumerate(study.robustness.arms if study.robustness else ()):
        if arm not in changes:
            findings.at_value(("robustness", "arms", number), f"unknown arm. {did_you_mean(arm, changes)}")
    for (_, arm), one in scenarios.items():
        if one.simulation.epochs < 1:
            findings.at_key(("epochs",), NO_EPOCH if arm == BASE else f"{NO_EPOCH} (arm {arm})")
    findings.raise_if_any()
    return Design(study, start, base, settings, changes, doses_of(study, grid), scenarios)


def _check_expected(study: Study, changes: dict[str, dict[str, Any]], findings: Findings) -> None:
    """Note expectations of arms and settings that there are not."""
    asked: dict[KeyPath, OutcomePlan | Study] = {("expect_of",): study}
    asked |= {("outcomes", name, "expect_of"): outcome for name, outcome in study.outcomes.items()}
    for home, one_asked in asked.items():
        for arm in one_asked.expect_of:
            if arm not in changes:
                findings.at_key((*home, arm), f"unknown arm. {did_you_mean(arm, changes)}")
    for number, setting in enumerate(study.expect_in):
        if setting not in study.settings:
            findings.at_value(("expect_in", number), f"unknown setting. {did_you_mean(setting, study.settings)}")


def _refuse_equal_arms(study: Study, scenarios: dict[tuple[str, str], Scenario], findings: Findings) -> None:
    """Refuse a listed arm that is another one under a second name, in every setting."""
    contents: dict[str, list[str]] = {}
    for (_, arm), one in scenarios.items():
        if arm not in RESERVED:
            contents.setdefault(arm, []).append(repr(deciding_part(one)))
    first: dict[tuple[str, ...], str] = {}
    for arm, told in contents.items():
        other = first.setdefault(tuple(told), arm)
        if other is not arm and other in study.arms:
            blamed, same = (arm, other) if arm in study.arms else (other, arm)
            findings.at_key(("arms", blamed), f"is the same as {same}: one of them is enough")


def _in_setting(
    study: Study, there: Scenario, changes: dict[str, dict[str, Any]], findings: Findings
) -> Iterator[tuple[str, Scenario]]:
    """The scenario of every arm and control in one setting."""
    yield BASE, there
    same = deciding_part(there)
    for arm, block in changes.items():
        listed = arm in study.arms
        one = changed(there, block, ("arms", arm) if listed else ("axes",), findings)
        if one is None:
            continue
        if listed and deciding_part(one) == same:
            findings.at_key(("arms", arm), NO_CHANGE)
        yield arm, one
    for arm, block in CONTROLS.items() if study.controls else ():
        yield arm, with_overrides(there, block)
