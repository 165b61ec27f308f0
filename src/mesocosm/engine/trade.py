"""The market's part of a step: what was handed in is settled, work is done, needs are posted, bids are taken.

Auctions are sealed, so everybody takes part at once, whoever's turn it is. A bounty posted in one step is given to a
bidder in the same step, worked on in the next, and settled in the one after.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.engine import clearing, levies
from mesocosm.engine.batch import Batch
from mesocosm.engine.decide import decided_trade
from mesocosm.engine.govern import Stack
from mesocosm.engine.observe import build_view, same_coalition, trust_between
from mesocosm.env.bidding import awarded
from mesocosm.env.bounties import BountyStatus, Refusal
from mesocosm.env.economy import take
from mesocosm.env.market import BountyTerms, Handed
from mesocosm.env.panel import accuracy_on_bad, votes_of
from mesocosm.env.payoff import outcome_chance
from mesocosm.rng import Purpose

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
At = tuple[I64, I64]
VALUE_DRAWS = 1 << 40  # counters beside those of whether there is a need
SLOT_BITS, PANEL_BITS, INVITED_BITS = 24, 8, 6  # room for slots, verifiers and the invited beside a bounty's number


def trade(batch: Batch, stack: Stack) -> None:
    """Play the market's part of a step, and check the books.

    Moves    posters -> escrow -> workers, posters; disputants -> bonds -> whom verdicts favour; workers -> nothing
             (effort); workers -> treasury (what levers charge); nothing -> posters (what paid work is worth).
    """
    market = batch.world.market
    settle_work(batch, stack, market.places(BountyStatus.delivered))
    _work(batch, stack, market.places(BountyStatus.accepted))
    _post(batch, stack)
    _auction(batch, stack, market.places(BountyStatus.open))
    batch.world.ledger.audit(batch.economy.credit_limit)


def refund_overdue(batch: Batch) -> None:
    """At the end of an epoch, give back what nobody has earned by the deadline. Moves: escrow -> posters."""
    market = batch.world.market
    replicate, place = market.places(BountyStatus.open, BountyStatus.accepted)
    late = np.flatnonzero(market.deadline[replicate, place] <= batch.epoch)
    if len(late):
        at = (replicate[late], place[late])
        clearing.refund(batch, at[0], market.number[at], "deadline")


def leave_market(batch: Batch, stack: Stack, row: I64) -> None:
    """Wind up the bounties of agents who leave: panels judge what was handed in, the rest is refunded.

    Moves    escrow -> workers, posters.
    """
    world, market = batch.world, batch.world.market
    leaves = np.zeros(world.n_rows, dtype=np.bool_)
    leaves[row] = True

    def theirs(*status: BountyStatus) -> At:
        replicate, place = market.places(*status)
        start = world.offset[replicate]
        worker = market.worker[replicate, place]
        touched = leaves[start + market.poster[replicate, place]]
        touched |= (worker >= 0) & leaves[start + np.maximum(worker, 0)]
        return replicate[touched], place[touched]

    settle_work(batch, stack, theirs(BountyStatus.delivered), may_dispute=False)
    at = theirs(BountyStatus.open, BountyStatus.accepted)
    if len(at[0]):
        clearing.refund(batch, at[0], market.number[at], "left", is_leaving=True)


def settle_work(batch: Batch, stack: Stack, at: At, may_dispute: bool = True) -> None:
    """Verdicts on work that was handed in, disputes, and who gets the escrow.

    Moves    escrow -> workers, posters; disputants -> bonds -> whom the verdicts favour; workers -> treasury.
    """
    market = batch.world.market
    if not len(at[0]):
        return
    unseen = np.flatnonzero((market.verdict[at] == 0) & (market.on_submission[at] == 0))
    looked = (at[0][unseen], at[1][unseen])
    if len(unseen):
        verdict, votes = _panel(batch, looked, Purpose.PANEL)
        clearing.verify(batch, looked[0], market.number[looked], verdict, votes)
    if may_dispute:
        _dispute(batch, stack, at)
    passed = market.verdict[at] >= 0
    number = market.number[at]
    if passed.any():
        paid = (at[0][passed], at[1][passed])
        clearing.release(batch, paid[0], number[passed])
        levies.withhold(batch, stack, _payment(batch, paid), market.last_seq[paid])
    if not passed.all():
        clearing.refund(batch, at[0][~passed], number[~passed], "failed")


def _payment(batch: Batch, at: At) -> levies.Payment:
    """What bounties pay, as levers see it."""
    market, start = batch.world.market, batch.world.offset[at[0]]
    share = market.cost[at] / batch.economy.at(at[0]).cost_scale
    poster, worker = start + market.poster[at], start + market.worker[at]
    return levies.Payment(poster, worker, at[0], share, exact.credits(market.price[at]))


def _panel(batch: Batch, at: At, purpose: Purpose) -> tuple[I64, I64]:
    """What panels say of work: (verdict +1 or -1, votes that it is good)."""
    market, replicate = batch.world.market, at[0]
    rule = batch.economy.at(replicate)
    good = market.v[at] > 0
    accuracy = np.where(good, rule.panel_accuracy, accuracy_on_bad(rule, market.disguise[at]))
    size = np.broadcast_to(np.asarray(rule.panel_size), len(replicate)).astype(np.int64)
    counter = (market.number[at] << PANEL_BITS)[:, None] + np.arange(1 + int(size.max()))
    luck = batch.uniform_at(purpose, np.repeat(replicate, counter.shape[1]), counter.reshape(-1)).reshape(counter.shape)
    n_right, is_right = votes_of(accuracy, luck[:, 0], luck[:, 1:], rule)
    verdict = np.where(is_right == good, 1, -1)
    return verdict, np.where(good, n_right, size - n_right)


def _dispute(batch: Batch, stack: Stack, at: At) -> None:
    """Ask those whom a verdict goes against whether they contest it, and let panels decide."""
    world, market = batch.world, batch.world.market
    replicate, start = at[0], world.offset[at[0]]
    poster, worker = start + market.poster[at], start + market.worker[at]
    is_poster = market.verdict[at] >= 0
    row, other = np.where(is_poster, poster, worker), np.where(is_poster, worker, poster)
    rule = batch.rule_at(row)
    good = outcome_chance(rule, market.effort[at], world.skill[worker], market.cost[at] / rule.cost_scale)
    columns = {
        "is_poster": is_poster,
        "odds": np.where(is_poster, _look(batch, at, poster, worker), good / np.maximum(1.0 - good, 1e-9)),
        "verdict": market.verdict[at],
        "price": exact.credits(market.price[at]),
        "need_value": market.value[at],
        "is_mate": same_coalition(batch, row, other),
        "kept": levies.kept_share(batch, stack, row, _payment(batch, at)),
    }
    wants = np.flatnonzero(_ask(batch, "dispute", row, columns, np.zeros(len(row), dtype=np.bool_)))
    if not len(wants):
        return
    bond = exact.micro(np.broadcast_to(np.asarray(take(batch.by_row.dispute_bond, row), dtype=np.float64), len(row)))
    refusal = clearing.dispute(batch, row[wants], market.number[at][wants], bond[wants])
    done = wants[refusal == Refusal.none]
    if len(done):
        open_ = (replicate[done], at[1][done])
        verdict, votes = _panel(batch, open_, Purpose.APPEAL)
        clearing.decide(batch, open_[0], market.number[open_], verdict, votes)


def _look(batch: Batch, at: At, poster: I64, worker: I64) -> F64:
    """Odds that work is good after the poster's own noisy look, which disguise misleads, and by trust in the worker."""
    market = batch.world.market
    trust = trust_between(batch, poster, worker)[0]
    v = market.v[at].astype(np.float64)
    u = batch.uniform_at(Purpose.INSPECT, at[0], market.number[at])
    odds: F64 = trust / (1.0 - trust) * exact.exp(v + market.disguise[at] * (1.0 - v)) * (u / (1.0 - u))
    return odds


