"""Intervals, families and shares of a study: against scipy, against numbers by hand, and exact where zero is meant."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mesocosm.analysis.multiplicity import Family, holm, max_t
from mesocosm.analysis.proportions import proportion
from mesocosm.analysis.resampling import flipped_sums, is_enumerated, resampled_means
from mesocosm.analysis.robustness import rank_influences, sign_share
from mesocosm.analysis.statistics import PairedEffect, difference_of_effects, paired_effect
from mesocosm.analysis.tradeoff import pareto_dominance
from mesocosm.errors import UsageError
from scenario_strategy import effort

F64 = NDArray[np.float64]
RANDOM = np.random.default_rng(5)
SHAPES = {
    "normal": RANDOM.normal(0.3, 1.0, 40),
    "skewed": RANDOM.lognormal(0.0, 1.0, 60) - 1.0,
    "skewed the other way": 1.0 - RANDOM.lognormal(0.0, 1.0, 60),
    "mostly zero": np.concatenate([np.zeros(30), RANDOM.normal(0.5, 0.3, 12)]),
    "more than are kept": RANDOM.exponential(1.0, 510) - 1.05,
}
P_VALUES = st.lists(st.floats(0, 1) | st.just(math.nan), min_size=1, max_size=12)


def effect_of(differences: Any, **options: Any) -> PairedEffect:
    values = np.asarray(differences, dtype=np.float64)
    return paired_effect(values, np.zeros_like(values), **options)


# --- BCa


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_bca_interval_is_scipys_within_its_own_luck(shape: str, confidence: float) -> None:
    values = SHAPES[shape]
    found = effect_of(values, confidence=confidence, method="bca")
    expected = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", confidence_level=confidence, batch=2_000,
        rng=np.random.default_rng(8),
    ).confidence_interval  # fmt: skip
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.03 * width)
    assert found.high == pytest.approx(expected.high, abs=0.03 * width)
    assert found.method == "bca"
    assert found.change == pytest.approx(values.mean())


def test_bca_leans_to_the_long_tail_where_t_cannot() -> None:
    values = np.random.default_rng(1).lognormal(0.0, 1.0, 40)
    bca, t = effect_of(values, method="bca"), effect_of(values)
    assert bca.high - bca.change > 1.2 * (bca.change - bca.low)
    assert t.high - t.change == pytest.approx(t.change - t.low)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bca_p_value_says_what_the_interval_says(shape: str) -> None:
    for shift in np.linspace(-0.6, 0.6, 7):
        values = SHAPES[shape] + shift
        p_value = effect_of(values, method="bca").p_value
        for confidence in (0.8, 0.9, 0.95, 0.99):
            if abs(p_value - (1.0 - confidence)) > 2e-4 + 0.01 * (1.0 - confidence):
                found = effect_of(values, confidence=confidence, method="bca")
                assert found.excludes_zero == (p_value < 1.0 - confidence), (shift, confidence, p_value)


def test_the_same_differences_always_give_the_same_interval() -> None:
    values = SHAPES["skewed"]
    first = effect_of(values, method="bca")
    effect_of(SHAPES["normal"], method="bca")
    assert effect_of(values.copy(), method="bca") == first


def test_auto_takes_t_below_thirty_pairs_and_bca_from_thirty_on() -> None:
    values = SHAPES["skewed"]
    few, many = effect_of(values[:29], method="auto"), effect_of(values[:30], method="auto")
    assert few == effect_of(values[:29], method="t")
    assert (few.method, many.method) == ("t", "bca")
    assert many != effect_of(values[:30])
    gaps = np.where(np.arange(31) < 2, math.nan, values[:31])
    assert effect_of(gaps, method="auto").method == "t", "pairs are counted where both sides are defined"


def test_a_bootstrap_of_few_seeds_and_an_unknown_method_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 30 pairs, and 29 are defined"):
        effect_of(np.arange(29.0), method="bca")
    with pytest.raises(UsageError, match="Did you mean bca"):
        effect_of(np.arange(40.0), method="bac")


@pytest.mark.parametrize("method", ["t", "bca"])
@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
def test_differences_that_are_all_the_same_have_an_interval_without_width(method: str, value: float) -> None:
    found = effect_of(np.full(30, value), method=method)
    assert (found.low, found.change, found.high, found.standard_error) == (value, value, value, 0.0)
    assert found.is_exactly_zero == (value == 0.0)
    assert found.p_value == (1.0 if value == 0.0 else 2.0**-29)
    assert found.method == method


@pytest.mark.parametrize("n", [2, 5, 6])
def test_few_differences_that_are_all_the_same_are_judged_by_their_signs(n: int) -> None:
    found = effect_of(np.full(n, 0.1))
    flipped = scipy.stats.permutation_test((np.full(n, 0.1),), np.mean, permutation_type="samples")
    assert found.p_value == flipped.pvalue == 2.0 ** (1 - n)
    assert found.excludes_zero == (found.p_value < 0.05) == (n == 6)
    assert math.isnan(found.low) == (n < 6)
    assert found.change == 0.1


def test_the_default_interval_is_students_and_its_standard_error_is_kept() -> None:
    values = SHAPES["normal"]
    found = effect_of(values)
    assert found.method == "t"
    assert found.standard_error == pytest.approx(scipy.stats.sem(values))
    assert effect_of(values, method="bca").standard_error == found.standard_error
    assert math.isnan(effect_of([1.0]).standard_error)
    other = difference_of_effects((values, 0 * values), (0 * values, 0 * values), method="bca")
    assert other == effect_of(values, method="bca")


@pytest.mark.parametrize("n", [2, 30, 101])
def test_resamples_hold_every_seed_equally_often(n: int) -> None:
    draws = resampled_means(np.eye(n), 2_000).sum(axis=0) * n  # how often each seed was drawn
    assert draws.sum() == pytest.approx(2_000 * n)
    z = (draws - 2_000) / math.sqrt(2_000 * (1 - 1 / n))
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-4 if n > 10 else abs(z).max() < 4


@pytest.mark.parametrize("n", [40, 700])
def test_means_of_resamples_spread_as_means_do(n: int) -> None:
    values = np.random.default_rng(7).exponential(1.0, n)
    means = resampled_means(values)
    error = values.std() / math.sqrt(n)
    assert abs(means.mean() - values.mean()) < 4 * error / 100
    assert means.std() == pytest.approx(error, rel=0.04)
    assert len(np.unique(means)) > 9_900, "no block is drawn twice"


# --- flips


@pytest.mark.parametrize("n", [1, 3, 6])
def test_few_pairs_are_flipped_in_every_way_once(n: int) -> None:
    values = RANDOM.normal(size=(n, 2))
    expected = sorted(tuple(np.array(s) @ values) for s in itertools.product((1.0, -1.0), repeat=n))
    found = sorted(map(tuple, flipped_sums(values)))
    assert np.allclose(found, expected)
    assert is_enumerated(n)


def test_many_pairs_are_flipped_by_fair_coins_the_same_in_every_column() -> None:
    found = flipped_sums(np.concatenate([np.eye(40), np.ones((40, 1))], axis=1), 4_000)
    assert found.shape == (4_000, 41)
    assert set(np.unique(found[:, :40])) == {-1.0, 1.0}
    assert np.abs(found[:, :40].mean(axis=0)).max() < 4 / math.sqrt(4_000)
    assert (found[:, :40].sum(axis=1) == found[:, 40]).all()
    together = np.corrcoef(found[:, :40].T) - np.eye(40)
    assert np.abs(together).max() < 5 / math.sqrt(4_000)


# --- Holm


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == pytest.approx([1.0, 1.0])
    assert holm([0.02, math.nan, 0.03])[[0, 2]] == pytest.approx([0.04, 0.04]), "an undefined arm is no test"
    assert holm([]).shape == (0,)
    with pytest.raises(UsageError, match="between 0 and 1"):
        holm([0.5, 1.5])


@given(P_VALUES, st.randoms(use_true_random=False))
@effort(100, 2000)
def test_holm_keeps_order_raises_every_p_value_and_does_not_mind_the_order_of_arms(
    given_p: list[float], chance: Any
) -> None:
    p = np.array(given_p)
    found = holm(p)
    tested = np.isfinite(p)
    assert (np.isfinite(found) == tested).all()
    assert (found[tested] >= p[tested]).all()
    assert (found[tested] <= np.minimum(p[tested] * tested.sum(), 1.0) + 1e-15).all(), "never worse than Bonferroni"
    order = np.argsort(p[tested], kind="stable")
    assert (np.diff(found[tested][order]) >= 0).all()
    shuffled = list(range(len(p)))
    chance.shuffle(shuffled)
    assert np.array_equal(holm(p[shuffled]), found[shuffled], equal_nan=True)


# --- max-T


def by_hand(table: F64) -> list[float]:
    """Step-down adjusted p values of a small table, by the book: all flips, Student's t, successive maxima."""
    arms, n = table.shape

    def sizes(rows: F64) -> F64:
        error = rows.std(axis=1, ddof=1) / math.sqrt(n)
        return np.asarray(np.abs(rows.mean(axis=1)) / error)

    found = sizes(table)
    flips = [sizes(table * np.array(s)) for s in itertools.product((1.0, -1.0), repeat=n)]
    order = np.argsort(-found)
    adjusted, highest = [0.0] * arms, 0.0
    for rank, arm in enumerate(order):
        reached = np.mean([f[order[rank:]].max() >= found[arm] - 1e-9 for f in flips])
        adjusted[arm] = highest = max(highest, float(reached))
    return adjusted


