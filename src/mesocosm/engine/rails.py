"""Safety rails: limits that bind every policy alike; whatever they refuse becomes an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.agents.duties import MAY
from mesocosm.api import ACTIONS, POST, REPLY
from mesocosm.engine.batch import Batch
from mesocosm.env.economy import take

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
RULES = (
    "", "tool_allowlist", "rate_limit", "max_posts_per_epoch", "min_time_between_posts", "max_content_length",
    "max_interactions_per_step", "frozen", "unknown_choice", "message_unpaid",
)  # fmt: skip
RULE_NAMES = np.array(RULES, dtype=object)
UNKNOWN_CHOICE, MESSAGE_UNPAID = RULES.index("unknown_choice"), RULES.index("message_unpaid")
ACTION_NAMES = np.array([*ACTIONS, "propose", "accept", "act"], dtype=object)
PROPOSE, ACCEPT, ACT = range(len(ACTIONS), len(ACTIONS) + 3)


@dataclass(slots=True)
class Rails:
    """Meters of every agent row: tokens of its bucket, posts of the epoch, dealings of the step.

    Source   Plan 1.4 SafetyConfig. `min_time_between_posts` is counted in steps, since the model has no clock.
    """

    tokens: NDArray[np.float64]  # (n,)
    posts: I64  # (n,)
    last_post: I64  # (n,) step
    dealings: I64  # (n,) proposals of this step that the agent made or was to answer

    def start_epoch(self, batch: Batch) -> None:
        """Give everybody the epoch's allowance of posts and of budget."""
        self.posts[:] = 0
        batch.world.ledger.spent[:] = 0

    def start_step(self, batch: Batch) -> None:
        """Refill the token buckets and reset the step's counts."""
        rule = batch.by_row
        np.add(self.tokens, rule.rate_limit_refill, out=self.tokens)
        np.minimum(self.tokens, rule.rate_limit_capacity, out=self.tokens)
        self.dealings[:] = 0

    def check_actions(self, batch: Batch, row: I64, kind: I64, length: Any, due: Any = 0) -> Mask:
        """Which actions may happen; the others are refused, by the first rule they break.

        Params   due: micro-credits that each action costs its agent, a number or (k,). It is paid from the balance, not
                 on credit, and within the budget of the epoch.
        """
        rule = batch.by_row
        broken = np.where(self.tokens[row] < 1.0, 2, 0)
        writes = (kind == POST) | (kind == REPLY)
        broken[length > take(rule.max_content_length, row)] = 5
        if writes.any():
            waited = batch.step - self.last_post[row]
            broken[writes & (waited < take(rule.min_time_between_posts, row))] = 4
            broken[writes & (self.posts[row] >= take(rule.max_posts_per_epoch, row))] = 3
        if np.any(due):
            broken[(due > 0) & (due > _means(batch, row))] = MESSAGE_UNPAID
        broken[~MAY[batch.world.role[row], kind]] = 1
        fine: Mask = broken == 0
        self._refuse(batch, row, broken, kind, fine)
        done = row if fine.all() else row[fine]
        self.tokens[done] -= 1.0
        wrote = row[fine & writes]
        self.posts[wrote] += 1
        self.last_post[wrote] = batch.step
        return fine

    def check_proposals(self, batch: Batch, row: I64) -> Mask:
        """Which rows may make the proposal they want to make."""
        rule = batch.by_row
        broken = np.where(self.tokens[row] < 1.0, 2, 0)
        broken[self.dealings[row] >= take(rule.max_interactions_per_step, row)] = 6
        fine: Mask = broken == 0
        self._refuse(batch, row, broken, np.full(len(row), PROPOSE), fine)
        done = row if fine.all() else row[fine]
        self.tokens[done] -= 1.0
        return fine

    def check_answers(self, batch: Batch, row_a: I64, row_b: I64, first: Any) -> Mask:
        """Which proposals both sides still have room for in this step, in order of precedence.

        Params   row_a, row_b: (k,) both sides; first: a function of no arguments: (k,) precedence of the initiators.
        """
        row = np.concatenate([row_a, row_b])
        limit = take(batch.by_row.max_interactions_per_step, row)
        before = self.dealings[row]
        np.add.at(self.dealings, row, 1)
        fine: Mask = self.dealings[row] <= limit
        late = np.flatnonzero(~fine)
        if len(late):
            k = len(row_a)
            busy = late[exact.order_by(first()[late % k], row_a[late % k])]
            fine[busy] = before[busy] + exact.rank_within(row[busy]) < take(limit, busy)
        return fine[: len(row_a)] & fine[len(row_a) :]

    def refuse(self, batch: Batch, row: I64, rule: int, attempt: int) -> None:
        """Log attempts of rows that a rule forbids."""
        self._refuse(
            batch, row, np.full(len(row), rule), np.full(len(row), attempt), np.zeros(len(row), dtype=np.bool_)
        )

    def _refuse(self, batch: Batch, row: I64, broken: I64, attempt: I64, fine: Mask) -> None:
        if fine.all():
            return
        bad = ~fine
        np.add.at(batch.world.refused, row[bad], 1)
        columns = {
            "agent": batch.world.slot[row[bad]],
            "rule": RULE_NAMES[broken[bad]],
            "attempt": ACTION_NAMES[attempt[bad]],
        }
        batch.emit("refused", row[bad], columns)


def _means(batch: Batch, row: I64) -> I64:
    """Micro-credits that rows may still spend: what they have, within the epoch's budget."""
    ledger = batch.world.ledger
    budget = exact.micro(np.asarray(take(batch.by_row.budget_per_epoch, row), dtype=np.float64))
    means: I64 = np.minimum(ledger.balance[row], budget - ledger.spent[row])
    return means


def open_rails(batch: Batch) -> Rails:
    """Full buckets, nothing posted yet."""
    n = batch.world.n_rows
    capacity = np.asarray(batch.by_row.rate_limit_capacity, dtype=np.float64)
    return Rails(
        tokens=np.broadcast_to(capacity, n).copy(),
        posts=np.zeros(n, dtype=np.int64),
        last_post=np.full(n, -(10**9), dtype=np.int64),
        dealings=np.zeros(n, dtype=np.int64),
    )
