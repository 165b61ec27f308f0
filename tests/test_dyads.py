"""Pairs beyond chance: exact tails, nulls against slow loops, and what gets flagged in made-up societies."""

from __future__ import annotations

import math
from decimal import Context, Decimal, localcontext
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mesocosm.errors import InvariantBroken
from mesocosm.measures.dyads import (
    Dyads,
    dyads_of,
    expected_by_degree,
    expected_by_odds,
    expected_by_volume,
    flagged_dyads,
    flagged_mutual,
)
from mesocosm.measures.significance import benjamini_hochberg, poisson_tail
from scenario_strategy import effort

Counts = dict[tuple[int, int], int]
COUNTS = st.dictionaries(
    st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] != pair[1]), st.integers(1, 12)
)


def table(*counts: Counts, n_agents: int = 7) -> Dyads:
    """One group per dictionary of counts."""
    rows = [(g, a, b, n) for g, each in enumerate(counts) for (a, b), n in sorted(each.items())]
    group, a, b, n = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Dyads(group, a, b, n, np.full(len(counts), n_agents))


def pairs_of(found: Dyads, group: int = 0) -> list[tuple[int, int]]:
    mine = found.group == group
    return list(zip(found.a[mine].tolist(), found.b[mine].tolist(), strict=True))


# --- tails


@given(st.integers(0, 2000), st.floats(1e-6, 2000.0))
@effort(300, 20000)
def test_the_poisson_tail_is_the_one_in_the_books(n: int, rate: float) -> None:
    assert float(poisson_tail(n, rate)) == pytest.approx(float(stats.poisson.sf(n - 1, rate)), rel=1e-10, abs=1e-300)


def decimal_tail(n: int, rate: float) -> Decimal:
    """The tail summed from its end with sixty digits."""
    with localcontext(Context(prec=60)):
        e = Decimal(rate)
        term = (-e).exp()
        for k in range(1, n + 1):
            term *= e / k
        total, k = Decimal(0), n
        while term > total * Decimal("1e-40"):
            total += term
            k += 1
            term *= e / k
        return total


@pytest.mark.parametrize(
    ("n", "rate"), [(1, 1e-9), (15, 0.01), (16, 0.01), (17, 0.3), (40, 1.3), (90, 0.5), (150, 20.0), (400, 80.0)]
)
def test_a_tiny_tail_keeps_its_digits(n: int, rate: float) -> None:
    exact = decimal_tail(n, rate)
    assert abs(Decimal(float(poisson_tail(n, rate))) / exact - 1) < Decimal("2e-12")
    assert exact < Decimal("1e-8")


def test_the_ends_of_the_poisson_tail() -> None:
    assert poisson_tail([0, 0, 3], [0.0, 5.0, 0.0]).tolist() == [1.0, 1.0, 0.0]
    assert np.isnan(poisson_tail([1, 2], [math.nan, -1.0])).all()
    assert float(poisson_tail(5_000, 1.0)) == 0.0
    assert float(poisson_tail(1, 5_000.0)) == 1.0
    assert poisson_tail(np.zeros((2, 0)), 1.0).shape == (2, 0)


def test_a_tail_has_the_same_bits_alone_and_in_company() -> None:
    rng = np.random.default_rng(2)
    n, rate = rng.integers(0, 300, 400), np.exp(rng.uniform(-6, 6, 400))
    together = poisson_tail(n, rate)
    alone = [float(poisson_tail(k, r)) for k, r in zip(n.tolist(), rate.tolist(), strict=True)]
    assert together.tolist() == alone


# --- many tests at once


def slow_step_up(p: list[float], tests: int, level: float) -> list[bool]:
    ordered = sorted(p)
    passed = [value for rank, value in enumerate(ordered, 1) if value <= level * rank / tests]
    return [bool(passed) and value <= max(passed) for value in p]


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1e-9, 0.004, 0.01, 0.02, 0.03, 0.5, 1.0]), max_size=9), max_size=4),
    st.integers(0, 20),
)
@effort(100, 5000)
def test_findings_are_those_of_the_step_up_rule_in_each_group(groups: Any, more: int) -> None:
    p = [value for each in groups for value in each]
    group = np.repeat(np.arange(len(groups)), [len(each) for each in groups])
    tests = np.array([len(each) + more for each in groups])
    expected = [flag for each in groups for flag in slow_step_up(each, len(each) + more, 0.05)]
    assert benjamini_hochberg(p, group, tests).tolist() == expected


def test_a_missing_chance_is_never_a_finding() -> None:
    assert benjamini_hochberg([math.nan, 0.001], np.zeros(2, dtype=np.int64), 2).tolist() == [False, True]


# --- tables


