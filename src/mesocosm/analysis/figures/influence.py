"""Who is listened to: votes by agent, how unequally they are spread, and how that moves over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mesocosm.agents.records import agent_name
from mesocosm.analysis.figures.courses import DOTS_MOST
from mesocosm.analysis.figures.picture import Axis, Bars, Line, Panel, Picture
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.measures.inequality import gini, largest_share

I64 = NDArray[np.int64]
AGENTS_MOST = 200


def influence_picture(source: RunSource, title: str) -> Picture | None:
    """Gini and largest share of votes over time, the Lorenz curve, and votes by agent; None where nobody voted.

    Raises   UsageError when the log holds no agents' states.
    """
    states = source.table("agents", ["epoch", "agent", "active", "votes_received"])
    states = states.filter(states["active"].cast(bool))
    if states.height == 0 or not states["votes_received"].to_numpy().any():
        return None
    epoch, votes = (states[name].to_numpy().astype(np.int64) for name in ("epoch", "votes_received"))
    last = epoch == epoch.max()
    agent = states["agent"].to_numpy().astype(np.int64)[last]
    own = votes[last]
    about = (
        "Votes for an agent's posts since the run began, among the agents there at the end of each epoch. Gini: 0 is "
        "all alike, 1 is one agent with all. The further a Lorenz curve sags below the diagonal, the more unequal."
    )
    left_out = (f"{len(own) - AGENTS_MOST:,} agents with fewer votes",) if len(own) > AGENTS_MOST else ()
    panels = (_over_time(epoch, votes), _lorenz(own), _by_agent(source.types, agent, own))
    return Picture("influence", title, about, panels, 3, left_out, (4.3, 3.6))


def _over_time(epoch: I64, votes: I64) -> Panel:
    known, group = np.unique(epoch, return_inverse=True)
    x = [float(one) for one in known]
    dots = len(x) <= DOTS_MOST
    unequal, top = (each(votes, group, len(known)).tolist() for each in (gini, largest_share))
    marks = (
        Line(x, unequal, "Gini", "blue", dots=dots),
        Line(x, top, "share of the one most voted for", "violet", dots=dots),
    )
    y = Axis("Gini, share of all votes", from_zero=True, low=0.0, high=1.05)
    return Panel("Inequality over time", Axis("epoch", whole=True), y, marks)


def _lorenz(votes: I64) -> Panel:
    """How much of all votes the agents with the fewest have together."""
    held = np.sort(votes, kind="stable")
    share = np.concatenate([[0.0], np.cumsum(held) / max(int(held.sum()), 1)])
    agents = np.arange(len(held) + 1) / len(held)
    marks = (
        Line([0.0, 1.0], [0.0, 1.0], "all alike", "quiet", "dash", 1.2),
        Line(agents.tolist(), share.tolist(), "votes", "blue"),
    )
    x, y = (Axis(label, low=0.0, high=1.0) for label in ("share of agents, fewest votes first", "share of votes"))
    return Panel("Lorenz curve at the end", x, y, marks, square=True)


def _by_agent(types: Sequence[str], agent: I64, votes: I64) -> Panel:
    """Votes of each agent, the most first, in the colour of its type."""
    order = np.argsort(-votes, kind="stable")[:AGENTS_MOST]
    marks = tuple(_bars_of_types(types, agent[order], votes[order]))
    x = Axis("agents, most votes first", low=-1.0, high=float(len(order)), whole=True)
    return Panel("Votes received by agent", x, Axis("votes since the run began", from_zero=True), marks)


def _bars_of_types(types: Sequence[str], agent: I64, votes: I64) -> Iterator[Bars]:
    named = [types[slot] for slot in agent]
    for kind in sorted(set(named)):
        places = [place for place, name in enumerate(named) if name == kind]
        tips = tuple(f"{agent_name(int(agent[place]))} ({kind}): {int(votes[place]):,} votes" for place in places)
        height = [float(votes[place]) for place in places]
        yield Bars([float(place) for place in places], height, kind, f"type:{kind}", 0.9, tips)
