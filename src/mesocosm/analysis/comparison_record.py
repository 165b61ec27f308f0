"""A comparison on disk: everything that was asked and found in one JSON file, and every run's metrics as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mesocosm.analysis.comparison import Comparison
from mesocosm.analysis.comparison_words import sentences
from mesocosm.config.load import dump_scenario, scenario_to_dict
from mesocosm.config.schema import Scenario
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.log.files import explain, try_out, write_atomic
from mesocosm.runner import directory
from mesocosm.runner.runner import MODEL

SCHEMA = 1
RECORD, TABLE = "comparison.json", "seeds.parquet"


def comparison_as_dict(found: Comparison) -> dict[str, Any]:
    """What a comparison asked and found, as plain values; what is undefined or infinite is None."""
    told = {
        "schema": SCHEMA,
        "model": MODEL,
        "scenario": scenario_to_dict(found.scenario),
        "changes": list(found.changes),
        "since_epoch": found.since,
        "seeds": list(found.seeds),
        "adaptations": list(found.adaptations),
        "confidence": found.confidence,
        "effects": list(found.effect_rows()),
        "response": {metric: vars(found.response(metric)) for metric in found.metrics}
        if len(found.adaptations) == 2
        else None,
        "flags": found.flags,
        "findings": list(sentences(found)),
    }
    plain: dict[str, Any] = finite(told)
    return plain


@contextmanager
def folder_for(folder: Path | None, scenario: Scenario, changes: Sequence[str]) -> Iterator[Path]:
    """A folder for a comparison that is still to be run; it goes again if nothing is kept in it meanwhile.

    Params   folder: a new one under the run root if there is none.
    Raises   UsageError when it holds another comparison, or cannot be written.
    """
    made: list[Path] = []
    try:
        if folder is None:
            folder = directory.make_result_directory("compare", scenario, repr(tuple(changes)))
            made = [folder]
        else:
            _refuse_another(folder, scenario, changes)
            made = [place for place in (folder, *folder.parents) if not place.exists()]
            try_out(folder)
        yield folder
    finally:
        for place in made:
            with suppress(OSError):  # it holds something
                place.rmdir()


def _refuse_another(folder: Path, scenario: Scenario, changes: Sequence[str]) -> None:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        kept = (record["changes"], record["scenario"])
        title = f"{record['scenario']['scenario_id']}: {', '.join(record['changes'])}"
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, KeyError, TypeError):
        kept, title = ((), {}), "one that cannot be read"
    if kept != (list(changes), finite(scenario_to_dict(scenario))):
        raise UsageError(f"{folder} holds another comparison ({title}). Name another directory with --output.")


def save_comparison(found: Comparison, folder: Path) -> list[Path]:
    """Write a comparison, and the scenario that it is of, into a folder; returns the files of the comparison.

    Raises   MesocosmError when the disk refuses.
    """
    record = folder / RECORD
    write_atomic(record, (json.dumps(comparison_as_dict(found), indent=1, ensure_ascii=False) + "\n").encode())
    write_atomic(folder / directory.SCENARIO, dump_scenario(found.scenario).encode())
    return [record, write_table(found.per_seed, folder / TABLE)]


def write_table(frame: Any, path: Path) -> Path:
    """Write a Polars frame as Parquet; returns the path.

    Raises   MesocosmError when the disk refuses.
    """
    import polars as pl

    try:
        frame.write_parquet(path)
    except OSError as error:
        raise explain(path, "write this table", error) from error
    except pl.exceptions.PolarsError as error:
        raise MesocosmError(f"{path}: cannot write this table: {error}") from error
    return path


def finite(value: Any) -> Any:
    """Plain values with None for every number that JSON has no word for."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
