"""The feed: posts, threads, replies and votes of every replicate, in bounded memory, ranked once a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact

I64 = NDArray[np.int64]
SCORE_UNIT = 1 << 20  # resolution of the visibility score when ranking
WORD = 64


class Writing(NamedTuple):
    """New posts: (k,) each."""

    author: I64  # slot
    topic: I64
    seq: I64
    parent: I64  # seq of the post it answers, -1 for none


@dataclass(slots=True)
class Feed:
    """The newest posts of each replicate in a ring of P places; a post's id is the seq of its event.

    Visibility   score = votes + alpha * replies - beta * age. Age grows alike for all posts, so ranking by
                 votes + alpha * replies + beta * born gives the same order and needs no rescoring as time passes.
    Shapes       R = replicates, P = places, n = agent rows, V = visible places.
    """

    post: I64  # (R, P) seq of the post, -1 where empty
    author: I64  # (R, P) slot of the author
    topic: I64  # (R, P) what it is about
    parent: I64  # (R, P) seq of the post it answers, -1 for a thread's first post
    born: I64  # (R, P) step
    votes: I64  # (R, P)
    replies: I64  # (R, P)
    hidden: NDArray[np.bool_]  # (R, P) flagged by a moderator
    written: I64  # (R,) posts ever written
    seen_by: NDArray[np.uint64]  # (n, P / 64) bit set where the agent has voted on the post in that place
    visible: I64  # (R, V) places of the ranked posts, best first
    n_visible: I64  # (R,)

    @property
    def capacity(self) -> int:
        """P, how many posts a replicate keeps."""
        return int(self.post.shape[1])

    def rank(self, alpha: Any, beta: Any) -> None:
        """Order the posts of every replicate by visibility; ties go to the later post."""
        score = self.votes + _tall(alpha) * self.replies + _tall(beta) * self.born
        shown = (self.post >= 0) & ~self.hidden
        # distinct integer keys: the order cannot depend on a sorting algorithm
        age_order = (np.arange(self.capacity) - self.written[:, None]) % self.capacity
        key = np.rint(np.where(shown, score, -1e9) * SCORE_UNIT).astype(np.int64) * self.capacity + age_order
        best = exact.largest_first(key, self.visible.shape[1])
        self.visible[:] = (best % self.capacity + self.written[:, None]) % self.capacity
        self.n_visible[:] = np.minimum(shown.sum(axis=1), self.visible.shape[1])

    def get_visible(self, replicate: int, limit: int = 20) -> I64:
        """Places of the posts that agents of a replicate see, best first, at most `limit`."""
        return self.visible[replicate, : min(limit, int(self.n_visible[replicate]))]

    def score(self, replicate: int, place: Any, step: int, alpha: float, beta: float) -> Any:
        """Visibility of posts as the plan writes it: votes + alpha * replies - beta * age."""
        age = step - self.born[replicate, place]
        return self.votes[replicate, place] + alpha * self.replies[replicate, place] - beta * age

    def add_posts(self, rows_of: I64, replicate: I64, written: Writing, step: int) -> None:
        """Write posts; the oldest make room. Params: rows_of: offset of each replicate's agents (R + 1,).

        Posts come grouped by replicate; more than P posts in one turn leave only the last P.
        """
        turn = exact.rank_within(replicate)
        many = exact.count_by(replicate, len(self.written))
        place = (self.written[replicate] + turn) % self.capacity
        last = turn >= many[replicate] - self.capacity
        self._clear_votes(rows_of, replicate[last], place[last])
        where = (replicate[last], place[last])
        self.post[where] = written.seq[last]
        self.author[where] = written.author[last]
        self.topic[where] = written.topic[last]
        self.parent[where] = written.parent[last]
        self.born[where] = step
        self.votes[where] = 0
        self.replies[where] = 0
        self.hidden[where] = False
        self.written += many

    def _clear_votes(self, rows_of: I64, replicate: I64, place: I64) -> None:
        keep = np.full((len(self.written), self.seen_by.shape[1]), ~np.uint64(0))
        bit = ~(np.uint64(1) << (place & 63).astype(np.uint64))
        np.bitwise_and.at(keep, (replicate, place >> 6), bit)
        if len(self.written) == 1:
            self.seen_by &= keep
        else:
            self.seen_by &= np.repeat(keep, np.diff(rows_of), axis=0)

    def has_voted(self, row: I64, place: I64) -> NDArray[np.bool_]:
        """Whether agents have already voted on the post in a place."""
        word = self.seen_by[row, place >> 6]
        voted: NDArray[np.bool_] = (word >> (place & 63).astype(np.uint64)) & np.uint64(1) > 0
        return voted

    def add_votes(self, row: I64, replicate: I64, place: I64, value: I64) -> None:
        """Count votes (+1 or -1); each row votes once in a call."""
        np.add.at(self.votes, (replicate, place), value)
        self.seen_by[row, place >> 6] |= np.uint64(1) << (place & 63).astype(np.uint64)

    def add_replies(self, replicate: I64, place: I64) -> None:
        """Count replies on the posts they answer."""
        np.add.at(self.replies, (replicate, place), 1)


def _tall(value: Any) -> Any:
    return value[:, None] if isinstance(value, np.ndarray) else value


def open_feed(n_replicates: int, n_rows: int, capacity: int, visible: int) -> Feed:
    """An empty feed for every replicate. Params: capacity: a multiple of 64."""
    shape = (n_replicates, capacity)
    return Feed(
        post=np.full(shape, -1, dtype=np.int64),
        author=np.full(shape, -1, dtype=np.int64),
        topic=np.zeros(shape, dtype=np.int64),
        parent=np.full(shape, -1, dtype=np.int64),
        born=np.zeros(shape, dtype=np.int64),
        votes=np.zeros(shape, dtype=np.int64),
        replies=np.zeros(shape, dtype=np.int64),
        hidden=np.zeros(shape, dtype=np.bool_),
        written=np.zeros(n_replicates, dtype=np.int64),
        seen_by=np.zeros((n_rows, capacity // WORD), dtype=np.uint64),
        visible=np.zeros((n_replicates, min(visible, capacity)), dtype=np.int64),
        n_visible=np.zeros(n_replicates, dtype=np.int64),
    )
