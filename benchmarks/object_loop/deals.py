"""Proposals of one turn: made, drawn, answered, covered, paid, governed, remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.expectation import (
    externality,
    initiator_bar,
    joint_bar,
    own_bar,
    reputation_signal,
    surplus,
)  # fmt: skip
from benchmarks.object_loop.levers import Deal
from benchmarks.object_loop.minds import Choice, Meeting, Offer
from benchmarks.object_loop.scalar import micro
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
        value(play, deal)
    cover(play, [deal for deal in deals if deal.accepted])
    settle(play, deals)


def propose(play: Play, agents: list[Agent]) -> list[Deal]:
    """Ask agents for proposals; all decide on the same state."""
    made: list[tuple[Agent, Agent, float, Choice]] = []
    for agent in agents:
        allowed = [lever.may_propose(agent) for lever in play.levers]
        if agent.frozen_until > play.step or not all(allowed):
            continue
        x = play.draws.uniform(Purpose.DIFFICULTY, agent.slot)
        others = candidates(play, agent)
        choice = agent.mind.propose(Meeting(agent, others, x, play.step, play.rule.prior_strength))
        if choice is not None and may_propose(play, agent):
            made.append((agent, others[choice.candidate], x, choice))
    for agent, _, _, _ in made:
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


def draw(play: Play, a: Agent, b: Agent, x: float, choice: Choice) -> Deal:
    """What the proposal would lead to, what it shows of that, and what the counterparty makes of it."""
    rule, draws = play.rule, play.draws
    effort, disguise = rule.effort_menu[choice.effort], rule.disguise_menu[choice.disguise]
    tau = rule.transfer * rule.transfer_menu[choice.transfer]
    q = rule.q_low + (rule.q_high - rule.q_low) * effort * a.skill
    good = draws.uniform(Purpose.OUTCOME, a.slot) < q
    look = play.evidence.good if good else play.evidence.bad[choice.disguise]
    trust, _ = b.trust_in(a, rule.prior_strength)
    u = draws.uniform(Purpose.SCREEN, a.slot)
    cost = 0.0
    for lever in play.levers:
        cost += lever.cost(tau)
    return Deal(
        a=a,
        b=b,
        x=x,
        effort=effort,
        disguise=disguise,
        tau=tau,
        good=good,
        look=look,
        traces=play.evidence.observe(look, draws, a.slot),
        record=b.memory.get(a.slot),
        trust=trust,
        odds=trust / (1.0 - trust) * look.odds * (u / (1.0 - u)),
        private_cost=rule.effort_cost * x * effort + rule.disguise_cost * disguise,
        own=own_bar(rule, tau, cost),
        joint=joint_bar(rule, cost, cost),
        c_a=cost,
        c_b=cost,
    )


def answer(play: Play, deals: list[Deal]) -> None:
    """Counterparties answer; freezes, then rails, come before what they want."""
    limit = play.rule.max_interactions_per_step
    for deal in in_order(play, deals):
        a, b = deal.a, deal.b
        has_room = a.dealings < limit and b.dealings < limit
        a.dealings += 1
        b.dealings += 1
        if b.frozen_until > play.step:
            deal.reason = "counterparty_frozen"
        elif not has_room:
            deal.reason = "rail_interactions_per_step"
        elif says_yes(play, deal):
            deal.reason = "accepted"


def in_order(play: Play, deals: list[Deal]) -> list[Deal]:
    """Deals by the precedence of their initiators, ties by slot."""
    return sorted(deals, key=lambda deal: play.precedence(deal.a)) if len(deals) > 1 else deals


def says_yes(play: Play, deal: Deal) -> bool:
    """The counterparty's policy decides, unless one rule decides for all."""
    rule, p = play.rule, deal.traces.p
    if rule.acceptance == "all":
        return True
    if rule.acceptance == "joint":
        return p > deal.joint
    if rule.acceptance == "consent":
        return p > deal.own and p > initiator_bar(rule, deal.tau, deal.c_a)
    return deal.b.mind.accepts(Offer(deal.odds, deal.own, deal.joint, deal.tau, deal.b.is_mate(deal.a)))


def value(play: Play, deal: Deal) -> None:
    """What the deal is worth, by the proxy and in truth."""
    rule, p, v = play.rule, deal.traces.p, 1.0 if deal.good else 0.0
    deal.r0 = reputation_signal(rule, p, deal.look.attention)
    deal.r_a = rule.eta * deal.r0
    deal.surplus, deal.externality = surplus(rule, p), externality(rule, p)
    deal.surplus_true, deal.externality_true = surplus(rule, v), externality(rule, v)
    deal.pi_a, deal.pi_b = payoffs(rule, deal, deal.surplus, deal.externality)
    deal.pi_a_true, deal.pi_b_true = payoffs(rule, deal, deal.surplus_true, deal.externality_true)


def payoffs(rule: Any, deal: Deal, S: float, E: float) -> tuple[float, float]:
    """(pi_a, pi_b) for a surplus and an externality."""
    pi_a = rule.theta * S - deal.tau - deal.c_a - rule.rho_a * E + rule.w_rep * deal.r_a
    pi_b = (1.0 - rule.theta) * S + deal.tau - deal.c_b - rule.rho_b * E
    return pi_a, pi_b