def _work(batch: Batch, stack: Stack, at: At) -> None:
    """Workers choose their conduct, pay for it, and hand in; effort that cannot be paid for is not made."""
    world, market, replicate = batch.world, batch.world.market, at[0]
    if not len(replicate):
        return
    start = world.offset[replicate]
    row, poster = start + market.worker[at], start + market.poster[at]
    columns = _standing(batch, row, poster) | {
        "work_cost": market.cost[at],
        "price": exact.credits(market.price[at]),
        "kept": levies.kept_share(batch, stack, row, _payment(batch, at)),
    }
    level = _ask(batch, "deliver", row, columns, np.zeros((2, len(row)), dtype=np.int64))
    rule = batch.rule_at(row)
    effort, disguise = batch.menu.effort[level[0]], batch.menu.disguise[level[1]]
    toil = exact.micro(market.cost[at] * effort + rule.disguise_cost * disguise)
    left = exact.micro(np.asarray(rule.budget_per_epoch, dtype=np.float64)) - world.ledger.spent[row]
    purse = np.minimum(world.ledger.balance[row], left)
    broke = _totals(row, toil) > purse
    toil = np.where(broke, 0, toil)
    effort, disguise = np.where(broke, 0.0, effort), np.where(broke, 0.0, disguise)
    q = outcome_chance(rule, effort, world.skill[row], market.cost[at] / rule.cost_scale)
    luck = batch.uniform_at(Purpose.WORK, replicate, market.number[at])
    v = np.where(luck < q, 1, -1)
    clearing.deliver(batch, row, market.number[at], Handed(effort, disguise, toil, v))


