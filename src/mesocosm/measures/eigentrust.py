"""EigenTrust: whom a society trusts, counting the word of those more who are trusted more themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.errors import check
from mesocosm.measures.moments import F64

I64 = NDArray[np.int64]

RESTART = 0.1
ROUNDS = 300  # the error is at most 2 (1 - a)**rounds: 4e-14 for a = .1


def eigentrust(
    society: I64, before: F64, tie: tuple[I64, I64, F64], n_societies: int, *, restart: float = RESTART
) -> F64:
    """Trust mass of every agent: t = (1 - a) C' t + a p, C the local trust of each agent, in shares of what it gives.

    Who trusts nobody passes its mass on to those who are trusted beforehand. Rounds are fixed, so that the bits of one
    society do not depend on another in the same table.

    Params   society: of each agent; before: the pre-trusted distribution p, which adds up to 1 in every society; tie:
             row who trusts, row who is trusted, how much, at least 0; restart: a, how much of the mass starts anew.
    Shapes   society, before: (n,); each of tie: (k,). -> (n,)
    Source   Kamvar, Schlosser and Garcia-Molina (2003); science notes 3.7
    Example
        >>> who = np.array([0, 0, 1, 1, 2, 2, 3, 3, 3])
        >>> whom = np.array([1, 2, 0, 2, 0, 1, 0, 1, 2])
        >>> share = np.array([0.5, 0.5, 0.6, 0.4, 0.7, 0.3, 0.2, 0.4, 0.4])
        >>> alone = np.zeros(4, dtype=np.int64)
        >>> eigentrust(alone, np.array([1.0, 0.0, 0.0, 0.0]), (who, whom, share), 1).round(6).tolist()
        [0.432728, 0.27393, 0.293342, 0.0]
    """
    check(0.0 < restart < 1.0, "a share of the mass starts anew", restart=restart)
    truster, trusted, weight = tie
    n = len(before)
    given = exact.sum_by(truster, weight, n)
    silent = given == 0.0
    share = weight / np.where(silent, 1.0, given)[truster]
    trust = before.copy()
    for _ in range(ROUNDS):
        passed = exact.sum_by(trusted, trust[truster] * share, n)
        unspent = exact.sum_by(society, np.where(silent, trust, 0.0), n_societies)
        trust = (1.0 - restart) * (passed + unspent[society] * before) + restart * before
    return trust
