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
    plain: dict[str, Any] = _finite(told)
    return plain


def save_comparison(found: Comparison, folder: Path) -> list[Path]:
    """Write a comparison into a folder; returns the files.

    Raises   MesocosmError when the disk refuses.
    """
    import polars as pl

    record, table = folder / RECORD, folder / TABLE
    write_atomic(record, (json.dumps(comparison_as_dict(found), indent=1, ensure_ascii=False) + "\n").encode())
    try:
        found.per_seed.write_parquet(table)
    except OSError as error:
        raise explain(table, "write this table", error) from error
    except pl.exceptions.PolarsError as error:
        raise MesocosmError(f"{table}: cannot write this table: {error}") from error
    return [record, table]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
