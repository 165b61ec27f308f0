"""Level ``columns``: the events of an epoch as one Parquet shard per kind, whose content enters the chain."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.events import EVENT_FIELDS, EventBatch
from mesocosm.errors import MesocosmError

#: columns that every table has before its own fields
PLACE: dict[str, str] = {"seq": "int", "epoch": "int", "step": "int", "turn": "int", "cause": "int"}

Table = dict[str, NDArray[Any]]

_DTYPES: dict[str, Any] = {"int": np.int64, "float": np.float64, "bool": np.bool_, "str": object, "ints": object}


def form_of(kind: str) -> dict[str, str]:
    """Columns of a table in order, with the type of each."""
    return PLACE | EVENT_FIELDS[kind]


def column_of(values: Any, form: str) -> NDArray[Any]:
    """A fresh array of one column; infinities become NaN, as in JSON, and there is only one NaN.

    Shapes   (k,) whatever the form: texts and lists of numbers are objects.
    """
    if form == "ints":
        return np.fromiter(([int(number) for number in row] for row in values), dtype=object, count=len(values))
    if form == "str":
        return np.fromiter((str(text) for text in values), dtype=object, count=len(values))
    if form == "int" and len(values):
        return np.array(np.asarray(values).astype(np.int64, casting="same_kind"))
    array = np.array(values, dtype=_DTYPES[form])
    if form == "float":
        array[~np.isfinite(array)] = np.nan
    return array


def empty_table(kind: str) -> Table:
    """A table of a kind without rows."""
    return {name: np.empty(0, dtype=_DTYPES[form]) for name, form in form_of(kind).items()}


class ColumnBuffer:
    """Events of the epoch under way, copied out of their batches and kept by kind."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Table]] = {}

    def add(self, batch: EventBatch, rows: slice | None = None) -> None:
        """Keep a copy of a batch, or of a stretch of its rows."""
        pick = rows if rows is not None else slice(0, len(batch))
        seq = batch.seq[pick]
        k = len(seq)
        cause = np.full(k, -1, dtype=np.int64) if batch.cause is None else batch.cause[pick].copy()
        place = {name: np.full(k, getattr(batch, name), dtype=np.int64) for name in ("epoch", "step", "turn")}
        part: Table = {"replicate": batch.replicate[pick].copy(), "seq": seq.copy(), **place, "cause": cause}
        for name, form in EVENT_FIELDS[batch.kind].items():
            part[name] = column_of(batch.column[name][pick], form)
        self._parts.setdefault(batch.kind, []).append(part)

    def take(self) -> dict[str, Table]:
        """Hand over what was kept, by kind in the order of EVENT_FIELDS, sorted by replicate and seq; start afresh."""
        parts, self._parts = self._parts, {}
        tables = {}
        for kind in (kind for kind in EVENT_FIELDS if kind in parts):
            table = {name: np.concatenate([part[name] for part in parts[kind]]) for name in parts[kind][0]}
            order = np.lexsort((table["seq"], table["replicate"]))  # stable, so annotations keep their order
            tables[kind] = {name: column[order] for name, column in table.items()}
        return tables


def split(tables: dict[str, Table], replicates: int) -> list[dict[str, Table]]:
    """Part the tables of many replicates into those of each."""
    parted: list[dict[str, Table]] = [{} for _ in range(replicates)]
    for kind, table in tables.items():
        bounds = np.searchsorted(table["replicate"], np.arange(replicates + 1))
        for row in np.flatnonzero(np.diff(bounds)).tolist():
            parted[row][kind] = {name: column[bounds[row] : bounds[row + 1]] for name, column in table.items()}
    return parted


def content_sha256(kind: str, table: Table, forms: dict[str, str] | None = None) -> str:
    """Hash of what a table says, whatever the file format: name, type and raw little-endian content of each column.

    Texts are hashed as their lengths in bytes and then the UTF-8 of all; lists likewise.
    Params   forms: the columns in order, with the type of each; by default those that the kind has now.
    """
    digest = hashlib.sha256()
    for name, form in (form_of(kind) if forms is None else forms).items():
        column = table[name]
        digest.update(f"{name}:{form}:{len(column)};".encode())
        if form == "str":
            texts = _utf8(kind, name, column)
            digest.update(np.array([len(text) for text in texts], dtype="<i8").tobytes())
            digest.update(b"".join(texts))
        elif form == "ints":
            digest.update(np.array([len(row) for row in column], dtype="<i8").tobytes())
            digest.update(np.array([number for row in column for number in row], dtype="<i8").tobytes())
        elif form == "float":
            digest.update(np.where(np.isnan(column), np.nan, column).astype("<f8").tobytes())
        else:
            digest.update(column.astype("<i8" if form == "int" else "u1").tobytes())
    return digest.hexdigest()


def _utf8(kind: str, name: str, column: NDArray[Any]) -> list[bytes]:
    try:
        return [text.encode() for text in column]
    except UnicodeEncodeError as error:
        raise MesocosmError(f"{kind}.{name} cannot be logged: {error}. Log valid text only.") from error


def to_parquet(kind: str, table: Table) -> bytes:
    """Bytes of a table as a Parquet file (zstd)."""
    import polars as pl

    types = _types()
    columns = []
    for name, form in form_of(kind).items():
        values = table[name].tolist() if form in ("str", "ints") else np.ascontiguousarray(table[name])
        columns.append(pl.Series(name, values, dtype=types[form]))
    out = io.BytesIO()
    pl.DataFrame(columns).write_parquet(out, compression="zstd", statistics=False)
    return out.getvalue()


def from_parquet(kind: str, data: bytes) -> tuple[Table, dict[str, str]]:
    """Table of a kind from the bytes of a Parquet file, and its columns in order, with the type of each.

    The columns are those that the file has: another model may have written other fields than this one does.
    Raises   ValueError when it is not a Parquet file that a log can hold.
    """
    import polars as pl

    try:
        frame = pl.read_parquet(io.BytesIO(data), use_pyarrow=False)
        forms = {name: _form_in(name, dtype) for name, dtype in frame.schema.items()}
        return {name: column_of(_values(frame[name], form), form) for name, form in forms.items()}, forms
    except (pl.exceptions.PolarsError, TypeError, OSError) as error:
        raise ValueError(f"not a shard of {kind!r}: {error}") from error


def _form_in(name: str, dtype: Any) -> str:
    """The form of a column that was read."""
    for form, its in _types().items():
        if its == dtype:
            return form
    raise TypeError(f"no log holds a column of {dtype} ({name})")


def _types() -> dict[str, Any]:
    """The type of a Parquet column of each form."""
    import polars as pl

    return {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "str": pl.String, "ints": pl.List(pl.Int64)}


def _values(series: Any, form: str) -> Any:
    return series.to_list() if form in ("str", "ints") else series.to_numpy()