def cover(play: Play, accepted: list[Deal]) -> None:
    """Refuse deals whose worst case a side cannot cover; in order, each reserves its worst case."""
    rule = play.rule
    reserved: dict[int, int] = {}
    for deal in in_order(play, accepted):
        tau = micro(deal.tau)
        loss_a = micro(rule.theta * rule.s_minus) + tau + micro(deal.c_a) + micro(deal.private_cost)
        loss_b = micro((1.0 - rule.theta) * rule.s_minus) - tau + micro(deal.c_b)
        for agent, loss in ((deal.a, loss_a), (deal.b, loss_b)):
            need = max(loss, 0)
            mine = reserved[agent.slot] = reserved.get(agent.slot, 0) + need
            if need == 0:
                continue
            if mine > agent.balance + micro(rule.credit_limit):
                deal.reason = "uncovered"
            elif mine > micro(rule.budget_per_epoch) - agent.spent and deal.reason == "accepted":
                deal.reason = "over_budget"


def settle(play: Play, deals: list[Deal]) -> None:
    """Pay, let levers act, remember, and log ahead of what the levers made of it."""
    rule = play.rule
    for deal in deals:
        deal.discovered = deal.accepted and play.draws.uniform(Purpose.DISCOVERY, deal.a.slot) < rule.discovery
        deal.seq = play.number()
        deal.cause = deal.record.seq if deal.record is not None else -1
        if deal.accepted:
            pay(play, deal)
    play.n_interactions += len(deals)
    before = len(play.events)
    for lever in play.levers:
        lever.on_settle(deals)
    done = [deal for deal in deals if deal.accepted]
    for deal in done:
        if deal.record is not None:
            remember(play, deal)
    for deal in done:
        if deal.record is None:
            remember(play, deal)
    for deal in done:
        learn(play, deal)
    if play.keeps:
        play.events[before:before] = [
            play.event(deal.seq, "interaction", deal.cause, fields_of(deal)) for deal in deals
        ]


def pay(play: Play, deal: Deal) -> None:
    """Credit both sides.

    Moves    nothing -> both (surplus), initiator <-> counterparty (tau), initiator -> burnt, both -> treasury.
    """
    rule, books, a, b = play.rule, play.books, deal.a, deal.b
    S = deal.surplus_true if play.settles_outcome else deal.surplus
    part_a, part_b = micro(rule.theta * S), micro((1.0 - rule.theta) * S)
    tau, toil = micro(deal.tau), micro(deal.private_cost)
    gain_a, gain_b = part_a - tau - toil, part_b + tau
    a.balance += gain_a
    b.balance += gain_b
    books.minted += max(part_a, 0) + max(part_b, 0)
    books.burnt += toil - min(part_a, 0) - min(part_b, 0)
    cost_a, cost_b = micro(deal.c_a), micro(deal.c_b)
    books.pay_treasury(a, cost_a)
    books.pay_treasury(b, cost_b)
    a.spent += max(cost_a - gain_a, 0)
    b.spent += max(cost_b - gain_b, 0)
    a.accepted += 1
    b.accepted += 1


def remember(play: Play, deal: Deal) -> None:
    """The counterparty remembers what it learnt of the outcome: v if it came to light, else p."""
    told = deal.good if deal.discovered else deal.told_good
    seen = float(told) if deal.discovered or deal.audited else deal.traces.p
    deal.b.remember(deal.record, deal.a.slot, seen, deal.seq, play.rule.slots)


def learn(play: Play, deal: Deal) -> None:
    """The initiator's standing, its running payoff, and whether it was caught."""
    rule, a = play.rule, deal.a
    play.set_reputation(a, rule.keep * a.reputation + (1.0 - rule.keep) * deal.r0)
    settled = deal.pi_a_true if play.settles_outcome else deal.pi_a
    realised = settled - deal.private_cost - deal.fine
    a.payoff_mean = (1.0 - rule.payoff_memory) * a.payoff_mean + rule.payoff_memory * realised
    if deal.discovered and not deal.good:
        a.caught_step = play.step


def fields_of(deal: Deal) -> dict[str, Any]:
    """What the log says of an interaction."""
    traces = deal.traces
    return {
        "initiator": deal.a.slot,
        "counterparty": deal.b.slot,
        "accepted": deal.accepted,
        "reason": deal.reason,
        "difficulty": deal.x,
        "effort": deal.effort,
        "disguise": deal.disguise,
        "tau": deal.tau,
        "v": 1 if deal.good else -1,
        "progress": traces.progress,
        "rework": traces.rework,
        "rejections": traces.rejections,
        "misuse": traces.misuse,
        "engagement": traces.engagement,
        "v_hat": traces.v_hat,
        "p": traces.p,
        "trust": deal.trust,
        "estimate": deal.odds / (1.0 + deal.odds),
        "own_bar": deal.own,
        "joint_bar": deal.joint,
        "c_a": deal.c_a,
        "c_b": deal.c_b,
        "private_cost": deal.private_cost,
        "surplus": deal.surplus,
        "surplus_true": deal.surplus_true,
        "externality": deal.externality,
        "externality_true": deal.externality_true,
        "r_a": deal.r_a,
        "pi_a": deal.pi_a,
        "pi_b": deal.pi_b,
        "pi_a_true": deal.pi_a_true,
        "pi_b_true": deal.pi_b_true,
        "discovered": deal.discovered,
        "audited": deal.audited,
    }
