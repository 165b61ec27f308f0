"""A batch being played: the world, its rules, who decides, who governs, and the events of the turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, registry, rng
from mesocosm.api import Menu, Policy
from mesocosm.config.schema import Scenario
from mesocosm.env.economy import Columns, Structure, column, economy_of, structure_of, take
from mesocosm.env.events import EventBatch
from mesocosm.env.population import Roster, build_roster
from mesocosm.env.proxy import TraceTable, trace_table
from mesocosm.env.state import World, build_world, draw_key
from mesocosm.errors import UsageError

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
KEPT_AT_EVERY_LEVEL = ("input", "fired", "replayed")  # notes that resuming or metrics need
MANY_TURNS = 10_000_000  # more than any replicate has agents


@dataclass(slots=True)
class Player:
    """One policy of the cast, with its parameters aligned with all rows."""

    name: str
    policy: Policy
    parameter: dict[str, Any]  # field -> number or (n,)


@dataclass(slots=True)
class Batch:
    """Everything the engine needs while it plays; the parts of a step are functions of it.

    Shapes   n = agent rows, R = replicates.
    """

    world: World
    structure: Structure
    economy: Columns  # parameters by replicate
    by_row: Columns  # the same, by row
    in_force: Columns  # by replicate, with what levers add to rho
    learns: NDArray[np.bool_]  # (n,) agents that weigh payoffs, respond to levers and learn
    blind: NDArray[np.bool_]  # (n,) frozen ones: they weigh payoffs as if there were no levers
    table: TraceTable
    menu: Menu
    roster: Roster
    cast: list[Player]  # by policy code
    scenarios: Sequence[Scenario]
    detail: bool = True  # whether every field of every event is wanted
    epoch: int = 0
    step: int = 0  # in the run
    turn: int = 0  # in the step
    second_pass: bool = False
    watched: int = -1  # row whose decisions are shown to the driver
    events: list[EventBatch] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # what agents from outside have written
    keys: dict[tuple[int, int], NDArray[np.uint64]] = field(default_factory=dict)

    def key(self, purpose: int) -> Any:
        """Random key of the current block of draws for a purpose: a number, or by replicate."""
        time = 2 * self.step + self.second_pass
        found = self.keys.get((purpose, time))
        if found is None:
            if len(self.keys) > 64:
                self.keys.clear()
            found = self.keys[purpose, time] = draw_key(self.world, purpose, time)
        return found[0] if len(found) == 1 else found

    def reseed(self, seed: NDArray[np.uint64]) -> None:
        """Draw everything from other seeds from now on."""
        self.world.seed[:] = seed
        self.keys.clear()

    def bits(self, purpose: int, row: I64) -> NDArray[np.uint64]:
        """Keyed 64-bit draws for agent rows."""
        return rng.bits(take(self.key(purpose), self.world.replicate[row]), self.world.slot[row])

    def uniform(self, purpose: int, row: I64) -> F64:
        """Keyed uniform draws in (0, 1) for agent rows."""
        return rng.unit(self.bits(purpose, row))

    def uniform_at(self, purpose: int, replicate: I64, counter: I64) -> F64:
        """Keyed uniform draws for any counter of a replicate, for what is drawn beside the agents' own numbers."""
        return rng.uniform(take(self.key(purpose), replicate), counter)

    def emit(self, kind: str, row: I64, values: dict[str, Any], cause: I64 | None = None) -> I64:
        """Number events of agent rows (ascending by replicate) and keep them for the log; returns their seq."""
        return self.emit_for(kind, self.world.replicate[row], values, cause)

    def emit_for(self, kind: str, replicate: I64, values: dict[str, Any], cause: I64 | None = None) -> I64:
        """Number events of replicates (ascending) and keep them for the log; returns their seq."""
        seq = self.world.number_events(replicate)
        if self.detail and len(seq):
            self.events.append(EventBatch(kind, self.epoch, self.step, self.turn, replicate, seq, values, cause))
        return seq

    def emit_always(self, kind: str, replicate: I64, values: dict[str, Any], cause: I64 | None = None) -> None:
        """Number and keep events that metrics need at every level of the log."""
        seq = self.world.number_events(replicate)
        self.events.append(EventBatch(kind, self.epoch, self.step, self.turn, replicate, seq, values, cause))

    def insert_interactions(
        self, replicate: I64, seq: I64, values: dict[str, Any], cause: I64 | None, before: int, aside: dict[str, Any]
    ) -> None:
        """Keep already numbered interactions, ahead of the events from position `before` on that they led to."""
        made = EventBatch("interaction", self.epoch, self.step, self.turn, replicate, seq, values, cause, aside)
        self.events.insert(before, made)

    def annotate(self, kind: str, replicate: I64, values: dict[str, Any]) -> None:
        """Keep notes that are outside the trajectory: they carry the seq of the last event before them."""
        if self.detail or kind in KEPT_AT_EVERY_LEVEL:
            seq = self.world.next_seq[replicate] - 1
            self.events.append(EventBatch(kind, self.epoch, self.step, self.turn, replicate, seq, values))

    def flush(self) -> list[EventBatch]:
        """Hand over the events kept so far."""
        kept, self.events = self.events, []
        return kept

    def rule_at(self, row: I64) -> Columns:
        """The rules in force aligned with rows."""
        return self.in_force.at(self.world.replicate[row])


