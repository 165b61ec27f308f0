"""Owners and their identities: who of them acts in a step, and when another is opened or one is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.agents.splitting import accepted_proposals, appeal, ballot_share
from mesocosm.api import Lever
from mesocosm.engine.batch import Batch
from mesocosm.engine.govern import Seat, Stack, note_action
from mesocosm.engine.lever_answers import check_column, held_mask, held_pair
from mesocosm.env.deposits import set_aside
from mesocosm.env.economy import take
from mesocosm.env.ledger import hand_over
from mesocosm.env.population import NEVER

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
UNLIMITED = 1e18  # proposals in an epoch


class Lately(NamedTuple):
    """What every row did in the epoch before."""

    proposed: I64  # (n,)
    deals: I64  # (n,) own proposals accepted


def look_back(batch: Batch) -> Lately | None:
    """What happened in the epoch before, taken down before its counts are cleared; None where nobody may split."""
    world, identities = batch.world, batch.world.identities
    if not identities.any_in_use:
        return None
    lately = Lately(world.proposed.copy(), world.deals - identities.deals_before)
    identities.deals_before[:] = world.deals
    return lately


def who_acts(batch: Batch, stack: Stack, row: I64) -> I64:
    """The rows that act in this step: everybody, but of an owner's identities only so many, in turn.

    Owners who respond to levers pass over identities that are frozen or have no proposals left, if others do.
    """
    world, identities = batch.world, batch.world.identities
    if not identities.any_in_use:
        return row
    is_one_of_many = exact.count_by(identities.owner[row], world.n_rows)[identities.owner[row]] > 1
    several = row[is_one_of_many]
    if len(several) == 0:
        return row
    owner, can = identities.owner[several], ~identities.is_dormant[several]
    room = allowances(batch, stack, several, batch.epoch)
    free = can & (world.proposed[several] < room)
    free &= batch.blind[several] | (world.frozen_until[several] <= batch.step)
    chosen = np.where(exact.count_by(owner[free], world.n_rows)[owner] > 0, free, can)
    mine = owner[chosen]
    many = exact.count_by(mine, world.n_rows)[mine]
    acts = np.zeros(len(several), dtype=np.bool_)
    at_once = take(batch.by_row.identities_at_once, several[chosen])
    acts[chosen] = (exact.rank_within(mine) - batch.step) % many < at_once
    turn = ~is_one_of_many
    turn[is_one_of_many] = acts
    return row[turn]


def allowances(batch: Batch, stack: Stack, row: I64, epoch: int) -> F64:
    """(k,) proposals that rows reckon they may make in an epoch; frozen agents reckon with no rule."""
    room = np.full(len(row), UNLIMITED)
    for seat in stack.seats:
        if type(seat.lever).allowance is not Lever.allowance:
            with seat.blame("allowance") as hook:
                told = seat.at(batch.world.replicate[row]).allowance(seat, row, epoch)
            if told is not None:
                check_column(hook, "the allowance", told, len(row), "agents")
                room = np.minimum(room, told)
    return np.where(batch.blind[row], UNLIMITED, room)


def open_further(batch: Batch, stack: Stack, lately: Lately | None) -> None:
    """Owners who split weigh one more identity, open it if that pays, and give up one whose name is ruined.

    Moves    owner -> treasury (cost), owner -> bond (deposit), owner -> identity (endowment).
    """
    if lately is None or not len(owners := _deciding(batch)):
        return
    case = _case(batch, stack, owners, lately)
    if (case.new >= 0).any():
        _open(batch, stack, case)
    _abandon(batch, stack, case)


@dataclass(slots=True)
class Weighing:
    """What owners know when they decide.

    Shapes   w = owners, n = agent rows.
    """

    owner: I64  # (w,) rows
    new: I64  # (w,) row of the identity that each could open, -1 for none
    place: I64  # (n,) place of each row's owner in `owner`, -1 for others
    open: I64  # (w,) identities each has, those it has given up included
    standing: F64  # (n,) mean trust of others
    stranger: Any  # (w,) trust in a stranger
    wish: F64  # (w,) proposals that each wants to make in an epoch and a turn
    pay: F64  # (w,) what an accepted proposal brings, in the owner's own measure
    weight: F64  # (w,) of one ballot
    others: F64  # (w,) weight of everybody else's ballots
    crowd: F64  # (w,) how many others there are

    def worst(self, row: I64) -> I64:
        """The identity of worst name of each owner, -1 where none is worse than a stranger's."""
        order = row[exact.order_by(self.place[row], self.standing[row], row)]
        first = order[exact.rank_within(self.place[order]) == 0]
        found = np.full(len(self.owner), -1, dtype=np.int64)
        found[self.place[first]] = first
        bad = (found >= 0) & (self.standing[np.maximum(found, 0)] < self.stranger)
        return np.where(bad, found, -1)


