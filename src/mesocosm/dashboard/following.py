"""A run as far as its log goes: read once, then only what was added, whoever is writing it.

A log that another process is writing may end in half a line; what lies behind the last newline is left for later. A
finished log of many megabytes that has Parquet tables beside it is summed up from these instead.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mesocosm.config.load import scenario_from_dict
from mesocosm.config.schema import Scenario
from mesocosm.dashboard.places import Openable, file_of, has_file
from mesocosm.env.population import NEVER, slots_of
from mesocosm.errors import LogDamaged, MesocosmError
from mesocosm.log.canonical import CheckpointLine, EndLine, Header, ShardLine, kind_of
from mesocosm.log.files import EVENTS, explain, shard_path
from mesocosm.log.integrity import read_first, recover
from mesocosm.log.shards import from_parquet
from mesocosm.runner.directory import read_manifest

CHECKED_UP_TO = 64 << 20  # bytes of a log whose hashes are checked when it is opened
READ_AT_ONCE = 48 << 20  # bytes that one look at a growing log reads
SUMMED_UP_FROM = 24 << 20  # bytes from which on the Parquet tables of a finished run are read in place of its log
TABLES = ("epochs.parquet", "agents.parquet", "interactions.parquet")
Row = dict[str, Any]


class _State(msgspec.Struct, gc=False):
    agent: int
    active: bool
    reputation: float | None
    balance: float | None
    proposed: int
    accepted: int


class _Frozen(msgspec.Struct, gc=False):
    agent: int
    until_step: int


@dataclass(slots=True)
class AgentSoFar:
    """What an agent has come to: as of its last completed epoch, and counts over all of them."""

    active: bool = True
    reputation: float = float("nan")
    balance: float = float("nan")
    proposed: int = 0
    deals: int = 0


@dataclass
class Following:
    """One run of the dashboard, as far as it has been read.

    Params   place: where it is.
    """

    place: Openable
    header: Header | None = None
    scenario: Scenario | None = None
    rows: list[Row] = field(default_factory=list)  # metrics per completed epoch
    agents: dict[int, AgentSoFar] = field(default_factory=dict)
    frozen_until: dict[int, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)  # events by kind
    end: EndLine | None = None
    damage: str = ""  # what is wrong with the log, if anything is
    unknown: str = ""  # why its scenario means nothing here
    checked: bool = False  # whether every line was held against its hash
    size: int = 0  # bytes read
    there: int = 0  # bytes there are
    step: int = -1
    epoch: int = 0
    from_tables: bool = False
    known_types: dict[int, tuple[str, str]] = field(default_factory=dict)
    kept: tuple[int, int] = (0, 0)  # device and inode of the log read

    @property
    def log_path(self) -> Path:
        """The event log.

        Raises   MesocosmError when there is none, or it is no plain file.
        """
        return file_of(self.place.path, EVENTS)

    @property
    def is_complete(self) -> bool:
        """Whether the end record has been read."""
        return self.end is not None

    @property
    def is_behind(self) -> bool:
        """Whether there is more in the file than was read so far."""
        return self.there - self.size > READ_AT_ONCE // 8

    @property
    def asked_epochs(self) -> int:
        """How many epochs the run is meant to have; 0 while nobody knows."""
        asked = self.header.scenario.get("simulation", {}) if self.header is not None else {}
        return int(asked.get("epochs", 0)) if isinstance(asked, dict) else 0

    def types(self) -> dict[int, tuple[str, str]]:
        """Type and role of every agent that may ever be there."""
        if self.scenario is not None and not self.known_types:
            slots = enumerate(slots_of(self.scenario))
            self.known_types = {slot: (facts[0], facts[2]) for slot, facts in slots if facts[4] != NEVER}
        return self.known_types

    def manifest(self) -> Row:
        """The manifest as it stands now; empty when there is none yet."""
        return read_manifest(self.place.path) if has_file(self.place.path, "manifest.json") else {}

    def read_on(self) -> bool:
        """Read what was added to the log since last time; returns whether anything was.

        Raises   MesocosmError when the log cannot be opened, or was written by a newer version.
        """
        path = self.log_path
        facts = path.stat()
        if (facts.st_dev, facts.st_ino) != self.kept or facts.st_size < self.size:
            self.start_anew()
            self.kept = (facts.st_dev, facts.st_ino)
        self.there = facts.st_size
        if self.header is None and not self._open(path):
            return False
        if self.damage or self.end is not None or self.there <= self.size:
            return False
        if not self.size and _sum_up_tables(self, path):
            return True
        before = self.size
        for line in self._added(path):
            try:
                _take(self, line)
            except (msgspec.DecodeError, MesocosmError, ValueError, KeyError) as error:
                self.damage = f"the line at byte {self.size:,} cannot be read: {error}"
                break
            self.size += len(line)
        if self.is_complete:
            self._check(path)
        return self.size > before

    def start_anew(self) -> None:
        """Forget all that was read."""
        fresh = Following(self.place)
        for name, value in vars(fresh).items():
            setattr(self, name, value)

    def _open(self, path: Path) -> bool:
        """Read the header; False while its line is not whole yet."""
        with path.open("rb") as file:
            if not file.readline(CHECKED_UP_TO).endswith(b"\n"):
                return False
        is_small = _weight(path) <= CHECKED_UP_TO
        found = recover(path) if is_small else read_first(path)
        self.header = found.header
        self.checked = is_small
        if found.header is None or not (found.complete or found.cut):
            self.damage = f"line {found.n_records + 1}, byte {found.good_bytes:,}: {found.why}"
        if found.header is None:
            return False
        self.there = found.good_bytes if self.damage else self.there
        try:
            self.scenario = scenario_from_dict(found.header.scenario)
        except MesocosmError as error:
            self.unknown = str(error)
        if self.damage:  # what comes before the damage is shown, and what was found wrong beside it
            for line in self._added(path):
                _take(self, line)
                self.size += len(line)
        return not self.damage

    def _check(self, path: Path) -> None:
        """Hold a log that has come to its end against its hashes, unless that would take long."""
        if _weight(path) > CHECKED_UP_TO:
            self.checked = False
            return
        found = recover(path)
        self.checked = True
        if not found.complete:
            self.damage = f"line {found.n_records + 1}, byte {found.good_bytes:,}: {found.why}"

    def _added(self, path: Path) -> Iterator[bytes]:
        """The complete lines behind what was read, up to READ_AT_ONCE bytes of them."""
        left = min(self.there - self.size, READ_AT_ONCE)
        try:
            with path.open("rb") as file:
                file.seek(self.size)
                while left > 0 and (line := file.readline()).endswith(b"\n"):
                    left -= len(line)
                    yield line
        except OSError as error:
            raise explain(path, "read the log", error) from error

    def note(
        self, agent: int, active: bool, reputation: float | None, balance: float | None, counted: tuple[int, int]
    ) -> None:
        """Take the state of an agent at the end of an epoch, and what it did in it: proposed, accepted."""
        known = self.agents.setdefault(agent, AgentSoFar())
        known.active = active
        known.reputation = float("nan") if reputation is None else reputation
        known.balance = float("nan") if balance is None else balance
        known.proposed += counted[0]
        known.deals += counted[1]


def _read(line: bytes, form: type[Any]) -> Any:
    return msgspec.json.decode(line, type=form)


def _step(line: bytes) -> int:
    """The step in an event's line, which stands near its beginning."""
    return int(line[:100].split(b",", 3)[2].removeprefix(b'"step":'))


