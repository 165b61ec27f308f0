"""Runs many (scenario, seed) pairs together as tables of some thousand rows, and tells what each came to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mesocosm.api import Enact
from mesocosm.config.schema import Scenario
from mesocosm.env.economy import structure_of
from mesocosm.runner.agents_driver import AgentsDriver
from mesocosm.runner.drive import Plan, Row, drive, scheduled
from mesocosm.runner.inputs import Order, levers_of

BLOCK_ROWS = 24_000  # agents in a table: enough to spread NumPy's fixed cost, few enough for the cache
BLOCK_STEPS = 12_000_000  # agent-steps in a table: some half a minute, all that a kill can cost
Share = Callable[[float], None]
Pair = tuple[Scenario, int]
_EPOCH = re.compile(r" in epoch \d+")


@dataclass(frozen=True, slots=True)
class Result:
    """What one run came to: metrics over the whole run, for each agent type, and by epoch; flags; the last state."""

    whole: dict[str, float]
    by_type: dict[str, dict[str, float]]
    rows: list[Row]
    flags: list[str]
    state: str  # hash of the state at the last checkpoint


def run_table(
    wanted: Sequence[Pair],
    names: tuple[str, ...],
    progress: Share | None = None,
    *,
    orders: Sequence[Sequence[Order]] = (),
    since: int = 0,
) -> list[Result]:
    """Run pairs that can share a table, all at once.

    Params   wanted: pairs equal in structure; names: metrics to compute; progress: told the share done, 0 to 1;
             orders: what each is ordered to enact, if anything is; since: the first epoch that metrics sum up.
    Returns  one result a pair, the same whatever else is in the table.
    """
    cast, luck = [scenario for scenario, _ in wanted], [seed for _, seed in wanted]
    epochs = cast[0].simulation.epochs

    def tell(epoch: int, row: Row) -> None:
        if progress is not None:
            progress((epoch + 1) / epochs)

    given = [order for number, own in enumerate(orders) for order in _for_replicate(own, number)]
    plan = Plan(cast, luck, "epoch", levers_of(given), names, by_type=True, since=since)
    outcome = drive(plan, None, decider=AgentsDriver(cast), orders=scheduled(given) if given else None, progress=tell)
    return [
        Result(
            outcome.whole[place],
            outcome.whole_by_type[place],
            outcome.rows[place],
            list(dict.fromkeys(_EPOCH.sub(" in some epoch", told) for told in outcome.flags[place])),
            outcome.states[place],
        )
        for place in range(len(wanted))
    ]


def _for_replicate(orders: Sequence[Order], replicate: int) -> Iterator[Order]:
    """Orders to enact for one run of a table."""
    for epoch, step, turn, order in orders:
        if isinstance(order, Enact):
            yield epoch, step, turn, replace(order, replicate=replicate)


def run_all(
    wanted: Sequence[Pair],
    names: tuple[str, ...],
    progress: Share | None = None,
    *,
    orders: Sequence[Sequence[Order]] = (),
    since: int = 0,
) -> list[Result]:
    """Run any pairs, in as many tables as they need, one after another; results in the order of the pairs.

    Params   as of `run_table`.
    """
    results: dict[int, Result] = {}
    blocks = list(blocks_of(wanted))
    total = sum(work_of(wanted, block) for block in blocks) or 1
    done = 0
    for block in blocks:
        work = work_of(wanted, block)

        def tell(share: float, work: int = work, before: int = done) -> None:
            if progress is not None:
                progress((before + work * share) / total)

        pairs = [wanted[place] for place in block]
        given = [orders[place] for place in block] if orders else ()
        results |= zip(block, run_table(pairs, names, tell, orders=given, since=since), strict=True)
        done += work
    return [results[place] for place in range(len(wanted))]


def work_of(wanted: Sequence[Pair], block: Sequence[int]) -> int:
    """Agent-steps in a block."""
    return sum(_steps(wanted[place][0]) for place in block)


def _steps(scenario: Scenario) -> int:
    return scenario.agents_max * scenario.simulation.epochs * scenario.simulation.steps_per_epoch


def blocks_of(wanted: Sequence[Pair], parts: int = 1) -> Iterator[list[int]]:
    """Places of the pairs that share a table: equal in structure, and not too much work together.

    Params   parts: how many tables are worked on at a time; they are cut so that all have about as much to do.
    """
    groups: dict[Any, list[int]] = {}
    structures: dict[int, Any] = {}
    for place, (scenario, _) in enumerate(wanted):
        structure = structures.get(id(scenario))
        if structure is None:
            structure = structures[id(scenario)] = structure_of(scenario)
        groups.setdefault(structure, []).append(place)
    for places in groups.values():
        yield from _cut(wanted, places, parts)


def _cut(wanted: Sequence[Pair], places: list[int], parts: int) -> Iterator[list[int]]:
    rows = sum(wanted[place][0].agents_max for place in places)
    steps = work_of(wanted, places)
    tables = max(1, -(-rows // BLOCK_ROWS), -(-steps // BLOCK_STEPS))
    tables = min(-(-tables // parts) * parts, len(places)) if rows > BLOCK_ROWS // 8 else tables
    per_table = steps / tables
    block: list[int] = []
    filled, cuts = 0, 1
    for place in places:
        block.append(place)
        filled += _steps(wanted[place][0])
        if filled >= per_table * cuts * (1.0 - 1e-9):
            yield block
            block, cuts = [], cuts + 1
