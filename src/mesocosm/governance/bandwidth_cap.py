"""Bandwidth cap on what an agent may do per epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mesocosm.api import I64, Bench, Lever, Mask
from mesocosm.registry import lever, param


@lever("bandwidth_cap")
@dataclass(frozen=True)
class BandwidthCap(Lever):
    """An agent may make at most max_actions proposals per epoch.

    A proposal is the economic action; posts, votes and task work have the safety rails' limits of their own.
    Params   max_actions: proposals per agent and epoch, >= 0; neutral at 1,000,000,000 (no cap).
    Source   Plan 2.2, Bandwidth Cap.
    """

    phase: ClassVar[int] = 10
    neutral: ClassVar[dict[str, float]] = {"max_actions": 1_000_000_000}
    short_forms: ClassVar[dict[str, str]] = {"bandwidth_cap": "max_actions"}

    max_actions: int = param(
        10, about="proposals an agent may make per epoch", unit="proposals", ge=0, le=1_000_000_000
    )

    def may_propose(self, bench: Bench, row: I64) -> Mask | None:
        """Whether the agent has proposals left in this epoch."""
        allowed: Mask = bench.proposed[row] < self.max_actions
        return allowed

    def allowance(self, bench: Bench, row: I64, epoch: int) -> Any:
        """The cap, in every epoch; an owner with several identities has it several times."""
        return self.max_actions
