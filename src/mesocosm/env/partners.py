"""What an agent keeps of each partner: a bounded number of records, the least recently updated one making room."""

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
class Partners:
    """Records that owners keep of partners, at most K each.

    Where records are found by an index of all pairs (small populations) or by search (large ones) makes no difference
    to what is remembered.

    Shapes   n = owners, K = places, A = slots of the largest replicate. A record is addressed by its flat index
             owner * K + k. `value` holds one (n, K) column for each quantity that a record has.
    """

    partner: NDArray[np.int32]  # (n, K) slot number of the partner, -1 where empty
    seq: I64  # (n, K) number of the event that last updated the record, -1 where never
    value: tuple[F64, ...]
    index: NDArray[np.int8] | None  # (n, A) place k of each partner, -1 where unknown

    @property
    def n_places(self) -> int:
        """K, the number of partners an owner can keep records of."""
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

    def last_seq(self, position: I64) -> I64:
        """Number of the event that last updated each record, -1 where there is none."""
        return np.where(position < 0, -1, self.seq.reshape(-1)[position])

    def admit(self, owner: I64, partner_slot: I64, seq: I64, value: tuple[F64, ...]) -> None:
        """Make records of partners that owners have none of, in the order given."""
        wave = rank_within(owner)
        for number in range(int(wave.max(initial=-1)) + 1):
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
            self.seq.reshape(-1)[position] = seq[chosen]
            for column, given in zip(self.value, value, strict=True):
                column.reshape(-1)[position] = given[chosen]

    def content(self, rows: slice, capacity: int) -> Iterator[NDArray[Any]]:
        """What some owners of a replicate of `capacity` slots remember, whatever the size of other replicates."""
        width = min(self.n_places, max(capacity - 1, 1))
        columns: list[NDArray[Any]] = [self.partner, *self.value, self.seq]
        for column in columns:
            yield np.ascontiguousarray(column[rows, :width])


def open_partners(n: int, places: int, largest_population: int, n_values: int, indexed_up_to: int) -> dict[str, Any]:
    """Fields of an empty table of `places` records per owner, or as many as there can be partners."""
    width = min(places, max(largest_population - 1, 1))
    indexed = largest_population <= indexed_up_to
    return {
        "partner": np.full((n, width), -1, dtype=np.int32),
        "seq": np.full((n, width), -1, dtype=np.int64),
        "value": tuple(np.zeros((n, width)) for _ in range(n_values)),
        "index": np.full((n, largest_population), -1, dtype=np.int8) if indexed else None,
    }
