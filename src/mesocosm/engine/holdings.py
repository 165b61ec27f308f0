"""What governance adds to the state of a replicate: what levers in force have counted, and what was enacted."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import registry
from mesocosm.engine.batch import Batch
from mesocosm.engine.govern import Seat, Stack
from mesocosm.errors import UsageError

Mask = NDArray[np.bool_]


def holdings(batch: Batch, stack: Stack) -> list[list[Any]]:
    """By replicate, pieces of bytes for the hash of its state: columns of its levers, and parameters enacted.

    A lever at its neutral setting adds nothing, as if it were not there; a parameter only what is not in the scenario;
    a sparse column only what is said in it, so that it may be as wide as any replicate of the batch needs.
    Raises   UsageError for a column of a lever that is neither by row nor by replicate.
    """
    n = batch.world.n_replicates
    pieces: list[list[Any]] = [[] for _ in range(n)]
    for seat in stack.seats:
        for name in sorted(seat.column):
            column = _checked(batch, seat, name)
            for replicate in np.flatnonzero(_in_force(seat, n)).tolist():
                part = column[_place(batch, column, replicate)]
                bytes_of = _said(part) if name in seat.lever.sparse else [np.ascontiguousarray(part).data]
                if bytes_of:
                    pieces[replicate] += [f"{seat.name}.{name}\n".encode(), *bytes_of]
        for item in registry.params(type(seat.lever)):
            now, asked = (np.broadcast_to(np.asarray(getattr(it, item.name)), n) for it in (seat.lever, seat.asked))
            for replicate in np.flatnonzero(now != asked).tolist():
                said = json.dumps([seat.name, item.name, now[replicate].item()])
                pieces[replicate].append(f"{said}\n".encode())
    return pieces


def _said(part: NDArray[Any]) -> list[Any]:
    """Places and values of the entries of a column that say something: whole numbers but 0, others but NaN."""
    place = np.nonzero(~np.isnan(part) if part.dtype.kind == "f" else part != 0)
    columns = [np.ascontiguousarray(column).data for column in (*place, part[place])]
    return [f"{len(place[0])}\n".encode(), *columns] if len(place[0]) else []


def _in_force(seat: Seat, n: int) -> Mask:
    """(n,) replicates that have the lever, and not at its neutral setting."""
    neutral = type(seat.lever).neutral
    resting = np.full(n, bool(neutral))
    for name, value in neutral.items():
        resting &= np.asarray(getattr(seat.lever, name)) == value
    in_force: Mask = seat.is_present & ~resting
    return in_force


def _checked(batch: Batch, seat: Seat, name: str) -> NDArray[Any]:
    """A column of a lever."""
    column = seat.column[name]
    sizes = (batch.world.n_rows, batch.world.n_replicates)
    if not isinstance(column, np.ndarray) or column.dtype == object or column.shape[:1] not in {(n,) for n in sizes}:
        raise UsageError(
            f"lever {seat.name}: the column {name!r} must be an array of numbers, by row or by replicate: columns() is "
            f"told how many there are, here {sizes[0]} and {sizes[1]}."
        )
    return column


def _place(batch: Batch, column: NDArray[Any], replicate: int) -> slice:
    """Where a replicate is in a column."""
    if len(column) == batch.world.n_rows:
        return slice(int(batch.world.offset[replicate]), int(batch.world.offset[replicate + 1]))
    return slice(replicate, replicate + 1)
