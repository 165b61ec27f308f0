"""The oracle: a control that sees the truth, and so bounds what any lever can do about toxicity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesocosm.api import Bench, Lever, Mask
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.registry import lever, param


@lever("oracle")
@dataclass(frozen=True)
class Oracle(Lever):
    """Refuses proposals that would turn out badly, which nobody could know: a bound on toxicity, not a proposal.

    Agents who respond to levers know that bad outcomes are refused. For welfare the oracle is a reference only: it
    stops harm, but it does not make anybody work.
    Params   reach: chance that a proposal with v = -1 is refused, in [0, 1]; neutral at 0.
    Source   science notes 5.14 (positive and negative controls); design section 4.
    """

    phase: ClassVar[int] = 5
    neutral: ClassVar[dict[str, float]] = {"reach": 0.0}

    reach: float = param(1.0, about="chance that a bad proposal is refused", unit="probability", ge=0.0, le=1.0)

    def admit(self, bench: Bench, deal: Deals) -> Mask:
        """Let good outcomes through, and bad ones that escape."""
        allowed: Mask = deal.is_good | (bench.draw(deal.row_a) >= self.reach)
        return allowed

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """Bad outcomes pass with what is left of the reach."""
        return Foresight(pass_bad=[1.0 - self.reach for _ in ahead.look.p_bad])
