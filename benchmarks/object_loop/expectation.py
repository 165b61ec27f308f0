"""What a proposer expects of each cell of effort, disguise and transfer: the chance of acceptance, and the payoff."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.object_loop.foresight import Foresight
from benchmarks.object_loop.looks import Evidence, Look
from benchmarks.object_loop.scalar import exp

STANDARD_LOOK = exp(1.0)
STANDARD_BAR = 1.0 / 3.0
SMALLEST_STAKE = 1e-12


class Terms(NamedTuple):
    """What a proposer chooses, as places in the menus; value is what the choice is worth to it."""

    value: float
    effort: int
    disguise: int
    transfer: int


def outcome_chance(rule: Any, effort: float, skill: float, x: float) -> float:
    """q: the chance of a good outcome; with quality_follows_cost effort does less the cheaper the task is."""
    gain = (rule.q_high - rule.q_low) * effort * skill
    q: float = rule.q_low + gain * (1.0 - rule.quality_follows_cost * (1.0 - x))
    return q


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


def after_answer(omega: float, said_yes: bool, if_own: float, if_strict: float, floor: float) -> float:
    """Bayes' rule for omega after one answer, kept away from certainty.

    Params   if_own, if_strict: chance of a yes from a partner that judges by its own bar, or by the joint one too.
    """
    if not said_yes:
        if_own, if_strict = 1.0 - if_own, 1.0 - if_strict
    lenient = omega * if_own
    total = lenient + (1.0 - omega) * if_strict
    moved = lenient / total if total > 0.0 else omega
    return min(max(moved, floor), 1.0 - floor)


@dataclass(slots=True)
class Prospect:
    """What a proposer knows when it weighs one candidate."""

    trust: float  # of the candidate in the proposer
    weight: float
    leniency: float  # omega: how likely the candidate is to look at its own gain alone
    is_mate: bool
    x: float
    skill: float
    usual_payoff: float
    ahead: Foresight


class Expectation:
    """The part of all expectations that follows from rules alone.

    Params   rule: the rules that the proposer reckons with; costs: what levers charge it and its counterparty, by
             transfer, as far as it reckons with that.
    """

    def __init__(self, rule: Any, evidence: Evidence, costs: list[tuple[float, float]]) -> None:
        self.rule = rule
        self.evidence = evidence
        self.tau = [rule.transfer * multiple for multiple in rule.transfer_menu]
        self.paid = [tau + c_a for tau, (c_a, _) in zip(self.tau, costs, strict=True)]
        self.bars: list[tuple[float, float]] = []  # by transfer: the counterparty's own bar, and the stricter one
        for tau, (c_a, c_b) in zip(self.tau, costs, strict=True):
            own = own_bar(rule, tau, c_b)
            self.bars.append((own, max(own, joint_bar(rule, c_a, c_b))))
        settled = float(rule.settle_on == "outcome")
        p = evidence.good.expected_p
        self.pays_good = self._pays(p, p + settled * (1.0 - p), evidence.good.attention)
        self.pays_bad = [
            self._pays(look.expected_p, look.expected_p * (1.0 - settled), look.attention) for look in evidence.bad
        ]

    def best_response(self, prospect: Prospect, efforts: range, disguises: range, transfers: range) -> Terms:
        """The cell of transfer, disguise and effort with the highest expected payoff; the first wins ties.

        q A_good (u_good + V_good - fine) + (1-q) A_bad (u_bad + V_bad - fine) - cost (q A_good + (1-q) A_bad).
        """
        q = [self._quality(prospect, e) for e in range(len(self.rule.effort_menu))]
        u_good, u_bad = self._good(prospect), {d: self._bad(prospect, d) for d in disguises}
        cost = {(d, e): self._cost(prospect, d, e, q[e]) for d in disguises for e in efforts}
        best = Terms(-math.inf, 0, 0, 0)
        for t in transfers:
            passes = prospect.ahead.passes_taking if self.tau[t] < 0.0 else 1.0
            paid = self.paid[t] + prospect.ahead.sanction
            a_good = self._accepts(prospect, self.evidence.good, t) * prospect.ahead.passes_good * passes
            good = a_good * (u_good - paid)
            for d in disguises:
                a_bad = self._accepts(prospect, self.evidence.bad[d], t) * prospect.ahead.passes_bad[d] * passes
                bad = a_bad * (u_bad[d] - paid)
                gap, a_gap = good - bad, a_good - a_bad
                for e in efforts:
                    value = bad + q[e] * gap - cost[d, e] * (a_bad + q[e] * a_gap)
                    if value > best.value:
                        best = Terms(value, e, d, t)
        return best

    def most_harmful(self, prospect: Prospect) -> Terms:
        """At the least effort, the transfer and disguise with the highest expected harm less a little of its cost."""
        rule = self.rule
        q = self._quality(prospect, 0)
        best = Terms(-math.inf, 0, 0, 0)
        for t in range(len(self.tau)):
            passes = prospect.ahead.passes_taking if self.tau[t] < 0.0 else 1.0
            a_good = 1.0 if prospect.is_mate else self._accepts(prospect, self.evidence.good, t)
            a_good *= prospect.ahead.passes_good * passes
            for d, look in enumerate(self.evidence.bad):
                a_bad = 1.0 if prospect.is_mate else self._accepts(prospect, look, t)
                a_bad *= prospect.ahead.passes_bad[d] * passes
                harm = (1.0 - q) * (1.0 - look.expected_p) * rule.h
                cost = self.paid[t] + prospect.ahead.sanction + self._toil(prospect, d, 0)
                value = harm * a_bad - rule.harm_cost_weight * cost * (a_bad + q * (a_good - a_bad))
                if value > best.value:
                    best = Terms(value, 0, d, t)
        return best

    def _quality(self, prospect: Prospect, e: int) -> float:
        return outcome_chance(self.rule, self.rule.effort_menu[e], prospect.skill, prospect.x)

    def _toil(self, prospect: Prospect, d: int, e: int) -> float:
        """Private cost."""
        rule = self.rule
        cost: float = rule.effort_cost * prospect.x * rule.effort_menu[e] + rule.disguise_cost * rule.disguise_menu[d]
        return cost

    def _cost(self, prospect: Prospect, d: int, e: int, q: float) -> float:
        """Private cost, and what freezes cost if the deal will probably look too toxic."""
        cost = self._toil(prospect, d, e)
        for above, loss in prospect.ahead.halts:
            signal = 1.0 - (q * self.evidence.good.expected_p + (1.0 - q) * self.evidence.bad[d].expected_p)
            if signal > above:
                cost += loss
        return cost

    def _good(self, prospect: Prospect) -> float:
        """u + V - fines, before what is paid, if the outcome is good."""
        known, misread, p = self._known(prospect), self._misread(prospect), self.evidence.good.expected_p
        ahead, cleared = prospect.ahead, known - misread
        seen = cleared + (1.0 - known) * p
        told = cleared * ahead.acclaim - ahead.misread * ahead.forfeit
        return self.pays_good + self._value_of_trust(prospect, seen) - (ahead.fine_good - told)

    def _bad(self, prospect: Prospect, d: int) -> float:
        """The same if it is bad, under a level of disguise."""
        known, misread, ahead = self._known(prospect), self._misread(prospect), prospect.ahead
        seen = misread + (1.0 - known) * self.evidence.bad[d].expected_p
        told = misread * ahead.acclaim - (known - misread) * ahead.forfeit
        return self.pays_bad[d] + self._value_of_trust(prospect, seen) - (ahead.fine_bad[d] - told)

    def _known(self, prospect: Prospect) -> float:
        """Chance that the candidate learns the outcome, by itself or through levers."""
        by_itself: float = self.rule.discovery
        return by_itself + (1.0 - by_itself) * prospect.ahead.reveal

    def _misread(self, prospect: Prospect) -> float:
        """Chance that the candidate is told the opposite of the outcome."""
        unfound: float = 1.0 - self.rule.discovery
        return unfound * prospect.ahead.misread

    def _accepts(self, prospect: Prospect, look: Look, t: int) -> float:
        """Chance that the candidate accepts, mixed over the two kinds of bar."""
        own, strict = self.bars[t]
        by_both = chance(prospect.trust, look.odds, strict)
        if own == strict:
            return by_both
        return by_both + prospect.leniency * (chance(prospect.trust, look.odds, own) - by_both)

    def _value_of_trust(self, prospect: Prospect, outcome: float) -> float:
        """V: what one more outcome in the candidate's memory is worth in deals to come."""
        trust, weight = prospect.trust, prospect.weight
        moved = (trust * weight + outcome) / (weight + 1.0)
        gain = chance(moved, STANDARD_LOOK, STANDARD_BAR) - chance(trust, STANDARD_LOOK, STANDARD_BAR)
        value: float = self.rule.patience * prospect.usual_payoff * prospect.ahead.keeps * gain
        return value

    def _pays(self, p_seen: float, p_settled: float, attention: float) -> float:
        """theta S - rho_a E + w_rep r, before transfer and private cost."""
        rule = self.rule
        r_a = rule.eta * reputation_signal(rule, p_seen, attention)
        pays: float = (
            rule.theta * surplus(rule, p_settled) - rule.rho_a * externality(rule, p_settled) + rule.w_rep * r_a
        )
        return pays
