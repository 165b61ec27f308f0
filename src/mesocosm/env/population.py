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
Slot = tuple[str, tuple[tuple[str, Any], ...], str, float, int, int]
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
    arrival_epoch: I64  # (n,) 0 at the start, NEVER for spare capacity and for further identities
    owner: I64  # (n,) row of the agent whose identity the slot is: of the slot itself but for further identities
    policies: tuple[str, ...]
    groups: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]  # distinct (policy, params)

    def types_by_slot(self, replicate: int) -> I64:
        """Policy code of each slot of a replicate."""
        return self.code[self.offset[replicate] : self.offset[replicate + 1]]

    def further_by_slot(self, replicate: int) -> NDArray[np.bool_]:
        """Which slots of a replicate are kept for further identities."""
        rows = slice(int(self.offset[replicate]), int(self.offset[replicate + 1]))
        is_further: NDArray[np.bool_] = self.owner[rows] - self.offset[replicate] != self.slot[rows]
        return is_further


def slots_of(scenario: Scenario) -> list[Slot]:
    """(policy, params, role, skill, arrival epoch, owner's slot) of every slot of one scenario, in order of slot.

    First those listed, then the further identities they may open, then spare capacity.
    """
    listed: list[Slot] = []
    further: list[Slot] = []
    arrivals = sorted(scenario.population.arrivals, key=lambda item: item.epoch)
    for group in (*scenario.agents, *arrivals):
        described = (group.type, tuple(sorted(group.params.items())), group.role, group.skill)
        epoch = getattr(group, "epoch", 0)
        for slot in range(len(listed), len(listed) + group.count):
            listed.append((*described, epoch, slot))
            further.extend([(*described, NEVER, slot)] * (group.identities - 1))
    slots = listed + further
    first = scenario.agents[0]
    described = (first.type, tuple(sorted(first.params.items())), first.role, first.skill)
    slots.extend((*described, NEVER, slot) for slot in range(len(slots), scenario.agents_max))
    return slots


def build_roster(scenarios: Sequence[Scenario]) -> Roster:
    """The roster of a batch: scenarios may have different sizes and types."""
    distinct: dict[int, list[Slot]] = {}
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
    joined = [np.concatenate([part[column] for part in parts]) for column in range(6)]
    return Roster(
        offset=offset,
        replicate=np.repeat(np.arange(len(scenarios), dtype=np.int64), size),
        slot=np.arange(offset[-1], dtype=np.int64) - np.repeat(offset[:-1], size),
        code=joined[0].astype(np.int64),
        group=joined[1].astype(np.int64),
        role=joined[2].astype(np.int64),
        skill=joined[3].astype(np.float64),
        arrival_epoch=joined[4].astype(np.int64),
        owner=joined[5].astype(np.int64) + np.repeat(offset[:-1], size),
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
        np.array([slot[5] for slot in slots]),
    ]
