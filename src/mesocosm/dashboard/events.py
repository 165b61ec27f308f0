"""Single events of a run: the newest that a filter lets through, one by its number, what caused it, what it led to.

A full log is searched by bisection: its lines stand in the order of seq, so no more of it is read than is shown. At
level columns an epoch's shards are put together again; at level epoch there are no events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mesocosm.agents.records import agent_name
from mesocosm.dashboard.places import file_of
from mesocosm.env.events import EVENT_FIELDS
from mesocosm.errors import MesocosmError
from mesocosm.log.canonical import ShardLine, kind_of
from mesocosm.log.files import EVENTS, explain, shard_path
from mesocosm.log.shards import from_parquet

BLOCK = 1 << 18
SEARCHED = 32 << 20  # bytes that one look at the feed reads at most
SEARCHED_ROWS = 60_000  # events of a log of level columns that one look reads
LED_TO = 4 << 20  # bytes behind an event that are searched for what it led to
CHAIN = 40
#: fields of an interaction that one line has room for
DEAL = ("initiator", "counterparty", "reason", "v", "p", "tau", "effort", "disguise", "audited", "discovered")
NAMES_OF_AGENTS = ("agent", "initiator", "counterparty", "poster", "worker", "partner", "identity", "payee")
Event = dict[str, Any]
#: kinds that say every epoch what every agent has: they would fill the feed, and the table of agents shows them
QUIET = ("agent_state",)


@dataclass(frozen=True)
class Filter:
    """Which events the feed shows.

    Params   kinds: these only, or all but QUIET; agent: in whatever part, or -1 for anybody; text: that is in the
             event's line or in a text of it; until_epoch: the last epoch looked at, or -1 for the newest.
    """

    kinds: tuple[str, ...] = ()
    agent: int = -1
    text: str = ""
    until_epoch: int = -1

    def lets(self, event: Event) -> bool:
        """Whether an event is to be shown."""
        if event["kind"] in QUIET if not self.kinds else event["kind"] not in self.kinds:
            return False
        if self.agent >= 0 and self.agent not in [event.get(name) for name in NAMES_OF_AGENTS]:
            return False
        said = self.text.casefold()
        texts = (value for value in event.values() if isinstance(value, str))
        return not said or any(said in text.casefold() for text in (told(event), *texts))


@dataclass(frozen=True)
class Found:
    """Events that a filter let through, the newest first, and whether the search went through all there are."""

    events: list[Event]
    whole: bool


@dataclass
class LineEvents:
    """The events of a full log, found by where they stand in the file.

    Params   path: the log; size: bytes of it that are good.
    """

    path: Path
    size: int

    def newest(self, wanted: Filter, most: int) -> Found:
        """The newest events that a filter lets through."""
        stop = self.size if wanted.until_epoch < 0 else self._place("epoch", wanted.until_epoch + 1)
        found: list[Event] = []
        kinds = {b'"kind":"' + kind.encode() + b'"' for kind in wanted.kinds}
        read = 0
        for line in self._backwards(stop):
            read += len(line)
            if read > SEARCHED:
                return Found(found, whole=False)
            if kinds and not any(kind in line[:160] for kind in kinds):
                continue
            event = _event(line)
            if event is not None and wanted.lets(event):
                found.append(event)
                if len(found) >= most:
                    return Found(found, whole=False)
        return Found(found, whole=True)

    def one(self, seq: int) -> Event | None:
        """The event of a number."""
        at = self._place("seq", seq)
        for line in self.lines(at, BLOCK * 4):
            event = _event(line)
            if event is not None and event["seq"] >= seq and not event["note"]:
                return event if event["seq"] == seq else None
        return None

    def led_to(self, seq: int, most: int) -> list[Event]:
        """Events soon after that name this one as their cause."""
        mark = f'"causes":[{seq}]'.encode()
        found: list[Event] = []
        for line in self.lines(self._place("seq", seq), LED_TO):
            event = _event(line) if mark in line[:400] else None
            if event is not None:
                found.append(event)
                if len(found) >= most:
                    break
        return found

    def _place(self, name: str, value: int) -> int:
        """Where the first line begins whose seq or epoch is at least a value; both never fall within a log."""
        low, high = 0, self.size
        while high - low > 4096:
            middle = (low + high) // 2
            start, numbers = self._line_after(middle)
            if numbers is None or start >= high or numbers[name] >= value:
                high = middle
            else:
                low = start
        start = low
        for line in self.lines(low, high - low + BLOCK * 4):
            here = _numbers(line)
            if here is not None and here[name] >= value:
                return start
            start += len(line)
        return start

    def _line_after(self, at: int) -> tuple[int, dict[str, int] | None]:
        """The first event that begins behind a byte, and where."""
        start = at
        lines = self.lines(at, BLOCK * 256)
        first = next(lines, b"")
        start += len(first)
        for line in lines:
            numbers = _numbers(line)
            if numbers is not None:
                return start, numbers
            start += len(line)
        return self.size, None

    def lines(self, at: int, most: int) -> Iterator[bytes]:
        """Lines from a byte on, for so many bytes."""
        left = min(most, self.size - at)
        try:
            with self.path.open("rb") as file:
                file.seek(at)
                while left > 0 and (line := file.readline()):
                    left -= len(line)
                    yield line
        except OSError as error:
            raise explain(self.path, "read the log", error) from error

    def _backwards(self, stop: int) -> Iterator[bytes]:
        """Complete lines that end at a byte, the last one first."""
        rest = b""
        try:
            with self.path.open("rb") as file:
                at = stop
                while at > 0:
                    size = min(BLOCK, at)
                    at -= size
                    file.seek(at)
                    lines = (file.read(size) + rest).splitlines(keepends=True)
                    rest = lines[0] if at else b""
                    yield from reversed(lines[1:] if at else lines)
        except OSError as error:
            raise explain(self.path, "read the log", error) from error


def _numbers(line: bytes) -> dict[str, int] | None:
    """Seq and epoch of an event's line, read from its beginning; None for other lines."""
    if not line.startswith(b'{"seq":'):
        return None
    try:
        seq, epoch = line[:80].split(b",")[:2]
        return {"seq": int(seq[7:]), "epoch": int(epoch[8:])}
    except ValueError:
        return None


