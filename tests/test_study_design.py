"""How many seeds, what counts as no effect, verdicts in words, and trends over doses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mesocosm.analysis.dose_response import Flip, dose_response
from mesocosm.analysis.equivalence import Expectation, VerdictKind, equivalence, verdict_of
from mesocosm.analysis.multiplicity import holm, max_t
from mesocosm.analysis.power import (
    detectable_effect,
    plan_seeds,
    power_of,
    sd_upper_bound,
    seeds_needed,
    seeds_to_decide,
)
from mesocosm.analysis.statistics import PairedEffect, paired_effect
from mesocosm.errors import UsageError
from scenario_strategy import effort


def made(change: float, error: float, n: int = 20) -> PairedEffect:
    """The effect of n differences with this mean and this standard error."""
    values = np.resize([-1.0, 1.0], n)
    values = (
        change + (values - values.mean()) / np.std(values, ddof=1) * error * math.sqrt(n)
        if error
        else values * 0.0 + change
    )
    return paired_effect(values, np.zeros(n))


# --- power


@pytest.mark.parametrize(
    ("sd", "effect", "alpha", "power", "n"),
    [
        (1.0, 0.2, 0.05, 0.8, 199),  # Cohen's small, medium and large effects, paired, two-sided
        (1.0, 0.5, 0.05, 0.8, 34),
        (1.0, 0.8, 0.05, 0.8, 15),
        (1.0, 0.5, 0.05, 0.95, 54),
        (1.0, 0.5, 0.01, 0.8, 51),
        (0.05, 0.02, 0.05, 0.8, 52),
        (0.0, 0.1, 0.05, 0.8, 2),
    ],
)
def test_seeds_needed_are_those_of_the_tables(sd: float, effect: float, alpha: float, power: float, n: int) -> None:
    assert seeds_needed(sd, effect, alpha=alpha, power=power) == n
    assert seeds_needed(sd, -effect, alpha=alpha, power=power) == n


def test_a_family_is_planned_with_a_share_of_alpha_each() -> None:
    assert seeds_needed(1.0, 0.5, family=5) == seeds_needed(1.0, 0.5, alpha=0.01)
    assert seeds_to_decide(1.0, 0.5, family=5) == seeds_to_decide(1.0, 0.5, alpha=0.01)
    assert detectable_effect(20, 1.0, family=5) == pytest.approx(detectable_effect(20, 1.0, alpha=0.01))


@given(st.integers(2, 200), st.floats(0.05, 3.0), st.sampled_from([0.001, 0.01, 0.05, 0.2]))
@effort(80, 2000)
def test_power_grows_with_seeds_and_effects_from_alpha_to_one(n: int, effect: float, alpha: float) -> None:
    power = power_of(n, 1.0, effect, alpha)
    assert alpha - 1e-9 <= power <= 1.0
    assert power_of(n + 1, 1.0, effect, alpha) >= power - 1e-9
    assert power_of(n, 1.0, 1.1 * effect, alpha) >= power - 1e-9
    assert power_of(n, 2.0, 2.0 * effect, alpha) == pytest.approx(power)
    assert power_of(n, 1.0, 0.0, alpha) == pytest.approx(alpha)


def test_power_is_the_share_of_studies_that_find_the_effect() -> None:
    studies = np.random.default_rng(4).normal(0.6, 1.0, (4000, 18))
    found = int((scipy.stats.ttest_1samp(studies, 0.0, axis=1).pvalue < 0.05).sum())
    low, high = scipy.stats.binomtest(found, 4000).proportion_ci(0.99)
    assert low <= power_of(18, 1.0, 0.6) <= high


@given(st.floats(0.1, 2.0), st.sampled_from([0.5, 0.8, 0.95]), st.integers(1, 12))
@effort(40, 500)
def test_seeds_needed_is_the_fewest_and_fits_the_detectable_effect(effect: float, power: float, family: int) -> None:
    n = seeds_needed(1.0, effect, power=power, family=family)
    assert power_of(n, 1.0, effect, 0.05 / family) >= power
    assert n == 2 or power_of(n - 1, 1.0, effect, 0.05 / family) < power
    least = detectable_effect(n, 1.0, power=power, family=family)
    assert least <= effect * (1 + 1e-9)
    assert power_of(n, 1.0, least, 0.05 / family) == pytest.approx(power, abs=1e-6)


def test_power_that_cannot_be_asked_for_is_refused() -> None:
    assert power_of(1, 1.0, 5.0) == 0.0
    assert (power_of(9, 0.0, 0.1), power_of(9, 0.0, 0.0)) == (1.0, 0.0)
    assert power_of(1000, 1.0, 50.0) == 1.0
    assert detectable_effect(9, 0.0) == 0.0
    assert math.isnan(detectable_effect(1, 1.0))
    for call, told in (
        (lambda: seeds_needed(1.0, 0.0), "smallest effect must be a number above 0"),
        (lambda: seeds_needed(-1.0, 0.5), "sd must be a number of 0 or more"),
        (lambda: seeds_needed(math.nan, 0.5), "sd must be"),
        (lambda: seeds_needed(1.0, 0.5, power=1.0), "power lies between 0 and 1"),
        (lambda: seeds_needed(1.0, 0.5, family=0), "at least one arm"),
        (lambda: seeds_needed(1.0, 1e-9), "drowns in the spread"),
        (lambda: plan_seeds([0.1, math.nan], 0.1), "this one has 1"),
    ):
        with pytest.raises(UsageError, match=told):
            call()


def test_a_small_pilot_is_not_believed() -> None:
    pilot = np.random.default_rng(2).normal(0.3, 1.0, 10)
    plan = plan_seeds([*pilot, math.nan], 0.4, family=3)
    assert plan.pilot == 10
    assert plan.sd == pytest.approx(pilot.std(ddof=1))
    assert plan.sd_upper == pytest.approx(plan.sd * math.sqrt(9 / scipy.stats.chi2.ppf(0.2, 9)))
    assert plan.seeds == seeds_needed(plan.sd, 0.4, family=3)
    assert plan.seeds_cautious == seeds_needed(plan.sd_upper, 0.4, family=3)
    assert plan.seeds_cautious > 1.4 * plan.seeds
    assert plan_seeds([0.2] * 5, 0.1).seeds_cautious == 2


def test_the_upper_bound_on_the_spread_is_above_it_as_often_as_it_says() -> None:
    pilots = np.random.default_rng(3).normal(size=(4000, 8)).std(axis=1, ddof=1)
    above = sum(sd_upper_bound(sd, 8, 0.8) >= 1.0 for sd in pilots)
    low, high = scipy.stats.binomtest(above, 4000).proportion_ci(0.99)
    assert low <= 0.8 <= high
    assert math.isnan(sd_upper_bound(1.0, 1))


@given(st.floats(0.2, 3.0), st.floats(-2.0, 2.0))
@effort(60, 1000)
def test_with_seeds_to_decide_nothing_stays_undecided(margin: float, change: float) -> None:
    n = seeds_to_decide(1.0, margin)
    assert verdict_of(made(change, 1.0 / math.sqrt(n), n), margin * (1 + 1e-9)).kind is not VerdictKind.UNDECIDED


# --- equivalence


def test_tost_by_hand() -> None:
    effect = made(0.1, 0.05, 21)
    found = equivalence(effect, 0.2)
    assert found.p_value == pytest.approx(scipy.stats.t.sf(2.0, 20))
    assert found.is_shown
    half = scipy.stats.t.ppf(0.95, 20) * 0.05
    assert (found.low, found.high) == pytest.approx((0.1 - half, 0.1 + half))
    both = [
        scipy.stats.ttest_1samp(np.resize([-1.0, 1.0], 20) * 0.1 + 0.03, at, alternative=side).pvalue
        for at, side in ((-0.06, "greater"), (0.06, "less"))
    ]
    values = np.resize([-1.0, 1.0], 20) * 0.1 + 0.03
    assert equivalence(paired_effect(values, 0 * values), 0.06).p_value == pytest.approx(max(both))


@given(st.floats(-1, 1), st.floats(0.001, 0.5), st.floats(0.01, 1), st.sampled_from([0.01, 0.05, 0.1]))
@effort(100, 2000)
def test_equivalence_is_shown_exactly_where_its_interval_lies_within_the_margin(
    change: float, error: float, margin: float, alpha: float
) -> None:
    found = equivalence(made(change, error), margin, alpha)
    inside = min(found.low + margin, margin - found.high)
    if abs(inside) > 1e-9:
        assert found.is_shown == (inside > 0)
    assert equivalence(made(-change, error), margin, alpha).p_value == pytest.approx(found.p_value, abs=1e-9)
    assert equivalence(made(change, error), 1.5 * margin, alpha).p_value <= found.p_value


def test_equivalence_without_spread_without_pairs_and_without_margin() -> None:
    assert equivalence(made(0.0, 0.0), 1e-9).p_value == 0.0
    assert equivalence(made(0.5, 0.0), 0.5).p_value == 1.0, "as large as the margin is not smaller than it"
    none = equivalence(paired_effect([1.0], [0.0]), 0.1)
    assert math.isnan(none.p_value)
    assert not none.is_shown
    with pytest.raises(UsageError, match="above 0"):
        equivalence(made(0.0, 0.1), 0.0)
    with pytest.raises(UsageError, match=r"between 0 and 0\.5"):
        equivalence(made(0.0, 0.1), 0.1, alpha=0.5)


# --- verdicts: a smallest effect of 0.1, twenty seeds


@pytest.mark.parametrize(
    ("change", "error", "kind", "words"),
    [
        (-0.3, 0.05, "matters", "falls by more than 0.1, the smallest effect of interest"),
        (0.3, 0.05, "matters", "rises by more than 0.1, the smallest effect of interest"),
        (0.15, 0.05, "real", "rises, but maybe by less than 0.1, which matters"),
        (-0.05, 0.01, "small", "falls, but by less than 0.1: real, and too small to matter"),
        (0.06, 0.02, "small", "rises, but by less than 0.1: real, and too small to matter"),  # TOST decides, not 0.102
        (0.005, 0.02, "none", "does not change by as much as 0.1: no effect that matters"),
        (0.05, 0.05, "undecided", "may or may not change: undecided; about 80 fresh seeds would tell"),
        (0.0, 0.0, "exactly zero", "does not change at all: exactly 0 in every pair"),
    ],
)
def test_a_verdict_for_every_place_of_the_interval(change: float, error: float, kind: str, words: str) -> None:
    found = verdict_of(made(change, error), 0.1)
    assert (found.kind, found.words) == (kind, words)
    assert found.expectation is Expectation.NOT_STATED


def test_an_undefined_effect_has_no_verdict() -> None:
    for effect in (paired_effect([], []), paired_effect([math.nan, 1.0], [1.0, 0.0])):
        found = verdict_of(effect, 0.1, "rises")
        assert found.kind is VerdictKind.UNDEFINED
        assert found.words == "is undefined: fewer than two pairs have a value (expectation open)"


def test_without_a_smallest_effect_only_the_sign_is_judged() -> None:
    assert verdict_of(made(-0.3, 0.05)).words == "falls"
    undecided = verdict_of(made(0.0, 0.05))
    assert undecided.fresh_seeds is None
    assert undecided.words.endswith("undecided, and without a smallest effect of interest it stays so")


@pytest.mark.parametrize(
    ("expected", "change", "error", "stands"),
    [
        ("falls", -0.3, 0.05, "as expected"),
        ("falls", -0.15, 0.05, "as expected"),
        ("falls", 0.3, 0.05, "against expectation"),
        ("falls", 0.05, 0.01, "against expectation"),
        ("falls", -0.05, 0.01, "smaller than expected"),
        ("falls", 0.005, 0.02, "against expectation"),
        ("rises", 0.0, 0.0, "against expectation"),
        ("rises", 0.05, 0.05, "expectation open"),
        ("unchanged", 0.0, 0.0, "as expected"),
        ("unchanged", 0.005, 0.02, "as expected"),
        ("unchanged", 0.05, 0.01, "as expected"),
        ("unchanged", 0.15, 0.05, "expectation open"),
        ("unchanged", 0.3, 0.05, "against expectation"),
    ],
)
def test_a_finding_is_held_against_what_was_expected(expected: str, change: float, error: float, stands: str) -> None:
    found = verdict_of(made(change, error), 0.1, expected)
    assert found.expectation == stands
    assert found.words.endswith(f"({stands})")


def test_an_arm_of_a_family_is_judged_by_the_familys_numbers() -> None:
    effect = made(0.25, 0.1)
    assert effect.excludes_zero
    adjusted = float(holm([effect.p_value, 0.04, 0.6, 0.7])[0])
    assert verdict_of(effect, 0.1, adjusted=adjusted, family=4).kind is VerdictKind.UNDECIDED
    assert verdict_of(effect, 0.1, family=4).kind is VerdictKind.UNDECIDED, "Bonferroni's interval holds 0"
    big = made(0.22, 0.05)
    assert verdict_of(big, 0.1).kind is VerdictKind.MATTERS
    assert verdict_of(big, 0.1, adjusted=0.001, family=4).kind is VerdictKind.REAL
    assert verdict_of(big, 0.1, adjusted=0.001, interval=(0.12, 0.32)).kind is VerdictKind.MATTERS
    none = made(0.01, 0.045)
    assert verdict_of(none, 0.1).kind is VerdictKind.NONE
    assert verdict_of(none, 0.1, family=4).kind is VerdictKind.UNDECIDED, "no effect is shown at alpha / family, too"
    more = [verdict_of(made(0.05, 0.05), 0.1, family=size).fresh_seeds or 0 for size in (1, 4)]
    assert more[1] > more[0]


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.3), st.sampled_from([1, 5]), st.sampled_from([None, 0.1]))
@effort(150, 3000)
def test_verdicts_mirror_and_never_contradict_their_interval(
    change: float, error: float, family: int, least: float | None
) -> None:
    effect = made(change, error)
    found, mirrored = (verdict_of(made(sign * change, error), least, family=family) for sign in (1, -1))
    assert found.kind is mirrored.kind
    if found.direction:
        assert {found.direction, mirrored.direction} == {"rises", "falls"}
        assert effect.excludes_zero
    if found.kind is VerdictKind.MATTERS:
        assert min(abs(effect.low), abs(effect.high)) > 0.1
    if found.kind in (VerdictKind.SMALL, VerdictKind.NONE):
        assert abs(change) < 0.1
    assert (found.fresh_seeds is not None) == (found.kind is VerdictKind.UNDECIDED and least is not None)
    assert len(f"True social welfare {found.words}.") <= 160


def test_without_seeds_enough_to_tell_anything_no_effect_is_not_shown_either() -> None:
    few = made(0.001, 0.0001, n=4)
    assert verdict_of(few, 0.1, "falls", adjusted=0.125, interval=(-0.1, 0.1)).kind is VerdictKind.NONE
    found = verdict_of(few, 0.1, "falls", adjusted=0.125, interval=(-0.1, 0.1), can_tell=False)
    assert (found.kind, found.expectation) == (VerdictKind.UNDECIDED, Expectation.OPEN)
    assert found.fresh_seeds == 6, "fewer could tell nothing either"
    real = verdict_of(few, 0.1, None, can_tell=False)
    assert (real.kind, real.direction) == (VerdictKind.UNDECIDED, "")


def test_another_expectation_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean rises"):
        verdict_of(made(0.1, 0.1), 0.1, "rise")


# --- dose and response

DOSES = [0.0, 0.1, 0.2, 0.4, 0.8]


def curve(shape: Any, noise: float, n: int = 25) -> Any:
    table = np.array([[shape(dose)] * n for dose in DOSES]) + noise * np.random.default_rng(1).normal(size=(5, n))
    return table - table[0]


def test_a_trend_is_found_in_either_direction_and_does_not_mind_the_order_of_doses() -> None:
    rising = dose_response(DOSES, curve(math.sqrt, 0.2))
    assert rising.trend.low > 0.5
    assert rising.p_value == pytest.approx(1e-4)
    assert rising.slope.low > 0
    assert rising.flips == ()
    assert not rising.has_few_doses
    falling = dose_response(DOSES, -curve(math.sqrt, 0.2))
    assert falling.trend.change == pytest.approx(-rising.trend.change)
    order = [3, 0, 4, 1, 2]
    again = dose_response(np.array(DOSES)[order], curve(math.sqrt, 0.2)[order])
    assert again == rising


def test_trend_and_slope_are_scipys_seed_by_seed() -> None:
    table = curve(lambda dose: dose, 0.5)
    table[2, 3] = math.nan
    found = dose_response(DOSES, table)
    kept = [np.isfinite(column) for column in table.T]
    pairs = [(np.array(DOSES)[keep], column[keep]) for keep, column in zip(kept, table.T, strict=True)]
    trends = [scipy.stats.spearmanr(*pair).statistic for pair in pairs]
    slopes = [scipy.stats.linregress(*pair).slope for pair in pairs]
    assert found.trend.change == pytest.approx(np.mean(trends))
    assert found.slope.change == pytest.approx(np.mean(slopes))
    assert found.slope.low == pytest.approx(scipy.stats.ttest_1samp(slopes, 0).confidence_interval().low)
    assert found.p_value == float(max_t([trends]).p_values[0])
    assert found.curve[2] == paired_effect(table[2], np.zeros(25))


def test_an_outcome_that_does_not_move_has_no_trend_and_undefined_seeds_count_for_nothing() -> None:
    still = dose_response(DOSES, np.zeros((5, 8)))
    assert still.trend.is_exactly_zero
    assert still.slope.is_exactly_zero
    assert still.p_value == 1.0
    table = np.zeros((5, 8))
    table[2:, :6] = math.nan
    table[2:, 5] = [math.nan, math.nan, 1.0]
    found = dose_response(DOSES, table)
    assert (found.trend.n, found.trend.undefined) == (3, 5)


def test_chance_alone_has_a_trend_once_in_twenty_times() -> None:
    tables = np.random.default_rng(8).normal(size=(200, 5, 12))
    errors = sum(dose_response(DOSES, table).p_value <= 0.05 for table in tables)
    found = scipy.stats.binomtest(errors, 200).proportion_ci(method="wilson")
    assert found.low <= 0.05 <= found.high


def test_a_sign_that_flips_is_bracketed_by_doses_that_are_clear() -> None:
    found = dose_response(DOSES, curve(lambda dose: 4 * dose * (0.5 - dose), 0.05))
    assert found.flips == (Flip(0.4, 0.8, rises_first=True),)
    unclear = dose_response(DOSES, curve(lambda dose: {0.1: -1.0, 0.2: -0.02, 0.4: 0.0, 0.8: 1.0}.get(dose, 0.0), 0.3))
    assert unclear.flips == (Flip(0.1, 0.8, rises_first=False),)
    assert dose_response(DOSES, curve(lambda dose: 0.05 * (dose - 0.4), 1.0)).flips == ()


@pytest.mark.parametrize(
    ("doses", "table", "told"),
    [
        ([0, 1], [[0, 0], [1, 1]], "at least 3 doses"),
        ([0, 1, 1], [[0, 0], [1, 1], [1, 2]], "2 different ones"),
        ([0, 1, 2], [[0, 0], [1, 1]], "a row for each dose"),
        ([0, 1, math.nan], [[0, 0], [1, 1], [2, 2]], "every dose is a number"),
    ],
)
def test_a_trend_over_too_few_doses_is_refused(doses: list[float], table: list[list[float]], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        dose_response(doses, table)
    assert dose_response([0, 1, 2], [[0, 0], [1, 1], [2, 2]]).has_few_doses
