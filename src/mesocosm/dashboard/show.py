"""How the page says things: constants of ours as Markdown, whatever others wrote as plain text or cells of a table."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from mesocosm.analysis.figures.palette import Theme, theme_of
from mesocosm.dashboard.events import Events, events_of
from mesocosm.dashboard.following import Following
from mesocosm.dashboard.places import Openable
from mesocosm.dashboard.plain import plain_words
from mesocosm.errors import MesocosmError
from mesocosm.runner.runner import Run

KEPT = 6  # runs that are held in memory at once
LOOK_AGAIN_S = 0.7
_followed: OrderedDict[str, Following] = OrderedDict()
_events: dict[tuple[str, int], Events] = {}
_lock = threading.RLock()

#: fixed text, no data: less air around the page, and a scenario's name that can be seen
STYLE = """
<style>
.stMainBlockContainer {padding-top: 4.4rem; padding-bottom: 3rem;}
.st-key-scenario [data-testid="stText"], .st-key-scenario [data-testid="stText"] * {
  font-size: 1.35rem; font-weight: 600; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere;}
[data-testid="stText"] {white-space: pre-wrap; overflow-wrap: anywhere;}
@media (max-width: 640px) {.stMainBlockContainer {padding-left: 0.8rem; padding-right: 0.8rem;}}
</style>
"""


def follow(place: Openable) -> Following:
    """The run of a place, read on to where its log goes now.

    Raises   MesocosmError when it cannot be read.
    """
    key = str(place.path)
    with _lock:
        known = _followed.setdefault(key, Following(place))
        _followed.move_to_end(key)
        while len(_followed) > KEPT:
            _followed.popitem(last=False)
        known.read_on()
        return known


def run_of(run: Following) -> Run:
    """A followed run as the analyses take one.

    Raises   MesocosmError when its log is damaged or its scenario unknown here.
    """
    if run.scenario is None or run.header is None or run.damage:
        raise MesocosmError(f"{run.place.run_id}: {run.damage or run.unknown or 'its log has no header yet'}")
    reason = run.end.reason if run.end is not None else "cut"
    return Run(run.place.path, run.scenario, run.header.seed, run.rows, reason)


def theme() -> Theme:
    """The colours for the ground that the page has in this browser."""
    return theme_of(st.context.theme.type == "dark")


def events_in(run: Following) -> Events:
    """The events of a run as far as it has been read.

    Raises   MesocosmError when its log cannot be read.
    """
    key = (str(run.place.path), run.size)
    with _lock:
        if key not in _events:
            made = events_of(run.log_path, run.header.level if run.header is not None else "", run.size)
            _events.clear()
            _events[key] = made
        return _events[key]


def flags_of(manifest: Mapping[str, Any]) -> list[str] | None:
    """The sanity flags that a manifest gives, None where it gives none that can be read."""
    flags = manifest.get("flags")
    return [str(flag) for flag in flags] if isinstance(flags, list) else None


def words(text: object) -> None:
    """Show text that others wrote: never as Markdown, never as markup."""
    st.text(plain_words(text, 600))


def complain(heading: str, error: MesocosmError | str) -> None:
    """Show what went wrong: a heading of ours, and the message as plain text.

    Params   heading: fixed text.
    """
    st.error(heading)
    st.code("\n".join(plain_words(line, 2000) for line in str(error).splitlines()[:40]), language=None, wrap_lines=True)


def show_table(rows: Sequence[dict[str, Any]], key: str, **more: Any) -> Any:
    """Show rows as a table, every text in it made plain first; columns sort at a click."""
    shown = [
        {name: plain_words(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows
    ]
    return st.dataframe(shown, key=key, hide_index=True, width="stretch", **more)
