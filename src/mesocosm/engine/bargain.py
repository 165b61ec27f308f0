"""Second part of a step: agents propose, the outcome is drawn, counterparties look and answer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, rng
from mesocosm.api import DecisionRequest, Proposals
from mesocosm.engine.batch import Batch, precedence
from mesocosm.engine.decide import decided_answers, decided_proposals
from mesocosm.engine.govern import Stack
from mesocosm.engine.observe import answer_source, build_view, proposal_source
from mesocosm.engine.outside import own_facts, receive_proposals, receive_replies
from mesocosm.engine.rails import Rails
from mesocosm.engine.social import view_of_feed
from mesocosm.env.economy import Columns, take
from mesocosm.env.events import Reason
from mesocosm.env.interaction import Deals, draw_candidates
from mesocosm.env.payoff import initiator_bar, joint_bar, own_bar
from mesocosm.env.proxy import Traces, draw_traces
from mesocosm.env.trust import trust_mean
from mesocosm.rng import Purpose

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
POLICY, JOINT, CONSENT, ALL = range(4)
ROWS_AT_ONCE = 1 << 14  # rows a policy decides for together: few enough for the processor's cache


def propose(batch: Batch, rails: Rails, stack: Stack, row: I64) -> Generator[DecisionRequest, Any, Deals | None]:
    """Ask rows for proposals; returns the deals they lead to, outcome drawn but not yet answered."""
    world = batch.world
    free = world.frozen_until[row] <= batch.step
    barred = stack.may_propose(batch, row)
    if barred is not None:
        free &= barred
    if not free.all():
        row = row[free]
    if len(row) == 0:
        return None
    x = batch.uniform(Purpose.DIFFICULTY, row)
    half = rng.halves(batch.bits(Purpose.CANDIDATE, row))
    one, two, has_one, has_two = draw_candidates(world.crowd, row, world.replicate[row], half)
    answer = yield from _ask_proposers(batch, rails, row, (one, two), (has_one, has_two), x)
    known = np.where(answer.choice == 1, has_two, has_one)  # nobody can turn to a candidate that is not there
    wanted = np.flatnonzero((answer.choice >= 0) & known)
    fine = rails.check_proposals(batch, row[wanted])
    made = wanted if fine.all() else wanted[fine]
    if len(made) == 0:
        return None
    if len(made) < len(row):
        row, x, one, two = row[made], x[made], one[made], two[made]
        answer = Proposals(*(column[made] for column in answer))
    world.proposed[row] += 1
    stack.on_action(batch, row)
    partner = np.where(answer.choice == 1, two, one)
    return _outcome(batch, stack, row, partner, x, answer)


def _ask_proposers(
    batch: Batch, rails: Rails, row: I64, candidate: tuple[I64, I64], exists: tuple[Mask, Mask], x: F64
) -> Generator[DecisionRequest, Any, Proposals]:
    """Let each policy decide for its rows, some at a time where there are many."""
    code = batch.world.code[row]
    joined = Proposals(*(np.full(len(row), -1, dtype=np.int64) for _ in range(4)))
    for number, player in enumerate(batch.cast):
        wanted = np.flatnonzero(code == number) if len(batch.cast) > 1 else np.arange(len(row))
        at_once = len(wanted) if player.policy.external else ROWS_AT_ONCE
        for start in range(0, len(wanted), max(at_once, 1)):
            chosen = wanted[start : start + at_once]
            mine = row[chosen]
            others = (candidate[0][chosen], candidate[1][chosen])
            source = proposal_source(batch, mine, others, (exists[0][chosen], exists[1][chosen]), x[chosen])
            view = build_view(batch, player, "propose", mine, source)
            if player.policy.external:
                detail = own_facts(batch, mine) | {
                    "candidate": [batch.world.slot[other] for other in others],
                    "feed": lambda replicate, limit=20: view_of_feed(batch, replicate, limit),
                }
                reply = yield DecisionRequest("propose", player.name, mine, batch.world.replicate[mine], view, detail)
                answer: Proposals = receive_proposals(batch, rails, mine, view, reply)
            else:
                answer = decided_proposals(batch, player, mine, view)
            for whole, part in zip(joined, answer, strict=True):
                whole[chosen] = part
    return joined


def _outcome(batch: Batch, stack: Stack, row: I64, partner: I64, x: F64, answer: Proposals) -> Deals:
    """Draw what each proposal would lead to, what can be observed of it, and what the counterparty makes of it."""
    world = batch.world
    replicate = world.replicate[row]
    rule = batch.economy.at(replicate)
    effort = batch.menu.effort[answer.effort]
    disguise = batch.menu.disguise[answer.disguise]
    q = rule.q_low + (rule.q_high - rule.q_low) * effort * world.skill[row]
    is_good = batch.uniform(Purpose.OUTCOME, row) < q
    outcome = batch.table.outcome_class(replicate, is_good, answer.disguise)
    position = world.memory.locate(partner, world.slot[row])
    alpha, beta = world.memory.counts(position)
    trust, _ = trust_mean(alpha, beta, world.prior[row], rule.prior_strength)
    u = batch.uniform(Purpose.SCREEN, row)
    deal = Deals(
        row_a=row,
        row_b=partner,
        replicate=replicate,
        difficulty=x,
        effort=effort,
        disguise=disguise,
        tau=rule.transfer * batch.menu.transfer[answer.transfer],
        level=answer.disguise,
        is_good=is_good,
        traces=_traces(batch, rule, outcome, row),
        outcome=outcome,
        memory_at=position,
        trust=trust,
        odds=trust / (1.0 - trust) * batch.table.screen_odds[outcome] * (u / (1.0 - u)),
        own=0.0,
        joint=0.0,
        c_a=0.0,
        c_b=0.0,
        private_cost=rule.effort_cost * x * effort + rule.disguise_cost * disguise,
    )
    for truth in (deal.is_good, deal.outcome, deal.effort, deal.disguise, deal.difficulty, *deal.traces):
        truth.flags.writeable = False  # what happened is not for a lever to change
    deal.c_a, deal.c_b = stack.costs(deal)
    deal.own = own_bar(rule, deal.tau, deal.c_b)
    deal.joint = joint_bar(rule, deal.c_a, deal.c_b)
    return deal


def _traces(batch: Batch, rule: Columns, outcome: I64, row: I64) -> Traces:
    gaussian = batch.structure.noise == "gaussian"
    draw: dict[str, Any] = {"progress": exact.normal_quantile(batch.uniform(Purpose.PROGRESS, row))}
    if not gaussian:
        draw["engagement"] = exact.normal_quantile(batch.uniform(Purpose.ENGAGEMENT, row))
        draw["counts"] = rng.thirds(batch.bits(Purpose.COUNTS, row))
    return draw_traces(rule, batch.table, outcome, draw, gaussian)


def answer(batch: Batch, rails: Rails, stack: Stack, deal: Deals) -> Generator[DecisionRequest, Any, None]:
    """Let counterparties answer: freezes, rails and levers first, then the policy (or the rule that overrides it)."""
    world = batch.world
    deal.reason = np.full(len(deal), Reason.declined, dtype=np.int8)
    frozen = world.frozen_until[deal.row_b] > batch.step
    room = rails.check_answers(batch, deal.row_a, deal.row_b, lambda: precedence(batch)[deal.row_a])
    admitted = stack.admit(deal)
    yes = yield from _ask_counterparties(batch, rails, deal)
    mode = take(batch.economy.acceptance, deal.replicate)
    if isinstance(mode, np.ndarray) or mode != POLICY:
        yes = _override(batch, deal, mode, yes)
    deal.reason[yes] = Reason.accepted
    if admitted is not None:
        deal.reason[~admitted] = Reason.refused_by_lever
    deal.reason[~room] = Reason.rail_interactions_per_step
    deal.reason[frozen] = Reason.counterparty_frozen
    deal.accepted = deal.reason == Reason.accepted


def _ask_counterparties(batch: Batch, rails: Rails, deal: Deals) -> Generator[DecisionRequest, Any, Mask]:
    """Let each policy decide for the proposals put to its rows."""
    code = batch.world.code[deal.row_b]
    yes = np.zeros(len(deal), dtype=np.bool_)
    for number, player in enumerate(batch.cast):
        chosen: Any = np.flatnonzero(code == number) if len(batch.cast) > 1 else slice(None)
        mine = deal.row_b[chosen]
        if len(mine) == 0:
            continue
        view = build_view(batch, player, "accept", mine, answer_source(batch, deal, chosen))
        if player.policy.external:
            initiator = deal.row_a[chosen]
            detail = own_facts(batch, mine) | {
                "initiator": batch.world.slot[initiator],
                "luck": batch.uniform(Purpose.OUTSIDE_ANSWER, initiator),
            }
            reply = yield DecisionRequest("accept", player.name, mine, deal.replicate[chosen], view, detail)
            yes[chosen] = receive_replies(batch, rails, mine, reply)
        else:
            yes[chosen] = decided_answers(batch, player, mine, view)
    return yes


def _override(batch: Batch, deal: Deals, mode: Any, yes: Mask) -> Mask:
    """Acceptance by rule instead of by policy, for closed forms: p itself is known to both sides.

    joint: p above the joint bar; consent: p above both own bars; all: everything.
    """
    rule = batch.economy.at(deal.replicate)
    joint = deal.p > deal.joint
    consent = (deal.p > deal.own) & (deal.p > initiator_bar(rule, deal.tau, deal.c_a))
    return np.where(mode == JOINT, joint, np.where(mode == CONSENT, consent, np.where(mode == ALL, True, yes)))
