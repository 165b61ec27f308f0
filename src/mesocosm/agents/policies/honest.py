"""Honest agents: full effort, no disguise, no transfer; accept what is good for both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.agents.duties import SEES_FOR_DUTIES, usual_acts
from mesocosm.agents.response import better_candidate, clears
from mesocosm.api import Acts, Mask, Policy, Proposals, View, Weighed
from mesocosm.registry import param, policy


@policy("honest")
@dataclass(frozen=True)
class Honest(Policy):
    """Maximise joint surplus: conduct (1, 0, 0), and accept when p~ exceeds both the own and the joint bar.

    Params   threshold: added to the bar, a probability in [-1, 1].
    Shapes   k = rows under this policy; every input and output is (k,) or (2, k).
    Source   Plan 1.1, Agent Type Behaviors; design section 2.
    """

    sees: ClassVar[tuple[str, ...]] = (
        *SEES_FOR_DUTIES, "exists", "trust_in", "odds", "own_bar", "joint_bar",
    )  # fmt: skip
    threshold: float = param(0.0, about="added to the bar a proposal has to clear", unit="probability", ge=-1.0, le=1.0)

    def act(self, view: View) -> Acts:
        """Work with full effort, approve what looks good, vote by trust."""
        trusts = view.author_trust >= 0.5
        return usual_acts(
            view,
            vote=np.where(trusts, 1, -1),
            approve=view.task_evidence > 1.0,
            effort=1.0,
            distrusts=view.author_trust < view.rule.minimum,
        )

    def propose(self, view: View) -> Proposals:
        """Ask the more trusted of two candidates, nobody below the least trust."""
        choice = better_candidate(view, view.trust_in)
        trust = np.where(choice == 1, view.trust_in[1], view.trust_in[0])
        choice = np.where(trust < view.rule.minimum, -1, choice)
        level = np.zeros(len(view), dtype=np.int64)
        return Proposals(choice, level + (len(view.menu.effort) - 1), level, level + view.menu.level_still)

    def weigh(self, view: View) -> Weighed:
        """Either candidate, by how much it is trusted."""
        there = np.flatnonzero([bool(known[0]) for known in view.exists])
        level = np.zeros(len(there), dtype=np.int64)
        trust = np.array([float(view.trust_in[candidate][0]) for candidate in there])
        best = level + (len(view.menu.effort) - 1)
        return Weighed(there, best, level, level + view.menu.level_still, trust, "trust", {})

    def accept(self, view: View) -> Mask:
        """Accept iff p~ > max(own, joint)."""
        accepted: Mask = clears(view.odds, np.maximum(view.own_bar, view.joint_bar) + self.threshold)
        return accepted
