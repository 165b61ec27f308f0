"""Where two runs part: the first event that differs, the decision behind it, and what followed."""

from __future__ import annotations

import filecmp
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import msgspec

from mesocosm.agents.records import agent_name
from mesocosm.analysis.deciding import Otherwise, first_decision
from mesocosm.config.load import scenario_from_dict
from mesocosm.engine.loop import COMPLETED
from mesocosm.env.events import ANNOTATIONS
from mesocosm.env.population import slots_of
from mesocosm.errors import ConfigError, UsageError
from mesocosm.log.canonical import event_type
from mesocosm.log.compare import first_difference, place_of
from mesocosm.log.files import EVENTS
from mesocosm.log.read import Log, read_log
from mesocosm.runner.branch import parent_of
from mesocosm.runner.directory import find_log
from mesocosm.runner.happenings import Happening, happenings
from mesocosm.runner.inputs import orders_of
from mesocosm.runner.runner import Run

Row = dict[str, Any]
BALANCES_TOLD = 10
_STARTED, _ENDED = "simulation_started", "simulation_ended"
_STATE = event_type("agent_state", ["agent", "balance"])


@dataclass
class Side:
    """One of two runs that are compared: what it is, where it parts from the other, and what followed.

    `event` is its first event that differs, None where it has ended; `counts` are its events from there on, by kind.
    """

    name: str
    log: Log
    epochs: int
    ended: str  # completed, the reason of a kill, or why the log is cut
    event: Row | None = None
    cause: Row | None = None  # the event that led to it
    counts: dict[str, int] = field(default_factory=dict)
    balance: dict[int, float] = field(default_factory=dict)


