"""Runs the hooks of levers about the society beside its deals: messages, ballots, and what is on public record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.api import SocialLever
from mesocosm.engine.batch import Batch
from mesocosm.engine.govern import Seat, Stack, note_action
from mesocosm.engine.lever_answers import check_column, held_pair
from mesocosm.env.economy import take

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def _seats(stack: Stack, hook: str) -> Iterator[Seat]:
    """Levers that have something to say at a hook."""
    for seat in stack.seats:
        if isinstance(seat.lever, SocialLever) and getattr(type(seat.lever), hook) is not getattr(SocialLever, hook):
            yield seat


def message_price(batch: Batch, stack: Stack) -> F64 | None:
    """(R,) credits that a post or a reply costs its author; None where none costs anything."""
    price = np.zeros(batch.world.n_replicates)
    for seat in _seats(stack, "message_price"):
        price = price + _price_of(batch, seat)
    return price if price.any() else None


def _price_of(batch: Batch, seat: Seat) -> F64:
    everyone = np.arange(batch.world.n_replicates)
    with seat.blame("message_price") as hook:
        told = seat.at(everyone).message_price()
    check_column(hook, "the price", told, len(everyone), "replicates")
    return np.broadcast_to(np.asarray(told, dtype=np.float64), len(everyone))


def charge_messages(batch: Batch, stack: Stack, row: I64, due: I64) -> None:
    """Take the price of what rows have written, micro-credits, 0 where nothing is due. Moves: author -> treasury."""
    world = batch.world
    wrote = np.flatnonzero(due > 0)
    row, due = row[wrote], due[wrote]
    world.ledger.to_treasury(row, due)
    world.ledger.spent[row] += due
    columns = {"agent": world.slot[row], "what": np.full(len(row), "message", dtype=object)}
    batch.emit("charged", row, columns | {"amount": exact.credits(due)})
    for seat in _seats(stack, "message_price"):
        note_action(seat, world.replicate[row[_price_of(batch, seat)[world.replicate[row]] > 0.0]])


def weigh_ballots(batch: Batch, stack: Stack, weight: F64, count: Callable[[], I64]) -> F64:
    """The weight of every voter's ballots under the levers in force.

    Params   weight: (n,) without them; count: a function of no arguments: (n,) how many ballots each casts.
    """
    seats = list(_seats(stack, "weigh_ballots"))
    cast = count() if seats else np.zeros(0, dtype=np.int64)
    for seat in seats:
        with seat.blame("weigh_ballots") as hook:
            answer = seat.at(batch.world.replicate).weigh_ballots(seat, weight.copy(), cast)
        check_column(hook, "the weights", answer, len(weight), "agents")
        told = np.broadcast_to(np.asarray(answer, dtype=np.float64), len(weight))
        note_action(seat, batch.world.replicate[(told != weight) & (cast > 0)])
        weight = told
    return weight


def read_public_record(batch: Batch, stack: Stack, row: I64) -> None:
    """Let what levers keep on public record of some agents move what strangers think of them.

    It must follow every change of their reputation, which sets the prior without the record.
    """
    seats = list(_seats(stack, "public_record"))
    if not seats:
        return
    world = batch.world
    n = world.n_rows
    record: tuple[Any, Any] = (0.0, 0.0)
    for seat in seats:
        with seat.blame("public_record") as hook:
            told = seat.at(world.replicate).public_record(seat)
        if told is not None:
            alpha, beta = held_pair(hook, ("alpha", "beta"), told, n, "agents")
            record = record[0] + alpha, record[1] + beta
    good, bad = (np.broadcast_to(np.asarray(count, dtype=np.float64), n) for count in record)
    row = row[good[row] + bad[row] > 0.0]
    if len(row):
        mean, strength = take(batch.by_row.prior_mean, row), take(batch.by_row.prior_strength, row)
        world.read_record(row, (good[row], bad[row]), mean, strength)
