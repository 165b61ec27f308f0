"""Best responses: the cell of transfer, disguise and effort that is worth most to a proposer, and to an adversary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm.agents.prospects import Acceptance, Gains, Prospects
from mesocosm.api import View, Weighed

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Cell = tuple[int, int, F64]  # effort, disguise, value by transfer (T, m)


class Choice(NamedTuple):
    """The best cell for each row: its value and its levels."""

    value: F64
    effort: I64
    disguise: I64
    transfer: I64

    def at(self, index: NDArray[Any]) -> Choice:
        """The choices of some rows."""
        return Choice(*(column[index] for column in self))


def clears(odds: Any, bar: Any) -> Any:
    """Whether odds of a good outcome exceed a bar given as a probability (bars may lie outside 0..1).

    Example
        >>> bool(clears(2.0, 0.5)), bool(clears(2.0, 0.7))
        (True, False)
    """
    return odds * (1.0 - bar) > bar


def worth(row: Prospects, efforts: range, disguises: range) -> Iterator[Cell]:
    """Expected payoff of every cell: q A_good (u_good + V_good) + (1-q) A_bad (u_bad + V_bad), less toil and fines.

    Source   design section 2, Best response.
    """
    chance, gain = Acceptance(row, disguises), Gains(row, disguises)
    q = {e: row.quality(e) for e in efforts}
    good = chance.good * gain.good
    for d in disguises:
        bad = chance.bad[d] * gain.bad[d]
        gap, chance_gap = good - bad, chance.good - chance.bad[d]
        for e in efforts:
            cost = row.toil(e, d)
            for loss in freezes(row, q[e], d):
                cost = cost + loss
            accepted = q[e] * chance_gap
            accepted += chance.bad[d]
            accepted *= cost
            value = q[e] * gap
            value += bad
            value -= accepted
            yield e, d, value


def freezes(row: Prospects, q: Any, disguise: int) -> Iterator[Any]:
    """What a proposer expects to lose to each lever that halts who looks bad: where a deal is expected to look so."""
    for above, loss in row.foresight.halts:
        signal = 1.0 - (q * row.look.p_good + (1.0 - q) * row.look.p_bad[disguise])
        yield np.where(signal > above, loss, 0.0)


def harm(row: Prospects, efforts: range, disguises: range) -> Iterator[Cell]:
    """Expected harm of every cell at no more than a little of its cost: (1-q) A_bad (1 - E[p|-1,d]) h - w cost.

    Source   design section 2, Adversarial.
    """
    rule = row.rule
    chance = Acceptance(row, disguises, knows_mates=True)
    paid = row.transfers + row.foresight.cost_a + row.foresight.sanction
    for e in efforts:
        q = row.quality(e)
        for d in disguises:
            damage = (1.0 - q) * (1.0 - row.look.p_bad[d]) * rule.h
            accepted = chance.bad[d] + q * (chance.good - chance.bad[d])
            yield e, d, damage * chance.bad[d] - rule.harm_cost_weight * (paid + row.toil(e, d)) * accepted


def highest(row: Prospects, cells: Iterator[Cell]) -> Choice:
    """The cell with the highest value for each row; ties go to the lowest transfer, disguise and effort, in that order.

    Shapes   the choice is (m,).
    """
    n = len(row.menu.effort)
    best = np.full((len(row.menu.transfer), len(row)), -np.inf)
    which = np.zeros(best.shape, dtype=np.int16)
    for e, d, value in cells:
        np.copyto(which, d * n + e, where=value > best)
        np.maximum(best, value, out=best)
    top, cell = best[0], which[0]
    transfer = np.zeros(len(row), dtype=np.int64)
    for t in range(1, len(best)):
        better = best[t] > top
        top = np.maximum(top, best[t])
        cell = np.where(better, which[t], cell)
        transfer[better] = t
    chosen = cell.astype(np.int64)
    return Choice(top, chosen % n, chosen // n, transfer)


def better_candidate(view: View, score: Any) -> I64:
    """Which of two candidates has the higher score: 0 or 1, -1 where neither exists; the first wins ties.

    Params   score: (2, k).
    """
    second = view.exists[1] & (~view.exists[0] | (score[1] > score[0]))
    return np.where(second, 1, np.where(view.exists[0], 0, -1))


def better_of_two(view: View, best: Choice) -> tuple[I64, Choice]:
    """The candidate with whom the best cell is worth more, and that cell.

    Params   best: choices of all rows with the first candidate, then of all rows with the second.
    """
    k = len(view)
    choice = better_candidate(view, best.value.reshape(2, k))
    return choice, best.at(np.where(choice == 1, k, 0) + np.arange(k))


def first_of_two(value: Any, k: int) -> Any:
    """What is the same whichever candidate is chosen: (2, k) or one number, as (k,)."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (2, k))[0]


