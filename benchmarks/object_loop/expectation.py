"""What a proposer expects of each cell of effort, disguise and transfer: the chance of acceptance, and the payoff."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.object_loop.looks import Evidence, Look
from benchmarks.object_loop.scalar import exp

OMEGA = 0.5  # weight of "judges by its own bar alone" against "by the joint bar too"
STANDARD_LOOK = exp(1.0)
STANDARD_BAR = 1.0 / 3.0
SMALLEST_STAKE = 1e-12


class Terms(NamedTuple):
    """What a proposer chooses, as places in the menus; value is what the choice is worth to it."""

    value: float
    effort: int
    disguise: int
    transfer: int


def own_bar(rule: Any, tau: float, cost: float) -> float:
    """Least probability of a good outcome at which the counterparty gains."""
    share = 1.0 - rule.theta
    stake = share * (rule.s_plus + rule.s_minus) + rule.rho_b * rule.h
    bar: float = (share * rule.s_minus + rule.rho_b * rule.h - tau + cost) / max(stake, SMALLEST_STAKE)
    return bar


def initiator_bar(rule: Any, tau: float, cost: float) -> float:
    """Least probability of a good outcome at which the initiator gains."""
    stake = rule.theta * (rule.s_plus + rule.s_minus) + rule.rho_a * rule.h
    bar: float = (rule.theta * rule.s_minus + rule.rho_a * rule.h + tau + cost) / max(stake, SMALLEST_STAKE)
    return bar


def joint_bar(rule: Any, cost_a: float, cost_b: float) -> float:
    """Least probability of a good outcome at which both together gain."""
    harm = (rule.rho_a + rule.rho_b) * rule.h
    stake = rule.s_plus + rule.s_minus + harm
    bar: float = (rule.s_minus + harm + cost_a + cost_b) / max(stake, SMALLEST_STAKE)
    return bar


def reputation_signal(rule: Any, p: float, attention: float) -> float:
    """r0: what a deal does for the initiator's standing."""
    scarcity = rule.attention_scarcity
    signal: float = (1.0 - scarcity) * (2.0 * p - 1.0) + scarcity * attention
    return signal


def surplus(rule: Any, p: float) -> float:
    """S = p s+ - (1 - p) s-."""
    gain: float = p * rule.s_plus - (1.0 - p) * rule.s_minus
    return gain


def externality(rule: Any, p: float) -> float:
    """E = (1 - p) h."""
    harm: float = (1.0 - p) * rule.h
    return harm


def clears(odds: float, bar: float) -> bool:
    """Whether odds of a good outcome exceed a bar given as a probability."""
    return odds * (1.0 - bar) > bar


def chance(trust: float, look: float, bar: float) -> float:
    """Chance that somebody with that trust accepts, when its look is `look` times logistic noise."""
    bar = min(max(bar, 0.0), 1.0)
    yes = trust * (1.0 - bar) * look
    return yes / (yes + bar * (1.0 - trust))


@dataclass(slots=True)
class Prospect:
    """What a proposer knows when it weighs one candidate."""

    trust: float  # of the candidate in the proposer
    weight: float
    is_mate: bool
    x: float
    skill: float
    payoff_mean: float


