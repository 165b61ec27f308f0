"""Checking a log line by line: the good prefix of one that was cut, the first bad line of one that was changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from mesocosm.env.events import EVENT_FIELDS
from mesocosm.errors import LogDamaged, MesocosmError
from mesocosm.log.canonical import (
    FILE_TAIL,
    SCHEMA,
    TAIL,
    Chain,
    CheckpointLine,
    EndLine,
    Header,
    ShardLine,
    is_annotation,
    kind_of,
)
from mesocosm.log.files import events_path, explain, shard_path
from mesocosm.log.shards import content_sha256, from_parquet

LONGEST_LINE = 64 * 1024 * 1024
_WHOLE = re.compile(rb',"h":"[0-9a-f]{16}"\}.', re.DOTALL)
_Line = TypeVar("_Line", ShardLine, CheckpointLine, EndLine)
_NO_END = "the log has no end record: it was cut or the run is still going"
_CHANGED = "the hash does not match: this line was changed, or lines before it were deleted, repeated, moved or put in"


@dataclass(frozen=True)
class Prefix:
    """Longest good beginning of a log.

    `good_bytes` and `n_records` (header included) count its complete, hash-correct lines; `complete` says whether the
    last of them is the end record and nothing follows; `cut` whether all that is wrong is a missing tail; `why` what
    is wrong.
    """

    good_bytes: int
    n_records: int
    header: Header | None
    complete: bool
    cut: bool
    why: str


@dataclass(frozen=True)
class Verified:
    """What a log whose every line is good contains."""

    path: Path
    header: Header | None
    lines: int
    events: int
    epochs: int
    trajectory: str
    complete: bool
    reason: str
    counts: dict[str, int] = field(default_factory=dict)


class _BadLineError(Exception):
    """A line that is not what must come next."""


class _Scan:
    """State of a check: how far the good lines go and what they said."""

    def __init__(self, events: Path) -> None:
        self.events = events
        self.chain = Chain()
        self.header: Header | None = None
        self.end: EndLine | None = None
        self.epochs = 0
        self.lines = 0
        self.good_bytes = 0
        self.counts: dict[str, int] = {}

    def accept(self, line: bytes) -> None:
        """Take the next line or say what is wrong with it."""
        kind = kind_of(line)
        if self.end is not None:
            raise _BadLineError("there is more after the end record")
        if (self.header is None) != (kind == "header"):
            raise _BadLineError("the first line is not a header" if self.header is None else "a second header")
        if kind in EVENT_FIELDS:
            self._accept_event(line, kind)
        elif kind == "header":
            self._accept_header(line)
        elif kind == "shard":
            self._accept_shard(line)
        elif kind in ("checkpoint", "end"):
            self._accept_state(line, kind)
        else:
            raise _BadLineError(f"not a record of a log (kind {kind!r})")
        self.lines += 1
        self.good_bytes += len(line)

    def _accept_header(self, line: bytes) -> None:
        if not self.chain.accepts_bound(line):
            raise _BadLineError("the hash of the header does not match: it was changed")
        try:
            schema = msgspec.json.decode(line, type=dict)["schema"]
            if schema > SCHEMA:
                raise MesocosmError(
                    f"{self.events}: this log has schema {schema} and this Mesocosm reads up to {SCHEMA}. "
                    "Read it with a newer Mesocosm."
                )
            self.header = msgspec.json.decode(line, type=Header)
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise _BadLineError(f"not a header that Mesocosm writes: {error}") from error

    def _accept_event(self, line: bytes, kind: str) -> None:
        good = self.chain.accepts_bound(line) if is_annotation(kind) else self.chain.accepts_event(line)
        if not good:
            raise _BadLineError(_CHANGED)
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def _accept_shard(self, line: bytes) -> None:
        said = self._bound(line, ShardLine)
        if said.table not in EVENT_FIELDS:
            raise _BadLineError(f"a shard of an unknown table {said.table!r}")
        path = shard_path(self.events, said.epoch, said.table)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise _BadLineError(f"its shard {path} cannot be read ({error.strerror})") from error
        if hashlib.sha256(data).hexdigest() != said.file_sha256:
            raise _BadLineError(f"its shard {path} was changed: the hash of the file does not match")
        try:
            table, forms = from_parquet(said.table, data)
            if content_sha256(said.table, table, forms) != said.columns_sha256 or len(table["seq"]) != said.rows:
                raise _BadLineError(f"its shard {path} does not hold the columns that were written")
        except (ValueError, KeyError) as error:
            raise _BadLineError(f"its shard {path} cannot be read: {error}") from error
        if not is_annotation(said.table):
            self.chain.advance(line[: -TAIL - FILE_TAIL])
            self.chain.events += said.rows
        self.counts[said.table] = self.counts.get(said.table, 0) + said.rows

    def _accept_state(self, line: bytes, kind: str) -> None:
        bind = self.chain.bind
        said: CheckpointLine | EndLine
        said = self._bound(line, CheckpointLine) if kind == "checkpoint" else self._bound(line, EndLine)
        if isinstance(said, CheckpointLine) and self.header is not None and self.header.level == "epoch":
            self.chain.advance(said.state.encode())
            self.chain.events = said.events
        if said.bind != bind:
            raise _BadLineError("the bytes before it are not those that were written")
        if said.trajectory != self.chain.trajectory_hex:
            raise _BadLineError("the trajectory before it is not the one that was written")
        if said.events != self.chain.events and not (self.header and self.header.level == "epoch"):
            raise _BadLineError(f"it counts {said.events} events where there are {self.chain.events}")
        if isinstance(said, EndLine):
            self.end, self.chain.events = said, said.events
        else:
            self.epochs += 1

    def _bound(self, line: bytes, form: type[_Line]) -> _Line:
        """Check the hash of a line that is not an event and decode it."""
        if not self.chain.accepts_bound(line):
            raise _BadLineError(_CHANGED)
        try:
            return msgspec.json.decode(line, type=form)
        except msgspec.DecodeError as error:
            raise _BadLineError(f"not a record that Mesocosm writes: {error}") from error


def _complete_lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        yield line


def _scan(path: str | Path) -> tuple[_Scan, str, bool]:
    """Check a log; return how far it is good, what is wrong then ("" if nothing) and whether it is merely cut."""
    events = events_path(path)
    scan = _Scan(events)
    try:
        with events.open("rb") as file:
            for line in _complete_lines(file):
                if not line.endswith(b"\n"):
                    return scan, *_unfinished(line, scan)
                try:
                    scan.accept(line)
                except _BadLineError as bad:
                    return scan, str(bad), False
    except OSError as error:
        raise explain(events, "read the log", error) from error
    return scan, "" if scan.end else _NO_END, True


def _unfinished(line: bytes, scan: _Scan) -> tuple[str, bool]:
    if scan.end is not None:
        return "there is more after the end record", False
    if len(line) >= LONGEST_LINE:
        return f"a line of more than {LONGEST_LINE} bytes", False
    if _WHOLE.search(line, max(0, len(line) - TAIL)):
        return "the newline at the end of the last line was changed", False
    return "the last line is cut", True


def recover(path: str | Path) -> Prefix:
    """Find the longest prefix of complete, hash-correct lines, wherever the log was cut.

    Raises   MesocosmError when there is no such file or its schema is newer than this version.
    """
    scan, why, cut = _scan(path)
    complete = scan.end is not None and not why
    return Prefix(scan.good_bytes, scan.lines, scan.header, complete, cut and not complete, why)


def glance(path: str | Path) -> Prefix:
    """Like `recover`, but only the header is checked and every complete line is taken to be good.

    Raises   MesocosmError when there is no such file or its schema is newer than this version.
    """
    events = events_path(path)
    scan = _Scan(events)
    size = lines = 0
    last = b""
    try:
        with events.open("rb") as file:
            for line in _complete_lines(file):
                if not line.endswith(b"\n"):
                    break
                if not lines:
                    scan.accept(line)
                size, lines, last = size + len(line), lines + 1, line
    except _BadLineError as bad:
        return Prefix(0, 0, None, False, False, str(bad))
    except OSError as error:
        raise explain(events, "read the log", error) from error
    complete = kind_of(last) == "end"
    return Prefix(size, lines, scan.header, complete, not complete, "" if complete else _NO_END)


def read_first(path: str | Path) -> Prefix:
    """Like `glance`, but nothing behind the header is looked at: quick, however long the log.

    Raises   MesocosmError when there is no such file or its schema is newer than this version.
    """
    events = events_path(path)
    scan = _Scan(events)
    try:
        with events.open("rb") as file:
            line = file.readline(LONGEST_LINE)
        if line.endswith(b"\n"):
            scan.accept(line)
    except _BadLineError as bad:
        return Prefix(0, 0, None, False, False, str(bad))
    except OSError as error:
        raise explain(events, "read the log", error) from error
    return Prefix(scan.good_bytes, scan.lines, scan.header, False, True, "nothing behind the header was read")


def verify_log(path: str | Path) -> Verified:
    """Check every line and shard of a log, in constant memory; a missing tail is reported, not refused.

    Params   path: a run directory or an events file.
    Raises   LogDamaged at the first line that is not what was written; MesocosmError when it cannot be read.
    """
    scan, why, cut = _scan(path)
    if why and not cut:
        raise LogDamaged(str(scan.events), scan.lines + 1, scan.good_bytes, why)
    return Verified(
        path=scan.events,
        header=scan.header,
        lines=scan.lines,
        events=scan.chain.events,
        epochs=scan.epochs,
        trajectory=scan.chain.trajectory_hex,
        complete=scan.end is not None,
        reason=scan.end.reason if scan.end else "",
        counts=scan.counts,
    )
