"""Task work: who is offered which task, and what planning, claiming, submitting and judging change."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, rng
from mesocosm.engine.batch import Batch, in_order
from mesocosm.engine.observe import same_coalition, trust_between
from mesocosm.env.payoff import outcome_chance
from mesocosm.env.population import ROLES
from mesocosm.env.tasks import PROMPTS, SHARE_OF_BUDGET, TaskStatus

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
OWN_DRAWS, TASK_DRAWS = 1 << 40, 1 << 41  # counters beside those of the agents' other draws of a purpose
STAGE_OF_ROLE = np.zeros(len(ROLES), dtype=np.int64)
STAGE_OF_ROLE[[ROLES.index("planner"), ROLES.index("worker"), ROLES.index("verifier")]] = (
    TaskStatus.pending, TaskStatus.planned, TaskStatus.submitted,
)  # fmt: skip
SHARE_OF_ROLE = np.array([SHARE_OF_BUDGET.get(role, 0.0) for role in ROLES])


class Offers(NamedTuple):
    """The task each row could work on now: its place on the board and its status, 0 for no offer."""

    place: I64  # (k,)
    stage: I64  # (k,)

    def subset(self, chosen: I64) -> Offers:
        """The offers of some rows."""
        return Offers(self.place[chosen], self.stage[chosen])


def no_offers(k: int) -> Offers:
    """No task for anybody."""
    return Offers(np.zeros(k, dtype=np.int64), np.zeros(k, dtype=np.int64))


def offers(batch: Batch, row: I64) -> Offers:
    """Offer planners, workers and verifiers a task that waits for them, keyed; a worker first ends what it holds."""
    world = batch.world
    place, stage = no_offers(len(row))
    if not world.tasks.status.any():
        return Offers(place, stage)
    role, replicate = world.role[row], world.replicate[row]
    luck = batch.uniform(rng.Purpose.VERDICT, row)
    for wanted in ("planner", "worker", "verifier"):
        number = ROLES.index(wanted)
        status = TaskStatus(int(STAGE_OF_ROLE[number]))
        where, first, count = world.tasks.waiting(status)
        mine = np.flatnonzero((role == number) & (count[replicate] > 0))
        if len(mine):
            which = first[replicate[mine]] + (luck[mine] * count[replicate[mine]]).astype(np.int64)
            place[mine], stage[mine] = where[which], status
    held = world.holds_task[row]
    busy = held >= 0
    place[busy], stage[busy] = held[busy], TaskStatus.claimed
    return Offers(place, stage)


def evidence(batch: Batch, row: I64, offer: Offers) -> F64:
    """Odds that submitted work is good, after a noisy look at it and by trust in the worker; 1 where there is none."""
    world, replicate = batch.world, batch.world.replicate[row]
    odds = np.ones(len(row))
    looks = np.flatnonzero(offer.stage == TaskStatus.submitted)
    if len(looks):
        mine, place = row[looks], offer.place[looks]
        worker = world.offset[replicate[looks]] + world.tasks.worker[replicate[looks], place]
        trust = trust_between(batch, mine, worker)[0]
        u = batch.uniform_at(rng.Purpose.VERDICT, replicate[looks], OWN_DRAWS + world.slot[mine])
        seen = exact.exp(world.tasks.v[replicate[looks], place].astype(np.float64))
        odds[looks] = trust / (1.0 - trust) * seen * (u / (1.0 - u))
    return odds


def difficulty(batch: Batch, row: I64, offer: Offers) -> F64:
    """x of the offered tasks, 0 where there is none."""
    x = batch.world.tasks.difficulty[batch.world.replicate[row], offer.place]
    return np.where(offer.stage > 0, x, 0.0)


def reward(batch: Batch, row: I64, offer: Offers) -> F64:
    """Credits the role would earn if the offered task is completed."""
    budget = batch.world.tasks.budget[batch.world.replicate[row], offer.place] / exact.MICRO
    return np.where(offer.stage > 0, budget * SHARE_OF_ROLE[batch.world.role[row]], 0.0)


def worker_is_mate(batch: Batch, row: I64, offer: Offers) -> Mask:
    """Whether the worker of the offered task belongs to the row's coalition."""
    world, replicate = batch.world, batch.world.replicate[row]
    worker = world.tasks.worker[replicate, offer.place]
    mate = same_coalition(batch, row, world.offset[replicate] + np.maximum(worker, 0))
    return mate & (worker >= 0) & (offer.stage > 0)


