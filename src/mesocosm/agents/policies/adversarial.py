"""Adversarial agents: as much harm as possible, together, at almost any personal cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.agents.duties import SEES_FOR_DUTIES, usual_acts
from mesocosm.agents.prospects import Prospects
from mesocosm.agents.response import better_of_two, harm, highest, weighed
from mesocosm.api import F64, Acts, Mask, Policy, Proposals, View, Weighed
from mesocosm.env.bidding import Way
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
        *SEES_FOR_DUTIES, "difficulty", "exists", "trust_of", "leniency", "is_mate", "skill", "odds",
    )  # fmt: skip
    second_proposal: ClassVar[float] = 1.0
    ballot_weight: ClassVar[float] = 4.0
    coalition: ClassVar[bool] = True
    adaptive: ClassVar[bool] = True
    splits: ClassVar[bool] = True
    seeks_harm: ClassVar[bool] = True

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
        row = Prospects(view)
        choice, best = better_of_two(view, highest(row, harm(row, range(1), range(len(view.menu.disguise)))))
        return Proposals(choice, best.effort, best.disguise, best.transfer)

    def accept(self, view: View) -> Mask:
        """Accept mates, and whatever will probably go wrong (p~ < .5)."""
        accepted: Mask = view.is_mate | (view.odds < 1.0)
        return accepted

    def weigh(self, view: View) -> Weighed:
        """Every cell without effort, with either candidate, in expected harm."""
        row = Prospects(view)
        cells = harm(row, range(1), range(len(view.menu.disguise)))
        return weighed(view, row, cells, "credits of expected harm, less a little of its cost")

    def bid(self, view: View) -> F64:
        """Ask half of what full effort would cost: little enough to win, since none will be made."""
        asked: F64 = np.minimum(np.maximum(view.work_cost / 2.0, 1e-6), view.offer)
        return asked

    def deliver(self, view: View) -> Way:
        """Hand in bad work under most disguise, except to mates."""
        fair = super().deliver(view)
        most = len(view.menu.disguise) - 1
        return Way(np.where(view.is_mate, fair.effort, 0), np.where(view.is_mate, fair.disguise, most))

    def dispute(self, view: View) -> Mask:
        """Dispute everything, except with mates."""
        others: Mask = ~view.is_mate
        return others
