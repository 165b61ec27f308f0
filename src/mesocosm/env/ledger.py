"""Double-entry ledger in int64 micro-credits: what everybody has, what is held, what was made and destroyed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.errors import check
from mesocosm.exact import sum_by_int

I64 = NDArray[np.int64]
HOLDS = ("escrow", "stake", "bond", "budget")


@dataclass(slots=True)
class Ledger:
    """Accounts of a batch. Invariant, tolerance 0: balances + holds + treasury + commons = minted - burnt.

    Shapes   n = agent rows, R = replicates. All amounts are int64 micro-credits.
    """

    replicate: I64  # (n,)
    balance: I64  # (n,)
    hold: dict[str, I64]  # kind -> (n,), placed by an agent; "budget" is (R,), placed by the commons
    treasury: I64  # (R,)
    commons: I64  # (R,)
    minted: I64  # (R,)
    burnt: I64  # (R,)
    spent: I64  # (n,) outflow of the current epoch, for the budget rail

    @property
    def n_replicates(self) -> int:
        """How many replicates the accounts belong to."""
        return len(self.treasury)

    @property
    def set_aside(self) -> I64:
        """(n,) what agents have on deposit and still own: escrow, stake and bond."""
        return self.hold["escrow"] + self.hold["stake"] + self.hold["bond"]

    def mint(self, row: I64, amount: I64) -> None:
        """Create credits on agents' balances. Moves: nothing -> agent. Rows may repeat."""
        refuse_negative(amount)
        np.add.at(self.balance, row, amount)
        self.minted += sum_by_int(self.replicate[row], amount, self.n_replicates)

    def burn(self, row: I64, amount: I64) -> None:
        """Destroy credits of agents. Moves: agent -> nothing. Rows may repeat."""
        refuse_negative(amount)
        np.add.at(self.balance, row, -amount)
        self.burnt += sum_by_int(self.replicate[row], amount, self.n_replicates)

    def to_treasury(self, row: I64, amount: I64) -> None:
        """Move credits from agents to the treasury (taxes, fines). Moves: agent -> treasury."""
        refuse_negative(amount)
        np.add.at(self.balance, row, -amount)
        self.treasury += sum_by_int(self.replicate[row], amount, self.n_replicates)

    def to_commons(self, row: I64, amount: I64) -> None:
        """Move credits from agents to the commons. Moves: agent -> commons."""
        refuse_negative(amount)
        np.add.at(self.balance, row, -amount)
        self.commons += sum_by_int(self.replicate[row], amount, self.n_replicates)

    def close_account(self, row: I64) -> None:
        """Leave departing agents without a balance: what they have goes to the commons, what they owe falls on it.

        Moves    agent -> commons, or commons -> agent where a balance is below 0. Rows are distinct.
        """
        self.commons += sum_by_int(self.replicate[row], self.balance[row], self.n_replicates)
        self.balance[row] = 0

    def fund_budget(self, replicate: I64, amount: I64) -> None:
        """Create credits in the task-budget hold of replicates. Moves: nothing -> budget hold."""
        total = sum_by_int(replicate, amount, self.n_replicates)
        self.hold["budget"] += total
        self.minted += total

    def pay_from_budget(self, row: I64, amount: I64) -> None:
        """Pay agents out of the task-budget hold of their replicate. Moves: budget hold -> agent."""
        np.add.at(self.balance, row, amount)
        self.hold["budget"] -= sum_by_int(self.replicate[row], amount, self.n_replicates)

    def close_budget(self, replicate: I64, amount: I64) -> None:
        """Return what is left of a task budget to the commons. Moves: budget hold -> commons."""
        total = sum_by_int(replicate, amount, self.n_replicates)
        self.hold["budget"] -= total
        self.commons += total

    def settle_surplus(self, row_a: I64, row_b: I64, share_a: I64, share_b: I64, minted: I64, burnt: I64) -> None:
        """Book the net result of deals whose surplus was made (or destroyed) by the deal itself.

        Params   row_a must be distinct rows; row_b may repeat; minted, burnt: (R,) totals of the same deals.
        Moves    nothing -> both sides (surplus), both sides -> nothing (losses, private cost).
        """
        self.balance[row_a] += share_a
        np.add.at(self.balance, row_b, share_b)
        self.minted += minted
        self.burnt += burnt

    def audit(self, credit_limit: Any) -> None:
        """Stop the run unless every replicate's books balance to the micro-credit and no balance is overdrawn.

        Raises   InvariantBroken naming the replicate.
        """
        held = self.hold["budget"].copy()
        for kind in ("escrow", "stake", "bond"):
            if self.hold[kind].any():
                held += sum_by_int(self.replicate, self.hold[kind], self.n_replicates)
        total = sum_by_int(self.replicate, self.balance, self.n_replicates)
        gap = total + held + self.treasury + self.commons - (self.minted - self.burnt)
        if gap.any():
            check(False, "credits are conserved", replicate=int(np.flatnonzero(gap)[0]), micro_credits=int(gap.sum()))
        floor = -np.rint(np.asarray(credit_limit) * 1e6)
        if np.ndim(floor):
            floor = floor[self.replicate]
        if len(self.balance) and (self.balance < floor).any():
            check(False, "no balance is below the credit limit", row=int(np.flatnonzero(self.balance < floor)[0]))


def hand_over(ledger: Ledger, row: I64, to: I64, amount: I64) -> None:
    """Move credits between agents of a replicate. Moves: agent -> agent. Rows are distinct on either side."""
    refuse_negative(amount)
    ledger.balance[row] -= amount
    ledger.balance[to] += amount


def refuse_negative(amount: I64) -> None:
    """Stop where credits would move backwards. Raises: InvariantBroken."""
    check(not len(amount) or int(np.min(amount)) >= 0, "credits move forwards: an amount is at least 0")


def open_ledger(replicate: I64, n_replicates: int) -> Ledger:
    """A ledger with empty accounts for every agent row and replicate."""
    n = len(replicate)
    hold = {kind: np.zeros(n_replicates if kind == "budget" else n, dtype=np.int64) for kind in HOLDS}
    zero = [np.zeros(n_replicates, dtype=np.int64) for _ in range(4)]
    return Ledger(
        replicate=replicate,
        balance=np.zeros(n, dtype=np.int64),
        hold=hold,
        treasury=zero[0],
        commons=zero[1],
        minted=zero[2],
        burnt=zero[3],
        spent=np.zeros(n, dtype=np.int64),
    )
