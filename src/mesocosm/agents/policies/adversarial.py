"""Adversarial agents: as much harm as possible, together, at almost any personal cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.agents.duties import SEES_FOR_DUTIES, usual_acts
from mesocosm.agents.response import better_candidate, most_harmful, picked
from mesocosm.api import Acts, Mask, Policy, Proposals, View
from mesocosm.registry import policy


@policy("adversarial")
@dataclass(frozen=True)
class Adversarial(Policy):
    """Maximise expected harm: no effort, the disguise and transfer that get most of it accepted.

    Knows only its own coalition (all adversaries of its replicate): mates accept each other and vote for each other.
    Shapes   k = rows under this policy; every input and output is (k,) or (2, k).
    Source   Plan 1.1, Agent Type Behaviors; design section 2.
    """

    sees: ClassVar[tuple[str, ...]] = (
        *SEES_FOR_DUTIES, "difficulty", "exists", "trust_of", "is_mate", "skill", "odds",
    )  # fmt: skip
    second_proposal: ClassVar[float] = 1.0
    ballot_weight: ClassVar[float] = 4.0
    coalition: ClassVar[bool] = True

    def act(self, view: View) -> Acts:
        """Vote mates up and everybody else down, pass mates' work, reject everybody else's, work without effort."""
        return usual_acts(
            view,
            vote=np.where(view.author_is_mate, 1, -1),
            approve=view.task_worker_is_mate,
            effort=0.0,
            distrusts=~view.author_is_mate,
        )

    def propose(self, view: View) -> Proposals:
        """Always propose, to the candidate with whom most harm can be done."""
        options = most_harmful(view)
        choice = better_candidate(view, [option.value for option in options])
        best = picked(choice, options)
        return Proposals(choice, best.effort, best.disguise, best.transfer)

    def accept(self, view: View) -> Mask:
        """Accept mates, and whatever will probably go wrong (p~ < .5)."""
        accepted: Mask = view.is_mate | (view.odds < 1.0)
        return accepted
