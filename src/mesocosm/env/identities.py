"""Whose identity each slot is, since when, and what owners have given up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.population import NEVER, Roster

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Identities:
    """Owners and their identities. Everybody is its own first identity; further ones have slots kept for them.

    Shapes   n = agent rows, R = replicates.
    """

    owner: I64  # (n,) row of the owner, of the slot itself but for further identities
    is_further: Mask  # (n,) slots kept for further identities, opened or not
    since: I64  # (n,) epoch at whose start the agent came or comes, or the identity was opened; NEVER if not so far
    is_dormant: Mask  # (n,) given up by the owner: proposes nothing, and does nothing else in a step
    deals_before: I64  # (n,) own proposals accepted before this epoch
    in_use: Mask  # (R,) replicates in which somebody may have several

    @property
    def any_in_use(self) -> bool:
        """Whether anybody in the batch may have several."""
        return bool(self.in_use.any())

    def of_one_owner(self, row: I64, other: I64) -> Mask:
        """Whether two rows are different identities of one owner."""
        same: Mask = (self.owner[row] == self.owner[other]) & (row != other)
        return same

    def content(self, rows: slice) -> Iterator[NDArray[Any]]:
        """What belongs to the state of a replicate in which identities are in use."""
        for column in (self.since, self.is_dormant, self.deals_before):
            yield np.ascontiguousarray(column[rows])


def list_identities(roster: Roster) -> Identities:
    """Everybody with one identity so far."""
    n = len(roster.slot)
    is_further = roster.owner != np.arange(n)
    in_use = np.zeros(len(roster.offset) - 1, dtype=np.bool_)
    in_use[roster.replicate[is_further]] = True
    return Identities(
        owner=roster.owner,
        is_further=is_further,
        since=np.where(is_further, NEVER, roster.arrival_epoch),
        is_dormant=np.zeros(n, dtype=np.bool_),
        deals_before=np.zeros(n, dtype=np.int64),
        in_use=in_use,
    )
