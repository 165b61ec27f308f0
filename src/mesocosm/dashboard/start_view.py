"""Starting a bundled scenario from the page, with other parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import streamlit as st

from mesocosm import registry
from mesocosm.config.load import bundled_scenarios, load_scenario, scenario_to_dict
from mesocosm.config.schema import Scenario
from mesocosm.dashboard import launch
from mesocosm.dashboard.pace import Wish
from mesocosm.dashboard.run_view import SPEEDS
from mesocosm.dashboard.show import complain, words
from mesocosm.errors import MesocosmError

GROUPS_MOST = 12


def show_start() -> None:
    """The form that starts a run."""
    names = bundled_scenarios()
    first = names.index("baseline") if "baseline" in names else 0
    name = st.selectbox("Scenario", names, index=first, key="start_scenario")
    base = load_scenario(name)
    words(base.description)
    simulation = base.simulation
    length, seed, speed = st.columns(3)
    length.number_input("Epochs", 1, 100_000, simulation.epochs, key=f"start_epochs_{name}")
    seed.number_input("Seed", 0, 2**53 - 1, simulation.seed, key=f"start_seed_{name}")
    speed.selectbox("Speed", list(SPEEDS), index=2, key="start_speed")
    _groups(base, name)
    _levers(base, name)
    st.text_area("Any other change, one a line, as payoff.theta=0.4", key="start_changes", height=90,
                 placeholder="environment.attention_scarcity=0.5")  # fmt: skip
    st.button("Start", key="start", icon=":material/play_arrow:", type="primary", on_click=_start, args=(name,))
    if "start_failed" in st.session_state:
        complain("The run was not started.", st.session_state.pop("start_failed"))
    st.caption("`mesocosm explain` lists every constant that can be changed, with its unit and bounds.")


def _groups(base: Scenario, name: str) -> None:
    st.markdown("**Agents**")
    groups = list(enumerate(base.agents[:GROUPS_MOST]))
    for start in range(0, len(groups), 4):
        for column, (number, group) in zip(st.columns(4), groups[start : start + 4], strict=False):
            column.number_input(f"{group.type}, {group.role}", 0, 100_000, group.count,
                                key=f"start_group_{name}_{number}")  # fmt: skip


def _levers(base: Scenario, name: str) -> None:
    known = registry.names("lever")
    ours = [lever for lever in base.governance if lever in known]
    chosen = st.multiselect("Levers", known, default=ours, key=f"start_levers_{name}", placeholder="no governance")
    for lever in chosen:
        st.caption(f"{lever.replace('_', ' ')}: {registry.find('lever', lever).summary}")
        settings = registry.params(registry.find("lever", lever).target)
        for start in range(0, len(settings), 4):
            for column, item in zip(st.columns(4), settings[start : start + 4], strict=False):
                with column:
                    _setting(lever, item, base.governance.get(lever, {}).get(item.name, item.default), name)


def _setting(lever: str, item: Any, value: Any, scenario: str) -> None:
    """One parameter of a lever, within its bounds."""
    facts, key = item.metadata, f"start_lever_{scenario}_{lever}_{item.name}"
    label = item.name.replace("_", " ")
    told = f"{facts.get('about', '')} {'(' + facts['unit'] + ')' if facts.get('unit') else ''}"
    low = facts.get("ge") if facts.get("ge") is not None else facts.get("gt")
    high = facts.get("le")
    if facts.get("choices"):
        options = list(facts["choices"])
        st.selectbox(label, options, index=options.index(value) if value in options else 0, key=key, help=told)
    elif isinstance(value, bool):
        st.toggle(label, value, key=key, help=told)
    elif isinstance(value, int | float):
        kind = type(value)
        st.number_input(
            label,
            min_value=None if low is None else kind(low),
            max_value=None if high is None else kind(high),
            value=value,
            step=1 if kind is int else 0.05,
            format="%d" if kind is int else "%.3f",
            key=key,
            help=told,
        )
    else:
        st.text_input(label, "" if value is None else str(value), key=key, help=told)


def _changes(name: str, base: Scenario) -> list[str]:
    """What the form says otherwise than the scenario, as overrides."""
    asked = st.session_state
    changes = [f"simulation.epochs={asked[f'start_epochs_{name}']}", f"simulation.seed={asked[f'start_seed_{name}']}"]
    counts = {
        number: int(asked.get(f"start_group_{name}_{number}", group.count))
        for number, group in enumerate(base.agents[:GROUPS_MOST])
    }
    changes += _cast(base, counts)
    chosen = asked.get(f"start_levers_{name}", [])
    changes += [f"governance.{lever}=null" for lever in base.governance if lever not in chosen]
    for lever in chosen:
        for item in registry.params(registry.find("lever", lever).target):
            before = base.governance.get(lever, {}).get(item.name)
            value = asked.get(f"start_lever_{name}_{lever}_{item.name}", item.default)
            if value != before and not (value == "" and item.default in ("", None)):
                changes.append(f"governance.{lever}.{item.name}={_yaml(value)}")
    lines = (line.strip() for line in str(asked.get("start_changes", "")).splitlines())
    return [*changes, *(line for line in lines if line)]


def _cast(base: Scenario, counts: dict[int, int]) -> Iterator[str]:
    """How many of each group there are to be; with a group of none the whole cast is said anew, without it."""
    if 0 not in counts.values():
        yield from (f"agents.{k}.count={n}" for k, n in counts.items() if n != base.agents[k].count)
        return
    groups = scenario_to_dict(base)["agents"]
    there = [group | {"count": counts.get(k, group["count"])} for k, group in enumerate(groups) if counts.get(k) != 0]
    yield f"agents={json.dumps(there)}"


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _start(name: str) -> None:
    """Begin the run that the form describes, and turn to it."""
    try:
        scenario = load_scenario(name, _changes(name, load_scenario(name)), flag="")
        speed = SPEEDS.get(str(st.session_state.get("start_speed")), 0.0)
        run_id = launch.begin(scenario, Wish(epochs_per_s=speed))
    except MesocosmError as error:
        st.session_state["start_failed"] = str(error)
        return
    st.session_state["run"] = run_id
    st.session_state["view"] = "Run"
    st.session_state.pop("event", None)
