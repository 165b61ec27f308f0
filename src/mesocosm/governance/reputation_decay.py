"""Reputation decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesocosm.api import Bench, Lever
from mesocosm.registry import lever, param


@lever("reputation_decay")
@dataclass(frozen=True)
class ReputationDecay(Lever):
    """Standing fades: R <- decay * R at the end of every epoch, before ballots are counted.

    Params   decay: share kept per epoch, in [0, 1]; neutral at 1. Half-life ln(1/2) / ln(decay) epochs.
    Source   Plan 2.2, Reputation Decay; science notes 3.1.6.
    """

    phase: ClassVar[int] = 40
    neutral: ClassVar[dict[str, float]] = {"decay": 1.0}
    short_forms: ClassVar[dict[str, str]] = {"reputation_decay": "decay"}

    decay: float = param(0.95, about="share of reputation kept per epoch", unit="fraction", ge=0.0, le=1.0)

    def on_epoch(self, bench: Bench) -> None:
        """Shrink every reputation towards 0."""
        bench.reputation[:] = bench.reputation * self.decay
