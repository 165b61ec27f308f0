"""The feed of events: the newest ones a filter lets through, and from each the way back to what caused it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mesocosm.dashboard.events import NAMES_OF_AGENTS, Event, Events, Filter, causes_of, figure_of, told
from mesocosm.dashboard.following import Following
from mesocosm.dashboard.places import Openable, is_fresh
from mesocosm.dashboard.plain import plain_words
from mesocosm.dashboard.show import complain, events_in, follow, show_table
from mesocosm.env.events import EVENT_FIELDS
from mesocosm.errors import MesocosmError

SHOWN = 100
LED_TO_SHOWN = 20


def show_feed(place: Openable) -> None:
    """The feed of a run with its filters, and the event that was chosen from it."""
    if is_fresh(place):
        return
    try:
        run = follow(place)
        if run.header is None:
            return
        events = events_in(run)
    except MesocosmError:
        return  # the head of the page has said why
    st.subheader("Events", anchor=False)
    if run.header.level == "epoch":
        st.caption("This log holds checkpoints only (level epoch): no events.")
        return
    wanted = _filter(run)
    try:
        found = _newest(events, wanted, run)
        _feed(found)
        _chosen(events)
    except MesocosmError as error:
        complain("The events cannot be read.", error)


def _filter(run: Following) -> Filter:
    kinds, agent, text, epoch = st.columns([2, 1, 1.6, 1])
    chosen = kinds.multiselect("Kinds", list(EVENT_FIELDS), key="feed_kinds", placeholder="all kinds but agent_state")
    who = agent.number_input("Agent", min_value=0, max_value=10_000_000, value=None, key="feed_agent", step=1,
                             placeholder="anyone")  # fmt: skip
    said = text.text_input("Contains", key="feed_text", placeholder="text of a post, a reason ...")
    until = epoch.number_input("Up to epoch", min_value=0, max_value=10_000_000, value=None, key="feed_epoch", step=1,
                               placeholder="newest")  # fmt: skip
    return Filter(tuple(chosen), -1 if who is None else int(who), said, -1 if until is None else int(until))


def _newest(events: Events, wanted: Filter, run: Following) -> list[Event]:
    """The events to show: while one is being looked at the feed stands still under the reader."""
    key = (str(run.place.path), wanted)
    kept = st.session_state.get("feed_kept")
    if kept is not None and kept[0] == key and "event" in st.session_state:
        events_shown: list[Event] = kept[1]
        return events_shown
    found = events.newest(wanted, SHOWN)
    st.session_state["feed_kept"] = (key, found.events)
    st.session_state["feed_whole"] = found.whole
    return found.events


def _feed(found: list[Event]) -> None:
    if not found:
        st.caption("No event is let through by these filters.")
        return
    rows = [_row(event) for event in found]
    show_table(
        rows,
        "feed",
        height=360,
        on_select=_choose,
        selection_mode="single-row",
        column_config={
            "#": st.column_config.NumberColumn(width=80, format="%d"),
            "Event": st.column_config.TextColumn(width=120),
            "Epoch": st.column_config.NumberColumn(width=60),
            "Caused by": st.column_config.TextColumn(width=90),
            "Step": st.column_config.NumberColumn(width=60),
        },
    )
    more = "" if st.session_state.get("feed_whole") else " There are more, or may be: narrow the filters."
    st.caption(f"{len(found)} events, the newest first. Choose a row to see what caused it.{more}")


def _row(event: Event) -> dict[str, Any]:
    return {
        "#": None if event.get("note") else event["seq"],
        "Event": event["kind"],
        "What": plain_words(told(event)),
        "Epoch": event.get("epoch"),
        "Step": event.get("step"),
        "Caused by": ", ".join(f"#{cause}" for cause in event["causes"][:3]),
    }


def _choose() -> None:
    """Remember the event of the row that was chosen in the feed."""
    chosen = st.session_state["feed"]["selection"]["rows"]
    kept = st.session_state.get("feed_kept")
    if chosen and kept is not None and chosen[0] < len(kept[1]):
        event = kept[1][chosen[0]]
        _go_to(event["seq"])
        if event["note"]:  # which has no number of its own, but that of the event before it
            st.session_state["event_note"] = event
    else:
        _back_to_feed()


def _go_to(seq: int) -> None:
    st.session_state["event"] = seq
    st.session_state.pop("event_note", None)


def _back_to_feed() -> None:
    st.session_state.pop("event", None)
    st.session_state.pop("event_note", None)


def _look_up() -> None:
    asked = st.session_state.get("event_number")
    if asked is not None:
        _go_to(int(asked))


def _chosen(events: Events) -> None:
    """The event that was chosen: all it says, what led to it, and what it led to."""
    st.number_input("Look up an event by its number", min_value=0, max_value=2**53 - 1, value=None, step=1,
                    key="event_number", on_change=_look_up, placeholder="#", width=260)  # fmt: skip
    seq = st.session_state.get("event")
    if seq is None:
        return
    note: Event | None = st.session_state.get("event_note")
    chain = [*([note] if note is not None else []), *causes_of(events, seq)]
    with st.container(border=True, key="event_card"):
        if not chain:
            st.markdown(f"**Event #{seq:,}** is not in this log.")
            st.button("Back to the feed", key="event_back", on_click=_back_to_feed)
            return
        event = chain[0]
        named = f"Note after event #{seq:,}" if event is note else f"Event #{seq:,}"
        when = f" of epoch {event['epoch']}, step {event['step']}" if "epoch" in event else ""
        st.markdown(f"**{named}**{when}")
        with st.container(horizontal=True):
            if len(chain) > 1:
                cause = chain[1]["seq"]
                way = "the event before it" if event is note else "what caused it"
                st.button(f"Go to {way} (#{cause:,})", key="event_cause", icon=":material/arrow_back:",
                          type="primary", on_click=_go_to, args=(cause,))  # fmt: skip
            st.button("Back to the feed", key="event_back", on_click=_back_to_feed)
        facts = [{"Field": name, "Value": _value(name, value)} for name, value in event.items() if name != "note"]
        left, right = st.columns(2)
        with left:
            st.caption("What it says")
            show_table(facts, "event_facts", height=min(420, 38 + 35 * len(facts)))
        with right:
            _around(events, seq, chain, is_note=event is note)


def _around(events: Events, seq: int, chain: list[Event], *, is_note: bool) -> None:
    if len(chain) > 1:
        st.caption("The event before it, and what led to that" if is_note else "What led to it, step by step back")
        show_table([_row(event) for event in chain[1:]], "event_chain", height=min(260, 38 + 35 * (len(chain) - 1)))
    else:
        st.caption("Nothing in the log caused it.")
    after = events.led_to(seq, LED_TO_SHOWN)
    if after:
        st.caption("What it led to soon after")
        show_table([_row(event) for event in after], "event_after", height=min(260, 38 + 35 * len(after)))
    else:
        st.caption("It led to nothing soon after.")


def _value(name: str, value: Any) -> str:
    if name in NAMES_OF_AGENTS:
        return figure_of(name, value)
    return f"{value:.6g}" if isinstance(value, float) else plain_words(value, 2000)
