"""Bandwidth cap on what an agent may do per epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm.api import I64, Bench, Lever, Mask
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.registry import lever, param


@lever("bandwidth_cap")
@dataclass(frozen=True)
class BandwidthCap(Lever):
    """An agent may make at most max_actions proposals per epoch.

    A proposal is the economic action; posts, votes and task work have the safety rails' limits of their own. Agents who
    weigh payoffs become choosier where the cap leaves them fewer proposals than steps: each has a price in others.
    Params   max_actions: proposals per agent and epoch, >= 0; neutral at 1,000,000,000 (no cap).
    Source   Plan 2.2, Bandwidth Cap.
    """

    phase: ClassVar[int] = 10
    neutral: ClassVar[dict[str, float]] = {"max_actions": 1_000_000_000}
    short_forms: ClassVar[dict[str, str]] = {"bandwidth_cap": "max_actions"}

    max_actions: int = param(
        10, about="proposals an agent may make per epoch", unit="proposals", ge=0, le=1_000_000_000
    )

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """A proposal costs another one as far as those that are left fall short of the steps that are left.

        With l proposals left for s steps the price is (1 - l / s) of the running payoff, and nothing where l >= s.
        """
        steps = np.rint((1.0 - ahead.leaves) * ahead.steps_per_epoch)
        left = np.maximum(np.asarray(self.max_actions) - bench.proposed[ahead.row_a], 0)
        return Foresight(forgone=np.maximum(1.0 - left / steps, 0.0) * ahead.payoff)

    def may_propose(self, bench: Bench, row: I64) -> Mask | None:
        """Whether the agent has proposals left in this epoch."""
        allowed: Mask = bench.proposed[row] < self.max_actions
        return allowed

    def allowance(self, bench: Bench, row: I64, epoch: int) -> Any:
        """The cap, in every epoch; an owner with several identities has it several times."""
        return self.max_actions