def _winners(batch: Batch, row: I64, place: I64) -> I64:
    """Where several rows want one task, the first in order gets it. Returns positions, ascending."""
    replicate = batch.world.replicate[row]
    ordered = in_order(batch, row)
    key = replicate[ordered] * batch.structure.task_capacity + place[ordered]
    _, first = np.unique(key, return_index=True)
    return np.sort(ordered[first], kind="stable")


def _move(
    batch: Batch, kind: str, row: I64, offer: Offers, wanted: TaskStatus, after: TaskStatus
) -> tuple[I64, I64, I64]:
    """Advance tasks that are in the wanted status, one winner each. Returns positions, replicates and places."""
    tasks, replicate = batch.world.tasks, batch.world.replicate[row]
    ready = np.flatnonzero((offer.stage > 0) & (tasks.status[replicate, offer.place] == wanted))
    won = ready[_winners(batch, row[ready], offer.place[ready])]
    where = (replicate[won], offer.place[won])
    columns = {"agent": batch.world.slot[row[won]], "task": tasks.number[where]}
    tasks.last_seq[where] = batch.emit(kind, row[won], columns, tasks.last_seq[where])
    tasks.status[where] = after
    return won, *where


def plan(batch: Batch, row: I64, offer: Offers, effort: F64) -> None:
    """Planners make pending tasks ready for a worker."""
    won, replicate, place = _move(batch, "task_planned", row, offer, TaskStatus.pending, TaskStatus.planned)
    batch.world.tasks.planner[replicate, place] = batch.world.slot[row[won]]


def claim(batch: Batch, row: I64, offer: Offers, effort: F64) -> None:
    """Workers take planned tasks."""
    won, replicate, place = _move(batch, "task_claimed", row, offer, TaskStatus.planned, TaskStatus.claimed)
    batch.world.tasks.worker[replicate, place] = batch.world.slot[row[won]]
    batch.world.holds_task[row[won]] = place


def submit(batch: Batch, row: I64, offer: Offers, effort: F64) -> None:
    """Workers hand in; effort costs credits and decides how likely the work is good. Moves: worker -> burnt."""
    world = batch.world
    replicate = world.replicate[row]
    held = offer.stage == TaskStatus.claimed
    row, replicate, place, effort = row[held], replicate[held], offer.place[held], effort[held]
    where = (replicate, place)
    rule = batch.rule_at(row)
    x = world.tasks.difficulty[where]
    cost = exact.micro(rule.effort_cost * x * effort)
    left = exact.micro(np.asarray(rule.budget_per_epoch, dtype=np.float64)) - world.ledger.spent[row]
    broke = cost > np.minimum(world.ledger.balance[row], left)  # effort that cannot be paid for is not made
    cost, effort = np.where(broke, 0, cost), np.where(broke, 0.0, effort)
    world.ledger.burn(row, cost)
    world.ledger.spent[row] += cost
    q = outcome_chance(rule, effort, world.skill[row], x)
    luck = batch.uniform_at(rng.Purpose.TASK, replicate, OWN_DRAWS + world.slot[row])
    world.tasks.v[where] = np.where(luck < q, 1, -1)
    world.tasks.effort[where] = effort
    world.tasks.status[where] = TaskStatus.submitted
    world.holds_task[row] = -1
    number, before = world.tasks.number[where], world.tasks.last_seq[where]
    content = np.array([result_text(n) for n in number.tolist()], dtype=object)
    columns = {"agent": world.slot[row], "task": number, "effort": effort, "content": content}
    columns["derived_from"] = before[:, None]
    world.tasks.last_seq[where] = batch.emit("task_submitted", row, columns, before)


def result_text(number: int) -> str:
    """What a worker hands in for a task."""
    return f"result of task {number}"