@dataclass
class Divergence:
    """How two runs differ.

    `asked` lists what their headers differ in, as (key, a, b); `beside` counts the notes of either that the other has
    not; `metrics` compares means over `epochs`, the whole epochs of both from where they part; `balances` are those
    that differ most at the end of the last of them.
    """

    a: Side
    b: Side
    asked: list[tuple[str, Any, Any]]
    is_identical: bool = False  # the files, to the byte
    n_same: int = 0  # events that are the same before the first that differs
    parts: bool = False  # whether there is one
    differs_in: str = ""  # which field of the first events, when they are of one kind
    values: tuple[Any, Any] = (None, None)
    epoch: int | None = None  # where they part
    why: str = ""
    decision: Otherwise | None = None
    beside: dict[str, tuple[int, int]] = field(default_factory=dict)
    epochs: range = range(0)
    metrics: list[Row] = field(default_factory=list)
    balances: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Whether the same happened in both, whatever was asked for."""
        return self.is_identical or not (self.parts or self.beside or self.epoch is not None)


def diff(a: str | Path | Run, b: str | Path | Run | None = None) -> Divergence:
    """Find where two runs part: the first event that differs, the decision behind it, and what followed.

    Logs of any level can be compared; one that holds checkpoints alone is simulated again to find the event.

    Params   a, b: as for load_run, or runs; without b, a branch is compared with the run that it goes on from.
    Raises   UsageError for a run that does not exist; LogDamaged for a log that was changed.
    """
    one, other = (_side(a), _side(b)) if b is not None else (_side(parent_of(a)), _side(a))
    if one.name == other.name:
        one.name, other.name = (str(side.log.path) for side in (one, other))
    found = Divergence(one, other, _asked(one.log, other.log))
    found.is_identical = _are_identical(one.log, other.log)
    if found.is_identical:
        return found
    _note_checkpoints(found)
    try:
        _compare_events(found)
    except (UsageError, ConfigError) as error:  # checkpoints alone, and of another model or with unknown plugins
        if found.epoch is None:
            raise
        found.notes.append(f"The event cannot be found by simulating again: {error}")
    if not found.parts:
        _compare_notes(found)
    found.why = _why(found)
    if found.epoch is not None:
        _sum_up(found)
    return found


def _side(run: str | Path | Run) -> Side:
    log = read_log(run.path if isinstance(run, Run) else find_log(run))
    name = log.path.parent.name if log.path.name == EVENTS else log.path.name
    ended = log.end.reason if log.end is not None else "cut"
    return Side(name, log, len(log.checkpoints), ended)


def _asked(a: Log, b: Log) -> list[tuple[str, Any, Any]]:
    """What the headers differ in; the seed once."""
    sides = [msgspec.to_builtins(log.header) for log in (a, b)]
    flat = [dict(_leaves({key: side[key] for key in ("model", "seed", "level", "metrics", "scenario")}, ""))
            for side in sides]  # fmt: skip
    for side in flat:
        for double in ("scenario.simulation.seed", "scenario.log.level"):
            side.pop(double, None)
    keys = dict.fromkeys([*flat[0], *flat[1]])
    found = [(key.removeprefix("scenario."), flat[0].get(key), flat[1].get(key)) for key in keys]
    return [(key, one, other) for key, one, other in found if one != other]


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        for number, below in enumerate(value):
            yield from _leaves(below, f"{name}.{number}")
    else:
        yield name, value


def _are_identical(a: Log, b: Log) -> bool:
    same = a.path.resolve() == b.path.resolve() or filecmp.cmp(a.path, b.path, shallow=False)
    return same and a.size == b.size


def _note_checkpoints(found: Divergence) -> None:
    """Logs of level epoch: the first epoch whose state differs."""
    levels = [side.log.header.level for side in (found.a, found.b)]
    if "epoch" not in levels:
        return
    pairs = zip(found.a.log.checkpoints, found.b.log.checkpoints, strict=False)
    found.epoch = next((one.epoch for one, other in pairs if one.state != other.state), None)
    which = "both logs hold" if levels[0] == levels[1] else f"the log of {'AB'[levels.index('epoch')]} holds"
    told = "no state differs at the end of an epoch that both have"
    if found.epoch is not None:
        told = f"epoch {found.epoch} is the first whose state differs"
    found.notes.append(f"At level epoch {which} checkpoints alone: {told}. The events come from simulating again.")


def _compare_events(found: Divergence) -> None:
    """Go through both runs together up to the first event that differs, and then through the rest of each."""
    sides = (found.a, found.b)
    streams = [happenings(side.log) for side in sides]
    for one, other in zip_longest(*streams):
        if one == other or _announce_other_lengths(one, other):
            found.n_same += 1
            continue
        found.parts = True
        heads = [[item] if item is not None else [] for item in (one, other)]
        for side, head in zip(sides, heads, strict=True):
            side.event = msgspec.json.decode(head[0][1]) if head else None
        epochs = [side.event["epoch"] for side in sides if side.event is not None]
        found.epoch = max(epochs) if _shorter(found) else min(epochs)
        if one is not None and other is not None:
            difference = first_difference(one[1], other[1])
            if difference is not None and difference[1] != "kind":
                found.differs_in, found.values = difference[1], difference[2:]
        last = min(side.epochs for side in sides) - 1
        rests = [_rest(side, chain(head, stream), last)
                 for side, head, stream in zip(sides, heads, streams, strict=True)]  # fmt: skip
        found.decision = first_decision(found.a.log, found.b.log, *rests)
        for rest in rests:
            for _ in rest:  # so that everything is counted
                pass
        for side in sides:
            side.cause = _cause(side)
        return


def _announce_other_lengths(one: Happening | None, other: Happening | None) -> bool:
    """Whether these say no more than that one run will be longer than the other, which nobody in it knows."""
    if one is None or other is None or one[0] != _STARTED or other[0] != _STARTED:
        return False
    difference = first_difference(one[1], other[1])
    rest = [{**msgspec.json.decode(body), "epochs": 0} for _, body in (one, other)]
    return difference is not None and difference[1] == "epochs" and rest[0] == rest[1]


def _shorter(found: Divergence) -> str:
    """Which run has come to the end that was asked for while the other goes on; "" if none has."""
    for name, side, other in (("A", found.a, found.b), ("B", found.b, found.a)):
        kinds = [each.event["kind"] if each.event is not None else "" for each in (side, other)]
        if kinds[0] == _ENDED and side.ended == COMPLETED and kinds[1] not in (_ENDED, "killed", "enacted"):
            return name
    return ""


def _rest(side: Side, events: Iterator[Happening], last: int) -> Iterator[bytes]:
    """Count a run's events by kind and keep the balances at the end of one epoch; yields its proposals."""
    mark = b'"epoch":%d,' % last
    for kind, body in events:
        side.counts[kind] = side.counts.get(kind, 0) + 1
        if kind == "agent_state" and mark in body[:80]:
            state: Any = msgspec.json.decode(body, type=_STATE)
            side.balance[state.agent] = state.balance
        elif kind == "interaction":
            yield body


def _cause(side: Side) -> Row | None:
    """The event that led to the first one that differs."""
    causes = side.event["causes"] if side.event is not None else []
    if not causes:
        return None
    mark = b'{"seq":%d,' % causes[0]
    return next((msgspec.json.decode(body) for _, body in happenings(side.log) if body.startswith(mark)), None)


def _compare_notes(found: Divergence) -> None:
    """What stands beside the same trajectory: notes of levers, what came from outside."""
    logs = (found.a.log, found.b.log)
    kinds = ["input"] if any(log.header.level == "epoch" for log in logs) else sorted(ANNOTATIONS)
    tables = [log.tables(kinds) for log in logs]
    for kind in kinds:
        one, other = tables[0][kind], tables[1][kind]
        if any(repr(one[name].tolist()) != repr(other[name].tolist()) for name in one):
            found.beside[kind] = (len(one["seq"]), len(other["seq"]))


