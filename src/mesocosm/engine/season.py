"""Between steps: what happens when an epoch begins and when it ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, rng
from mesocosm.engine import identities, trade, work
from mesocosm.engine.batch import Batch
from mesocosm.engine.govern import Stack
from mesocosm.engine.society import weigh_ballots
from mesocosm.env.deposits import pay_out
from mesocosm.env.economy import take
from mesocosm.env.tasks import TaskStatus

F64 = NDArray[np.float64]
VOTERS_AT_ONCE = 1 << 11  # few enough for the processor's cache, with up to 64 records each
TURNOVER = 1 << 40  # offset of the draws of turnover, beside those of planned departures
I64 = NDArray[np.int64]


def begin_epoch(batch: Batch, stack: Stack) -> None:
    """Departures and arrivals, further identities, the epoch's tasks, and fresh counts.

    Moves    nothing -> arrivals, stakes and bonds -> leavers, leavers -> commons (commons -> leavers who are in debt);
             identities.open_further.
    """
    world = batch.world
    lately = identities.look_back(batch)
    for counter in (world.proposed, world.accepted, world.acted, world.refused):
        counter[:] = 0
    if batch.epoch > 0:
        _depart(batch, stack)
        _arrive(batch)
        identities.open_further(batch, stack, lately)
    batch.emit_for("epoch_started", np.arange(world.n_replicates), {"active": world.crowd.count.copy()})
    if batch.structure.tasks:
        work.open_for_epoch(batch)


def _arrive(batch: Batch) -> None:
    world = batch.world
    row = np.flatnonzero(batch.roster.arrival_epoch == batch.epoch)
    if len(row) == 0:
        return
    endowment = np.broadcast_to(np.asarray(take(batch.by_row.initial_budget, row), dtype=np.float64), len(row))
    world.active[row] = True
    world.ledger.mint(row, exact.micro(endowment))
    batch.emit("arrived", row, {"agent": world.slot[row], "endowment": endowment})
    world.refresh_crowd()


def _depart(batch: Batch, stack: Stack) -> None:
    """Planned departures take the active agents of a type with the lowest keyed draw; turnover takes each by chance."""
    world = batch.world
    leaves = np.zeros(world.n_rows, dtype=np.bool_)
    luck: F64 | None = None
    for replicate, scenario in enumerate(batch.scenarios):
        population = scenario.population
        planned = [item for item in population.departures if item.epoch == batch.epoch]
        if not planned and population.turnover == 0.0:
            continue
        if luck is None:
            luck = batch.uniform(rng.Purpose.DEPART, np.arange(world.n_rows))
        row = np.arange(world.offset[replicate], world.offset[replicate + 1])
        row = row[world.active[row] & ~world.identities.is_further[row]]
        for item in planned:
            code = batch.roster.policies.index(item.type) if item.type in batch.roster.policies else -1
            kind = row[(world.code[row] == code) & ~leaves[row]]
            leaves[kind[exact.order_by(luck[kind])][: item.count]] = True
        if population.turnover > 0.0:
            chance = batch.uniform_at(rng.Purpose.DEPART, world.replicate[row], TURNOVER + world.slot[row])
            leaves[row[chance < population.turnover]] = True
    row = np.flatnonzero(leaves[world.identities.owner] & world.active)  # an owner leaves with all its identities
    if len(row) == 0:
        return
    _return_deposits(batch, row)
    if batch.structure.market:
        trade.leave_market(batch, stack, row)
    batch.emit("departed", row, {"agent": world.slot[row], "balance": exact.credits(world.ledger.balance[row])})
    world.ledger.close_account(row)
    world.active[row] = False
    _drop_work(batch, row)
    world.refresh_crowd()


def _return_deposits(batch: Batch, row: I64) -> None:
    """Give leavers back what they have set aside. Moves: stake, bond -> agent."""
    ledger = batch.world.ledger
    for kind in ("stake", "bond"):
        owner = row[ledger.hold[kind][row] > 0]
        if len(owner):
            amount = ledger.hold[kind][owner]
            pay_out(ledger, kind, owner, owner, amount)
            columns = {"agent": batch.world.slot[owner], "deposit": np.full(len(owner), kind, dtype=object)}
            batch.emit("returned", owner, columns | {"amount": exact.credits(amount)})


def _drop_work(batch: Batch, row: I64) -> None:
    """Tasks that leavers hold go back to wait for another worker."""
    world = batch.world
    holding = row[world.holds_task[row] >= 0]
    at = (world.replicate[holding], world.holds_task[holding])
    world.tasks.status[at] = TaskStatus.planned
    world.tasks.worker[at] = -1
    world.holds_task[holding] = -1


def end_epoch(batch: Batch, stack: Stack) -> None:
    """Deadlines, levers, ballots, forgetting, then the state of every agent for the log."""
    world = batch.world
    if batch.structure.tasks:
        work.expire(batch)
    if batch.structure.market:
        trade.refund_overdue(batch)
    stack.on_epoch(batch)
    count_ballots(batch, stack)
    stack.tell_fired(batch)
    world.memory.fade(batch.by_row.decay)
    _snapshot(batch)
    books = world.ledger
    amounts = (books.minted, books.burnt, books.treasury, books.commons)
    named = zip(("minted", "burnt", "treasury", "commons"), amounts, strict=True)
    columns = {"active": world.crowd.count.copy(), **{name: exact.credits(amount) for name, amount in named}}
    batch.emit_for("epoch_completed", np.arange(world.n_replicates), columns)


def count_ballots(batch: Batch, stack: Stack) -> None:
    """Everybody votes on whom it remembers; reputations move by the weighted mean ballot.

    R <- clip(R + ballot_gain V, -bound, bound), V = sum of weight * sign(m - 1/2) / sum of weight. A coalition votes
    for its mates, known or not, and against everybody else it remembers. Levers may change the weights.
    Source   design section 2, Reputation.
    """
    world = batch.world
    backs = np.array([player.policy.coalition for player in batch.cast])
    weight = np.array([player.policy.ballot_weight for player in batch.cast])[world.code]
    weight = weigh_ballots(batch, stack, weight, lambda: _ballots_cast(batch, backs))
    given, cast = np.zeros(world.n_rows), np.zeros(world.n_rows)
    for start in range(0, world.n_rows, VOTERS_AT_ONCE):
        _count_some(batch, slice(start, start + VOTERS_AT_ONCE), weight, backs, (given, cast))
    for code in np.flatnonzero(backs):
        member = np.flatnonzero((world.code == code) & world.active)
        where = world.replicate[member]
        of_mates = exact.sum_by(where, weight[member], world.n_replicates)[where] - weight[member]
        given[member] += of_mates
        cast[member] += of_mates
    if world.identities.any_in_use:
        _back_own(batch, weight, backs, (given, cast))
    mean = np.where(cast > 0.0, given / np.where(cast > 0.0, cast, 1.0), 0.0)
    bound = batch.by_row.bound
    moved = np.minimum(np.maximum(world.reputation + batch.by_row.ballot_gain * mean, -bound), bound)
    row = world.crowd.row
    world.set_reputation(row, moved[row], take(batch.by_row.prior_mean, row))


def _ballots_cast(batch: Batch, backs: Any) -> I64:
    """(n,) how many ballots each active agent casts: on whom it remembers, and on mates it does not."""
    world, memory = batch.world, batch.world.memory
    known = memory.seq >= 0
    cast: I64 = np.where(world.active, np.count_nonzero(known, axis=1), 0)
    for code in np.flatnonzero(backs):
        member = np.flatnonzero((world.code == code) & world.active)
        of = world.offset[world.replicate[member]][:, None] + np.maximum(memory.partner[member], 0)
        remembered = np.count_nonzero(known[member] & (world.code[of] == code), axis=1)
        mates = exact.count_by(world.replicate[member], world.n_replicates)[world.replicate[member]] - 1
        cast[member] += mates - remembered
    return cast


def _back_own(batch: Batch, weight: F64, backs: Any, into: tuple[F64, F64]) -> None:
    """An owner's identities vote for each other; those of a coalition have done so as its members."""
    world, owner = batch.world, batch.world.identities.owner
    row = world.crowd.row[~backs[world.code[world.crowd.row]]]
    others = exact.count_by(owner[row], world.n_rows)[owner[row]] - 1
    for total in into:
        total[row] += weight[row] * others


