"""What becomes of the proposals of one turn: valued, covered, paid, governed, remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.expectation import externality, reputation_signal, surplus
from benchmarks.object_loop.interaction import Deal, fields_of
from benchmarks.object_loop.scalar import micro
from mesocosm.rng import Purpose

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play


def settle(play: Play, deals: list[Deal]) -> None:
    """Value all proposals, pay those that can be covered, let levers act, remember, and log ahead of the levers."""
    for deal in deals:
        value(play, deal)
    cover(play, [deal for deal in deals if deal.accepted])
    for deal in deals:
        deal.discovered = deal.accepted and is_discovered(play, deal)
        deal.seq = play.number()
        deal.cause = deal.record.seq if deal.record is not None else -1
        if deal.accepted:
            pay(play, deal)
    play.n_interactions += len(deals)
    before = len(play.events)
    for lever in play.levers:
        lever.on_settle(deals)
    done = [deal for deal in deals if deal.accepted]
    for deal in [deal for deal in done if deal.record is not None] + [deal for deal in done if deal.record is None]:
        remember(play, deal)
    for deal in done:
        learn_from_deal(play, deal)
    for deal in done:
        play.read_public_record(deal.a)
    if play.keeps:
        logged = [play.event(deal.seq, "interaction", deal.cause, fields_of(deal)) for deal in deals]
        play.events[before:before] = logged


def is_discovered(play: Play, deal: Deal) -> bool:
    """Whether the counterparty finds the outcome out by itself."""
    return bool(play.draws.uniform(Purpose.DISCOVERY, deal.a.slot) < play.rule.discovery)


def value(play: Play, deal: Deal) -> None:
    """What the deal is worth, by the proxy and in truth."""
    rule, p, v = play.in_force, deal.traces.p, 1.0 if deal.good else 0.0
    deal.r0 = reputation_signal(rule, p, deal.look.attention)
    deal.r_a = rule.eta * deal.r0
    deal.surplus, deal.externality = surplus(rule, p), externality(rule, p)
    deal.surplus_true, deal.externality_true = surplus(rule, v), externality(rule, v)
    deal.pi_a, deal.pi_b = payoffs(rule, deal, deal.surplus, deal.externality)
    deal.pi_a_true, deal.pi_b_true = payoffs(rule, deal, deal.surplus_true, deal.externality_true)


def payoffs(rule: Any, deal: Deal, S: float, E: float) -> tuple[float, float]:
    """(pi_a, pi_b) for a surplus and an externality."""
    pi_b = (1.0 - rule.theta) * S + deal.tau - deal.c_b - rule.rho_b * E
    return initiator_payoff(rule, deal, S, E, deal.c_a), pi_b


def initiator_payoff(rule: Any, deal: Deal, S: float, E: float, cost: float) -> float:
    """pi_a, if levers charge the initiator so much."""
    pi_a: float = rule.theta * S - deal.tau - cost - rule.rho_a * E + rule.w_rep * deal.r_a
    return pi_a


def cover(play: Play, accepted: list[Deal]) -> None:
    """Refuse deals whose worst case a side cannot cover; in order, each reserves its worst case."""
    rule = play.rule
    reserved: dict[int, int] = {}
    for deal in play.in_order(accepted):
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
    seen = float(came_to_light(deal)) if deal.discovered or deal.audited else deal.traces.p
    deal.b.remember(deal.record, deal.a.slot, seen, deal.seq, play.rule.slots)


def came_to_light(deal: Deal) -> bool:
    """What is known of an outcome that was discovered or audited: v itself, or what the audit said."""
    return deal.good if deal.discovered else deal.told_good


def brought(play: Play, deal: Deal) -> float:
    """What a deal brought its initiator; agents that are blind to levers leave out what those charged and fined."""
    S, E = (deal.surplus_true, deal.externality_true) if play.settles_outcome else (deal.surplus, deal.externality)
    if deal.a.mind.blind:
        return initiator_payoff(play.rule, deal, S, E, 0.0) - deal.private_cost
    return initiator_payoff(play.in_force, deal, S, E, deal.c_a) - deal.private_cost - deal.fine


def learn_from_deal(play: Play, deal: Deal) -> None:
    """The initiator's standing, its running payoff, the audits it meets, and whether it was caught.

    Agents that do not learn are made cautious by partners who found them out, not by audits.
    """
    rule, a = play.rule, deal.a
    play.set_reputation(a, rule.keep * a.reputation + (1.0 - rule.keep) * deal.r0)
    a.payoff_mean = (1.0 - rule.payoff_memory) * a.payoff_mean + rule.payoff_memory * brought(play, deal)
    a.deals += 1
    a.audits += deal.inspected
    found_out = deal.discovered or (deal.audited and a.mind.learns)
    if found_out and not came_to_light(deal):
        a.caught_step = play.step
