"""``mesocosm explain``: what a policy, lever, metric, scenario or constant of the model means, and what it may be."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mesocosm import registry
from mesocosm.api import Lever
from mesocosm.cli.arguments import AsJson, Plugins
from mesocosm.cli.catalogue import origin_of
from mesocosm.cli.check import contents_of
from mesocosm.cli.explain_decision import DECISION, explain_one_decision
from mesocosm.cli.screen import paint, say, say_entry, say_json, say_whole, table, wrapped
from mesocosm.config.constants import Constant, constants, range_in_words, shown
from mesocosm.config.json_schema import scenario_schema
from mesocosm.config.load import bundled_scenarios, load_scenario
from mesocosm.config.outline import did_you_mean, short_forms
from mesocosm.errors import UsageError

_SECTION = re.compile(r"(Params|Shapes|Returns|Moves|Raises|Source)\s{2,}")
ASSUMED = "Every default is an assumption of the model, not a measurement: change it in a scenario or with --set."
REGISTERED = ("policy", "lever", "metric")


def explain_command(
    name: Annotated[
        str, typer.Argument(help="A name, a key as payoff.theta, `decision`, or nothing for all constants.")
    ] = "",
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="With `decision`: which run.")] = "",
    *,
    agent: Annotated[str, typer.Option(metavar="A", help="With `decision`: whose, as 7 or a_07.")] = "",
    step: Annotated[int, typer.Option(metavar="T", help="With `decision`: the step, counted from 0.")] = -1,
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """Explain a policy, lever, metric, scenario or constant of the model (all constants without a name).

    Or why an agent of a run decided as it did: mesocosm explain decision latest --agent 3 --step 20
    """
    for file in plugin:
        registry.load_plugin(file)
    if name == DECISION:
        return explain_one_decision(run, agent, step, as_json)
    if run or agent or step >= 0:
        raise UsageError("RUN, --agent and --step belong to `mesocosm explain decision RUN --agent A --step T`.")
    every = list(constants(scenario_schema()))
    things, chosen = _named(name, every)
    if as_json:
        told = [_thing(entry) for entry in things] + _scenario_facts(name)
        say_json({"named": told, "constants": [vars(constant) for constant in chosen]})
        return 0
    for entry in things:
        _explain_entry(entry)
    for facts in _scenario_facts(name):
        _explain_scenario(facts)
    if len(chosen) == 1:
        _explain_constant(chosen[0])
    elif chosen:
        _explain_sections(chosen)
    return 0


def _named(name: str, every: list[Constant]) -> tuple[list[registry.Entry], list[Constant]]:
    """What a name stands for; there may be several things of one name."""
    wanted = name.strip()
    if not wanted:
        return [], every
    forms = {flat: lever for flat, (lever, _) in short_forms().items()}
    parts = wanted.removeprefix("governance.").split(".")
    known = {kind: registry.names(kind) for kind in REGISTERED}
    things = [registry.find(kind, parts[0]) for kind in REGISTERED if parts[0] in known[kind]]
    if not things and parts[0] in forms:
        things = [registry.find("lever", forms[parts[0]])]
    if len(parts) > 1 and not any(item.name == parts[1] for entry in things for item in registry.params(entry.target)):
        things = []
    chosen = [item for item in every if item.path == wanted or item.section == wanted]
    chosen = chosen or [item for item in every if item.path.rpartition(".")[2] == wanted]
    if not things and not chosen and wanted not in bundled_scenarios():
        options = [*(one for names in known.values() for one in names), *forms, *bundled_scenarios()]
        options += [item.path for item in every] + [item.path.rpartition(".")[2] for item in every]
        raise UsageError(f"nothing is called {name!r}. {did_you_mean(wanted, list(dict.fromkeys(options)))}")
    return things, chosen


def _explain_constant(constant: Constant) -> None:
    say(f"{paint(constant.path, 'bold')} (constant of the model)")
    for line in wrapped(constant.about):
        say(line)
    say()
    say_entry("default", shown(constant.default))
    if constant.bounds:
        say_entry("may be", constant.bounds)
    if constant.unit:
        say_entry("unit", constant.unit)
    if constant.default != "required" and not constant.path.startswith(("agents", "population")):
        say_whole("use it", f"mesocosm run baseline --set {constant.path}={shown(constant.default)}")
    for line in wrapped(ASSUMED):
        say(paint(line, "dim"))


def _explain_sections(chosen: list[Constant]) -> None:
    for line in wrapped(ASSUMED):
        say(line)
    section: str | None = None
    group: list[list[str]] = []
    order = list(dict.fromkeys(constant.section for constant in chosen))
    for constant in sorted(chosen, key=lambda item: order.index(item.section)):
        if constant.section != section:
            _print_section(section, group)
            section, group = constant.section, []
        facts = "; ".join(fact for fact in (constant.unit, constant.bounds) if fact)
        told = f"{constant.about} [{facts}]" if facts else constant.about
        group.append([constant.path.rpartition(".")[2], shown(constant.default), told])
    _print_section(section, group)


def _print_section(section: str | None, rows: list[list[str]]) -> None:
    if not rows:
        return
    say()
    say(paint(section or "at the top level", "bold"))
    for line in table([[f"  {row[0]}", *row[1:]] for row in rows]):
        say(line)


# --- what is registered


def _thing(entry: registry.Entry) -> dict[str, Any]:
    parameters = [
        {"name": item.name, "default": item.default, **{key: value for key, value in item.metadata.items() if value}}
        for item in registry.params(entry.target)
    ]
    facts: dict[str, Any] = {
        "kind": entry.kind,
        "name": entry.name,
        "origin": origin_of(entry),
        "about": _doc(entry.target),
    }
    facts |= {"parameters": parameters, **entry.told}
    if entry.kind == "lever":
        facts |= {name: getattr(entry.target, name) for name in ("neutral", "short_forms", "phase", "moves")}
    return facts


def _doc(target: Any) -> str:
    return inspect.cleandoc(target.__doc__ or "")


def docstring_lines(text: str) -> list[str]:
    """A docstring set anew for the width there is; examples stay as they are.

    Example
        >>> docstring_lines("A lever\\nthat taxes.\\n\\nParams   rate: share,\\n         in [0, 1].")
        ['A lever that taxes.', '', 'Params   rate: share, in [0, 1].']
    """
    body, sign, example = text.partition("\nExample\n")
    paragraphs: list[list[str]] = [[]]
    for line in body.splitlines():
        if not line.strip() or _SECTION.match(line):
            paragraphs.append([])
        paragraphs[-1].append(line.strip())
    lines: list[str] = []
    in_sections = False
    for words in paragraphs:
        told = " ".join(words).strip()
        heading = _SECTION.match(told)
        if heading:
            if not in_sections:
                lines.append("")
            in_sections = True
            lines += wrapped(told[heading.end() :], heading.group(1), 9)
        elif told:
            lines += ["", *wrapped(told)] if lines else wrapped(told)
    return lines + (["", "Example", *example.splitlines()] if sign else [])


def _explain_entry(entry: registry.Entry) -> None:
    say(f"{paint(entry.name, 'bold')} ({entry.kind}, {origin_of(entry)})")
    for line in docstring_lines(_doc(entry.target)):
        say(line)
    say()
    for name, value in entry.told.items():
        if value:
            say_entry(name, str(value))
    _print_parameters(entry)
    if entry.kind == "lever":
        _print_lever(entry)
    elif entry.kind == "policy":
        say_entry("use it", f"agents: [{{type: {entry.name}, count: 3, role: worker}}]  in a scenario")


def _print_parameters(entry: registry.Entry) -> None:
    rows = [["parameter", "default", "meaning"]]
    for item in registry.params(entry.target):
        facts = item.metadata
        bounds = " | ".join(facts["choices"]) if facts.get("choices") else ""
        bounds = bounds or range_in_words(facts.get("ge"), facts.get("gt"), facts.get("le"), None)
        limits = "; ".join(fact for fact in (facts.get("unit"), bounds) if fact)
        told = facts.get("about", "") + (f" [{limits}]" if limits else "")
        rows.append([item.name, shown(item.default), told])
    if len(rows) == 1:
        return
    lines = table(rows)
    say(paint(lines[0], "bold"))
    for line in lines[1:]:
        say(line)
    say()


def _print_lever(entry: registry.Entry) -> None:
    target = entry.target
    neutral = ", ".join(f"{key} {shown(value)}" for key, value in target.neutral.items())
    say_entry("neutral", neutral or "always: it changes nothing")
    for flat, parameter in target.short_forms.items():
        say_entry("short form", f"governance.{flat} sets {parameter}")
    say_entry("phase", f"{target.phase} (levers run by phase, then by name)")
    say_entry("moves", str(target.moves))
    first = next(iter(registry.params(target)), None)
    setting = f"{entry.name}.{first.name}={shown(first.default)}" if first else f"{entry.name}={{}}"
    is_of_identities = target.may_open is not Lever.may_open or target.identity_price is not Lever.identity_price
    scenario = "sybil_attack" if is_of_identities or entry.name == "probation" else "adversarial_attack"
    say_whole("use it", f"mesocosm run {scenario} --set governance.{setting}")


def _scenario_facts(name: str) -> list[dict[str, Any]]:
    if name not in bundled_scenarios():
        return []
    scenario = load_scenario(name)
    facts = {"kind": "scenario", "name": name, "about": scenario.description, "motif": scenario.motif}
    return [facts | {"contents": contents_of(scenario)}]


def _explain_scenario(facts: Mapping[str, Any]) -> None:
    say(f"{paint(str(facts['name']), 'bold')} (scenario)")
    for line in wrapped(str(facts["about"])):
        say(line)
    say()
    say_entry("contents", str(facts["contents"]))
    if facts["motif"]:
        say_entry("motif", str(facts["motif"]))
    say_entry("read it", f"mesocosm show {facts['name']}")
    say_entry("run it", f"mesocosm run {facts['name']}")