def _deciding(batch: Batch) -> I64:
    """Owners who split, may have several identities, and have been there for an epoch at least."""
    world, identities = batch.world, batch.world.identities
    splits = np.array([player.policy.splits and not player.policy.external for player in batch.cast])
    has_further = np.zeros(world.n_rows, dtype=np.bool_)
    has_further[identities.owner[identities.is_further]] = True
    known = identities.since < batch.epoch
    return np.flatnonzero(world.active & has_further & known & splits[world.code])


def _case(batch: Batch, stack: Stack, owner: I64, lately: Lately) -> Weighing:
    world, identities, n = batch.world, batch.world.identities, batch.world.n_rows
    place = np.full(n, -1, dtype=np.int64)
    place[owner] = np.arange(len(owner))
    place = place[identities.owner]
    opened = np.flatnonzero((place >= 0) & world.active)
    of, standing = place[opened], standings(batch)
    waiting = np.flatnonzero((place >= 0) & identities.is_further & (identities.since == NEVER))
    first = waiting[exact.rank_within(place[waiting]) == 0]
    new = np.full(len(owner), -1, dtype=np.int64)
    new[place[first]] = first

    def total(value: Any) -> F64:
        return exact.sum_by(of, np.broadcast_to(np.asarray(value, dtype=np.float64), len(of)), len(owner))

    player = [batch.cast[code].policy for code in range(len(batch.cast))]
    rule = batch.economy.at(world.replicate[opened])
    harm = rule.h * (1.0 - rule.q_low)
    seeks = np.array([policy.seeks_harm for policy in player])[world.code[opened]]
    brought = total(lately.deals[opened] * np.where(seeks, harm, world.payoff_mean[opened]))
    tried = total(lately.proposed[opened] * appeal(standing[opened], 0.0, 0.0))
    proposed = total(lately.proposed[opened])
    awake = opened[~identities.is_dormant[opened]]
    turns = np.minimum(exact.count_by(place[awake], len(owner)), take(batch.by_row.identities_at_once, owner))
    at_most = exact.sum_by(place[awake], allowances(batch, stack, awake, batch.epoch), len(owner))
    seconds = np.array([policy.second_proposal for policy in player])[world.code[owner]]
    eager = batch.structure.steps_per_epoch * (1.0 + seconds)
    weights = np.array([policy.ballot_weight for policy in player])
    every = exact.sum_by(world.replicate[world.crowd.row], weights[world.code[world.crowd.row]], world.n_replicates)
    count = exact.count_by(of, len(owner))
    return Weighing(
        owner=owner,
        new=new,
        place=place,
        open=count,
        standing=standing,
        stranger=take(batch.by_row.prior_mean, owner),
        wish=np.where(proposed >= at_most, eager, proposed / np.maximum(turns, 1)),
        pay=np.where(tried > 0.0, np.maximum(brought, 0.0) / np.where(tried > 0.0, tried, 1.0), 0.0),
        weight=weights[world.code[owner]],
        others=every[world.replicate[owner]] - count * weights[world.code[owner]],
        crowd=(world.crowd.count[world.replicate[owner]] - count).astype(np.float64),
    )


