"""The sham lever: a control that must have no effect at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.api import Bench, Lever
from mesocosm.env.interaction import Deals
from mesocosm.registry import lever, param


@lever("sham")
@dataclass(frozen=True)
class Sham(Lever):
    """Fires, draws and writes notes like a real lever, and changes nothing: its effect must be exactly 0.

    Params   rate: share of accepted deals on which it fires, in [0, 1]; neutral at 0.
    Source   science notes 5.14 (positive and negative controls); design section 4.
    """

    phase: ClassVar[int] = 65
    neutral: ClassVar[dict[str, float]] = {"rate": 0.0}

    rate: float = param(0.2, about="share of accepted deals on which the sham fires", unit="fraction", ge=0.0, le=1.0)

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Draw, and note where it would have acted."""
        luck = bench.draw(deal.row_a)
        fired = np.flatnonzero(deal.accepted & (luck < self.rate))
        if len(fired):
            bench.emit("note", deal.row_a[fired], {"value": luck[fired]})
