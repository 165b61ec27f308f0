"""Writing logs: one `LogWriter` per replicate, and a `LogSet` that parts the batches of a whole table among them.

Levels    full      every event a line.
          columns   events are kept by kind and written at each checkpoint as Parquet shards, one chained line each;
                    inputs stay lines, written at once, because nothing could bring them back.
          epoch     header, inputs, checkpoints and end only.
Modes     create    a new file, never over another one.
          resume    the good prefix of an existing log is first reproduced, byte for byte, and then continued.
          compare   like resume, but nothing is written: the log is checked against a re-simulation.
Bytes reach the file at every checkpoint (with fsync, except at level ``epoch``) and whenever a mebibyte has gathered;
with ``durable`` every batch is written and synced at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from mesocosm.env.events import Checkpoint, EventBatch
from mesocosm.errors import LogDamaged, MesocosmError, UsageError, check, nearest
from mesocosm.log.canonical import (
    FILE_MARK,
    FILE_TAIL,
    LEVELS,
    TAIL,
    Chain,
    CheckpointLine,
    EndLine,
    Header,
    ShardLine,
    check_batch,
    encode,
    encode_batch,
    is_annotation,
)
from mesocosm.log.files import Sink, events_path, shard_path, write_atomic
from mesocosm.log.integrity import recover
from mesocosm.log.shards import ColumnBuffer, Table, content_sha256, split, to_parquet

Mode = Literal["create", "resume", "compare"]
AT_ONCE = 256  # rows that are encoded together: few enough to stay in the processor's cache
MANY_FILES = 256  # a set of more logs than this does not keep its files open


class LogWriter(AbstractContextManager["LogWriter"]):
    """Writes the log of one replicate.

    Params   path: a run directory or a file that ends in .jsonl; header: what the first line says, with the level;
             durable: write and sync every batch at once; keep_open: hold the file between writes.
    Raises   MesocosmError naming the path when the file exists already or cannot be written; in modes resume and
             compare LogDamaged when the log is changed rather than cut, and ReplayDiffers at the first difference.
    """

    def __init__(
        self,
        path: str | Path,
        header: Header,
        *,
        mode: Mode = "create",
        durable: bool = False,
        keep_open: bool = True,
    ) -> None:
        if header.level not in LEVELS:
            raise UsageError(f"unknown log level {header.level!r}. {nearest(header.level, LEVELS)}")
        self.path = events_path(path)
        self.level = header.level
        self.durable = durable
        self._chain = Chain()
        self._events = 0
        self._epochs = 0
        self._buffer = ColumnBuffer()
        self._sink = Sink(self.path, prefix=_prefix(self.path, mode), writes=mode != "compare", keep_open=keep_open)
        self._sink.put(self._chain.add_bound(encode(header)))

    @property
    def trajectory(self) -> str:
        """Hash of the trajectory so far (hex); at levels columns and epoch as of the last checkpoint."""
        return self._chain.trajectory_hex

    @property
    def behind(self) -> int:
        """Bytes of the existing log that have not been reproduced yet."""
        return self._sink.left

    def write(self, batch: EventBatch, rows: slice | None = None) -> None:
        """Log the events of a batch, or the stretch of its rows that belongs to this replicate.

        Raises   InvariantBroken when columns do not fit the kind or seq has a gap.
        """
        span = slice(0, len(batch)) if rows is None else rows
        if span.stop <= span.start:
            return
        check_batch(batch)
        self.count(batch, span)
        if self.level == "full" or batch.kind == "input":
            for start in range(span.start, span.stop, AT_ONCE):
                bodies = encode_batch(batch, slice(start, min(start + AT_ONCE, span.stop)))
                self.take(bodies, annotation=batch.is_annotation)
        elif self.level == "columns":
            self._buffer.add(batch, span)

    def count(self, batch: EventBatch, rows: slice) -> None:
        """Number the rows of a batch that belong to this log, before they are logged.

        Raises   InvariantBroken when the first does not follow the last event logged.
        """
        if not batch.is_annotation:
            first, last = int(batch.seq[rows.start]), int(batch.seq[rows.stop - 1])
            k = rows.stop - rows.start
            check(first == self._events and last == first + k - 1, "seq has no gap", expected=self._events, found=first)
            self._events += k

    def take(self, bodies: Sequence[bytes], *, annotation: bool) -> None:
        """Log rows that are counted and encoded."""
        if annotation:
            for body in bodies:
                self._sink.put(self._chain.add_bound(body))
        else:
            self._sink.put(self._chain.add_events(bodies))
        if self.durable:
            self._sink.flush(sync=True)

    def checkpoint(
        self, epoch: int, state: str, totals: Mapping[str, Any], tables: Mapping[str, Table] | None = None
    ) -> None:
        """End an epoch: its shards if the level has any, then the checkpoint line; synced.

        Params   state: hash of the state (hex); totals: the runner's sufficient statistics (NaN becomes null);
                 tables: events of the epoch by kind when a `LogSet` gathered them.
        """
        self._shards(epoch, self._buffer.take() if tables is None else tables)
        if self.level == "epoch":
            self._chain.advance(state.encode())
        line = CheckpointLine(
            epoch=epoch,
            events=self._events,
            state=state,
            totals=dict(totals),
            trajectory=self._chain.trajectory_hex,
            bind=self._chain.bind,
        )
        self._sink.put(self._chain.add_bound(encode(line)))
        self._epochs = epoch + 1
        if self.level != "epoch" or self.durable:
            self._sink.flush(sync=True)

    def flush(self) -> None:
        """Write what is gathered, so that whoever follows the file sees it; at level columns shards stay to come."""
        self._sink.flush()

    def end(self, reason: str, epochs: int, tables: Mapping[str, Table] | None = None) -> None:
        """Write the last line and close. Events after the last checkpoint become shards of the epoch that follows it.

        Raises   ReplayDiffers when the existing log goes on where the simulation has ended.
        """
        self._shards(self._epochs, self._buffer.take() if tables is None else tables)
        line = EndLine(
            reason=reason,
            epochs=epochs,
            events=self._events,
            trajectory=self._chain.trajectory_hex,
            bind=self._chain.bind,
        )
        self._sink.put(self._chain.add_bound(encode(line)))
        self._sink.flush(sync=True)
        self.close()

    def close(self) -> None:
        """Write what is gathered and let go of the file; without `end` the log stays a good prefix."""
        self._sink.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.close()
        except MesocosmError:
            if error is None:  # else the first failure is the one to tell
                raise

    def _shards(self, epoch: int, tables: Mapping[str, Table]) -> None:
        for kind, table in tables.items():
            content = content_sha256(kind, table)
            line = ShardLine(
                epoch=epoch, table=kind, rows=len(table["seq"]), columns_sha256=content, file_sha256="0" * 64
            )
            stem = encode(line)[:-FILE_TAIL]
            known = self._sink.peek()
            if known.startswith(stem + FILE_MARK):  # already on the disk and checked; may come from another Polars
                body = known[:-TAIL]
            else:
                data = to_parquet(kind, table)
                if self._sink.writes and not self._sink.left:
                    write_atomic(shard_path(self.path, epoch, kind), data)
                body = stem + FILE_MARK + hashlib.sha256(data).hexdigest().encode() + b'"'
            if not is_annotation(kind):
                self._chain.advance(stem)
            self._sink.put(self._chain.add_bound(body))


def _prefix(path: Path, mode: Mode) -> int:
    """Bytes of an existing log that must be reproduced; refuses what may not be written over or continued."""
    exists = path.is_file()
    if mode == "create":
        if exists and path.stat().st_size:
            raise MesocosmError(f"{path}: there is a log already. Resume it, or choose another --output.")
        return 0
    if not exists:
        if mode == "compare":
            raise MesocosmError(f"{path}: there is no log here to compare with.")
        return 0
    found = recover(path)
    if not found.complete and not found.cut:
        raise LogDamaged(str(path), found.n_records + 1, found.good_bytes, found.why)
    return found.good_bytes


class LogSet(AbstractContextManager["LogSet"]):
    """The logs of many replicates that run as one table; parts each batch by replicate.

    Params   writers: one per replicate, in order, all at one level. Give them ``keep_open=False`` when there are
             more than MANY_FILES of them.
    """

    def __init__(self, writers: Sequence[LogWriter]) -> None:
        check(len({writer.level for writer in writers}) == 1, "the logs of a set have one level")
        self.writers = tuple(writers)
        self.level = writers[0].level
        self._buffer = ColumnBuffer()
        self._edges = np.arange(len(writers) + 1)

    def write(self, batch: EventBatch) -> None:
        """Log a batch: each replicate gets its own rows.

        Raises   InvariantBroken when rows are not grouped by replicate in ascending order, or seq does not rise.
        """
        k = len(batch)
        if not k:
            return
        check_batch(batch)
        step = np.diff(batch.replicate)
        check(bool((step >= 0).all()), "rows are grouped by replicate", kind=batch.kind)
        rising = np.diff(batch.seq) > (-1 if batch.is_annotation else 0)
        check(bool((rising | (step > 0)).all()), "seq rises within a replicate", kind=batch.kind)
        bounds = np.searchsorted(batch.replicate, self._edges).tolist()
        check(bounds[-1] == k and bounds[0] == 0, "every row belongs to a replicate of the set", kind=batch.kind)
        spans = [(row, bounds[row], bounds[row + 1]) for row in np.unique(batch.replicate).tolist()]
        for row, start, stop in spans:
            self.writers[row].count(batch, slice(start, stop))
        if self.level == "full" or batch.kind == "input":
            self._write_lines(batch, spans)
        elif self.level == "columns":
            self._buffer.add(batch)

    def _write_lines(self, batch: EventBatch, spans: list[tuple[int, int, int]]) -> None:
        """Encode a batch some rows at a time and hand each replicate its own."""
        bodies: list[bytes] = []
        begin = 0  # the row of the batch that bodies[0] belongs to
        for row, start, stop in spans:
            at = start
            while at < stop:
                if at >= begin + len(bodies):
                    begin, bodies = at, encode_batch(batch, slice(at, min(at + AT_ONCE, len(batch))))
                own = bodies[at - begin : stop - begin]
                self.writers[row].take(own, annotation=batch.is_annotation)
                at += len(own)

    def checkpoint(self, point: Checkpoint, totals: Sequence[Mapping[str, Any]]) -> None:
        """End an epoch in every log.

        Params   totals: the sufficient statistics of each replicate.
        """
        tables = self._tables()
        for row, writer in enumerate(self.writers):
            writer.checkpoint(point.epoch, point.state_sha256[row], totals[row], tables[row])

    def flush(self) -> None:
        """Write what every log has gathered."""
        for writer in self.writers:
            writer.flush()

    def end(self, reason: str, epochs: int) -> None:
        """Write the last line of every log and close them."""
        tables = self._tables()
        for row, writer in enumerate(self.writers):
            writer.end(reason, epochs, tables[row])

    def close(self) -> None:
        """Close every log, also when one of them fails to."""
        failed: MesocosmError | None = None
        for writer in self.writers:
            try:
                writer.close()
            except MesocosmError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.close()
        except MesocosmError:
            if error is None:
                raise

    def _tables(self) -> list[dict[str, Table]]:
        return split(self._buffer.take(), len(self.writers))
