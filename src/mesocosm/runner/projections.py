"""A run read back from its log: summed up as a whole and by type, and as Parquet for pandas, polars, DuckDB or R.

The log stays the source of truth; these files are made from it and can be made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.config.schema import Scenario
from mesocosm.env.economy import economy_of
from mesocosm.env.population import ROLES, build_roster
from mesocosm.errors import MesocosmError
from mesocosm.log.files import events_path, explain
from mesocosm.log.read import read_log
from mesocosm.metrics.evaluate import evaluate_by_type, evaluate_metrics
from mesocosm.metrics.from_log import totals_from_columns
from mesocosm.metrics.tally import TALLIED
from mesocosm.metrics.whole import WholeRun, at_replicate
from mesocosm.runner.drive import parameters_for_metrics

#: a log larger than this is not read back after a run unless it is asked for
BYTES_UNASKED = 200_000_000
FILES = ("epochs.parquet", "types.parquet", "agents.parquet", "interactions.parquet")
#: what a run is summed up by beside the metrics of its table, as a whole and type by type: who earns what, what fails
SUMMARY_BY_TYPE = (
    "proposals", "acceptance_rate", "toxicity_rate", "toxicity_true", "income",
    "miscoordination_loss", "miscoordination_loss_true", "miscoordination_pairs",
    "conflict_loss", "conflict_loss_true", "conflict_pairs",
    "collusion_loss", "collusion_loss_true", "collusion_pairs",
)  # fmt: skip
#: and as a whole only
SUMMARY = (
    *SUMMARY_BY_TYPE, "brier", "ece", "ece_null", "ece_null_95", "calibration_intercept", "calibration_slope",
    "decision_error", "incoherence",
)  # fmt: skip

Table = Mapping[str, NDArray[Any]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """A run summed up again from its log: rows of metrics as plain numbers.

    Params   whole: over all epochs; by_type: the same by agent type; types: one row for each epoch and type.
    """

    whole: Row
    by_type: dict[str, Row]
    types: list[Row]


def is_readable_at_once(path: str | Path) -> bool:
    """Whether a log is small enough to be read back without being asked to."""
    try:
        return events_path(path).stat().st_size <= BYTES_UNASKED
    except OSError:
        return False


def tables_of(path: str | Path) -> dict[str, dict[str, NDArray[Any]]]:
    """What metrics read of a log that this process has just written: all that is tallied, and agents' states."""
    return read_log(path, trusted=True).tables([*TALLIED, "agent_state"])


def account_of(
    tables: Mapping[str, Table],
    scenario: Scenario,
    names: Iterable[str] = SUMMARY,
    names_by_type: Iterable[str] = SUMMARY_BY_TYPE,
) -> Account:
    """Sum a run up from the columns of its log, over its completed epochs.

    Params   tables: columns of interaction and agent_state, and of replayed and bounty_closed if there are any; names:
             metrics of the whole run; names_by_type: metrics by type.
    """
    roster, by_type = build_roster([scenario]), tuple(dict.fromkeys(names_by_type))
    whole, types = WholeRun(dict.fromkeys(names), by_type), list[Row]()
    every = totals_from_columns(
        (*whole.names, *by_type),
        tables["interaction"],
        tables["agent_state"],
        replayed=tables.get("replayed"),
        further=roster.further_by_slot(0),
        bounty_closed=tables.get("bounty_closed"),
        roster=roster.types_by_slot(0),
        types=roster.policies,
        economy=parameters_for_metrics(economy_of([scenario]), scenario),
    )
    for totals in every:
        parts = evaluate_by_type(totals, by_type)
        whole.add(totals, evaluate_metrics(totals, whole.single(whole.names)), parts)
        for agent_type, values in parts.items():
            types.append({"epoch": totals.epoch, "type": agent_type} | at_replicate(values, 0))
    parted = {agent_type: at_replicate(values, 0) for agent_type, values in whole.run_values_by_type().items()}
    return Account(at_replicate(whole.run_values(), 0), parted, types)


def agents_of(tables: Mapping[str, Table], scenario: Scenario) -> list[Row]:
    """What each agent did over a whole run, and what it had come to at its end.

    Returns  for each agent that was ever there one row: agent, type, role, proposed, accepted (own proposals that were
             accepted), deals (accepted interactions on either side), acted (on feed and tasks), refused, active,
             reputation, balance. Only completed epochs count.
    """
    roster, states, deals = build_roster([scenario]), tables["agent_state"], tables["interaction"]
    n = len(roster.slot)
    slot = np.asarray(states["agent"], dtype=np.int64)
    counted = np.asarray(deals["accepted"], dtype=bool) & np.isin(deals["epoch"], states["epoch"])
    accepted = np.bincount(np.asarray(deals["initiator"], dtype=np.int64)[counted], minlength=n)
    total = {
        said: exact.sum_by_int(slot, np.asarray(states[name], dtype=np.int64), n)
        for name, said in (("proposed", "proposed"), ("accepted", "deals"), ("acted", "acted"), ("refused", "refused"))
    }
    last = {int(agent): place for place, agent in enumerate(slot)}  # rows come in the order of the epochs
    rows = []
    for agent, place in sorted(last.items()):
        row: Row = {"agent": agent, "type": roster.policies[roster.code[agent]], "role": ROLES[roster.role[agent]]}
        row |= {name: int(count[agent]) for name, count in total.items()} | {"accepted": int(accepted[agent])}
        row["active"] = bool(states["active"][place])
        rows.append(row | {name: float(states[name][place]) for name in ("reputation", "balance")})
    return rows


def write_projections(
    directory: Path,
    rows: Sequence[Mapping[str, Any]],
    types: Sequence[Mapping[str, Any]],
    tables: Mapping[str, Table],
    scenario: Scenario,
) -> list[Path]:
    """Write epochs.parquet, types.parquet, agents.parquet and interactions.parquet into a run directory.

    Params   rows: metrics per epoch; types: metrics per epoch and agent type; tables: columns of interaction and
             agent_state.
    Returns  the files written.
    Raises   MesocosmError when the disk refuses.
    """
    import polars as pl

    def frame(columns: Table) -> Any:
        return pl.DataFrame({name: _plain(column) for name, column in columns.items()}, strict=False)

    kinds = _types_of(scenario)
    epochs, parted = (pl.DataFrame([dict(row) for row in each], infer_schema_length=None) for each in (rows, types))
    agents = frame(tables["agent_state"])
    agents = agents.with_columns(type=pl.Series(kinds(tables["agent_state"]["agent"]), dtype=pl.String))
    deals = frame(tables["interaction"])
    for side in ("initiator", "counterparty"):
        named = pl.Series(f"{side}_type", kinds(tables["interaction"][side]), dtype=pl.String)
        deals = deals.with_columns(named)
    written = []
    for name, made in zip(FILES, (epochs, parted, agents, deals), strict=True):
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
