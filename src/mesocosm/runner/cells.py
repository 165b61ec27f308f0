"""Cells of a sweep: one run each, named after all that decides what it comes to, kept as files written whole.

A cell's name is a hash of the resolved scenario, the seed, the metrics, the version of the model and the text of the
plugins. So a sweep needs no list of what is done: what has a file is done, and a changed study runs what has none.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mesocosm.config.load import deciding_part
from mesocosm.config.schema import Scenario
from mesocosm.errors import UsageError
from mesocosm.log.files import explain, is_abandoned, write_atomic
from mesocosm.runner.runner import MODEL
from mesocosm.runner.table import Result

SCHEMA = 1
FOLDER = "cells"
DIGITS = 32  # hexadecimal, 128 bits


@dataclass(frozen=True, slots=True)
class Cell:
    """A run that a sweep wants: a scenario, a seed, and the name that both have together."""

    name: str
    scenario: Scenario
    seed: int


def name_cells(
    wanted: Iterable[tuple[Scenario, int]], names: Sequence[str], plugins: Sequence[str | Path] = ()
) -> list[Cell]:
    """Name the runs of a sweep after what decides them.

    Params   names: metrics that a cell has to hold; plugins: files whose text is part of what decides.
    """
    bound = _hash({"schema": SCHEMA, "model": MODEL, "metrics": sorted(names), "plugins": hashes_of(plugins)})
    content: dict[int, str] = {}
    cells = []
    for scenario, seed in wanted:
        told = content.get(id(scenario))
        if told is None:
            told = content[id(scenario)] = content_hash(scenario)
        cells.append(Cell(_hash([bound, told, seed])[:DIGITS], scenario, seed))
    return cells


def content_hash(scenario: Scenario) -> str:
    """A hash of all that decides what happens in runs of a scenario, beside the seed."""
    return _hash(deciding_part(scenario))


def hashes_of(files: Iterable[str | Path]) -> list[str]:
    """A hash of the text of each file."""
    return [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]


def _hash(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def encode_cell(cell: Cell, result: Result, curves: Sequence[str]) -> bytes:
    """The bytes of a finished cell, the same wherever and beside whatever it ran.

    Params   curves: metrics that are kept for every epoch, too.
    """
    told: dict[str, Any] = {
        "cell": cell.name,
        "model": MODEL,
        "seed": cell.seed,
        "whole": _plain(result.whole),
        "by_type": {kind: _plain(values) for kind, values in result.by_type.items()},
        "epochs": {name: [_number(row[name]) for row in result.rows] for name in curves},
        "flags": result.flags,
        "state": result.state,
    }
    body = msgspec.json.encode(told, order="sorted")
    return body[:-1] + b',"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def decode_cell(data: bytes, name: str) -> dict[str, Any] | None:
    """A finished cell, undefined numbers as NaN; None if these are not its bytes, whole and unchanged."""
    body, mark, rest = data.rpartition(b',"sha256":"')
    whole = body + b"}"
    if not mark or rest != hashlib.sha256(whole).hexdigest().encode() + b'"}\n':
        return None
    try:
        told = msgspec.json.decode(whole)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return told if isinstance(told, dict) and told.get("cell") == name and told.get("model") == MODEL else None


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


class CellStore:
    """The finished cells of a sweep, one file each; any number of processes may write here at once."""

    def __init__(self, folder: Path) -> None:
        """Look at the cells in a sweep's directory."""
        self.folder = folder / FOLDER

    def path(self, name: str) -> Path:
        """Where a cell is kept."""
        return self.folder / name[:2] / f"{name}.json"

    def finished(self) -> set[str]:
        """Names of all cells that have a file."""
        return {file.stem for file in self.folder.glob("??/*.json")}

    def read(self, name: str) -> dict[str, Any] | None:
        """A finished cell, or None if it is missing or damaged.

        Raises   MesocosmError when the disk refuses.
        """
        path = self.path(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain(path, "read this cell", error) from error
        return decode_cell(data, name)

    def read_all(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Those of some cells that are there and whole."""
        found = ((name, self.read(name)) for name in dict.fromkeys(names))
        return {name: told for name, told in found if told is not None}

    def write(self, name: str, data: bytes) -> None:
        """Keep a finished cell; what a power cut tears is noticed by its hash and played again.

        Raises   MesocosmError when the disk refuses.
        """
        write_atomic(self.path(name), data, durable=False, shared=True)

    def missing_from(self, other: CellStore, names: Iterable[str]) -> list[str]:
        """Cells that are wanted, finished and whole there, and missing here.

        Raises   UsageError when there is no sweep to take from.
        """
        if not other.folder.is_dir():
            raise UsageError(f"{other.folder.parent}: there are no cells of a sweep in this directory.")
        here, there = self.finished(), other.finished()
        wanted = (name for name in dict.fromkeys(names) if name in there and name not in here)
        return [name for name in wanted if other.read(name) is not None]

    def take_from(self, other: CellStore, names: Iterable[str]) -> int:
        """Copy cells from another sweep; returns how many."""
        taken = 0
        for name in names:
            self.write(name, other.path(name).read_bytes())
            taken += 1
        return taken

    def tidy(self) -> None:
        """Remove what killed processes have left of files that they had begun."""
        for left in leftovers(self.folder):
            left.unlink(missing_ok=True)


def leftovers(folder: Path) -> Iterator[Path]:
    """Half-written files of processes that are gone."""
    for file in (*folder.glob("??/.*.partial"), *folder.parent.glob(".*.partial")):
        if is_abandoned(file):
            yield file
