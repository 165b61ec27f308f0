"""The four policies, one agent and one question at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.expectation import Expectation, Prospect, Terms, clears, outcome_chance
from benchmarks.object_loop.foresight import Foresight, usual_payoff
from benchmarks.object_loop.scalar import MICRO

if TYPE_CHECKING:
    from benchmarks.object_loop.society import Agent, Task

SUSPECT_ODDS = 0.4 / 0.6
SHARE_OF_BUDGET = {"planner": 0.25, "worker": 0.5, "verifier": 0.25}


@dataclass(slots=True)
class Offer:
    """A proposal as its counterparty sees it."""

    odds: float  # that the outcome is good, after an own look
    own: float
    joint: float
    tau: float
    from_mate: bool


@dataclass(slots=True)
class Choice:
    """A proposal as its initiator makes it: whom to ask (0 or 1), and the places in the menus."""

    candidate: int
    effort: int
    disguise: int
    transfer: int


@dataclass(slots=True)
class Meeting:
    """The candidates that an agent meets and what it may ask about them."""

    me: Agent
    others: list[Agent]
    x: float
    step: int
    rule: Any
    ahead: list[Foresight]  # by candidate

    def trust_in(self, k: int) -> float:
        """How much the agent trusts a candidate."""
        return self.me.trust_in(self.others[k], self.rule.prior_strength)[0]

    def prospect(self, k: int) -> Prospect:
        """What the agent knows when it weighs a candidate."""
        me, other, rule = self.me, self.others[k], self.rule
        trust, weight = other.trust_in(me, rule.prior_strength)
        return Prospect(
            trust=trust,
            weight=weight,
            leniency=me.leniency_of(other, rule.leniency),
            is_mate=me.is_mate(other),
            x=self.x,
            skill=me.skill,
            usual_payoff=usual_payoff(rule, me),
            ahead=self.ahead[k],
        )


def better(scores: list[float]) -> int:
    """Place of the highest of at most two scores; the first wins ties."""
    return 1 if len(scores) > 1 and scores[1] > scores[0] else 0


class Mind:
    """What all policies share: they know the public rules.

    Params   expects: what proposals are thought to bring, under the rules that the mind reckons with;
             learns: whether it responds to levers and learns from what it meets, if it is one that weighs payoffs.
    """

    name = ""
    second_proposal = 0.0
    ballot_weight = 1.0
    coalition = False
    adaptive = False  # weighs payoffs

    def __init__(self, rule: Any, expects: Expectation, params: dict[str, Any], learns: bool) -> None:
        self.rule = rule
        self.expects = expects
        self.params = params
        self.learns = learns and self.adaptive
        self.still = rule.transfer_menu.index(0.0)

    @property
    def blind(self) -> bool:
        """Whether it weighs payoffs without a thought for levers."""
        return self.adaptive and not self.learns

    def vote(self, trust: Callable[[], float], mate: bool) -> int:
        """Vote on a post, +1 or -1."""
        return 1 if trust() >= 0.5 else -1

    def distrusts(self, trust: Callable[[], float], mate: bool) -> bool:
        """Whether, as a moderator, it hides the author's post."""
        return False

    def approves(self, evidence: Callable[[], float], mate: bool) -> bool:
        """Whether, as a verifier, it passes the work."""
        return True

    def effort(self, me: Agent, task: Task) -> float:
        """Effort on a task it holds."""
        return 1.0

    def propose(self, meeting: Meeting) -> Choice | None:
        """Whom to ask for what deal; None for nobody."""
        raise LookupError(self.name)

    def accepts(self, offer: Offer) -> bool:
        """Whether to accept a proposal."""
        raise LookupError(self.name)

    def _builds(self, k: int) -> Choice:
        """Full effort, no disguise, no transfer."""
        return Choice(k, len(self.rule.effort_menu) - 1, 0, self.still)


class Honest(Mind):
    """Full effort for whom it trusts; accepts what is good for both sides."""

    name = "honest"

    def distrusts(self, trust: Callable[[], float], mate: bool) -> bool:
        """Below the least trust."""
        return bool(trust() < self.rule.minimum)

    def approves(self, evidence: Callable[[], float], mate: bool) -> bool:
        """If the work is more likely good than not."""
        return evidence() > 1.0

    def propose(self, meeting: Meeting) -> Choice | None:
        """Ask the more trusted one, unless trust is below the least."""
        if not meeting.others:
            return None
        trust = [meeting.trust_in(k) for k in range(len(meeting.others))]
        k = better(trust)
        return None if trust[k] < self.rule.minimum else self._builds(k)

    def accepts(self, offer: Offer) -> bool:
        """Both sides must gain."""
        return clears(offer.odds, max(offer.own, offer.joint) + self.params["threshold"])