def _row(totals: Row) -> Row:
    """Metrics of an epoch as numbers, NaN where one is undefined."""
    return {str(name): value if isinstance(value, int | float) else float("nan") for name, value in totals.items()}


def _weight(path: Path) -> int:
    """Bytes of a log, with those of the shards that belong to it."""
    shards = shard_path(path, 0, "").parent
    try:
        inside = list(shards.iterdir()) if stat.S_ISDIR(shards.lstat().st_mode) else []
    except OSError:
        inside = []
    return sum(item.lstat().st_size for item in (path, *inside))


def _last_line(path: Path) -> bytes:
    """The last line of a file that ends in a newline; nothing when it does not."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        file.seek(max(0, size - (1 << 16)))
        tail = file.read()
    return tail[:-1].rpartition(b"\n")[2] + b"\n" if tail.endswith(b"\n") else b""


def _take(run: Following, line: bytes) -> None:
    kind = kind_of(line)
    if kind == "checkpoint":
        point = _read(line, CheckpointLine)
        run.rows.append(_row(point.totals))
        run.epoch = point.epoch + 1
        return
    if kind == "shard":
        _take_shard(run, _read(line, ShardLine))
        return
    if kind == "end":
        run.end = _read(line, EndLine)
        return
    if kind == "header":
        return
    run.counts[kind] = run.counts.get(kind, 0) + 1
    if kind == "interaction":
        run.step = _step(line)
    elif kind == "agent_state":
        state = _read(line, _State)
        run.note(state.agent, state.active, state.reputation, state.balance, (state.proposed, state.accepted))
    elif kind == "frozen":
        frozen = _read(line, _Frozen)
        run.frozen_until[frozen.agent] = frozen.until_step
    elif kind in ("epoch_started", "epoch_completed"):
        run.step = _step(line)


def _take_shard(run: Following, said: ShardLine) -> None:
    """Take an epoch's table of one kind at level columns."""
    run.counts[said.table] = run.counts.get(said.table, 0) + said.rows
    if said.table not in ("interaction", "agent_state", "frozen"):
        return
    beside = shard_path(Path(EVENTS), said.epoch, said.table)
    path = file_of(run.place.path, *beside.parts)
    try:
        table = from_parquet(said.table, path.read_bytes())[0]
    except OSError as error:
        raise LogDamaged(str(path), 0, 0, str(error)) from error
    if len(table["step"]):
        run.step = max(run.step, int(table["step"].max()))
    if said.table == "agent_state":
        names = ("agent", "active", "reputation", "balance", "proposed", "accepted")
        for agent, active, reputation, balance, proposed, accepted in zip(
            *(table[name].tolist() for name in names), strict=True
        ):
            run.note(agent, bool(active), reputation, balance, (proposed, accepted))
    elif said.table == "frozen":
        for agent, until in zip(*(table[name].tolist() for name in ("agent", "until_step")), strict=True):
            run.frozen_until[agent] = until


