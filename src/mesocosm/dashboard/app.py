"""The page itself: Streamlit runs this file anew at every click.

``streamlit run`` is called by ``mesocosm dashboard`` with settings that keep it on this machine; see `serve`.
"""

from __future__ import annotations

import importlib
import sys

import streamlit as st

from mesocosm.dashboard.compare_view import show_comparison
from mesocosm.dashboard.limits_view import show_limits
from mesocosm.dashboard.network_view import show_network
from mesocosm.dashboard.places import Openable, open_place, places
from mesocosm.dashboard.run_view import show_run
from mesocosm.dashboard.show import STYLE, complain
from mesocosm.dashboard.start_view import show_start
from mesocosm.errors import UsageError
from mesocosm.runner.directory import LATEST

# Plotly takes pandas as it finds it, half imported by the thread of another visitor if need be: wait for the rest.
importlib.import_module("pandas")

KEPT_FILTERS = ("agents_text", "agents_status", "feed_kinds", "feed_text")
VIEWS = ("Run", "Network", "Compare", "Start", "Limits")


def draw_page(arguments: list[str]) -> None:
    """Draw the page.

    Params   arguments: the id of the run to open first, if there is one.
    """
    st.set_page_config(page_title="Mesocosm", layout="wide")
    st.html(STYLE)
    st.session_state.setdefault("view", VIEWS[0])
    for name in KEPT_FILTERS:  # else they would be forgotten wherever they are not drawn
        if name in st.session_state:
            st.session_state[name] = st.session_state[name]
    view = st.segmented_control("View", VIEWS, key="view", required=True, label_visibility="collapsed")
    if view == "Start":
        show_start()
    elif view == "Compare":
        show_comparison()
    else:
        place = _chosen(arguments)
        if view == "Limits":
            show_limits(place)
        elif place is None:
            st.info("There is no run under the run root yet. Start one here, or with `mesocosm run baseline`.")
            st.button("Start a run", key="first_start", type="primary", on_click=_turn_to_start)
        elif view == "Network":
            show_network(place)
        else:
            show_run(place)


def _turn_to_start() -> None:
    st.session_state["view"] = "Start"


def _chosen(arguments: list[str]) -> Openable | None:
    """The run that is open: chosen from the list, else named by the address or the command, else the last one."""
    known = [place.run_id for place in places("run")]
    if not known:
        return None
    if st.session_state.get("run") not in known:
        asked = st.query_params.get("run") or (arguments[0] if arguments else LATEST)
        try:
            st.session_state["run"] = open_place(asked).run_id
        except UsageError as error:
            complain("The run that was asked for cannot be opened. Here is the last one.", error)
            st.session_state["run"] = known[0]
    chosen = st.selectbox("Run", known, key="run", on_change=_forget_event)
    st.query_params["run"] = chosen
    return open_place(chosen)


def _forget_event() -> None:
    for name in ("event", "feed_kept"):
        st.session_state.pop(name, None)


if __name__ == "__main__":
    draw_page(sys.argv[1:])
