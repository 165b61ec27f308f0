"""Carries requests to the market out and logs what came of them: an event for each, also where it was refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.engine.batch import Batch
from mesocosm.env.bidding import seen_chance
from mesocosm.env.bounties import REFUSAL_NAMES, BountyStatus, Refusal, in_turns
from mesocosm.env.market import BountyTerms, Handed
from mesocosm.env.panel import panel_right

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
At = tuple[I64, I64]
NOBODY = -1


def post(batch: Batch, row: I64, new: BountyTerms) -> I64:
    """Post bounties of rows. Returns: refusal (k,). Moves: poster -> escrow."""
    world = batch.world
    limit = exact.micro(np.broadcast_to(np.asarray(batch.by_row.budget_per_epoch, dtype=np.float64), world.n_rows)[row])
    allowance = limit - world.ledger.spent[row]
    refusal, number = world.market.post_bounty(world.ledger, row, new, batch.epoch, allowance)
    done = np.flatnonzero(refusal == Refusal.none)
    np.add.at(world.ledger.spent, row[done], new.offer[done])
    columns = {
        "agent": world.slot[row[done]], "bounty": number[done], "offer": exact.credits(new.offer[done]),
        "value": new.value[done], "deadline": new.deadline[done],
    }  # fmt: skip
    seq = batch.emit("bounty_posted", row[done], columns)
    at = _places(batch, world.replicate[row[done]], number[done])
    world.market.last_seq[at] = seq
    refuse(batch, "post_bounty", world.replicate[row], number, refusal, row)
    return refusal


def bid(batch: Batch, row: I64, number: I64, amount: I64, cost: F64) -> tuple[I64, I64]:
    """Bid for bounties. Returns: (refusal (k,), seq (k,) of each bid, -1 where refused)."""
    world = batch.world
    replicate = world.replicate[row]
    refusal = world.market.submit_bid(row, replicate, number, (amount, cost), batch.epoch)
    done = np.flatnonzero(refusal == Refusal.none)
    columns = {
        "agent": world.slot[row[done]], "bounty": number[done], "bid": exact.credits(amount[done]), "cost": cost[done],
    }  # fmt: skip
    cause = world.market.last_seq[_places(batch, replicate[done], number[done])]
    seq = np.full(len(row), NOBODY, dtype=np.int64)
    seq[done] = batch.emit("bid_submitted", row[done], columns, cause)
    refuse(batch, "submit_bid", replicate, number, refusal, row)
    return refusal, seq


def accept(batch: Batch, row: I64, number: I64, choice: tuple[I64, I64], cause: I64) -> I64:
    """Accept bids: rows choose (slots of bidders, prices). Returns: refusal (k,). Moves: escrow -> poster."""
    world = batch.world
    refusal = world.market.accept_bid(world.ledger, row, number, choice, batch.epoch)
    done = np.flatnonzero(refusal == Refusal.none)
    at = _places(batch, world.replicate[row[done]], number[done])
    columns = {
        "agent": world.slot[row[done]], "bounty": number[done], "worker": choice[0][done],
        "price": exact.credits(choice[1][done]), "bids": (world.market.bidder[at] >= 0).sum(axis=1),
    }  # fmt: skip
    world.market.last_seq[at] = batch.emit("bid_accepted", row[done], columns, cause[done])
    refuse(batch, "accept_bid", world.replicate[row], number, refusal, row)
    return refusal


def deliver(batch: Batch, row: I64, number: I64, handed: Handed) -> I64:
    """Hand work in, its cost spent. Returns: refusal (k,). Moves: worker -> nothing."""
    world = batch.world
    refusal = world.market.deliver(row, world.replicate[row], number, handed, batch.epoch)
    done = np.flatnonzero(refusal == Refusal.none)
    world.ledger.burn(row[done], handed.toil[done])
    np.add.at(world.ledger.spent, row[done], handed.toil[done])
    at = _places(batch, world.replicate[row[done]], number[done])
    columns = {
        "agent": world.slot[row[done]], "bounty": number[done], "effort": handed.effort[done],
        "disguise": handed.disguise[done], "toil": exact.credits(handed.toil[done]), "v": handed.v[done],
    }  # fmt: skip
    world.market.last_seq[at] = batch.emit("work_delivered", row[done], columns, world.market.last_seq[at])
    refuse(batch, "deliver", world.replicate[row], number, refusal, row)
    return refusal


def verify(batch: Batch, replicate: I64, number: I64, verdict: I64, votes: I64) -> I64:
    """Give verdicts by so many votes that the work is good. Returns: refusal (k,)."""
    refusal = batch.world.market.verify(replicate, number, verdict)
    _judged(batch, "work_verified", (replicate, number), {"verdict": verdict, "votes": votes}, refusal)
    refuse(batch, "verify", replicate, number, refusal)
    return refusal


def dispute(batch: Batch, row: I64, number: I64, bond: I64) -> I64:
    """Open disputes. Returns: refusal (k,). Moves: disputant -> bond."""
    world = batch.world
    refusal = world.market.open_dispute(world.ledger, row, number, bond)
    done = np.flatnonzero(refusal == Refusal.none)
    at = _places(batch, world.replicate[row[done]], number[done])
    columns = {"agent": world.slot[row[done]], "bounty": number[done], "bond": exact.credits(bond[done])}
    world.market.last_seq[at] = batch.emit("dispute_opened", row[done], columns, world.market.last_seq[at])
    refuse(batch, "open_dispute", world.replicate[row], number, refusal, row)
    return refusal


def decide(batch: Batch, replicate: I64, number: I64, verdict: I64, votes: I64) -> I64:
    """Decide disputes. Returns: refusal (k,). Moves: disputant's bond -> whom the verdict favours."""
    market = batch.world.market
    before = market.verdict[_places(batch, replicate, number)]
    refusal = market.decide(batch.world.ledger, replicate, number, verdict)
    overturned = verdict != np.where(before == 0, 1, before)
    said = {"verdict": verdict, "votes": votes, "overturned": overturned}
    _judged(batch, "dispute_decided", (replicate, number), said, refusal)
    refuse(batch, "decide", replicate, number, refusal)
    return refusal


