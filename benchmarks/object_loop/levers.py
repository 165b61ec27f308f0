"""The levers, one deal at a time; each runs in order of its phase, then of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.breaker import CircuitBreaker
from benchmarks.object_loop.foresight import Foresight, believed, usual_payoff
from benchmarks.object_loop.interaction import Deal
from benchmarks.object_loop.lever import Lever
from benchmarks.object_loop.penalty import CollusionPenalty
from benchmarks.object_loop.pledges import Bonds, Staking, tell_slashed
from benchmarks.object_loop.scalar import MICRO, micro
from benchmarks.object_loop.scrutiny import ModeratorAgent, TransparencyLedger
from benchmarks.object_loop.society import Agent

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play


class Redraw(Lever):
    """The same society with other luck."""

    name = "redraw"
    phase = 0

    def __init__(self, play: Play, params: dict[str, Any]) -> None:
        super().__init__(play, params)
        self.fired = int(self.salt() > 0)

    def salt(self) -> int:
        """Which other luck."""
        return int(self.params["stream"])


class Oracle(Lever):
    """Refuses what would turn out badly, which nobody could know."""

    name = "oracle"
    phase = 5

    def admits(self, deal: Deal) -> bool:
        """Good outcomes, and bad ones that escape."""
        passes = deal.good or self.play.draws.uniform(self.purpose, deal.a.slot) >= self.params["reach"]
        self.fired += not passes
        return passes

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """Bad outcomes pass with what is left of the reach."""
        ahead.passes_bad = [chance * (1.0 - self.params["reach"]) for chance in ahead.passes_bad]


class BandwidthCap(Lever):
    """At most max_actions proposals per epoch."""

    name = "bandwidth_cap"
    phase = 10

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """With l proposals left for s steps, one more costs 1 - l / s of a usual payoff; nothing where l >= s."""
        steps = self.play.rule.steps_per_epoch
        left_of_epoch = steps - self.play.step % steps
        left = max(self.params["max_actions"] - agent.proposed, 0)
        ahead.forgone += max(1.0 - left / left_of_epoch, 0.0) * usual_payoff(self.play.rule, agent)

    def may_propose(self, agent: Agent) -> bool:
        """Whether the agent has any left."""
        allowed = agent.proposed < self.params["max_actions"]
        self.fired += not allowed
        return bool(allowed)


class SybilCap(Lever):
    """So many identities an owner; in this loop everybody has one."""

    name = "sybil_cap"
    phase = 11


class IdentityCost(Lever):
    """A price on further identities; in this loop nobody has any."""

    name = "identity_cost"
    phase = 12


class Probation(Lever):
    """Newcomers propose little, and nothing that takes from the counterparty."""

    name = "probation"
    phase = 11

    def may_propose(self, agent: Agent) -> bool:
        """Whether the agent is past it, or has any left."""
        allowed = not self._binds(agent) or agent.proposed < self.params["max_proposals"]
        self.fired += not allowed
        return bool(allowed)

    def admits(self, deal: Deal) -> bool:
        """Nothing that takes from the counterparty."""
        passes = not (self._binds(deal.a) and deal.tau < 0.0)
        self.fired += not passes
        return passes

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """What takes from the counterparty does not pass."""
        if self._binds(agent):
            ahead.passes_taking = 0.0

    def _binds(self, agent: Agent) -> bool:
        since = agent.arrival_epoch
        counts = since > 0 or self.params["founders"] == "yes"
        return bool(counts and self.play.epoch - since < self.params["epochs"])


class ExternalityInternalisation(Lever):
    """Each side feels a part of the harm that the deal does to others."""

    name = "externality_internalisation"
    phase = 15

    def internalise(self) -> tuple[float, float]:
        """What is added to rho_a and rho_b."""
        return self.params["rho_a"], self.params["rho_b"]

    def on_settle(self, deals: list[Deal]) -> None:
        """It acts on every deal that is judged, whether or not it is then accepted and can be paid."""
        if max(self.internalise()) > 0.0:
            self.fired += sum(deal.reason in ("accepted", "declined", "uncovered", "over_budget") for deal in deals)


class TransactionTax(Lever):
    """Both sides pay rate * |tau|."""

    name = "transaction_tax"
    phase = 20

    def cost(self, tau: float) -> float:
        """rate * |tau|."""
        due: float = self.params["rate"] * abs(tau)
        return due

    def on_settle(self, deals: list[Deal]) -> None:
        """It acts on every accepted deal that costs something."""
        self.fired += sum(deal.accepted and self.cost(deal.tau) > 0.0 for deal in deals)


class MessageTax(Lever):
    """Every post and every reply has a price."""

    name = "message_tax"
    phase = 25

    def message_price(self) -> float:
        """The price."""
        price: float = self.params["price"]
        return price


class ReputationDecay(Lever):
    """Standing fades."""

    name = "reputation_decay"
    phase = 40

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """The part of the other's trust that rests on standing, s / (s + n), is about to lose its decay: the more of
        the epoch is over, the more.
        """
        rule, step = self.play.rule, self.play.step
        over = (step % rule.steps_per_epoch) / rule.steps_per_epoch
        fades = (1.0 - self.params["decay"]) * over
        _, behind = other.trust_in(agent, rule.prior_strength)
        ahead.keeps *= 1.0 - fades * rule.prior_strength / behind

    def on_epoch(self, agents: list[Agent]) -> None:
        """R <- decay * R."""
        for agent in agents:
            faded = agent.reputation * self.params["decay"]
            self.fired += faded != agent.reputation
            agent.reputation = faded


class VoteNormalisation(Lever):
    """A ballot counts at most so much, and a voter's say is split over its ballots."""

    name = "vote_normalisation"
    phase = 42

    def weigh_ballot(self, weight: float, cast: int) -> float:
        """(1 - s) w + s w / n, w capped."""
        share: float = self.params["share"]
        capped: float = min(weight, self.params["max_weight"])
        return (1.0 - share) * capped + share * (capped / max(cast, 1))