def test_max_t_by_hand() -> None:
    table = RANDOM.normal([[0.9], [0.5], [0.0]], 1.0, (3, 8))
    found = max_t(table)
    assert found.is_exact
    assert found.ways == 256
    assert found.adjusted == pytest.approx(by_hand(table))
    for arm in range(3):
        alone = scipy.stats.permutation_test(
            (table[arm],), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples", vectorized=True
        )
        assert found.p_values[arm] == pytest.approx(alone.pvalue)


def test_drawn_flips_come_near_to_all_of_them_and_count_the_data_themselves() -> None:
    table = RANDOM.normal([[0.8], [0.4], [0.0]], 1.0, (3, 12))
    exact, drawn = max_t(table), max_t(table, resamples=2_000)
    assert exact.is_exact
    assert not drawn.is_exact
    error = np.sqrt(exact.adjusted * (1 - exact.adjusted) / 2_000)
    assert (np.abs(drawn.adjusted - exact.adjusted) <= 4 * error + 1 / 2_001).all()
    sure = max_t(RANDOM.normal(20.0, 1.0, (2, 30)))
    assert sure.adjusted == pytest.approx([1e-4, 1e-4])
    assert sure.least == pytest.approx(1e-4)


def test_arms_that_move_together_cost_less_than_holm_takes() -> None:
    luck = np.random.default_rng(3).normal(0.45, 1.0, 25)
    table = luck + 0.05 * np.random.default_rng(4).normal(size=(8, 25))
    alone = np.array([effect_of(row).p_value for row in table])
    together = max_t(table).adjusted
    assert (together < 0.5 * holm(alone)).all()
    assert (together < 2.0 * alone.max()).all(), "eight copies are hardly more than one test"


