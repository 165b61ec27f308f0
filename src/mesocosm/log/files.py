"""The disk under a log: where its files are, writes that are whole or absent, and errors that name the path."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from mesocosm.errors import MesocosmError, ReplayDiffers, UsageError
from mesocosm.log.compare import first_difference

EVENTS = "events.jsonl"
ENOUGH = 1 << 20  # bytes that are gathered before they are written
_HINT = "Check the path and its permissions."
_HINTS = {
    "ENOSPC": "Free some space, then resume the run.",
    "EDQUOT": "Free some of your quota, then resume the run.",
    "EACCES": "Choose a place you may write to with --output.",
    "EPERM": "Choose a place you may write to with --output.",
    "EROFS": "Choose a place that is not read-only with --output.",
    "ENOENT": "Check the path.",
    "EEXIST": "A file of this name is there: name a directory.",
    "ENOTDIR": "A file stands where a directory would have to be: name another place.",
}


def explain(path: str | Path, act: str, error: OSError) -> MesocosmError:
    """Turn an operating-system error into one that says what, where and what to do."""
    name = _errno_name(error)
    return MesocosmError(f"{path}: cannot {act}: {error.strerror or error}. {_HINTS.get(name, _HINT)}")


def _errno_name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "")


def events_path(path: str | Path) -> Path:
    """The events file meant by a path: the path itself if it names a file, else events.jsonl in that directory."""
    given = Path(path)
    return given if given.suffix == ".jsonl" or given.is_file() else given / EVENTS


def shard_path(events: Path, epoch: int, table: str) -> Path:
    """Where the shard of one table and epoch lies: in shards/ beside events.jsonl, NAME.shards/ beside NAME.jsonl."""
    folder = "shards" if events.name == EVENTS else f"{events.stem}.shards"
    return events.parent / folder / f"epoch_{epoch:06d}.{table}.parquet"


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut, where the system can."""
    if os.name == "nt":  # a directory cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: str | Path, data: bytes, *, durable: bool = True, shared: bool = False) -> None:
    """Write a whole file or leave what was there: temporary file, fsync, rename, fsync of the directory.

    Params   durable: whether the file has to survive a power cut that follows at once; without, the two fsyncs are left
             out, and a kill of the process is survived all the same. shared: whether others may be writing the same
             file; the temporary file then has a name of its own, and outlives a kill (see `is_abandoned`).
    Raises   MesocosmError naming the path when the disk is full or the place may not be written.
    """
    target = Path(path)
    writer = f".{_host()}.{os.getpid()}" if shared else ""
    partial = target.with_name(f".{target.name}{writer}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb", buffering=0) as file:
                _write_all(file, data)
                if durable:
                    os.fsync(file.fileno())
            partial.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise
        if durable:
            sync_directory(target.parent)
    except OSError as error:
        raise explain(target, "write this file", error) from error


def try_out(folder: Path) -> None:
    """Make a directory for results and write into it, to see that this can be done before anything is run.

    Raises   UsageError when it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        why = error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error))
        raise UsageError(str(explain(folder, "keep results here", why))) from error


def _host() -> str:
    name: str = os.uname().nodename if hasattr(os, "uname") else ""
    return name.replace(".", "-") or "here"


def is_abandoned(partial: Path) -> bool:
    """Whether the process that was writing a temporary file has ended on this machine."""
    *_, host, process, _ending = partial.name.rsplit(".", 3)
    if host != _host() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


class Sink:
    """Bytes of one growing file; over a known prefix they are compared with it instead of written.

    Params   prefix: bytes already in the file that the caller must reproduce; writes: whether to go on
             writing beyond them (False only compares); keep_open: hold the file between writes.
    """

    def __init__(self, path: Path, *, prefix: int = 0, writes: bool = True, keep_open: bool = True) -> None:
        self.path, self.writes, self.keep_open = path, writes, keep_open
        self.left = prefix
        self._prefix = prefix
        self._line = 0
        self._failed = False
        self._gathered: list[bytes] = []
        self._size = 0
        self._named = False  # whether the name of the file would survive a power cut
        self._old: BinaryIO | None = None
        self._file: BinaryIO | None = None
        try:
            if writes and not prefix:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._start_writing()
        except OSError as error:
            raise explain(path, "open the log", error) from error

    def peek(self) -> bytes:
        """The next line of the prefix behind what was put, or nothing when the prefix is used up."""
        self.flush()
        if self.left == 0:
            return b""
        old = self._prefix_file()
        here = old.tell()
        line = old.readline()
        old.seek(here)
        return line

    def put(self, data: bytes, *, sync: bool = False) -> None:
        """Take bytes; they are gathered until there is a mebibyte of them, or flushed at once with sync."""
        self._gathered.append(data)
        self._size += len(data)
        if sync or self._size >= ENOUGH:
            self.flush(sync=sync)

    def flush(self, *, sync: bool = False) -> None:
        """Compare with the prefix what lies within it and write the rest.

        Raises   ReplayDiffers at the first line that is not as in the prefix; MesocosmError when writing fails,
                 and at every later call, so that nothing is ever written behind half a line.
        """
        if self._failed:
            raise MesocosmError(f"{self.path}: writing this log has failed before. Resume the run to repair it.")
        self._failed = True  # until it is done, whatever interrupts it
        data = b"".join(self._gathered)
        self._gathered.clear()
        self._size = 0
        try:
            if self.left:
                data = self._compare(data)
            if self.writes and not self.left:
                self._write(data, sync)
        except OSError as error:
            self._release()
            raise explain(self.path, "write the log", error) from error
        self._failed = False

    def close(self) -> None:
        """Write what is gathered, unless writing has failed, and let go of the file."""
        try:
            if self._gathered and not self._failed:
                self.flush()
        finally:
            self._release()

    def _release(self) -> None:
        for file in (self._old, self._file):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
        self._old = self._file = None

    def _prefix_file(self) -> BinaryIO:
        if self._old is None:
            self._old = self.path.open("rb")
            self._old.seek(self._prefix - self.left)
        return self._old

    def _compare(self, data: bytes) -> bytes:
        old = self._prefix_file()
        found = old.read(min(len(data), self.left))
        if not data.startswith(found):
            self._refuse(found + old.readline(), data)
        self.left -= len(found)
        self._line += found.count(b"\n")
        if self.left == 0 or not self.keep_open:
            self._release()
        if self.left == 0 and self.writes:
            self._start_writing()
        return data[len(found) :]

    def _refuse(self, expected: bytes, found: bytes) -> None:
        self._release()
        pairs = zip(expected.split(b"\n"), found.split(b"\n"), strict=False)
        for number, (old, new) in enumerate(pairs, start=self._line + 1):
            difference = first_difference(old, new)
            if difference is not None:
                where, field, said, gave = difference
                raise ReplayDiffers(f"{self.path}:{number} {where}", field, said, gave)
        raise ReplayDiffers(f"{self.path}:{self._line + 1}", "record", expected, found)

    def _start_writing(self) -> None:
        """Open for appending; what lies behind the good prefix is cut off only now."""
        self._file = self.path.open("ab", buffering=0)
        if self.path.is_file():  # a device or a pipe cannot be cut
            self._file.truncate(self._prefix)
        if not self.keep_open:
            self._release()

    def _write(self, data: bytes, sync: bool) -> None:
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
        if data:
            _write_all(self._file, data)
        if sync:
            os.fsync(self._file.fileno())
            if not self._named:
                sync_directory(self.path.parent)
                self._named = True
        if not self.keep_open:
            self._release()
