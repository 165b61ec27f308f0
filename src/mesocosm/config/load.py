"""A scenario from a file, a bundled name or a mapping, with every mistake told at once.

Example
    >>> load_scenario("baseline", ["simulation.epochs=3"]).simulation.epochs
    3
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from mesocosm import registry
from mesocosm.config.findings import Findings
from mesocosm.config.market import MarketSettings
from mesocosm.config.outline import did_you_mean, key_hint, subtree
from mesocosm.config.overrides import Overrides, apply_overrides
from mesocosm.config.parameters import Levers, check_levers, check_policies, leave_out_defaults, nest_levers
from mesocosm.config.schema import AgentGroup, Environment, Population, Scenario, Simulation, misfits, too_hasty
from mesocosm.config.wording import in_plain_words, shown_value, unknown_word, wrong_type
from mesocosm.config.yaml_source import BYTES_MAX, KeyPath, Place, Source, Unusable, read_yaml
from mesocosm.config.yaml_text import plain_values, write_yaml
from mesocosm.errors import ConfigError, Mistake, check

#: folders of bundled files -> what one found there is, for a reader who looked for something else
OTHERS = {
    "scenarios": "a scenario; `mesocosm run` runs it, and a study names it as its base.",
    "studies": "a study; `mesocosm sweep` plays it.",
}
#: parts of a scenario that say nothing about what happens
IDLE = ("scenario_id", "motif", "description", "metrics_to_track", "log")
SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"


def bundled_scenarios() -> list[str]:
    """Names of the scenarios that come with Mesocosm, sorted."""
    return sorted(file.stem for file in SCENARIOS.glob("*.yaml"))


def scenario_text(name: str) -> str:
    """The YAML text of a bundled scenario, comments included.

    Raises   ConfigError when there is no scenario of that name.
    """
    if name not in bundled_scenarios():
        hint = did_you_mean(name, bundled_scenarios())
        raise ConfigError([Mistake("", f"unknown scenario {shown_value(name)}. {hint}")])
    return (SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8")


def load_scenario(source: str | Path, overrides: Overrides = (), *, flag: str = "--set") -> Scenario:
    """Read a scenario and apply overrides.

    Params   source: name of a bundled scenario, or path of a YAML file;
             overrides: "simulation.epochs=20" and the like, or a mapping from such paths to values;
             flag: what overrides are called in messages.
    Raises   ConfigError with every mistake of the file and the overrides.
    """
    content, path = read_named(source, SCENARIOS, "scenario")
    return _build(read_yaml(content, path), overrides, flag)


def parse_scenario(text: str | bytes, path: str = "scenario", overrides: Overrides = ()) -> Scenario:
    """Read a scenario from YAML text.

    Params   path: how the text is named in messages.
    Raises   ConfigError with every mistake.
    """
    return _build(read_yaml(text, path), overrides, "--set")


def scenario_from_dict(mapping: Mapping[str, Any], overrides: Overrides = ()) -> Scenario:
    """Check a scenario given as plain values, as if they had been read from a file.

    Raises   ConfigError with every mistake.
    """
    source = Source("", complete=True)
    source.value = plain_values(mapping, source)
    return _build(source, overrides, "--set")


def scenario_to_dict(scenario: Scenario) -> dict[str, Any]:
    """A resolved scenario as plain values: every key with its value, ready for JSON or YAML."""
    return dict(plain_values(scenario.model_dump(mode="python"), Source("")))


def deciding_part(scenario: Scenario) -> dict[str, Any]:
    """What of a scenario decides its runs beside the seed: everything but its name, texts, metrics and log.

    Example
        >>> renamed = load_scenario("baseline", ["scenario_id=other", "simulation.seed=9"])
        >>> deciding_part(renamed) == deciding_part(load_scenario("baseline"))
        True
    """
    told = {key: value for key, value in scenario_to_dict(scenario).items() if key not in IDLE}
    told["simulation"] = {key: value for key, value in told["simulation"].items() if key != "seed"}
    return told


def with_overrides(scenario: Scenario, overrides: Overrides) -> Scenario:
    """The same scenario with some values changed, as if its file had been read with these overrides.

    Raises   ConfigError with every mistake of the overrides.
    """
    told = scenario_to_dict(scenario)
    for groups in (told["agents"], told["population"]["arrivals"]):
        leave_out_defaults(groups)
    return scenario_from_dict(told, overrides)


def dump_scenario(scenario: Scenario) -> str:
    """A resolved scenario as YAML text that loads to an equal scenario."""
    return write_yaml(scenario_to_dict(scenario))


def read_named(source: str | Path, folder: Path, noun: str) -> tuple[bytes, str]:
    """Bytes of a file that comes with Mesocosm or lies anywhere, and its name in messages.

    Params   source: a bundled name, or a path; folder: where the bundled ones are; noun: what such a file is called.
    Raises   ConfigError when there is none, with the nearest name.
    """
    given: Any = source
    if not isinstance(given, str | os.PathLike):
        told = f"a {noun} is named by a text or a path, and {shown_value(given)} is neither"
        raise ConfigError([Mistake("", told)])
    bundled = sorted(file.stem for file in folder.glob("*.yaml"))
    is_name = isinstance(source, str) and not re.search(r"[/\\]|\.ya?ml$", source)
    if is_name and source in bundled:
        file = folder / f"{source}.yaml"
    else:
        file = Path(source)
        try:
            exists = file.exists()
        except (OSError, ValueError):
            exists = False
        if not exists:
            hint = did_you_mean(file.stem if not is_name else str(source), bundled)
            what = f"unknown {noun} {shown_value(str(source))}" if is_name else f"{source}: there is no such file"
            for other, told in OTHERS.items():
                if is_name and other != folder.name and (folder.parent / other / f"{source}.yaml").is_file():
                    raise ConfigError([Mistake("", f"{source} is {told}")])
            raise ConfigError([Mistake("", f"{what}. {hint}")])
    try:
        with file.open("rb") as stream:
            return stream.read(BYTES_MAX + 1), str(file)
    except OSError as error:
        raise ConfigError([Mistake("", f"cannot be read: {error.strerror or error}", str(file))]) from None


def _build(source: Source, overrides: Overrides, flag: str) -> Scenario:
    findings = Findings(source, flag)
    data = source.value
    if not source.complete:
        findings.raise_if_any()
    if not isinstance(data, dict):
        refuse_shape(data, "scenario", findings)
        findings.raise_if_any()
    if "study_id" in data and "scenario_id" not in data:
        findings.at_key(("study_id",), f"this is {OTHERS['studies'].rstrip('.')}")
        findings.raise_if_any()
    levers = _governance(data, findings)
    levers = apply_overrides(data, levers, overrides, findings)
    check_policies(data.get("agents"), ("agents",), findings)
    population = data.get("population")
    if isinstance(population, dict):
        check_policies(population.get("arrivals"), ("population", "arrivals"), findings)
        _check_departures(data, population.get("departures"), findings)
    data["governance"] = check_levers(levers, findings)
    check_metrics(data.get("metrics_to_track"), ("metrics_to_track",), findings)
    scenario = _check_sections(data, findings)
    findings.raise_if_any()
    check(scenario is not None, "a scenario without mistakes can be built")
    return cast(Scenario, scenario)


def refuse_shape(value: Any, noun: str, findings: Findings) -> None:
    """Note that a file is not a block of keys, but empty or something else."""
    if value is None:
        if not findings.source.mistakes:
            findings.source.value_place[()] = Place(1, 1)
            findings.at_value((), f"the file is empty; `mesocosm new {noun}` writes one to start from")
    elif not isinstance(value, Unusable):
        findings.at_value((), f"a {noun} is a block of keys, as in '{noun}_id: mine'; got {shown_value(value)}")


def _governance(data: dict[str, Any], findings: Findings) -> Levers:
    given = data.pop("governance", {})
    if isinstance(given, dict):
        return nest_levers(given, findings)
    if not isinstance(given, Unusable):
        findings.at_value(("governance",), wrong_type(given, "a block of keys"))
    return {}


def _check_departures(data: dict[str, Any], departures: Any, findings: Findings) -> None:
    """Only agents of a policy that is there can leave."""
    groups = [data.get("agents"), data["population"].get("arrivals")]
    listed = [group for part in groups if isinstance(part, list) for group in part if isinstance(group, dict)]
    known = sorted({group["type"] for group in listed if isinstance(group.get("type"), str)})
    for index, departure in enumerate(departures if isinstance(departures, list) else []):
        name = departure.get("type") if isinstance(departure, dict) else None
        if isinstance(name, str) and name not in known:
            path = ("population", "departures", index, "type")
            findings.at_value(path, f"no agent of this scenario is {shown_value(name)}. {did_you_mean(name, known)}")


def check_metrics(names: Any, path: KeyPath, findings: Findings) -> None:
    """Note every name in a list that is not a metric's."""
    known = registry.names("metric")
    if not known or not isinstance(names, list):
        return
    for index, name in enumerate(names):
        if isinstance(name, str) and name not in known:
            findings.at_value((*path, index), unknown_word(name, known, "metric"))