@given(COUNTS, COUNTS)
@effort(60, 2000)
def test_tables_add_up_turn_round_and_are_looked_up_pair_by_pair(one: Counts, other: Counts) -> None:
    total = table(one).plus(table(other))
    asked = list(permutations(range(7), 2))
    a, b = np.array(asked).T
    nowhere = np.zeros(len(asked), dtype=np.int64)
    assert total.at(nowhere, a, b).tolist() == [one.get(pair, 0) + other.get(pair, 0) for pair in asked]
    assert total.backwards.at(nowhere, b, a).tolist() == total.at(nowhere, a, b).tolist()
    assert pairs_of(total) == sorted({*one, *other})
    assert pairs_of(total.backwards) == sorted((b, a) for a, b in {*one, *other})


def test_counting_events_keeps_groups_apart() -> None:
    made = dyads_of(np.array([1, 0, 1]), np.array([2, 2, 2]), np.array([0, 0, 0]), np.array([3, 3]))
    assert (made.group.tolist(), made.n.tolist()) == ([0, 1], [1, 2])


# --- nulls


def slow_degree(events: Counts, occasions: Counts) -> dict[tuple[int, int], float]:
    out, into = dict.fromkeys(range(7), 0), dict.fromkeys(range(7), 0)
    for (a, _), n in events.items():
        out[a] += n
    for (_, b), n in occasions.items():
        into[b] += n
    whole = sum(into.values())
    return {(a, b): out[a] * into[b] / (whole - into[a]) for a, b in permutations(range(7), 2) if whole > into[a]}


@given(COUNTS, COUNTS)
@effort(60, 2000)
def test_a_degree_corrected_expectation_is_what_a_slow_loop_finds(events: Counts, more: Counts) -> None:
    occasions = {pair: events.get(pair, 0) + more.get(pair, 0) for pair in {*events, *more}}
    slow = slow_degree(events, occasions)
    found = expected_by_degree(table(events), table(occasions))
    assert pairs_of(found) == sorted(events)
    for pair, expected in zip(pairs_of(found), found.n.tolist(), strict=True):
        assert expected == pytest.approx(slow[pair], rel=1e-12)
    for a in range(7):  # an agent's own events are spread over the others, none lost and none added
        spread = [slow[pair] for pair in slow if pair[0] == a]
        assert not spread or sum(spread) == pytest.approx(sum(n for pair, n in events.items() if pair[0] == a))


@given(COUNTS, COUNTS)
@effort(60, 2000)
def test_an_expectation_by_volume_is_what_a_slow_loop_finds(events: Counts, more: Counts) -> None:
    met = {pair: events.get(pair, 0) + more.get(pair, 0) for pair in {*events, *more}}
    found = expected_by_volume(table(events), table(met))
    assert pairs_of(found) == sorted(met)
    for (a, b), expected in zip(pairs_of(found), found.n.tolist(), strict=True):
        others = [pair for pair in met if set(pair) != {a, b}]
        dealt, happened = sum(met[pair] for pair in others), sum(events.get(pair, 0) for pair in others)
        assert expected == pytest.approx(met[a, b] * happened / dealt if dealt else math.nan, rel=1e-12, nan_ok=True)


def test_friends_and_outcasts_deal_much_and_clans_deal_badly() -> None:
    """Two of six deal ten times as much with each other: with the usual share of bad-looking deals, or a large one."""
    dealt = even(20, 6) | {(4, 5): 200, (5, 4): 200}
    usual, bad = even(2, 6) | {(4, 5): 20, (5, 4): 20}, even(2, 6) | {(4, 5): 90, (5, 4): 90}
    for events, found in ((usual, []), (bad, [(4, 5)])):
        by_degree = expected_by_degree(table(events, n_agents=6), table(even(30, 6), n_agents=6))
        both = by_degree.larger(expected_by_volume(table(events, n_agents=6), table(dealt, n_agents=6)))
        assert pairs_of(flagged_mutual(table(events, n_agents=6), by_degree)) == [(4, 5)]
        assert pairs_of(flagged_mutual(table(events, n_agents=6), both)) == found


def slow_odds(events: Counts, met: Counts) -> dict[tuple[int, int], float]:
    """For each pair, sums over the dealings of a without b, of b without a, and of all others."""

    def odds(pairs: list[tuple[int, int]]) -> float:
        happened, not_so = sum(events.get(p, 0) for p in pairs), sum(met[p] - events.get(p, 0) for p in pairs)
        return (happened + 0.5) / (not_so + 0.5)

    found = {}
    for a, b in met:
        of_a = odds([p for p in met if p[0] == a and p[1] != b])
        of_b = odds([p for p in met if p[1] == b and p[0] != a])
        of_rest = odds([p for p in met if p[0] != a and p[1] != b])
        both = max(of_a * of_b / of_rest, of_a, of_b)
        found[a, b] = met[a, b] * both / (1 + both)
    return found


@given(COUNTS, COUNTS)
@effort(60, 2000)
def test_an_expectation_by_odds_is_what_a_slow_loop_finds(events: Counts, more: Counts) -> None:
    met = {pair: events.get(pair, 0) + more.get(pair, 0) for pair in {*events, *more}}
    found = expected_by_odds(table(events), table(met))
    slow = slow_odds(events, met)
    assert pairs_of(found) == sorted(met)
    for pair, expected in zip(pairs_of(found), found.n.tolist(), strict=True):
        assert expected == pytest.approx(slow[pair], rel=1e-12)
        assert expected <= met[pair]