@st.composite
def tables(draw: st.DrawFn) -> F64:
    arms, n = draw(st.integers(1, 5)), draw(st.integers(2, 9))
    values = st.sampled_from([0.0, 0.0, 1.0, -1.0, 0.5, 2.0]) | st.floats(-5, 5).map(lambda x: round(x, 3))
    rows = [draw(st.lists(values | st.just(math.nan), min_size=n, max_size=n)) for _ in range(arms)]
    return np.array(rows)


@given(tables(), st.randoms(use_true_random=False))
@effort(100, 2000)
def test_max_t_in_every_table_raises_p_values_keeps_zeros_and_does_not_mind_the_order(table: F64, chance: Any) -> None:
    found = max_t(table)
    tested = np.isfinite(table).sum(axis=1) >= 2
    for part in (found.p_values, found.adjusted, found.low, found.high):
        assert (np.isnan(part) == ~tested).all()
    assert found.size == tested.sum()
    p, adjusted = found.p_values[tested], found.adjusted[tested]
    assert (adjusted >= p).all()
    assert ((p > 0) & (adjusted <= 1)).all()
    for arm in np.flatnonzero(tested):
        row = table[arm][np.isfinite(table[arm])]
        assert found.low[arm] <= row.mean() + 1e-12
        assert found.high[arm] >= row.mean() - 1e-12
        if not row.any():
            assert (found.p_values[arm], found.adjusted[arm], found.low[arm], found.high[arm]) == (1.0, 1.0, 0.0, 0.0)
    shuffled = list(range(len(table)))
    chance.shuffle(shuffled)
    again = max_t(table[shuffled])
    assert again.adjusted == pytest.approx(found.adjusted[shuffled], nan_ok=True)
    assert again.low == pytest.approx(found.low[shuffled], nan_ok=True)
    without = max_t(table[tested])
    assert without.adjusted == pytest.approx(adjusted, nan_ok=True)


