"""Who deals with whom, as a picture: agents coloured by type, frozen ones marked, edges by how many deals went bad."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesocosm.analysis.plots import QUIET, TRUE
from mesocosm.dashboard.plain import agent_name, chart_words

AGENTS_MOST, EDGES_MOST = 600, 2500
#: colour and mark of each type; a type that a plugin brings gets one of the rest
LOOKS = {
    "honest": ("#009E73", "circle"),
    "opportunistic": ("#E69F00", "square"),
    "deceptive": ("#CC79A7", "triangle-up"),
    "adversarial": ("#D55E00", "diamond"),
}
STRANGERS = (("#0072B2", "cross"), ("#56B4E9", "star"), ("#B8A800", "pentagon"), ("#7A5AA6", "hexagon"))
#: shares of bad deals from which on an edge is drawn in the next colour
SHARES = ((0.0, "rgba(138,138,138,0.45)", "under 1 in 4 bad"), (0.25, "rgba(230,159,0,0.65)", "1 in 4 or more bad"),
          (0.5, "rgba(213,94,0,0.8)", "half or more bad"))  # fmt: skip


@dataclass(frozen=True)
class Node:
    """An agent of the network.

    Params   deals: accepted deals on either side.
    """

    agent: int
    kind: str
    deals: int
    frozen: bool
    present: bool


@dataclass(frozen=True)
class Edge:
    """Two agents that dealt with each other.

    Params   deals: accepted, in either direction; bad: of them those that went bad; mates: both adversarial.
    """

    one: int
    other: int
    deals: int
    bad: int
    mates: bool


@dataclass(frozen=True)
class Network:
    """The agents and edges that are drawn, where the agents stand, and how many are left out."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    position: Mapping[int, tuple[float, float]]
    agents_left_out: int
    edges_left_out: int


def network_of(
    pairs: Mapping[tuple[int, int], list[int]], kinds: Mapping[int, str], frozen: set[int], gone: set[int]
) -> Network:
    """The network of a run: its busiest agents and the edges between them that carry most deals.

    Params   pairs: (initiator, counterparty) -> [accepted, of them bad]; kinds: type of every agent.
    """
    both: dict[tuple[int, int], list[int]] = {}
    busy: dict[int, int] = dict.fromkeys(kinds, 0)
    for (giver, taker), (deals, bad) in pairs.items():
        edge = both.setdefault((min(giver, taker), max(giver, taker)), [0, 0])
        edge[0] += deals
        edge[1] += bad
        for agent in (giver, taker):
            busy[agent] = busy.get(agent, 0) + deals
    shown = sorted(busy, key=lambda agent: (-busy[agent], agent))[:AGENTS_MOST]
    chosen = set(shown)
    inside = [
        Edge(one, other, deals, bad, kinds.get(one) == kinds.get(other) == "adversarial")
        for (one, other), (deals, bad) in both.items()
        if one in chosen and other in chosen
    ]
    edges = sorted(inside, key=lambda edge: (-edge.deals, edge.one, edge.other))[:EDGES_MOST]
    nodes = [Node(agent, kinds.get(agent, ""), busy[agent], agent in frozen, agent not in gone)
             for agent in sorted(shown)]  # fmt: skip
    left = (len(busy) - len(shown), len(both) - len(edges))
    return Network(tuple(nodes), tuple(edges), _positions(nodes, edges), *left)


def _positions(nodes: list[Node], edges: list[Edge]) -> dict[int, tuple[float, float]]:
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(node.agent for node in nodes)
    graph.add_weighted_edges_from((edge.one, edge.other, float(edge.deals)) for edge in edges)
    start = nx.circular_layout(graph)
    rounds = 60 if len(nodes) <= 150 else 30
    placed = nx.spring_layout(graph, pos=start, seed=1, iterations=rounds, k=2.2 / max(len(nodes), 1) ** 0.5)
    return {agent: (float(x), float(y)) for agent, (x, y) in placed.items()}


