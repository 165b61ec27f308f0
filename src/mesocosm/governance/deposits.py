"""How levers move deposits: every movement of a stake or a bond is an event, so that books can be kept from the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.api import I64, Bench
from mesocosm.env.deposits import forfeit, pay_out, set_aside


def deposit(bench: Bench, kind: str, row: I64, amount: I64) -> None:
    """Set credits aside for agents, ascending; nothing happens where the amount is 0. Moves: agent -> stake or bond."""
    row, amount = row[amount > 0], amount[amount > 0]
    if len(row):
        set_aside(bench.ledger, kind, row, amount)
        bench.emit("deposited", row, _said(kind, amount))


def give_back(bench: Bench, kind: str, row: I64, amount: I64) -> None:
    """Give agents, ascending, back what they have set aside. Moves: stake or bond -> agent."""
    row, amount = row[amount > 0], amount[amount > 0]
    if len(row):
        pay_out(bench.ledger, kind, row, row, amount)
        bench.emit("returned", row, _said(kind, amount))


def slash(bench: Bench, kind: str, row: I64, amount: I64, cause: I64, payee: I64 | None = None) -> None:
    """Take deposits of agents, ascending, for others or for the treasury, micro-credits.

    Params   cause: (k,) seq of the deals it is for; payee: (k,) rows who get it, none for the treasury.
    Moves    stake or bond -> treasury, or -> payee.
    """
    taken = amount > 0
    row, amount, cause = row[taken], amount[taken], cause[taken]
    if len(row) == 0:
        return
    if payee is None:
        forfeit(bench.ledger, kind, row, amount)
    else:
        pay_out(bench.ledger, kind, row, payee[taken], amount)
    told_slashed(bench, kind, row, amount, cause, None if payee is None else payee[taken])


def told_slashed(bench: Bench, kind: str, row: I64, amount: I64, cause: I64, payee: I64 | None = None) -> None:
    """Log that deposits have been taken."""
    taken = amount > 0
    if taken.any():
        to = np.full(len(row), -1, dtype=np.int64) if payee is None else bench.slot[payee]
        columns = _said(kind, amount[taken]) | {"payee": to[taken]}
        bench.emit("slashed", row[taken], columns, cause[taken])


def _said(kind: str, amount: I64) -> dict[str, NDArray[np.generic]]:
    return {"deposit": np.full(len(amount), kind, dtype=object), "amount": exact.credits(amount)}