@pytest.mark.parametrize("n", [6, 11, 30, 31])
@pytest.mark.parametrize("value", [0.1, 0.7, -2.7])
def test_an_arm_that_moves_every_seed_by_the_same_has_the_least_p_value_and_no_width(n: int, value: float) -> None:
    found = max_t([[value] * n, [0.0] * n])
    assert found.p_values.tolist() == [pytest.approx(found.least), 1.0]
    assert (found.low[0], found.high[0]) == (value, value)


def test_five_seeds_are_too_few_for_any_family_and_six_are_not() -> None:
    table = RANDOM.normal(50.0, 1.0, (2, 6))
    five, six = max_t(table[:, :5]), max_t(table)
    assert (five.least, six.least) == (2 / 32, 2 / 64)
    assert not five.can_reject()
    assert six.can_reject()
    assert five.adjusted == pytest.approx([five.least] * 2)
    assert not max_t(np.full((2, 8), math.nan)).can_reject()


@pytest.mark.parametrize(("n", "confidence"), [(3, 0.95), (5, 0.95), (3, 0.8), (5, 0.99)])
def test_an_interval_of_seeds_too_few_is_no_narrower_than_bonferronis(n: int, confidence: float) -> None:
    table = RANDOM.normal(0.0, 1.0, (3, n))
    found = max_t(table, confidence=confidence)
    assert not found.can_reject(1.0 - confidence)
    for arm, row in enumerate(table):
        half = scipy.stats.t.ppf(1.0 - (1.0 - confidence) / 6, n - 1) * scipy.stats.sem(row)
        assert found.high[arm] - row.mean() >= half * (1 - 1e-12)
        assert row.mean() - found.low[arm] >= half * (1 - 1e-12)
    wider = max_t(table, confidence=0.995)
    assert (wider.high > found.high).all(), "more confidence takes a wider interval"


def test_few_differences_that_are_all_the_same_have_no_simultaneous_interval() -> None:
    found = max_t([[0.3, 0.3, 0.3], [0.0, 0.0, 0.0]])
    assert found.low.tolist() == [-math.inf, 0.0]
    assert found.high.tolist() == [math.inf, 0.0]


@pytest.mark.parametrize("n", [3, 4])
def test_intervals_of_few_seeds_cover_as_often_as_they_say(n: int) -> None:
    chance = np.random.default_rng(12)
    missed = sum(
        bool(((family.low > 0) | (family.high < 0)).any())
        for family in (max_t(chance.normal(size=(2, n))) for _ in range(600))
    )
    assert scipy.stats.binomtest(missed, 600).proportion_ci(0.99).low <= 0.05, missed


