"""Random audits with fines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm.api import Bench, Lever
from mesocosm.env.deposits import fine as take_fine
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.governance.deposits import told_slashed
from mesocosm.registry import lever, param


@lever("random_audit")
@dataclass(frozen=True)
class RandomAudit(Lever):
    """Each accepted deal is audited with a fixed probability; an initiator found with v = -1 is fined.

    An audit that reads outcomes tells the counterparty what it read; one that reads the proxy fines p < 1/2 and tells
    nobody anything. A fine is never more than the agent's balance and stake (limited liability).
    Params   probability: chance of an audit per accepted deal; penalty: credits; accuracy: chance that an audit
             of outcomes reads v correctly; reads: outcome or proxy. Neutral at probability 0.
    Moves    initiator, its stake -> treasury.
    Source   Plan 2.2, Random Audit; Becker (1968), crime and punishment.
    """

    phase: ClassVar[int] = 60
    neutral: ClassVar[dict[str, float]] = {"probability": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"audit_probability": "probability", "audit_penalty": "penalty"}
    moves: ClassVar[str] = "initiator, stake -> treasury"

    probability: float = param(0.2, about="chance that an accepted deal is audited", unit="probability", ge=0.0, le=1.0)
    penalty: float = param(3.0, about="fine for a deal found bad", unit="credits", ge=0.0, le=1e9)
    accuracy: float = param(1.0, about="chance that an audit reads v correctly", unit="probability", ge=0.5, le=1.0)
    reads: str = param("outcome", about="what an audit looks at", choices=("outcome", "proxy"))

    def columns(self, n_rows: int, n_replicates: int) -> dict[str, Any]:
        """What each agent has met while audits were in force: own deals accepted, and how many of them were audited."""
        return {name: np.zeros(n_rows, dtype=np.int64) for name in ("deals", "audits")}

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Draw audits, fine what is found, and let audited outcomes come to light."""
        drawn = deal.accepted & (bench.draw(deal.row_a) < self.probability)
        bench.column["deals"][deal.row_a[deal.accepted & (np.asarray(self.probability) > 0.0)]] += 1
        if not drawn.any():
            return
        bench.column["audits"][deal.row_a[drawn]] += 1
        correct = bench.draw(deal.row_a, channel=1) < self.accuracy
        by_outcome = np.broadcast_to(np.asarray(self.reads) == "outcome", len(deal))
        bad = np.where(by_outcome, deal.is_good != correct, deal.p < 0.5)
        hit = np.flatnonzero(drawn & bad)
        row = deal.row_a[hit]
        due = np.broadcast_to(np.rint(np.asarray(self.penalty) * 1e6), len(deal)).astype(np.int64)[hit]
        cash, from_stake = take_fine(bench.ledger, row, due)
        fined = np.zeros(len(deal))
        fined[hit] = cash / 1e6
        deal.fine[hit] += (cash + from_stake) / 1e6
        deal.inspected |= drawn
        deal.audited |= drawn & by_outcome
        deal.told_good = np.where(drawn & by_outcome, ~bad, deal.told_good)
        seen = np.flatnonzero(drawn)
        columns = {
            "v": np.where(deal.is_good[seen], 1, -1),
            "found": bad[seen],
            "fine": fined[seen],
        }
        bench.emit("audited", deal.row_a[seen], columns, deal.seq[seen])
        told_slashed(bench, "stake", row, from_stake, deal.seq[hit])

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """An audit with the announced chance, corrected by audits met; a fine of at most what it has if it finds fault.

        Only deals made while audits were in force count as experience, and none is expected where none is announced.
        Source   Becker (1968): offend iff the gain exceeds q F; limited liability caps F (science notes 3.12).
        """
        met, of = (bench.column[name][ahead.row_a] for name in ("audits", "deals"))
        chance = np.where(np.asarray(self.probability) > 0.0, ahead.believed(self.probability, met, of), 0.0)
        due = chance * np.minimum(self.penalty, np.maximum(ahead.balance, 0.0) + ahead.stake)
        by_outcome = np.asarray(self.reads) == "outcome"
        good = np.where(by_outcome, 1.0 - self.accuracy, ahead.look.doubt_good)
        bad = [np.where(by_outcome, self.accuracy, doubt) for doubt in ahead.look.doubt_bad]
        reveal = np.where(by_outcome, chance, 0.0)
        misread = reveal * (1.0 - self.accuracy)
        return Foresight(
            fine_good=due * good,
            fine_bad=[due * found for found in bad],
            reveal=reveal,
            false_alarm=misread,
            oversight=misread,
        )
