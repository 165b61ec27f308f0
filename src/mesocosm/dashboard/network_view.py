"""The network of a run on the page."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mesocosm.analysis.figures.network import network_picture
from mesocosm.analysis.figures.plotly_figure import plotly_figure
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.dashboard.charts import on_page
from mesocosm.dashboard.places import Openable, refuse_links
from mesocosm.dashboard.show import complain, follow, run_of, theme
from mesocosm.errors import MesocosmError

HEIGHT = 720


def show_network(place: Openable) -> None:
    """Who dealt with whom so far."""
    try:
        run = follow(place)
        refuse_links(place)
        key = (str(place.path), run.size, len(run.rows), theme().name)
        kept: tuple[Any, Any] | None = st.session_state.get("network_kept")
        if kept is None or kept[0] != key:
            kept = (key, network_picture(RunSource(run_of(run), trusted=True), ""))
            st.session_state["network_kept"] = kept
    except MesocosmError as error:
        complain("The network of this run cannot be drawn.", error)
        return
    picture = kept[1]
    if picture is None:
        st.caption("No deal has been accepted so far: there is nothing to draw.")
        return
    st.markdown(picture.about)
    if picture.left_out:
        st.caption("Left out: " + "; ".join(picture.left_out) + ".")
    figure = on_page(plotly_figure(picture, theme()), HEIGHT)
    figure.update_layout(legend={"y": -0.02})
    st.plotly_chart(figure, key="network", theme=None, config={"displayModeBar": False, "scrollZoom": True})
    if not run.is_complete:
        st.button("Draw it as it is now", key="network_again", icon=":material/refresh:")