def standings(batch: Batch) -> F64:
    """(n,) the mean trust of the other active agents in each row, where identities are in use; else that in a stranger.

    Those who do not remember an agent trust it as a stranger of its reputation.
    """
    world, memory = batch.world, batch.world.memory
    judges = world.active & world.identities.in_use[world.replicate]
    at = np.flatnonzero((memory.seq >= 0) & judges[:, None])
    voter = at // memory.n_places
    rated = world.offset[world.replicate[voter]] + memory.partner.reshape(-1)[at]
    alpha, beta = memory.alpha.reshape(-1)[at], memory.beta.reshape(-1)[at]
    strength = take(batch.by_row.prior_strength, voter)
    trust = (alpha + strength * world.prior[rated]) / (alpha + beta + strength)
    apart = ~world.identities.of_one_owner(voter, rated)
    more = exact.sum_by(rated[apart], (trust - world.prior[rated])[apart], world.n_rows)
    others = np.maximum(world.crowd.count[world.replicate] - 1, 1)
    standing: F64 = world.prior + more / others
    return standing


def _value(batch: Batch, stack: Stack, case: Weighing, row: I64, count: I64) -> F64:
    """(w,) what owners expect of some of their identities within their horizon, in their own measure.

    Params   row: those that act, given up ones left out; count: (w,) how many cast ballots.
    """
    world, of = batch.world, case.place[row]
    horizon = _column(batch.by_row.identity_horizon, row)
    ahead = range(int(horizon.max(initial=1.0)))
    room = [np.where(t < horizon, allowances(batch, stack, row, batch.epoch + t), 0.0) for t in ahead]
    at_once = take(batch.by_row.identities_at_once, case.owner)
    wish = case.wish * np.minimum(exact.count_by(of, len(case.owner)), at_once)
    own = ballot_share(np.maximum(count - 1, 0), case.weight, case.others)
    gain = take(batch.by_row.ballot_gain, case.owner)
    chance = appeal(case.standing[row], own[of], gain if np.ndim(gain) == 0 else gain[of])
    rule = batch.economy.at(world.replicate[case.owner])
    seeks = np.array([player.policy.seeks_harm for player in batch.cast])[world.code[case.owner]]
    taken = 2.0 * ballot_share(count, case.weight, case.others) * case.crowd * rule.ballot_gain
    influence = np.where(seeks, rule.w_rep * taken * rule.identity_horizon, 0.0)
    return case.pay * accepted_proposals(of, chance, np.stack(room), wish) + influence


def _open(batch: Batch, stack: Stack, case: Weighing) -> None:
    """Open an identity where it is worth more than it costs, can be paid, and no lever refuses it."""
    world, identities = batch.world, batch.world.identities
    cost, deposit, asking = _prices(batch, stack, case.owner)
    rule = batch.economy.at(world.replicate[case.owner])
    seeks = np.array([player.policy.seeks_harm for player in batch.cast])[world.code[case.owner]]
    felt = np.where(batch.blind[case.owner], 0.0, (cost + deposit) * np.where(seeks, rule.harm_cost_weight, 1.0))
    due, bond = exact.micro(cost), exact.micro(deposit)
    budget = exact.micro(_column(batch.by_row.budget_per_epoch, case.owner)) - world.ledger.spent[case.owner]
    funds = np.minimum(world.ledger.balance[case.owner], budget)
    wants = (case.new >= 0) & (_gain(batch, stack, case) > felt) & (due + bond <= funds)
    chosen = np.flatnonzero(wants)
    chosen = chosen[_admitted(batch, stack, case.new[chosen])]
    if len(chosen) == 0:
        return
    owner, row, due, bond = case.owner[chosen], case.new[chosen], due[chosen], bond[chosen]
    for seat, asks in asking:
        note_action(seat, world.replicate[owner[asks[chosen]]])
    world.ledger.to_treasury(owner, due)
    set_aside(world.ledger, "bond", owner, bond, holder=row)
    world.ledger.spent[owner] += due + bond
    share = exact.micro(_column(batch.by_row.identity_endowment, owner))
    share = np.minimum(share, np.maximum(world.ledger.balance[owner], 0))
    hand_over(world.ledger, owner, row, share)
    world.active[row] = True
    identities.since[row] = batch.epoch
    case.open[chosen] += 1
    columns = {name: exact.credits(amount) for name, amount in (("cost", due), ("deposit", bond), ("endowment", share))}
    batch.emit("identity_opened", owner, {"agent": world.slot[owner], "identity": world.slot[row], **columns})
    world.refresh_crowd()


