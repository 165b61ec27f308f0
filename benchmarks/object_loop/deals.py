"""Proposals of one turn: made, drawn, put to the counterparties and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.object_loop.expectation import (
    after_answer,
    chance,
    initiator_bar,
    joint_bar,
    outcome_chance,
    own_bar,
)  # fmt: skip
from benchmarks.object_loop.foresight import Foresight, nothing_ahead
from benchmarks.object_loop.interaction import Deal
from benchmarks.object_loop.minds import Choice, Meeting, Offer
from benchmarks.object_loop.settling import settle
from benchmarks.object_loop.society import Agent
from mesocosm.rng import Purpose

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play


def trade(play: Play, agents: list[Agent]) -> None:
    """One turn of proposals, from the first look to the last lever."""
    deals = propose(play, agents)
    if not deals:
        return
    answer(play, deals)
    for deal in deals:
        learn_from_answer(play, deal)
    settle(play, deals)


def propose(play: Play, agents: list[Agent]) -> list[Deal]:
    """Ask agents for proposals; all decide on the same state."""
    made: list[tuple[Agent, Agent, float, Choice, tuple[float, float]]] = []
    barred = {agent.slot for lever in play.levers for agent in agents if not lever.may_propose(agent)}
    for agent in agents:
        if agent.frozen_until > play.step or agent.slot in barred:
            continue
        x = play.draws.uniform(Purpose.DIFFICULTY, agent.slot)
        others = candidates(play, agent)
        ahead = foretell(play, agent, others)
        choice = agent.mind.propose(Meeting(agent, others, x, play.step, play.rule, ahead))
        if choice is not None and may_propose(play, agent):
            told = ahead[choice.candidate]
            passes = told.passes_good, told.passes_bad[choice.disguise]
            made.append((agent, others[choice.candidate], x, choice, passes))
    for agent, *_ in made:
        agent.proposed += 1
    return [draw(play, *proposal) for proposal in made]


def candidates(play: Play, agent: Agent) -> list[Agent]:
    """Two other active agents, or as many as there are."""
    n = len(play.crowd) - 1
    if n < 1:
        return []
    high, low = play.draws.halves(Purpose.CANDIDATE, agent.slot)
    first = high * n >> 32
    second = low * max(n - 1, 1) >> 32
    second += second >= first
    both = [first, second] if n > 1 else [first]
    return [play.crowd[k + (k >= agent.place)] for k in both]


def foretell(play: Play, agent: Agent, others: list[Agent]) -> list[Foresight]:
    """What levers make an agent expect of proposals to others; agents that do not learn expect nothing of them."""
    if not (agent.mind.learns and play.levers):
        return [play.nothing_ahead] * len(others)
    told = []
    for other in others:
        ahead = nothing_ahead(len(play.rule.disguise_menu))
        for lever in play.levers:
            lever.foresee(agent, other, ahead)
        told.append(ahead)
    return told


def may_propose(play: Play, agent: Agent) -> bool:
    """Hold a proposal against the safety rails."""
    broken = ""
    if agent.dealings >= play.rule.max_interactions_per_step:
        broken = "max_interactions_per_step"
    elif agent.tokens < 1.0:
        broken = "rate_limit"
    if broken:
        agent.refused += 1
        play.log("refused", agent=agent.slot, rule=broken, attempt="propose")
        return False
    agent.tokens -= 1.0
    return True


def draw(play: Play, a: Agent, b: Agent, x: float, choice: Choice, passes: tuple[float, float]) -> Deal:
    """What the proposal would lead to, what it shows of that, and what the counterparty makes of it."""
    rule, draws = play.in_force, play.draws
    effort, disguise = rule.effort_menu[choice.effort], rule.disguise_menu[choice.disguise]
    tau = rule.transfer * rule.transfer_menu[choice.transfer]
    good = draws.uniform(Purpose.OUTCOME, a.slot) < outcome_chance(rule, effort, a.skill, x)
    look = play.evidence.good if good else play.evidence.bad[choice.disguise]
    trust, _ = b.trust_in(a, rule.prior_strength)
    u = draws.uniform(Purpose.SCREEN, a.slot)
    c_a, c_b = play.costs[choice.transfer]
    return Deal(
        a=a,
        b=b,
        x=x,
        effort=effort,
        disguise=disguise,
        level=choice.disguise,
        tau=tau,
        good=good,
        look=look,
        traces=play.evidence.observe(look, draws, a.slot),
        record=b.memory.get(a.slot),
        trust=trust,
        odds=trust / (1.0 - trust) * look.odds * (u / (1.0 - u)),
        private_cost=rule.effort_cost * x * effort + rule.disguise_cost * disguise,
        own=own_bar(rule, tau, c_b),
        joint=joint_bar(rule, c_a, c_b),
        c_a=c_a,
        c_b=c_b,
        leniency=a.leniency_of(b, rule.leniency),
        passes=passes,
    )


def answer(play: Play, deals: list[Deal]) -> None:
    """Counterparties answer; freezes, then rails, then levers come before what they want."""
    limit = play.rule.max_interactions_per_step
    for lever in play.levers:
        lever.before_answers(deals)
    for deal in play.in_order(deals):
        a, b = deal.a, deal.b
        admitted = [lever.admits(deal) for lever in play.levers]
        has_room = a.dealings < limit and b.dealings < limit
        a.dealings += 1
        b.dealings += 1
        if b.frozen_until > play.step:
            deal.reason = "counterparty_frozen"
        elif not has_room:
            deal.reason = "rail_interactions_per_step"
        elif not all(admitted):
            deal.reason = "refused_by_lever"
        elif says_yes(play, deal):
            deal.reason = "accepted"


def says_yes(play: Play, deal: Deal) -> bool:
    """The counterparty's policy decides, unless one rule decides for all."""
    rule, p = play.in_force, deal.traces.p
    if rule.acceptance == "all":
        return True
    if rule.acceptance == "joint":
        return p > deal.joint
    if rule.acceptance == "consent":
        return p > deal.own and p > initiator_bar(rule, deal.tau, deal.c_a)
    mind = deal.b.mind
    own = own_bar(play.rule, deal.tau, 0.0) if mind.blind else deal.own
    return mind.accepts(Offer(deal.odds, own, deal.joint, deal.tau, deal.b.is_mate(deal.a)))


def learn_from_answer(play: Play, deal: Deal) -> None:
    """Move what the initiator believes of the counterparty's leniency, if it learns and the answer says anything.

    It does where the counterparty itself answered, and its own bar lies below the joint one. Mates always say yes.
    """
    a, b = deal.a, deal.b
    by_itself = deal.reason in ("accepted", "declined")
    if not (a.mind.learns and by_itself and deal.own < deal.joint) or a.is_mate(b):
        return
    rule, if_good, if_bad = play.rule, play.evidence.good, play.evidence.bad[deal.level]
    q = outcome_chance(rule, deal.effort, a.skill, deal.x)
    passes_good, passes_bad = deal.passes
    through = q * passes_good + (1.0 - q) * passes_bad
    q = q * passes_good / through if through > 0.0 else q  # of the deals that levers let through

    def yes(bar: float) -> float:
        """Chance of a yes from a partner that judges by a bar, as far as the initiator knows."""
        bad = chance(deal.trust, if_bad.odds, bar)
        return bad + q * (chance(deal.trust, if_good.odds, bar) - bad)

    omega = after_answer(deal.leniency, deal.accepted, yes(deal.own), yes(deal.joint), rule.leniency_floor)
    a.think(b.slot, omega, play.moment, rule.slots)
