"""Reading logs: records as they come, or the events of a kind as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mesocosm.env.events import EVENT_FIELDS, EventBatch
from mesocosm.errors import LogDamaged, UsageError, nearest
from mesocosm.log.canonical import CheckpointLine, EndLine, Header, ShardLine, event_type, kind_of
from mesocosm.log.files import events_path, explain, shard_path
from mesocosm.log.integrity import glance, recover
from mesocosm.log.shards import PLACE, Table, column_of, empty_table, from_parquet

AT_ONCE = 20_000  # lines that are decoded together


@dataclass(frozen=True)
class Log:
    """The good part of one log, read from the disk when asked; nothing is kept but the header.

    `size` is the number of good bytes; what lies behind them is never read.
    """

    path: Path
    header: Header
    size: int
    is_complete: bool
    why: str

    def lines(self) -> Iterator[bytes]:
        """The lines of the good part as they stand."""
        left = self.size
        try:
            with self.path.open("rb") as file:
                while left > 0 and (line := file.readline()):
                    left -= len(line)
                    yield line
        except OSError as error:
            raise explain(self.path, "read the log", error) from error

    def records(self) -> Iterator[dict[str, Any]]:
        """Every record in order as a dictionary; null is NaN again where an event has a number."""
        for line in self.lines():
            record = msgspec.json.decode(line)
            for name, form in EVENT_FIELDS.get(record["kind"], {}).items():
                if form == "float" and record.get(name, 0.0) is None:
                    record[name] = float("nan")
            yield record

    @cached_property
    def checkpoints(self) -> list[CheckpointLine]:
        """The checkpoints in order (null in their totals is None)."""
        decode = msgspec.json.Decoder(CheckpointLine).decode
        return [decode(line) for line in self.lines() if kind_of(line) == "checkpoint"]

    @cached_property
    def end(self) -> EndLine | None:
        """The end record, or None when the log was cut."""
        for line in self.lines():
            if kind_of(line) == "end":
                return msgspec.json.decode(line, type=EndLine)
        return None

    def columns(self, kind: str, fields: Sequence[str] | None = None) -> Table:
        """All events of a kind as columns: seq, epoch, step, turn, cause (-1 for none) and its own fields.

        Params   fields: only these of its own fields.
        Shapes   (k,) each; texts and lists are object arrays.
        """
        return self.tables([kind], fields)[kind]

    def tables(self, kinds: Sequence[str] | None = None, fields: Sequence[str] | None = None) -> dict[str, Table]:
        """Columns of several kinds (all by default) in one pass over the file.

        Raises   UsageError for an unknown kind or field, or one that a log of another model does not have.
        """
        asked = list(EVENT_FIELDS) if kinds is None else list(kinds)
        for kind in asked:
            if kind not in EVENT_FIELDS:
                raise UsageError(f"unknown kind of event {kind!r}. {nearest(kind, EVENT_FIELDS)}")
            for name in fields or ():
                if name not in EVENT_FIELDS[kind]:
                    raise UsageError(f"{kind} has no field {name!r}. {nearest(name, EVENT_FIELDS[kind])}")
        decoders = {kind: _Decoder(kind, fields, self) for kind in asked}
        for line in self.lines():
            found = kind_of(line)
            if found in decoders:
                decoders[found].add(line)
            elif found == "shard":
                said = msgspec.json.decode(line, type=ShardLine)
                if said.table in decoders:
                    decoders[said.table].add_table(self._shard(said))
        return {kind: decoder.finish() for kind, decoder in decoders.items()}

    def unlike(self, kind: str, why: str) -> UsageError:
        """What to say of events that have not the fields that this model writes."""
        return UsageError(
            f"{self.path}: its {kind} events cannot be read here: {why}. The log was written by model "
            f"{self.header.model!r}, and models differ in the fields of events. Its hashes can be verified, and "
            f"columns({kind!r}, fields=[...]) reads the fields that it has."
        )

    def _shard(self, said: ShardLine) -> Table:
        path = shard_path(self.path, said.epoch, said.table)
        try:
            return from_parquet(said.table, path.read_bytes())[0]
        except OSError as error:
            raise explain(path, "read this shard", error) from error
        except ValueError as error:
            raise LogDamaged(str(path), 0, 0, str(error)) from error

    def stream(self) -> Iterator[EventBatch | CheckpointLine]:
        """The run as it happened: batches of events that share kind and turn, and the checkpoints between them.

        At level ``columns`` the shards of an epoch are put back in the order of seq. Level ``epoch`` has checkpoints
        and inputs only. The replicate of every row is 0.
        """
        held: list[bytes] = []
        place: tuple[bytes, ...] = ()
        shards: list[tuple[str, Table]] = []
        for line in self.lines():
            kind = kind_of(line)
            here = tuple(line[: line.find(b'"causes"')].split(b",")[1:]) if kind in EVENT_FIELDS else ()
            if held and here != place:
                yield _batch_of(held, self)
                held = []
            if here:
                place = here
                held.append(line)
            elif kind == "shard":
                said = msgspec.json.decode(line, type=ShardLine)
                shards.append((said.table, self._shard(said)))
            elif kind in ("checkpoint", "end"):
                yield from _batches(shards, self)
                shards = []
                if kind == "checkpoint":
                    yield msgspec.json.decode(line, type=CheckpointLine)
        if held:
            yield _batch_of(held, self)


def _batch_of(lines: list[bytes], log: Log) -> EventBatch:
    decoder = _Decoder(kind_of(lines[0]), None, log)
    for line in lines:
        decoder.add(line)
    return _batch(decoder.kind, decoder.finish())


def _batch(kind: str, table: Table) -> EventBatch:
    first = {name: int(table[name][0]) for name in ("epoch", "step", "turn")}
    own = {name: table[name] for name in EVENT_FIELDS[kind]}
    replicate = np.zeros(len(table["seq"]), dtype=np.int64)
    return EventBatch(kind=kind, **first, replicate=replicate, seq=table["seq"], column=own, cause=table["cause"])


def _batches(shards: list[tuple[str, Table]], log: Log) -> Iterator[EventBatch]:
    """Cut tables where seq or the turn breaks off and put the pieces in the order of seq."""
    pieces: list[tuple[int, int, str, Table]] = []
    for rank, (kind, whole) in enumerate(shards):
        decoder = _Decoder(kind, None, log)
        decoder.add_table(whole)
        table = decoder.finish()
        broken = np.zeros(max(len(table["seq"]) - 1, 0), dtype=bool)
        for name in ("epoch", "step", "turn"):
            broken |= np.diff(table[name]) != 0
        broken |= np.diff(table["seq"]) > 1
        edges = [0, *(np.flatnonzero(broken) + 1).tolist(), len(table["seq"])]
        for start, stop in pairwise(edges):
            piece = {name: column[start:stop] for name, column in table.items()}
            pieces.append((int(table["seq"][start]), rank, kind, piece))
    for _, _, kind, piece in sorted(pieces, key=lambda item: item[:2]):
        yield _batch(kind, piece)


class _Decoder:
    """Gathers the lines and shards of one kind into columns, some thousand lines at a time."""

    def __init__(self, kind: str, fields: Sequence[str] | None, log: Log) -> None:
        self.kind, self._log = kind, log
        chosen = list(EVENT_FIELDS[kind] if fields is None else fields)
        self._forms = PLACE | {name: EVENT_FIELDS[kind][name] for name in chosen}
        self._names = [name for name in self._forms if name != "cause"]
        self._decoder = msgspec.json.Decoder(event_type(kind, chosen))
        self._lines: list[bytes] = []
        self._parts: list[Table] = []

    def add(self, line: bytes) -> None:
        """Take a line of this kind."""
        self._lines.append(line)
        if len(self._lines) >= AT_ONCE:
            self._decode()

    def add_table(self, table: Table) -> None:
        """Take the table of a shard."""
        missing = [name for name in self._forms if name not in table]
        if missing:
            raise self._log.unlike(self.kind, f"they have no {', '.join(missing)}")
        self._parts.append({name: table[name] for name in self._forms})

    def finish(self) -> Table:
        """All that was taken, as columns."""
        self._decode()
        if not self._parts:
            return {name: column for name, column in empty_table(self.kind).items() if name in self._forms}
        return {name: np.concatenate([part[name] for part in self._parts]) for name in self._forms}

    def _decode(self) -> None:
        if not self._lines:
            return
        try:
            events: list[Any] = self._decoder.decode_lines(b"".join(self._lines))
        except msgspec.DecodeError as error:
            raise self._log.unlike(self.kind, str(error).rstrip(".")) from error
        self._lines = []
        part: Table = {}
        for name, form in self._forms.items():
            if name == "cause":
                values: list[Any] = [event.causes[0] if event.causes else -1 for event in events]
            else:
                values = [getattr(event, name) for event in events]
            part[name] = column_of(values, form)
        self._parts.append(part)


def read_log(path: str | Path, *, trusted: bool = False) -> Log:
    """Open a log for reading: the good part of it, whether or not it was cut.

    Params   path: a run directory or an events file; trusted: check the header only and take every complete line.
    Raises   LogDamaged when lines were changed or not even the header is whole; MesocosmError when it cannot be read.
    """
    events = events_path(path)
    found = glance(path) if trusted else recover(path)
    if found.header is None or not (found.complete or found.cut):
        raise LogDamaged(str(events), found.n_records + 1, found.good_bytes, found.why)
    return Log(events, found.header, found.good_bytes, found.complete, found.why)
