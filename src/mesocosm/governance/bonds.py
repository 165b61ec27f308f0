"""Performance bonds: credits set aside for every deal, which the counterparty gets if the deal turns out bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm import exact
from mesocosm.api import I64, Bench, Lever, Mask
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.governance.deposits import deposit, give_back, slash
from mesocosm.registry import lever, param


@lever("bonds")
@dataclass(frozen=True)
class Bonds(Lever):
    """An initiator sets a bond aside for every accepted deal, and it compensates the counterparty of a bad one.

    The counterparty gets the bond when it discovers a bad outcome or an audit finds one; otherwise the initiator gets
    it back at the end of the epoch. So it takes capital to have many deals open: whoever cannot pay the bond proposes
    nothing. An initiator whose balance no longer reaches for it when the deal is settled sets aside what it has.
    Params   amount: credits per deal; neutral at 0.
    Moves    initiator -> bond; bond -> counterparty of a bad deal; bond -> initiator at the end of the epoch.
    Source   Plan 2.3, Staking/bonding; science notes 3.1.6: a bond deters iff it is at least g (1 - q) / q.
    """

    phase: ClassVar[int] = 63
    neutral: ClassVar[dict[str, float]] = {"amount": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"bond_amount": "amount"}
    moves: ClassVar[str] = "initiator -> bond; bond -> counterparty; bond -> initiator"

    amount: float = param(1.0, about="bond set aside for a deal", unit="credits", ge=0.0, le=1e9)

    def columns(self, n_rows: int, n_replicates: int) -> dict[str, Any]:
        """What each agent has set aside for the deals of the epoch, micro-credits, beside other bonds it may hold."""
        return {"placed": np.zeros(n_rows, dtype=np.int64)}

    def may_propose(self, bench: Bench, row: I64) -> Mask:
        """Who can pay the bond of one more deal."""
        due = exact.micro(np.asarray(self.amount, dtype=np.float64))
        able: Mask = (bench.ledger.balance[row] >= due) | (due == 0)
        return able

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Set bonds aside, and pay them out to counterparties of bad deals that came to light."""
        asked = np.broadcast_to(exact.micro(np.asarray(self.amount, dtype=np.float64)), len(deal))
        held = np.flatnonzero(deal.accepted & (asked > 0))
        row = deal.row_a[held]
        bond = np.minimum(asked[held], np.maximum(bench.ledger.balance[row], 0))
        deposit(bench, "bond", row, bond)
        bench.column["placed"][row] += bond
        found = ((deal.discovered & ~deal.is_good) | (deal.audited & ~deal.told_good))[held]
        hit, lost = held[found], bond[found]
        bench.column["placed"][row[found]] -= lost
        slash(bench, "bond", row[found], lost, deal.seq[hit], deal.row_b[hit])
        deal.fine[hit] += exact.credits(lost)

    def on_epoch(self, bench: Bench) -> None:
        """Give bonds back."""
        placed = bench.column["placed"]
        row = np.flatnonzero((placed > 0) & bench.active)
        give_back(bench, "bond", row, placed[row].copy())
        placed[:] = 0

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """A bad deal that comes to light costs the bond, or what there is to pay it from."""
        at_risk: Any = np.minimum(np.asarray(self.amount), np.maximum(ahead.balance, 0.0))
        return Foresight(forfeit=at_risk)