def test_simultaneous_intervals_of_one_arm_are_about_students_and_of_many_are_wider() -> None:
    table = np.random.default_rng(6).normal(0.2, 1.0, (6, 40))
    one, six = max_t(table[:1]), max_t(table)
    student = effect_of(table[0])
    assert one.high[0] - one.low[0] == pytest.approx(student.high - student.low, rel=0.05)
    ratio = (six.high[0] - six.low[0]) / (student.high - student.low)
    bonferroni = scipy.stats.t.ppf(1 - 0.025 / 6, 39) / scipy.stats.t.ppf(0.975, 39)
    assert 1.15 < ratio < 1.05 * bonferroni


def test_a_table_that_is_none_is_refused() -> None:
    for bad in ([1.0, 2.0], [[1.0], [1.0, 2.0]]):
        with pytest.raises(UsageError, match="a row for each arm"):
            max_t(bad)  # type: ignore[arg-type]


def errors_of(draw: Any, arms: int, n: int, studies: int) -> tuple[int, int, int]:
    """In studies without any effect: how many err by Holm, by max-T, and with an interval that leaves 0 out."""
    by_holm = by_max_t = missed = 0
    for _ in range(studies):
        base, treated = draw(n), draw((arms, n))
        alone = [paired_effect(row, base).p_value for row in treated]
        family: Family = max_t(treated - base)
        by_holm += bool(holm(alone).min() <= 0.05)
        by_max_t += bool(family.adjusted.min() <= 0.05)
        missed += bool(((family.low > 0) | (family.high < 0)).any())
    return by_holm, by_max_t, missed


@pytest.mark.parametrize("n", [8, 20])
def test_a_family_without_effects_errs_once_in_twenty_times(n: int) -> None:
    chance = np.random.default_rng(11)
    for errors in errors_of(lambda size: chance.normal(size=size), 5, n, 200):
        found = scipy.stats.binomtest(errors, 200).proportion_ci(method="wilson")
        assert found.low <= 0.05, errors
        assert found.high >= 0.03, "it is no use to be far more careful than one says"


# --- shares


@given(st.integers(1, 60), st.data())
@effort(60, 1000)
def test_a_share_has_wilsons_interval_and_the_exact_bound_at_its_ends(n: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, n))
    found = proportion(count, n)
    assert 0.0 <= found.low <= found.share <= found.high <= 1.0
    mirrored = proportion(n - count, n)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((found.low, found.high))
    if 0 < count < n:
        z, p = scipy.stats.norm.ppf(0.975), count / n
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        assert found.high - found.low == pytest.approx(2 * half)
    elif count == 0:
        assert (1 - found.high) ** n == pytest.approx(0.05), "so rare that none in n has a chance of 5 %"


def test_no_runs_have_no_share_and_impossible_counts_are_refused() -> None:
    assert math.isnan(proportion(0, 0).share)
    assert proportion(0, 100).high == pytest.approx(0.0295, abs=1e-4)
    with pytest.raises(UsageError, match="4 of 3"):
        proportion(4, 3)


# --- robustness


def hypercube(samples: int, k: int) -> F64:
    return np.asarray(scipy.stats.qmc.LatinHypercube(k, rng=np.random.default_rng(2)).random(samples))


def test_the_constants_that_move_an_effect_are_found_and_no_others() -> None:
    x = hypercube(120, 5)
    effect = np.exp(3 * x[:, 1]) - 6 * x[:, 3] + 0.5 * np.random.default_rng(9).normal(size=120)
    effect[:3] = math.nan
    found = rank_influences(x, effect, ["a", "b", "c", "d", "e"])
    assert {one.name for one in found[:2]} == {"b", "d"}
    signs = {one.name: np.sign(one.rank_correlation) for one in found[:2]}
    assert signs == {"b": 1, "d": -1}
    assert all(one.adjusted < 0.001 for one in found[:2])
    assert all(one.adjusted > 0.05 for one in found[2:])
    sizes = [abs(one.rank_correlation) for one in found]
    assert sizes == sorted(sizes, reverse=True)


