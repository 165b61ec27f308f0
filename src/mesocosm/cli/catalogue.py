"""``mesocosm list`` and ``mesocosm show``: what there is, and a bundled scenario as text."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mesocosm import registry
from mesocosm.cli.arguments import AsJson, Overrides, Plugins
from mesocosm.cli.check import contents_of
from mesocosm.cli.screen import paint, say, say_json, table
from mesocosm.config.load import bundled_scenarios, dump_scenario, load_scenario, scenario_text
from mesocosm.config.overrides import refuse_set_twice
from mesocosm.config.study import (
    bundled_studies,
    contents_of_study,
    dump_study,
    is_study,
    load_study,
    study_text,
    study_to_dict,
)
from mesocosm.errors import UsageError, nearest

KINDS = {"policies": "policy", "levers": "lever", "metrics": "metric", "scenarios": "scenario", "studies": "study"}
HERE = "mesocosm."
CLOSED_FORM = "closed_form"  # motif of scenarios whose outcome is known


def list_command(
    kind: Annotated[
        str, typer.Argument(help="policies, levers, metrics, scenarios or studies.", show_default="all")
    ] = "",
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """List what there is: policies, levers, metrics, scenarios, studies, each with its first sentence."""
    for file in plugin:
        registry.load_plugin(file)
    singular = {name: plural for plural, name in KINDS.items()}
    asked = singular.get(kind.lower(), kind.lower())
    if asked and asked not in KINDS:
        raise UsageError(f"there is no list of {kind!r}. {nearest(asked, [*KINDS, *singular])}")
    chosen = [asked] if asked else list(KINDS)
    bundled = {"scenarios": scenarios, "studies": studies}
    found = {name: bundled[name]() if name in bundled else registered(KINDS[name]) for name in chosen}
    if as_json:
        say_json(found)
        return 0
    for place, (name, items) in enumerate(found.items()):
        if place:
            say()
        if len(found) > 1:
            say(paint(name, "bold"))
        for heading, group in _groups(items):
            if heading:
                say()
                say(paint(heading, "bold"))
            for line in table([[item["name"], _told(item)] for item in group]):
                say(line)
    return 0


def _groups(items: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Scenarios that are closed forms apart, under a heading of their own."""
    forms = [item for item in items if item.get("motif") == CLOSED_FORM]
    others = [item for item in items if item.get("motif") != CLOSED_FORM]
    return [("", others), *([("closed forms (`mesocosm validate` holds them against theory)", forms)] if forms else [])]


def registered(kind: str) -> list[dict[str, Any]]:
    """Name, first sentence, origin and declared facts of everything of a kind."""
    return [
        {"name": entry.name, "about": entry.summary, "origin": origin_of(entry), **entry.told}
        for entry in registry.entries(kind)
    ]


def origin_of(entry: registry.Entry) -> str:
    """Where a registered thing comes from: built in, or the module that brought it."""
    return "built in" if entry.origin.startswith(HERE) else entry.origin


def scenarios() -> list[dict[str, Any]]:
    """Name, description and contents of every bundled scenario."""
    found = []
    for name in bundled_scenarios():
        scenario = load_scenario(name)
        facts = {"motif": scenario.motif, "contents": contents_of(scenario)}
        found.append({"name": name, "about": scenario.description, "origin": "built in", **facts})
    return found


def studies() -> list[dict[str, Any]]:
    """Name, question and contents of every bundled study."""
    found = []
    for name in bundled_studies():
        design = load_study(name)
        facts = {"contents": contents_of_study(design), "primary": design.study.primary}
        found.append({"name": name, "about": design.study.question, "origin": "built in", **facts})
    return found


def _told(item: dict[str, Any]) -> str:
    text = str(item["about"])
    if item.get("contents"):
        text = f"{text} {item['contents'][0].upper()}{item['contents'][1:]}."
    if item.get("unit"):
        text = f"{text} [{item['unit']}]"
    return text if item["origin"] == "built in" else f"{text} (from {item['origin']})"


def show_command(
    name: Annotated[str, typer.Argument(help="Name of a bundled scenario or study, or a file.")],
    resolved: Annotated[bool, typer.Option("--resolved", help="With every default written out.")] = False,
    override: Overrides = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """Print a scenario or a study as YAML, to start from: mesocosm show baseline > mine.yaml."""
    if is_study(name):
        return _show_study(name, resolved=resolved, override=override, as_json=as_json)
    refuse_set_twice(override)
    scenario = load_scenario(name, override)
    if as_json:
        say_json(scenario.model_dump(mode="json"))
    elif resolved or override or name not in bundled_scenarios():
        say(dump_scenario(scenario).rstrip("\n"))
    else:
        say(scenario_text(name).rstrip("\n"))
    return 0


def _show_study(name: str, *, resolved: bool, override: list[str], as_json: bool) -> int:
    if override:
        raise UsageError(f"{name} is a study: copy it and change the copy, as in mesocosm show {name} > mine.yaml")
    study = load_study(name).study
    if as_json:
        say_json(study_to_dict(study))
    else:
        say((dump_study(study) if resolved or name not in bundled_studies() else study_text(name)).rstrip("\n"))
    return 0