def figure_of_network(network: Network, height: int = 620) -> Any:
    """The network as a Plotly figure."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for mates in (False, True):
        for number, (least, colour, told) in enumerate(SHARES):
            most = SHARES[number + 1][0] if number + 1 < len(SHARES) else 2.0
            part = [
                edge
                for edge in network.edges
                if edge.mates == mates and least <= edge.bad / max(edge.deals, 1) < most
            ]
            if part and not mates:
                _draw_edges(figure, network, part, colour, f"deals, {told}")
            elif part:
                _draw_edges(figure, network, part, TRUE, f"within the coalition, {told}", dash="dot")
    for kind in sorted({node.kind for node in network.nodes}):
        _draw_agents(figure, network, kind)
    _draw_rings(figure, network)
    hidden: dict[str, Any] = {"visible": False, "fixedrange": False}
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 4, "t": 8, "b": 8},
        hovermode="closest",
        legend={"orientation": "h", "y": -0.02, "yanchor": "top"},
        dragmode="pan",
        xaxis=hidden,
        yaxis=hidden | {"scaleanchor": "x"},
    )
    return figure


def _draw_edges(figure: Any, network: Network, edges: list[Edge], colour: str, told: str, dash: str = "solid") -> None:
    x: list[float | None] = []
    y: list[float | None] = []
    for edge in edges:
        here, there = network.position[edge.one], network.position[edge.other]
        x += [here[0], there[0], None]
        y += [here[1], there[1], None]
    width = 1.6 if len(network.edges) < 400 else 0.8
    figure.add_scatter(
        x=x, y=y, mode="lines", name=told, line={"color": colour, "width": width, "dash": dash}, hoverinfo="skip"
    )


def _draw_agents(figure: Any, network: Network, kind: str) -> None:
    nodes = [node for node in network.nodes if node.kind == kind]
    colour, mark = look_of(kind)
    most = max((node.deals for node in network.nodes), default=0) or 1
    small = len(network.nodes) > 150
    words = [
        f"{agent_name(node.agent)}, {chart_words(kind) or 'type unknown'}<br>{node.deals:,} deals"
        + ("<br>frozen" if node.frozen else "")
        + ("" if node.present else "<br>left")
        for node in nodes
    ]
    figure.add_scatter(
        x=[network.position[node.agent][0] for node in nodes],
        y=[network.position[node.agent][1] for node in nodes],
        mode="markers" if len(network.nodes) > 60 else "markers+text",
        text=[f"{node.agent:02d}" for node in nodes],
        textposition="middle center",
        textfont={"color": "#111111", "size": 11},
        customdata=words,
        hovertemplate="%{customdata}<extra></extra>",
        name=chart_words(kind) or "type unknown",
        marker={
            "symbol": mark,
            "color": colour,
            "size": [(5 if small else 14) + (9 if small else 14) * (node.deals / most) ** 0.5 for node in nodes],
            "opacity": [1.0 if node.present else 0.35 for node in nodes],
            "line": {"width": 1, "color": "white"},
        },
    )


def _draw_rings(figure: Any, network: Network) -> None:
    frozen = [node for node in network.nodes if node.frozen]
    if frozen:
        figure.add_scatter(
            x=[network.position[node.agent][0] for node in frozen],
            y=[network.position[node.agent][1] for node in frozen],
            mode="markers",
            name="frozen",
            hoverinfo="skip",
            marker={"symbol": "circle-open", "size": 15 if len(network.nodes) > 150 else 34, "color": "#0072B2", "line": {"width": 3}},
        )


def look_of(kind: str) -> tuple[str, str]:
    """Colour and mark of a type of agent, the same wherever agents are drawn."""
    if kind in LOOKS:
        return LOOKS[kind]
    return STRANGERS[sum(kind.encode()) % len(STRANGERS)] if kind else (QUIET, "circle")
