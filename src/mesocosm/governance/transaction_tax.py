"""Transaction tax on transfers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm.api import Lever
from mesocosm.env.foresight import Terms
from mesocosm.registry import lever, param


@lever("transaction_tax")
@dataclass(frozen=True)
class TransactionTax(Lever):
    """Both sides of an accepted deal pay rate * |tau| to the treasury.

    On the market both sides' shares of the price are withheld from what the worker is paid, and bids rise by
    as much, as far as the offer lets them.
    Params   rate: fraction of the transfer, in [0, 1]; neutral at 0.
    Moves    initiator, counterparty -> treasury; on the market, worker -> treasury.
    Source   Plan 2.2, Transaction Tax.
    """

    phase: ClassVar[int] = 20
    neutral: ClassVar[dict[str, float]] = {"rate": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"transaction_tax_rate": "rate"}
    moves: ClassVar[str] = "initiator, counterparty -> treasury; worker -> treasury"

    rate: float = param(0.05, about="share of |tau| that each side pays", unit="fraction", ge=0.0, le=1.0)

    def cost(self, deal: Terms) -> tuple[Any, Any]:
        """c_a = c_b = rate * |tau|."""
        due = self.rate * np.abs(deal.tau)
        return due, due
