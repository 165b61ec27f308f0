"""Credits that agents set aside: escrow, stake and bond. They stay theirs until they are paid out or forfeited."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.ledger import Ledger, refuse_negative
from mesocosm.errors import check
from mesocosm.exact import sum_by_int

I64 = NDArray[np.int64]


def set_aside(ledger: Ledger, kind: str, row: I64, amount: I64, holder: I64 | None = None) -> None:
    """Set credits of agents aside, in their own name or in another's.

    Params   kind: escrow, stake or bond; amount: micro-credits; holder: in whose hold, their own by default. Rows may
             repeat.
    Moves    agent -> hold of that kind.
    """
    refuse_negative(amount)
    np.add.at(ledger.balance, row, -amount)
    np.add.at(ledger.hold[kind], row if holder is None else holder, amount)


def pay_out(ledger: Ledger, kind: str, row: I64, payee: I64, amount: I64) -> None:
    """Pay what agents have set aside to others, or give it back to themselves. Rows may repeat.

    Moves    hold of that kind -> payee.
    Raises   InvariantBroken if a hold has less in it.
    """
    _take_out(ledger, kind, row, amount)
    np.add.at(ledger.balance, payee, amount)


def forfeit(ledger: Ledger, kind: str, row: I64, amount: I64) -> None:
    """Take what agents have set aside. Rows may repeat.

    Moves    hold of that kind -> treasury.
    Raises   InvariantBroken if a hold has less in it.
    """
    _take_out(ledger, kind, row, amount)
    ledger.treasury += sum_by_int(ledger.replicate[row], amount, ledger.n_replicates)


def fine(ledger: Ledger, row: I64, due: I64) -> tuple[I64, I64]:
    """Fine agents as far as they can pay, first from the balance, then from the stake; rows are distinct.

    Returns  what came in from the balance, and what from the stake, micro-credits.
    Moves    agent, stake -> treasury.
    Source   limited liability: a fine is at most stake + balance (science notes 3.12).
    """
    cash = np.minimum(due, np.maximum(ledger.balance[row], 0))
    rest = np.minimum(due - cash, ledger.hold["stake"][row])
    ledger.to_treasury(row, cash)
    if rest.any():
        forfeit(ledger, "stake", row, rest)
    return cash, rest


def _take_out(ledger: Ledger, kind: str, row: I64, amount: I64) -> None:
    refuse_negative(amount)
    np.add.at(ledger.hold[kind], row, -amount)
    check(not len(row) or int(ledger.hold[kind][row].min()) >= 0, "no more leaves a hold than is in it", kind=kind)
