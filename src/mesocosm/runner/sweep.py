"""Plays the cells of a sweep that have not been played yet, here, on worker processes or on a Ray cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mesocosm.errors import UsageError, nearest
from mesocosm.runner.cells import Cell, CellStore
from mesocosm.runner.pool import WorkerPool
from mesocosm.runner.ray_cluster import play_on_ray
from mesocosm.runner.table import Pair, Share, blocks_of, work_of
from mesocosm.runner.worker import Asked, play_cells

EXECUTORS = ("local", "ray")
WORKERS_MAX = 1_024
FIRST_STEPS = 300_000  # agent-steps from which a worker's first block is parted: a second or two
FIRST_PARTS = (1 / 8, 1 / 2, 1.0)  # of a worker's first block, where it is parted: how far each part goes


@dataclass(frozen=True, slots=True)
class Played:
    """What a sweep found done, what it did, and with what."""

    cells: int  # asked for
    found: int  # finished before
    ran: int
    seconds: float
    workers: int
    executor: str
    replaced: int = 0  # workers that died and were replaced


def default_workers() -> int:
    """As many workers as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_shard(cells: Sequence[Cell], shard: tuple[int, int]) -> list[Cell]:
    """Every n-th cell, beginning with the i-th, for a shard i of n."""
    part, parts = shard
    return list(cells[part - 1 :: parts])


def play_sweep(
    cells: Sequence[Cell],
    asked: Asked,
    folder: Path,
    *,
    workers: int = 1,
    executor: str = "local",
    progress: Share | None = None,
) -> Played:
    """Play those cells that are not in the sweep's directory yet.

    A kill at any moment loses the blocks being played, at most some fifteen seconds' work each, and nothing else.

    Params   folder: the sweep's directory; workers: processes, or cores asked of Ray; executor: local or ray.
    Raises   UsageError for workers or an executor that there cannot be; MesocosmError when a cell cannot be played or
             the disk refuses.
    """
    if executor not in EXECUTORS:
        raise UsageError(f"unknown executor {executor!r}. {nearest(executor, EXECUTORS)}")
    given: Any = workers
    if not isinstance(given, int) or isinstance(given, bool):
        raise UsageError(f"{given!r} workers: a whole number from 1 to {WORKERS_MAX:,}.")
    if not 1 <= workers <= WORKERS_MAX:
        raise UsageError(f"{workers} workers: from 1 to {WORKERS_MAX:,}.")
    began = time.perf_counter()
    store = CellStore(folder)
    every = {cell.name: cell for cell in cells}
    missing = [cell for name, cell in every.items() if store.read(name) is None]
    pairs = [(cell.scenario, cell.seed) for cell in missing]
    places = _first_soon(pairs, list(blocks_of(pairs, workers)), workers)
    blocks = [[missing[place] for place in block] for block in places]
    works = [work_of(pairs, block) for block in places]
    play = {"local": _locally, "ray": _on_ray}[executor] if blocks else _not_at_all
    replaced = play(blocks, asked, folder, workers, _share_of(works, progress))
    store.tidy()
    seconds = time.perf_counter() - began
    return Played(len(every), len(every) - len(missing), len(missing), seconds, workers, executor, replaced)


def _first_soon(pairs: Sequence[Pair], blocks: list[list[int]], workers: int) -> list[list[int]]:
    """The same blocks, of which each worker's first is played in parts that grow, so that something is kept soon."""
    waves: list[list[list[int]]] = [[] for _ in FIRST_PARTS]
    for block in blocks[:workers]:
        parts = FIRST_PARTS if work_of(pairs, block) >= FIRST_STEPS else FIRST_PARTS[-1:]
        ends = [0, *(int(len(block) * part) for part in parts)]
        for wave, start, end in zip(waves[-len(parts) :], ends, ends[1:], strict=False):
            wave.append(block[start:end])
    return [*(block for wave in waves for block in wave if block), *blocks[workers:]]


Told = Callable[[int, float], None]


def _share_of(works: Sequence[int], progress: Share | None) -> Told:
    """Turn shares of blocks into the share of all the work."""
    done = [0.0] * len(works)
    total = sum(works) or 1

    def tell(number: int, share: float) -> None:
        done[number] = works[number] * share
        if progress is not None:
            progress(min(1.0, sum(done) / total))

    return tell


def _not_at_all(blocks: Sequence[Sequence[Cell]], asked: Asked, folder: Path, workers: int, tell: Told) -> int:
    return 0


def _locally(blocks: Sequence[Sequence[Cell]], asked: Asked, folder: Path, workers: int, tell: Told) -> int:
    if workers > 1 and len(blocks) > 1:
        with WorkerPool(workers, folder, asked, tell) as pool:
            pool.play(blocks)
            return pool.replaced
    store = CellStore(folder)
    for number, block in enumerate(blocks):
        for name, data in play_cells(asked, block, partial(tell, number)):
            store.write(name, data)
    return 0


def _on_ray(blocks: Sequence[Sequence[Cell]], asked: Asked, folder: Path, workers: int, tell: Told) -> int:
    play_on_ray(blocks, asked, CellStore(folder), workers, tell)
    return 0
