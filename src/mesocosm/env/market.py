"""The market's mechanism: bounties, sealed bids, acceptance, escrow, verdicts, refunds, disputes. It decides nothing.

Every operation takes columns of requests and answers with a refusal for each (`Refusal.none` for those carried out).
Requests that meet, such as two acceptances of one bounty, are carried out one after the other as they stand (for room
on the board, everybody's first posting comes before second ones). A refused request changes nothing. Credits only move
between agents' balances and what they have set aside: none is made or lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.bounties import Bounties, BountyStatus, Refusal, in_turns
from mesocosm.env.deposits import pay_out, set_aside
from mesocosm.env.ledger import Ledger
from mesocosm.exact import rank_within

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
NOTHING = np.iinfo(np.int64).max


class BountyTerms(NamedTuple):
    """What posters ask for, one entry each."""

    offer: I64  # (k,) micro-credits, set aside at once
    value: F64  # (k,) credits that good work is worth to the poster
    deadline: I64  # (k,) last epoch in which it may be done
    on_submission: I64  # (k,) 1 if escrow is released on submission


class Handed(NamedTuple):
    """What workers hand in, one entry each."""

    effort: F64  # (k,)
    disguise: F64  # (k,)
    toil: I64  # (k,) what it cost them, micro-credits
    v: I64  # (k,) +1 or -1


class Marketplace(Bounties):
    """The operations on the board.

    Shapes   k = requests. Bounties are given by replicate and number, agents by row.
    """

    __slots__ = ()

    def post_bounty(self, ledger: Ledger, row: I64, new: BountyTerms, epoch: int, allowance: I64) -> tuple[I64, I64]:
        """Post bounties, the offer set aside.

        Params   allowance: (k,) what each poster may still spend, micro-credits.
        Returns  (refusal (k,), number (k,), -1 where refused).
        Moves    poster -> escrow.
        """
        refusal, number = np.zeros(len(row), dtype=np.int64), np.full(len(row), -1, dtype=np.int64)
        spent = np.zeros(len(row), dtype=np.int64)
        earlier = _earlier(row)
        for turn in in_turns(row):
            who, offer = row[turn], new.offer[turn]
            before = np.where(earlier[turn] >= 0, spent[earlier[turn]], 0)
            found = first_refusal(
                (offer <= 0, Refusal.bad_amount),
                (new.deadline[turn] < epoch, Refusal.not_due),
                (offer > ledger.balance[who], Refusal.insufficient_credit),
                (offer > allowance[turn] - before, Refusal.over_budget),
            )
            fine = turn[found == Refusal.none]
            place, fits = _rooms(self, ledger.replicate[row[fine]])
            found[np.flatnonzero(found == Refusal.none)[~fits]] = Refusal.no_room
            refusal[turn] = found
            spent[turn] = before + np.where(found == Refusal.none, offer, 0)
            made = fine[fits]
            number[made] = _open(self, ledger, row[made], place[fits], BountyTerms(*(column[made] for column in new)))
        return refusal, number

    def submit_bid(self, row: I64, replicate: I64, number: I64, bid: tuple[I64, F64], epoch: int) -> I64:
        """Bid for bounties.

        Params   bid: (amounts (k,) in micro-credits, costs (k,) of full effort to the bidders in credits).
        Returns  refusal (k,).
        """
        amount, cost = bid

        def bid_for(turn: I64, at: tuple[I64, I64]) -> I64:
            slot = row[turn] - self.offset[replicate[turn]]
            bids = self.bidder[at]
            state = self.status[at]
            found = first_refusal(
                (state == BountyStatus.accepted, Refusal.already_accepted),
                (state != BountyStatus.open, Refusal.not_open),
                (self.deadline[at] < epoch, Refusal.late_bid),
                (self.poster[at] == slot, Refusal.own_bounty),
                (amount[turn] <= 0, Refusal.bad_amount),
                (amount[turn] > self.offer[at], Refusal.above_offer),
                ((bids == slot[:, None]).any(axis=1), Refusal.already_bid),
                ((bids >= 0).all(axis=1), Refusal.no_room),
            )
            fine = np.flatnonzero(found == Refusal.none)
            k = (bids[fine] < 0).argmax(axis=1)
            where = (at[0][fine], at[1][fine], k)
            self.bidder[where], self.bid[where], self.bid_cost[where] = slot[fine], amount[turn][fine], cost[turn][fine]
            return found

        return self._each(replicate, number, bid_for)

    def accept_bid(self, ledger: Ledger, row: I64, number: I64, choice: tuple[I64, I64], epoch: int) -> I64:
        """Give bounties to bidders at a price; what the offer exceeds it by goes back to the poster.

        Params   row: who accepts; choice: (slots of the bidders (k,), prices (k,) in micro-credits).
        Returns  refusal (k,).
        Moves    escrow -> poster (offer less price).
        """
        chosen, price = choice
        replicate = ledger.replicate[row]

        def accept(turn: I64, at: tuple[I64, I64]) -> I64:
            state, offers = self.status[at], self.bidder[at] == chosen[turn][:, None]
            k = offers.argmax(axis=1)
            found = first_refusal(
                (self.poster[at] != row[turn] - self.offset[replicate[turn]], Refusal.not_yours),
                ((state > BountyStatus.open) & (state < BountyStatus.released), Refusal.already_accepted),
                (state == BountyStatus.released, Refusal.already_released),
                (state == BountyStatus.refunded, Refusal.already_refunded),
                (self.deadline[at] < epoch, Refusal.late_bid),
                (~offers.any(axis=1) | (chosen[turn] < 0), Refusal.unknown_bid),
                ((price[turn] < self.bid[(*at, k)]) | (price[turn] > self.offer[at]), Refusal.bad_amount),
            )
            fine = np.flatnonzero(found == Refusal.none)
            done = (at[0][fine], at[1][fine])
            who, paid = row[turn][fine], price[turn][fine]
            pay_out(ledger, "escrow", who, who, self.escrow[done] - paid)
            self.escrow[done] = self.price[done] = paid
            self.worker[done] = chosen[turn][fine]
            self.cost[done] = self.bid_cost[(*done, k[fine])]
            self.status[done] = BountyStatus.accepted
            return found

        return self._each(replicate, number, accept)

    def deliver(self, row: I64, replicate: I64, number: I64, handed: Handed, epoch: int) -> I64:
        """Hand work in. Returns: refusal (k,)."""

        def hand_in(turn: I64, at: tuple[I64, I64]) -> I64:
            state = self.status[at]
            found = first_refusal(
                (state == BountyStatus.released, Refusal.already_released),
                (state == BountyStatus.refunded, Refusal.already_refunded),
                (state == BountyStatus.open, Refusal.not_accepted),
                (state != BountyStatus.accepted, Refusal.already_delivered),
                (self.worker[at] != row[turn] - self.offset[replicate[turn]], Refusal.not_yours),
                (self.deadline[at] < epoch, Refusal.late_bid),
            )
            fine = np.flatnonzero(found == Refusal.none)
            done = (at[0][fine], at[1][fine])
            for name, column in zip(Handed._fields, handed, strict=True):
                getattr(self, name)[done] = column[turn][fine]
            self.status[done] = BountyStatus.delivered
            return found

        return self._each(replicate, number, hand_in)

    def verify(self, replicate: I64, number: I64, verdict: I64) -> I64:
        """Give a verdict, +1 or -1, on work that was handed in. Returns: refusal (k,)."""

        def judge(turn: I64, at: tuple[I64, I64]) -> I64:
            state = self.status[at]
            found = first_refusal(
                (state == BountyStatus.released, Refusal.already_released),
                (state == BountyStatus.refunded, Refusal.already_refunded),
                (state < BountyStatus.delivered, Refusal.not_delivered),
                (state == BountyStatus.disputed, Refusal.already_disputed),
                (self.verdict[at] != 0, Refusal.already_verified),
            )
            fine = np.flatnonzero(found == Refusal.none)
            self.verdict[at[0][fine], at[1][fine]] = verdict[turn][fine]
            return found

        return self._each(replicate, number, judge)

    def release_escrow(self, ledger: Ledger, replicate: I64, number: I64) -> I64:
        """Pay workers whose condition is met: a good verdict, or submission with no verdict against it.

        Returns  refusal (k,).
        Moves    poster's escrow -> worker.
        """

        def release(turn: I64, at: tuple[I64, I64]) -> I64:
            state, verdict = self.status[at], self.verdict[at]
            found = first_refusal(
                (state == BountyStatus.released, Refusal.already_released),
                (state == BountyStatus.refunded, Refusal.already_refunded),
                (state == BountyStatus.disputed, Refusal.already_disputed),
                (state != BountyStatus.delivered, Refusal.not_delivered),
                (verdict < 0, Refusal.failed_verification),
                ((verdict == 0) & (self.on_submission[at] == 0), Refusal.not_verified),
            )
            fine = np.flatnonzero(found == Refusal.none)
            _pay_escrow(self, ledger, (at[0][fine], at[1][fine]), self.worker, BountyStatus.released)
            return found

        return self._each(replicate, number, release)

    def refund(self, ledger: Ledger, replicate: I64, number: I64, epoch: int, is_leaving: Any = False) -> I64:
        """Give the escrow back: at the deadline, on a verdict against the work, or where one of the two leaves.

        Params   epoch: a bounty whose deadline lies before it is due; is_leaving: whether poster or worker leave, for
                 bounties that are not delivered, a number or (k,).
        Returns  refusal (k,).
        Moves    poster's escrow -> poster.
        """
        leaving = np.broadcast_to(np.asarray(is_leaving, dtype=np.bool_), len(number))

        def give_back(turn: I64, at: tuple[I64, I64]) -> I64:
            state = self.status[at]
            waits = (state < BountyStatus.delivered) & (leaving[turn] | (self.deadline[at] < epoch))
            failed = (state == BountyStatus.delivered) & (self.verdict[at] < 0)
            found = first_refusal(
                (state == BountyStatus.released, Refusal.already_released),
                (state == BountyStatus.refunded, Refusal.already_refunded),
                (state == BountyStatus.disputed, Refusal.already_disputed),
                (~(waits | failed), Refusal.not_due),
            )
            fine = np.flatnonzero(found == Refusal.none)
            _pay_escrow(self, ledger, (at[0][fine], at[1][fine]), self.poster, BountyStatus.refunded)
            return found

        return self._each(replicate, number, give_back)

    def open_dispute(self, ledger: Ledger, row: I64, number: I64, bond: I64) -> I64:
        """Contest what is about to happen: the poster a release, the worker a refund; once for each bounty.

        Params   row: who disputes; bond: (k,) set aside until the panel has decided, micro-credits.
        Returns  refusal (k,).
        Moves    disputant -> bond.
        """
        replicate = ledger.replicate[row]
        refusal = np.zeros(len(row), dtype=np.int64)

        def contest(turn: I64, at: tuple[I64, I64]) -> I64:
            state = self.status[at]
            slot = row[turn] - self.offset[replicate[turn]]
            loser = np.where(self.verdict[at] < 0, self.worker[at], self.poster[at])
            undecided = (self.verdict[at] == 0) & (self.on_submission[at] == 0)
            found = first_refusal(
                (state == BountyStatus.released, Refusal.already_released),
                (state == BountyStatus.refunded, Refusal.already_refunded),
                (state < BountyStatus.delivered, Refusal.not_delivered),
                (self.disputant[at] >= 0, Refusal.already_disputed),
                (undecided, Refusal.not_verified),
                (loser != slot, Refusal.not_yours),
                (bond[turn] < 0, Refusal.bad_amount),
                (bond[turn] > ledger.balance[row[turn]], Refusal.insufficient_credit),
            )
            fine = np.flatnonzero(found == Refusal.none)
            done = (at[0][fine], at[1][fine])
            set_aside(ledger, "bond", row[turn][fine], bond[turn][fine])
            self.bond[done], self.disputant[done] = bond[turn][fine], slot[fine]
            self.status[done] = BountyStatus.disputed
            return found

        for turn in in_turns(row):  # one agent's disputes draw on one balance

            def contest_some(part: I64, at: tuple[I64, I64], turn: I64 = turn) -> I64:
                return contest(turn[part], at)

            refusal[turn] = self._each(replicate[turn], number[turn], contest_some)
        return refusal

    def decide(self, ledger: Ledger, replicate: I64, number: I64, verdict: I64) -> I64:
        """Decide disputes: the new verdict stands, and the bond goes to whoever it favours.

        Returns  refusal (k,).
        Moves    disputant's bond -> disputant, or the other side.
        """

        def settle(turn: I64, at: tuple[I64, I64]) -> I64:
            state = self.status[at]
            found = first_refusal(
                (state == BountyStatus.released, Refusal.already_released),
                (state == BountyStatus.refunded, Refusal.already_refunded),
                (state != BountyStatus.disputed, Refusal.not_disputed),
            )
            fine = np.flatnonzero(found == Refusal.none)
            done = (at[0][fine], at[1][fine])
            start = self.offset[done[0]]
            favoured = np.where(verdict[turn][fine] > 0, self.worker[done], self.poster[done])
            pay_out(ledger, "bond", start + self.disputant[done], start + favoured, self.bond[done])
            self.bond[done], self.verdict[done] = 0, verdict[turn][fine]
            self.status[done] = BountyStatus.delivered
            return found

        return self._each(replicate, number, settle)

    def _each(self, replicate: I64, number: I64, one: Callable[[I64, tuple[I64, I64]], I64]) -> I64:
        """Locate bounties and carry requests out, those for one bounty one after the other."""
        refusal = np.zeros(len(number), dtype=np.int64)
        if not len(number):
            return refusal
        place, unknown = self.locate(replicate, number)
        refusal[:] = unknown
        known = np.flatnonzero(unknown == Refusal.none)
        for turn in in_turns(replicate[known] * self.status.shape[1] + place[known]):
            some = known[turn]
            refusal[some] = one(some, (replicate[some], place[some]))
        return refusal


def first_refusal(*rules: tuple[Any, Refusal]) -> I64:
    """The first rule that each request breaks, `Refusal.none` where it breaks none."""
    found = np.zeros(np.shape(rules[0][0]), dtype=np.int64)
    for broken, refusal in rules[::-1]:
        found[broken] = refusal
    return found


def _earlier(row: I64) -> I64:
    """Position of the latest earlier request of the same row, -1 for none."""
    order = np.argsort(row, kind="stable")
    before = np.full(len(row), -1, dtype=np.int64)
    same = row[order[1:]] == row[order[:-1]]
    before[order[1:][same]] = order[:-1][same]
    return before


def _rooms(board: Bounties, replicate: I64) -> tuple[I64, NDArray[np.bool_]]:
    """A free place for each, those closed longest ago first, and whether there is one."""
    free = board.free()
    nth = rank_within(replicate)
    fits = nth < free.sum(axis=1)[replicate]
    order = np.argsort(np.where(free, board.number, NOTHING), axis=1, kind="stable")
    place = np.zeros(len(replicate), dtype=np.int64)
    place[fits] = order[replicate[fits], nth[fits]]
    return place, fits


def _open(board: Bounties, ledger: Ledger, row: I64, place: I64, new: BountyTerms) -> I64:
    """Put new bounties on the board. Returns their numbers. Moves: poster -> escrow."""
    replicate = ledger.replicate[row]
    at = (replicate, place)
    board.clear(at)
    board.status[at] = BountyStatus.open
    board.number[at] = board.opened[replicate] + rank_within(replicate)
    board.poster[at] = row - board.offset[replicate]
    board.offer[at] = board.escrow[at] = new.offer
    board.value[at], board.deadline[at], board.on_submission[at] = new.value, new.deadline, new.on_submission
    np.add.at(board.opened, replicate, 1)
    set_aside(ledger, "escrow", row, new.offer)
    number: I64 = board.number[at]
    return number


def _pay_escrow(board: Bounties, ledger: Ledger, at: tuple[I64, I64], to: I64, after: BountyStatus) -> None:
    """Pay the escrow of bounties to one of the two sides, and close them. Moves: poster's escrow -> that side."""
    start = board.offset[at[0]]
    pay_out(ledger, "escrow", start + board.poster[at], start + to[at], board.escrow[at])
    board.escrow[at] = 0
    board.status[at] = after