class RandomAudit(Lever):
    """Audits some accepted deals and fines the initiators of bad ones."""

    name = "random_audit"
    phase = 60

    def __init__(self, play: Play, params: dict[str, Any]) -> None:
        super().__init__(play, params)
        self.deals: dict[int, int] = {}  # accepted proposals made while there were audits
        self.audits: dict[int, int] = {}  # audits of them

    def on_settle(self, deals: list[Deal]) -> None:
        """Draw, fine, bring to light, log."""
        play, params = self.play, self.params
        for deal in deals:
            self.deals[deal.a.slot] = self.deals.get(deal.a.slot, 0) + (deal.accepted and params["probability"] > 0.0)
        by_outcome = params["reads"] == "outcome"
        found: list[tuple[Deal, bool, float]] = []
        slashed: list[tuple[Deal, int]] = []
        for deal in deals:
            if not deal.accepted or play.draws.uniform(self.purpose, deal.a.slot) >= params["probability"]:
                continue
            self.audits[deal.a.slot] = self.audits.get(deal.a.slot, 0) + 1
            correct = play.draws.uniform(self.second_purpose, deal.a.slot) < params["accuracy"]
            bad = deal.good != correct if by_outcome else deal.traces.p < 0.5
            cash, from_stake = play.books.fine(deal.a, micro(params["penalty"]) if bad else 0)
            deal.fine += (cash + from_stake) / MICRO
            deal.inspected, deal.audited, deal.told_good = True, by_outcome, not bad
            found.append((deal, bad, cash / MICRO))
            slashed.append((deal, from_stake))
        for deal, bad, fined in found:
            v = 1 if deal.good else -1
            play.log("audited", deal.seq, agent=deal.a.slot, v=v, found=bad, fine=fined)
        self.fired += len(found) + tell_slashed(play, "stake", slashed)

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """An audit with the chance it believes in, and a fine that is never more than its balance and stake."""
        params, evidence = self.params, self.play.evidence
        if params["probability"] == 0.0:
            return
        met, of = self.audits.get(agent.slot, 0), self.deals.get(agent.slot, 0)
        chance = believed(self.play.rule, params["probability"], met, of)
        due = chance * min(params["penalty"], max(agent.balance / MICRO, 0.0) + agent.stake / MICRO)
        if params["reads"] == "outcome":
            finds_good, finds_bad = 1.0 - params["accuracy"], [params["accuracy"]] * len(evidence.bad)
            ahead.misread = (1.0 - chance) * ahead.misread + chance * (1.0 - params["accuracy"])
            ahead.reveal = ahead.reveal + (1.0 - ahead.reveal) * chance
        else:
            finds_good, finds_bad = evidence.good.doubt, [look.doubt for look in evidence.bad]
        ahead.fine_good += due * finds_good
        ahead.fine_bad = [fine + due * finds for fine, finds in zip(ahead.fine_bad, finds_bad, strict=True)]


class Sham(Lever):
    """Fires, draws, notes, and changes nothing."""

    name = "sham"
    phase = 65

    def on_settle(self, deals: list[Deal]) -> None:
        """Note where it would have acted."""
        for deal in deals:
            luck = self.play.draws.uniform(self.purpose, deal.a.slot)
            if deal.accepted and luck < self.params["rate"]:
                self.play.annotate("note", lever=self.name, agent=deal.a.slot, value=luck)
                self.fired += 1


LEVERS: dict[str, type[Lever]] = {
    lever.name: lever
    for lever in (
        Redraw, Oracle, BandwidthCap, ExternalityInternalisation, TransactionTax, MessageTax, ReputationDecay,
        VoteNormalisation, RandomAudit, Staking, Bonds, Sham, CircuitBreaker, SybilCap, IdentityCost, Probation,
        CollusionPenalty, TransparencyLedger, ModeratorAgent,
    )
}  # fmt: skip


def levers_of(play: Play, governance: dict[str, dict[str, Any]]) -> list[Lever]:
    """The levers that a scenario asks for, in the order in which they run."""
    levers = [LEVERS[name](play, params) for name, params in governance.items()]
    return sorted(levers, key=lambda lever: (lever.phase, lever.name))
