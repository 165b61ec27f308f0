"""Opportunistic agents: whatever pays best for themselves, under the public rules and what they have seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.agents.duties import SEES_FOR_DUTIES, usual_acts
from mesocosm.agents.prospects import Prospects
from mesocosm.agents.response import better_of_two, clears, first_of_two, highest, weighed_payoffs, worth
from mesocosm.api import F64, Acts, Mask, Policy, Proposals, View, Weighed
from mesocosm.env.bidding import Way, best_conduct, cost_and_chance, equilibrium_bid, gain_of_dispute
from mesocosm.env.payoff import outcome_chance
from mesocosm.registry import policy


@policy("opportunistic")
@dataclass(frozen=True)
class Opportunistic(Policy):
    """Maximise own payoff: best response over effort, disguise and transfer; accept when p~ exceeds the own bar.

    Learning, it counts what levers cost, fine, refuse and freeze, with chances corrected by what it has met.
    Shapes   k = rows under this policy; every input and output is (k,) or (2, k).
    Source   Plan 1.1, Agent Type Behaviors; design section 2, Best response.
    """

    sees: ClassVar[tuple[str, ...]] = (
        *SEES_FOR_DUTIES, "difficulty", "exists", "trust_of", "weight_of", "leniency", "payoff_mean", "skill", "odds",
        "own_bar",
    )  # fmt: skip
    second_proposal: ClassVar[float] = 0.5
    adaptive: ClassVar[bool] = True
    splits: ClassVar[bool] = True

    def act(self, view: View) -> Acts:
        """Approve any work (it pays on completion), work if the reward covers the effort, vote by trust."""
        rule, x = view.rule, view.task_difficulty
        full, none = (outcome_chance(rule, effort, view.skill, x) for effort in (1.0, 0.0))
        works = (full - none) * view.task_reward > rule.effort_cost * x
        return usual_acts(
            view,
            vote=np.where(view.author_trust >= 0.5, 1, -1),
            approve=True,
            effort=np.where(works, 1.0, 0.0),
            distrusts=False,
        )

    def propose(self, view: View) -> Proposals:
        """Propose the best cell to the better candidate if it is worth more than nothing, and than keeping it back."""
        row = Prospects(view)
        choice, best = better_of_two(view, highest(row, worth(row, *every_cell(view))))
        needed = 0.0 if view.foresight is None else first_of_two(view.foresight.forgone, len(view))
        return Proposals(np.where(best.value > needed, choice, -1), best.effort, best.disguise, best.transfer)

    def accept(self, view: View) -> Mask:
        """Accept iff p~ > own bar."""
        accepted: Mask = clears(view.odds, view.own_bar)
        return accepted

    def weigh(self, view: View) -> Weighed:
        """Every cell with either candidate, in credits of expected payoff."""
        row = Prospects(view)
        return weighed_payoffs(view, row, worth(row, *every_cell(view)))

    def bid(self, view: View) -> F64:
        """Bid by what the way of working that pays best at the offer would cost and bring."""
        way, _ = best_conduct(view, view.offer, *every_cell(view))
        return equilibrium_bid(
            view, *cost_and_chance(view, view.menu.effort[way.effort], view.menu.disguise[way.disguise])
        )

    def deliver(self, view: View) -> Way:
        """Work as pays best at the price: the chance of being paid against the cost."""
        return best_conduct(view, view.price, *every_cell(view))[0]

    def dispute(self, view: View) -> Mask:
        """Dispute where it pays on average."""
        pays: Mask = gain_of_dispute(view) > 0.0
        return pays


def every_cell(view: View) -> tuple[range, range]:
    """All levels of effort and of disguise."""
    return range(len(view.menu.effort)), range(len(view.menu.disguise))
