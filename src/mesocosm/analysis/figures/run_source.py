"""What pictures of a run are made of: its rows, and columns of its Parquet tables or, without these, of its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import registry
from mesocosm.env.population import build_roster
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.log.files import events_path, shard_path
from mesocosm.log.read import Log, read_log
from mesocosm.runner.directory import find_run
from mesocosm.runner.projections import BYTES_UNASKED, FILES, is_readable_at_once
from mesocosm.runner.runner import Run, load_run

I64 = NDArray[np.int64]
BYTES_CHECKED = 50_000_000  # to check the hashes of more takes too long for a look
#: table -> the file that holds it and the kind of event that it is made of
_TOGETHER = (("interaction", "agent_state"), ("posted", "replied"))  # read in one pass
_TABLES = {"interactions": (FILES[3], "interaction"), "agents": (FILES[2], "agent_state")}


@dataclass
class RunSource:
    """A run to be drawn. Tables come as Polars frames with the columns that are asked for, from Parquet where that is
    there and goes as far as the log, else from the log.
    """

    run: Run
    trusted: bool = False  # whether the log is taken as it stands, without checking its hashes
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def log(self) -> Log:
        """The log of the run."""
        return read_log(self.run.path, trusted=self.trusted)

    @cached_property
    def types(self) -> list[str]:
        """The type of every agent, by slot."""
        roster = build_roster([self.run.scenario])
        return [str(roster.policies[code]) for code in roster.types_by_slot(0)]

    @cached_property
    def backs_its_own(self) -> NDArray[np.bool_]:
        """Whether each agent belongs to a coalition: is of a type that knows and backs its own kind.

        Shapes   (agents,)
        """
        known = {entry.name: bool(getattr(entry.target, "coalition", False)) for entry in registry.entries("policy")}
        return np.array([known.get(name, False) for name in self.types], dtype=np.bool_)

    @property
    def has_events(self) -> bool:
        """Whether single events can be read: the log has more than checkpoints."""
        return self.log.header.level != "epoch"

    @property
    def is_quick(self) -> bool:
        """Whether events that are in no Parquet table can be read in a moment."""
        return is_readable_at_once(self.run.path)

    def table(self, name: str, columns: Sequence[str]) -> Any:
        """Some columns of the interactions, or of the agents' states at the end of every epoch.

        Params   name: interactions or agents.
        Raises   UsageError when the log has no events, or is too large to be read without its Parquet tables.
        """
        import polars as pl

        file, kind = _TABLES[name]
        path = self.projection(file)
        if path is not None:
            try:
                return pl.scan_parquet(path).select(columns).collect()
            except (OSError, pl.exceptions.PolarsError) as error:
                raise MesocosmError(
                    f"{path}: this table cannot be read ({error}). Delete it: the log has it all."
                ) from error
        table = self.events(kind)
        return pl.DataFrame({column: table[column] for column in columns}, strict=False)

    def columns(self, name: str, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
        """The same as arrays by column."""
        table = self.table(name, columns)
        return {column: table[column].to_numpy() for column in columns}

    def events(self, kind: str) -> dict[str, NDArray[Any]]:
        """All events of a kind as columns, read once.

        Raises   UsageError when the log has no events, or is too large for that.
        """
        if not self.has_events:
            raise UsageError(
                f"{self.run.path}: this log has checkpoints only (log level epoch), so there are no events to draw. "
                "Run it again with --log full or --log columns."
            )
        if not self.is_quick:
            raise UsageError(
                f"{self.run.path}: this log is larger than {BYTES_UNASKED / 1e6:,.0f} MB and is not read event by "
                "event. `mesocosm export RUN --format parquet` makes tables of it that are quick to read."
            )
        if kind not in self._kept:
            together = next((kinds for kinds in _TOGETHER if kind in kinds), (kind,))
            self._kept |= self.log.tables(together)
        found: dict[str, NDArray[Any]] = self._kept[kind]
        return found

    def projection(self, file: str) -> Path | None:
        """A Parquet table of the run, if it is there and goes as far as the log."""
        import polars as pl

        folder = self.run.path
        if not folder.is_dir() or not (folder / file).is_file() or not (folder / FILES[0]).is_file():
            return None
        try:
            told = pl.scan_parquet(folder / FILES[0]).select(pl.len()).collect().item()
        except (OSError, pl.exceptions.PolarsError):
            return None
        return folder / file if told == len(self.run.rows) else None


def open_source(name: str | Path | Run) -> RunSource:
    """A run to be drawn; the hashes of a log that is larger than BYTES_CHECKED, with its shards, are not checked.

    Raises   UsageError when there is no such run; LogDamaged when its log was changed.
    """
    path = name.path if isinstance(name, Run) else find_run(name)
    trusted = _size_of(path) > BYTES_CHECKED
    return RunSource(name if isinstance(name, Run) else load_run(path, trusted=trusted), trusted)


def _size_of(path: Path) -> int:
    """Bytes of a log, with its shards."""
    events = events_path(path)
    try:
        shards = sum(file.stat().st_size for file in shard_path(events, 0, "").parent.glob("*.parquet"))
        return shards + events.stat().st_size
    except OSError:
        return 0
