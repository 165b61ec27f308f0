"""What the levers in force tell proposers who respond to them: costs, fines, refusals and freezes of deals to come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.api import Lever
from mesocosm.engine.batch import Batch
from mesocosm.engine.govern import Stack
from mesocosm.engine.lever_answers import held_foresight
from mesocosm.engine.observe import outlook
from mesocosm.env.economy import take
from mesocosm.env.foresight import Ahead, Foresight

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


def foretell(batch: Batch, stack: Stack, row: I64, candidate: tuple[I64, I64], x: F64) -> Foresight | None:
    """What to expect of a deal with either candidate, as levers announce it and as the proposers have met it.

    Returns  columns laid out by candidate, (2, k); None where no lever has anything to say.
    """
    speak = [seat for seat in stack.seats if type(seat.lever).foresee is not Lever.foresee]
    charge = any(type(seat.lever).cost is not Lever.cost for seat in stack.seats)
    if not (speak or charge):
        return None
    ahead = _ahead(batch, np.concatenate([row, row]), np.concatenate(candidate), np.concatenate([x, x]))
    told = Foresight()
    for seat in speak:
        with seat.blame("foresee") as hook:
            answer = seat.at(ahead.replicate).foresee(seat, ahead)
        said = held_foresight(hook, answer, len(ahead), len(ahead.look.p_bad))
        if said is not None:
            told.join(said)
    if charge:
        told.cost_a, told.cost_b = _costs(batch, stack, ahead)
    return told.paired()


def _costs(batch: Batch, stack: Stack, ahead: Ahead) -> tuple[F64, F64]:
    """(T, m) lever costs of either side for every transfer that could be offered."""
    size = np.broadcast_to(np.asarray(take(batch.economy.transfer, ahead.replicate), dtype=np.float64), len(ahead))
    sides = ([], [])  # type: tuple[list[F64], list[F64]]
    for multiple in batch.menu.transfer:
        ahead.tau = size * multiple
        for side, cost in zip(sides, stack.costs(ahead), strict=True):
            side.append(np.broadcast_to(np.asarray(cost, dtype=np.float64), len(ahead)))
    return np.stack(sides[0]), np.stack(sides[1])


def _ahead(batch: Batch, row: I64, partner: I64, x: F64) -> Ahead:
    world = batch.world
    rule, steps = batch.rule_at(row), batch.structure.steps_per_epoch
    return Ahead(
        row_a=row,
        row_b=partner,
        replicate=world.replicate[row],
        difficulty=x,
        look=outlook(batch, world.replicate[row]),
        deals=world.deals[row],
        audits=world.audits[row],
        freezes=world.freezes[row],
        payoff=np.maximum(world.payoff_mean[row], rule.payoff_floor),
        balance=exact.credits(world.ledger.balance[row]),
        stake=exact.credits(world.ledger.hold["stake"][row]),
        leaves=np.full(len(row), (batch.step % steps) / steps),
        steps_per_epoch=steps,
        others=world.crowd.count[world.replicate[row]] - 1,
        prior=world.prior[row],
        rule=rule,
        weight=rule.belief_weight,
        is_public=np.asarray(rule.belief_is_public, dtype=np.bool_),
    )
