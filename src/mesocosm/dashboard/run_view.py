"""A run on the page: what it is, how far it is, its controls, its charts, its agents and its events."""

from __future__ import annotations

from functools import cache
from typing import Any

import streamlit as st

from mesocosm.config.constants import chosen_values, differing_values, flat_values, shown
from mesocosm.config.load import bundled_scenarios, load_scenario, scenario_to_dict
from mesocosm.dashboard import agents_view, feed_view, launch, pace
from mesocosm.dashboard.charts import chart_of
from mesocosm.dashboard.following import Following
from mesocosm.dashboard.places import Openable, is_fresh
from mesocosm.dashboard.show import LOOK_AGAIN_S, complain, flags_of, follow, theme, words
from mesocosm.errors import MesocosmError

SPEEDS = {"as fast as it can": 0.0, "5 epochs a second": 5.0, "2 epochs a second": 2.0, "1 epoch a second": 1.0,
          "1 epoch in 3 seconds": 1 / 3}  # fmt: skip
LIVE = ("waiting", "running", "paused", "elsewhere")
DIFFERS_MOST = 6  # differences from the bundled scenario that the head of the page names
STATES = {
    "waiting": ":material/hourglass_empty: about to start",
    "running": ":material/play_circle: running",
    "paused": ":material/pause_circle: paused",
    "elsewhere": ":material/sync: being written by another process",
    "completed": ":material/check_circle: completed",
    "ended": ":material/stop_circle: ended early",
    "cut": ":material/cut: cut short",
    "damaged": ":material/warning: damaged",
}


def state_of(run: Following) -> str:
    """In which of STATES a run is."""
    if run.damage:
        return "damaged"
    if run.end is not None:
        return "completed" if run.end.reason == "completed" else "ended"
    if launch.is_played_here(run.place.run_id):
        if run.header is None:
            return "waiting"
        return "paused" if pace.read_pace(run.place.path).get("state") == "paused" else "running"
    return "elsewhere" if launch.is_being_written(run.place) else "cut"


def show_run(place: Openable) -> None:
    """The whole view of one run; while it goes on, its parts look at the log again by themselves."""
    try:
        state = state_of(follow(place)) if not is_fresh(place) else "waiting"
    except MesocosmError as error:
        complain("This run cannot be opened.", error)
        return
    is_live = state in LIVE or follow(place).is_behind
    again = LOOK_AGAIN_S if is_live else None
    # somebody may go on with a run that was cut, from here or from elsewhere
    st.fragment(_progress, run_every=LOOK_AGAIN_S * 4 if state == "cut" else again)(place, is_live)
    seldom = 2 * again if again is not None else None
    st.fragment(agents_view.show_agents, run_every=seldom)(place)
    st.fragment(feed_view.show_feed, run_every=seldom)(place)


def _progress(place: Openable, was_live: bool) -> None:
    """The head of the page, the controls and the charts."""
    if is_fresh(place) and launch.is_played_here(place.run_id):
        st.info("The run is about to start.")
        return
    try:
        run = follow(place)
        state = state_of(run)
    except MesocosmError as error:
        complain("This run cannot be opened.", error)
        _what_the_player_said(place)
        return
    _head(run, state)
    _controls(run, state)
    _warnings(run, state)
    for pair in (("toxicity", "conditional_loss"), ("quality_gap", "participation")):
        for column, name in zip(st.columns(2), pair, strict=True):
            figure = chart_of(name, run.rows, run.asked_epochs, theme())
            column.plotly_chart(figure, key=f"chart_{name}", theme=None, config={"displayModeBar": False})
    if (state in LIVE or run.is_behind) != was_live:
        st.rerun()  # it goes on, or nothing more will come: the page looks again more often, or not at all


def _head(run: Following, state: str) -> None:
    scenario, epoch, now = st.columns([2.2, 1, 1.6], vertical_alignment="center")
    asked = run.header.scenario if run.header is not None else {}
    with scenario.container(key="scenario"):
        words(f"{asked.get('scenario_id', run.place.run_id)}, seed {run.header.seed if run.header else '?'}")
    epoch.markdown(f"**Epoch {len(run.rows):,} / {run.asked_epochs:,}**")
    now.container(key="state").markdown(f"**{STATES[state]}**")
    told = _otherwise(run)
    if told:
        words(told)
    if run.asked_epochs:
        st.progress(min(1.0, len(run.rows) / run.asked_epochs))


@cache
def _bundled(name: str) -> dict[str, Any]:
    """The values of a bundled scenario; read once, for the head of a page is drawn again and again."""
    return dict(flat_values(scenario_to_dict(load_scenario(name))))


