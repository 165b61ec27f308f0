"""A penalty on pairs that deal with each other more often than choosing between candidates explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm import exact
from mesocosm.api import I64, Bench, Lever, bind
from mesocosm.env.deposits import fine as take_fine
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.governance.deposits import told_slashed
from mesocosm.governance.pair_counts import counted, enter, forget, grow_older, pairs_known
from mesocosm.measures.dyads import Dyads, expected_between
from mesocosm.measures.significance import benjamini_hochberg, poisson_tail
from mesocosm.registry import lever, param


@lever("collusion_penalty")
@dataclass(frozen=True)
class CollusionPenalty(Lever):
    """Fine or freeze both members of a pair that accept each other's deals far beyond what their numbers explain.

    At the end of an epoch the deals of every pair in the last `memory` epochs are held against what chance has two
    agents deal who deal as much as they do: e = k_a k_b / 2 (1 / (m - k_a) + 1 / (m - k_b)), with k the deals of each
    and m the sum over all. Whoever chooses between two candidates can turn to a favourite twice as often as chance has
    it, so a pair is flagged where its count is improbable for a Poisson variable of mean `leeway` e, by Benjamini
    and Hochberg at `level`; all pairs of active agents count as tests. Nobody pays more than balance and stake.
    Params   level: false discovery rate, a probability; neutral at 0. memory: epochs. leeway: times the expected
             count. penalty: credits from each member for each such pair. sanction: fine, freeze or both. cool_down:
             steps of a freeze.
    Moves    agent, its stake -> treasury.
    Source   science notes 0.7; Chung and Lu (2002); Benjamini and Hochberg (1995); docs/design/detectors.md.
    """

    phase: ClassVar[int] = 75
    neutral: ClassVar[dict[str, float]] = {"level": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"collusion_level": "level"}
    moves: ClassVar[str] = "agent, stake -> treasury"
    sparse: ClassVar[tuple[str, ...]] = ("pair", "count")

    level: float = param(0.05, about="false discovery rate of the test", unit="probability", ge=0.0, le=1.0)
    memory: int = param(5, about="epochs whose deals count", unit="epochs", ge=1, le=100)
    leeway: float = param(2.0, about="times the expected count that is in order", unit="ratio", ge=1.0, le=1000.0)
    penalty: float = param(3.0, about="fine of each member of a flagged pair", unit="credits", ge=0.0, le=1e9)
    sanction: str = param("fine", about="what befalls both members", choices=("fine", "freeze", "both"))
    cool_down: int = param(10, about="steps a freeze lasts", unit="steps", ge=1, le=1_000_000)

    def columns(self, n_rows: int, n_replicates: int) -> dict[str, Any]:
        """Pairs that have dealt, how often by age in epochs, and how many of them the last test flagged."""
        ages = int(np.max(self.memory))
        return {
            "pair": np.zeros((n_replicates, 0), dtype=np.int64),
            "count": np.zeros((n_replicates, 0, ages), dtype=np.int64),
            "flagged": np.zeros(n_replicates, dtype=np.int64),
        }

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Count the deals made."""
        made = np.flatnonzero(deal.accepted & (np.asarray(self.level) > 0.0))
        if len(made):
            first = np.searchsorted(bench.replicate, deal.replicate[made])
            enter(bench.column, deal.replicate[made], deal.row_a[made] - first, deal.row_b[made] - first)

    def on_epoch(self, bench: Bench) -> None:
        """Test every pair, punish the members of those flagged, and let the oldest epoch go."""
        n = len(bench.column["flagged"])
        first = np.searchsorted(bench.replicate, np.arange(n))
        memory = np.broadcast_to(np.asarray(self.memory), len(bench.replicate))[first]
        forget(bench.column, memory)
        pairs = pairs_known(bench.column)
        bench.column["flagged"][:] = 0
        if len(pairs):
            mine = bind(self, first[pairs.group])
            expected, p = mine.judged(bench, pairs, first)
            tests = exact.count_by(bench.replicate, n, bench.active)
            tests = np.maximum(tests * (tests - 1) // 2, 1)
            found = benjamini_hochberg(p, pairs.group, tests, np.asarray(mine.level)) & (np.asarray(mine.level) > 0.0)
            bench.column["flagged"][:] = exact.count_by(pairs.group, n, found)
            self.punish(bench, pairs.only(found), expected[found], p[found], first)
        grow_older(bench.column, memory)

    def judged(self, bench: Bench, pairs: Dyads, first: I64) -> tuple[Any, Any]:
        """How often each pair was to deal, and the probability that it does so as often; parameters by pair."""
        degree, whole = counted(pairs, first, len(bench.replicate))
        one, other = (degree[first[pairs.group] + slot] for slot in (pairs.a, pairs.b))
        expected = expected_between(one, other, whole[pairs.group])
        return expected, poisson_tail(pairs.n, self.leeway * expected)

    def punish(self, bench: Bench, pairs: Dyads, expected: Any, p: Any, first: I64) -> None:
        """Fine and freeze the active members of flagged pairs; parameters are aligned with all rows."""
        start = first[pairs.group]
        row, partner = (np.concatenate(sides) for sides in ((start + pairs.a, start + pairs.b), (pairs.b, pairs.a)))
        order = exact.order_by(row, partner)
        order = order[bench.active[row[order]]]
        if len(order) == 0:
            return
        row, partner, count, chance = row[order], partner[order], np.tile(pairs.n, 2)[order], np.tile(p, 2)[order]
        member = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])  # where each agent's pairs begin
        agent, times = row[member], np.diff(np.r_[member, len(row)])
        rule = bind(self, agent)
        fines = np.broadcast_to(np.asarray(rule.sanction) != "freeze", len(agent))
        each = np.where(fines, exact.micro(np.asarray(rule.penalty, dtype=np.float64)), 0)
        cash, from_stake = take_fine(bench.ledger, agent, each * times)
        place, group = exact.rank_within(row), np.repeat(np.arange(len(agent)), times)
        paid = np.clip(cash[group] - place * each[group], 0, each[group])
        told = {"partner": partner, "count": count, "expected": np.tile(expected, 2)[order], "p_value": chance}
        bench.emit("colluding", row, told | {"fine": exact.credits(paid)})
        told_slashed(bench, "stake", agent, from_stake, np.full(len(agent), -1))
        stops = np.broadcast_to(np.asarray(rule.sanction) != "fine", len(agent))
        until = np.broadcast_to(bench.step + 1 + np.asarray(rule.cool_down), len(agent))
        stops = np.flatnonzero(stops & (bench.frozen_until[agent] < until))
        if len(stops):
            bench.freeze(agent[stops], until[stops])
            columns = {"until_step": until[stops].astype(np.int64), "statistic": chance[member[stops]]}
            bench.emit("frozen", agent[stops], columns)

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """The sanction, where one more deal would leave the pair flagged at the end of the epoch.

        The rule and who dealt how often are public. What a pair may deal by then grows with the deals of all, which go
        on as they did: expected counts are taken to the end of the epoch, the pair's own is what the deal makes it. As
        many other pairs as at the last test are taken to be flagged too.
        """
        n = len(bench.column["flagged"])
        first, pairs = np.searchsorted(bench.replicate, np.arange(n)), pairs_known(bench.column)
        degree, whole = counted(pairs, first, len(bench.replicate))
        where, start = ahead.replicate, first[ahead.replicate]
        slots = np.minimum(ahead.row_a, ahead.row_b) - start, np.maximum(ahead.row_a, ahead.row_b) - start
        count = pairs.at(where, *slots) + 1
        before = np.minimum(np.asarray(bench.epoch), np.asarray(self.memory) - 1)
        seen = before + np.maximum(ahead.leaves, 1.0 / ahead.steps_per_epoch)
        k_a, k_b = degree[ahead.row_a] + 1, degree[ahead.row_b] + 1
        expected = expected_between(k_a, k_b, whole[where] + 2) * ((before + 1) / seen)
        active = exact.count_by(bench.replicate, n, bench.active)[where]
        tests = np.maximum(active * (active - 1) // 2, 1)
        chance = poisson_tail(count, self.leeway * expected)
        held = chance * tests <= np.asarray(self.level) * (bench.column["flagged"][where] + 1)
        sanction = np.asarray(self.sanction)
        fine = np.minimum(self.penalty, np.maximum(ahead.balance, 0.0) + ahead.stake)
        loss = np.where(sanction != "freeze", fine, 0.0)
        loss = loss + np.where(sanction != "fine", self.cool_down * ahead.payoff, 0.0)
        return Foresight(sanction=np.where(held & (np.asarray(self.level) > 0.0), loss, 0.0))
