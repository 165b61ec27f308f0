"""Staking: a deposit that dealing takes, and that is lost when a bad deal comes to light."""

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


@lever("staking")
@dataclass(frozen=True)
class Staking(Lever):
    """Both sides of a deal must have a stake on deposit; an initiator loses part of it when a bad deal comes to light.

    Whoever can afford it tops the stake up when it is about to deal, and whoever cannot does not deal. A bad deal comes
    to light when the counterparty discovers it, and then disputes it by chance, or when an audit finds it. The stake is
    given back to agents who leave.
    Params   amount: credits on deposit; neutral at 0. slash: share of the amount that a bad deal costs.
             dispute: chance that a counterparty who discovered a bad deal says so, a probability.
    Moves    both sides -> stake; the initiator's stake -> treasury; stake -> agent when the amount is lowered.
    Source   Plan 2.2, Staking; design section 2; science notes 3.1.6: a bond deters iff it exceeds g (1 - q) / q.
    """

    phase: ClassVar[int] = 62
    neutral: ClassVar[dict[str, float]] = {"amount": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"staking_required": "amount"}
    moves: ClassVar[str] = "initiator, counterparty -> stake; stake -> treasury; stake -> agent"

    amount: float = param(2.0, about="deposit that dealing takes", unit="credits", ge=0.0, le=1e9)
    slash: float = param(1.0, about="share of the deposit that a bad deal costs", unit="fraction", ge=0.0, le=1.0)
    dispute: float = param(1.0, about="chance that a bad deal discovered is disputed", unit="probability", ge=0, le=1)

    def may_propose(self, bench: Bench, row: I64) -> Mask:
        """Who has the stake or can top it up, and does so."""
        return _topped_up(bench, row, _micro(self.amount, len(row)))

    def admit(self, bench: Bench, deal: Deals) -> Mask:
        """Proposals to counterparties who have the stake or can top it up, and do so."""
        partner, first, back = np.unique(deal.row_b, return_index=True, return_inverse=True)
        able: Mask = _topped_up(bench, partner, _micro(self.amount, len(deal))[first])[back]
        return able

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Slash the stake of initiators whose bad deal was discovered and disputed, or found by an audit."""
        told = deal.discovered & ~deal.is_good & (bench.draw(deal.row_a) < self.dispute)
        hit = np.flatnonzero(deal.accepted & (told | (deal.audited & ~deal.told_good)))
        row, due = deal.row_a[hit], _micro(np.asarray(self.amount) * self.slash, len(deal))[hit]
        lost = np.minimum(due, bench.ledger.hold["stake"][row])
        slash(bench, "stake", row, lost, deal.seq[hit])
        deal.fine[hit] += exact.credits(lost)

    def on_epoch(self, bench: Bench) -> None:
        """Give back what is on deposit beyond the amount, after the amount was lowered."""
        held = bench.ledger.hold["stake"]
        row = np.flatnonzero(held > _micro(self.amount, len(held)))
        give_back(bench, "stake", row, held[row] - _micro(self.amount, len(held))[row])

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """A bad deal that comes to light costs the slashed part, as far as it is disputed.

        What the counterparty discovers is disputed by chance and what an audit finds always counts; the first chance is
        expected of both.
        """
        return Foresight(forfeit=np.asarray(self.amount) * self.slash * self.dispute)


def _micro(amount: Any, k: int) -> I64:
    return np.broadcast_to(exact.micro(np.asarray(amount, dtype=np.float64)), k)


def _topped_up(bench: Bench, row: I64, asked: I64) -> Mask:
    """Which of distinct rows have the stake on deposit, after those who can afford it have topped it up."""
    need = np.maximum(asked - bench.ledger.hold["stake"][row], 0)
    able: Mask = (need == 0) | (bench.ledger.balance[row] >= need)
    deposit(bench, "stake", row[able], need[able])
    return able