def judge(batch: Batch, row: I64, offer: Offers, approves: Mask) -> None:
    """Verifiers approve work, and its budget is paid out, or send it back to wait for a worker.

    Where several judge one submission, the first in order decides.
    """
    replicate = batch.world.replicate[row]
    ready = np.flatnonzero(
        (offer.stage > 0) & (batch.world.tasks.status[replicate, offer.place] == TaskStatus.submitted)
    )
    won = ready[_winners(batch, row[ready], offer.place[ready])]
    yes, no = won[approves[won]], won[~approves[won]]
    if len(yes):
        _complete(batch, row[yes], replicate[yes], offer.place[yes])
    if len(no):
        _, *where = _move(batch, "task_rejected", row[no], offer.subset(no), TaskStatus.submitted, TaskStatus.planned)
        batch.world.tasks.v[where[0], where[1]] = 0


def _complete(batch: Batch, verifier: I64, replicate: I64, place: I64) -> None:
    """Pay out the budgets of approved tasks. Moves: budget hold -> planner, worker, verifier (commons for leavers)."""
    world, tasks, at = batch.world, batch.world.tasks, (replicate, place)
    start, budget = world.offset[replicate], tasks.budget[at]
    share = [np.rint(budget * SHARE_OF_BUDGET[role]).astype(np.int64) for role in ("planner", "verifier")]
    paid = (share[0], share[1], budget - share[0] - share[1])
    for payee, amount in zip((start + tasks.planner[at], verifier, start + tasks.worker[at]), paid, strict=True):
        world.ledger.pay_from_budget(payee, amount)
        gone = np.flatnonzero(~world.active[payee])
        world.ledger.to_commons(payee[gone], amount[gone])
    columns = {
        "agent": world.slot[verifier], "task": tasks.number[at], "v": tasks.v[at], "paid": exact.credits(budget),
    }  # fmt: skip
    batch.emit("task_completed", verifier, columns, tasks.last_seq[at])
    tasks.verifier[at] = world.slot[verifier]
    tasks.close(*at)


def open_for_epoch(batch: Batch) -> None:
    """Post the epoch's new tasks, budgets funded. Moves: nothing -> budget hold."""
    world, tasks = batch.world, batch.world.tasks
    n = world.n_replicates
    per_epoch = np.broadcast_to(np.asarray(batch.economy.per_epoch), n).astype(np.int64)
    replicate = np.repeat(np.arange(n), np.minimum(per_epoch, tasks.room()))
    if len(replicate) == 0:
        return
    rule = batch.economy.at(replicate)
    turn = exact.rank_within(replicate)
    x = batch.uniform_at(rng.Purpose.DIFFICULTY, replicate, TASK_DRAWS + turn)
    budget = np.broadcast_to(exact.micro(np.asarray(rule.budget, dtype=np.float64)), len(replicate)).copy()
    duration = np.broadcast_to(np.asarray(rule.duration_epochs), len(replicate)).astype(np.int64)
    deadline = batch.epoch + duration - 1
    number = tasks.opened[replicate] + turn
    columns = {
        "task": number,
        "prompt": np.array([PROMPTS[i % len(PROMPTS)] for i in number.tolist()], dtype=object),
        "required_outputs": np.full(len(number), 1, dtype=np.int64),
        "budget": exact.credits(budget),
        "deadline": deadline,
    }
    seq = batch.emit_for("task_opened", replicate, columns)
    tasks.add(replicate, budget, deadline, x, seq)
    world.ledger.fund_budget(replicate, budget)


def expire(batch: Batch) -> None:
    """Close tasks past their deadline as failed. Moves: budget hold -> commons."""
    world, tasks = batch.world, batch.world.tasks
    replicate, place = tasks.overdue(batch.epoch)
    if len(replicate) == 0:
        return
    at = (replicate, place)
    stage = np.array([TaskStatus(int(s)).name for s in tasks.status[at]], dtype=object)
    batch.emit_for("task_failed", replicate, {"task": tasks.number[at], "status": stage}, tasks.last_seq[at])
    worker = tasks.worker[at]
    holding = tasks.status[at] == TaskStatus.claimed
    world.holds_task[world.offset[replicate[holding]] + worker[holding]] = -1
    world.ledger.close_budget(replicate, tasks.budget[at])
    tasks.close(*at)
