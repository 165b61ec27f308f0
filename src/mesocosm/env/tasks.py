"""Tasks: a prompt with required outputs, a budget and a deadline that needs planner, worker and verifier."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mesocosm.exact import rank_within

I64 = NDArray[np.int64]


class TaskStatus(IntEnum):
    """Life of a task. The plan's pending, in_progress, completed, failed; in_progress has three stages."""

    empty = 0
    pending = 1  # waits for a planner
    planned = 2  # waits for a worker
    claimed = 3  # a worker holds it
    submitted = 4  # waits for a verifier
    completed = 5
    failed = 6


SHARE_OF_BUDGET = {"planner": 0.25, "worker": 0.5, "verifier": 0.25}
PROMPTS = (
    "Summarise what the group agreed on last",
    "Collect three sources for an open question",
    "Check the figures of the previous report",
    "Draft a plan for the next epoch",
    "Compare two offers and recommend one",
    "Write a test for the last deliverable",
)


@dataclass(slots=True)
class Tasks:
    """The open tasks of every replicate, in M places; a task's id counts up from 0 in its replicate.

    Shapes   R = replicates, M = places. Agents are slots, -1 for nobody. Budgets are micro-credits.
    """

    status: I64  # (R, M)
    number: I64  # (R, M) id
    planner: I64  # (R, M)
    worker: I64  # (R, M)
    verifier: I64  # (R, M)
    budget: I64  # (R, M)
    deadline: I64  # (R, M) last epoch in which it may be completed
    difficulty: NDArray[np.float64]  # (R, M) x
    effort: NDArray[np.float64]  # (R, M) of the submission
    v: I64  # (R, M) +1, -1, or 0 before submission
    last_seq: I64  # (R, M) seq of the event that last changed it
    opened: I64  # (R,) tasks ever opened

    def waiting(self, status: TaskStatus) -> tuple[I64, I64, I64]:
        """Places of tasks in a status: (place (k,), first (R,), count (R,)), grouped by replicate, oldest first."""
        mask = self.status == status
        replicate, place = np.nonzero(mask)
        order = np.lexsort((self.number[replicate, place], replicate))
        count = mask.sum(axis=1)
        return place[order], np.cumsum(count) - count, count

    def add(self, replicate: I64, budget: I64, deadline: I64, difficulty: NDArray[np.float64], seq: I64) -> I64:
        """Open one task per entry of `replicate` (grouped); returns the ids. There must be room: see `room`."""
        turn = rank_within(replicate)
        free = np.argsort((self.status != TaskStatus.empty), axis=1, kind="stable")
        place = free[replicate, turn]
        where = (replicate, place)
        self.status[where] = TaskStatus.pending
        self.number[where] = self.opened[replicate] + turn
        for column in (self.planner, self.worker, self.verifier):
            column[where] = -1
        self.budget[where] = budget
        self.deadline[where] = deadline
        self.difficulty[where] = difficulty
        self.effort[where] = 0.0
        self.v[where] = 0
        self.last_seq[where] = seq
        np.add.at(self.opened, replicate, 1)
        number: I64 = self.number[where]
        return number

    def room(self) -> I64:
        """Free places per replicate (R,)."""
        free: I64 = (self.status == TaskStatus.empty).sum(axis=1)
        return free

    def overdue(self, epoch: int) -> tuple[I64, I64]:
        """(replicate, place) of open tasks whose deadline is this epoch or earlier."""
        is_open = (self.status > TaskStatus.empty) & (self.status < TaskStatus.completed)
        replicate, place = np.nonzero(is_open & (self.deadline <= epoch))
        return replicate, place

    def close(self, replicate: I64, place: I64) -> None:
        """Free the places of finished tasks."""
        self.status[replicate, place] = TaskStatus.empty


def open_tasks(n_replicates: int, capacity: int) -> Tasks:
    """An empty task board for every replicate."""
    shape = (n_replicates, capacity)
    grid = [np.full(shape, -1, dtype=np.int64) for _ in range(4)]
    zero = [np.zeros(shape, dtype=np.int64) for _ in range(5)]
    real = [np.zeros(shape), np.zeros(shape)]
    return Tasks(
        status=zero[0], number=grid[0], planner=grid[1], worker=grid[2], verifier=grid[3], budget=zero[1],
        deadline=zero[2], difficulty=real[0], effort=real[1], v=zero[3], last_seq=zero[4],
        opened=np.zeros(n_replicates, dtype=np.int64),
    )  # fmt: skip
