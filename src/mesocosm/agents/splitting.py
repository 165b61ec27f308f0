"""What one more identity is worth to an owner: activity that rules and ruined standing withhold, and ballots.

An owner acts through its identities, so many of them in a step as the scenario lets it (by default one): what it wants
to do is shared among them. A further identity pays where a rule limits each of them, where theirs is a bad name, or by
its ballots.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.env.leniency import STANDARD_BAR, STANDARD_LOOK, acceptance_chance

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def appeal(standing: F64, share: Any, gain: Any) -> F64:
    """The chance that others accept an identity's proposals, once its owner's other identities have voted for it.

    Params   standing: mean trust of others in it; share: of the ballots on it that its owner casts; gain: how far a
             unanimous ballot moves reputation. A ballot replaces one of those whose sign the standing tells, so that it
             changes something only where that is below 1/2.
    Example
        >>> appeal(np.array([0.6, 0.3, 0.3]), np.array([0.5, 0.0, 0.5]), 1.0).round(3).tolist()
        [0.891, 0.7, 0.864]
    """
    swing = gain * share * (1.0 - np.sign(standing - 0.5))
    lifted = np.where(swing > 0.0, exact.sigmoid(exact.logit(standing) + swing), standing)
    chance: F64 = acceptance_chance(lifted, STANDARD_LOOK, STANDARD_BAR)
    return chance


def accepted_proposals(owner: I64, chance: F64, allowed: F64, wish: F64) -> F64:
    """Proposals that owners may expect to be accepted over some epochs, made through the identities given.

    What an owner wishes to propose is shared equally; where an identity may not make its share, others make it up.

    Params   owner: place of each identity's owner; chance: of acceptance of each identity; allowed: proposals that the
             rules let each identity make, by epoch; wish: proposals an owner wants to make in an epoch.
    Shapes   owner, chance (m,); allowed (H, m); wish and what is returned (w,), owners.
    Example
        >>> cap = np.full((1, 2), 4.0)
        >>> one = accepted_proposals(np.array([0]), np.array([0.5]), cap[:, :1], np.array([10.0]))
        >>> two = accepted_proposals(np.array([0, 0]), np.array([0.5, 0.5]), cap, np.array([10.0]))
        >>> one.tolist(), two.tolist()
        ([2.0], [4.0])
    """
    n = len(wish)
    share = (wish / np.maximum(exact.count_by(owner, n), 1))[owner]
    expected = np.zeros(n)
    for room in allowed:
        most = np.minimum(room, wish[owner])
        made = np.minimum(exact.sum_by(owner, most, n), wish)
        part = np.minimum(most, share)
        whole = exact.sum_by(owner, part, n)
        hits = exact.sum_by(owner, part * chance, n)
        expected += np.where(whole > 0.0, made * hits / np.where(whole > 0.0, whole, 1.0), 0.0)
    return expected


def ballot_share(count: Any, weight: F64, others: F64) -> F64:
    """Share of all ballots that an owner casts with so many identities.

    Params   weight: of each ballot; others: weight of everybody else's ballots together.
    Source   science notes 3.1.5: influence k r0 / (k r0 + R).
    Example
        >>> ballot_share(3, np.array([1.0]), np.array([9.0])).tolist()
        [0.25]
    """
    cast = count * weight
    whole = cast + others
    share: F64 = np.where(whole > 0.0, cast / np.where(whole > 0.0, whole, 1.0), 0.0)
    return share
