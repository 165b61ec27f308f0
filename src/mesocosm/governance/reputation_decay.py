"""Reputation decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.api import Bench, Lever
from mesocosm.env.economy import take
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.registry import lever, param


@lever("reputation_decay")
@dataclass(frozen=True)
class ReputationDecay(Lever):
    """Standing fades: R <- decay * R at the end of every epoch, before ballots are counted.

    Agents who weigh payoffs know that what a partner thinks of them rests in part on their standing, and that this part
    is about to fade: the nearer the end of the epoch, the less they give for trust (milking).
    Params   decay: share kept per epoch, in [0, 1]; neutral at 1. Half-life ln(1/2) / ln(decay) epochs.
    Source   Plan 2.2, Reputation Decay; science notes 3.1.6.
    """

    phase: ClassVar[int] = 40
    neutral: ClassVar[dict[str, float]] = {"decay": 1.0}
    short_forms: ClassVar[dict[str, str]] = {"reputation_decay": "decay"}

    decay: float = param(0.95, about="share of reputation kept per epoch", unit="fraction", ge=0.0, le=1.0)

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """What trust is worth rests on standing as far as the partner knows no better, and loses the decay of that.

        The part is s / (s + n), s the strength of the prior and n the weight of the partner's own experience; what is
        lost of it before it can be used grows with the share of the epoch that is over.
        """
        fades = (1.0 - np.asarray(self.decay)) * ahead.leaves
        keeps, some = np.ones(len(ahead)), np.flatnonzero(fades)
        if len(some):
            behind = bench.weight_behind(ahead.row_b[some], ahead.row_a[some])
            keeps[some] = 1.0 - fades[some] * take(ahead.rule.prior_strength, some) / behind
        return Foresight(keeps=keeps)

    def on_epoch(self, bench: Bench) -> None:
        """Shrink every reputation towards 0."""
        bench.reputation[:] = bench.reputation * self.decay
