"""Who there is: slots, policies, roles and skills of every replicate, with planned arrivals and departures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.config.schema import Scenario

I64 = NDArray[np.int64]
NEVER = 2**62
ROLES = ("planner", "worker", "verifier", "poster", "moderator")


@dataclass(frozen=True, slots=True)
class Roster:
    """Every slot of every replicate, whether its agent is there from the start, arrives later, or is spare.

    Shapes   n = slots of all replicates, R = replicates.
    """

    offset: I64  # (R + 1,)
    replicate: I64  # (n,)
    slot: I64  # (n,)
    code: I64  # (n,) index into `policies`
    group: I64  # (n,) index into `groups`
    role: I64  # (n,) index into ROLES
    skill: NDArray[np.float64]  # (n,)
    arrival_epoch: I64  # (n,) 0 at the start, NEVER for spare capacity
    policies: tuple[str, ...]
    groups: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]  # distinct (policy, params)

    def types_by_slot(self, replicate: int) -> I64:
        """Policy code of each slot of a replicate."""
        return self.code[self.offset[replicate] : self.offset[replicate + 1]]


def slots_of(scenario: Scenario) -> list[tuple[str, tuple[tuple[str, Any], ...], str, float, int]]:
    """(policy, params, role, skill, arrival epoch) of every slot of one scenario, in order of slot."""
    slots: list[tuple[str, tuple[tuple[str, Any], ...], str, float, int]] = []
    for group in scenario.agents:
        described = (group.type, tuple(sorted(group.params.items())), group.role, group.skill, 0)
        slots.extend([described] * group.count)
    for arrival in sorted(scenario.population.arrivals, key=lambda item: item.epoch):
        described = (arrival.type, tuple(sorted(arrival.params.items())), arrival.role, arrival.skill, arrival.epoch)
        slots.extend([described] * arrival.count)
    spare = (scenario.population.capacity or 0) - len(slots)
    if spare > 0:
        first = scenario.agents[0]
        slots.extend([(first.type, tuple(sorted(first.params.items())), first.role, first.skill, NEVER)] * spare)
    return slots


def build_roster(scenarios: Sequence[Scenario]) -> Roster:
    """The roster of a batch: scenarios may have different sizes and types."""
    distinct: dict[int, list[tuple[str, tuple[tuple[str, Any], ...], str, float, int]]] = {}
    by_replicate = []
    for scenario in scenarios:
        if id(scenario) not in distinct:
            distinct[id(scenario)] = slots_of(scenario)
        by_replicate.append(distinct[id(scenario)])
    policies = tuple(sorted({slot[0] for slots in distinct.values() for slot in slots}))
    groups = tuple(sorted({(slot[0], slot[1]) for slots in distinct.values() for slot in slots}))
    tables = {key: _table(slots, policies, groups) for key, slots in distinct.items()}
    parts = [tables[id(scenario)] for scenario in scenarios]
    size = np.array([len(slots) for slots in by_replicate], dtype=np.int64)
    offset = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    joined = [np.concatenate([part[column] for part in parts]) for column in range(5)]
    return Roster(
        offset=offset,
        replicate=np.repeat(np.arange(len(scenarios), dtype=np.int64), size),
        slot=np.arange(offset[-1], dtype=np.int64) - np.repeat(offset[:-1], size),
        code=joined[0].astype(np.int64),
        group=joined[1].astype(np.int64),
        role=joined[2].astype(np.int64),
        skill=joined[3].astype(np.float64),
        arrival_epoch=joined[4].astype(np.int64),
        policies=policies,
        groups=groups,
    )


def _table(slots: list[Any], policies: tuple[str, ...], groups: tuple[Any, ...]) -> list[NDArray[Any]]:
    code = {name: number for number, name in enumerate(policies)}
    group = {key: number for number, key in enumerate(groups)}
    return [
        np.array([code[slot[0]] for slot in slots]),
        np.array([group[slot[0], slot[1]] for slot in slots]),
        np.array([ROLES.index(slot[2]) for slot in slots]),
        np.array([slot[3] for slot in slots]),
        np.array([slot[4] for slot in slots]),
    ]
