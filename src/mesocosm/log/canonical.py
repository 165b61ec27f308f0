"""The bytes of a log line and the two hash chains that bind them.

A line is canonical JSON (fixed key order, dictionary keys sorted, shortest floats that round-trip, NaN and infinity as
null, UTF-8, no spaces) that ends with ``,"h":"<16 hex digits>"}`` and a newline: 25 bytes. The *body* of a line is all
that comes before those 25 bytes.

Trajectory chain   T_0 = sha256("mesocosm trajectory 1"), T_n = sha256(T_{n-1} || item). The items are:
                   full     bodies of the events, whose h is the first 16 digits of T_n;
                   columns  stems of the lines of event shards (all that comes before ``,"file_sha256"``);
                   epoch    state hashes of the checkpoints.
                   So T depends on what happened and never on the header, on annotations or on totals.
Bind chain         B = sha256 of every byte of the file so far. Each line that is not an event (header, annotation,
                   shard, checkpoint, end) has as h the first 16 digits of
                   sha256(every byte of the file up to the end of its body); for the header, of its body alone.
Checkpoints and the last line state T and B in full.
"""

from __future__ import annotations

import hashlib
from binascii import hexlify
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, Literal, cast

import msgspec
import numpy as np

from mesocosm.env.events import ANNOTATIONS, EVENT_FIELDS, EventBatch
from mesocosm.errors import InvariantBroken, MesocosmError, check

SCHEMA = 1
LEVELS = ("full", "columns", "epoch")
TAIL = 25  # bytes after the body: ,"h":"0123456789abcdef"} and the newline
FILE_MARK = b',"file_sha256":"'
FILE_TAIL = len(FILE_MARK) + 64 + 1  # bytes of a shard's body after its stem
START = hashlib.sha256(b"mesocosm trajectory 1").digest()

_sha256 = hashlib.sha256


class Header(msgspec.Struct, kw_only=True, frozen=True):
    """First line: what was asked and by which version it was answered."""

    kind: Literal["header"] = "header"
    schema: int = SCHEMA
    model: str
    level: str = "full"
    seed: int
    metrics: tuple[str, ...] = ()  # that the checkpoints' totals hold
    scenario: dict[str, Any]


class ShardLine(msgspec.Struct, kw_only=True, frozen=True):
    """One table of one epoch, kept as a Parquet file beside the log."""

    kind: Literal["shard"] = "shard"
    epoch: int
    table: str
    rows: int
    columns_sha256: str
    file_sha256: str = ""


class CheckpointLine(msgspec.Struct, kw_only=True, frozen=True):
    """End of an epoch: hash of the state, the runner's totals, and both chains so far."""

    kind: Literal["checkpoint"] = "checkpoint"
    epoch: int
    events: int
    state: str
    totals: dict[str, Any]
    trajectory: str
    bind: str


class EndLine(msgspec.Struct, kw_only=True, frozen=True):
    """Last line of a log that was not cut."""

    kind: Literal["end"] = "end"
    reason: str
    epochs: int
    events: int
    trajectory: str
    bind: str


