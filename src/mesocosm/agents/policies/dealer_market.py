"""The three parts of a dealer market, for closed forms: a seller, traders who know, and traders who do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.api import Mask, Policy, Proposals, View
from mesocosm.registry import param, policy


@policy("seller")
@dataclass(frozen=True)
class Seller(Policy):
    """Offer one deal a step to whoever comes first, at the first transfer of the menu and most effort; accept nothing.

    The menu rises, so that its first transfer is the highest price the seller can ask.
    Shapes   k = rows under this policy.
    Source   Glosten and Milgrom (1985): the dealer who trades with whoever comes (science notes 3.1).
    """

    sees: ClassVar[tuple[str, ...]] = ("exists",)

    def propose(self, view: View) -> Proposals:
        """Make the same offer to the first candidate there is."""
        nothing = np.zeros(len(view), dtype=np.int64)
        choice = np.where(view.exists[0], 0, -1)
        return Proposals(choice, nothing + (len(view.menu.effort) - 1), nothing, nothing)


@policy("informed_trader")
@dataclass(frozen=True)
class InformedTrader(Policy):
    """Propose nothing, and accept what the own look says is more likely good than bad.

    Under a large `trust.screen_weight` the look is the truth, and these are the insiders of a dealer market.
    Shapes   k = rows under this policy.
    Source   Glosten and Milgrom (1985), informed traders (science notes 3.1).
    """

    sees: ClassVar[tuple[str, ...]] = ("odds",)

    def accept(self, view: View) -> Mask:
        """Accept iff p~ > 1/2, whatever the terms."""
        accepted: Mask = view.odds > 1.0
        return accepted


@policy("noise_trader")
@dataclass(frozen=True)
class NoiseTrader(Policy):
    """Accept by chance, whatever is offered, and by default propose nothing.

    Whoever offers, offers most effort and no transfer to whoever comes first, so that partners are a matter of chance.
    Params   buys: chance of accepting, a probability. offers: chance of proposing in a step, a probability.
    Shapes   k = rows under this policy.
    Source   Glosten and Milgrom (1985), uninformed traders (science notes 3.1); Gode and Sunder (1993).
    """

    sees: ClassVar[tuple[str, ...]] = ("luck", "exists")
    buys: float = param(0.5, about="chance of accepting an offer", unit="probability", ge=0.0, le=1.0)
    offers: float = param(0.0, about="chance of making an offer in a step", unit="probability", ge=0.0, le=1.0)

    def propose(self, view: View) -> Proposals:
        """Offer by the agent's own luck."""
        nothing = np.zeros(len(view), dtype=np.int64)
        choice = np.where(view.exists[0] & (view.luck < self.offers), 0, -1)
        return Proposals(choice, nothing + (len(view.menu.effort) - 1), nothing, nothing + view.menu.level_still)

    def accept(self, view: View) -> Mask:
        """Accept by the agent's own luck."""
        accepted: Mask = view.luck < self.buys
        return accepted