def _gain(batch: Batch, stack: Stack, case: Weighing) -> F64:
    """(w,) g'(k): what each owner expects of one more identity, in place of its worst one if that is better."""
    identities, new = batch.world.identities, case.new[case.new >= 0]
    now = _awake(batch, case)
    worst = case.worst(now)
    before = _value(batch, stack, case, now, case.open)
    identities.since[new] = batch.epoch  # what levers would let newcomers do
    more = np.concatenate([now, new])
    after = _value(batch, stack, case, more, case.open + 1)
    instead = _value(batch, stack, case, more[~np.isin(more, worst)], case.open + 1)
    identities.since[new] = NEVER
    return np.maximum(after, instead) - before


def _awake(batch: Batch, case: Weighing) -> I64:
    """Open identities of the owners that they have not given up."""
    return np.flatnonzero((case.place >= 0) & batch.world.active & ~batch.world.identities.is_dormant)


def _abandon(batch: Batch, stack: Stack, case: Weighing) -> None:
    """Give up an identity that others trust less than a stranger, where the rest are better off without it."""
    world, awake = batch.world, _awake(batch, case)
    worst = case.worst(awake)
    rest = awake[~np.isin(awake, worst)]
    better = _value(batch, stack, case, rest, case.open) > _value(batch, stack, case, awake, case.open)
    better &= (worst >= 0) & (exact.count_by(case.place[rest], len(worst)) > 0)
    gone = worst[better]
    if len(gone):
        world.identities.is_dormant[gone] = True
        owner = case.owner[better]
        batch.emit("identity_abandoned", owner, {"agent": world.slot[owner], "identity": world.slot[gone]})


def _column(parameter: Any, row: I64) -> F64:
    """A parameter of the economy, one number for each row."""
    return np.broadcast_to(np.asarray(take(parameter, row), dtype=np.float64), len(row))


def _prices(batch: Batch, stack: Stack, owner: I64) -> tuple[F64, F64, list[tuple[Seat, Mask]]]:
    """(cost, deposit) that levers together ask of each owner for one more identity, in credits, and who asks whom."""
    cost, deposit = np.zeros((2, len(owner)))
    asking: list[tuple[Seat, Mask]] = []
    for seat in stack.seats:
        if type(seat.lever).identity_price is not Lever.identity_price:
            with seat.blame("identity_price") as hook:
                told = seat.at(batch.world.replicate[owner]).identity_price(seat, owner)
            asked = held_pair(hook, ("the cost", "the deposit"), told, len(owner), "owners")
            cost, deposit = cost + asked[0], deposit + asked[1]
            asking.append((seat, np.broadcast_to(np.asarray(asked[0]) + asked[1] > 0.0, len(owner))))
    return cost, deposit, asking


def _admitted(batch: Batch, stack: Stack, row: I64) -> Mask:
    """Which identities levers let owners open."""
    allowed = np.ones(len(row), dtype=np.bool_)
    for seat in stack.seats:
        if len(row) and type(seat.lever).may_open is not Lever.may_open:
            with seat.blame("may_open") as hook:
                told = seat.at(batch.world.replicate[row]).may_open(seat, row)
            mask = held_mask(hook, told, len(row), "identities")
            if mask is not None:
                note_action(seat, batch.world.replicate[row[~mask]])
                allowed &= mask
    return allowed
