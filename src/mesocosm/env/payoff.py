"""Payoffs: surplus, externality, what each side gets, and the bars a proposal has to clear."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.economy import Columns
from mesocosm.exact import micro

F64 = NDArray[np.float64]
SMALLEST_STAKE = 1e-12  # keeps a bar defined for a side that has nothing at stake


def outcome_chance(rule: Any, effort: Any, skill: Any, difficulty: Any) -> Any:
    """q = q_low + (q_high - q_low) e skill, the chance of a good outcome.

    With `conduct.quality_follows_cost` w the gain from effort is multiplied by 1 - w (1 - x): at w = 1 a cheap task
    makes a bad product whatever the effort, which is what a market for lemons needs (Akerlof 1970).
    """
    gain = (rule.q_high - rule.q_low) * effort * skill
    tie = rule.quality_follows_cost
    if np.ndim(tie) or tie:
        gain = gain * (1.0 - tie * (1.0 - difficulty))
    return rule.q_low + gain


def expected_surplus(rule: Any, p: Any) -> Any:
    """S = p s+ - (1 - p) s-, in credits, when the outcome is good with probability p.

    Source   Plan, payoff engine; design section 2.
    """
    return p * rule.s_plus - (1.0 - p) * rule.s_minus


def expected_externality(rule: Any, p: Any) -> Any:
    """E = (1 - p) h, the harm to others, in credits."""
    return (1.0 - p) * rule.h


def initiator_payoff(rule: Columns, deal: Any, surplus: Any, externality: Any) -> Any:
    """pi_a = theta S - tau - c_a - rho_a E + w_rep r_a (utility: rho and w_rep terms are never credits)."""
    return (
        rule.theta * surplus - deal.tau - deal.c_a - rule.rho_a * externality + rule.w_rep * deal.r_a
    )  # r_a is the reputation signal of the deal


def counterparty_payoff(rule: Columns, deal: Any, surplus: Any, externality: Any) -> Any:
    """pi_b = (1 - theta) S + tau - c_b - rho_b E (a counterparty's reputation does not move with the deal)."""
    return (1.0 - rule.theta) * surplus + deal.tau - deal.c_b - rule.rho_b * externality


def own_bar(rule: Any, tau: Any, cost: Any) -> Any:
    """Least probability of a good outcome at which the counterparty gains from accepting.

    Source   design section 2: ((1-theta) s- + rho_b h - tau + c_b) / ((1-theta)(s+ + s-) + rho_b h).
    """
    share = 1.0 - rule.theta
    stake = share * (rule.s_plus + rule.s_minus) + rule.rho_b * rule.h
    return (share * rule.s_minus + rule.rho_b * rule.h - tau + cost) / np.maximum(stake, SMALLEST_STAKE)


def initiator_bar(rule: Any, tau: Any, cost: Any) -> Any:
    """Least probability of a good outcome at which the initiator gains: the mirror of `own_bar`."""
    stake = rule.theta * (rule.s_plus + rule.s_minus) + rule.rho_a * rule.h
    return (rule.theta * rule.s_minus + rule.rho_a * rule.h + tau + cost) / np.maximum(stake, SMALLEST_STAKE)


def joint_bar(rule: Any, cost_a: Any, cost_b: Any) -> Any:
    """Least probability of a good outcome at which both sides together gain (tau cancels).

    Source   design section 2; at rho_a + rho_b = 1 the social optimum (science notes 3.11).
    """
    harm = (rule.rho_a + rule.rho_b) * rule.h
    stake = rule.s_plus + rule.s_minus + harm
    return (rule.s_minus + harm + cost_a + cost_b) / np.maximum(stake, SMALLEST_STAKE)


def worst_case(rule: Columns, deal: Any) -> tuple[Any, Any]:
    """Micro-credits each side loses if the deal turns out as badly as it can (p = 0; penalties apart), at least 0.

    Every part is rounded as it is when paid, so that no payment can exceed it, not even by a micro-credit.
    """
    share_a, share_b = _micro(rule.theta * rule.s_minus), _micro((1.0 - rule.theta) * rule.s_minus)
    tau = _micro(deal.tau)
    loss_a = share_a + tau + _micro(deal.c_a) + _micro(deal.private_cost)
    loss_b = share_b - tau + _micro(deal.c_b)
    return np.maximum(loss_a, 0), np.maximum(loss_b, 0)


def _micro(amount: Any) -> Any:
    return micro(np.asarray(amount, dtype=np.float64))
