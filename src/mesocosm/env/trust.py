"""Trust memory: what each agent remembers of the partners it dealt with, in a bounded number of places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.partners import INDEXED_UP_TO, Partners, open_partners

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class Memory(Partners):
    """Beta counts (alpha good, beta bad) that an agent keeps of partners, at most K of them."""

    __slots__ = ()

    @property
    def alpha(self) -> F64:
        """(n, K) good outcomes remembered."""
        return self.value[0]

    @property
    def beta(self) -> F64:
        """(n, K) bad outcomes remembered."""
        return self.value[1]

    def counts(self, position: I64) -> tuple[F64, F64]:
        """Alpha and beta at flat indices, 0 where there is no record."""
        alpha, beta = self.alpha.reshape(-1)[position], self.beta.reshape(-1)[position]
        unknown = position < 0
        alpha[unknown] = 0.0
        beta[unknown] = 0.0
        return alpha, beta

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
            self.admit(owner[fresh], partner_slot[fresh], seq[fresh], (good[fresh], 1.0 - good[fresh]))

    def fade(self, keep: Any) -> None:
        """Forget a share of every record at the end of an epoch. Params: keep in [0, 1], number or (n,)."""
        factor = keep[:, None] if isinstance(keep, np.ndarray) else keep
        for column in self.value:
            column *= factor


def open_memory(n: int, places: int, largest_population: int, indexed_up_to: int = INDEXED_UP_TO) -> Memory:
    """An empty memory of `places` records per agent, or as many as there can be partners."""
    return Memory(**open_partners(n, places, largest_population, 2, indexed_up_to))


def trust_mean(alpha: F64, beta: F64, prior: F64, strength: Any) -> tuple[F64, F64]:
    """Posterior mean m = (alpha + w m0) / (alpha + beta + w) and its weight n = alpha + beta + w.

    Source   Beta-Bernoulli reputation; design section 2 (w = 2).
    Example
        >>> trust_mean(np.array([0.0]), np.array([0.0]), np.array([0.6]), 2.0)[0]
        array([0.6])
    """
    weight = alpha + beta + strength
    return (alpha + strength * prior) / weight, weight
