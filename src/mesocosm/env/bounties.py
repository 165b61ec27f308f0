"""The board of bounties: tables by replicate and place, why a request is refused, and requests that meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mesocosm.exact import rank_within

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


class BountyStatus(IntEnum):
    """Life of a bounty; from `released` on it is closed, and its place may be used again."""

    empty = 0
    open = 1  # waits for bids and for the poster's choice
    accepted = 2  # a worker has it; escrow holds the price
    delivered = 3  # waits for a verdict, or for its release
    disputed = 4  # waits for a panel to decide
    released = 5
    refunded = 6


class Refusal(IntEnum):
    """Why a request to the market was refused; a refused request changes nothing and moves no credit."""

    none = 0
    unknown_bounty = 1  # no bounty ever had that number
    closed = 2  # so long ago that its place on the board is taken
    not_open = 3
    already_accepted = 4
    already_released = 5
    already_refunded = 6
    insufficient_credit = 7
    over_budget = 8  # more than the agent may still spend in this epoch
    late_bid = 9  # after the deadline
    own_bounty = 10
    above_offer = 11
    bad_amount = 12  # not above 0, or not between the bid and the offer
    no_room = 13  # the board, or a bounty's list of bids, is full
    already_bid = 14
    unknown_bid = 15
    not_yours = 16
    not_accepted = 17  # nobody has been given the work yet
    already_delivered = 18
    not_delivered = 19
    already_verified = 20
    not_verified = 21  # the escrow waits for a verdict
    failed_verification = 22
    already_disputed = 23
    not_disputed = 24
    not_due = 25  # the deadline has not passed, and nothing else entitles the poster to a refund


#: what a place holds where there is nothing, if not 0
EMPTY = {"bidder": -1, "number": -1, "poster": -1, "worker": -1, "disputant": -1}
REFUSAL_NAMES = np.array([refusal.name for refusal in Refusal], dtype=object)


@dataclass(slots=True)
class Bounties:
    """All bounties of a batch, and the bids for each.

    A bounty's number counts up from 0 in its replicate. Agents are slots, -1 for nobody; money is micro-credits.
    Shapes   R = replicates, B = places, K = bids a bounty has room for.
    """

    offset: I64  # (R + 1,) first row of each replicate
    status: I64  # (R, B)
    number: I64  # (R, B), -1 for a place that was never used
    poster: I64  # (R, B)
    worker: I64  # (R, B)
    offer: I64  # (R, B) the most that the poster pays
    price: I64  # (R, B) what the worker gets, 0 before acceptance
    escrow: I64  # (R, B) what the poster has set aside for it now
    bond: I64  # (R, B) what a dispute has at stake now
    disputant: I64  # (R, B) who opened the dispute, -1 if there was none
    on_submission: I64  # (R, B) 1 if escrow is released on submission
    deadline: I64  # (R, B) last epoch in which it may be done
    verdict: I64  # (R, B) +1, -1, or 0 for none
    v: I64  # (R, B) +1, -1, or 0 before delivery; only the referee sees it
    last_seq: I64  # (R, B) seq of the event that last changed it
    value: F64  # (R, B) credits that good work is worth to the poster
    cost: F64  # (R, B) credits of full effort to the worker
    toil: I64  # (R, B) what the worker spent on it
    effort: F64  # (R, B)
    disguise: F64  # (R, B)
    bidder: I64  # (R, B, K)
    bid: I64  # (R, B, K)
    bid_cost: F64  # (R, B, K) credits of full effort to each bidder
    opened: I64  # (R,) bounties ever posted

    def locate(self, replicate: I64, number: I64) -> tuple[I64, I64]:
        """Places of bounties by number.

        Returns  (place (k,), refusal (k,)): place 0 where the refusal is unknown_bounty or closed.
        """
        found = self.number[replicate] == number[:, None]
        found &= number[:, None] >= 0
        there = found.any(axis=1)
        known = (number >= 0) & (number < self.opened[replicate])
        refusal = np.where(there, Refusal.none, np.where(known, Refusal.closed, Refusal.unknown_bounty))
        place = found.argmax(axis=1) if found.shape[1] else np.zeros(len(number), dtype=np.int64)
        return place.astype(np.int64), refusal.astype(np.int64)

    def free(self) -> Mask:
        """Places that a new bounty may take, (R, B)."""
        free: Mask = (self.status == BountyStatus.empty) | (self.status >= BountyStatus.released)
        return free

    def places(self, *status: BountyStatus) -> tuple[I64, I64]:
        """(replicate (k,), place (k,)) of bounties in some statuses, by replicate and then oldest first."""
        replicate, place = np.nonzero(np.isin(self.status, status))
        order = np.lexsort((self.number[replicate, place], replicate))
        return replicate[order], place[order]

    def clear(self, at: tuple[I64, I64]) -> None:
        """Forget whatever places held before."""
        for item in fields(self):
            if item.name not in ("offset", "opened"):
                getattr(self, item.name)[at] = EMPTY.get(item.name, 0)

    def drop_bids(self, at: tuple[I64, I64]) -> None:
        """Let the bids for some bounties lapse."""
        self.bidder[at], self.bid[at], self.bid_cost[at] = -1, 0, 0.0

    def content(self, replicate: int) -> Iterator[NDArray[Any]]:
        """Everything the board of one replicate holds, for the hash of its state."""
        for item in fields(self)[1:]:
            yield np.ascontiguousarray(getattr(self, item.name)[replicate])

    @classmethod
    def empty_board(cls, offset: I64, capacity: int, n_bids: int) -> Self:
        """A board without bounties.

        Params   offset: first row of each replicate, and the number of rows; capacity: bounties at once; n_bids: bids a
                 bounty has room for.
        """
        n = len(offset) - 1
        real = ("value", "cost", "effort", "disguise", "bid_cost")
        made: dict[str, Any] = {"offset": offset, "opened": np.zeros(n, dtype=np.int64)}
        for item in fields(cls):
            if item.name not in made:
                shape = (n, capacity, n_bids) if item.name in ("bidder", "bid", "bid_cost") else (n, capacity)
                kind = np.float64 if item.name in real else np.int64
                made[item.name] = np.full(shape, EMPTY.get(item.name, 0), dtype=kind)
        return cls(**made)


def in_turns(key: I64) -> Iterator[I64]:
    """Positions of requests in stretches in which no key comes twice, each key's requests in the order they stand.

    Example
        >>> [turn.tolist() for turn in in_turns(np.array([4, 7, 4]))]
        [[0, 1], [2]]
    """
    rank = rank_within(key)
    for turn in range(int(rank.max(initial=-1)) + 1):
        yield np.flatnonzero(rank == turn)
