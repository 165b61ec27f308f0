"""Who deals with whom: agents as marks in the colour of their type, accepted deals as lines between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.agents.records import agent_name
from mesocosm.analysis.figures.palette import look_of_type
from mesocosm.analysis.figures.picture import Axis, Mark, Panel, Picture, Points, Segments
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.measures.dyads import Dyads, dyads_of, expected_by_degree, expected_by_volume, flagged_mutual

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
AGENTS_MOST = 500
TIES_EACH = 3  # of each agent its strongest ties are drawn; more only make a ball of wool
TIES_FEW = 120  # up to so many are drawn all
_COLUMNS = ("epoch", "initiator", "counterparty", "accepted", "p")


@dataclass(frozen=True)
class Network:
    """Agents and the ties between them.

    Shapes   agent, deals, frozen, x, y (n,); a, b (index into agent), n, kind (m,): n accepted deals between a and b in
             either direction; kind 0 ordinary, 1 within a coalition, 2 flagged as dealing beyond chance.
    """

    agent: I64
    types: tuple[str, ...]
    deals: I64
    frozen: NDArray[np.bool_]
    x: F64
    y: F64
    a: I64
    b: I64
    n: I64
    kind: I64
    agents_left_out: int = 0
    ties_left_out: int = 0


TIE, COALITION, FLAGGED = 0, 1, 2


def network_of(source: RunSource, first: int = 0, last: int | None = None) -> Network | None:
    """The network of a run over some epochs; None where no deal was accepted.

    Params   first, last: epochs, both included; to the end without a last one.
    Raises   UsageError when the log holds no interactions.
    """
    import polars as pl

    table = source.table("interactions", _COLUMNS).filter(pl.col("epoch") >= first)
    states = source.table("agents", ["epoch", "agent", "freezes"])
    if last is not None:
        table, states = table.filter(pl.col("epoch") <= last), states.filter(pl.col("epoch") <= last)
    one, other = (table[name].to_numpy().astype(np.int64) for name in ("initiator", "counterparty"))
    accepted = table["accepted"].to_numpy().astype(bool)
    if not accepted.any():
        return None
    pairs, deals = _count_pairs(one[accepted], other[accepted], len(source.types))
    agent = _busiest(deals, np.unique(states["agent"].to_numpy().astype(np.int64)))
    flagged = _flagged(one, other, accepted, table["p"].to_numpy(), len(source.types))
    return _assemble(source, agent, deals, _frozen(states, len(source.types)), pairs, flagged)


def network_picture(source: RunSource, title: str) -> Picture | None:
    """The network of a whole run; None where no deal was accepted."""
    found = network_of(source)
    if found is None:
        return None
    about = (
        "Every mark is an agent, larger the more deals it made; every line accepted deals of a pair, thicker the more. "
        "Agents that deal with each other stand together. Rings: frozen at some time."
    )
    out = []
    if found.agents_left_out:
        out.append(f"{found.agents_left_out:,} agents with fewer deals than those shown")
    if found.ties_left_out:
        out.append(f"{found.ties_left_out:,} ordinary ties: of each agent the {TIES_EACH} strongest are drawn")
    x, y = Axis("", shown=False), Axis("", shown=False)
    panel = Panel(
        f"{len(found.agent):,} agents, {len(found.a):,} ties drawn", x, y, tuple(network_marks(found)), square=True
    )
    return Picture("network", title, about, (panel,), 1, tuple(out), (8.6, 7.4))


def network_marks(found: Network) -> Iterator[Mark]:
    """Ties first, then agents by type, then rings around the frozen."""
    looks = (
        (TIE, "accepted deals", "quiet", 0.3, "solid"),
        (FLAGGED, "bad deals accepted both ways, beyond chance", "blue", 0.9, "dash"),
        (COALITION, "within a coalition", "coalition", 0.75, "solid"),
    )
    heaviest, slim = float(found.n.max(initial=1)), 1.0 if len(found.agent) <= 60 else 0.3
    for kind, label, color, alpha, dash in looks:
        rows = found.kind == kind
        if rows.any():
            a, b = found.a[rows], found.b[rows]
            width = slim * (0.4 + 2.6 * np.sqrt(found.n[rows] / heaviest)) + (0.5 if kind != TIE else 0.0)
            x0, y0, x1, y1 = (end.tolist() for end in (found.x[a], found.y[a], found.x[b], found.y[b]))
            yield Segments(x0, y0, x1, y1, label, color, width.tolist(), alpha, dash)
    base = 150.0 if len(found.agent) <= 60 else 60.0 if len(found.agent) <= 200 else 30.0
    area = base * (0.35 + 0.65 * found.deals / max(int(found.deals.max(initial=1)), 1))
    for name in sorted(set(found.types)):
        rows = np.array([each == name for each in found.types])
        yield _agents(found, rows, area, name, f"type:{name}", look_of_type(name)[1])
    if found.frozen.any():
        rows = found.frozen
        ring = (2.2 * area[rows] + 30.0).tolist()
        yield Points(found.x[rows].tolist(), found.y[rows].tolist(), "frozen at some time", "frozen", "circle", ring,
                     ring=True)  # fmt: skip


def _agents(found: Network, rows: NDArray[np.bool_], area: F64, name: str, color: str, mark: str) -> Points:
    tips = tuple(
        f"{agent_name(int(agent))} ({name}): {int(deals):,} accepted deals{', frozen at some time' if frozen else ''}"
        for agent, deals, frozen in zip(found.agent[rows], found.deals[rows], found.frozen[rows], strict=True)
    )
    few = len(found.agent) <= 30
    names = tuple(agent_name(int(agent)) for agent in found.agent[rows]) if few else ()
    return Points(found.x[rows].tolist(), found.y[rows].tolist(), name, color, mark, area[rows].tolist(), tips, False,
                  names)  # fmt: skip


def _count_pairs(one: I64, other: I64, n_agents: int) -> tuple[dict[tuple[int, int], int], I64]:
    """How many deals every pair made, and every agent."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    key, count = np.unique(low * n_agents + high, return_counts=True)
    pairs = {(int(k) // n_agents, int(k) % n_agents): int(n) for k, n in zip(key, count, strict=True)}
    deals = np.bincount(one, minlength=n_agents) + np.bincount(other, minlength=n_agents)
    return pairs, deals.astype(np.int64)


def _busiest(deals: I64, there: I64) -> I64:
    """The agents that are drawn, in order of slot: all, or those with the most deals."""
    order = there[np.argsort(-deals[there], kind="stable")][:AGENTS_MOST]
    return np.sort(order, kind="stable")


def _flagged(one: I64, other: I64, accepted: NDArray[np.bool_], p: F64, n_agents: int) -> set[tuple[int, int]]:
    """Pairs that accept each other's bad-looking deals beyond chance, as the metric collusion_pairs has them."""
    size = np.array([n_agents], dtype=np.int64)

    def counted(rows: NDArray[np.bool_]) -> Dyads:
        return dyads_of(np.zeros(int(rows.sum()), dtype=np.int64), one[rows], other[rows], size)

    everything = np.ones(len(one), dtype=np.bool_)
    events, taken, proposed = (counted(rows) for rows in (accepted & (p < 0.5), accepted, everything))
    expected = expected_by_degree(events, proposed).larger(expected_by_volume(events, taken))
    pairs = flagged_mutual(events, expected)
    return {(int(a), int(b)) for a, b in zip(pairs.a, pairs.b, strict=True)}


def _frozen(states: Any, n_agents: int) -> NDArray[np.bool_]:
    import polars as pl

    marked = np.zeros(n_agents, dtype=np.bool_)
    marked[states.filter(pl.col("freezes") > 0)["agent"].to_numpy().astype(np.int64)] = True
    return marked


def _assemble(
    source: RunSource,
    agent: I64,
    deals: I64,
    frozen: NDArray[np.bool_],
    pairs: dict[tuple[int, int], int],
    flagged: set[tuple[int, int]],
) -> Network:
    """The network with the ties that are drawn, laid out."""
    place = {int(slot): number for number, slot in enumerate(agent)}
    mates = source.backs_its_own
    ties: list[tuple[int, int, int, int]] = []
    for (a, b), n in pairs.items():
        if a in place and b in place and a != b:
            is_mates = mates[a] and mates[b] and source.types[a] == source.types[b]
            kind = COALITION if is_mates else FLAGGED if (a, b) in flagged else TIE
            ties.append((place[a], place[b], n, kind))
    kept = _strongest(ties, len(agent))
    table = np.array(kept, dtype=np.int64).reshape(-1, 4)
    x, y = _laid_out(len(agent), kept)
    types = tuple(source.types[slot] for slot in agent)
    agents_out, ties_out = int((deals > 0).sum()) - int((deals[agent] > 0).sum()), len(ties) - len(kept)
    one, other, count, kinds = table.T
    return Network(agent, types, deals[agent], frozen[agent], x, y, one, other, count, kinds, agents_out, ties_out)


def _strongest(ties: Sequence[tuple[int, int, int, int]], n_agents: int) -> list[tuple[int, int, int, int]]:
    """The strongest ordinary ties of each agent, and every one that is not ordinary."""
    if len(ties) <= TIES_FEW:
        return list(ties)
    taken = np.zeros(n_agents, dtype=np.int64)
    kept = []
    for tie in sorted(ties, key=lambda one: (-one[2], one[0], one[1])):
        a, b, _, kind = tie
        if kind != TIE or taken[a] < TIES_EACH or taken[b] < TIES_EACH:
            kept.append(tie)
            if kind == TIE:
                taken[[a, b]] += 1
    return kept


def _laid_out(n_agents: int, ties: Sequence[tuple[int, int, int, int]]) -> tuple[F64, F64]:
    """Places in which agents with strong ties stand together; the same ties give the same places."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(n_agents))
    graph.add_weighted_edges_from((a, b, float(n) ** 0.5) for a, b, n, _ in ties)
    found = nx.spring_layout(graph, k=2.2 / max(n_agents, 1) ** 0.5, seed=7, iterations=80, method="force")
    places = np.array([found[number] for number in range(n_agents)]).reshape(-1, 2).round(6)
    return places[:, 0], places[:, 1]