def _totals(row: I64, amount: I64) -> I64:
    """What each row's amounts come to up to and with each of them."""
    order = np.argsort(row, kind="stable")
    total = np.cumsum(amount[order])
    first = np.flatnonzero(np.r_[True, row[order][1:] != row[order][:-1]])
    before = np.repeat(np.r_[0, total[first[1:] - 1]], np.diff(np.r_[first, len(row)]))
    running = np.empty_like(total)
    running[order] = total - before
    return running


def _post(batch: Batch, stack: Stack) -> None:
    """Who needs work done offers for it what its policy says."""
    world = batch.world
    row = world.crowd.row
    row = row[world.frozen_until[row] <= batch.step]
    row = row[batch.uniform(Purpose.NEED, row) < take(batch.by_row.need_rate, row)]
    if not len(row):
        return
    rule = batch.rule_at(row)
    luck = batch.uniform_at(Purpose.NEED, world.replicate[row], VALUE_DRAWS + world.slot[row])
    value = rule.value_low + (rule.value_high - rule.value_low) * luck
    rivals = np.minimum(batch.structure.bidders, world.crowd.count[world.replicate[row]] - 1)
    most = np.broadcast_to(np.asarray(rule.reserve, dtype=np.float64), len(row))
    usual = levies.Payment(row, row, world.replicate[row], np.full(len(row), 0.5), most)
    columns = {"need_value": value, "rivals": rivals, "kept": levies.kept_share(batch, stack, row, usual)}
    offer = _ask(batch, "offer_bounty", row, columns, np.zeros(len(row)))
    wants = np.flatnonzero(offer > 0.0)
    row, value, rule = row[wants], value[wants], batch.rule_at(row[wants])
    k = len(row)
    deadline = batch.epoch - 1 + np.broadcast_to(np.asarray(rule.deadline_epochs), k).astype(np.int64)
    on_submission = np.broadcast_to(np.asarray(rule.on_submission), k).astype(np.int64)
    if k:
        clearing.post(batch, row, BountyTerms(exact.micro(offer[wants]), value, deadline, on_submission))


class Invited(NamedTuple):
    """Who may bid for which of some bounties, one entry for each pair."""

    row: I64  # (m,)
    of: I64  # (m,) which of the bounties


def _invite(batch: Batch, at: At) -> tuple[Invited, I64]:
    """A keyed choice of distinct bidders for each bounty, its poster apart; and how many were chosen, (k,)."""
    world, market, replicate = batch.world, batch.world.market, at[0]
    crowd = world.crowd
    count = crowd.count[replicate]
    taken = crowd.position[world.offset[replicate] + market.poster[at]][:, None]
    n = np.minimum(batch.structure.bidders, count - 1)
    for j in range(int(n.max(initial=0))):
        luck = batch.uniform_at(Purpose.INVITE, replicate, (market.number[at] << INVITED_BITS) + j)
        place: I64 = (luck * np.maximum(count - 1 - j, 1)).astype(np.int64)
        for known in np.sort(taken, axis=1, kind="stable").T:  # skip those who are taken, from the first on
            place += place >= known
        taken = np.concatenate([taken, np.where(j < n, place, np.iinfo(np.int64).max)[:, None]], axis=1)
    of, k = np.nonzero(np.arange(taken.shape[1] - 1) < n[:, None])
    row = crowd.row[crowd.start[replicate[of]] + taken[of, k + 1]]
    able = world.frozen_until[row] <= batch.step
    return Invited(row[able], of[able]), n