def _why(found: Divergence) -> str:
    """What the first difference comes from, in a sentence; "" when nothing differs."""
    if found.is_same:
        return ""
    if not found.parts:
        return _why_without_event(found)
    shorter = _shorter(found)
    if shorter:
        length = min(found.a.epochs, found.b.epochs)
        told = f"{length} epoch{'s' * (length != 1)}, as it was asked for"
        return f"{shorter} ends after {told}; {_other(shorter)} goes on, and up to there they are the same."
    for name, side, other in (("A", found.a, found.b), ("B", found.b, found.a)):
        if side.event is None:
            end = "its log is cut" if side.ended == "cut" else f"it has ended ({side.ended})"
            return f"{name} goes no further: {end}. {_other(name)} goes on, and up to there they are the same."
        if side.event["kind"] == "enacted":
            also = f", and {_other(name)}: {_rule(other.event)}" if _rule(other.event) else ""
            return f"{name} was ordered to change a rule: {_rule(side.event)}{also}."
        if side.event["kind"] == "killed":
            return f"{name} was ended from outside: {side.event['reason']}."
    asked = {key for key, *_ in found.asked} - {"level", "metrics", "description", "scenario_id"}
    if "model" in asked:
        return "Another version of the model wrote the other log."
    if "seed" in asked:
        return "The seeds differ, and so does all luck."
    if asked:
        return f"Different things were asked for: {', '.join(sorted(asked)[:3])}{', ...' if len(asked) > 3 else ''}."
    if orders_of(found.a.log) or orders_of(found.b.log):
        return "The same was asked for, but the orders given on the way differ."
    return (
        "The same was asked for, so the same should have happened: the machine, the version or the code of a plugin "
        "differs, or decisions came from outside. `mesocosm replay RUN --verify` shows which log holds here."
    )


def _rule(event: Row | None) -> str:
    """What an event says of a rule that changed, "" when it says nothing of the kind."""
    if event is None or event["kind"] != "enacted":
        return ""
    return f"{event['lever']}.{event['parameter']} = {event['value']}"


def _why_without_event(found: Divergence) -> str:
    if found.epoch is not None and not found.notes[1:]:
        return (
            "Simulated again here, both give the same events, so one of the logs is not what this model does: "
            "`mesocosm replay RUN --verify` shows which."
        )
    return "The same happened in both; what differs stands beside it, as notes that no agent sees." * bool(found.beside)


def _other(name: str) -> str:
    return "B" if name == "A" else "A"


def _sum_up(found: Divergence) -> None:
    """Metrics and balances over the whole epochs of both from where they part."""
    sides, first = (found.a, found.b), found.epoch or 0
    found.epochs = range(first, min(side.epochs for side in sides))
    if not found.epochs:
        return
    found.metrics = metrics_after(found.a.log, found.b.log, found.epochs)
    types = _types(found.a.log)
    rows: list[Row] = [
        {"agent": agent_name(slot), "type": types.get(slot, ""), "a": found.a.balance[slot], "b": found.b.balance[slot]}
        for slot in sorted(found.a.balance.keys() & found.b.balance.keys())
    ]
    rows = [row | {"change": row["b"] - row["a"]} for row in rows if row["a"] != row["b"]]
    found.balances = sorted(rows, key=lambda row: -abs(row["change"]))[:BALANCES_TOLD]


def metrics_after(a: Log, b: Log, epochs: range) -> list[Row]:
    """The mean over some epochs of every metric that both logs give, and the difference of b from a."""
    if not epochs:
        return []
    points = [[log.checkpoints[epoch].totals for epoch in epochs] for log in (a, b)]
    found = []
    for name in points[0][0]:
        if name != "epoch" and name in points[1][0]:
            one, other = (_mean([totals[name] for totals in each]) for each in points)
            found.append({"metric": name, "a": one, "b": other, "change": other - one})
    return found


def _types(log: Log) -> dict[int, str]:
    """The type of each agent, as far as it is known here."""
    try:
        return {slot: row[0] for slot, row in enumerate(slots_of(scenario_from_dict(log.header.scenario)))}
    except ConfigError:  # of a plugin that is not loaded, or of another version
        return {}


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else math.nan


def divergence_as_dict(found: Divergence) -> Row:
    """How two runs differ, as plain values."""
    return {
        "same": found.is_same,
        "identical": found.is_identical,
        "a": _side_as_dict(found.a),
        "b": _side_as_dict(found.b),
        "asked": [{"key": key, "a": one, "b": other} for key, one, other in found.asked],
        "events_the_same": found.n_same,
        "epoch": found.epoch,
        "differs_in": found.differs_in,
        "values": list(found.values),
        "why": found.why,
        "decision": found.decision.as_dict() if found.decision is not None else None,
        "beside": {kind: list(counts) for kind, counts in found.beside.items()},
        "epochs_after": [found.epochs.start, found.epochs.stop - 1] if found.epochs else None,
        "metrics": found.metrics,
        "balances": found.balances,
        "notes": found.notes,
    }


def _side_as_dict(side: Side) -> Row:
    header = side.log.header
    return {
        "run": side.name,
        "log": str(side.log.path),
        "seed": header.seed,
        "level": header.level,
        "epochs": side.epochs,
        "ended": side.ended,
        "event": side.event,
        "cause": side.cause,
        "events_after": side.counts,
    }


def event_told(side: Side) -> str:
    """A side's first event that differs, as a person would point at it."""
    return place_of(side.event) if side.event is not None else f"nothing more ({side.ended})"
