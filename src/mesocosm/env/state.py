"""The world of a batch: tables of columns, one row per agent slot of every replicate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, rng
from mesocosm.env.economy import Columns, Structure, take
from mesocosm.env.feed import Feed, open_feed
from mesocosm.env.identities import Identities, list_identities
from mesocosm.env.ledger import Ledger, open_ledger
from mesocosm.env.leniency import Leniency, open_leniency
from mesocosm.env.market import Marketplace
from mesocosm.env.population import Roster
from mesocosm.env.tasks import Tasks, open_tasks
from mesocosm.env.trust import Memory, open_memory, trust_mean

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
LONG_AGO = -(10**6)


@dataclass(slots=True)
class Crowd:
    """Who is active, listed by replicate, so that a partner can be drawn by position."""

    row: I64  # (sum of count,) rows of active agents, ascending
    start: I64  # (R,) where a replicate begins in `row`
    count: I64  # (R,)
    position: I64  # (n,) of an active row within its replicate's part of the list


@dataclass(slots=True)
class World:
    """Everything that is true at one moment.

    Shapes   n = agent rows, R = replicates; row = offset[replicate] + slot. Ids (slots) are never reused.
    """

    seed: NDArray[np.uint64]  # (R,)
    offset: I64  # (R + 1,)
    replicate: NDArray[np.int64]  # (n,)
    slot: I64  # (n,)
    code: NDArray[np.int64]  # (n,) policy
    role: NDArray[np.int64]  # (n,)
    skill: F64  # (n,)
    active: NDArray[np.bool_]  # (n,)
    reputation: F64  # (n,) R
    prior: F64  # (n,) trust in a stranger: m0(R), moved by what is on public record
    payoff_mean: F64  # (n,) u_bar: running mean of own realised payoff per accepted own proposal
    caught_step: I64  # (n,) last step in which own deal with v = -1 came to light
    deals: I64  # (n,) own proposals accepted, since the start
    audits: I64  # (n,) of them looked at by an audit, whatever it read
    freezes: I64  # (n,) times frozen by a lever, since the start
    frozen_until: I64  # (n,) first step in which the agent may deal again
    holds_task: I64  # (n,) place of the task a worker holds, -1 for none
    proposed: I64  # (n,) this epoch
    accepted: I64  # (n,) accepted interactions this epoch, as either side
    acted: I64  # (n,) actions other than pass this epoch
    refused: I64  # (n,) attempts refused by a rail this epoch
    votes_received: I64  # (n,) votes for own posts, up only, since the start
    ledger: Ledger
    identities: Identities
    memory: Memory
    leniency: Leniency  # what learning agents believe of partners
    learner: I64  # (n,) place in `leniency`, -1 for agents that do not learn
    feed: Feed
    tasks: Tasks
    market: Marketplace
    crowd: Crowd
    next_seq: I64  # (R,)

    @property
    def n_rows(self) -> int:
        """n, agent rows of all replicates."""
        return len(self.slot)

    @property
    def n_replicates(self) -> int:
        """R, replicates in the batch."""
        return len(self.seed)

    def refresh_crowd(self) -> None:
        """List active agents anew, after arrivals or departures."""
        self.crowd = list_active(self.active, self.replicate, self.n_replicates)

    def set_reputation(self, row: I64, value: F64, prior_mean: Any) -> None:
        """Write reputations and the prior trust that follows from them: m0(R) = sigmoid(logit prior_mean + R)."""
        self.reputation[row] = value
        self.prior[row] = exact.sigmoid(exact.logit(prior_mean) + value)

    def read_record(self, row: I64, record: tuple[F64, F64], prior_mean: Any, strength: Any) -> None:
        """Let what is on public record move the prior trust in some agents: (w m0 + alpha) / (w + alpha + beta).

        Params   record: (alpha, beta), each (k,); strength: w, the weight of the prior.
        """
        start = exact.sigmoid(exact.logit(prior_mean) + self.reputation[row])
        self.prior[row] = trust_mean(*record, start, strength)[0]

    def number_events(self, replicate: I64) -> I64:
        """Seq of each of a batch of new events, grouped by replicate ascending; moves the counters on."""
        if self.n_replicates == 1:
            first = int(self.next_seq[0])
            self.next_seq[0] += len(replicate)
            return np.arange(first, first + len(replicate), dtype=np.int64)
        many = exact.count_by(replicate, self.n_replicates)
        start = self.next_seq - (np.cumsum(many) - many)
        seq = np.arange(len(replicate), dtype=np.int64) + start[replicate]
        self.next_seq += many
        return seq

    def state_hashes(
        self, meters: tuple[NDArray[Any], ...] = (), beside: Sequence[Sequence[Any]] | None = None
    ) -> list[str]:
        """SHA-256 over all that is true in each replicate: equal states, and only those, have equal hashes.

        Params   meters: further columns (n,) that belong to the state; beside: by replicate, further pieces of bytes.
        """
        ledger, feed, tasks = self.ledger, self.feed, self.tasks
        held = [ledger.hold[kind] for kind in ("escrow", "stake", "bond")]
        agent = _words(
            [self.active, self.reputation, self.payoff_mean, self.caught_step, self.deals, self.audits, self.freezes,
             self.frozen_until, self.holds_task, self.votes_received, ledger.balance, *held, *feed.seen_by.T, *meters]
        )  # fmt: skip
        book = _words([ledger.treasury, ledger.commons, ledger.minted, ledger.burnt, ledger.hold["budget"]])
        post = _words([feed.post, feed.author, feed.parent, feed.votes, feed.replies, feed.hidden, feed.born])
        task = _words(
            [tasks.status, tasks.number, tasks.planner, tasks.worker, tasks.budget, tasks.deadline, tasks.v]
        )  # fmt: skip
        more = beside or [()] * self.n_replicates
        return [self._hash(replicate, agent, (book, post, task), pieces) for replicate, pieces in enumerate(more)]

    def _hash(self, replicate: int, agent: I64, tables: tuple[I64, ...], beside: Sequence[Any]) -> str:
        start, stop = int(self.offset[replicate]), int(self.offset[replicate + 1])
        digest = hashlib.sha256(agent[start:stop].data)
        for content in self.memory.content(slice(start, stop), stop - start):
            digest.update(content.data)
        learners = self.learner[start:stop]
        if (learners >= 0).any():
            part = slice(int(learners[learners >= 0][0]), int(learners.max()) + 1)
            for content in self.leniency.content(part, stop - start):
                digest.update(content.data)
        for table in tables:
            digest.update(table[replicate].data)
        if self.identities.in_use[replicate]:
            for content in self.identities.content(slice(start, stop)):
                digest.update(content.data)
        for piece in beside:
            digest.update(piece)
        return digest.hexdigest()


def _words(columns: list[NDArray[Any]]) -> I64:
    """Columns of 64-bit words side by side, so that the rows of a replicate are one stretch of bytes."""
    table = np.empty((*columns[0].shape, len(columns)), dtype=np.int64)
    for place, column in enumerate(columns):
        table[..., place] = column.view(np.int64) if column.dtype.itemsize == 8 and column.dtype != np.int64 else column
    return table


def list_active(active: NDArray[np.bool_], replicate: I64, n_replicates: int) -> Crowd:
    """The crowd of a batch."""
    row = np.flatnonzero(active)
    count = exact.count_by(replicate[row], n_replicates)
    start = np.cumsum(count) - count
    position = np.zeros(len(active), dtype=np.int64)
    position[row] = np.arange(len(row)) - start[replicate[row]]
    return Crowd(row, start, count, position)


def build_world(
    roster: Roster, seeds: list[int], economy: Columns, structure: Structure, learns: NDArray[np.bool_]
) -> World:
    """The world at the start of a run: initial agents active and endowed, everything else empty.

    Params   learns: (n,) which agents learn how lenient their partners are.
    """
    n, n_replicates = len(roster.slot), len(seeds)
    largest = int(np.diff(roster.offset).max())
    replicate = roster.replicate
    mean = take(economy.prior_mean, replicate)
    start = take(economy.payoff_start, replicate)
    world = World(
        seed=np.array(seeds, dtype=np.uint64),
        offset=roster.offset,
        replicate=replicate,
        slot=roster.slot,
        code=roster.code,
        role=roster.role,
        skill=roster.skill,
        active=roster.arrival_epoch == 0,
        reputation=np.zeros(n),
        prior=np.broadcast_to(exact.sigmoid(exact.logit(mean) + 0.0), n).copy(),
        payoff_mean=np.broadcast_to(np.asarray(start, dtype=np.float64), n).copy(),
        caught_step=np.full(n, LONG_AGO, dtype=np.int64),
        deals=np.zeros(n, dtype=np.int64),
        audits=np.zeros(n, dtype=np.int64),
        freezes=np.zeros(n, dtype=np.int64),
        frozen_until=np.zeros(n, dtype=np.int64),
        holds_task=np.full(n, -1, dtype=np.int64),
        proposed=np.zeros(n, dtype=np.int64),
        accepted=np.zeros(n, dtype=np.int64),
        acted=np.zeros(n, dtype=np.int64),
        refused=np.zeros(n, dtype=np.int64),
        votes_received=np.zeros(n, dtype=np.int64),
        ledger=open_ledger(replicate, n_replicates),
        identities=list_identities(roster),
        memory=open_memory(n, structure.memory_slots, largest),
        leniency=open_leniency(int(learns.sum()), structure.memory_slots, largest),
        learner=np.where(learns, np.cumsum(learns) - 1, -1),
        feed=open_feed(n_replicates, n, structure.feed_capacity, structure.feed_visible),
        tasks=open_tasks(n_replicates, structure.task_capacity),
        market=Marketplace.empty_board(roster.offset, structure.board_size * structure.market, structure.bidders),
        crowd=list_active(roster.arrival_epoch == 0, replicate, n_replicates),
        next_seq=np.zeros(n_replicates, dtype=np.int64),
    )
    first = world.crowd.row
    endowment = exact.micro(np.broadcast_to(np.asarray(take(economy.initial_budget, replicate[first])), len(first)))
    world.ledger.mint(first, endowment)
    return world


def draw_key(world: World, purpose: int, time: int) -> NDArray[np.uint64]:
    """One random key per replicate for a (purpose, time) block of draws."""
    return rng.block_key(world.seed, purpose, time)
