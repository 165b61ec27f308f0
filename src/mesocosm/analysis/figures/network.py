"""Who deals with whom: agents as marks in the colour of their type, accepted deals as lines between them."""

from __future__ import annotations

from collections.abc import Iterator
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
CROWDED = 60  # ties of a coalition, above which they are drawn faintly
TIES_EACH = 3  # of each agent its strongest ties are drawn; more only make a ball of wool
ROUNDS, GOLDEN_ANGLE = 70, 2.399963229728653
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
        "Agents that deal with each other stand together."
    ) + (" Rings: frozen at some time." if found.frozen.any() else "")
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
    crowded = int((found.kind == COALITION).sum()) > CROWDED
    for kind, label, color, alpha, dash in looks:
        rows = found.kind == kind
        if rows.any():
            a, b = found.a[rows], found.b[rows]
            width = slim * (0.4 + 2.6 * np.sqrt(found.n[rows] / heaviest)) + (0.5 if kind != TIE else 0.0)
            if kind == COALITION and crowded:
                alpha, width = 0.3, 0.5 * width
            x0, y0, x1, y1 = (end.tolist() for end in (found.x[a], found.y[a], found.x[b], found.y[b]))
            yield Segments(x0, y0, x1, y1, label, color, width.tolist(), alpha, dash)
    base = 150.0 if len(found.agent) <= 60 else 60.0 if len(found.agent) <= 200 else 30.0
    area = base * (0.35 + 0.65 * found.deals / max(int(found.deals.max(initial=1)), 1))
    for name in sorted(set(found.types)):
        rows = np.array([each == name for each in found.types])
        yield _agents(found, rows, area, name, f"type:{name}", look_of_type(name)[1])
    if found.frozen.any():
        rows = found.frozen
        ring = (2.2 * area[rows] + 30.0 if len(found.agent) <= 60 else 1.5 * area[rows] + 6.0).tolist()
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


def _count_pairs(one: I64, other: I64, n_agents: int) -> tuple[tuple[I64, I64, I64], I64]:
    """The pairs that made deals, the lower slot first, with how many; and how many every agent made."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    key, count = np.unique(low * n_agents + high, return_counts=True)
    deals = np.bincount(one, minlength=n_agents) + np.bincount(other, minlength=n_agents)
    return (key // n_agents, key % n_agents, count.astype(np.int64)), deals.astype(np.int64)


def _busiest(deals: I64, there: I64) -> I64:
    """The agents that are drawn, in order of slot: all, or those with the most deals."""
    order = there[np.argsort(-deals[there], kind="stable")][:AGENTS_MOST]
    return np.sort(order, kind="stable")


def _flagged(one: I64, other: I64, accepted: NDArray[np.bool_], p: F64, n_agents: int) -> I64:
    """Pairs that accept each other's bad-looking deals beyond chance, as collusion_pairs has them: a * n_agents + b."""
    size = np.array([n_agents], dtype=np.int64)

    def counted(rows: NDArray[np.bool_]) -> Dyads:
        return dyads_of(np.zeros(int(rows.sum()), dtype=np.int64), one[rows], other[rows], size)

    everything = np.ones(len(one), dtype=np.bool_)
    events, taken, proposed = (counted(rows) for rows in (accepted & (p < 0.5), accepted, everything))
    expected = expected_by_degree(events, proposed).larger(expected_by_volume(events, taken))
    pairs = flagged_mutual(events, expected)
    return pairs.a * n_agents + pairs.b


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
    pairs: tuple[I64, I64, I64],
    flagged: I64,
) -> Network:
    """The network with the ties that are drawn, laid out."""
    n_agents = len(source.types)
    place = np.full(n_agents, -1)
    place[agent] = np.arange(len(agent))
    a, b, n = (column[(place[pairs[0]] >= 0) & (place[pairs[1]] >= 0)] for column in pairs)
    code = np.unique(source.types, return_inverse=True)[1]
    is_mates = source.backs_its_own[a] & source.backs_its_own[b] & (code[a] == code[b])
    kind = np.where(is_mates, COALITION, np.where(np.isin(a * n_agents + b, flagged), FLAGGED, TIE))
    every = np.stack([place[a], place[b], n, kind], axis=1).astype(np.int64)
    kept = _strongest(every, len(agent))
    x, y = _laid_out(len(agent), kept)
    types = tuple(source.types[slot] for slot in agent)
    agents_out, ties_out = int((deals > 0).sum()) - int((deals[agent] > 0).sum()), len(every) - len(kept)
    one, other, count, kinds = kept.T
    return Network(agent, types, deals[agent], frozen[agent], x, y, one, other, count, kinds, agents_out, ties_out)


def _strongest(ties: I64, n_agents: int) -> I64:
    """The strongest ordinary ties of each agent, and every one that is not ordinary.

    Shapes   ties: (m, 4), two places, deals and kind.
    """
    if len(ties) <= TIES_FEW:
        return ties
    taken = [0] * n_agents
    kept = []
    for row in np.lexsort((ties[:, 1], ties[:, 0], -ties[:, 2])).tolist():
        a, b, _, kind = ties[row].tolist()
        if kind != TIE or taken[a] < TIES_EACH or taken[b] < TIES_EACH:
            kept.append(row)
            if kind == TIE:
                taken[a] += 1
                taken[b] += 1
    found: I64 = ties[kept]
    return found


def _laid_out(n_agents: int, ties: I64) -> tuple[F64, F64]:
    """Places in which agents with strong ties stand together; the same ties give the same places.

    Source   Fruchterman and Reingold (1991), from a spiral instead of chance, with a pull to the middle
    """
    pull = np.zeros((n_agents, n_agents))
    a, b, n, _ = ties.T
    pull[a, b] = pull[b, a] = np.sqrt(n)
    pull /= max(float(pull.max(initial=0.0)), 1.0)
    number = np.arange(n_agents)
    angle, radius = GOLDEN_ANGLE * number, np.sqrt((number + 0.5) / max(n_agents, 1))
    place = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    apart = 1.6 / max(n_agents, 1) ** 0.5
    for stride in np.linspace(0.2, 0.004, ROUNDS):
        gap = place[:, None, :] - place[None, :, :]
        squared = np.maximum((gap * gap).sum(axis=2), 1e-6)
        force = apart * apart / squared - pull * np.sqrt(squared) / apart
        push = (gap * force[:, :, None]).sum(axis=1) - 0.6 * place
        length = np.sqrt((push * push).sum(axis=1, keepdims=True))
        place = place + push / np.maximum(length, 1e-9) * np.minimum(length, stride)
    place = (place / max(float(np.abs(place).max(initial=0.0)), 1e-9)).round(5)
    return place[:, 0], place[:, 1]