def open_batch(scenarios: Sequence[Scenario], seeds: Sequence[int], detail: bool = True) -> Batch:
    """Set up the world of many (scenario, seed) replicates in one table.

    Raises   UsageError when the scenarios cannot share a table.
    """
    if not scenarios:
        raise UsageError("nothing to run: no scenario was given.")
    structure = structure_of(scenarios[0])
    economy = economy_of(scenarios)
    roster = build_roster(scenarios)
    cast = _cast(roster)
    adaptive = np.array([player.policy.adaptive for player in cast])[roster.code]
    learns = adaptive & np.array([scenario.adaptation == "learning" for scenario in scenarios])[roster.replicate]
    world = build_world(roster, [int(seed) for seed in seeds], economy, structure, learns)
    transfer = np.array(structure.transfer_menu)
    menu = Menu(
        np.array(structure.effort_menu),
        np.array(structure.disguise_menu),
        transfer,
        int(np.flatnonzero(transfer == 0.0)[0]),
    )
    return Batch(
        world=world,
        structure=structure,
        economy=economy,
        by_row=economy.at(world.replicate),
        in_force=economy,
        learns=learns,
        blind=adaptive & ~learns,
        table=trace_table(economy, structure, len(scenarios)),
        menu=menu,
        roster=roster,
        cast=cast,
        scenarios=scenarios,
        detail=detail,
    )


def _cast(roster: Roster) -> list[Player]:
    """The policies in play, by code, with each group's parameters spread over its rows."""
    cast = []
    for name in roster.policies:
        target = registry.find("policy", name).target
        groups = [number for number, group in enumerate(roster.groups) if group[0] == name]
        parameter = {}
        for item in registry.params(target):
            by_group = column([dict(roster.groups[number][1]).get(item.name, item.default) for number in groups])
            if isinstance(by_group, np.ndarray):
                where = np.zeros(len(roster.groups), dtype=np.int64)
                where[groups] = np.arange(len(groups))
                by_group = by_group[where[roster.group]]
            parameter[item.name] = by_group
        cast.append(Player(name, target(), parameter))
    return cast


def aligned(player: Player, row: I64) -> Policy:
    """The policy with its parameters aligned with rows; itself where they are the same for all."""
    varies = any(isinstance(value, np.ndarray) for value in player.parameter.values())
    if not varies and all(getattr(player.policy, name) == value for name, value in player.parameter.items()):
        return player.policy
    bound = object.__new__(type(player.policy))
    bound.__dict__.update({name: take(value, row) for name, value in player.parameter.items()})
    return bound


def first_turn(structure: Structure, part: int) -> int:
    """Number of the first turn of a part of a step: 0 first pass, 1 second pass, 2 what follows both.

    The number must not depend on how many agents the other replicates of the batch have.
    """
    return part if structure.turns == "simultaneous" else part * MANY_TURNS


def precedence(batch: Batch) -> F64:
    """Who comes first when agents of a replicate conflict: a number per row, the lowest first, ties by slot.

    round_robin rotates the first place with every step; random draws it anew; priority goes by reputation.
    """
    world = batch.world
    if batch.structure.order == "random":
        return batch.uniform(rng.Purpose.ORDER, np.arange(world.n_rows))
    if batch.structure.order == "priority":
        return -world.reputation
    active = np.maximum(world.crowd.count[world.replicate], 1)
    return ((world.crowd.position - batch.step) % active).astype(np.float64)


def in_order(batch: Batch, row: I64) -> I64:
    """Positions of rows in order of precedence within their replicate."""
    first = precedence(batch)[row]
    return exact.order_by(batch.world.replicate[row], first, batch.world.slot[row])
