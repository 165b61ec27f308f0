"""What happened in a run, event by event and in the same bytes, from a log of any level."""

from __future__ import annotations

from collections.abc import Iterator

from mesocosm.api import DecisionRequest
from mesocosm.engine.batch import open_batch
from mesocosm.engine.loop import play_batch
from mesocosm.env.events import EVENT_FIELDS, Checkpoint, EventBatch, Opening, Tick
from mesocosm.log.canonical import TAIL, encode_batch, is_annotation, kind_of
from mesocosm.log.read import Log
from mesocosm.runner.agents_driver import ReplayedDecisions
from mesocosm.runner.drive import scheduled
from mesocosm.runner.inputs import levers_of, orders_of
from mesocosm.runner.replay import scenario_of

Happening = tuple[str, bytes]  # kind, and the JSON of the event


def happenings(log: Log) -> Iterator[Happening]:
    """The events of a trajectory in order; a log that holds none is simulated again, up to its last checkpoint.

    Yields   the kind and the JSON of each event, the same whatever the level of the log.
    Raises   UsageError when a log of level epoch was written by another model.
    """
    if log.header.level == "full":
        for line in log.lines():
            kind = kind_of(line)
            if kind in EVENT_FIELDS and not is_annotation(kind):
                yield kind, line[:-TAIL] + b"}"
        return
    batches = log.stream() if log.header.level == "columns" else _again(log)
    for batch in batches:
        if isinstance(batch, EventBatch) and not batch.is_annotation:
            for body in encode_batch(batch, slice(0, len(batch))):
                yield batch.kind, body + b"}"


def _again(log: Log) -> Iterator[EventBatch]:
    """What a run yields when it is simulated again, as far as its log goes."""
    scenario, given = scenario_of(log), orders_of(log)
    left = len(log.checkpoints)
    if not left and not log.is_complete:
        return
    decider, orders = ReplayedDecisions(log), scheduled(given)
    play = play_batch(open_batch([scenario], [log.header.seed]), levers_of(given))
    answer = None
    while True:
        try:
            item = play.send(answer)
        except StopIteration:
            return
        answer = None
        if isinstance(item, EventBatch):
            yield item
        elif isinstance(item, DecisionRequest):
            answer = decider.decide(item)
        elif isinstance(item, Tick | Opening):
            answer = orders(item)
        elif isinstance(item, Checkpoint):
            left -= 1
            if not left and not log.is_complete:
                return
