"""Tables of runs, studies and comparisons for other programs: Parquet, CSV that a spreadsheet can open safely, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mesocosm.analysis.across_runs import AcrossRuns
from mesocosm.analysis.figures.kinds import Comparable, Source
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.errors import MesocosmError, UsageError, nearest
from mesocosm.log.files import explain
from mesocosm.metrics.evaluate import DEFAULT_METRICS
from mesocosm.runner.happenings import happenings
from mesocosm.runner.projections import FILES, SUMMARY_BY_TYPE, account_of, write_projections

FORMATS = ("parquet", "csv", "json")
OF_RUNS = ("epochs", "agents", "interactions", "events", "types")
OF_STUDIES = ("effects", "runs")
#: what a cell must not begin with, lest a spreadsheet runs it
FORMULA = r"^[=+\-@\t\r]"
EVENT_PLACE = ("seq", "kind", "epoch", "step", "turn")
AT_ONCE = 50_000


def tables_for(source: Source) -> tuple[str, ...]:
    """The tables that a run, study or comparison has."""
    return OF_RUNS if isinstance(source, RunSource) else OF_STUDIES


def check_table(source: Source, name: str) -> str:
    """A table by its name.

    Raises   UsageError for one that there is not, with the nearest right one.
    """
    known = tables_for(source)
    if name not in known:
        other = OF_STUDIES if known == OF_RUNS else OF_RUNS
        why = "belongs to studies and comparisons" if other == OF_STUDIES else "belongs to runs"
        told = f"{name} {why}; here there are {', '.join(known)}." if name in other else nearest(name, known)
        raise UsageError(f"no table {name!r}: {told}")
    return name


def table_frame(source: Source, name: str) -> Any:
    """A table as a Polars frame.

    Raises   UsageError for a table that there is not, or that the log does not hold.
    """
    import polars as pl

    check_table(source, name)
    if isinstance(source, RunSource):
        return _of_run(source, name)
    if isinstance(source, Comparable):
        if name == "effects":
            return pl.DataFrame(list(source.record["effects"]), infer_schema_length=None)
        return pl.read_parquet(source.folder / "seeds.parquet")
    if isinstance(source, AcrossRuns):
        raise UsageError("export writes one run, study or comparison at a time.")
    return source.effects if name == "effects" else source.per_seed


def _of_run(source: RunSource, name: str) -> Any:
    import polars as pl

    if name == "epochs":
        return pl.DataFrame(source.run.rows, infer_schema_length=None)
    if name == "events":
        return _events(source)
    if name == "types":
        return pl.DataFrame(_types(source), infer_schema_length=None)
    path = source.projection(FILES[2] if name == "agents" else FILES[3])
    if path is not None:
        return pl.read_parquet(path)
    table = source.events("agent_state" if name == "agents" else "interaction")
    frame = pl.DataFrame({column: values.tolist() for column, values in table.items()}, strict=False)
    slots = {"type": "agent"} if name == "agents" else {"initiator_type": "initiator",
                                                        "counterparty_type": "counterparty"}  # fmt: skip
    types = source.types
    return frame.with_columns(
        **{
            told: pl.Series([types[slot] for slot in table[slot_of]], dtype=pl.String)
            for told, slot_of in slots.items()
        }
    )


def _types(source: RunSource) -> list[dict[str, Any]]:
    tables = {"interaction": source.events("interaction"), "agent_state": source.events("agent_state")}
    names = [name for name in (source.run.rows[0] if source.run.rows else DEFAULT_METRICS) if name != "epoch"]
    return account_of(tables, source.run.scenario, names, (*names, *SUMMARY_BY_TYPE)).types


def _events(source: RunSource) -> Any:
    """Every event of the trajectory, whatever the level of the log; what only its kind has as JSON in `fields`."""
    import polars as pl

    schema = {"seq": pl.Int64, "kind": pl.String, "epoch": pl.Int64, "step": pl.Int64, "turn": pl.Int64,
              "cause": pl.Int64, "fields": pl.String}  # fmt: skip
    parts = [pl.DataFrame(rows, schema=schema, orient="row") for rows in _chunks(_event_rows(source))]
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def _event_rows(source: RunSource) -> Iterator[tuple[Any, ...]]:
    for kind, line in happenings(source.log):
        told = msgspec.json.decode(line)
        causes = told.pop("causes", None) or []
        told["kind"] = kind
        place = [told.pop(name, None) for name in EVENT_PLACE]
        yield (*place, causes[0] if causes else None, json.dumps(told, ensure_ascii=False))


def _chunks(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    held: list[tuple[Any, ...]] = []
    for row in rows:
        held.append(row)
        if len(held) >= AT_ONCE:
            yield held
            held = []
    if held:
        yield held


def write_export(source: Source, name: str, folder: Path, form: str) -> Path:
    """Write a table into a folder; returns the file.

    Params   form: parquet, csv or json.
    Raises   UsageError for another format or table; MesocosmError when the disk refuses.
    """
    import polars as pl

    if form not in FORMATS:
        raise UsageError(f"unknown format {form!r}. {nearest(form, FORMATS)}")
    frame, path = table_frame(source, name), folder / f"{name}.{form}"
    writers: Mapping[str, Callable[[Path], Any]] = {
        "parquet": frame.write_parquet,
        "json": frame.write_json,
        "csv": lambda place: spreadsheet_safe(frame).write_csv(place),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writers[form](path)
    except OSError as error:
        raise explain(path, "write this table", error) from error
    except pl.exceptions.PolarsError as error:
        raise MesocosmError(f"{path}: cannot write this table: {error}") from error
    return path


def spreadsheet_safe(frame: Any) -> Any:
    """The same table with an apostrophe before every text that a spreadsheet would run as a formula; numbers stay.

    Lists become texts, which CSV has room for.
    """
    import polars as pl
    import polars.selectors as cs

    lists = [
        pl.format("[{}]", pl.col(name).cast(pl.List(pl.String)).list.join(", ")).alias(name)
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.List)
    ]
    frame = frame.with_columns(lists)
    return frame.with_columns(
        pl.when(cs.string().str.contains(FORMULA)).then("'" + cs.string()).otherwise(cs.string()).name.keep()
    )


def write_all_projections(source: RunSource) -> list[Path]:
    """Make the Parquet tables of a run again, in its directory, from a log of any size; returns the files.

    Raises   UsageError for a log alone, or one of level epoch; MesocosmError when the disk refuses.
    """
    run = source.run
    if not run.path.is_dir():
        raise UsageError(f"{run.path}: a log alone has no place for tables. Name a directory with --out.")
    if not source.has_events:
        raise UsageError(f"{run.path}: this log has checkpoints only (log level epoch): there are no events to export.")
    tables = source.log.tables(["interaction", "agent_state", "replayed"])
    names = [name for name in (run.rows[0] if run.rows else ()) if name != "epoch"]
    account = account_of(tables, run.scenario, names, (*names, *SUMMARY_BY_TYPE))
    return write_projections(run.path, run.rows, account.types, tables, run.scenario)
