"""Runs beside each other, and studies beside each other, on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from mesocosm import registry
from mesocosm.analysis.across_runs import AcrossRuns, across_runs
from mesocosm.analysis.across_studies import across_studies
from mesocosm.config.load import scenario_to_dict
from mesocosm.dashboard.charts import forest, overlay
from mesocosm.dashboard.places import open_place, places
from mesocosm.dashboard.results_view import show_results
from mesocosm.dashboard.show import complain, follow, run_of, show_table, theme, words
from mesocosm.errors import MesocosmError

BESIDE_MOST = 6
ONE = "One study or comparison"


def show_comparison() -> None:
    """Choose runs, or studies, and see how they differ."""
    ways = ["Runs", "Studies", ONE]
    what = st.segmented_control("Compare", ways, default="Runs", key="compare_what", required=True)
    if what == ONE:
        show_results()
    elif what == "Studies":
        _studies()
    else:
        _runs()


def _runs() -> None:
    known = [place.run_id for place in places("run")]
    if len(known) < 2:
        st.info("There are fewer than two runs under the run root. Start another one.")
        return
    chosen = st.multiselect("Runs, the first one is what the others are compared with", known,
                            default=known[:2], max_selections=BESIDE_MOST, key="compare_runs")  # fmt: skip
    if len(chosen) < 2:
        st.info("Choose at least two runs.")
        return
    try:
        read = {run_id: follow(open_place(run_id)) for run_id in chosen}
        found = across_runs([run_of(run) for run in read.values()])
    except MesocosmError as error:
        complain("These runs cannot be compared.", error)
        return
    metrics = list(found.metrics)
    first = metrics.index("toxicity_true") if "toxicity_true" in metrics else 0
    metric = st.selectbox("Metric", metrics, index=first, key="compare_metric")
    names = _names(found)
    for society in found.societies:
        told = ", ".join(run.path.name for run in society.runs)
        words(f"{society.name}: {society.runs[0].scenario.scenario_id} ({told})")
    figure = overlay(metric, _unit(metric), {names[run_id]: run.rows for run_id, run in read.items()}, theme())
    st.plotly_chart(figure, key="compare_chart", theme=None, config={"displayModeBar": False})
    _means(found, names)
    _asked(found)


def _unit(metric: str) -> str:
    if metric not in registry.names("metric"):
        return ""
    return str(registry.find("metric", metric).facts.get("unit", ""))


def _names(found: AcrossRuns) -> dict[str, str]:
    """What each run is called beside the others: the letter of its society and its seed."""
    names: dict[str, str] = {}
    for society in found.societies:
        for run in society.runs:
            name = f"{society.name}, seed {run.seed}"
            names[run.path.name] = name if name not in names.values() else f"{name} ({len(names) + 1})"
    return names


def _means(found: AcrossRuns, names: Mapping[str, str]) -> None:
    st.subheader("Means over epochs", anchor=False)
    values = {names[row["run"]]: row for row in found.rows()}
    first, *others = values
    rows = []
    for metric in found.metrics:
        row: dict[str, Any] = {"Metric": metric, "Unit": _unit(metric)}
        row |= {name: one[metric] if math.isfinite(one[metric]) else None for name, one in values.items()}
        for name in others:
            here, there = row[name], row[first]
            row[f"{name}, less the first"] = here - there if here is not None and there is not None else None
        rows.append(row)
    numbers = {name: st.column_config.NumberColumn(format="%.4f") for name in rows[0] if name not in ("Metric", "Unit")}
    show_table(rows, "compare_means", column_config=numbers, height=420)
    if len({len(run.rows) for society in found.societies for run in society.runs}) > 1:
        st.caption("These runs have different numbers of epochs: a difference of means may be one of length.")
    st.caption(
        "Runs that differ in nothing but the seed share a letter. One seed is one draw: a difference between two runs "
        "is no finding. `mesocosm compare` and `mesocosm sweep` play many seeds and give intervals."
    )


def _asked(found: AcrossRuns) -> None:
    st.subheader("What was asked differently", anchor=False)
    keys = list(dict.fromkeys(key for society in found.societies[1:] for key in society.differs))
    if not keys:
        st.caption("Nothing but the seed.")
        return
    first = scenario_to_dict(found.societies[0].runs[0].scenario)
    rows = [
        {"Key": key, "A": _there(first, key)}
        | {f"{society.name}": _said(society.differs, key) for society in found.societies[1:]}
        for key in keys
    ]
    show_table(rows, "compare_asked", height=min(420, 38 + 35 * len(rows)))
    if len(found.societies) > 2:
        st.caption("Where a cell is empty the run is as the first one, A.")


def _there(scenario: Any, key: str) -> str:
    """What stands at a dotted key of a resolved scenario."""
    value = scenario
    for part in key.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return "not there"
    return str(value)


def _said(differs: dict[str, Any], key: str) -> str:
    return "" if key not in differs else "not there" if differs[key] is None else str(differs[key])


def _studies() -> None:
    known = [place.run_id for place in places("study")]
    if len(known) < 2:
        st.info("There are fewer than two studies under the run root. `mesocosm sweep` makes one.")
        return
    left, right = st.columns(2)
    first = left.selectbox("First study", known, index=0, key="study_first")
    second = right.selectbox("Second study", known, index=None, key="study_second",
                             placeholder="another one that asks the same")  # fmt: skip
    if second is None:
        st.info("Choose a second study that has arms and the primary metric in common with the first.")
        return
    if first == second:
        st.info("Choose two different studies.")
        return
    try:
        found = across_studies(open_place(first, "study").path, open_place(second, "study").path)
    except MesocosmError as error:
        complain("These studies cannot be compared.", error)
        return
    seeds = f"the {found.common:,} seeds that both have" if found.common else "all seeds of each"
    words(f"Change of {found.metric} ({_unit(found.metric)}) under each arm, over {seeds}:")
    for caution in found.cautions:
        words(f"Beware: {caution}.")
    arms = found.arms
    names = [f"{arm.setting} {arm.arm}".strip() for arm in arms]
    effects = [[(e.low, e.change, e.high) for e in side]
               for side in ([arm.first for arm in arms], [arm.second for arm in arms])]  # fmt: skip
    axis = f"change in {found.metric} ({_unit(found.metric)})"
    chart = forest(names, effects, [first, second], axis, theme())
    st.plotly_chart(chart, key="studies_chart", theme=None, config={"displayModeBar": False})
    rows = [
        {"Arm": name, "First": arm.first.change, "Second": arm.second.change, "Second less first": arm.change,
         "from": arm.low, "to": arm.high, "Shared seeds": arm.shared_seeds}
        for name, arm in zip(names, arms, strict=True)
    ]  # fmt: skip
    numbers = {
        name: st.column_config.NumberColumn(format="%.4f")
        for name in ("First", "Second", "Second less first", "from", "to")
    }
    show_table(rows, "studies_table", column_config=numbers)