class Opportunistic(Mind):
    """Whatever pays best."""

    name = "opportunistic"
    adaptive = True
    second_proposal = 0.5

    def effort(self, me: Agent, task: Task) -> float:
        """Works if its share of the pay, times what effort changes, exceeds the cost."""
        rule = self.rule
        reward = task.budget / MICRO * SHARE_OF_BUDGET.get(me.role, 0.0)
        full, none = (outcome_chance(rule, effort, me.skill, task.difficulty) for effort in (1.0, 0.0))
        return 1.0 if (full - none) * reward > rule.effort_cost * task.difficulty else 0.0

    def propose(self, meeting: Meeting) -> Choice | None:
        """The best deal with the better candidate, if it is worth anything, and more than keeping the proposal back."""
        if not meeting.others:
            return None
        rule = self.rule
        every = range(len(rule.effort_menu)), range(len(rule.disguise_menu)), range(len(rule.transfer_menu))
        best = [self.expects.best_response(meeting.prospect(k), *every) for k in range(len(meeting.others))]
        k = better([terms.value for terms in best])
        return chosen(k, best[k]) if best[k].value > meeting.ahead[k].forgone else None

    def accepts(self, offer: Offer) -> bool:
        """It must gain itself."""
        return clears(offer.odds, offer.own)


class Deceptive(Mind):
    """Builds trust, then spends it."""

    name = "deceptive"
    adaptive = True
    second_proposal = 0.5

    def vote(self, trust: Callable[[], float], mate: bool) -> int:
        """Flatters everybody."""
        return 1

    def propose(self, meeting: Meeting) -> Choice | None:
        """Turn to the most trusting one; exploit if trusted enough, not caught lately and, learning, if it pays."""
        if not meeting.others:
            return None
        rule = self.rule
        prospects = [meeting.prospect(k) for k in range(len(meeting.others))]
        k = better([prospect.trust for prospect in prospects])
        quiet = meeting.step - meeting.me.caught_step >= rule.caution_steps
        if prospects[k].trust > rule.exploit_trust and quiet:
            terms = self._exploit(prospects[k])
            if not self.learns or terms.value > self._honest_worth(prospects[k]):
                return chosen(k, terms)
        return self._builds(k)

    def _exploit(self, prospect: Prospect) -> Terms:
        """The best deal with no effort and some disguise."""
        levels, transfers = len(self.rule.disguise_menu), range(len(self.rule.transfer_menu))
        return self.expects.best_response(prospect, range(1), range(min(1, levels - 1), levels), transfers)

    def _honest_worth(self, prospect: Prospect) -> float:
        """What building trust would be worth."""
        efforts, still = len(self.rule.effort_menu), range(self.still, self.still + 1)
        return self.expects.best_response(prospect, range(efforts - 1, efforts), range(1), still).value

    def accepts(self, offer: Offer) -> bool:
        """It must gain itself; or the deal will probably go wrong and it does not pay."""
        return clears(offer.odds, offer.own) or (offer.odds < SUSPECT_ODDS and offer.tau >= 0.0)


class Adversarial(Mind):
    """As much harm as possible, together with its coalition."""

    name = "adversarial"
    adaptive = True
    second_proposal = 1.0
    ballot_weight = 4.0
    coalition = True

    def vote(self, trust: Callable[[], float], mate: bool) -> int:
        """Mates up, everybody else down."""
        return 1 if mate else -1

    def distrusts(self, trust: Callable[[], float], mate: bool) -> bool:
        """Hides posts of everybody else."""
        return not mate

    def approves(self, evidence: Callable[[], float], mate: bool) -> bool:
        """Passes the work of mates only."""
        return mate

    def effort(self, me: Agent, task: Task) -> float:
        """None."""
        return 0.0

    def propose(self, meeting: Meeting) -> Choice | None:
        """Where most harm can be done."""
        if not meeting.others:
            return None
        best = [self.expects.most_harmful(meeting.prospect(k)) for k in range(len(meeting.others))]
        k = better([terms.value for terms in best])
        return chosen(k, best[k])

    def accepts(self, offer: Offer) -> bool:
        """Mates, and what will probably go wrong."""
        return offer.from_mate or offer.odds < 1.0


def chosen(k: int, terms: Terms) -> Choice:
    """The choice that terms with a candidate amount to."""
    return Choice(k, terms.effort, terms.disguise, terms.transfer)


MINDS = {mind.name: mind for mind in (Honest, Opportunistic, Deceptive, Adversarial)}
