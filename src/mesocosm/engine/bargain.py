"""Second part of a step: agents propose, the outcome is drawn, counterparties look and answer."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, rng
from mesocosm.api import Considered, DecisionRequest, Proposals
from mesocosm.engine.batch import Batch, Player, aligned, precedence
from mesocosm.engine.decide import decided_answers, decided_proposals
from mesocosm.engine.foretell import foretell
from mesocosm.engine.govern import Stack
from mesocosm.engine.learn import learn_from_answers
from mesocosm.engine.observe import answer_source, build_view, leniency_of, proposal_source
from mesocosm.engine.outside import own_facts, receive_proposals, receive_replies
from mesocosm.engine.rails import Rails
from mesocosm.engine.social import view_of_feed
from mesocosm.env.economy import Columns, take
from mesocosm.env.events import Reason
from mesocosm.env.interaction import Deals, draw_candidates
from mesocosm.env.payoff import initiator_bar, joint_bar, outcome_chance, own_bar
from mesocosm.env.proxy import Traces, draw_traces
from mesocosm.env.trust import trust_mean
from mesocosm.rng import Purpose

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
Question = DecisionRequest | Considered
POLICY, JOINT, CONSENT, ALL = range(4)
ROWS_AT_ONCE = 1 << 13


def propose(batch: Batch, rails: Rails, stack: Stack, row: I64) -> Generator[Question, Any, Deals | None]:
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
    meeting = Meeting((one, two), (has_one, has_two), x)
    answer, passage = yield from _ask_proposers(batch, rails, stack, row, meeting)
    known = np.where(answer.choice == 1, has_two, has_one)  # nobody can turn to a candidate that is not there
    wanted = np.flatnonzero((answer.choice >= 0) & known)
    fine = rails.check_proposals(batch, row[wanted])
    made = wanted if fine.all() else wanted[fine]
    if len(made) == 0:
        return None
    if len(made) < len(row):
        row, x, one, two = row[made], x[made], one[made], two[made]
        answer = Proposals(*(column[made] for column in answer))
        passage = None if passage is None else passage[:, made]
    world.proposed[row] += 1
    stack.on_action(batch, row)
    partner = np.where(answer.choice == 1, two, one)
    deal = _outcome(batch, stack, row, partner, x, answer)
    deal.passage = passage
    return deal


class Meeting(NamedTuple):
    """Whom each row meets, and the task they could work on."""

    candidate: tuple[I64, I64]  # (k,) rows
    exists: tuple[Mask, Mask]  # (k,)
    x: F64  # (k,)

    def at(self, chosen: I64) -> Meeting:
        """The meetings of some rows."""
        one, two = (column[chosen] for column in self.candidate)
        has_one, has_two = (column[chosen] for column in self.exists)
        return Meeting((one, two), (has_one, has_two), self.x[chosen])


def _ask_proposers(
    batch: Batch, rails: Rails, stack: Stack, row: I64, meeting: Meeting
) -> Generator[Question, Any, tuple[Proposals, F64 | None]]:
    """Let each policy decide for its rows, some at a time where there are many.

    Returns  the proposals, and (2, k) the chance that levers will let each through, as far as that was foretold.
    """
    joined = Proposals(*(np.full(len(row), -1, dtype=np.int64) for _ in range(4)))
    passage: F64 | None = None
    for player, wanted, learns in _parties(batch, row):
        at_once = len(wanted) if player.policy.external else ROWS_AT_ONCE
        for start in range(0, len(wanted), max(at_once, 1)):
            chosen = wanted[start : start + at_once]
            mine, met = row[chosen], meeting.at(chosen)
            source = proposal_source(batch, mine, met.candidate, met.exists, met.x)
            view = build_view(batch, player, "propose", mine, source, player.policy.adaptive and not learns)
            told = foretell(batch, stack, mine, met.candidate, met.x) if learns else None
            view = view.also(foresight=told)
            if player.policy.external:
                detail = own_facts(batch, mine) | {
                    "candidate": [batch.world.slot[other] for other in met.candidate],
                    "feed": lambda replicate, limit=20: view_of_feed(batch, replicate, limit),
                }
                reply = yield DecisionRequest("propose", player.name, mine, batch.world.replicate[mine], view, detail)
                answer: Proposals = receive_proposals(batch, rails, mine, view, reply)
            else:
                answer = decided_proposals(batch, player, mine, view)
                if mine[0] == batch.watched:
                    whom = np.where(np.stack(met.exists), batch.world.slot[np.stack(met.candidate)], -1)
                    yield Considered("propose", aligned(player, mine), view, answer, whom)
            for whole, part in zip(joined, answer, strict=True):
                whole[chosen] = part
            takes = answer.transfer < batch.menu.level_still
            passes = None if told is None else told.passage(answer.choice, answer.disguise, takes)
            if passes is not None:
                passage = np.ones((2, len(row))) if passage is None else passage
                passage[:, chosen] = passes
    return joined, passage


def _parties(batch: Batch, row: I64) -> Iterator[tuple[Player, I64, bool]]:
    """Positions of the rows of each policy: those who learn, those who do not, and who is watched, apart."""
    code = batch.world.code[row]
    for number, player in enumerate(batch.cast):
        every = np.flatnonzero(code == number) if len(batch.cast) > 1 else np.arange(len(row))
        for wanted in _apart(every, row[every] == batch.watched):
            learns = batch.learns[row[wanted]]
            for part in _apart(wanted, learns):
                yield player, part, bool(batch.learns[row[part[0]]])


def _apart(position: I64, is_other: Mask) -> list[I64]:
    """Positions in two parts where some are other than the rest; parts without any are left out."""
    if not is_other.any():
        return [position] if len(position) else []
    return [part for part in (position[is_other], position[~is_other]) if len(part)]


def _outcome(batch: Batch, stack: Stack, row: I64, partner: I64, x: F64, answer: Proposals) -> Deals:
    """Draw what each proposal would lead to, what can be observed of it, and what the counterparty makes of it."""
    world = batch.world
    replicate = world.replicate[row]
    rule = batch.in_force.at(replicate)
    effort = batch.menu.effort[answer.effort]
    disguise = batch.menu.disguise[answer.disguise]
    q = outcome_chance(rule, effort, world.skill[row], x)
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
        leniency=leniency_of(batch, row, partner) if batch.detail else None,
    )
    for truth in (deal.is_good, deal.outcome, deal.effort, deal.disguise, deal.difficulty, *deal.traces):
        truth.flags.writeable = False  # what happened is not for a lever to change
    deal.c_a, deal.c_b = stack.costs(deal)
    deal.own = own_bar(rule, deal.tau, deal.c_b)
    deal.joint = joint_bar(rule, deal.c_a, deal.c_b)
    return deal


def _traces(batch: Batch, rule: Columns, outcome: I64, row: I64) -> Traces:
    noise = batch.structure.noise
    first = batch.uniform(Purpose.PROGRESS, row)
    draw: dict[str, Any]
    if noise == "uniform":
        draw = {"luck": first, "side": batch.uniform(Purpose.ENGAGEMENT, row)}
    else:
        draw = {"progress": exact.normal_quantile(first)}
    if noise == "counts":
        draw["engagement"] = exact.normal_quantile(batch.uniform(Purpose.ENGAGEMENT, row))
        draw["counts"] = rng.thirds(batch.bits(Purpose.COUNTS, row))
    return draw_traces(rule, batch.table, outcome, draw, noise)


def answer(batch: Batch, rails: Rails, stack: Stack, deal: Deals) -> Generator[Question, Any, None]:
    """Let counterparties answer: freezes, rails and levers first, then the policy (or the rule that overrides it)."""
    world = batch.world
    deal.reason = np.full(len(deal), Reason.declined, dtype=np.int8)
    frozen = world.frozen_until[deal.row_b] > batch.step
    room = rails.check_answers(batch, deal.row_a, deal.row_b, lambda: precedence(batch)[deal.row_a])
    admitted = stack.admit(deal)
    yes = yield from _ask_counterparties(batch, rails, deal)
    if batch.structure.decision_replays:
        deal.yes = _replay_answers(batch, deal)
    deal.reason[_override(batch, deal, yes)] = Reason.accepted
    if admitted is not None:
        deal.reason[~admitted] = Reason.refused_by_lever
    deal.reason[~room] = Reason.rail_interactions_per_step
    deal.reason[frozen] = Reason.counterparty_frozen
    deal.accepted = deal.reason == Reason.accepted
    learn_from_answers(batch, deal)


def _ask_counterparties(batch: Batch, rails: Rails, deal: Deals) -> Generator[Question, Any, Mask]:
    """Let each policy decide for the proposals put to its rows."""
    code = batch.world.code[deal.row_b]
    yes = np.zeros(len(deal), dtype=np.bool_)
    for number, player in enumerate(batch.cast):
        for chosen in _asked_apart(batch, deal, code == number):
            mine, initiator = deal.row_b[chosen], deal.row_a[chosen]
            view = build_view(batch, player, "accept", mine, answer_source(batch, deal, chosen))
            if player.policy.external:
                detail = own_facts(batch, mine) | {
                    "initiator": batch.world.slot[initiator],
                    "luck": batch.uniform(Purpose.OUTSIDE_ANSWER, initiator),
                }
                reply = yield DecisionRequest("accept", player.name, mine, deal.replicate[chosen], view, detail)
                yes[chosen] = receive_replies(batch, rails, mine, reply)
                continue
            yes[chosen] = decided_answers(batch, player, mine, view)
            if batch.world.identities.any_in_use:
                yes[chosen] |= batch.world.identities.of_one_owner(mine, initiator)
            if mine[0] == batch.watched:
                yield Considered("accept", aligned(player, mine), view, yes[chosen], batch.world.slot[initiator])
    return yes


def _replay_answers(batch: Batch, deal: Deals) -> I64:
    """How often each counterparty would have agreed under other luck; agents from outside are not asked again."""
    code = batch.world.code[deal.row_b]
    kept, count = deal.odds, np.zeros(len(deal), dtype=np.int64)
    calm = deal.trust / (1.0 - deal.trust) * batch.table.screen_odds[deal.outcome]
    for number in range(batch.structure.decision_replays):
        counter = (number << 40) + batch.world.slot[deal.row_a]
        u, luck = (
            batch.uniform_at(purpose, deal.replicate, counter)
            for purpose in (Purpose.REPLAYED_LOOK, Purpose.REPLAYED_ANSWER)
        )
        deal.odds = calm * (u / (1.0 - u))
        yes = np.zeros(len(deal), dtype=np.bool_)
        for place, player in enumerate(batch.cast):
            chosen = np.flatnonzero(code == place)
            if len(chosen) and not player.policy.external:
                mine = deal.row_b[chosen]
                view = build_view(batch, player, "accept", mine, answer_source(batch, deal, chosen, luck))
                yes[chosen] = decided_answers(batch, player, mine, view)
        yes |= batch.world.identities.of_one_owner(deal.row_b, deal.row_a)
        count += _override(batch, deal, yes)
    deal.odds = kept
    return count


def _asked_apart(batch: Batch, deal: Deals, is_theirs: Mask) -> list[Any]:
    """Positions of the deals put to rows of one policy, those put to who is watched apart."""
    if batch.watched < 0:
        if len(batch.cast) == 1:
            return [slice(None)]
        chosen = np.flatnonzero(is_theirs)
        return [chosen] if len(chosen) else []
    position = np.flatnonzero(is_theirs)
    return list(_apart(position, deal.row_b[position] == batch.watched))


def _override(batch: Batch, deal: Deals, yes: Mask) -> Mask:
    """Acceptance by rule instead of by policy, for closed forms: p itself is known to both sides.

    joint: p above the joint bar; consent: p above both own bars; all: everything.
    """
    mode = take(batch.economy.acceptance, deal.replicate)
    if not isinstance(mode, np.ndarray) and mode == POLICY:
        return yes
    rule = batch.in_force.at(deal.replicate)
    joint = deal.p > deal.joint
    consent = (deal.p > deal.own) & (deal.p > initiator_bar(rule, deal.tau, deal.c_a))
    return np.where(mode == JOINT, joint, np.where(mode == CONSENT, consent, np.where(mode == ALL, True, yes)))
