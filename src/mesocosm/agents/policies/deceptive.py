"""Deceptive agents: build trust with good conduct, then spend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.agents.duties import SEES_FOR_DUTIES, usual_acts
from mesocosm.agents.prospects import Prospects
from mesocosm.agents.response import better_candidate, clears, highest, weighed_payoffs, worth
from mesocosm.api import F64, Acts, Mask, Policy, Proposals, View, Weighed
from mesocosm.env.bidding import Way, best_conduct, cost_and_chance, gain_of_dispute
from mesocosm.registry import policy

SUSPECT_ODDS = 0.4 / 0.6  # p~ < .4: a deal that will probably go wrong


@policy("deceptive")
@dataclass(frozen=True)
class Deceptive(Policy):
    """Manipulate what others see: conduct (1, 0, 0) until trusted, then no effort under disguise.

    Exploits a partner whose trust exceeds `adaptive.exploit_trust`, unless caught in the last `caution_steps` steps,
    and, learning, unless building more trust is worth more under the rules in force.
    Accepts what serves itself, and also what will probably go wrong as long as it is not the one who pays.
    Shapes   k = rows under this policy; every input and output is (k,) or (2, k).
    Source   Plan 1.1, Agent Type Behaviors; design section 2.
    """

    sees: ClassVar[tuple[str, ...]] = (
        *SEES_FOR_DUTIES, "difficulty", "exists", "trust_of", "weight_of", "leniency", "payoff_mean",
        "steps_since_caught", "skill", "odds", "own_bar", "tau",
    )  # fmt: skip
    second_proposal: ClassVar[float] = 0.5
    adaptive: ClassVar[bool] = True
    splits: ClassVar[bool] = True

    def act(self, view: View) -> Acts:
        """Do good work in the open and flatter everybody."""
        return usual_acts(view, vote=1, approve=True, effort=1.0, distrusts=False)

    def propose(self, view: View) -> Proposals:
        """Turn to the most trusting candidate; build trust or exploit it."""
        choice = better_candidate(view, view.trust_of)
        menu, rule = view.menu, view.rule
        trust = np.where(choice == 1, view.trust_of[1], view.trust_of[0])
        exploits = (choice >= 0) & (trust > rule.exploit_trust) & (view.steps_since_caught >= rule.caution_steps)
        effort = np.full(len(view), len(menu.effort) - 1)
        disguise, transfer = np.zeros_like(effort), np.full_like(effort, menu.level_still)
        asked = np.flatnonzero(exploits)
        if len(asked):
            row = Prospects(view, asked + choice[asked] * len(view))
            best = highest(row, worth(row, *tempting_cells(view)))
            learns = view.learning[asked]
            if learns.any():
                kept = ~learns | (best.value > honest_worth(view, row))
                asked, best = asked[kept], best.at(kept)
            effort[asked], disguise[asked], transfer[asked] = best.effort, best.disguise, best.transfer
        return Proposals(choice, effort, disguise, transfer)

    def accept(self, view: View) -> Mask:
        """Accept iff p~ > own bar, or p~ < .4 and tau >= 0."""
        accepted: Mask = clears(view.odds, view.own_bar) | ((view.odds < SUSPECT_ODDS) & (view.tau >= 0.0))
        return accepted

    def weigh(self, view: View) -> Weighed:
        """Exploiting, and (learning) building, with the candidate that trusts it most."""
        choice = int(better_candidate(view, view.trust_of)[0])
        row = Prospects(view)
        cells = [*worth(row, *tempting_cells(view)), *worth(row, *honest_cells(view))]
        found = weighed_payoffs(view, row, iter(cells))
        built = (found.effort == len(view.menu.effort) - 1) & (found.disguise == 0)
        fits = (found.candidate == choice) & (~built | (found.transfer == view.menu.level_still))
        return found.only(fits)

    def bid(self, view: View) -> F64:
        """Bid like honest agents; where trusted, halfway down to what disguised work would have to bring."""
        fair = super().bid(view)
        way, _ = best_conduct(view, view.offer, *tempting_cells(view))
        cost, paid = cost_and_chance(view, view.menu.effort[way.effort], view.menu.disguise[way.disguise])
        most = np.where(fair > 0.0, fair, view.offer)
        least = cost / paid
        return np.where(_is_trusted(view) & (least < most), (least + most) / 2.0, fair)

    def deliver(self, view: View) -> Way:
        """Work with full effort until trusted, then under the disguise that pays best."""
        fair, trusted = super().deliver(view), _is_trusted(view)
        way, _ = best_conduct(view, view.price, *tempting_cells(view))
        return Way(np.where(trusted, way.effort, fair.effort), np.where(trusted, way.disguise, fair.disguise))

    def dispute(self, view: View) -> Mask:
        """Dispute where it pays on average."""
        pays: Mask = gain_of_dispute(view) > 0.0
        return pays


def _is_trusted(view: View) -> Mask:
    """Whether a poster trusts the agent enough to be exploited, and nothing bad came to light lately."""
    rule = view.rule
    trusted: Mask = (view.trust_of > rule.exploit_trust) & (view.steps_since_caught >= rule.caution_steps)
    return trusted


def tempting_cells(view: View) -> tuple[range, range]:
    """No effort, some disguise."""
    levels = len(view.menu.disguise)
    return range(1), range(min(1, levels - 1), levels)


def honest_cells(view: View) -> tuple[range, range]:
    """Full effort, no disguise."""
    efforts = len(view.menu.effort)
    return range(efforts - 1, efforts), range(1)


def honest_worth(view: View, row: Prospects) -> F64:
    """What full effort, no disguise and no transfer would be worth."""
    [(_, _, value)] = worth(row, *honest_cells(view))
    still: F64 = value[view.menu.level_still]
    return still
