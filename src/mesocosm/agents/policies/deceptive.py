"""Deceptive agents: build trust with good conduct, then spend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.agents.duties import SEES_FOR_DUTIES, usual_acts
from mesocosm.agents.response import best_response, better_candidate, clears, picked
from mesocosm.api import Acts, Mask, Policy, Proposals, View
from mesocosm.registry import policy

SUSPECT_ODDS = 0.4 / 0.6  # p~ < .4: a deal that will probably go wrong


@policy("deceptive")
@dataclass(frozen=True)
class Deceptive(Policy):
    """Manipulate what others see: conduct (1, 0, 0) until trusted, then no effort under disguise.

    Exploits a partner whose trust exceeds `adaptive.exploit_trust`, unless caught in the last `caution_steps` steps.
    Accepts what serves itself, and also what will probably go wrong as long as it is not the one who pays.
    Shapes   k = rows under this policy; every input and output is (k,) or (2, k).
    Source   Plan 1.1, Agent Type Behaviors; design section 2.
    """

    sees: ClassVar[tuple[str, ...]] = (
        *SEES_FOR_DUTIES, "difficulty", "exists", "trust_of", "weight_of", "payoff_mean", "steps_since_caught", "skill",
        "odds", "own_bar", "tau",
    )  # fmt: skip
    second_proposal: ClassVar[float] = 0.5

    def act(self, view: View) -> Acts:
        """Do good work in the open and flatter everybody."""
        return usual_acts(view, vote=1, approve=True, effort=1.0, distrusts=False)

    def propose(self, view: View) -> Proposals:
        """Turn to the most trusting candidate; build trust or exploit it."""
        choice = better_candidate(view, [view.trust_of[0], view.trust_of[1]])
        menu, rule = view.menu, view.rule
        trust = np.where(choice == 1, view.trust_of[1], view.trust_of[0])
        exploits = (trust > rule.exploit_trust) & (view.steps_since_caught >= rule.caution_steps)
        cells = range(1), range(min(1, len(menu.disguise) - 1), len(menu.disguise))
        best = picked(choice, best_response(view, *cells))
        return Proposals(
            choice,
            np.where(exploits, best.effort, len(menu.effort) - 1),
            np.where(exploits, best.disguise, 0),
            np.where(exploits, best.transfer, menu.level_still),
        )

    def accept(self, view: View) -> Mask:
        """Accept iff p~ > own bar, or p~ < .4 and tau >= 0."""
        accepted: Mask = clears(view.odds, view.own_bar) | ((view.odds < SUSPECT_ODDS) & (view.tau >= 0.0))
        return accepted
