"""Who did what with whom how often, and which pairs did it more often than their own ways explain.

A table of dyads counts events between pairs of agents. Nulls say how often a pair without anything between the two
would meet with such an event: `expected_by_degree` and `expected_by_volume`, for what agents choose to do with each
other, and `expected_by_odds`, for how their dealings go. `docs/design/detectors.md` says which fits what, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.errors import check
from mesocosm.measures.moments import F64, ratio
from mesocosm.measures.significance import benjamini_hochberg, poisson_tail

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: added to both sides of every odds (Haldane, Anscombe), so that none is 0 or infinite
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Dyads:
    """How often something went from agent a to agent b, for the pairs between which it did at all.

    Shapes   k = pairs, G = groups (replicates): group, a, b, n (k,), in ascending order of group, a, b; n_agents (G,)
             counts the agents that have been there, whether anything happened between them or not.
    """

    group: I64
    a: I64
    b: I64
    n: NDArray[Any]
    n_agents: I64

    def __len__(self) -> int:
        return len(self.group)

    @property
    def backwards(self) -> Dyads:
        """The same counts seen from the other side, as from b to a."""
        order = exact.order_by(self.group, self.b, self.a)
        return Dyads(self.group[order], self.b[order], self.a[order], self.n[order], self.n_agents)

    def only(self, rows: Any) -> Dyads:
        """Some of the pairs: a mask, or positions in ascending order."""
        return Dyads(self.group[rows], self.a[rows], self.b[rows], self.n[rows], self.n_agents)

    def plus(self, other: Dyads) -> Dyads:
        """Both tables added up, pair by pair."""
        group, a, b = (np.concatenate(pair) for pair in zip(_keys(self), _keys(other), strict=True))
        n = np.concatenate([self.n, other.n])
        order = exact.order_by(group, a, b)
        group, a, b = group[order], a[order], b[order]
        first = np.r_[True, (np.diff(group) != 0) | (np.diff(a) != 0) | (np.diff(b) != 0)][: len(group)]
        total = np.zeros(int(first.sum()), dtype=n.dtype)
        np.add.at(total, np.cumsum(first) - 1, n[order])
        return Dyads(group[first], a[first], b[first], total, self.n_agents)

    def larger(self, other: Dyads) -> Dyads:
        """The same pairs, each with the larger of its two counts; a pair that the other lacks counts as 0 there."""
        n = np.maximum(self.n, other.at(self.group, self.a, self.b))
        return Dyads(self.group, self.a, self.b, n, self.n_agents)

    def at(self, group: I64, a: I64, b: I64) -> NDArray[Any]:
        """Counts of the pairs asked for, 0 where a pair is not in the table."""
        wide = max([1, *(int(x.max(initial=0)) + 1 for x in (self.a, self.b, a, b))])
        key, asked = ((g * wide + x) * wide + y for g, x, y in (_keys(self), (group, a, b)))
        place = np.searchsorted(key, asked)
        found = place < len(key)
        found[found] = key[place[found]] == asked[found]
        count = np.zeros(len(asked), dtype=self.n.dtype)
        count[found] = self.n[place[found]]
        return count


def _keys(table: Dyads) -> tuple[I64, I64, I64]:
    return table.group, table.a, table.b


def dyads_of(group: I64, a: I64, b: I64, n_agents: I64) -> Dyads:
    """Count events by pair, given the two agents of each.

    Shapes   group, a, b: (events,).
    Example
        >>> seen = dyads_of(np.zeros(3, dtype=np.int64), np.array([1, 0, 1]), np.array([0, 1, 0]), np.array([2]))
        >>> seen.a.tolist(), seen.b.tolist(), seen.n.tolist()
        ([0, 1], [1, 0], [1, 2])
    """
    nobody = np.zeros(0, dtype=np.int64)
    return Dyads(nobody, nobody, nobody, nobody, n_agents).plus(
        Dyads(group, a, b, np.ones(len(group), dtype=np.int64), n_agents)
    )


class _Margins:
    """Sums of dyads over all partners of each agent, on either side, and over everything in a group."""

    def __init__(self, *tables: Dyads) -> None:
        """Number the agents that occur in any of the tables."""
        n_groups = len(tables[0].n_agents)
        size = np.zeros(n_groups, dtype=np.int64)
        for table in tables:
            for agent in (table.a, table.b):
                np.maximum.at(size, table.group, agent + 1)
        self.offset = np.cumsum(size) - size
        self.n_rows, self.n_groups = int(size.sum()), n_groups

    def from_agent(self, table: Dyads, n: Any) -> F64:
        """Sum over partners b for every agent a."""
        return exact.sum_by(self.row(table, table.a), np.asarray(n, dtype=np.float64), self.n_rows)

    def to_agent(self, table: Dyads, n: Any) -> F64:
        """Sum over partners a for every agent b."""
        return exact.sum_by(self.row(table, table.b), np.asarray(n, dtype=np.float64), self.n_rows)

    def in_group(self, table: Dyads, n: Any) -> F64:
        """Sum over all pairs of a group."""
        return exact.sum_by(table.group, np.asarray(n, dtype=np.float64), self.n_groups)

    def row(self, table: Dyads, agent: I64) -> I64:
        """Number of each agent among all of all groups."""
        row: I64 = self.offset[table.group] + agent
        return row


def expected_by_degree(events: Dyads, occasions: Dyads | None = None) -> Dyads:
    """How often each event would go from a to b if a spread its own over the others by how much each takes part.

    e_ab = o_a i_b / (M - i_a): o_a events of a, i_b occasions on which b was on the other side, M occasions in all.
    An agent has no dealings with itself, so its own i_a takes no share.

    Params   events: what is counted. occasions: what taking part means, the events themselves unless given; the wider
             it is, the less a clique that brings about most of the events explains itself away.
    Returns  as many pairs as events has, with n the expected count.
    Source   science notes 0.7; degree-corrected Poisson model (Chung and Lu 2002)
    Example
        >>> a, b = np.array([0, 0, 1, 1, 2, 2]), np.array([1, 2, 0, 2, 0, 1])
        >>> expected_by_degree(dyads_of(np.zeros(6, dtype=np.int64), a, b, np.array([3]))).n.tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    other = events if occasions is None else occasions
    sums = _Margins(events, other)
    out, into, whole = sums.from_agent(events, events.n), sums.to_agent(other, other.n), sums.in_group(other, other.n)
    a, b = sums.row(events, events.a), sums.row(events, events.b)
    expected = ratio(out[a] * into[b], whole[events.group] - into[a])
    return Dyads(events.group, events.a, events.b, expected, events.n_agents)