def _otherwise(run: Following) -> str:
    """What the run's scenario says otherwise than the bundled one of its name, the first of it."""
    scenario = run.scenario
    if scenario is None or scenario.scenario_id not in bundled_scenarios():
        return ""
    base, here = _bundled(scenario.scenario_id), dict(flat_values(scenario_to_dict(scenario)))
    differs = chosen_values(differing_values(base, here), base)
    differs.pop("simulation.seed", None)
    if not differs:
        return ""
    first = ", ".join(f"{path}={'not there' if path not in here else shown(value)}"
                      for path, value in list(differs.items())[:DIFFERS_MOST])  # fmt: skip
    more = f" and {len(differs) - DIFFERS_MOST} more" if len(differs) > DIFFERS_MOST else ""
    return f"Otherwise than {scenario.scenario_id} as bundled: {first}{more}."


def _controls(run: Following, state: str) -> None:
    """Pause, resume, step, end and speed of a run that this page plays; the way on for one that was cut."""
    place = run.place
    if state in ("running", "paused"):
        wish = pace.read_wish(place.path)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if wish.paused:
                st.button("Resume", key="resume", icon=":material/play_arrow:", type="primary",
                          on_click=_ask, args=(place, {"paused": False}))  # fmt: skip
            else:
                st.button("Pause", key="pause", icon=":material/pause:", type="primary",
                          on_click=_ask, args=(place, {"paused": True}))  # fmt: skip
            st.button("Step one epoch", key="step", icon=":material/skip_next:", disabled=not wish.paused,
                      on_click=_step, args=(place,))  # fmt: skip
            may_stop = run.scenario is None or run.scenario.safety.kill_switch_enabled
            st.button("End", key="end", icon=":material/stop:", disabled=not may_stop,
                      on_click=_ask, args=(place, {"stop": True}),
                      help="Ends the run with a whole log that says why it ends.")  # fmt: skip
            names = list(SPEEDS)
            now = next((name for name in names if SPEEDS[name] == wish.epochs_per_s), names[0])
            st.selectbox("Speed", names, index=names.index(now), key="speed", width=210,
                         on_change=_change_speed, args=(place,))  # fmt: skip
    elif state == "cut" and run.header is not None:
        st.button("Go on with this run", key="go_on", icon=":material/play_arrow:", type="primary",
                  on_click=_go_on, args=(place,),
                  help="The log gets the bytes of a run that was never cut.")  # fmt: skip
    if "control_failed" in st.session_state:
        complain("That could not be done.", st.session_state.pop("control_failed"))


def _ask(place: Openable, changes: dict[str, bool | int | float]) -> None:
    wish = pace.read_wish(place.path)
    try:
        pace.write_wish(place.path, pace.Wish(**(vars(wish) | changes)))
    except MesocosmError as error:
        st.session_state["control_failed"] = str(error)


def _step(place: Openable) -> None:
    """One epoch more than were asked for by now, however often the page has been drawn since."""
    _ask(place, {"steps": pace.read_wish(place.path).steps + 1})


def _change_speed(place: Openable) -> None:
    _ask(place, {"epochs_per_s": SPEEDS.get(st.session_state["speed"], 0.0)})


def _go_on(place: Openable) -> None:
    try:
        launch.go_on(place, pace.Wish(epochs_per_s=2.0))
    except MesocosmError as error:
        st.session_state["control_failed"] = str(error)


def _warnings(run: Following, state: str) -> None:
    """What is wrong with a run or its log, and what its manifest flags."""
    if run.damage:
        complain("The log is damaged. What comes before the damage is shown.", run.damage)
    if run.unknown:
        complain("Its scenario means nothing to this Mesocosm; types of agents are not known.", run.unknown)
    if state == "ended" and run.end is not None:
        st.info("The run was ended early. Its log says why:")
        words(run.end.reason)
    if run.is_behind:
        st.info(f"Reading the log: {run.size / max(run.there, 1):.0%}")
    if run.is_complete and not run.checked:
        st.caption("A log this long is not held against its hashes when it is opened; `mesocosm verify` does that.")
    _what_the_player_said(run.place)
    if run.header is None and state == "cut":
        st.info("Nothing was logged: the run was cut before its first line was written.")
    flags = flags_of(run.manifest())
    if flags is None and state in ("completed", "ended"):
        st.warning("The manifest of this run cannot be read, so its sanity flags are not known.")
    if flags:
        with st.expander(f"{len(flags)} sanity flag{'s' * (len(flags) != 1)}: read before you quote a number"):
            for flag in flags[:50]:
                words(f"- {flag}")


def _what_the_player_said(place: Openable) -> None:
    said = launch.complaint(place)
    if said:
        complain("The process that played this run has failed. It said:", said)
