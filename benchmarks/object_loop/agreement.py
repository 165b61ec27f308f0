"""Whether the engine and the object loop tell the same story, and where they first differ."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.object_loop.chronicle import bodies
from benchmarks.object_loop.play import play
from mesocosm.config.schema import Scenario
from mesocosm.engine.loop import simulate
from mesocosm.env.events import EventBatch
from mesocosm.log.canonical import encode_batch


def engine_bodies(scenario: Scenario, seed: int) -> list[bytes]:
    """Canonical bytes of every event of a run of the engine, notes included."""
    written: list[bytes] = []
    for item in simulate([scenario], [seed]):
        if isinstance(item, EventBatch):
            written += encode_batch(item, slice(None))
    return written


def first_difference(scenario: Scenario, seed: int) -> str:
    """Where the two first differ, as "event 12 (step 3, interaction): p is 0.5 in the engine, ..."; "" if nowhere."""
    return compared(engine_bodies(scenario, seed), bodies(play(scenario, seed).events))


def compared(engine: list[bytes], loop: list[bytes]) -> str:
    """Where two accounts of a run first differ; "" if nowhere."""
    for number, (theirs, ours) in enumerate(zip(engine, loop, strict=False)):
        if theirs != ours:
            return _difference(number, json.loads(theirs + b"}"), json.loads(ours + b"}"))
    if len(engine) != len(loop):
        return f"the engine has {len(engine)} events, the object loop {len(loop)}"
    return ""


def _difference(number: int, engine: dict[str, Any], loop: dict[str, Any]) -> str:
    fields = [name for name in {**engine, **loop} if engine.get(name) != loop.get(name)]
    said = [f"{name} is {engine.get(name)!r} in the engine, {loop.get(name)!r} in the object loop" for name in fields]
    place = f"epoch {loop['epoch']}, step {loop['step']}, turn {loop['turn']}, {loop['kind']}"
    return f"event {number} ({place}): {'; '.join(said[:3])}"
