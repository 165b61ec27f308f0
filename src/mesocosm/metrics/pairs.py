"""Counts events by pair of agents from the start of a run, in memory that grows with the pairs that occur."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.measures.dyads import Dyads

I64 = NDArray[np.int64]


class PairCounts:
    """How often something went from one agent to another, over a batch of replicates.

    Counts are whole numbers, so they depend neither on how rows are cut into batches nor on which replicates share
    them.

    Params   offset: first row of each replicate; n_rows: rows of all.
    """

    def __init__(self, offset: I64, n_rows: int) -> None:
        self._offset, self._n_rows = offset, n_rows
        self._width = int(np.diff(np.r_[offset, n_rows]).max(initial=1))
        self._key, self._n = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self._fresh: list[I64] = []

    def add(self, row_a: I64, b: Any) -> None:
        """Count one event for each initiator, given by row, and counterparty, given by slot."""
        self._fresh.append(row_a * self._width + b)

    def table(self, n_agents: I64) -> Dyads:
        """All counts so far. Params: n_agents: agents that have been there, by replicate."""
        if self._fresh:
            key, n = np.unique(np.concatenate(self._fresh), return_counts=True)
            self._fresh = []
            joined, count = np.concatenate([self._key, key]), np.concatenate([self._n, n])
            order = exact.order_by(joined)
            joined, count = joined[order], count[order]
            first = np.r_[True, np.diff(joined) != 0][: len(joined)]
            self._key = joined[first]
            self._n = exact.sum_by_int(np.cumsum(first) - 1, count, len(self._key))
        row, b = self._key // self._width, self._key % self._width
        group = np.searchsorted(self._offset, row, side="right") - 1
        return Dyads(group, row - self._offset[group], b, self._n, n_agents)
