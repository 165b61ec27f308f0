"""How lenient an agent believes each partner to be: the chance that it judges a deal by its own gain alone (omega)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.env.partners import INDEXED_UP_TO, Partners, open_partners

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
STANDARD_LOOK = float(exact.exp(1.0))  # e^s of a deal that looks good
STANDARD_BAR = 1.0 / 3.0


class Leniency(Partners):
    """omega of each partner that has answered an owner's proposals; only learning agents keep it."""

    __slots__ = ()

    def omega(self, position: I64, start: Any) -> F64:
        """What is believed at flat indices; `start` (a number, or one per index) where nothing is."""
        return np.where(position < 0, start, self.value[0].reshape(-1)[position])

    def learn(self, owner: I64, partner_slot: I64, position: I64, omega: F64, seq: I64) -> None:
        """Write what each owner believes of a partner now; owners are distinct."""
        known = np.flatnonzero(position >= 0)
        self.value[0].reshape(-1)[position[known]] = omega[known]
        self.seq.reshape(-1)[position[known]] = seq[known]
        if len(known) < len(position):
            fresh = np.flatnonzero(position < 0)
            self.admit(owner[fresh], partner_slot[fresh], seq[fresh], (omega[fresh],))


def open_leniency(n: int, places: int, largest_population: int, indexed_up_to: int = INDEXED_UP_TO) -> Leniency:
    """Beliefs of n learning agents before anybody has answered them."""
    return Leniency(**open_partners(n, places, largest_population, 1, indexed_up_to))


def acceptance_chance(trust: Any, look: Any, bar: Any) -> Any:
    """A = P(p~ > bar) when b's look is e^s with logistic noise: m e^s (1-bar) / (m e^s (1-bar) + bar (1-m)).

    Rational in odds, so that no exponential is needed.
    Params   trust: m, b's trust in a; look: e^s of a noiseless look at the deal; bar: clipped to 0..1.
    Source   design section 2, Belief of acceptance.
    Example
        >>> float(acceptance_chance(0.5, 1.0, 0.35))
        0.65
    """
    bar = np.minimum(np.maximum(bar, 0.0), 1.0)
    yes = trust * (1.0 - bar) * look
    return yes / (yes + bar * (1.0 - trust))


def standard_chance(trust: Any) -> Any:
    """The chance of a yes to a deal that looks good, by which trust is valued: A at e^s = e and a bar of 1/3.

    Source   design section 2, Best response.
    """
    return acceptance_chance(trust, STANDARD_LOOK, STANDARD_BAR)


def after_answer(omega: F64, said_yes: Any, chance_own: F64, chance_strict: F64, floor: Any) -> F64:
    """Bayes' rule for omega after one answer, kept away from certainty.

    Params   chance_own, chance_strict: chance of a yes if the partner judges by its own bar, or by the joint one too;
             floor: omega stays in [floor, 1 - floor].
    Source   Glosten and Milgrom (1985): a dealer's price moves by the same rule (science notes 3.1).
    Example
        >>> after_answer(np.array([0.5]), True, np.array([0.65]), np.array([0.35]), 0.05)
        array([0.65])
    """
    if_own = np.where(said_yes, chance_own, 1.0 - chance_own)
    if_strict = np.where(said_yes, chance_strict, 1.0 - chance_strict)
    weight = omega * if_own
    total = weight + (1.0 - omega) * if_strict
    moved = np.where(total > 0.0, weight / np.where(total > 0.0, total, 1.0), omega)
    kept: F64 = np.minimum(np.maximum(moved, floor), 1.0 - floor)
    return kept
