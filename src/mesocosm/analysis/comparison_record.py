"""A comparison on disk: everything that was asked and found in one JSON file, and every run's metrics as a table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from mesocosm.analysis.comparison import Comparison
from mesocosm.config.load import scenario_to_dict
from mesocosm.errors import MesocosmError
from mesocosm.log.files import explain, write_atomic
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
    }
    plain: dict[str, Any] = finite(told)
    return plain


def save_comparison(found: Comparison, folder: Path) -> list[Path]:
    """Write a comparison into a folder; returns the files.

    Raises   MesocosmError when the disk refuses.
    """
    record = folder / RECORD
    write_atomic(record, (json.dumps(comparison_as_dict(found), indent=1, ensure_ascii=False) + "\n").encode())
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
