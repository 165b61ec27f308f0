"""What came from outside into a run, read back from its log: orders, and decisions of agents from outside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mesocosm.api import Control, Enact, Kill
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import MANY_TURNS
from mesocosm.env.events import BEFORE
from mesocosm.errors import LogDamaged, UsageError
from mesocosm.log.read import Log

Order = tuple[int, int, int, Control]


def orders_of(log: Log) -> list[Order]:
    """The enact and kill orders that a run received, with the turn at which each took effect.

    Raises   LogDamaged for an order that no run can have written.
    """
    try:
        table = log.columns("input")
    except (UsageError, ValueError, OverflowError) as error:
        why = f"an input that no run can have written: {error.__cause__ or error}"
        raise LogDamaged(str(log.path), 0, 0, why) from error
    orders: list[Order] = []
    for index, question in enumerate(table["question"].tolist()):
        if question not in ("enact", "kill"):
            continue
        epoch, step, turn = (int(table[name][index]) for name in ("epoch", "step", "turn"))
        order = _order_of(question, table["answer"][index])
        if order is None:
            why = f"the order to {question} in epoch {epoch}, step {step}, turn {turn} makes no sense"
            raise LogDamaged(str(log.path), 0, 0, why)
        orders.append((epoch, step, turn, order))
    return orders


def _order_of(question: str, text: str) -> Control | None:
    try:
        answer: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match question, answer:
        case "kill", [str(reason)]:
            return Kill(reason)
        case "enact", [str(lever), str(parameter), int(value) | float(value) | str(value)]:
            return Enact(lever, parameter, value)
    return None


def orders_as_rows(orders: Sequence[Order]) -> list[list[Any]]:
    """Orders as plain values, as a manifest keeps them: epoch, step, turn, question and answer of each."""
    told = []
    for epoch, step, turn, order in orders:
        answer = [order.lever, order.parameter, order.value] if isinstance(order, Enact) else [order.reason]
        told.append([epoch, step, turn, "enact" if isinstance(order, Enact) else "kill", answer])
    return told


def orders_from_rows(rows: Any, where: str) -> list[Order]:
    """Orders from what `orders_as_rows` gave.

    Raises   UsageError naming the place when they are no orders.
    """
    orders: list[Order] = []
    for row in rows if isinstance(rows, list) else [rows]:
        match row:
            case [int(epoch), int(step), int(turn), str(question), answer]:
                order = _order_of(question, json.dumps(answer))
            case _:
                order = None
        if order is None:
            raise UsageError(f"{where}: {row!r} is no order to enact or kill. Mend or remove it.")
        orders.append((epoch, step, turn, order))
    return orders


def levers_of(orders: Sequence[Order]) -> tuple[str, ...]:
    """The levers that are enacted, which a run must have at hand from its start even if its scenario names none."""
    return tuple(sorted({order.lever for *_, order in orders if isinstance(order, Enact)}))


def check_orders(orders: Sequence[Order], scenario: Scenario) -> None:
    """Refuse an order for a turn that the run will never come to.

    Raises   UsageError naming the order.
    """
    simulation = scenario.simulation
    per_epoch = simulation.steps_per_epoch
    if simulation.turns == "simultaneous":
        turns, told = [range(2)], "0 and 1"
    else:
        turns = [range(first, first + scenario.agents_max) for first in (0, MANY_TURNS)]
        told = " and ".join(f"{one.start} to {one.stop - 1}" for one in turns)
    for epoch, step, turn, order in orders:
        if turn == BEFORE and isinstance(order, Enact) and step == epoch * per_epoch and 0 <= epoch < simulation.epochs:
            continue
        if 0 <= epoch < simulation.epochs and step // per_epoch == epoch and any(turn in part for part in turns):
            continue
        raise UsageError(
            f"{order} is ordered for epoch {epoch}, step {step}, turn {turn}, to which this run never comes: it has "
            f"epochs 0 to {simulation.epochs - 1} of {per_epoch} steps, counted from 0 through the whole run, and "
            f"turns {told} in each step (or turn {BEFORE} before the first step of an epoch, to enact a rule)."
        )
