"""Circuit breaker on an agent's recent proxy toxicity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm.api import F64, I64, Bench, Lever, Mask, bind
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.governance.breaker_tiers import THROTTLE, Trips, act_on, rung_of
from mesocosm.measures.cusum import cusum, drift, likelihood_step, tipping_signal
from mesocosm.measures.windows import window_mean
from mesocosm.registry import lever, param

SHORT = 10  # places of a window that every agent has; longer windows have more beside them


@lever("circuit_breaker")
@dataclass(frozen=True)
class CircuitBreaker(Lever):
    """Stop an agent whose accepted proposals look too toxic, on average over a window or by a cumulative sum.

    The statistic of `rule: window` is the mean of 1 - p over the last `window` deals, all of them needed (those since
    `window` was changed, where it was in mid-run). That of
    `rule: cusum` is S <- max(0, S + llr(1 - p)), the evidence for the bad rate against the good one; it trips at
    `limit`. Tripping clears either. Then `tier` says what follows while the cool-down lasts: throttle (few proposals),
    agent (neither proposes nor accepts), cluster (nor do those it dealt with often), halt (nor does anybody), or rising
    (throttle at its first trip, agent at the second, cluster from the third on; and where more than halt_share of
    all are frozen at once, all are).
    Params   threshold: mean of 1 - p above which the window trips, in [0, 1]; neutral at 1 (neither rule ever trips).
             cool_down: steps. window: deals. limit: h of the sum, above 0. good_rate, bad_rate: mean of 1 - p that is
             in order, and that is to be noticed; nothing trips unless the second is higher. throttle: proposals per
             epoch. cluster_deals: deals among the last `window` that make a partner one of the cluster. halt_share:
             fraction of the active agents.
    Source   Plan 2.2, Circuit Breaker; science notes 3.1.4, 3.14: windows trip falsely with the tail of a binomial,
             sums at most once in e^h deals; Page (1954).
    """

    phase: ClassVar[int] = 70
    neutral: ClassVar[dict[str, float]] = {"threshold": 1.0}
    short_forms: ClassVar[dict[str, str]] = {"circuit_breaker_threshold": "threshold"}
    sparse: ClassVar[tuple[str, ...]] = ("later", "score", "partner", "trips", "throttled")

    threshold: float = param(0.35, about="mean of 1 - p that trips the breaker", unit="probability", ge=0.0, le=1.0)
    cool_down: int = param(10, about="steps a freeze lasts", unit="steps", ge=1, le=1_000_000)
    rule: str = param("window", about="which statistic trips the breaker", choices=("window", "cusum"))
    window: int = param(10, about="deals that a window holds", unit="deals", ge=1, le=1000)
    limit: float = param(4.0, about="h, where the cumulative sum trips", unit="log odds", ge=0.1, le=1000.0)
    good_rate: float = param(0.2, about="mean of 1 - p that is in order", unit="probability", ge=0.001, le=0.999)
    bad_rate: float = param(0.5, about="mean of 1 - p to be noticed", unit="probability", ge=0.001, le=0.999)
    tier: str = param("agent", about="what a trip leads to", choices=("throttle", "agent", "cluster", "halt", "rising"))
    throttle: int = param(2, about="proposals per epoch while throttled", unit="proposals", ge=0, le=1_000_000_000)
    cluster_deals: int = param(3, about="deals that make a partner one of the cluster", unit="deals", ge=1, le=1000)
    halt_share: float = param(0.5, about="share frozen above which all are", unit="fraction", ge=0.0, le=1.0)

    def columns(self, n_rows: int, n_replicates: int) -> dict[str, Any]:
        """A ring of each agent's last 1 - p, NaN where empty, and the next place to write; and what has come of it."""
        longer = max(int(np.max(self.window)) - SHORT, 0)
        return {
            "ring": np.full((n_rows, SHORT), np.nan),
            "later": np.full((n_rows, longer), np.nan),  # the places of the ring beyond those
            "partner": np.zeros((n_rows, SHORT + longer), dtype=np.int64),  # slot + 1 of the counterparty, by place
            "place": np.zeros(n_rows, dtype=np.int64),
            "risky": np.zeros(n_rows, dtype=np.int64),  # accepted deals that looked worse than the bar
            "score": np.full(n_rows, np.nan),  # S, NaN before the first deal
            "trips": np.zeros(n_rows, dtype=np.int64),  # of tiers that do more or less than freeze the agent
            "throttled": np.zeros(n_rows, dtype=np.int64),  # first step in which it may propose freely again
        }

    def may_propose(self, bench: Bench, row: I64) -> Mask | None:
        """Whether an agent that is throttled has proposals left in this epoch."""
        held = bench.step < bench.column["throttled"][row]
        return ~(held & (bench.proposed[row] >= self.throttle)) if held.any() else None

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Note the deal's 1 - p, and act where the statistic says so."""
        done = np.flatnonzero(deal.accepted)
        if len(done) == 0:
            return
        mine, row, toxic = bind(self, done), deal.row_a[done], 1.0 - deal.p[done]
        _make_room(bench, int(np.max(self.window)))
        bench.column["risky"][row] += toxic > mine.bar()
        mine.note(bench, row, deal.row_b[done], toxic)
        statistic, hit = mine.judged(bench, row, toxic)
        tripped = np.flatnonzero(hit)
        if len(tripped) == 0:
            return
        row, mine, k = row[tripped], bind(mine, tripped), len(tripped)
        tier = np.broadcast_to(np.asarray(mine.tier), k)
        rung = rung_of(tier, bench.column["trips"][row])
        until = np.broadcast_to(np.asarray(bench.step + 1 + mine.cool_down), k).astype(np.int64)
        trips = Trips(row, rung, until, statistic[tripped], deal.seq[done[tripped]])
        share = np.where(tier == "rising", mine.halt_share, np.inf)
        act_on(bench, trips, np.broadcast_to(np.asarray(mine.cluster_deals), k), share)
        bench.column["trips"][row] += tier != "agent"
        _forget(bench, row)

    def on_enacted(self, bench: Bench, row: I64, parameter: str) -> None:
        """Begin windows anew when their length is changed: what is in them stands where the old length had it."""
        if parameter == "window":
            _forget(bench, row)
            bench.column["place"][row] = 0

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """A deal that is expected to look worse than the bar costs its share of what a trip costs.

        The bar is the threshold of the window, or the signal above which the sum rises on average. A trip loses as many
        running payoffs as it forbids proposals. It comes once a window, or once in h / KL(bad, good) deals;
        learning agents correct that by how often they were stopped for deals that looked so.
        """
        row = ahead.row_a
        alone = np.asarray(self.tier) == "agent"
        met = np.where(alone, ahead.freezes, bench.column["trips"][row])
        announced, sums = 1.0 / np.asarray(self.window), self._sums()
        if np.any(sums):
            announced = np.where(sums, np.minimum(drift(self.good_rate, self.bad_rate) / self.limit, 1.0), announced)
        risk = ahead.believed(announced, met, bench.column["risky"][row])
        mild = rung_of(np.asarray(self.tier), bench.column["trips"][row]) == THROTTLE
        kept = np.where(mild, np.minimum(np.asarray(self.throttle) / ahead.steps_per_epoch, 1.0), 0.0)
        return Foresight(halts=[(self.bar(), self.cool_down * ahead.payoff * risk * (1.0 - kept))])

    def bar(self) -> Any:
        """1 - p above which a deal brings a trip nearer."""
        sums = self._sums()
        if not np.any(sums):
            return self.threshold
        return np.where(sums, tipping_signal(self.good_rate, self.bad_rate), self.threshold)

    def note(self, bench: Bench, row: I64, partner: I64, toxic: F64) -> None:
        """Write deals of distinct agents into their windows and sums; parameters are aligned with them."""
        place = bench.column["place"][row] % self.window
        short = place < SHORT
        bench.column["ring"][row[short], place[short]] = toxic[short]
        bench.column["later"][row[~short], place[~short] - SHORT] = toxic[~short]
        bench.column["place"][row] = (place + 1) % self.window
        first = np.searchsorted(bench.replicate, bench.replicate[row])
        spreads = np.isin(np.asarray(self.tier), ("cluster", "rising"))
        bench.column["partner"][row, place] = np.where(spreads, partner - first + 1, 0)
        sums = self._sums()
        if np.any(sums):
            before = bench.column["score"][row]
            after = cusum(np.nan_to_num(before), likelihood_step(toxic, self.good_rate, self.bad_rate))
            bench.column["score"][row] = np.where(sums, after, before)

    def judged(self, bench: Bench, row: I64, toxic: F64) -> tuple[F64, Mask]:
        """The statistic of agents whose deals have been noted, and whether it trips."""
        values = np.concatenate([bench.column["ring"][row], bench.column["later"][row]], axis=1)
        width = np.broadcast_to(np.asarray(self.window), len(row))
        mean = np.full(len(row), np.nan)
        for size in np.unique(width).tolist():
            mean[width == size] = window_mean(values[width == size, :size])
        score, sums = bench.column["score"][row], self._sums()
        return np.where(sums, score, mean), np.where(sums, score >= self.limit, mean > self.threshold)

    def _sums(self) -> Any:
        """Whether the rule is the cumulative sum, and in force."""
        return (np.asarray(self.rule) == "cusum") & (np.asarray(self.threshold) < 1.0)


def _make_room(bench: Bench, widest: int) -> None:
    """Lengthen the rings where a longer window has been enacted."""
    later, partner = bench.column["later"], bench.column["partner"]
    more = widest - partner.shape[1]
    if more > 0:
        bench.column["later"] = np.pad(later, ((0, 0), (0, more)), constant_values=np.nan)
        bench.column["partner"] = np.pad(partner, ((0, 0), (0, more)))


def _forget(bench: Bench, row: I64) -> None:
    """Begin the windows and sums of agents anew."""
    for name, empty in (("ring", np.nan), ("later", np.nan), ("partner", 0), ("score", np.nan)):
        bench.column[name][row] = empty
