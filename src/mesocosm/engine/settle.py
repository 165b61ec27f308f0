"""Third part of a step: accepted deals are paid, remembered and brought before the levers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.engine.batch import Batch, precedence
from mesocosm.engine.govern import Stack
from mesocosm.engine.learn import learn_from_deals
from mesocosm.engine.society import read_public_record
from mesocosm.env.economy import Columns, take
from mesocosm.env.events import REASONS, Reason
from mesocosm.env.interaction import Deals
from mesocosm.env.payoff import (
    counterparty_payoff,
    expected_externality,
    expected_surplus,
    initiator_payoff,
    worst_case,
)  # fmt: skip
from mesocosm.env.proxy import reputation_signal
from mesocosm.rng import Purpose

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


def settle(batch: Batch, stack: Stack, deal: Deals) -> None:
    """Value every proposal, refuse what cannot be covered, pay the rest, let levers act, remember and log."""
    rule = batch.in_force.at(deal.replicate)
    _value(batch, rule, deal)
    _refuse_uncovered(batch, deal, worst_case(rule, deal))
    deal.accepted = deal.reason == Reason.accepted
    deal.discovered = deal.accepted & (batch.uniform(Purpose.DISCOVERY, deal.row_a) < rule.discovery)
    deal.inspected, deal.audited = np.zeros((2, len(deal)), dtype=np.bool_)
    deal.told_good = deal.is_good
    deal.fine = np.zeros(len(deal))
    deal.seq = batch.world.number_events(deal.replicate)
    done = np.flatnonzero(deal.accepted)
    _pay(batch, rule, deal, done)
    before = len(batch.events)
    cause = batch.world.memory.last_seq(deal.memory_at) if batch.detail else None
    stack.on_settle(deal)
    _remember(batch, rule, deal, done)
    read_public_record(batch, stack, deal.row_a[done])
    _log(batch, deal, cause, before)
    _note_replays(batch, deal)


def _value(batch: Batch, rule: Columns, deal: Deals) -> None:
    """Surplus, externality, reputation signal and both payoffs, as the proxy has it and as it really is."""
    p, truth = deal.p, deal.is_good.astype(np.float64)
    deal.r0 = reputation_signal(rule, p, batch.table.attention[deal.outcome])
    deal.r_a = rule.eta * deal.r0
    deal.surplus, deal.externality = expected_surplus(rule, p), expected_externality(rule, p)
    deal.surplus_true, deal.externality_true = expected_surplus(rule, truth), expected_externality(rule, truth)
    deal.pi_a = initiator_payoff(rule, deal, deal.surplus, deal.externality)
    deal.pi_b = counterparty_payoff(rule, deal, deal.surplus, deal.externality)
    deal.pi_a_true = initiator_payoff(rule, deal, deal.surplus_true, deal.externality_true)
    deal.pi_b_true = counterparty_payoff(rule, deal, deal.surplus_true, deal.externality_true)


def _refuse_uncovered(batch: Batch, deal: Deals, need: tuple[I64, I64]) -> None:
    """Refuse deals whose worst case a side cannot cover from its balance, or that exceed its budget of the epoch.

    Deals of one turn are covered in order of precedence: each reserves its worst case, whatever becomes of it.
    """
    world, done = batch.world, np.flatnonzero(deal.accepted)
    exposure = np.zeros(world.n_rows, dtype=np.int64)
    sides = ((deal.row_a, need[0]), (deal.row_b, need[1]))
    for row, loss in sides:
        np.add.at(exposure, row[done], loss[done])
    funds = world.ledger.balance + exact.micro(np.asarray(batch.by_row.credit_limit, dtype=np.float64))
    left = exact.micro(np.asarray(batch.by_row.budget_per_epoch, dtype=np.float64)) - world.ledger.spent
    tight = exposure > np.minimum(funds, left)
    if not tight.any():
        return
    at_risk = done[tight[deal.row_a[done]] | tight[deal.row_b[done]]]
    first = precedence(batch)[deal.row_a[at_risk]]
    for limit, reason in ((left, Reason.over_budget), (funds, Reason.uncovered)):
        row = np.concatenate([row[at_risk] for row, _ in sides])
        loss = np.concatenate([loss[at_risk] for _, loss in sides])
        order = exact.order_by(row, np.concatenate([first, first]), np.tile(deal.row_a[at_risk], 2))
        reserved = _running_total(row[order], loss[order])
        over = np.zeros(len(row), dtype=np.bool_)
        over[order] = (reserved > limit[row[order]]) & (loss[order] > 0)
        both = over[: len(at_risk)] | over[len(at_risk) :]
        deal.reason[at_risk[both]] = reason


def _running_total(group: I64, value: I64) -> I64:
    """Running sums within runs of equal group."""
    total = np.cumsum(value)
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    before = np.r_[0, total[starts[1:] - 1]]
    running: I64 = total - np.repeat(before, np.diff(np.r_[starts, len(group)]))
    return running


def _pay(batch: Batch, rule: Columns, deal: Deals, done: I64) -> None:
    """Credit accepted deals. Moves: nothing -> both sides (surplus), initiator <-> counterparty (tau), initiator ->
    burnt (private cost), both -> treasury (lever costs).
    """
    world, ledger = batch.world, batch.world.ledger
    surplus = np.where(rule.settle_on_outcome, deal.surplus_true, deal.surplus)[done]
    row_a, row_b, replicate = deal.row_a[done], deal.row_b[done], deal.replicate[done]
    theta = take(rule.theta, done)
    part_a, part_b = exact.micro(theta * surplus), exact.micro((1.0 - theta) * surplus)
    tau, toil = exact.micro(deal.tau[done]), exact.micro(deal.private_cost[done])
    cost_a, cost_b = (_charged(cost, done) for cost in (deal.c_a, deal.c_b))
    gain_a, gain_b = part_a - tau - toil, part_b + tau
    made, lost = np.maximum(part_a, 0) + np.maximum(part_b, 0), np.minimum(part_a, 0) + np.minimum(part_b, 0)
    minted = exact.sum_by_int(replicate, made, world.n_replicates)
    burnt = exact.sum_by_int(replicate, toil - lost, world.n_replicates)
    ledger.settle_surplus(row_a, row_b, gain_a, gain_b, minted, burnt)
    if cost_a is not None:
        ledger.to_treasury(row_a, cost_a)
        gain_a = gain_a - cost_a
    if cost_b is not None:
        ledger.to_treasury(row_b, cost_b)
        gain_b = gain_b - cost_b
    ledger.spent[row_a] += np.maximum(-gain_a, 0)
    np.add.at(ledger.spent, row_b, np.maximum(-gain_b, 0))
    world.accepted[row_a] += 1
    np.add.at(world.accepted, row_b, 1)


def _charged(cost: Any, done: I64) -> I64 | None:
    """Lever costs of accepted deals in micro-credits, or None where no lever charges anything."""
    return exact.micro(cost[done]) if isinstance(cost, np.ndarray) else None


def _remember(batch: Batch, rule: Columns, deal: Deals, done: I64) -> None:
    """Update trust, reputation, the running payoff and what the initiators learn."""
    world = batch.world
    row_a, good = deal.row_a[done], deal.is_good[done]
    known = deal.discovered[done] | deal.audited[done]
    told = np.where(deal.discovered[done], good, deal.told_good[done])
    seen = np.where(known, told, deal.p[done])
    world.memory.record(deal.row_b[done], world.slot[row_a], deal.memory_at[done], seen, deal.seq[done])
    keep = take(rule.keep, done)
    moved = keep * world.reputation[row_a] + (1.0 - keep) * deal.r0[done]
    world.set_reputation(row_a, moved, take(rule.prior_mean, done))
    share = take(rule.payoff_memory, done)
    world.payoff_mean[row_a] = (1.0 - share) * world.payoff_mean[row_a] + share * _brought(batch, rule, deal, done)
    learn_from_deals(batch, deal, done, told)


def _brought(batch: Batch, rule: Columns, deal: Deals, done: I64) -> F64:
    """What accepted deals brought their initiators, after fines; frozen agents leave all that levers did out of it."""
    settled = np.where(rule.settle_on_outcome, deal.pi_a_true, deal.pi_a)[done]
    brought: F64 = settled - deal.private_cost[done] - deal.fine[done]
    touched = batch.in_force is not batch.economy or np.ndim(deal.c_a) or deal.fine.any()
    blind = np.flatnonzero(batch.blind[deal.row_a[done]]) if touched else done[:0]
    if len(blind):
        some = done[blind]
        terms = SimpleNamespace(tau=deal.tau[some], c_a=0.0, r_a=deal.r_a[some])
        surplus = np.where(rule.settle_on_outcome, deal.surplus_true, deal.surplus)[some]
        externality = np.where(rule.settle_on_outcome, deal.externality_true, deal.externality)[some]
        plain = initiator_payoff(batch.economy.at(deal.replicate[some]), terms, surplus, externality)
        brought[blind] = plain - deal.private_cost[some]
    return brought


def _log(batch: Batch, deal: Deals, cause: I64 | None, before: int) -> None:
    """Keep the interactions for metrics and log, ahead of what the levers made of them."""
    from_slot = batch.world.slot
    values: dict[str, Any] = {
        "initiator": from_slot[deal.row_a],
        "counterparty": from_slot[deal.row_b],
        "accepted": deal.accepted,
        "v": np.where(deal.is_good, 1, -1),
        "tau": deal.tau,
        "p": deal.p,
        "private_cost": deal.private_cost,
        "surplus": deal.surplus,
        "surplus_true": deal.surplus_true,
        "externality": deal.externality,
        "externality_true": deal.externality_true,
        "pi_a": deal.pi_a,
        "pi_b": deal.pi_b,
        "pi_a_true": deal.pi_a_true,
        "pi_b_true": deal.pi_b_true,
        "r_a": deal.r_a,
        "discovered": deal.discovered,
        "audited": deal.audited,
    }
    if batch.detail:
        values |= _details(deal)
    told_v = np.where(np.where(deal.discovered, deal.is_good, deal.told_good), 1, -1)
    aside = {"told_v": np.where(deal.discovered | deal.audited, told_v, 0), "fine": deal.fine}
    batch.insert_interactions(deal.replicate, deal.seq, values, cause, before, aside)


def _note_replays(batch: Batch, deal: Deals) -> None:
    """Note how often each counterparty would have agreed under other luck, beside what the deal would have come to."""
    if deal.yes is None:
        return
    by_itself = ~np.array([player.policy.external for player in batch.cast])[batch.world.code[deal.row_b]]
    asked = np.flatnonzero(by_itself)
    columns = {
        "agent": batch.world.slot[deal.row_b[asked]],
        "interaction": deal.seq[asked],
        "yes": deal.yes[asked],
        "of": np.full(len(asked), batch.structure.decision_replays, dtype=np.int64),
        "v": np.where(deal.is_good[asked], 1, -1),
    }
    batch.annotate("replayed", deal.replicate[asked], columns)


def _details(deal: Deals) -> dict[str, Any]:
    """The fields that only a full log needs."""
    k = len(deal)
    traces = deal.traces
    spread = {name: np.broadcast_to(np.asarray(getattr(deal, name), dtype=np.float64), k) for name in ("c_a", "c_b")}
    return {
        "reason": REASONS[deal.reason],
        "difficulty": deal.difficulty,
        "effort": deal.effort,
        "disguise": deal.disguise,
        "progress": traces.progress,
        "rework": traces.rework,
        "rejections": traces.rejections,
        "misuse": traces.misuse,
        "engagement": traces.engagement,
        "v_hat": traces.v_hat,
        "trust": deal.trust,
        "estimate": deal.odds / (1.0 + deal.odds),
        "own_bar": np.broadcast_to(np.asarray(deal.own, dtype=np.float64), k),
        "joint_bar": np.broadcast_to(np.asarray(deal.joint, dtype=np.float64), k),
        "leniency": np.broadcast_to(np.asarray(deal.leniency, dtype=np.float64), k),
        **spread,
    }
