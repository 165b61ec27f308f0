"""The network of a run on the page."""

from __future__ import annotations

import streamlit as st

from mesocosm.dashboard.agents_view import frozen_now
from mesocosm.dashboard.network import Network, figure_of_network, network_of
from mesocosm.dashboard.places import Place
from mesocosm.dashboard.show import complain, follow
from mesocosm.errors import MesocosmError


def show_network(place: Place) -> None:
    """Who dealt with whom so far."""
    try:
        run = follow(place)
        run.know_pairs()
    except MesocosmError as error:
        complain("This run cannot be opened.", error)
        return
    if not run.pairs:
        st.caption("No deal has been accepted so far, or the log holds checkpoints only: there is nothing to draw.")
        return
    kinds = {agent: kind for agent, (kind, _) in run.types().items() if not run.agents or agent in run.agents}
    gone = {agent for agent, state in run.agents.items() if not state.active}
    key = (str(place.path), run.size)
    kept: tuple[tuple[str, int], Network] | None = st.session_state.get("network_kept")
    if kept is None or kept[0] != key:
        kept = (key, network_of(run.pairs, kinds, frozen_now(run), gone))
        st.session_state["network_kept"] = kept
    network = kept[1]
    st.markdown(
        f"Accepted deals of {len(run.rows):,} epochs: {len(network.nodes):,} agents, {len(network.edges):,} pairs. "
        "The larger a mark, the more deals; agents that trade more stand closer together."
    )
    if network.agents_left_out or network.edges_left_out:
        st.caption(
            f"Left out: {network.agents_left_out:,} agents with fewer deals, {network.edges_left_out:,} rarer pairs."
        )
    st.plotly_chart(figure_of_network(network), key="network", config={"displayModeBar": False, "scrollZoom": True})
    if not run.is_complete:
        st.button("Draw it as it is now", key="network_again", icon=":material/refresh:")
