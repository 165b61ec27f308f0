"""The table of agents: what each is, has and did, to be sorted and filtered."""

from __future__ import annotations

from itertools import islice
from typing import Any

import streamlit as st

from mesocosm.agents.records import agent_name
from mesocosm.dashboard.events import Filter
from mesocosm.dashboard.following import AgentSoFar, Following
from mesocosm.dashboard.places import Openable, is_fresh
from mesocosm.dashboard.plain import plain_words
from mesocosm.dashboard.show import events_in, follow, show_table
from mesocosm.errors import MesocosmError

ROWS_MOST, LOOKED_THROUGH = 5_000, 50_000
STATUSES = ("active", "frozen", "left")


def show_agents(place: Openable) -> None:
    """The table of agents of a run, as of its last completed epoch."""
    if is_fresh(place):
        return
    try:
        run = follow(place)
    except MesocosmError:
        return  # the head of the page has said why
    st.subheader("Agents", anchor=False)
    rows = rows_of_agents(run)
    if not rows:
        st.caption("No epoch is over yet, or the log holds checkpoints only: no states of agents are known.")
        return
    find, kinds, status = st.columns([1.3, 1.6, 1.3])
    text = find.text_input("Find", key="agents_text", placeholder="id, type or role")
    known = sorted({plain_words(row["Type"]) for row in rows})
    wanted = kinds.multiselect("Types", known, key="agents_types", placeholder="all types")
    states = status.multiselect("Status", STATUSES, key="agents_status", placeholder="any status")
    shown = [row for row in rows if _lets(row, text, wanted, states)]
    show_table(
        shown[:ROWS_MOST],
        "agents",
        height=min(420, 38 + 35 * max(len(shown[:ROWS_MOST]), 1)),
        column_config={
            "ID": st.column_config.TextColumn(pinned=True),
            "Reputation": st.column_config.NumberColumn(format="%.2f"),
            "Resources": st.column_config.NumberColumn(
                "Resources (credits)", format="%.1f", help="Credits of the agent at the epoch's end."
            ),
            "Interactions": st.column_config.NumberColumn(help="Accepted deals, on either side."),
            "Proposed": st.column_config.NumberColumn(help="Proposals made."),
        },
    )
    count = f"{len(shown):,} of {len(rows):,} agents"
    st.caption(count if len(shown) <= ROWS_MOST else f"{count}; the first {ROWS_MOST:,} are shown.")
    if len(run.agents) > LOOKED_THROUGH:
        st.caption(f"Of {len(run.agents):,} agents the first {LOOKED_THROUGH:,} are looked through.")


def rows_of_agents(run: Following) -> list[dict[str, Any]]:
    """One row an agent that was ever there, for the first LOOKED_THROUGH of them."""
    frozen = frozen_now(run)
    kinds = run.types()
    rows = []
    for agent, state in islice(sorted(run.agents.items()), LOOKED_THROUGH):
        kind, role = kinds.get(agent, ("unknown", ""))
        rows.append(
            {
                "ID": agent_name(agent),
                "Type": kind,
                "Role": role,
                "Reputation": state.reputation,
                "Resources": state.balance,
                "Interactions": state.deals,
                "Proposed": state.proposed,
                "Status": _status(state, agent in frozen),
            }
        )
    return rows


def frozen_now(run: Following) -> set[int]:
    """The agents that may not act at the moment the run has reached."""
    until = run.frozen_until
    if run.from_tables and run.header is not None and run.header.scenario.get("governance"):
        try:
            newest = events_in(run).newest(Filter(kinds=("frozen",)), 2000).events
        except MesocosmError:
            newest = []
        until = {event["agent"]: event["until_step"] for event in reversed(newest)}
    return {agent for agent, step in until.items() if step > run.step + 1}


def _status(state: AgentSoFar, is_frozen: bool) -> str:
    return "left" if not state.active else "frozen" if is_frozen else "active"


def _lets(row: dict[str, Any], text: str, kinds: list[str], states: list[str]) -> bool:
    said = text.strip().casefold()
    return (
        (not said or any(said in str(row[name]).casefold() for name in ("ID", "Type", "Role")))
        and (not kinds or plain_words(row["Type"]) in kinds)
        and (not states or row["Status"] in states)
    )
