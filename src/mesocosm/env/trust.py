"""Trust memory: what each agent remembers of the partners it dealt with, in a bounded number of slots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.exact import rank_within

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


INDEXED_UP_TO = 256  # agents per replicate; beyond it a table of all pairs costs more than searching


@dataclass(slots=True)
class Memory:
    """Beta counts (alpha good, beta bad) that an agent keeps of partners, at most K of them.

    When a record of a new partner needs room, the least recently updated one is evicted. Where records are found by
    an index of all pairs (small populations) or by search (large ones) makes no difference to what is remembered.

    Shapes   n = agent rows, K = places, A = slots of the largest replicate. A record is addressed by its flat index
             owner_row * K + k.
    """

    partner: NDArray[np.int32]  # (n, K) slot number of the partner, -1 where empty
    alpha: F64  # (n, K)
    beta: F64  # (n, K)
    seq: I64  # (n, K) seq of the interaction that last updated the record, -1 where never
    index: NDArray[np.int8] | None  # (n, A) place k of each partner, -1 where unknown

    @property
    def n_places(self) -> int:
        """K, the number of partners an agent can remember."""
        return int(self.partner.shape[1])

    def locate(self, owner: I64, partner_slot: I64) -> I64:
        """Flat index of each owner's record of a partner, -1 where there is none."""
        width = self.n_places
        if self.index is not None:
            k = self.index.reshape(-1)[owner * self.index.shape[1] + partner_slot].astype(np.int64)
            return np.where(k < 0, -1, owner * width + k)
        found = np.full(len(owner), -1, dtype=np.int64)
        hit = np.flatnonzero(np.take(self.partner, owner, axis=0) == partner_slot[:, None].astype(np.int32))
        asked = hit // width
        found[asked] = owner[asked] * width + (hit - asked * width)
        return found

    def counts(self, position: I64) -> tuple[F64, F64]:
        """Alpha and beta at flat indices, 0 where there is no record."""
        alpha, beta = self.alpha.reshape(-1)[position], self.beta.reshape(-1)[position]
        unknown = position < 0
        alpha[unknown] = 0.0
        beta[unknown] = 0.0
        return alpha, beta

    def last_seq(self, position: I64) -> I64:
        """Seq of the interaction that last updated each record, -1 where there is none."""
        return np.where(position < 0, -1, self.seq.reshape(-1)[position])

    def record(self, owner: I64, partner_slot: I64, position: I64, good: F64, seq: I64) -> None:
        """Add one outcome (good in [0, 1]) to each owner's record of a partner; (owner, partner) pairs are distinct.

        Known partners are updated first, then newcomers take places in the order given.
        """
        known = np.flatnonzero(position >= 0)
        at, gain = position[known], good[known]
        self.alpha.reshape(-1)[at] += gain
        self.beta.reshape(-1)[at] += 1.0 - gain
        self.seq.reshape(-1)[at] = seq[known]
        if len(known) < len(position):
            fresh = np.flatnonzero(position < 0)
            self._admit(owner[fresh], partner_slot[fresh], good[fresh], seq[fresh])

    def _admit(self, owner: I64, partner_slot: I64, good: F64, seq: I64) -> None:
        wave = rank_within(owner)
        for number in range(int(wave.max()) + 1):
            chosen = np.flatnonzero(wave == number)
            row, newcomer = owner[chosen], partner_slot[chosen]
            k = np.take(self.seq, row, axis=0).argmin(axis=1)
            position = row * self.n_places + k
            if self.index is not None:
                start = row * self.index.shape[1]
                evicted = self.partner.reshape(-1)[position]
                gone = np.flatnonzero(evicted >= 0)
                self.index.reshape(-1)[start[gone] + evicted[gone]] = -1
                self.index.reshape(-1)[start + newcomer] = k
            self.partner.reshape(-1)[position] = newcomer
            self.alpha.reshape(-1)[position] = good[chosen]
            self.beta.reshape(-1)[position] = 1.0 - good[chosen]
            self.seq.reshape(-1)[position] = seq[chosen]

    def fade(self, keep: Any) -> None:
        """Forget a share of every record at the end of an epoch. Params: keep in [0, 1], number or (n,)."""
        factor = keep[:, None] if isinstance(keep, np.ndarray) else keep
        self.alpha *= factor
        self.beta *= factor

    def content(self, rows: slice, capacity: int) -> Iterator[NDArray[Any]]:
        """What a replicate of `capacity` slots remembers, whatever the size of the others in the batch."""
        width = min(self.n_places, max(capacity - 1, 1))
        for column in (self.partner, self.alpha, self.beta, self.seq):
            yield np.ascontiguousarray(column[rows, :width])


def open_memory(n: int, places: int, largest_population: int, indexed_up_to: int = INDEXED_UP_TO) -> Memory:
    """An empty memory of `places` records per agent, or as many as there can be partners."""
    width = min(places, max(largest_population - 1, 1))
    indexed = largest_population <= indexed_up_to
    return Memory(
        partner=np.full((n, width), -1, dtype=np.int32),
        alpha=np.zeros((n, width)),
        beta=np.zeros((n, width)),
        seq=np.full((n, width), -1, dtype=np.int64),
        index=np.full((n, largest_population), -1, dtype=np.int8) if indexed else None,
    )


def trust_mean(alpha: F64, beta: F64, prior: F64, strength: Any) -> tuple[F64, F64]:
    """Posterior mean m = (alpha + w m0) / (alpha + beta + w) and its weight n = alpha + beta + w.

    Source   Beta-Bernoulli reputation; design section 2 (w = 2).
    Example
        >>> trust_mean(np.array([0.0]), np.array([0.0]), np.array([0.6]), 2.0)[0]
        array([0.6])
    """
    weight = alpha + beta + strength
    return (alpha + strength * prior) / weight, weight
