"""Parquet beside the log: epochs, agents and interactions as tables for pandas, polars, DuckDB or R.

The log stays the source of truth; these files are made from it and can be made again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.config.schema import Scenario
from mesocosm.env.population import build_roster
from mesocosm.errors import MesocosmError
from mesocosm.log.files import events_path, explain
from mesocosm.log.read import read_log

#: a log larger than this is not read back after a run unless it is asked for
BYTES_UNASKED = 200_000_000
FILES = ("epochs.parquet", "agents.parquet", "interactions.parquet")

Table = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Activity:
    """How much happened in a run, over all its epochs: proposals and accepted ones, in all and by initiator's type."""

    proposals: int
    accepted: int
    by_type: dict[str, tuple[int, int]]  # type -> proposals, accepted

    @staticmethod
    def share(proposals: int, accepted: int) -> float:
        """Share accepted, NaN where nobody proposed."""
        return accepted / proposals if proposals else float("nan")


def is_readable_at_once(path: str | Path) -> bool:
    """Whether a log is small enough to be read back without being asked to."""
    try:
        return events_path(path).stat().st_size <= BYTES_UNASKED
    except OSError:
        return False


def tables_of(path: str | Path) -> dict[str, dict[str, NDArray[Any]]]:
    """The interactions and the agents' states of a log that this process has just written."""
    return read_log(path, trusted=True).tables(["interaction", "agent_state"])


def activity_of(interaction: Table, scenario: Scenario) -> Activity:
    """Count the proposals of a run and how many were accepted.

    Params   interaction: columns of the log's interactions.
    """
    roster = build_roster([scenario])
    kind = np.asarray(roster.types_by_slot(0))[np.asarray(interaction["initiator"], dtype=np.int64)]
    accepted = np.asarray(interaction["accepted"], dtype=bool)
    by_type = {}
    for code, name in enumerate(roster.policies):
        own = kind == code
        if own.any():
            by_type[name] = (int(own.sum()), int(accepted[own].sum()))
    return Activity(len(accepted), int(accepted.sum()), by_type)


def write_projections(
    directory: Path, rows: Sequence[Mapping[str, Any]], tables: Mapping[str, Table], scenario: Scenario
) -> list[Path]:
    """Write epochs.parquet, agents.parquet and interactions.parquet into a run directory.

    Params   rows: metrics per epoch; tables: columns of interaction and agent_state.
    Returns  the files written.
    Raises   MesocosmError when the disk refuses.
    """
    import polars as pl

    def frame(columns: Table) -> Any:
        return pl.DataFrame({name: _plain(column) for name, column in columns.items()}, strict=False)

    kinds = _types_of(scenario)
    epochs = pl.DataFrame([dict(row) for row in rows], infer_schema_length=None)
    agents = frame(tables["agent_state"])
    agents = agents.with_columns(type=pl.Series(kinds(tables["agent_state"]["agent"]), dtype=pl.String))
    deals = frame(tables["interaction"])
    for side in ("initiator", "counterparty"):
        named = pl.Series(f"{side}_type", kinds(tables["interaction"][side]), dtype=pl.String)
        deals = deals.with_columns(named)
    written = []
    for name, made in zip(FILES, (epochs, agents, deals), strict=True):
        path = directory / name
        try:
            made.write_parquet(path)
        except OSError as error:
            raise explain(path, "write this table", error) from error
        except pl.exceptions.PolarsError as error:
            raise MesocosmError(f"{path}: cannot write this table: {error}") from error
        written.append(path)
    return written


def _types_of(scenario: Scenario) -> Callable[[Any], list[str]]:
    """A function from agents' slots to the names of their policies."""
    roster = build_roster([scenario])
    code = np.asarray(roster.types_by_slot(0))
    names = np.array(roster.policies, dtype=object)

    def named(slots: Any) -> list[str]:
        chosen: list[str] = names[code[np.asarray(slots, dtype=np.int64)]].tolist()
        return chosen

    return named


def _plain(column: NDArray[Any]) -> Any:
    return column.tolist() if column.dtype == object else column
