"""Opportunistic agents: whatever pays best for themselves, under the public rules and what they have seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.agents.duties import SEES_FOR_DUTIES, usual_acts
from mesocosm.agents.response import best_response, better_candidate, clears, picked
from mesocosm.api import Acts, Mask, Policy, Proposals, View
from mesocosm.registry import policy


@policy("opportunistic")
@dataclass(frozen=True)
class Opportunistic(Policy):
    """Maximise own payoff: best response over effort, disguise and transfer; accept when p~ exceeds the own bar.

    Shapes   k = rows under this policy; every input and output is (k,) or (2, k).
    Source   Plan 1.1, Agent Type Behaviors; design section 2, Best response.
    """

    sees: ClassVar[tuple[str, ...]] = (
        *SEES_FOR_DUTIES, "difficulty", "exists", "trust_of", "weight_of", "payoff_mean", "skill", "odds", "own_bar",
    )  # fmt: skip
    second_proposal: ClassVar[float] = 0.5

    def act(self, view: View) -> Acts:
        """Approve any work (it pays on completion), work if the reward covers the effort, vote by trust."""
        gain = (view.rule.q_high - view.rule.q_low) * view.task_reward
        works = gain > view.rule.effort_cost * view.task_difficulty
        return usual_acts(
            view,
            vote=np.where(view.author_trust >= 0.5, 1, -1),
            approve=True,
            effort=np.where(works, 1.0, 0.0),
            distrusts=False,
        )

    def propose(self, view: View) -> Proposals:
        """Propose the best cell to the better candidate if it is worth more than nothing."""
        every = range(len(view.menu.effort)), range(len(view.menu.disguise))
        options = best_response(view, *every)
        choice = better_candidate(view, [option.value for option in options])
        best = picked(choice, options)
        return Proposals(np.where(best.value > 0.0, choice, -1), best.effort, best.disguise, best.transfer)

    def accept(self, view: View) -> Mask:
        """Accept iff p~ > own bar."""
        accepted: Mask = clears(view.odds, view.own_bar)
        return accepted
