"""Runs the levers: in phase order, each with its parameters aligned with the rows in question."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from mesocosm import exact, registry, rng
from mesocosm.api import Amendable, Enact, Lever, SocialLever, bind
from mesocosm.config.parameters import parameter_types
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import Batch
from mesocosm.engine.lever_answers import check_fines, held_mask, held_pair, held_salt
from mesocosm.engine.observe import trust_between
from mesocosm.env.economy import column
from mesocosm.env.events import ANNOTATIONS, JUDGED
from mesocosm.env.foresight import Terms
from mesocosm.env.interaction import Deals
from mesocosm.env.ledger import Ledger
from mesocosm.errors import Blame, UsageError, nearest

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Governed:
    """What a lever may see of the society that it governs, some of it to be changed in place."""

    __slots__ = ()
    batch: Batch

    @property
    def ledger(self) -> Ledger:
        """The books."""
        return self.batch.world.ledger

    @property
    def epoch(self) -> int:
        """Current epoch."""
        return self.batch.epoch

    @property
    def step(self) -> int:
        """Current step of the run."""
        return self.batch.step

    @property
    def replicate(self) -> I64:
        """(n,) replicate of each row."""
        return self.batch.world.replicate

    @property
    def slot(self) -> I64:
        """(n,) number of each agent within its replicate."""
        return self.batch.world.slot

    @property
    def reputation(self) -> F64:
        """(n,) reputation, to be changed in place."""
        return self.batch.world.reputation

    @property
    def proposed(self) -> I64:
        """(n,) proposals made in this epoch."""
        return self.batch.world.proposed

    @property
    def active(self) -> Mask:
        """(n,) who is there."""
        return self.batch.world.active

    @property
    def owner(self) -> I64:
        """(n,) row of whose identity each row is."""
        return self.batch.world.identities.owner

    @property
    def arrived_epoch(self) -> I64:
        """(n,) epoch at whose start each came or was opened."""
        return self.batch.world.identities.since

    @property
    def rule(self) -> Any:
        """Public rules without levers, by row."""
        return self.batch.by_row

    @property
    def frozen_until(self) -> I64:
        """(n,) first step in which an agent may deal again."""
        return self.batch.world.frozen_until


@dataclass(slots=True)
class Seat(Governed):
    """What one lever may touch while it is in session (the `api.Bench` it is given)."""

    name: str
    lever: Lever  # parameters by replicate
    asked: Lever  # the same as the scenarios have them, whatever was enacted since
    batch: Batch
    is_present: Mask  # (R,) replicates that asked for the lever
    fired: I64  # (R,) how often it did something in this epoch
    salt: I64  # (R,) what it has mixed into the seed of every draw
    is_felt: Mask  # (R,) whether it makes agents feel more of the harm to others
    column: dict[str, Any] = field(default_factory=dict)
    charges: Any = False  # (k,) deals of the turn that cost something

    def draw(self, row: I64, channel: int = 0) -> F64:
        """Keyed uniform draws of this lever alone."""
        return self.batch.uniform(rng.lever_purpose(self.name, channel), row)

    def weight_behind(self, owner: I64, partner: I64) -> F64:
        """The weight behind what owners think of partners."""
        return trust_between(self.batch, owner, partner)[1]

    def freeze(self, row: I64, until_step: Any) -> None:
        """Bar rows from proposing and accepting until a step."""
        world = self.batch.world
        world.frozen_until[row] = np.maximum(world.frozen_until[row], until_step)
        np.add.at(world.freezes, row, 1)

    def emit(self, kind: str, row: I64, column: dict[str, Any], cause: I64 | None = None) -> None:
        """Log events (or notes) about rows, ascending."""
        named = {"agent": self.batch.world.slot[row], **column}
        note_action(self, self.batch.world.replicate[row])
        if kind in ANNOTATIONS:
            lever = np.full(len(row), self.name, dtype=object)
            self.batch.annotate(kind, self.batch.world.replicate[row], {"lever": lever, **named})
        else:
            self.batch.emit(kind, row, named, cause)

    def blame(self, hook: str) -> Blame:
        """Who is to blame if a hook fails."""
        return Blame(f"lever {self.name}", hook, f"epoch {self.epoch}, step {self.step}")

    def at(self, index: I64) -> Any:
        """The lever with its parameters aligned with replicates of rows."""
        return bind(self.lever, index)


def note_action(seat: Seat, replicate: I64) -> None:
    """Note that a lever did something, once for each entry."""
    if len(replicate):
        seat.fired += exact.count_by(replicate, len(seat.fired))


@dataclass(slots=True)
class Stack:
    """All levers of a batch in the order in which they run. A replicate without a lever has it at neutral."""

    seats: list[Seat]
    seed: NDArray[np.uint64]  # (R,) as the scenarios give it

    def costs(self, deal: Terms) -> tuple[Any, Any]:
        """(c_a, c_b): what all levers together charge either side of a deal, in credits."""
        c_a: Any = 0.0
        c_b: Any = 0.0
        for seat in self.seats:
            if type(seat.lever).cost is not Lever.cost:
                with seat.blame("cost") as hook:
                    told = seat.at(deal.replicate).cost(deal)
                a, b = held_pair(hook, ("c_a", "c_b"), told, len(deal.row_a), "deals")
                seat.charges = (np.asarray(a) > 0.0) | (np.asarray(b) > 0.0)
                c_a, c_b = c_a + a, c_b + b
        k = len(deal.row_a)
        return _spread(c_a, k), _spread(c_b, k)

    def note_charged(self, replicate: I64) -> None:
        """Note which levers charged the payments whose costs were asked for last."""
        for seat in self.seats:
            if np.any(seat.charges):
                note_action(seat, replicate[np.broadcast_to(seat.charges, len(replicate))])

    def may_propose(self, batch: Batch, row: I64) -> Mask | None:
        """Which rows may propose; None when nobody is barred."""
        allowed: Mask | None = None
        for seat in self.seats:
            if type(seat.lever).may_propose is not Lever.may_propose:
                with seat.blame("may_propose") as hook:
                    told = seat.at(batch.world.replicate[row]).may_propose(seat, row)
                mask = held_mask(hook, told, len(row), "agents")
                if mask is not None:
                    note_action(seat, batch.world.replicate[row[~mask]])
                    allowed = mask if allowed is None else allowed & mask
        return allowed

    def admit(self, deal: Deals) -> Mask | None:
        """Which proposals may be put to the counterparty; None for all."""
        allowed: Mask | None = None
        for seat in self.seats:
            if type(seat.lever).admit is not Lever.admit:
                with seat.blame("admit") as hook:
                    told = seat.at(deal.replicate).admit(seat, deal)
                mask = held_mask(hook, told, len(deal), "deals")
                if mask is not None:
                    note_action(seat, deal.replicate[~mask])
                    allowed = mask if allowed is None else allowed & mask
        return allowed

    def on_step(self, batch: Batch) -> None:
        """Let levers act when a step begins."""
        for seat in self.seats:
            if type(seat.lever).on_step is not Lever.on_step:
                with seat.blame("on_step"):
                    seat.at(batch.world.replicate).on_step(seat)

    def on_action(self, batch: Batch, row: I64) -> None:
        """Tell levers who acted."""
        for seat in self.seats:
            if type(seat.lever).on_action is not Lever.on_action:
                with seat.blame("on_action"):
                    seat.at(batch.world.replicate[row]).on_action(seat, row)

    def on_settle(self, deal: Deals) -> None:
        """Let levers look at settled deals."""
        for seat in self.seats:
            if np.any(seat.charges):
                note_action(seat, deal.replicate[deal.accepted & seat.charges])
            if seat.is_felt.any():
                note_action(seat, deal.replicate[np.isin(deal.reason, JUDGED) & seat.is_felt[deal.replicate]])
            if type(seat.lever).on_settle is not Lever.on_settle:
                with seat.blame("on_settle") as hook:
                    seat.at(deal.replicate).on_settle(seat, deal)
                check_fines(hook, deal.fine, len(deal))

    def on_epoch(self, batch: Batch) -> None:
        """Let levers act at the end of the epoch."""
        for seat in self.seats:
            if type(seat.lever).on_epoch is not Lever.on_epoch:
                before = batch.world.reputation.copy()
                with seat.blame("on_epoch"):
                    seat.at(batch.world.replicate).on_epoch(seat)
                note_action(seat, batch.world.replicate[batch.world.reputation != before])

    def tell_fired(self, batch: Batch) -> None:
        """Note how often each lever did something in the epoch that ends, where it was asked for."""
        for seat in self.seats:
            where = np.flatnonzero(seat.is_present)
            if len(where):
                name = np.full(len(where), seat.name, dtype=object)
                batch.annotate("fired", where, {"lever": name, "count": seat.fired[where]})
            seat.fired[:] = 0

    def bring_into_force(self, batch: Batch) -> None:
        """Let levers that change the rules themselves do so: what is felt of harm, and the seed of every draw."""
        everyone = np.arange(batch.world.n_replicates)
        rho, seed = [0.0, 0.0], self.seed
        for seat in self.seats:
            if type(seat.lever).internalise is not Lever.internalise:
                with seat.blame("internalise") as hook:
                    told = seat.at(everyone).internalise()
                felt = held_pair(hook, ("rho_a", "rho_b"), told, len(everyone), "replicates")
                seat.is_felt = np.broadcast_to(np.maximum(*felt) > 0.0, len(everyone))
                rho = [before + more for before, more in zip(rho, felt, strict=True)]
            if type(seat.lever).salt is not Lever.salt:
                with seat.blame("salt") as hook:
                    told = seat.at(everyone).salt()
                salt = held_salt(hook, told, len(everyone))
                seed = np.where(salt > 0, rng.bits(seed, salt), seed)
                seat.fired += (salt > 0) & (salt != seat.salt)  # not where another lever or replicate was changed
                seat.salt = salt
        batch.reseed(seed)
        batch.in_force = batch.economy.plus(dict(zip(("rho_a", "rho_b"), rho, strict=True)))

    def check(self, batch: Batch, order: Enact) -> Seat:
        """The seat that an order is for.

        Raises   UsageError for a lever or replicate that is not in the batch, an unknown parameter, or a value that
                 is out of bounds.
        """
        seats = {seat.name: seat for seat in self.seats}
        if order.lever not in seats:
            raise UsageError(f"enact: the lever {order.lever!r} is not part of this run. {nearest(order.lever, seats)}")
        seat, where = seats[order.lever], f"enact: {order.lever}.{order.parameter}"
        readers = parameter_types(_type_of(seat))
        if order.parameter not in readers:
            raise UsageError(f"{where}: there is no such parameter. {nearest(order.parameter, readers)}")
        try:
            readers[order.parameter].validate_python(order.value)
        except ValidationError as error:
            told = error.errors(include_url=False)[0]["msg"]
            raise UsageError(f"{where}: {order.value!r} will not do. {told}.") from error
        if order.replicate is not None and not 0 <= order.replicate < batch.world.n_replicates:
            raise UsageError(f"{where}: there is no replicate {order.replicate}.")
        return seat

    def enact(self, batch: Batch, order: Enact) -> None:
        """Change a parameter of a lever from now on, in one replicate or all, and log it.

        Raises   UsageError as `check` does.
        """
        seat = self.check(batch, order)
        n = batch.world.n_replicates
        values = list(np.broadcast_to(np.asarray(getattr(seat.lever, order.parameter)), n).tolist())
        chosen = range(n) if order.replicate is None else [order.replicate]
        changed = [replicate for replicate in chosen if values[replicate] != order.value]
        for replicate in chosen:
            values[replicate] = type(values[replicate])(order.value)
        known = [item.name for item in registry.params(type(seat.lever))]
        parameters = {name: getattr(seat.lever, name) for name in known}
        parameters[order.parameter] = column(values)
        seat.lever = _with(type(seat.lever), parameters)
        which = np.array(list(chosen), dtype=np.int64)
        seat.is_present[which] = True
        self.bring_into_force(batch)
        words = {"lever": order.lever, "parameter": order.parameter, "value": json.dumps(order.value)}
        columns = {name: np.full(len(which), word, dtype=object) for name, word in words.items()}
        batch.emit_for("enacted", which, columns)
        row = np.flatnonzero(np.isin(batch.world.replicate, changed))
        if len(row) and isinstance(seat.lever, Amendable):
            with seat.blame("on_enacted"):
                seat.at(batch.world.replicate[row]).on_enacted(seat, row, order.parameter)


def open_stack(batch: Batch, scenarios: Sequence[Scenario], extra: Sequence[str] = ()) -> Stack:
    """The levers that any replicate asks for (and `extra` ones, to be enacted later), parameters as columns."""
    n_replicates = batch.world.n_replicates
    wanted = sorted({name for scenario in scenarios for name in scenario.governance} | set(extra))
    seats = []
    for name in wanted:
        target = registry.find("lever", name).target
        rows = []
        for scenario in scenarios:
            block = scenario.governance.get(name)
            rows.append(target.neutral if block is None else block)
        parameters = {
            item.name: column([row.get(item.name, item.default) for row in rows]) for item in registry.params(target)
        }
        lever = _with(target, parameters)
        present = np.array([name in scenario.governance for scenario in scenarios])
        fired, salt = np.zeros((2, n_replicates), dtype=np.int64)
        seat = Seat(name, lever, lever, batch, present, fired, salt, np.zeros(n_replicates, dtype=np.bool_))
        with seat.blame("columns"):
            seat.column = dict(lever.columns(batch.world.n_rows, n_replicates))
        seats.append(seat)
    stack = Stack(sorted(seats, key=lambda seat: (seat.lever.phase, seat.name)), batch.world.seed.copy())
    stack.bring_into_force(batch)
    return stack


def expected_by_anybody(batch: Batch, name: str) -> Mask:
    """Whether any agent of a replicate reckons with a lever before it acts: then it can work without acting.

    What deals and messages cost and how harm is felt is weighed by all but frozen agents; the rest is foreseen by who
    learns.
    Shapes   (R,).
    """
    target, world = registry.find("lever", name).target, batch.world
    reckons = batch.learns if target.foresee is not Lever.foresee else np.zeros(world.n_rows, dtype=np.bool_)
    if target.identity_price is not Lever.identity_price:  # of those who may split
        reckons = batch.learns & world.identities.in_use[world.replicate]
    prices_messages = issubclass(target, SocialLever) and target.message_price is not SocialLever.message_price
    if target.cost is not Lever.cost or target.internalise is not Lever.internalise or prices_messages:
        reckons = ~batch.blind
    answer: Mask = exact.count_by(world.replicate[reckons], world.n_replicates) > 0
    return answer


def _type_of(seat: Seat) -> Any:
    """The lever's class."""
    return type(seat.lever)


def _spread(cost: Any, k: int) -> Any:
    """A cost as a column, unless nothing is charged."""
    return np.full(k, cost) if np.ndim(cost) == 0 and cost else cost


def _with(target: type[Lever], parameters: dict[str, Any]) -> Lever:
    lever = object.__new__(target)
    lever.__dict__.update(parameters)
    return lever