class Expectation:
    """The part of all expectations that follows from the public rules alone."""

    def __init__(self, rule: Any, evidence: Evidence) -> None:
        self.rule = rule
        self.evidence = evidence
        self.tau = [rule.transfer * multiple for multiple in rule.transfer_menu]
        both = joint_bar(rule, 0.0, 0.0)
        own = [own_bar(rule, tau, 0.0) for tau in self.tau]
        self.bars = [(bar, max(bar, both)) for bar in own]
        self.same = all(bar == strict for bar, strict in self.bars)
        settled = float(rule.settle_on == "outcome")
        p = evidence.good.expected_p
        self.seen_good = rule.discovery + (1.0 - rule.discovery) * p
        self.pays_good = self._pays(p, p + settled * (1.0 - p), evidence.good.attention)
        self.seen_bad = [(1.0 - rule.discovery) * look.expected_p for look in evidence.bad]
        self.pays_bad = [
            self._pays(look.expected_p, look.expected_p * (1.0 - settled), look.attention) for look in evidence.bad
        ]

    def best_response(self, prospect: Prospect, efforts: range, disguises: range) -> Terms:
        """The cell of transfer, disguise and effort with the highest expected payoff; the first wins ties."""
        rule, trust = self.rule, prospect.trust
        u_good = self.pays_good + self._value_of_trust(prospect, self.seen_good)
        q = [self.quality(effort, prospect.skill) for effort in rule.effort_menu]
        u_bad = [
            self.pays_bad[d] + self._value_of_trust(prospect, self.seen_bad[d]) if d in disguises else 0.0
            for d in range(len(self.pays_bad))
        ]
        best = Terms(-math.inf, 0, 0, 0)
        for t, tau in enumerate(self.tau):
            a_good = self._accepts(trust, self.evidence.good, t)
            good = a_good * (u_good - tau)
            for d in disguises:
                a_bad = self._accepts(trust, self.evidence.bad[d], t)
                bad = a_bad * (u_bad[d] - tau)
                gap, a_gap = good - bad, a_good - a_bad
                for e in efforts:
                    value = bad + q[e] * gap - self._toil(prospect, e, d) * (a_bad + q[e] * a_gap)
                    if value > best.value:
                        best = Terms(value, e, d, t)
        return best

    def most_harmful(self, prospect: Prospect) -> Terms:
        """At the least effort, the transfer and disguise with the highest expected harm less a little of its cost."""
        rule = self.rule
        q = self.quality(rule.effort_menu[0], prospect.skill)
        best = Terms(-math.inf, 0, 0, 0)
        for t, tau in enumerate(self.tau):
            a_good = 1.0 if prospect.is_mate else self._accepts(prospect.trust, self.evidence.good, t)
            for d, look in enumerate(self.evidence.bad):
                a_bad = 1.0 if prospect.is_mate else self._accepts(prospect.trust, look, t)
                harm = (1.0 - q) * (1.0 - look.expected_p) * rule.h
                cost = tau + self._toil(prospect, 0, d)
                value = harm * a_bad - rule.harm_cost_weight * cost * (a_bad + q * (a_good - a_bad))
                if value > best.value:
                    best = Terms(value, 0, d, t)
        return best

    def quality(self, effort: float, skill: float) -> float:
        """q: the chance that the outcome is good."""
        q: float = self.rule.q_low + (self.rule.q_high - self.rule.q_low) * effort * skill
        return q

    def _toil(self, prospect: Prospect, e: int, d: int) -> float:
        rule = self.rule
        cost: float = rule.effort_cost * prospect.x * rule.effort_menu[e] + rule.disguise_cost * rule.disguise_menu[d]
        return cost

    def _accepts(self, trust: float, look: Look, t: int) -> float:
        """Chance that the candidate accepts, mixed over the two kinds of bar."""
        own, strict = self.bars[t]
        by_both = chance(trust, look.odds, strict)
        return by_both if self.same else by_both + OMEGA * (chance(trust, look.odds, own) - by_both)

    def _value_of_trust(self, prospect: Prospect, outcome: float) -> float:
        """What one more outcome in the candidate's memory is worth in deals to come."""
        rule, trust, weight = self.rule, prospect.trust, prospect.weight
        moved = (trust * weight + outcome) / (weight + 1.0)
        gain = chance(moved, STANDARD_LOOK, STANDARD_BAR) - chance(trust, STANDARD_LOOK, STANDARD_BAR)
        value: float = rule.patience * max(prospect.payoff_mean, rule.payoff_floor) * gain
        return value

    def _pays(self, p_seen: float, p_settled: float, attention: float) -> float:
        """theta S - rho_a E + w_rep r, before transfer and private cost."""
        rule = self.rule
        r_a = rule.eta * reputation_signal(rule, p_seen, attention)
        pays: float = (
            rule.theta * surplus(rule, p_settled) - rule.rho_a * externality(rule, p_settled) + rule.w_rep * r_a
        )
        return pays
