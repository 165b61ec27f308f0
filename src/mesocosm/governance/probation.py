"""Probation for newcomers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm.api import I64, Bench, Lever, Mask
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.registry import lever, param

NO_LIMIT = 1_000_000_000


@lever("probation")
@dataclass(frozen=True)
class Probation(Lever):
    """Newcomers, agents and identities alike, may do little at first, and take nothing from those they deal with.

    Within its first epochs a newcomer makes at most so many proposals an epoch, and those that ask the counterparty for
    a transfer (tau below 0) are refused. Those who respond to levers know it.
    Params   epochs: how long a newcomer is on probation; neutral at 0. max_proposals: per epoch while it lasts.
             founders: whether those who are there from the start are newcomers in epoch 0.
    Source   science notes 3.1.5; Friedman and Resnick (2001), The Social Cost of Cheap Pseudonyms: newcomers pay their
             dues.
    """

    phase: ClassVar[int] = 11
    neutral: ClassVar[dict[str, float]] = {"epochs": 0}
    short_forms: ClassVar[dict[str, str]] = {"probation_epochs": "epochs"}

    epochs: int = param(3, about="how long a newcomer is on probation", unit="epochs", ge=0, le=1_000_000)
    max_proposals: int = param(3, about="proposals a newcomer may make per epoch", unit="proposals", ge=0, le=NO_LIMIT)
    founders: str = param("no", about="whether those there from the start are newcomers", choices=("no", "yes"))

    def may_propose(self, bench: Bench, row: I64) -> Mask | None:
        """Whether the agent is past its probation, or has proposals left."""
        allowed: Mask = ~self._on_probation(bench, row, bench.epoch) | (bench.proposed[row] < self.max_proposals)
        return allowed

    def admit(self, bench: Bench, deal: Deals) -> Mask | None:
        """Refuse newcomers who want a transfer from the counterparty."""
        allowed: Mask = ~(self._on_probation(bench, deal.row_a, bench.epoch) & (deal.tau < 0.0))
        return allowed

    def allowance(self, bench: Bench, row: I64, epoch: int) -> Any:
        """Few proposals while the probation lasts, and any number afterwards."""
        return np.where(self._on_probation(bench, row, epoch), self.max_proposals, NO_LIMIT)

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """Nothing that takes from the counterparty passes."""
        return Foresight(pass_taking=np.where(self._on_probation(bench, ahead.row_a, bench.epoch), 0.0, 1.0))

    def _on_probation(self, bench: Bench, row: I64, epoch: int) -> Mask:
        """Whether rows are on probation in an epoch."""
        since = bench.arrived_epoch[row]
        counts = (since > 0) | (np.asarray(self.founders) == "yes")
        found: Mask = counts & (epoch - since < self.epochs)
        return found
