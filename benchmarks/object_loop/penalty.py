"""The collusion penalty: pairs that deal with each other far more often than their numbers explain."""

from __future__ import annotations

import math
from collections import Counter, deque
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.foresight import Foresight, usual_payoff
from benchmarks.object_loop.interaction import Deal
from benchmarks.object_loop.lever import Lever
from benchmarks.object_loop.scalar import MICRO, exp, log, micro
from benchmarks.object_loop.society import Agent

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play

Pair = tuple[int, int]


class CollusionPenalty(Lever):
    """Fines or freezes both members of pairs that deal too much with each other."""

    name = "collusion_penalty"
    phase = 75

    def __init__(self, play: Play, params: dict[str, Any]) -> None:
        super().__init__(play, params)
        self.past: deque[Counter[Pair]] = deque([Counter()], maxlen=params["memory"])  # by epoch, the present one last
        self.flagged = 0  # pairs at the last test

    def counts(self) -> Counter[Pair]:
        """Deals of each pair in the epochs remembered."""
        total: Counter[Pair] = Counter()
        for epoch in self.past:
            total.update(epoch)
        return total

    def tests(self) -> int:
        """Pairs of active agents, which all count as tests."""
        n = len(self.play.crowd)
        return max(n * (n - 1) // 2, 1)

    def on_settle(self, deals: list[Deal]) -> None:
        """Count the deals made."""
        for deal in deals:
            if deal.accepted and self.params["level"] > 0.0:
                one, other = sorted((deal.a.slot, deal.b.slot))
                self.past[-1][one, other] += 1

    def on_epoch(self, agents: list[Agent]) -> None:
        """Test all pairs, and punish the members of those flagged."""
        count, level, tests = self.counts(), self.params["level"], self.tests()
        degree = degrees(count)
        whole = sum(degree.values())
        judged: list[tuple[float, Pair, float]] = []
        for (a, b), n in count.items():
            expected = by_chance(degree[a], degree[b], whole)
            judged.append((poisson_tail(n, self.params["leeway"] * expected), (a, b), expected))
        judged.sort()
        ranks = [rank for rank, (p, _, _) in enumerate(judged, start=1) if p * tests <= level * rank and level > 0.0]
        found = judged[: max(ranks, default=0)]
        self.flagged = len(found)
        told: dict[int, list[tuple[int, int, float, float]]] = {}
        for p, (a, b), expected in found:
            for one, other in ((a, b), (b, a)):
                told.setdefault(one, []).append((other, count[a, b], expected, p))
        self.punish({slot: sorted(told[slot]) for slot in sorted(told) if agents[slot].active}, agents)
        self.past.append(Counter())

    def punish(self, told: dict[int, list[tuple[int, int, float, float]]], agents: list[Agent]) -> None:
        """Fine as far as balance and stake reach, tell who was flagged with whom, and freeze."""
        play, sanction = self.play, self.params["sanction"]
        each = micro(self.params["penalty"]) if sanction != "freeze" else 0
        from_stake: dict[int, int] = {}
        for slot, pairs in told.items():
            agent, due = agents[slot], each * len(pairs)
            cash = min(due, max(agent.balance, 0))
            play.books.pay_treasury(agent, cash)
            from_stake[slot] = min(due - cash, agent.stake)
            agent.stake -= from_stake[slot]
            play.books.treasury += from_stake[slot]
            for place, (partner, n, expected, p) in enumerate(pairs):
                paid = min(max(cash - place * each, 0), each)
                play.log(
                    "colluding", agent=slot, partner=partner, count=n, expected=expected, p_value=p, fine=paid / MICRO
                )
                self.fired += 1
        for slot, amount in from_stake.items():
            if amount > 0:
                play.log("slashed", agent=slot, deposit="stake", amount=amount / MICRO, payee=-1)
                self.fired += 1
        until = play.step + 1 + self.params["cool_down"]
        for slot, pairs in told.items():
            if sanction != "fine" and agents[slot].frozen_until < until:
                agents[slot].frozen_until = until
                agents[slot].freezes += 1
                play.log("frozen", agent=slot, until_step=until, statistic=pairs[0][3])
                self.fired += 1

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """The sanction, if one more deal would leave the pair flagged when the epoch ends and all go on as before."""
        params, play = self.params, self.play
        count = self.counts()
        degree = degrees(count)
        one, partner = sorted((agent.slot, other.slot))
        before = min(play.epoch, params["memory"] - 1)
        steps = play.scenario.simulation.steps_per_epoch
        seen = before + max((play.step % steps) / steps, 1.0 / steps)
        expected = by_chance(degree[agent.slot] + 1, degree[other.slot] + 1, sum(degree.values()) + 2)
        expected = expected * ((before + 1) / seen)
        p = poisson_tail(count[one, partner] + 1, params["leeway"] * expected)
        if params["level"] > 0.0 and p * self.tests() <= params["level"] * (self.flagged + 1):
            if params["sanction"] != "freeze":
                ahead.sanction += min(params["penalty"], max(agent.balance / MICRO, 0.0) + agent.stake / MICRO)
            if params["sanction"] != "fine":
                ahead.sanction += params["cool_down"] * usual_payoff(play.rule, agent)


def degrees(count: Counter[Pair]) -> Counter[int]:
    """Deals of each agent with anybody."""
    degree: Counter[int] = Counter()
    for (a, b), n in count.items():
        degree[a] += n
        degree[b] += n
    return degree


def by_chance(k_a: int, k_b: int, whole: int) -> float:
    """How often two would deal who deal so often with anybody."""
    if whole in (k_a, k_b):
        return math.nan
    return 0.5 * k_a * k_b * (1.0 / (whole - k_a) + 1.0 / (whole - k_b))


def stirling_rest(n: int) -> float:
    """log n! - ((n + 1/2) log n - n + (log 2 pi)/2): exact where n is small, else from its series."""
    if n >= 16:
        inverse = 1.0 / n
        square = inverse * inverse
        return inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    with localcontext(Context(prec=40)):
        half_log = (2 * Decimal("3.14159265358979323846264338327950288")).ln() / 2
        return float(Decimal(math.factorial(n)).ln() - (n + Decimal("0.5")) * Decimal(n).ln() + n - half_log)


def log_probability(n: int, rate: float) -> float:
    """Log of the probability of exactly n >= 1."""
    distance = n * log(n / rate) + (rate - n)
    return -stirling_rest(n) - distance - 0.5 * log(6.283185307179586 * n)


def poisson_tail(n: int, rate: float) -> float:
    """Probability of at least n >= 1, summed from whichever end is smaller; NaN where the rate is unknown."""
    if math.isnan(rate):
        return math.nan
    total = term = 1.0
    j = 0
    if n > rate:
        while term > 2.0**-54 * total:
            j += 1
            term *= rate / (n + j)
            total += term
        return exp(log_probability(n, rate)) * total
    last = n - 1
    while term > 2.0**-54 * total:
        j += 1
        term *= (last + 1.0 - j) / rate
        total += term
    return 1.0 - exp(log_probability(last, rate) if last > 0 else -rate) * total
