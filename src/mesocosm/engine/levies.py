"""What levers charge payments on the market: withheld from what workers are paid, so they ask for more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.engine.batch import Batch
from mesocosm.engine.govern import Stack

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Payment:
    """Payments as the terms of deals (`env.foresight.Terms`), for levers that charge by what is transferred."""

    row_a: I64  # (k,) who pays
    row_b: I64  # (k,) who is paid
    replicate: I64  # (k,)
    difficulty: F64  # (k,) the worker's cost of full effort as a share of `market.cost_scale`
    tau: F64  # (k,) credits


def kept_share(batch: Batch, stack: Stack, row: I64, payment: Payment) -> Any:
    """The share of payments that reaches workers, as rows expect it: frozen agents reckon with no lever.

    Shapes   (k,), or 1 where nothing is charged.
    """
    due = _due(stack, payment)
    if not np.any(due):
        return np.ones(len(row))
    left = 1.0 - np.where(payment.tau > 0.0, due / np.maximum(payment.tau, 1e-9), 0.0)
    return np.where(batch.blind[row], 1.0, left)


def withhold(batch: Batch, stack: Stack, payment: Payment, cause: I64) -> None:
    """Take what both sides owe on payments that workers have just got. Moves: worker -> treasury."""
    world = batch.world
    due = exact.micro(_due(stack, payment))
    some = np.flatnonzero(due > 0)
    if not len(some):
        return
    row = payment.row_b[some]
    world.ledger.to_treasury(row, due[some])
    columns = {"agent": world.slot[row], "what": np.full(len(row), "payment", dtype=object)}
    batch.emit("charged", row, columns | {"amount": exact.credits(due[some])}, cause[some])
    stack.note_charged(payment.replicate)


def _due(stack: Stack, payment: Payment) -> F64:
    """What both sides owe together, credits, at most the payment itself."""
    c_a, c_b = stack.costs(payment)
    return np.broadcast_to(np.minimum(c_a + c_b, payment.tau), len(payment.tau))