def _event(line: bytes) -> Event | None:
    if kind_of(line) not in EVENT_FIELDS:
        return None
    try:
        event: Event = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    event.pop("h", None)
    event["note"] = not isinstance(event.get("causes"), list) or event["kind"] in ("note", "input", "fired", "replayed")
    return event if isinstance(event.get("seq"), int) else None


@dataclass
class ShardEvents:
    """The events of a log of level columns, an epoch at a time.

    Params   folder: the run; tables: the kinds of event that every epoch has a shard of.
    """

    folder: Path
    tables: dict[int, list[str]]
    _held: dict[int, list[Event]] = field(default_factory=dict)

    def newest(self, wanted: Filter, most: int) -> Found:
        """The newest events that a filter lets through, among those of the last epochs."""
        found: list[Event] = []
        epochs = [epoch for epoch in sorted(self.tables) if wanted.until_epoch < 0 or epoch <= wanted.until_epoch]
        searched = 0
        for epoch in reversed(epochs):
            events = self._epoch(epoch)
            for event in reversed(events):
                if wanted.lets(event):
                    found.append(event)
                    if len(found) >= most:
                        return Found(found, whole=False)
            searched += len(events)
            if searched > SEARCHED_ROWS:
                return Found(found, whole=epoch == epochs[0])
        return Found(found, whole=True)

    def one(self, seq: int) -> Event | None:
        """The event of a number."""
        for epoch in sorted(self.tables, reverse=True):
            events = self._epoch(epoch)
            if events and events[0]["seq"] <= seq:
                return next((event for event in events if event["seq"] == seq and not event["note"]), None)
        return None

    def led_to(self, seq: int, most: int) -> list[Event]:
        """Events of the same epoch that name this one as their cause."""
        own = self.one(seq)
        if own is None:
            return []
        return [event for event in self._epoch(own["epoch"]) if event["causes"] == [seq]][:most]

    def _epoch(self, epoch: int) -> list[Event]:
        if epoch not in self._held:
            while len(self._held) >= 3:
                self._held.pop(next(iter(self._held)))
            events = [event for kind in self.tables[epoch] for event in self._shard(epoch, kind)]
            self._held[epoch] = sorted(events, key=lambda event: event["seq"])
        return self._held[epoch]

    def _shard(self, epoch: int, kind: str) -> list[Event]:
        path = file_of(self.folder, *shard_path(Path(EVENTS), epoch, kind).parts)
        try:
            table = from_parquet(kind, path.read_bytes())[0]
        except OSError as error:
            raise explain(path, "read this shard", error) from error
        except ValueError as error:
            raise MesocosmError(f"{path.name}: this shard cannot be read: {error}") from error
        columns = {name: column.tolist() for name, column in table.items()}
        causes = columns.pop("cause")
        names = list(columns)
        note = kind in ("note", "input", "fired", "replayed")
        return [
            {"kind": kind, "causes": [cause] if cause >= 0 else [], "note": note}
            | dict(zip(names, values, strict=True))
            for cause, values in zip(causes, zip(*columns.values(), strict=True), strict=True)
        ]


