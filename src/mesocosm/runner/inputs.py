"""What came from outside into a run, read back from its log: orders, and decisions of agents from outside."""

from __future__ import annotations

import json

from mesocosm.api import Control, Enact, Kill
from mesocosm.log.read import Log

Order = tuple[int, int, int, Control]


def orders_of(log: Log) -> list[Order]:
    """The enact and kill orders that a run received, with the turn at which each took effect."""
    table = log.columns("input")
    orders: list[Order] = []
    for index, question in enumerate(table["question"].tolist()):
        if question not in ("enact", "kill"):
            continue
        answer = json.loads(table["answer"][index])
        order: Control = Kill(str(answer[0])) if question == "kill" else Enact(answer[0], answer[1], answer[2])
        place = (int(table[name][index]) for name in ("epoch", "step", "turn"))
        epoch, step, turn = place
        orders.append((epoch, step, turn, order))
    return orders
