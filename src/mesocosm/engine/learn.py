"""What agents learn from a deal: how lenient a partner is, how often they are audited, what their deals bring."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.engine.batch import Batch
from mesocosm.engine.observe import same_coalition
from mesocosm.env.economy import Columns, take
from mesocosm.env.events import Reason
from mesocosm.env.interaction import Deals
from mesocosm.env.leniency import acceptance_chance, after_answer
from mesocosm.env.payoff import outcome_chance

I64 = NDArray[np.int64]


def learn_from_answers(batch: Batch, deal: Deals) -> None:
    """Move what initiators who learn believe of a counterparty that has answered them.

    An answer tells something only where the counterparty's own bar lies below the joint one.
    """
    world = batch.world
    answered = (deal.reason == Reason.accepted) | (deal.reason == Reason.declined)
    told = np.flatnonzero(answered & (deal.own < deal.joint) & (world.learner[deal.row_a] >= 0))
    if len(told):
        told = told[~same_coalition(batch, deal.row_a[told], deal.row_b[told])]
    if len(told) == 0:
        return
    rule, owner, slot = batch.in_force.at(deal.replicate[told]), world.learner[deal.row_a[told]], deal.row_b[told]
    position = world.leniency.locate(owner, world.slot[slot])
    omega = world.leniency.omega(position, rule.leniency)
    chance = [_chance_of_yes(batch, rule, deal, told, bar) for bar in (deal.own, deal.joint)]
    moved = after_answer(omega, deal.accepted[told], chance[0], chance[1], rule.leniency_floor)
    now = np.full(len(told), 2 * batch.step + batch.second_pass, dtype=np.int64)
    world.leniency.learn(owner, world.slot[slot], position, moved, now)


def _chance_of_yes(batch: Batch, rule: Columns, deal: Deals, told: I64, bar: Any) -> Any:
    """The chance of a yes that an initiator expects if its counterparty judges by a bar: over good and bad outcomes.

    Only deals that levers let through are answered, so outcomes are weighed by the passage that was foretold.
    """
    first = take(batch.table.first_class, deal.replicate[told])
    q = outcome_chance(rule, deal.effort[told], batch.world.skill[deal.row_a[told]], deal.difficulty[told])
    if deal.passage is not None:
        good, bad = deal.passage[:, told]
        through = q * good + (1.0 - q) * bad  # exactly 1 where everything is let through
        q = np.where(through > 0.0, q * good / np.where(through > 0.0, through, 1.0), q)
    trust, bar = deal.trust[told], take(bar, told)
    good = acceptance_chance(trust, batch.table.screen_odds[first], bar)
    bad = acceptance_chance(trust, batch.table.screen_odds[first + 1 + deal.level[told]], bar)
    return bad + q * (good - bad)


def learn_from_deals(batch: Batch, deal: Deals, done: I64, told_good: NDArray[np.bool_]) -> None:
    """Count the deals and audits that initiators meet, and note when a bad deal of theirs came to light.

    Frozen agents are made cautious by partners who found them out, not by audits.
    Params   done: positions of accepted deals; told_good: what came to light of each, if anything.
    """
    world, row = batch.world, deal.row_a[done]
    world.deals[row] += 1
    world.audits[row[deal.inspected[done]]] += 1
    caught = (deal.discovered[done] & ~deal.is_good[done]) | (batch.learns[row] & deal.audited[done] & ~told_good)
    world.caught_step[row[caught]] = batch.step
