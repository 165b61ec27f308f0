"""What a proposer expects: the chance of acceptance, and the value of every cell of effort, disguise and transfer.

Everything is rational in odds: A = 1 / (1 + e^-s odds(bar) / odds(m)), so no exponential is computed per row.
Source   design section 2, "Belief of acceptance" and "Best response".
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.api import View
from mesocosm.env.payoff import expected_externality, expected_surplus, joint_bar, own_bar
from mesocosm.env.proxy import reputation_signal

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

OMEGA = 0.5  # weight of "judges by its own bar" against "by the joint bar too", before any experience
STANDARD_LOOK = float(exact.exp(1.0))  # e^s of a deal that looks good, used for the value of trust
STANDARD_BAR = 1.0 / 3.0


class Acceptance(NamedTuple):
    """Chance that a candidate accepts, by transfer; and by disguise where the outcome is bad."""

    good: F64  # (T, k)
    bad: list[F64]  # [disguise], (T, k) each


class Choice(NamedTuple):
    """The best cell for each row: its value and its levels."""

    value: F64
    effort: I64
    disguise: I64
    transfer: I64


def clears(odds: Any, bar: Any) -> Any:
    """Whether odds of a good outcome exceed a bar given as a probability (bars may lie outside 0..1).

    Example
        >>> bool(clears(2.0, 0.5)), bool(clears(2.0, 0.7))
        (True, False)
    """
    return odds * (1.0 - bar) > bar


def acceptance_chance(trust: Any, look: Any, bar: Any) -> Any:
    """A = P(p~ > bar) when b's look is e^s with logistic noise: m e^s (1-bar) / (m e^s (1-bar) + bar (1-m))."""
    bar = np.minimum(np.maximum(bar, 0.0), 1.0)
    yes = trust * (1.0 - bar) * look
    return yes / (yes + bar * (1.0 - trust))


def believed_acceptance(view: Any, trust: F64, is_mate: Any, disguises: range) -> Acceptance:
    """The acceptance that a proposer expects from a candidate, mixed over the two kinds of bar.

    Mates accept whatever is proposed.
    """
    rule, menu, look = view.rule, view.menu, view.look
    own = own_bar(rule, _transfers(view), 0.0)
    strict = np.maximum(own, joint_bar(rule, 0.0, 0.0))
    same = bool(np.all(own == strict))

    def mixed(eye: Any) -> F64:
        chance: F64 = acceptance_chance(trust, eye, strict)
        if not same:
            chance = chance + OMEGA * (acceptance_chance(trust, eye, own) - chance)
        if is_mate is None:
            return chance
        surely: F64 = np.where(is_mate, 1.0, chance)
        return surely

    nothing = np.zeros(0)
    bad = [mixed(look.screen_bad[d]) if d in disguises else nothing for d in range(len(menu.disguise))]
    return Acceptance(mixed(look.screen_good), bad)


def _transfers(view: Any) -> Any:
    """(T, 1) or (T, k): the transfers that can be offered."""
    return view.rule.transfer * view.menu.transfer[:, None]


def value_of_trust(view: Any, trust: F64, weight: F64, outcome: Any) -> F64:
    """V = patience u_bar (A(m') - A(m)): what one more outcome y in b's memory is worth to the proposer."""
    rule = view.rule
    moved = (trust * weight + outcome) / (weight + 1.0)
    gain = acceptance_chance(moved, STANDARD_LOOK, STANDARD_BAR) - acceptance_chance(trust, STANDARD_LOOK, STANDARD_BAR)
    worth: F64 = rule.patience * np.maximum(view.payoff_mean, rule.payoff_floor) * gain
    return worth


def payoff_given(view: Any, p_seen: Any, p_settled: Any, attention: Any) -> Any:
    """u before transfer and private cost: theta S - rho_a E + w_rep r, at the p that the deal is expected to show."""
    rule = view.rule
    r_a = rule.eta * reputation_signal(rule, p_seen, attention)
    surplus, externality = expected_surplus(rule, p_settled), expected_externality(rule, p_settled)
    return rule.theta * surplus - rule.rho_a * externality + rule.w_rep * r_a


def quality(view: Any, effort: float) -> Any:
    """q = q_low + (q_high - q_low) e skill: the chance that the outcome is good."""
    return view.rule.q_low + (view.rule.q_high - view.rule.q_low) * effort * view.skill