def release(batch: Batch, replicate: I64, number: I64) -> I64:
    """Release escrow; paid work brings its poster what accounts see it as worth.

    Returns  refusal (k,).
    Moves    escrow -> worker, nothing -> poster (what the work is worth).
    """
    world, market = batch.world, batch.world.market
    refusal = market.release_escrow(world.ledger, replicate, number)
    done = np.flatnonzero(refusal == Refusal.none)
    at = _places(batch, replicate[done], number[done])
    columns = {
        "bounty": number[done], "poster": market.poster[at], "worker": market.worker[at],
        "amount": exact.credits(market.price[at]),
    }  # fmt: skip
    market.last_seq[at] = batch.emit_for("escrow_released", replicate[done], columns, market.last_seq[at])
    rule = batch.economy.at(replicate[done])
    is_true = np.asarray(rule.settle_on_outcome) > 0
    seen = np.where(is_true, market.v[at] > 0, seen_chance(rule, market.verdict[at]))
    credited = exact.micro(market.value[at] * seen)
    world.ledger.mint(world.offset[at[0]] + market.poster[at], credited)
    _close(batch, at, credited)
    refuse(batch, "release_escrow", replicate, number, refusal)
    return refusal


def refund(batch: Batch, replicate: I64, number: I64, reason: str, is_leaving: Any = False) -> I64:
    """Give escrow back to posters. Returns: refusal (k,). Moves: escrow -> poster."""
    world, market = batch.world, batch.world.market
    overdue = batch.epoch + (reason == "deadline")  # an epoch that ends has passed
    refusal = market.refund(world.ledger, replicate, number, overdue, is_leaving)
    done = np.flatnonzero(refusal == Refusal.none)
    at = _places(batch, replicate[done], number[done])
    given = np.where(market.price[at] > 0, market.price[at], market.offer[at])
    columns = {
        "bounty": number[done], "poster": market.poster[at], "amount": exact.credits(given),
        "reason": np.full(len(done), reason, dtype=object),
    }  # fmt: skip
    market.last_seq[at] = batch.emit_for("escrow_refunded", replicate[done], columns, market.last_seq[at])
    _close(batch, at, np.zeros(len(done), dtype=np.int64))
    refuse(batch, "refund", replicate, number, refusal)
    return refusal


def refuse(batch: Batch, operation: str, replicate: I64, number: I64, refusal: I64, row: I64 | None = None) -> None:
    """Log requests that were refused, with the reason of each."""
    bad = np.flatnonzero(refusal != Refusal.none)
    if not len(bad):
        return
    bad = bad[np.argsort(replicate[bad], kind="stable")]
    columns = {
        "agent": np.full(len(bad), NOBODY) if row is None else batch.world.slot[row[bad]], "bounty": number[bad],
        "operation": np.full(len(bad), operation, dtype=object), "refusal": REFUSAL_NAMES[refusal[bad]],
    }  # fmt: skip
    batch.emit_for("market_refused", replicate[bad], columns)


def _places(batch: Batch, replicate: I64, number: I64) -> At:
    return replicate, batch.world.market.locate(replicate, number)[0]


def _judged(batch: Batch, kind: str, which: At, said: dict[str, NDArray[Any]], refusal: I64) -> None:
    """Log what panels said."""
    replicate, number = which
    market = batch.world.market
    done = np.flatnonzero(refusal == Refusal.none)
    size = np.broadcast_to(np.asarray(batch.economy.at(replicate).panel_size), len(replicate)).astype(np.int64)
    at = _places(batch, replicate[done], number[done])
    columns = {"bounty": number[done], "of": size[done]} | {name: column[done] for name, column in said.items()}
    market.last_seq[at] = batch.emit_for(kind, replicate[done], columns, market.last_seq[at])


def _close(batch: Batch, at: At, credited: I64) -> None:
    """Say what bounties came to, and let posters remember what verdicts said of workers."""
    market = batch.world.market
    columns = {
        "bounty": market.number[at], "poster": market.poster[at], "worker": market.worker[at],
        "released": market.status[at] == BountyStatus.released, "delivered": market.v[at] != 0,
        "disputed": market.disputant[at] >= 0, "verdict": market.verdict[at], "v": market.v[at],
        "price": exact.credits(market.price[at]), "value": market.value[at].copy(),
        "credited": exact.credits(credited), "toil": exact.credits(market.toil[at]),
    }  # fmt: skip
    if len(at[0]):
        batch.emit_always("bounty_closed", at[0], columns, market.last_seq[at])
    judged = np.flatnonzero(market.verdict[at] != 0)
    _remember(batch, (at[0][judged], at[1][judged]))


def _remember(batch: Batch, at: At) -> None:
    """Posters add what a panel said to what they remember of the worker; bad work has come to light."""
    world, market = batch.world, batch.world.market
    start, said = world.offset[at[0]], market.verdict[at]
    poster, slot = start + market.poster[at], market.worker[at]
    right = panel_right(batch.economy.at(at[0]))
    seen = np.where(said > 0, right, 1.0 - right)
    key = poster * int(np.diff(world.offset).max()) + slot
    for turn in in_turns(key):
        position = world.memory.locate(poster[turn], slot[turn])
        world.memory.record(poster[turn], slot[turn], position, seen[turn], market.last_seq[at][turn])
    world.caught_step[(start + slot)[said < 0]] = batch.step