def plain(value: Any) -> Any:
    """Turn a NumPy scalar or array into the plain Python value that JSON knows."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a value of type {type(value).__name__} cannot be logged")


_encoder = msgspec.json.Encoder(order="deterministic", enc_hook=plain)

_TYPES: dict[str, Any] = {
    "int": int,
    "float": float | None,
    "bool": bool,
    "str": str,
    "ints": list[int],
}
_PLACE: list[tuple[str, Any]] = [("seq", int), ("epoch", int), ("step", int), ("turn", int), ("kind", str)]


def event_type(kind: str, fields: Sequence[str] | None = None) -> type[msgspec.Struct]:
    """Struct of an event as it stands in a line: its place, its causes, its fields in order.

    Params   fields: only these fields, when a reader wants few of them.
    """
    listed = EVENT_FIELDS[kind]
    chosen = [(name, _TYPES[listed[name]]) for name in (listed if fields is None else fields)]
    shape: list[tuple[str, Any]] = [*_PLACE, ("causes", list[int]), *chosen]
    return msgspec.defstruct(kind, shape, gc=False)


EVENT_TYPES: dict[str, type[msgspec.Struct]] = {kind: event_type(kind) for kind in EVENT_FIELDS}


def encode(record: Any) -> bytes:
    """Body of one record: its canonical JSON without the closing brace.

    Raises   MesocosmError for text that is not valid Unicode or a value that JSON cannot hold.
    """
    try:
        return _encoder.encode(record)[:-1]
    except (UnicodeEncodeError, OverflowError, TypeError) as error:
        raise MesocosmError(f"this record cannot be logged: {error}. Log plain numbers and valid text only.") from error


def _ints(values: Any) -> list[Any]:
    return cast("list[Any]", np.asarray(values).astype(np.int64, casting="same_kind").tolist() if len(values) else [])


def _floats(values: Any) -> list[Any]:
    return cast("list[Any]", np.asarray(values, dtype=np.float64).tolist())


def _bools(values: Any) -> list[Any]:
    return cast("list[Any]", np.asarray(values, dtype=np.bool_).tolist())


def _objects(values: Any) -> list[Any]:
    return cast("list[Any]", values.tolist() if isinstance(values, np.ndarray) else list(values))


def _lists(values: Any) -> list[Any]:
    return [[int(number) for number in row] for row in values]


_PLAIN: dict[str, Callable[[Any], list[Any]]] = {
    "int": _ints,
    "float": _floats,
    "bool": _bools,
    "str": _objects,
    "ints": _lists,
}


def check_batch(batch: EventBatch) -> None:
    """Stop if a batch does not have exactly the columns of its kind, each as long as its seq."""
    check(batch.kind in EVENT_FIELDS, "the log knows the kind of every event", kind=batch.kind)
    listed = EVENT_FIELDS[batch.kind]
    if batch.column.keys() != listed.keys():
        wrong = sorted(batch.column.keys() ^ listed.keys())
        check(False, "a batch has the columns of its kind", kind=batch.kind, missing_or_unknown=wrong)
    k = len(batch)
    for name, values in batch.column.items():
        check(len(values) == k, "a column has one value per event", kind=batch.kind, field=name, k=k, found=len(values))
    check(batch.cause is None or len(batch.cause) == k, "every event has one cause", kind=batch.kind)
    check(len(batch.replicate) == k, "every event has one replicate", kind=batch.kind)


def encode_batch(batch: EventBatch, pick: slice) -> list[bytes]:
    """Bodies of the events of a batch that `check_batch` has passed, one per row of a stretch.

    Raises   InvariantBroken when a column does not hold its type; MesocosmError for text that is not Unicode.
    """
    seq = batch.seq[pick].tolist()
    if batch.cause is None:
        causes: Any = repeat(())
    else:
        causes = [(cause,) if cause >= 0 else () for cause in batch.cause[pick].tolist()]
    try:
        columns = [_PLAIN[form](batch.column[name][pick]) for name, form in EVENT_FIELDS[batch.kind].items()]
    except (TypeError, ValueError) as error:
        raise InvariantBroken(f"invariant broken: a column holds its declared type ({batch.kind}: {error})") from error
    place = (repeat(int(batch.epoch)), repeat(int(batch.step)), repeat(int(batch.turn)), repeat(batch.kind))
    make = EVENT_TYPES[batch.kind]
    try:
        lines = _encoder.encode_lines(map(make, seq, *place, causes, *columns))
    except (UnicodeEncodeError, OverflowError, TypeError) as error:
        raise MesocosmError(f"{batch.kind!r} events cannot be logged: {error}. Log valid text only.") from error
    # JSON escapes newlines within strings, so these two bytes stand at the end of a line and nowhere else
    return lines.split(b"}\n")[:-1]


class Chain:
    """Both hash chains of one log as it is written or checked, line by line.

    `trajectory` is T (32 bytes), `events` counts trajectory events, `lines` counts lines.
    """

    __slots__ = ("_bind", "events", "lines", "trajectory")

    def __init__(self) -> None:
        self.trajectory = START
        self.events = 0
        self.lines = 0
        self._bind = _sha256()

    @property
    def bind(self) -> str:
        """B in full: the hash of every byte so far."""
        return self._bind.hexdigest()

    @property
    def trajectory_hex(self) -> str:
        """T in full."""
        return self.trajectory.hex()

    def advance(self, item: bytes) -> None:
        """Move T on by one item that is not itself an event line (a shard's stem, a state hash)."""
        self.trajectory = _sha256(self.trajectory + item).digest()

    def add_events(self, bodies: Sequence[bytes]) -> bytes:
        """Lines of trajectory events, joined; moves T and B."""
        state, digest, out = self.trajectory, _sha256, []
        for body in bodies:
            state = digest(state + body).digest()
            out.append(b'%b,"h":"%b"}\n' % (body, hexlify(state[:8])))
        self.trajectory = state
        self.events += len(bodies)
        self.lines += len(bodies)
        text = b"".join(out)
        self._bind.update(text)
        return text

    def add_bound(self, body: bytes) -> bytes:
        """Line of anything that is not an event; moves B only."""
        self._bind.update(body)
        tail = b',"h":"%b"}\n' % self._bind.hexdigest()[:16].encode()
        self._bind.update(tail)
        self.lines += 1
        return body + tail

    def accepts_event(self, line: bytes) -> bool:
        """Whether a line found in a file is the next event; if so, moves T and B."""
        state = _sha256(self.trajectory + line[:-TAIL]).digest()
        if line[-TAIL:] != b',"h":"%b"}\n' % hexlify(state[:8]):
            return False
        self.trajectory = state
        self.events += 1
        self.lines += 1
        self._bind.update(line)
        return True

    def accepts_bound(self, line: bytes) -> bool:
        """Whether a line found in a file is the next line that is not an event; if so, moves B."""
        bind = self._bind.copy()
        bind.update(line[:-TAIL])
        if line[-TAIL:] != b',"h":"%b"}\n' % bind.hexdigest()[:16].encode():
            return False
        bind.update(line[-TAIL:])
        self._bind = bind
        self.lines += 1
        return True


def is_annotation(kind: str) -> bool:
    """Whether events of this kind stand outside the trajectory."""
    return kind in ANNOTATIONS


def kind_of(line: bytes) -> str:
    """Kind of the record in a line, read without decoding the whole of it; "" when there is none.

    Before the kind of an event stand only whole numbers, so the first mark found is the right one.
    """
    start = line.find(b'"kind":"', 0, 160) + 8
    if start < 8:
        return ""
    return line[start : line.find(b'"', start)].decode("ascii", "replace")
