"""``mesocosm check`` and ``mesocosm schema``: what a scenario may say, and whether this one says it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mesocosm import registry
from mesocosm.cli.arguments import AsJson, Plugins
from mesocosm.cli.screen import paint, say, say_json, tell, wrapped
from mesocosm.config.json_schema import schema_text
from mesocosm.config.load import load_scenario
from mesocosm.config.schema import Scenario
from mesocosm.config.study import contents_of_study, is_study, load_study
from mesocosm.errors import ConfigError


def check_command(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files or names of scenarios and studies.")],
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """Find every mistake in scenario and study files, all in one go, each with its place and the nearest right key."""
    for file in plugin:
        registry.load_plugin(file)
    reports = [_checked(file) for file in files]
    bad = [report for report in reports if not report["ok"]]
    if as_json:
        say_json({"ok": not bad, "files": reports})
        return ConfigError.exit_code if bad else 0
    for report in reports:
        if report["ok"]:
            lines = wrapped(f"{report['file']}: {report['told']}", "ok", 4)
            say(paint(lines[0][:4], "green") + lines[0][4:])
            for line in lines[1:]:
                say(line)
        for mistake in report["mistakes"]:
            say(mistake["text"])
    count = sum(len(report["mistakes"]) for report in bad)
    if bad:
        tell(f"{count} mistake{'s' * (count != 1)} in {len(bad)} of {len(files)} file{'s' * (len(files) != 1)}.")
    return ConfigError.exit_code if bad else 0


def _checked(file: str) -> dict[str, Any]:
    report: dict[str, Any] = {"file": file, "ok": True, "mistakes": []}
    try:
        if is_study(file):
            design = load_study(file)
            return report | {"study_id": design.study.study_id, "told": contents_of_study(design)}
        scenario = load_scenario(file)
    except ConfigError as error:
        report["ok"] = False
        report["mistakes"] = [vars(mistake) | {"text": str(mistake)} for mistake in error.mistakes]
        return report
    report |= {"scenario_id": scenario.scenario_id, "agents": scenario.agents_initial, "told": contents_of(scenario)}
    return report


def contents_of(scenario: Scenario) -> str:
    """What a scenario holds, in a line.

    Example
        >>> contents_of(load_scenario("baseline"))
        '5 agents (3 honest, 1 opportunistic, 1 deceptive), 10 epochs of 10 steps, no levers'
    """
    counts: dict[str, int] = {}
    for group in scenario.agents:
        counts[group.type] = counts.get(group.type, 0) + group.count
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    agents = f"{scenario.agents_initial:,} agent{'s' * (scenario.agents_initial != 1)} ({kinds})"
    simulation = scenario.simulation
    length = f"{simulation.epochs:,} epoch{'s' * (simulation.epochs != 1)} of {simulation.steps_per_epoch:,} steps"
    levers = f"levers {', '.join(scenario.governance)}" if scenario.governance else "no levers"
    return f"{agents}, {length}, {levers}"


def schema_command(
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """Print the JSON Schema of scenarios: mesocosm schema > scenario.schema.json, and editors complete keys."""
    for file in plugin:
        registry.load_plugin(file)
    say(schema_text().rstrip("\n"))
    return 0