def _count_some(batch: Batch, rows: slice, weight_of: F64, backs: Any, into: tuple[F64, F64]) -> None:
    """Add the ballots of some voters to what each agent was given and how much weight was cast on it."""
    world, memory = batch.world, batch.world.memory
    known = (memory.seq[rows] >= 0) & world.active[rows, None]
    at = np.flatnonzero(known)
    voter = np.repeat(np.arange(rows.start, rows.start + len(known)), np.count_nonzero(known, axis=1))
    rated = world.offset[world.replicate[voter]] + memory.partner[rows].reshape(-1)[at]
    alpha, beta = memory.alpha[rows].reshape(-1)[at], memory.beta[rows].reshape(-1)[at]
    strength = take(batch.by_row.prior_strength, voter)
    sign = np.sign(alpha + strength * world.prior[rated] - 0.5 * (alpha + beta + strength))
    if world.identities.any_in_use:  # an owner's identities back each other, known or not
        apart = ~world.identities.of_one_owner(voter, rated)
        voter, rated, sign = voter[apart], rated[apart], sign[apart]
    loyal = backs[world.code[voter]]
    if loyal.any():
        sign = np.where(loyal, -1.0, sign)
        apart = ~(loyal & (world.code[voter] == world.code[rated]))
        voter, rated, sign = voter[apart], rated[apart], sign[apart]
    weight = weight_of[voter]
    np.add.at(into[0], rated, weight * sign)  # one after the other, so that the bits do not depend on the blocks
    np.add.at(into[1], rated, weight)


def _snapshot(batch: Batch) -> None:
    """State of every agent that is or was there, for metrics and log."""
    world = batch.world
    row = np.flatnonzero(world.identities.since <= batch.epoch)
    columns = {
        "agent": world.slot[row],
        "active": world.active[row],
        "reputation": world.reputation[row],
        "balance": exact.credits(world.ledger.balance[row]),
        "deposits": exact.credits(world.ledger.set_aside[row]),
        "proposed": world.proposed[row],
        "accepted": world.accepted[row],
        "votes_received": world.votes_received[row],
        "acted": world.acted[row],
        "refused": world.refused[row],
        "deals": world.deals[row],
        "audits": world.audits[row],
        "freezes": world.freezes[row],
        "payoff_mean": world.payoff_mean[row],
    }
    batch.emit_always("agent_state", world.replicate[row], columns)