def best_response(asked: View, efforts: range, disguises: range) -> list[Choice]:
    """The cell of transfer, disguise and effort with the highest expected payoff, for each of the two candidates.

    The first in that order wins a tie.
    """
    view = _both_candidates(asked)
    rule, menu, look = view.rule, view.menu, view.look
    trust, weight = view.trust, view.weight
    chance = believed_acceptance(view, trust, None, disguises)
    settled, tau = rule.settle_on_outcome, _transfers(view)
    p_good = look.p_good
    show_good = p_good + settled * (1.0 - p_good)
    seen_good = rule.discovery + (1.0 - rule.discovery) * p_good
    u_good = payoff_given(view, p_good, show_good, look.attention_good) + value_of_trust(view, trust, weight, seen_good)
    good = chance.good * (u_good - tau)
    best = _nothing_yet(len(menu.transfer), len(view))
    q = [quality(view, menu.effort[e]) for e in range(len(menu.effort))]
    for d in disguises:
        p_bad = look.p_bad[d]
        u_bad = payoff_given(view, p_bad, p_bad * (1.0 - settled), look.attention_bad[d])
        u_bad = u_bad + value_of_trust(view, trust, weight, (1.0 - rule.discovery) * p_bad)
        bad = chance.bad[d] * (u_bad - tau)
        gap, chance_gap = good - bad, chance.good - chance.bad[d]
        for e in efforts:
            toil = rule.effort_cost * view.difficulty * menu.effort[e] + rule.disguise_cost * menu.disguise[d]
            value = bad + q[e] * gap - toil * (chance.bad[d] + q[e] * chance_gap)
            _keep_better(best, value, (e, d))
    return _parted(_over_transfers(best))


def most_harmful(asked: View) -> list[Choice]:
    """The transfer and disguise, at the least effort, with the highest expected harm less a little of its cost."""
    view = _both_candidates(asked)
    rule, menu, look = view.rule, view.menu, view.look
    disguises = range(len(menu.disguise))
    chance = believed_acceptance(view, view.trust, np.concatenate(asked.is_mate), disguises)
    q, tau = quality(view, menu.effort[0]), _transfers(view)
    best = _nothing_yet(len(menu.transfer), len(view))
    for d in disguises:
        harm = (1.0 - q) * (1.0 - look.p_bad[d]) * rule.h
        toil = rule.effort_cost * view.difficulty * menu.effort[0] + rule.disguise_cost * menu.disguise[d]
        accepted = chance.bad[d] + q * (chance.good - chance.bad[d])
        _keep_better(best, harm * chance.bad[d] - rule.harm_cost_weight * (tau + toil) * accepted, (0, d))
    return _parted(_over_transfers(best))


class _Both:
    """A view with the rows of both candidates, one after the other: one evaluation instead of two."""

    rule: Any
    menu: Any
    look: Any
    trust: F64
    weight: F64
    difficulty: F64
    skill: F64
    payoff_mean: F64

    def __len__(self) -> int:
        return len(self.trust)


def _both_candidates(view: View) -> _Both:
    both, seen = _Both(), vars(view)
    both.menu, both.trust = view.menu, np.concatenate(view.trust_of)
    both.rule = view.rule.twice()
    both.look = SimpleNamespace(**{name: _twice(value) for name, value in vars(view.look).items()})
    if "weight_of" in seen:
        both.weight = np.concatenate(view.weight_of)
    for name in ("difficulty", "skill", "payoff_mean"):
        if name in seen:
            setattr(both, name, _twice(seen[name]))
    return both


def _twice(value: Any) -> Any:
    if isinstance(value, list):
        return [_twice(entry) for entry in value]
    return np.concatenate([value, value]) if isinstance(value, np.ndarray) else value


def _parted(choice: Choice) -> list[Choice]:
    half = len(choice.value) // 2
    parts: list[tuple[Any, ...]] = [tuple(c[:half] for c in choice), tuple(c[half:] for c in choice)]
    return [Choice(*part) for part in parts]


def _nothing_yet(n_transfers: int, k: int) -> Choice:
    shape = (n_transfers, k)
    return Choice(np.full(shape, -np.inf), *(np.zeros(shape, dtype=np.int64) for _ in range(3)))


def _keep_better(best: Choice, value: F64, cell: tuple[int, int]) -> None:
    """Note effort and disguise wherever they beat what was found so far for the same transfer."""
    better = value > best.value
    np.copyto(best.value, value, where=better)
    np.copyto(best.effort, cell[0], where=better)
    np.copyto(best.disguise, cell[1], where=better)


def _over_transfers(best: Choice) -> Choice:
    """The best transfer for each row, with the effort and disguise that go with it."""
    chosen = Choice(*(column[0].copy() for column in best))
    for t in range(1, len(best.value)):
        better = best.value[t] > chosen.value
        np.copyto(chosen.value, best.value[t], where=better)
        np.copyto(chosen.effort, best.effort[t], where=better)
        np.copyto(chosen.disguise, best.disguise[t], where=better)
        np.copyto(chosen.transfer, t, where=better)
    return chosen


def better_candidate(view: View, score: list[F64]) -> I64:
    """Which of two candidates has the higher score: 0 or 1, -1 where neither exists; the first wins ties."""
    second = view.exists[1] & (~view.exists[0] | (score[1] > score[0]))
    return np.where(second, 1, np.where(view.exists[0], 0, -1))


def picked(choice: I64, options: list[Choice]) -> Choice:
    """The best cell of the candidate that was picked for each row."""
    second = choice == 1
    return Choice(*(np.where(second, two, one) for one, two in zip(*options, strict=True)))