def expected_between(one: Any, other: Any, whole: Any) -> F64:
    """How often two would deal, whoever asks, if each spread its deals over the others by how much each deals.

    k_a k_b / 2 (1 / (m - k_a) + 1 / (m - k_b)): the mean of what either side's own deals would bring.

    Params   one, other: k, deals of either with anybody; whole: m, the sum of k over all, twice the number of deals.
    Returns  NaN where one of them has part in all deals and more.
    Source   degree-corrected Poisson model (Chung and Lu 2002), no dealings with oneself
    Example
        >>> float(expected_between(4, 4, 12)), float(expected_between(6, 2, 12))
        (2.0, 1.6)
    """
    k_a, k_b, m = (np.asarray(value, dtype=np.float64) for value in (one, other, whole))
    return 0.5 * k_a * k_b * (ratio(1.0, m - k_a) + ratio(1.0, m - k_b))


def expected_by_volume(events: Dyads, occasions: Dyads) -> Dyads:
    """How often each event would go from a to b if it came with their dealings as often as with everybody else's.

    Friends, and those whom most avoid and who are left to each other, deal much with each other; this says how many
    events that alone brings. The pair, in both directions, is left out of what the others do.

    Params   occasions: dealings at which the event could have happened; contains the events.
    Returns  as many pairs as occasions has, with n the expected count; NaN where nobody else dealt.
    """
    back, happened = occasions.backwards, events.at(*_keys(occasions)) + events.backwards.at(*_keys(occasions))
    sums, met, group = _Margins(occasions), occasions.n + back.at(*_keys(occasions)), occasions.group
    rest = sums.in_group(events, events.n)[group] - happened
    expected = occasions.n * ratio(rest, sums.in_group(occasions, occasions.n)[group] - met)
    return Dyads(group, occasions.a, occasions.b, expected, occasions.n_agents)


