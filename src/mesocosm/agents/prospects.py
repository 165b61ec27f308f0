"""What a proposer weighs: one row for each proposer and candidate, and what every choice of a deal would bring.

A deal is a cell of transfer, disguise and effort. Everything is rational in odds, so no exponential is computed per
row. Source   design section 2, "Belief of acceptance" and "Best response".
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.api import Menu, View
from mesocosm.env.foresight import Foresight
from mesocosm.env.leniency import standard_chance
from mesocosm.env.payoff import expected_externality, expected_surplus, joint_bar, outcome_chance, own_bar
from mesocosm.env.proxy import reputation_signal

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Prospects:
    """Proposers and candidates, flat: what each proposer knows of a deal with a candidate.

    Shapes   m = rows. Columns that a policy does not list in `sees` are missing, and asking for one is an error.
    """

    rule: Any
    menu: Menu
    look: SimpleNamespace
    foresight: Foresight
    trust_of: F64  # (m,) the candidate's trust in the proposer
    weight_of: F64
    leniency: Any  # (m,) or one number
    difficulty: F64
    skill: F64
    payoff_mean: F64
    is_mate: Mask

    def __init__(self, view: View, index: I64 | None = None) -> None:
        """Lay a view out flat: all rows with the first candidate, then all with the second; or some of these."""
        shown, k = vars(view), len(view)
        whole = np.concatenate([np.arange(k), np.arange(k)])
        proposer = whole if index is None else index % k
        self.m = len(proposer)
        self.menu = view.menu
        self.rule = view.rule.at(proposer)
        self.look = SimpleNamespace(**{name: _aligned(value, proposer) for name, value in vars(view.look).items()})
        told = shown["foresight"]
        self.foresight = Foresight() if told is None else told.flat(index)
        for name in ("trust_of", "weight_of", "is_mate", "leniency"):
            if name in shown:
                flat = np.asarray(shown[name]).reshape(-1) if np.ndim(shown[name]) else shown[name]
                setattr(self, name, flat if index is None or not np.ndim(flat) else flat[index])
        for name in ("difficulty", "skill", "payoff_mean"):
            if name in shown:
                setattr(self, name, shown[name][proposer])

    def __len__(self) -> int:
        return self.m

    @property
    def transfers(self) -> Any:
        """(T, 1) or (T, m): the transfers that can be offered."""
        return self.rule.transfer * self.menu.transfer[:, None]

    def quality(self, level: int) -> Any:
        """q: the chance of a good outcome at a level of effort."""
        return outcome_chance(self.rule, self.menu.effort[level], self.skill, self.difficulty)

    def toil(self, effort: int, disguise: int) -> Any:
        """Private cost of a level of effort and of disguise, burnt if the deal is accepted."""
        rule, menu = self.rule, self.menu
        return rule.effort_cost * self.difficulty * menu.effort[effort] + rule.disguise_cost * menu.disguise[disguise]


def _aligned(value: Any, proposer: I64) -> Any:
    if isinstance(value, list):
        return [_aligned(entry, proposer) for entry in value]
    return value[proposer] if isinstance(value, np.ndarray) and value.ndim else value


class Acceptance:
    """The chance that a candidate accepts, by transfer; and by disguise where the outcome is bad.

    Mixed over two kinds of partner: one that judges by its own bar (with chance `leniency`), and one that judges by
    the joint bar too. Mates accept whatever is proposed. Includes the chance that levers let the deal through.
    """

    def __init__(self, row: Prospects, disguises: Iterable[int], knows_mates: bool = False) -> None:
        """Work the chances out for the levels of disguise that are of interest."""
        ahead = row.foresight
        own = own_bar(row.rule, row.transfers, ahead.cost_b)
        strict = np.maximum(own, joint_bar(row.rule, ahead.cost_a, ahead.cost_b))
        milder = [t for t in range(len(own)) if np.any(own[t] < strict[t])]
        trust = row.trust_of
        yes, no = _sides(trust, strict)
        mild = [(t, *_sides(trust, own[t])) for t in milder]

        def chance(look: Any) -> F64:
            odds = yes * look
            mixed: F64 = odds / (odds + no)
            for t, lenient, hard in mild:
                odds = lenient * look
                mixed[t] += row.leniency * (odds / (odds + hard) - mixed[t])
            return np.where(row.is_mate, 1.0, mixed) if knows_mates else mixed

        self.good = chance(row.look.screen_good)
        self.bad = {d: chance(row.look.screen_bad[d]) for d in disguises}
        if ahead.pass_good is not None:
            self.good = self.good * ahead.pass_good
        if ahead.pass_bad is not None:
            self.bad = {d: found * ahead.pass_bad[d] for d, found in self.bad.items()}
        if ahead.pass_taking is not None:
            passes = np.where(row.transfers < 0.0, ahead.pass_taking, 1.0)
            self.good, self.bad = self.good * passes, {d: found * passes for d, found in self.bad.items()}


def _sides(trust: Any, bar: Any) -> tuple[Any, Any]:
    """Weights of yes and no before the look: A = yes e^s / (yes e^s + no)."""
    bar = np.minimum(np.maximum(bar, 0.0), 1.0)
    return trust * (1.0 - bar), bar * (1.0 - trust)


class Gains:
    """What an accepted deal brings the initiator, before toil, by transfer: if it turns out well, and if badly.

    u = theta S - tau - c_a - rho_a E + w_rep r_a, plus the value of trust, less the fines that levers make it expect.
    """

    def __init__(self, row: Prospects, disguises: Iterable[int]) -> None:
        """Work the gains out for the levels of disguise that are of interest."""
        rule, look, ahead = row.rule, row.look, row.foresight
        unfound = 1.0 - rule.discovery
        known = rule.discovery + unfound * ahead.reveal
        settled, paid = rule.settle_on_outcome, row.transfers + ahead.cost_a + ahead.sanction
        worth = TrustValue(row)
        self.trust_good = worth.of(known - unfound * ahead.false_alarm + (1.0 - known) * look.p_good)
        cleared = known - unfound * ahead.false_alarm
        # whoever says bad of a good outcome takes what is at stake, whatever the partner knows
        self.told_good = cleared * ahead.acclaim - ahead.false_alarm * ahead.forfeit
        shown = look.p_good + settled * (1.0 - look.p_good)
        self.payoff_good = payoff_given(rule, look.p_good, shown, look.attention_good)
        self.good = (self.payoff_good + self.trust_good - (ahead.fine_good - self.told_good)) - paid
        self.told_bad = unfound * ahead.oversight * ahead.acclaim - (known - unfound * ahead.oversight) * ahead.forfeit
        self.trust_bad: dict[int, Any] = {}
        self.payoff_bad: dict[int, Any] = {}
        self.bad: dict[int, Any] = {}
        for d in disguises:
            p = look.p_bad[d]
            self.trust_bad[d] = worth.of(unfound * ahead.oversight + (1.0 - known) * p)
            self.payoff_bad[d] = payoff_given(rule, p, p * (1.0 - settled), look.attention_bad[d])
            fine = 0.0 if ahead.fine_bad is None else ahead.fine_bad[d]
            self.bad[d] = (self.payoff_bad[d] + self.trust_bad[d] - (fine - self.told_bad)) - paid


def payoff_given(rule: Any, p_seen: Any, p_settled: Any, attention: Any) -> Any:
    """Theta S - rho_a E + w_rep r_a, before transfer and costs, at the p that the deal is expected to show."""
    r_a = rule.eta * reputation_signal(rule, p_seen, attention)
    surplus, externality = expected_surplus(rule, p_settled), expected_externality(rule, p_settled)
    return rule.theta * surplus - rule.rho_a * externality + rule.w_rep * r_a


class TrustValue:
    """V = patience u_bar (A(m') - A(m)): what one more outcome y in b's memory is worth to the proposer."""

    def __init__(self, row: Prospects) -> None:
        """Take what does not depend on the outcome."""
        self.trust, self.weight = row.trust_of, row.weight_of
        self.scale = row.rule.patience * np.maximum(row.payoff_mean, row.rule.payoff_floor) * row.foresight.keeps
        self.before = standard_chance(self.trust)
        self.total = self.trust * self.weight

    def of(self, outcome: Any) -> F64:
        """The value of an outcome that b will remember as y in [0, 1]."""
        moved = (self.total + outcome) / (self.weight + 1.0)
        worth: F64 = self.scale * (standard_chance(moved) - self.before)
        return worth
