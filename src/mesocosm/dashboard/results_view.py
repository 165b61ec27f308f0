"""One study or one comparison on the page: what it found in words, its effects, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from mesocosm.analysis.figures.kinds import Comparable, maybe_picture, open_comparison, open_study
from mesocosm.analysis.figures.plotly_figure import plotly_figure
from mesocosm.analysis.study import StudyResults
from mesocosm.analysis.study_words import study_sentences
from mesocosm.dashboard.charts import alone_on_page
from mesocosm.dashboard.places import Openable, open_place, places, refuse_links
from mesocosm.dashboard.show import complain, theme, words
from mesocosm.errors import MesocosmError

DRAWN = ("levers", "dose_response", "phase_map", "tradeoff", "robustness")
FLAGS_MOST = 20


def show_results() -> None:
    """Choose a study or a comparison under the run root, and see what it found."""
    known = {place.run_id: place for kind in ("study", "comparison") for place in places(kind)}
    if not known:
        st.info(
            "There is no study or comparison under the run root. `mesocosm sweep` and `mesocosm compare` make them."
        )
        return
    chosen = st.selectbox("Study or comparison", list(known), key="results_of")
    place = known[chosen]
    try:
        source = _opened(place)
    except MesocosmError as error:
        complain("These results cannot be read.", error)
        return
    if isinstance(source, StudyResults):
        words(source.design.study.question)
        sentences, flags = list(study_sentences(source)), source.flags
    else:
        sentences, flags = list(source.record.get("findings") or ()), list(source.record.get("flags") or ())
    for sentence in sentences:
        words(f"- {sentence}")
    _pictures(source)
    st.subheader("Sanity flags", anchor=False)
    if not flags:
        st.caption("None was raised.")
    for flag in flags[:FLAGS_MOST]:
        words(f"- {flag}")
    if len(flags) > FLAGS_MOST:
        st.caption(f"And {len(flags) - FLAGS_MOST} more.")


def _opened(place: Openable) -> StudyResults | Comparable:
    """A study or comparison, kept as long as it is looked at and has not been written anew."""
    key = (str(place.path), place.changed)
    kept: tuple[Any, Any] | None = st.session_state.get("results_kept")
    if kept is None or kept[0] != key:
        here = open_place(place.run_id, place.kind)
        refuse_links(here)
        kept = (key, open_study(here.path) if here.kind == "study" else open_comparison(here.path))
        st.session_state["results_kept"] = kept
    found: StudyResults | Comparable = kept[1]
    return found


def _pictures(source: StudyResults | Comparable) -> None:
    for kind in DRAWN if isinstance(source, StudyResults) else ("levers", "tradeoff"):
        try:
            picture = maybe_picture(kind, source)
        except MesocosmError as error:
            complain("A picture cannot be drawn.", error)
            continue
        if picture is None:
            continue
        for start in range(0, len(picture.panels), 2):
            panels = picture.panels[start : start + 2]
            for number, (column, panel) in enumerate(zip(st.columns(len(panels)), panels, strict=True)):
                one = replace(picture, panels=(panel,), columns=1)
                figure = alone_on_page(plotly_figure(one, theme()), int(90 * picture.panel_size[1]))
                column.plotly_chart(figure, key=f"results_{kind}_{start + number}", theme=None,
                                    config={"displayModeBar": False})  # fmt: skip
        st.caption(picture.about)