def expected_by_odds(events: Dyads, occasions: Dyads) -> Dyads:
    """How often each event would befall the dealings of a with b if these went as each one's dealings with others go.

    The odds of the event between a and b are those of a with everybody but b, times those of b with everybody but a,
    over those between all others; and never less than either's own with others, so that an agent with whom everything
    goes wrong explains what goes wrong with it. Only what the two do with others is used: a pair cannot explain itself.

    Params   occasions: dealings at which the event could have happened; contains the events.
    Returns  as many pairs as occasions has, with n the expected count.
    Source   additive log-odds of sender and receiver (Rasch 1960; Holland and Leinhardt 1981), pair left out
    """
    sums, happened = _Margins(occasions), events.at(*_keys(occasions)).astype(np.float64)
    check(happened.sum() == events.n.sum(), "events happen on occasions", events=events.n.sum(), found=happened.sum())
    met = occasions.n.astype(np.float64)
    a, b, group = sums.row(occasions, occasions.a), sums.row(occasions, occasions.b), occasions.group

    def left_out(n: F64) -> tuple[F64, F64, F64]:
        of_a, of_b = sums.from_agent(occasions, n)[a], sums.to_agent(occasions, n)[b]
        return of_a - n, of_b - n, sums.in_group(occasions, n)[group] - of_a - of_b + n

    of_a, of_b, of_rest = (
        (yes + HALF) / (np.maximum(all_of_it - yes, 0.0) + HALF)
        for yes, all_of_it in zip(left_out(happened), left_out(met), strict=True)
    )
    odds = np.maximum(of_a * of_b / of_rest, np.maximum(of_a, of_b))
    return Dyads(occasions.group, occasions.a, occasions.b, met * (odds / (1.0 + odds)), occasions.n_agents)


def _chance(events: Dyads, expected: Dyads) -> F64:
    """Probability of each count, or a higher one, by chance."""
    return poisson_tail(events.n, expected.at(*_keys(events)))


def flagged_dyads(events: Dyads, expected: Dyads, level: float = 0.05) -> Dyads:
    """The directed pairs with more events from a to b than expected, at a false discovery rate of `level` a group.

    All pairs that could occur count as tests, n_agents (n_agents - 1) of them, not only those that did.

    Source   science notes 0.7, 5.11 (c)
    """
    tests = events.n_agents * (events.n_agents - 1)
    return events.only(benjamini_hochberg(_chance(events, expected), events.group, tests, level))


def flagged_mutual(events: Dyads, expected: Dyads, level: float = 0.05) -> Dyads:
    """The pairs with more events than expected in both directions, each once (a < b), n the events of both directions.

    The chance of a pair is the larger of its two; n_agents (n_agents - 1) / 2 pairs count as tests.

    Source   science notes 0.7, 5.11 (c)
    """
    chance, backwards = _chance(events, expected), events.backwards
    returned = backwards.at(*_keys(events))
    one = np.flatnonzero((events.a < events.b) & (returned > 0))
    there = Dyads(*_keys(events), chance, events.n_agents)
    both = events.only(one)
    p = np.maximum(chance[one], there.backwards.at(*_keys(both)))
    pairs = Dyads(both.group, both.a, both.b, both.n + returned[one], both.n_agents)
    tests = events.n_agents * (events.n_agents - 1) // 2
    return pairs.only(benjamini_hochberg(p, pairs.group, tests, level))
