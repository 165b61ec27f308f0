"""What happened, as events with plain fields, and the bytes and the hash that the log would give them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from mesocosm.env.events import ANNOTATIONS, EVENT_FIELDS
from mesocosm.log.canonical import EVENT_TYPES, Chain


class Event(NamedTuple):
    """One thing that happened."""

    seq: int
    epoch: int
    step: int
    turn: int
    kind: str
    cause: int  # seq of what led to it, -1 for nothing
    field: dict[str, Any]

    @property
    def is_annotation(self) -> bool:
        """Whether it stands outside the trajectory."""
        return self.kind in ANNOTATIONS


_encoder = msgspec.json.Encoder(order="deterministic")


def bodies(events: Iterable[Event]) -> list[bytes]:
    """Canonical JSON of each event, without the closing brace, as in the body of a log line."""
    lines = []
    for event in events:
        causes = [event.cause] if event.cause >= 0 else []
        values = [event.field[name] for name in EVENT_FIELDS[event.kind]]
        place = (event.seq, event.epoch, event.step, event.turn, event.kind, causes)
        lines.append(_encoder.encode(EVENT_TYPES[event.kind](*place, *values))[:-1])
    return lines


def trajectory_hash(events: Iterable[Event]) -> str:
    """Chained SHA-256 over all events of the trajectory."""
    chain = Chain()
    chain.add_events(bodies(event for event in events if not event.is_annotation))
    return chain.trajectory_hex
