"""Plays scenarios without a runner and keeps what happened, as the log would write it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from mesocosm.api import Control, DecisionRequest
from mesocosm.config.load import scenario_from_dict
from mesocosm.config.schema import Scenario
from mesocosm.engine.loop import simulate
from mesocosm.env.events import Checkpoint, EventBatch, Tick
from mesocosm.log.canonical import check_batch, encode_batch

Event = dict[str, Any]
Orders = Callable[[Tick], Sequence[Control] | None]
Decide = Callable[[DecisionRequest], Any]


@dataclass
class Played:
    """What happened in every replicate of a batch: event bytes, annotations, state hashes, and why it ended."""

    body: list[list[bytes]]  # trajectory events by replicate, as canonical bytes
    note: list[list[bytes]]  # annotations by replicate
    state: list[list[str]]  # state hash by replicate and epoch
    ticks: list[Tick] = field(default_factory=list)
    reason: str = ""

    def hash(self, replicate: int = 0) -> str:
        """Trajectory hash of one replicate: its events and the hashes of its states."""
        text = b"\n".join([*self.body[replicate], *(state.encode() for state in self.state[replicate])])
        return hashlib.sha256(text).hexdigest()

    @property
    def hashes(self) -> list[str]:
        """Trajectory hash of every replicate."""
        return [self.hash(replicate) for replicate in range(len(self.body))]

    def events(self, *kinds: str, replicate: int = 0) -> list[Event]:
        """Events of one replicate in the order of the log, all of them or some kinds."""
        decoded = [msgspec.json.decode(body + b"}") for body in self.body[replicate]]
        return [event for event in decoded if not kinds or event["kind"] in kinds]

    def notes(self, *kinds: str, replicate: int = 0) -> list[Event]:
        """Annotations of one replicate."""
        decoded = [msgspec.json.decode(body + b"}") for body in self.note[replicate]]
        return [event for event in decoded if not kinds or event["kind"] in kinds]


def play(
    scenarios: Sequence[Scenario],
    seeds: Sequence[int] | None = None,
    *,
    orders: Orders | None = None,
    decide: Decide | None = None,
    watch: Callable[[Any], None] | None = None,
    **options: Any,
) -> Played:
    """Play a batch to the end. Params: orders: what to send at each tick; seeds: of the scenarios, unless given."""
    seeds = [scenario.simulation.seed for scenario in scenarios] if seeds is None else seeds
    n = len(scenarios)
    played = Played([[] for _ in range(n)], [[] for _ in range(n)], [[] for _ in range(n)])
    game = simulate(scenarios, seeds, **options)
    answer: Any = None
    try:
        while True:
            item = game.send(answer)
            answer = None
            if watch is not None:
                watch(item)
            if isinstance(item, EventBatch):
                _keep(played, item, whole=options.get("detail", True))
            elif isinstance(item, Checkpoint):
                for replicate, state in enumerate(item.state_sha256):
                    played.state[replicate].append(state)
            elif isinstance(item, Tick):
                played.ticks.append(item)
                answer = orders(item) if orders is not None else None
            elif isinstance(item, DecisionRequest):
                answer = decide(item) if decide is not None else None
    except StopIteration as end:
        played.reason = end.value
    return played


def _keep(played: Played, batch: EventBatch, whole: bool) -> None:
    if not whole:
        return
    check_batch(batch)
    n = len(played.body)
    assert (np.diff(batch.replicate) >= 0).all(), f"{batch.kind}: rows are grouped by replicate, ascending"
    edge = np.searchsorted(batch.replicate, np.arange(n + 1))
    target = played.note if batch.is_annotation else played.body
    for replicate in range(n):
        if edge[replicate] < edge[replicate + 1]:
            target[replicate] += encode_batch(batch, slice(int(edge[replicate]), int(edge[replicate + 1])))


def scenario(agents: dict[str, int] | list[dict[str, Any]] | None = None, **sections: Any) -> Scenario:
    """A small scenario for one test: {"honest": 3} or full groups, and sections as keywords."""
    if agents is None:
        agents = {"honest": 4, "opportunistic": 2, "deceptive": 2, "adversarial": 2}
    if isinstance(agents, dict):
        agents = [{"type": name, "count": count} for name, count in agents.items()]
    simulation = {"epochs": 2, "steps_per_epoch": 5, "seed": 7} | sections.pop("simulation", {})
    return scenario_from_dict({"scenario_id": "test", "agents": agents, "simulation": simulation, **sections})