def _sum_up_tables(run: Following, path: Path) -> bool:
    """Take epochs and agents from the tables beside a large finished log; False when they are not to be had."""
    end = _last_line(path) if _weight(path) >= SUMMED_UP_FROM else b""
    if kind_of(end) != "end" or not all(has_file(run.place.path, name) for name in TABLES):
        return False
    oldest = min((run.place.path / name).stat().st_mtime_ns for name in TABLES)
    if oldest < path.stat().st_mtime_ns:
        return False
    run.end = _read(end, EndLine)
    try:
        _take_tables(run)
    except (MesocosmError, KeyError):
        run.start_anew()
        return False
    run.size, run.from_tables = run.there, True
    return True


def _take_tables(run: Following) -> None:
    import polars as pl

    try:
        epochs = pl.read_parquet(file_of(run.place.path, "epochs.parquet"))
        states = pl.scan_parquet(file_of(run.place.path, "agents.parquet"))
        summed = (
            states.group_by("agent", maintain_order=True)
            .agg(
                *(pl.col(name).last() for name in ("active", "reputation", "balance")),
                *(pl.col(name).sum() for name in ("proposed", "accepted")),
            )
            .collect()
        )
        last = states.select(pl.col("step").max()).collect().item()
        deals = pl.scan_parquet(file_of(run.place.path, "interactions.parquet")).select(pl.len()).collect().item()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise MesocosmError(f"the tables beside the log cannot be read: {error}") from error
    run.rows = [_row(row) for row in epochs.to_dicts()]
    for row in summed.iter_rows(named=True):
        counted = (row["proposed"], row["accepted"])
        run.note(row["agent"], bool(row["active"]), row["reputation"], row["balance"], counted)
    run.step, run.epoch = int(last), len(run.rows)
    run.counts = {"interaction": int(deals)}