def test_a_partial_rank_correlation_is_that_of_residuals() -> None:
    x = hypercube(50, 3)
    y = x[:, 0] + 0.5 * x[:, 1] + 0.3 * np.random.default_rng(3).normal(size=50)
    ranks = np.column_stack([scipy.stats.rankdata(column) for column in (*x.T, y)])
    inverse = np.linalg.inv(np.corrcoef(ranks.T))
    for place, one in enumerate(sorted(rank_influences(x, y, ["a", "b", "c"]), key=lambda one: one.name)):
        expected = -inverse[place, 3] / math.sqrt(inverse[place, place] * inverse[3, 3])
        assert one.rank_correlation == pytest.approx(expected)
        t = expected * math.sqrt(46 / (1 - expected**2))
        assert one.p_value == pytest.approx(2 * scipy.stats.t.sf(abs(t), 46))


def test_constants_and_effects_that_do_not_vary_have_no_influence() -> None:
    x = hypercube(30, 3)
    x[:, 2] = 1.0
    flat = rank_influences(x, np.ones(30), ["a", "b", "c"])
    assert [(one.rank_correlation, one.p_value, one.adjusted) for one in flat[:2]] == [(0.0, 1.0, 1.0)] * 2
    assert math.isnan(flat[2].rank_correlation)
    assert math.isnan(flat[2].adjusted)
    with pytest.raises(UsageError, match="at least 6 economies"):
        rank_influences(x[:5], np.arange(5.0), ["a", "b", "c"])
    with pytest.raises(UsageError, match="a row for each sample"):
        rank_influences(x, np.ones(30), ["a", "b"])


def test_a_sign_that_holds_is_counted_and_no_effect_has_no_sign() -> None:
    found = sign_share([-1.0, -0.5, 0.0, 2.0, math.nan], -1)
    assert (found.count, found.n) == (2, 4)
    assert sign_share([-1.0] * 59, -1).low == pytest.approx(0.05 ** (1 / 59))
    with pytest.raises(UsageError, match="above or below 0"):
        sign_share([1.0], 0)


# --- two outcomes at once


def test_the_chance_to_be_better_on_both_is_the_normal_one() -> None:
    n = 50
    one, two = np.random.default_rng(12).normal(size=(2, n))
    one, two = one - one.mean() - 0.1, two - two.mean() + 0.2
    found = pareto_dominance(one, two)
    corner = scipy.stats.multivariate_normal([0.1, 0.2], np.cov(-one, two) * (n - 1) / n**2)
    assert found.both == pytest.approx(corner.cdf([math.inf, math.inf], lower_limit=[0.0, 0.0]), abs=0.02)
    assert found.correlation == pytest.approx(np.corrcoef(one, two)[0, 1])
    assert found.both + found.neither + found.first_only + found.second_only + found.same == pytest.approx(1.0)
    turned = pareto_dominance(one, two, better=("higher", "lower"))
    assert (turned.both, turned.first_only) == (found.neither, found.second_only)


def test_a_price_paid_is_told_from_dominance() -> None:
    price = pareto_dominance(np.full(9, -1.0), np.full(9, -1.0))
    assert (price.first_only, price.both) == (1.0, 0.0)
    free = pareto_dominance(np.full(9, -1.0), np.zeros(9))
    assert free.both == 1.0, "better on one and as good on the other"
    nothing = pareto_dominance(np.zeros(9), np.zeros(9))
    assert nothing.same == 1.0
    assert math.isnan(nothing.correlation)
    assert math.isnan(pareto_dominance([1.0, math.nan], [1.0, 1.0]).both)
    with pytest.raises(UsageError, match="Did you mean lower"):
        pareto_dominance([1.0, 2.0], [1.0, 2.0], better=("lowr", "higher"))
    with pytest.raises(UsageError, match="as many differences"):
        pareto_dominance([1.0, 2.0], [1.0])