def test_events_need_an_occasion() -> None:
    with pytest.raises(InvariantBroken, match="events happen on occasions"):
        expected_by_odds(table({(0, 1): 2}), table({(1, 0): 5}))


@given(st.lists(COUNTS, min_size=1, max_size=4))
@effort(30, 1000)
def test_a_group_is_judged_by_itself_alone(groups: list[Counts]) -> None:
    occasions = [{pair: n + 3 for pair, n in each.items()} for each in groups]
    together, met = table(*groups), table(*occasions)
    for number, (each, dealt) in enumerate(zip(groups, occasions, strict=True)):
        alone, mine = table(each), table(dealt)
        for many, one in (
            (expected_by_degree(together, met), expected_by_degree(alone, mine)),
            (expected_by_odds(together, met), expected_by_odds(alone, mine)),
            (expected_by_volume(together, met), expected_by_volume(alone, mine)),
        ):
            assert many.n[many.group == number].tobytes() == one.n.tobytes()
            assert pairs_of(flagged_dyads(together, many), number) == pairs_of(flagged_dyads(alone, one))
            assert pairs_of(flagged_mutual(together, many), number) == pairs_of(flagged_mutual(alone, one))


# --- flags


def even(n: int = 2, n_agents: int = 7) -> Counts:
    return dict.fromkeys(permutations(range(n_agents), 2), n)


def test_a_directed_excess_is_flagged_in_its_direction_only() -> None:
    events = even(6) | {(2, 5): 50}
    expected = expected_by_degree(table(events))
    assert pairs_of(flagged_dyads(table(events), expected)) == [(2, 5)]
    assert pairs_of(flagged_mutual(table(events), expected)) == []


def test_a_mutual_excess_is_flagged_once_with_the_events_of_both_directions() -> None:
    events = even() | {(2, 5): 25, (5, 2): 30}
    found = flagged_mutual(table(events), expected_by_degree(table(events)))
    assert (pairs_of(found), found.n.tolist()) == ([(2, 5)], [55])


def test_a_pair_that_could_have_occurred_counts_as_a_test() -> None:
    events = {(0, 1): 5, (1, 0): 5}
    alone = Dyads(*(np.zeros(2, dtype=np.int64), np.array([0, 1]), np.array([1, 0])), np.array([5, 5]), np.array([2]))
    expected = Dyads(alone.group, alone.a, alone.b, np.full(2, 1.0), alone.n_agents)
    chance = float(poisson_tail(5, 1.0))
    few = Dyads(alone.group, alone.a, alone.b, alone.n, np.array([2]))
    many = Dyads(alone.group, alone.a, alone.b, alone.n, np.array([40]))
    assert chance < 0.05
    assert pairs_of(flagged_dyads(few, expected)) == sorted(events)
    assert pairs_of(flagged_dyads(many, expected)) == []
    assert pairs_of(flagged_mutual(few, expected)) == [(0, 1)]
    assert pairs_of(flagged_mutual(many, expected)) == []


def test_a_pair_whose_dealings_go_wrong_is_told_from_an_agent_whose_dealings_all_do() -> None:
    met = even(20)
    quarrel = even(1) | {(2, 5): 18}
    found = flagged_dyads(table(quarrel), expected_by_odds(table(quarrel), table(met)))
    assert pairs_of(found) == [(2, 5)]
    grumpy = even(1) | {(a, 5): 18 for a in range(7) if a != 5}
    found = flagged_dyads(table(grumpy), expected_by_odds(table(grumpy), table(met)))
    assert pairs_of(found) == []


def test_a_pair_that_brings_about_all_there_is_cannot_explain_itself_away() -> None:
    met, only = even(20), {(2, 5): 15}
    assert pairs_of(flagged_dyads(table(only), expected_by_odds(table(only), table(met)))) == [(2, 5)]


def test_where_every_pair_is_as_its_degrees_have_it_hardly_any_run_has_a_flag() -> None:
    """A thousand societies of 12 agents of very different activity, events Poisson around what degrees say."""
    rng, runs, n_agents = np.random.default_rng(4), 1000, 12
    active, popular = rng.gamma(1.0, 3.0, (runs, n_agents)), rng.gamma(1.0, 1.0, (runs, n_agents))
    rate = active[:, :, None] * popular[:, None, :] / popular.sum(1)[:, None, None]
    count = rng.poisson(rate)
    count[:, range(n_agents), range(n_agents)] = 0
    group, a, b = np.nonzero(count)
    events = Dyads(group, a, b, count[group, a, b], np.full(runs, n_agents))
    expected = expected_by_degree(events)
    for flagged in (flagged_dyads, flagged_mutual):
        with_any = len(np.unique(flagged(events, expected).group))
        assert stats.binomtest(with_any, runs).proportion_ci(0.99).low <= 0.05
        assert with_any <= 50
