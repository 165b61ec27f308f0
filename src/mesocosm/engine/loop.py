"""The one loop, run > epoch > step > turn: a generator that yields events and asks drivers for decisions."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, rng
from mesocosm.api import Considered, Control, DecisionRequest, Enact, Kill
from mesocosm.config.schema import Scenario
from mesocosm.engine import bargain, identities, season, settle, social, trade
from mesocosm.engine.batch import Batch, first_turn, in_order, open_batch
from mesocosm.engine.govern import Stack, open_stack
from mesocosm.engine.holdings import holdings
from mesocosm.engine.rails import Rails, open_rails
from mesocosm.engine.society import read_public_record
from mesocosm.env.events import BEFORE, Checkpoint, EventBatch, Opening, Tick
from mesocosm.errors import UsageError

I64 = NDArray[np.int64]
Yielded = EventBatch | Opening | Tick | Checkpoint | DecisionRequest | Considered
Play = Generator[Yielded, Any, str]
COMPLETED = "completed"


def simulate(
    scenarios: Sequence[Scenario], seeds: Sequence[int], detail: bool = True, extra_levers: Sequence[str] = ()
) -> Play:
    """Play a batch of (scenario, seed) replicates to the end.

    Yields   EventBatch (what happened), DecisionRequest (send the decisions back), Opening before every epoch (send
             back a list of Enact, or None), Tick at the end of every turn (send back a list of Control, or None),
             Checkpoint at the end of every epoch, and Considered for the decisions of a row that is watched.
    Returns  why it ended: "completed" or the reason of the kill.
    Example
        >>> from mesocosm.config.load import load_scenario
        >>> scenario = load_scenario("baseline", ["simulation.epochs=1"])
        >>> kinds = [type(item).__name__ for item in simulate([scenario], [42])]
        >>> kinds.count("Tick"), kinds.count("Checkpoint")
        (20, 1)
    """
    return play_batch(open_batch(scenarios, seeds, detail), extra_levers)


def play_batch(batch: Batch, extra_levers: Sequence[str] = ()) -> Play:
    """Play a batch that is set up already, as `simulate` does."""
    stack = open_stack(batch, batch.scenarios, extra_levers)
    rails = open_rails(batch)
    structure = batch.structure
    everyone = np.arange(batch.world.n_replicates)
    size = {"agents": batch.world.crowd.count.copy()}
    for name in ("epochs", "steps_per_epoch"):
        size[name] = np.full(len(everyone), getattr(structure, name), dtype=np.int64)
    batch.emit_for("simulation_started", everyone, size)
    for epoch in range(structure.epochs):
        batch.epoch, batch.step, batch.turn = epoch, epoch * structure.steps_per_epoch, BEFORE
        killed = _obey(batch, stack, (yield Opening(epoch, batch.step)))
        if killed:
            return (yield from _end(batch, everyone, epoch, killed))
        batch.turn = 0
        rails.start_epoch(batch)
        season.begin_epoch(batch, stack)
        yield from batch.flush()
        for step in range(structure.steps_per_epoch):
            batch.step = epoch * structure.steps_per_epoch + step
            killed = yield from _step(batch, rails, stack)
            if killed:
                return (yield from _end(batch, everyone, epoch, killed))
        season.end_epoch(batch, stack)
        yield from batch.flush()
        yield Checkpoint(epoch, batch.step, state_hashes(batch, rails, stack))
    return (yield from _end(batch, everyone, structure.epochs, COMPLETED))


def state_hashes(batch: Batch, rails: Rails, stack: Stack) -> list[str]:
    """SHA-256 over the state of each replicate: the world, the meters of the rails, and what levers hold."""
    beside = holdings(batch, stack)
    if batch.structure.market:
        for replicate, pieces in enumerate(beside):
            pieces += [column.data for column in batch.world.market.content(replicate)]
    return batch.world.state_hashes((rails.tokens, rails.last_post), beside)


def _end(batch: Batch, everyone: I64, epochs: int, reason: str) -> Generator[Yielded, Any, str]:
    """Say why the run ended, well formed in every case."""
    n = len(everyone)
    if reason != COMPLETED:
        batch.emit_for("killed", everyone, {"reason": np.full(n, reason, dtype=object)})
    columns = {"epochs": np.full(n, epochs, dtype=np.int64), "reason": np.full(n, reason, dtype=object)}
    batch.emit_for("simulation_ended", everyone, columns)
    yield from batch.flush()
    return reason


def _step(batch: Batch, rails: Rails, stack: Stack) -> Generator[Yielded, Any, str]:
    """One step: first actions and proposals of everybody, then second proposals on the updated state."""
    rails.start_step(batch)
    batch.turn = first_turn(batch.structure, 0)
    stack.on_step(batch)
    read_public_record(batch, stack, batch.world.crowd.row)
    if batch.structure.feed:
        batch.world.feed.rank(batch.economy.alpha, batch.economy.beta)
    if batch.structure.market:
        batch.turn = first_turn(batch.structure, 0)
        trade.trade(batch, stack)
        yield from batch.flush()
    for second in (False, True):
        batch.second_pass = second
        batch.turn = first_turn(batch.structure, int(second))
        for row in _turns(batch, stack, second):
            if len(row):
                yield from _turn(batch, rails, stack, row)
            batch.world.ledger.audit(batch.economy.credit_limit)
            yield from batch.flush()
            orders = yield Tick(batch.epoch, batch.step, batch.turn)
            killed = _obey(batch, stack, orders)
            if killed:
                return killed
            batch.turn += 1
    batch.second_pass = False
    batch.turn = first_turn(batch.structure, 2)
    return ""


def _turns(batch: Batch, stack: Stack, second: bool) -> list[I64]:
    """Rows that act together: all at once, or one agent of every replicate after the other."""
    row = identities.who_acts(batch, stack, batch.world.crowd.row)
    if batch.structure.turns == "simultaneous":
        return [_keen(batch, row) if second else row]
    ordered = row[in_order(batch, row)]
    place = exact.rank_within(batch.world.replicate[ordered])
    turns = [np.sort(ordered[place == k], kind="stable") for k in range(int(place.max(initial=-1)) + 1)]
    return [_keen(batch, turn) for turn in turns] if second else turns


def _keen(batch: Batch, row: I64) -> I64:
    """Rows that make a second proposal in this step."""
    chance = np.array([player.policy.second_proposal for player in batch.cast])
    if not chance.any():
        return row[:0]
    wanted = chance[batch.world.code[row]]
    row, wanted = row[wanted > 0.0], wanted[wanted > 0.0]
    if (wanted < 1.0).any():
        row = row[batch.uniform(rng.Purpose.SECOND, row) < wanted]
    return row


def _turn(batch: Batch, rails: Rails, stack: Stack, row: I64) -> Generator[Yielded, Any, None]:
    """One turn: act, propose, answer, settle."""
    if not batch.second_pass and (batch.structure.feed or batch.structure.tasks):
        yield from social.act(batch, rails, stack, row)
    if not batch.structure.proposals:
        return
    deal = yield from bargain.propose(batch, rails, stack, row)
    if deal is not None:
        yield from bargain.answer(batch, rails, stack, deal)
        settle.settle(batch, stack, deal)


def _obey(batch: Batch, stack: Stack, orders: Sequence[Control] | None) -> str:
    """Carry out orders from outside, each logged as an input first; returns the reason of a kill, if any."""
    for order in orders or ():
        if isinstance(order, Enact):
            stack.check(batch, order)
            which = np.arange(batch.world.n_replicates) if order.replicate is None else np.array([order.replicate])
            _note_order(batch, which, "enact", [order.lever, order.parameter, order.value])
            stack.enact(batch, order)
        elif isinstance(order, Kill):
            allowed = np.broadcast_to(np.asarray(batch.economy.kill_switch_enabled), batch.world.n_replicates)
            if not allowed.all():
                raise UsageError("safety.kill_switch_enabled is false in this scenario, so the run cannot be killed.")
            # a kill must not pass for a completed run, whatever its reason says
            reason = f"killed: {COMPLETED}" if order.reason == COMPLETED else order.reason or "killed"
            _note_order(batch, np.arange(batch.world.n_replicates), "kill", [reason])
            return reason
    return ""


def _note_order(batch: Batch, replicate: I64, question: str, answer: list[Any]) -> None:
    k = len(replicate)
    text = [np.full(k, word, dtype=object) for word in (question, json.dumps(answer))]
    batch.annotate("input", replicate, {"question": text[0], "agent": np.full(k, -1), "answer": text[1]})