@dataclass(frozen=True)
class NoEvents:
    """A log of level epoch: it has none."""

    def newest(self, wanted: Filter, most: int) -> Found:
        """Nothing."""
        return Found([], whole=True)

    def one(self, seq: int) -> Event | None:
        """Nothing."""
        return None

    def led_to(self, seq: int, most: int) -> list[Event]:
        """Nothing."""
        return []


Events = LineEvents | ShardEvents | NoEvents


def events_of(path: Path, level: str, size: int) -> Events:
    """The events of a log.

    Params   path: a plain events.jsonl; level: of the log; size: bytes of it that are good.
    Raises   MesocosmError when it cannot be read.
    """
    if level == "full":
        return LineEvents(path, size)
    if level != "columns":
        return NoEvents()
    tables: dict[int, list[str]] = {}
    for line in LineEvents(path, size).lines(0, size):
        if kind_of(line) == "shard":
            said = msgspec.json.decode(line, type=ShardLine)
            tables.setdefault(said.epoch, []).append(said.table)
    return ShardEvents(path.parent, tables)


def causes_of(events: Events, seq: int) -> list[Event]:
    """An event and what caused it, cause by cause, back to the first."""
    chain: list[Event] = []
    event = events.one(seq)
    while event is not None and len(chain) < CHAIN:
        chain.append(event)
        earlier = [cause for cause in event["causes"] if isinstance(cause, int) and 0 <= cause < event["seq"]]
        event = events.one(earlier[0]) if earlier else None
    return chain


def told(event: Event) -> str:
    """An event in a line: its own fields, without its place; of an interaction those that say most.

    Example
        >>> told({"seq": 3, "kind": "voted", "agent": 2, "post": 1, "value": 1, "causes": []})
        'agent a_02, post 1, value 1'
    """
    listed = DEAL if event["kind"] == "interaction" else EVENT_FIELDS.get(event["kind"], {})
    return ", ".join(f"{name} {figure_of(name, event[name])}" for name in listed if name in event)


def figure_of(name: str, value: Any) -> str:
    """A field's value as a reader knows it: an agent by its name, a number without a tail of digits.

    Example
        >>> figure_of("worker", 3), figure_of("worker", -1), figure_of("minted", 7241.25), figure_of("p", 0.81234)
        ('a_03', 'nobody', '7,241.2', '0.812')
    """
    if name in NAMES_OF_AGENTS and isinstance(value, int) and not isinstance(value, bool):
        return agent_name(value) if value >= 0 else "nobody"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1000.0 else f"{value:.3g}"
    return str(value)
