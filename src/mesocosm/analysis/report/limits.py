"""What a report cannot say: which constants were assumed, what was not varied, what scripted agents are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesocosm.analysis.report.markup import Child, Markup, join, table_of, tag
from mesocosm.config.constants import chosen_values, constants, differing_values, flat_values, shown
from mesocosm.config.json_schema import scenario_schema
from mesocosm.config.load import bundled_scenarios, load_scenario, scenario_to_dict
from mesocosm.config.schema import Scenario

#: keys that say who and how long, and how to log: no constants of the model
_CAST = ("agents", "population.arrivals", "population.departures", "scenario_id", "description", "motif", "log",
         "metrics_to_track", "simulation")  # fmt: skip
STANDING = (
    (
        "Agents are rules that pursue their ends with the means the model gives them. What they do shows that a "
        "mechanism can work, not how often people or language models would act so."
    ),
    "Every agent sees two candidates a step, drawn at random; networks and search are not modelled.",
    "Credits are conserved to the micro-credit, but good deals mint them and bad ones burn them.",
)
ALL_SHOWN = 400


def limits_markup(scenario: Scenario, robustness: Child, varied: Mapping[str, Sequence[float]]) -> Markup:
    """What was assumed and what was not tried.

    Params   robustness: in how many other economies findings hold; varied: constants that were, with their ranges.
    """
    rows = list(_assumed(scenario, varied))
    changed = sum(row[1] != row[2] for row in rows)
    told = (
        f"{len(rows)} constants of the model are assumptions, not measurements: {len(rows) - changed} stand at their "
        f"default here, {changed} do not, and {len(varied)} were varied to see whether findings hang on them."
    )
    heads = ("constant", "here", "default", "varied over", "unit", "what it is")
    table = table_of(heads, rows, sortable=True)
    return join(
        robustness,
        tag("p", told),
        tag("ul", *(tag("li", sentence) for sentence in STANDING)),
        tag("details", tag("summary", f"All {len(rows)} assumed constants"), table),
    )


def _assumed(scenario: Scenario, varied: Mapping[str, Sequence[float]]) -> Iterator[list[str]]:
    here = dict(flat_values(scenario_to_dict(scenario)))
    for constant in constants(scenario_schema()):
        path = constant.path
        if any(path == part or path.startswith(f"{part}.") for part in _CAST) or path not in here:
            continue
        ends = varied.get(path)
        told = f"{ends[0]:g} to {ends[1]:g}" if ends else ""
        yield [path, shown(here[path]), shown(constant.default), told, constant.unit, constant.about]


def differences_markup(scenario: Scenario) -> Markup:
    """How a scenario differs from the bundled one of its name, or from the defaults where there is none.

    Of a lever that the other lacks, only what is not at its default is listed.
    """
    name = scenario.scenario_id
    is_bundled = name in bundled_scenarios()
    base = scenario_to_dict(load_scenario(name)) if is_bundled else _defaults(scenario)
    first, other = dict(flat_values(base)), dict(flat_values(scenario_to_dict(scenario)))
    differs = chosen_values(differing_values(first, other), first)
    where = f"the bundled scenario {name}" if is_bundled else "the defaults of the model"
    if not differs:
        return tag("p", f"Exactly {where}.")
    rows = [
        [path, shown(first[path]) if path in first else "-", "-" if path not in other else _short(value)]
        for path, value in list(differs.items())[:ALL_SHOWN]
    ]
    more = len(differs) - len(rows)
    note = tag("p", f"And {more} more differences.", class_="quiet") if more > 0 else None
    count = f"{len(differs)} value{'s' * (len(differs) != 1)}"
    return join(tag("p", f"Differs from {where} in {count}:"),
                table_of(("key", "there", "here"), rows), note)  # fmt: skip


def _short(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= 300 else f"{text[:299]}…"


def _defaults(scenario: Scenario) -> dict[str, Any]:
    """A scenario of the same name and cast with every constant at its default."""
    return scenario_to_dict(Scenario(scenario_id=scenario.scenario_id, agents=scenario.agents))