def _check_sections(data: dict[str, Any], findings: Findings) -> Scenario | None:
    """The scenario, or None after noting what the schema refuses."""
    try:
        return Scenario.model_validate(data)
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            note_refusal(error, findings, _key_hint)
            if findings.is_full:
                break
        _check_room(data, findings)
        _check_time(data, findings)
        return None


def note_refusal(error: Any, findings: Findings, hint: Callable[[KeyPath], str]) -> None:
    """Note one error of pydantic at its place; `hint` says where a key that is not known belongs."""
    path: KeyPath = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        findings.at_key(path, f"unknown key. {hint(path)}".rstrip())
    elif error["type"] == "rule":
        if path:
            inside = error["ctx"]["key"]
            findings.at_value((*path, inside) if inside else path, error["ctx"]["message"])
    elif error["type"] == "missing":
        findings.at_key(path, str(in_plain_words(error)))
    else:
        choices = re.findall(r"'([^']*)'", error.get("ctx", {}).get("expected", ""))
        message = in_plain_words(error, choices, str(path[-1]) if path else "")
        if message:
            findings.at_value(path, message)


def _key_hint(path: KeyPath) -> str:
    return key_hint(path, subtree(path[:-1]) or ())


_GROUPS = TypeAdapter(tuple[AgentGroup, ...])


def _check_room(data: dict[str, Any], findings: Findings) -> None:
    """Rules between agents, population and environment, as far as these three are sound."""
    try:
        agents = _GROUPS.validate_python(tuple(data.get("agents", ())))
        population = Population.model_validate(data.get("population", {}))
        environment = Environment.model_validate(data.get("environment", {}))
    except (ValidationError, TypeError):
        return
    for path, message in misfits(agents, population, environment):
        findings.at_value(path, message)


def _check_time(data: dict[str, Any], findings: Findings) -> None:
    """Rules between the market and the length of epochs, as far as these two are sound."""
    try:
        market = MarketSettings.model_validate(data.get("market", {}))
        simulation = Simulation.model_validate(data.get("simulation", {}))
    except (ValidationError, TypeError):
        return
    for path, message in too_hasty(market, simulation):
        findings.at_value(path, message)