def weighed_payoffs(view: View, row: Prospects, cells: Iterator[Cell]) -> Weighed:
    """Cells that one proposer weighs by what they bring it, with what the value of each is made of.

    The value is q * yes if good * (gain if good - costs) + (1 - q) * yes if bad * (gain if bad - costs), q the chance
    of a good outcome, costs the private cost and the freeze expected; fines and sanctions are within the gains.
    Shapes   the view has one row, and `row` both candidates.
    """
    found = weighed(view, row, cells, "credits of expected payoff")
    every = range(len(view.menu.disguise))
    chance, gain = Acceptance(row, every), Gains(row, every)
    place = list(zip(found.candidate, found.disguise, found.transfer, strict=True))
    parts: dict[str, list[Any]] = {
        "chance of a good outcome": [row.quality(e)[c] for e, c in zip(found.effort, found.candidate, strict=True)],
        "yes if good": [chance.good[t, c] for c, _, t in place],
        "yes if bad": [chance.bad[d][t, c] for c, d, t in place],
        "gain if good": [gain.good[t, c] for c, _, t in place],
        "gain if bad": [gain.bad[d][t, c] for c, d, t in place],
        "private cost": [row.toil(e, d)[c] for e, (c, d, _) in zip(found.effort, place, strict=True)],
    }
    ahead, m = row.foresight, len(row)
    if ahead.halts:
        lost = {(e, d): sum(freezes(row, row.quality(e), d)) for e in range(len(view.menu.effort)) for d in every}
        parts["freeze expected"] = [lost[e, d][c] for e, (c, d, _) in zip(found.effort, place, strict=True)]
    if np.any(ahead.sanction):
        again = np.broadcast_to(np.asarray(ahead.sanction), m)
        parts["sanction for dealing again"] = [again[c] for c, _, _ in place]
    if ahead.fine_bad is not None:
        fine = [np.broadcast_to(np.asarray(loss), m) for loss in ahead.fine_bad]
        parts["fine expected if bad"] = [fine[d][c] for c, d, _ in place]
    return found._replace(parts={name: np.array(part, dtype=np.float64) for name, part in parts.items()})


def weighed(view: View, row: Prospects, cells: Iterator[Cell], unit: str) -> Weighed:
    """All cells that one proposer weighs, with both candidates, for an explanation.

    Shapes   the view has one row, and `row` both candidates.
    """
    found: list[tuple[int, int, int, int, float]] = []
    for e, d, value in cells:
        found += [
            (candidate, e, d, t, float(value[t, candidate]))
            for candidate in range(2)
            if view.exists[candidate][0]
            for t in range(len(row.menu.transfer))
        ]
    columns = list(zip(*found, strict=True)) if found else [()] * 5
    levels = [np.array(column, dtype=np.int64) for column in columns[:4]]
    return Weighed(levels[0], levels[1], levels[2], levels[3], np.array(columns[4], dtype=np.float64), unit, {})
