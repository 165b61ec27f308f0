"""Circuit breaker on an agent's recent proxy toxicity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm.api import Bench, Lever
from mesocosm.env.economy import take
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.measures.windows import window_mean
from mesocosm.registry import lever, param

WINDOW = 10


@lever("circuit_breaker")
@dataclass(frozen=True)
class CircuitBreaker(Lever):
    """Freeze an agent whose last ten accepted proposals look too toxic on average.

    The statistic is the mean of 1 - p over the window; all ten are needed, and a freeze clears it.
    Params   threshold: mean of 1 - p above which the breaker trips, in [0, 1]; neutral at 1 (never).
             cool_down: steps during which the agent neither proposes nor accepts.
    Source   Plan 2.2, Circuit Breaker; science notes 3.1.4.
    """

    phase: ClassVar[int] = 70
    neutral: ClassVar[dict[str, float]] = {"threshold": 1.0}
    short_forms: ClassVar[dict[str, str]] = {"circuit_breaker_threshold": "threshold"}

    threshold: float = param(0.35, about="mean of 1 - p that trips the breaker", unit="probability", ge=0.0, le=1.0)
    cool_down: int = param(10, about="steps a freeze lasts", unit="steps", ge=1, le=1_000_000)

    def columns(self, n_rows: int, n_replicates: int) -> dict[str, Any]:
        """A ring of each agent's last ten 1 - p, NaN where empty, and the next place to write."""
        return {
            "ring": np.full((n_rows, WINDOW), np.nan),
            "place": np.zeros(n_rows, dtype=np.int64),
            "risky": np.zeros(n_rows, dtype=np.int64),  # accepted deals that looked worse than the threshold
        }

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Note the deal's 1 - p, and freeze where the window's mean exceeds the threshold."""
        done = np.flatnonzero(deal.accepted)
        row = deal.row_a[done]
        ring, place = bench.column["ring"], bench.column["place"]
        ring[row, place[row]] = 1.0 - deal.p[done]
        bench.column["risky"][row] += 1.0 - deal.p[done] > take(self.threshold, done)
        place[row] = (place[row] + 1) % WINDOW
        statistic = np.full(len(deal), np.nan)
        statistic[done] = window_mean(ring[row])
        tripped = np.flatnonzero(statistic > self.threshold)
        if len(tripped) == 0:
            return
        hit = deal.row_a[tripped]
        until = np.broadcast_to(np.asarray(bench.step + 1 + self.cool_down), len(deal))[tripped]
        ring[hit] = np.nan
        bench.freeze(hit, until)
        columns = {"until_step": until.astype(np.int64), "statistic": statistic[tripped]}
        bench.emit("frozen", hit, columns, deal.seq[tripped])

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """A deal that is expected to look worse than the threshold costs its share of a freeze.

        A freeze loses cool_down running payoffs and comes once a window; learning agents correct that by how often
        they were frozen for deals that looked so.
        """
        risk = ahead.believed(1.0 / WINDOW, ahead.freezes, bench.column["risky"][ahead.row_a])
        return Foresight(halts=[(self.threshold, self.cool_down * ahead.payoff * risk)])