def _auction(batch: Batch, stack: Stack, at: At) -> None:
    """Take sealed bids for every open bounty, and give it to the lowest bidder whom its poster trusts enough."""
    world, market = batch.world, batch.world.market
    if not len(at[0]):
        return
    market.drop_bids(at)
    number, poster = market.number[at], world.offset[at[0]] + market.poster[at]
    invited, n = _invite(batch, at)
    row, of = invited
    counter = (number[of] << SLOT_BITS) + world.slot[row]
    rule = batch.rule_at(row)
    cost = rule.cost_scale * batch.uniform_at(Purpose.WORK_COST, at[0][of], counter)
    offer = exact.credits(market.offer[at][of])
    payment = levies.Payment(poster[of], row, at[0][of], cost / rule.cost_scale, offer)
    columns = _standing(batch, row, poster[of]) | {
        "work_cost": cost,
        "offer": offer,
        "rivals": n[of],
        "kept": levies.kept_share(batch, stack, row, payment),
    }
    asked = _ask(batch, "bid", row, columns, np.zeros(len(row)))
    bids = np.flatnonzero(asked > 0.0)
    refusal, seq = clearing.bid(batch, row[bids], number[of[bids]], exact.micro(asked[bids]), cost[bids])
    done = refusal == Refusal.none
    _award(batch, at, of[bids[done]], seq[done])


def _award(batch: Batch, at: At, bid_for: I64, seq: I64) -> None:
    """Give bounties to the lowest of the bids whose bidders are trusted enough.

    Params   bid_for: (m,) which bounty each bid is for, ascending; seq: (m,) of the bids.
    """
    world, market = batch.world, batch.world.market
    bidder = market.bidder[at]
    of, k = np.nonzero(bidder >= 0)
    poster = world.offset[at[0]] + market.poster[at]
    trust = trust_between(batch, poster[of], world.offset[at[0][of]] + bidder[of, k])[0]
    doubted = trust < take(batch.economy.minimum, at[0][of])
    bidder[of[doubted], k[doubted]] = -1
    sold = np.flatnonzero((bidder >= 0).any(axis=1))
    if not len(sold):
        return
    which = (at[0][sold], at[1][sold])
    second = np.broadcast_to(np.asarray(take(batch.economy.second_price, which[0])), len(sold))
    winner, price = awarded(bidder[sold], market.bid[which], market.offer[which], second)
    slot = bidder[sold, winner]
    cause = seq[np.searchsorted(bid_for, sold) + winner]  # a bounty's bids stand as they do on the board
    clearing.accept(batch, poster[sold], market.number[which], (slot, price), cause)


def _standing(batch: Batch, row: I64, poster: I64) -> dict[str, Any]:
    """What workers see of themselves and of the poster."""
    world = batch.world
    return {
        "skill": world.skill[row],
        "trust_of": trust_between(batch, poster, row)[0],
        "steps_since_caught": batch.step - world.caught_step[row],
        "is_mate": same_coalition(batch, row, poster),
    }


def _ask(batch: Batch, question: str, row: I64, columns: dict[str, Any], answer: Any) -> Any:
    """What the policies answer, (..., k); for agents written as objects it is what an honest trader would."""
    code = batch.world.code[row]
    for number, player in enumerate(batch.cast):
        chosen = np.flatnonzero(code == number)
        if len(chosen) == 0:
            continue
        source = {name: column[chosen] for name, column in columns.items()}
        view = build_view(batch, player, question, row[chosen], source)
        answer[..., chosen] = decided_trade(batch, player, question, row[chosen], view)
    return answer
