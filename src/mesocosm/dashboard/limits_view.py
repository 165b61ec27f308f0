"""What a reader has to know before quoting a number: assumed constants, sanity flags, robustness of findings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from mesocosm.analysis.study_record import RECORD
from mesocosm.config.constants import constants
from mesocosm.config.json_schema import scenario_schema
from mesocosm.dashboard.places import Openable, file_of, open_place, places
from mesocosm.dashboard.show import complain, flags_of, follow, show_table, words
from mesocosm.errors import MesocosmError


def show_limits(place: Openable | None) -> None:
    """The limits of the run that is open, and of the findings of a study."""
    st.markdown(
        "Every constant of the model is an assumption; none was measured on real agents. p, the proxy, is badly "
        "calibrated on purpose: toxicity is shown twice, as the proxy sees it and as it is. One run is one seed. "
        "Scripted agents show what can happen, not how often it does. docs/limitations.md says more."
    )
    if place is not None:
        _constants(place)
        _flags(place)
    _findings()


def _constants(place: Openable) -> None:
    st.subheader("Constants that this run assumed", anchor=False)
    try:
        run = follow(place)
    except MesocosmError as error:
        complain("This run cannot be opened.", error)
        return
    asked = run.header.scenario if run.header is not None else {}
    rows = constant_rows(asked)
    only = st.toggle("Only those that differ from the default", key="limits_changed")
    shown = [row for row in rows if row["Changed"]] if only else rows
    if shown:
        show_table(shown, "limits_constants", height=min(380, 38 + 35 * len(shown)),
              column_config={"Changed": st.column_config.CheckboxColumn(width="small")})  # fmt: skip
    else:
        st.caption("None: every constant is at its default.")
    levers = asked.get("governance") or {}
    st.subheader("Levers of this run", anchor=False)
    if isinstance(levers, dict) and levers:
        show_table(
            [{"Lever": str(name), "Settings": _settings(value)} for name, value in levers.items()], "limits_levers"
        )
    else:
        st.caption("None: this society is not governed.")


def _settings(given: Any) -> str:
    if not isinstance(given, Mapping):
        return str(given)
    return ", ".join(f"{name} {value}" for name, value in given.items()) or "as they are"


def constant_rows(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a constant: what it was in a scenario, the default, its unit and meaning.

    Params   asked: a resolved scenario, as the header of a log has it.
    """
    rows = []
    for constant in constants(scenario_schema()):
        value: Any = asked
        for part in constant.path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None or constant.section.startswith(("agents", "population")) or not constant.section:
            continue
        rows.append(
            {
                "Constant": constant.path,
                "Here": str(value),
                "Default": str(constant.default),
                "Changed": str(value) != str(constant.default),
                "Unit": constant.unit,
                "Meaning": constant.about,
            }
        )
    return rows


def _flags(place: Openable) -> None:
    st.subheader("Sanity flags", anchor=False)
    try:
        found = follow(place).manifest()
    except MesocosmError:
        return
    flags = flags_of(found)
    if flags is None:
        st.caption("Not known: the run says so at its end, in a manifest that can be read.")
    elif not flags:
        st.caption("None was raised.")
    for flag in (flags or [])[:100]:
        words(f"- {flag}")


def _findings() -> None:
    st.subheader("Findings of studies, and where they hold", anchor=False)
    known = [place.run_id for place in places("study")]
    if not known:
        st.caption("There is no study under the run root. `mesocosm sweep` makes one.")
        return
    chosen = st.selectbox("Study", known, key="limits_study")
    try:
        record = json.loads(file_of(open_place(chosen, "study").path, RECORD).read_bytes())
        rows = finding_rows(record)
    except (MesocosmError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        complain("The record of this study cannot be read.", str(error))
        return
    st.caption("Intervals cover all findings of the study at once.")
    numbers = {name: st.column_config.NumberColumn(format="%.4f") for name in ("Change", "from", "to")}
    show_table(rows, "limits_findings", column_config=numbers)
    for flag in record.get("flags") or ():
        words(f"- {flag}")


def finding_rows(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a finding of a study: its change with interval, the verdict in words, and how robust it is.

    Params   record: what study.json holds.
    """
    held = {trial["arm"]: trial["holds"] for trial in record.get("robustness") or ()}
    findings = record.get("findings") or record.get("contrasts") or ()
    rows = []
    for finding in findings:
        effect = finding["effect"]
        holds = finding.get("holds") or held.get(finding["arm"])
        rows.append(
            {
                "Arm": finding["arm"],
                "Setting": finding.get("setting") or "",
                "Outcome": finding.get("outcome") or record["study"]["primary"],
                "Change": effect["change"],
                "from": finding.get("low", effect["low"]),
                "to": finding.get("high", effect["high"]),
                "Verdict": finding["verdict"]["words"],
                "Sign holds in": f"{holds['count']} of {holds['n']} economies" if holds else "not tried",
            }
        )
    return rows
