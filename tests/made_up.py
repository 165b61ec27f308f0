"""Made-up epochs: tables of interactions, agents and replayed decisions, and the totals a tally makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesocosm import registry
from mesocosm.env.events import EventBatch
from mesocosm.metrics.tally import Tally
from mesocosm.metrics.totals import EpochTotals
from slow_metrics import ECONOMY

TYPES = ("honest", "opportunistic", "adversarial")
FLOATS = (
    "p", "pi_a", "pi_b", "pi_a_true", "pi_b_true", "surplus", "surplus_true", "externality", "externality_true", "r_a",
)  # fmt: skip

#: a column that every row of a kind of event has
LONG = {"agent_state": "active", "interaction": "p", "replayed": "yes", "bounty_closed": "price"}

Table = dict[str, Any]


def every_metric() -> list[str]:
    return [entry.name for entry in registry.entries("metric") if entry.origin.startswith("mesocosm.metrics.")]


def make_roster(seed: int, n_agents: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, len(TYPES), n_agents)


def make_epoch(seed: int, n_agents: int, n_deals: int, accept: float = 0.5) -> tuple[Table, Table]:
    """One replicate's epoch: its interactions over several turns, and its agents at the end."""
    rng = np.random.default_rng(seed)
    deal: Table = {name: rng.normal(size=n_deals) for name in FLOATS}
    deal["p"] = rng.random(n_deals)
    deal["private_cost"] = rng.random(n_deals)
    deal["tau"] = rng.integers(-1, 2, n_deals) / 2.0
    deal["initiator"] = rng.integers(0, n_agents, n_deals)
    step = np.where(rng.random(n_deals) < 0.3, 2, 1)  # neighbours deal most, so that some pairs stand out
    deal["counterparty"] = (deal["initiator"] + np.minimum(step, max(n_agents - 1, 1))) % n_agents
    deal["accepted"] = rng.random(n_deals) < accept
    deal["v"] = np.where(rng.random(n_deals) < 0.6, 1, -1)
    deal["reason"] = ["accepted" if one else "declined" for one in deal["accepted"]]
    deal["turn"] = np.sort(rng.integers(0, 7, n_deals))
    agent: Table = {"agent": np.arange(n_agents), "active": rng.random(n_agents) < 0.8}
    agent["votes_received"] = rng.integers(0, 9, n_agents)
    agent["balance"] = np.round(rng.normal(100.0, 20.0, n_agents), 6)
    agent["freezes"] = rng.integers(0, 3, n_agents)
    agent["deposits"] = np.round(rng.random(n_agents) * 5.0, 6)
    return deal, agent


def make_replays(seed: int, n_agents: int, n_decisions: int) -> Table:
    """Decisions of one epoch that were taken again."""
    rng = np.random.default_rng(seed + 1)
    of = rng.integers(2, 6, n_decisions)
    table: Table = {"agent": rng.integers(0, n_agents, n_decisions), "interaction": np.arange(n_decisions)}
    table |= {"yes": rng.integers(0, of + 1), "of": of, "v": np.where(rng.random(n_decisions) < 0.7, 1, -1)}
    return table


def make_bounties(seed: int, n_agents: int, n_bounties: int) -> Table:
    """Bounties of one epoch that were paid or refunded."""
    rng = np.random.default_rng(seed + 2)
    delivered = rng.random(n_bounties) < 0.8
    v = np.where(delivered, np.where(rng.random(n_bounties) < 0.6, 1, -1), 0)
    table: Table = {"poster": rng.integers(0, n_agents, n_bounties), "delivered": delivered, "v": v}
    table |= {"released": delivered & (rng.random(n_bounties) < 0.7), "disputed": delivered & (v < 0)}
    return table | {name: rng.random(n_bounties) for name in ("price", "value", "credited", "toil")}


def batch_of(kind: str, tables: list[Table], epoch: int = 0, turn: int | None = None) -> EventBatch:
    """Stack replicates' tables into one batch, or only the rows of one turn."""
    keep = [np.flatnonzero(t["turn"] == turn) if turn is not None else np.arange(len(t[LONG[kind]])) for t in tables]
    names = [name for name in tables[0] if name != "turn"]
    column = {
        name: np.concatenate([np.asarray(t[name])[k] for t, k in zip(tables, keep, strict=True)]) for name in names
    }
    replicate = np.concatenate([np.full(len(k), r) for r, k in enumerate(keep)]).astype(np.int64)
    return EventBatch(kind, epoch, 0, turn or 0, replicate, np.concatenate(keep).astype(np.int64), column)


def tally_of(
    rosters: list[np.ndarray], names: list[str] | tuple[str, ...], types: Any = TYPES, economy: Any = ECONOMY
) -> Tally:
    return Tally(names, roster=rosters, types=types, economy=economy)


def totals_of(
    epochs: list[tuple[Table, Table]],
    rosters: list[np.ndarray],
    names: Any = None,
    replays: list[Table] | None = None,
    bounties: list[Table] | None = None,
    **kwargs: Any,
) -> EpochTotals:
    tally = tally_of(rosters, every_metric() if names is None else names, **kwargs)
    for turn in range(7):
        tally.add(batch_of("interaction", [deal for deal, _ in epochs], turn=turn))
    if replays:
        tally.add(batch_of("replayed", replays))
    if bounties:
        tally.add(batch_of("bounty_closed", bounties))
    return tally.epoch(batch_of("agent_state", [agent for _, agent in epochs]))
