"""Calibration and incoherence: known values, the figures of the notes, and score equations that must hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesocosm.measures.calibration import (
    brier_score,
    calibration_error,
    calibration_error_by_chance,
    equal_mass_bins,
    murphy,
    recalibrated,
)
from mesocosm.measures.incoherence import replay_error, replay_variance, variance_share
from scenario_strategy import effort

PROBABILITY = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.8, 1.0]) | st.floats(0.0, 1.0, allow_subnormal=False)
FORECASTS = st.lists(st.tuples(PROBABILITY, st.booleans()), min_size=1, max_size=60)


def columns(forecasts: list[tuple[float, bool]]) -> tuple[Any, Any, Any]:
    p, good = np.array([p for p, _ in forecasts]), np.array([good for _, good in forecasts])
    return p, good, np.zeros(len(forecasts), dtype=np.int64)


def slow_calibration_error(forecasts: list[tuple[float, bool]], n_bins: int = 10) -> float:
    ordered = sorted(forecasts, key=lambda pair: pair[0])  # stable: ties stay in order
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(n_bins)]
    for rank, pair in enumerate(ordered):
        bins[rank * n_bins // len(ordered)].append(pair)
    return sum(abs(sum(p - good for p, good in each)) for each in bins) / len(ordered)


@given(FORECASTS)
@effort(80, 3000)
def test_calibration_error_is_what_a_slow_loop_finds(forecasts: Any) -> None:
    p, good, group = columns(forecasts)
    found = float(calibration_error(p, good, group, 1)[0])
    assert found == pytest.approx(slow_calibration_error(forecasts), abs=1e-12)
    assert 0.0 <= found <= 1.0


@given(FORECASTS)
@effort(80, 3000)
def test_bins_hold_equally_many_rows_or_one_more_and_rise_with_p(forecasts: Any) -> None:
    p, _, group = columns(forecasts)
    cell = equal_mass_bins(p, group, 1)
    size = np.bincount(cell, minlength=10)
    assert size.max() - size.min() <= 1
    assert all(p[cell == low].max() <= p[cell == low + 1].min() for low in range(9) if size[low] and size[low + 1])


@pytest.mark.parametrize(("n", "mean", "upper"), [(100, 0.100, 0.140), (300, 0.057, 0.080), (1000, 0.031, 0.044)])
def test_the_null_of_the_calibration_error_is_that_of_the_notes(n: int, mean: float, upper: float) -> None:
    rng, runs = np.random.default_rng(n), 1500
    p = rng.random(runs * n)
    group = np.repeat(np.arange(runs), n)
    error = calibration_error(p, rng.random(runs * n) < p, group, runs)
    expected, limit = calibration_error_by_chance(p, group, runs)
    assert error.mean() == pytest.approx(mean, abs=0.0015)
    assert expected.mean() == pytest.approx(mean, abs=0.001)
    assert limit.mean() == pytest.approx(upper, abs=0.0015)
    assert 0.03 < (error > limit).mean() < 0.09
    assert error.mean() == pytest.approx(expected.mean(), rel=0.02)


def test_the_null_of_a_large_run_is_that_of_the_notes_too() -> None:
    p = np.random.default_rng(0).random(10_000)
    mean, upper = calibration_error_by_chance(p, np.zeros(10_000, dtype=np.int64), 1)
    assert float(mean[0]) == pytest.approx(0.0098, abs=0.0003)
    assert float(upper[0]) == pytest.approx(0.014, abs=0.0003)


@given(FORECASTS)
@effort(60, 2000)
def test_the_parts_of_the_brier_score_add_up_to_it(forecasts: Any) -> None:
    p, good, group = columns(forecasts)
    reliability, resolution, uncertainty, rest = (float(part[0]) for part in murphy(p, good, group, 1))
    whole = float(brier_score(p, good, group, 1)[0])
    assert whole == pytest.approx(sum((x - y) ** 2 for x, y in zip(p, good, strict=True)) / len(p), abs=1e-12)
    assert reliability - resolution + uncertainty + rest == pytest.approx(whole, abs=1e-12)
    assert min(reliability, resolution, uncertainty) >= 0.0


def test_the_brier_score_of_forecasts_that_take_few_values_has_no_rest() -> None:
    p = np.repeat([0.2, 0.7], 50)
    good = np.r_[np.arange(50) < 15, np.arange(50) < 30]
    reliability, resolution, uncertainty, rest = murphy(p, good, np.zeros(100, dtype=np.int64), 1, 2)
    assert float(rest[0]) == pytest.approx(0.0, abs=1e-15)
    assert float(reliability[0]) == pytest.approx((0.1**2 + 0.1**2) / 2)
    assert float(resolution[0]) == pytest.approx(0.15**2)
    assert float(uncertainty[0]) == pytest.approx(0.45 * 0.55)


# --- recalibration


def logit(p: Any) -> Any:
    return np.log(p / (1 - p))


@given(
    st.lists(st.tuples(st.floats(0.02, 0.98), st.booleans()), min_size=2, max_size=40),
    st.floats(-3.0, 3.0),
)
@effort(120, 5000)
def test_the_fit_satisfies_its_score_equations_or_says_that_there_is_none(forecasts: Any, shift: float) -> None:
    p, good, group = columns(forecasts)
    p = 1 / (1 + np.exp(-(logit(p) + shift)))
    x = logit(p)
    intercept, slope = (float(part[0]) for part in recalibrated(p, good, group, 1))
    parted = not good.any() or good.all() or x[good].min() >= x[~good].max() or x[~good].min() >= x[good].max()
    if math.isnan(slope):
        assert math.isnan(intercept)
        assert parted
        return
    assert not parted
    missed = good - 1 / (1 + np.exp(-(intercept + slope * x)))
    assert abs(missed.sum()) < 1e-7 * len(x)
    assert abs((missed * (x - x.mean())).sum()) < 1e-7 * len(x)


def test_two_values_of_p_are_fitted_exactly() -> None:
    p = np.repeat([0.3, 0.8], [40, 60])
    good = np.r_[np.arange(40) < 8, np.arange(60) < 50]
    intercept, slope = recalibrated(p, good, np.zeros(100, dtype=np.int64), 1)
    expected = (logit(50 / 60) - logit(0.2)) / (logit(0.8) - logit(0.3))
    assert float(slope[0]) == pytest.approx(expected, rel=1e-12)
    assert float(intercept[0]) == pytest.approx(logit(0.2) - expected * logit(0.3), rel=1e-12)


def test_a_steep_fit_is_reached_too() -> None:
    p = np.array([0.5 - 1e-6, 0.5, 0.5 + 1e-6, 0.5 + 2e-6] * 50)
    good = np.r_[np.zeros(150, dtype=bool), np.ones(50, dtype=bool)]
    good[[0, 1, 2, 3]] = True
    assert not np.isnan(recalibrated(p, good, np.zeros(200, dtype=np.int64), 1)[1][0])
    almost = np.r_[np.linspace(0.1, 0.4, 500), np.linspace(0.39, 0.9, 500)]
    outcome = np.r_[np.zeros(500, dtype=bool), np.ones(500, dtype=bool)]
    intercept, slope = recalibrated(almost, outcome, np.zeros(1000, dtype=np.int64), 1)
    x = logit(almost)
    assert abs((outcome - 1 / (1 + np.exp(-(intercept[0] + slope[0] * x)))).sum()) < 1e-6


def test_right_forecasts_have_slope_one_and_intercept_nought() -> None:
    rng = np.random.default_rng(5)
    p = rng.random(200_000)
    intercept, slope = recalibrated(p, rng.random(200_000) < p, np.zeros(200_000, dtype=np.int64), 1)
    assert float(intercept[0]) == pytest.approx(0.0, abs=0.02)
    assert float(slope[0]) == pytest.approx(1.0, abs=0.02)
    timid = 1 / (1 + np.exp(-0.5 * logit(p)))
    assert float(recalibrated(timid, rng.random(200_000) < p, np.zeros(200_000, dtype=np.int64), 1)[1][0]) > 1.9


def test_a_group_has_the_bits_it_has_alone() -> None:
    rng = np.random.default_rng(6)
    p, good, group = rng.random(300), rng.random(300) < 0.5, np.repeat(np.arange(6), 50)
    p[group == 1] = 0.4  # one group has no fit at all, another is nearly parted
    good[group == 2] = p[group == 2] > 0.5
    flipped = np.flatnonzero(group == 2)[:1]
    good[flipped] = ~good[flipped]
    together = (*recalibrated(p, good, group, 6), calibration_error(p, good, group, 6))
    for one in range(6):
        mine = group == one
        nowhere = np.zeros(50, dtype=np.int64)
        alone = (*recalibrated(p[mine], good[mine], nowhere, 1), calibration_error(p[mine], good[mine], nowhere, 1))
        for many, single in zip(together, alone, strict=True):
            assert many[one : one + 1].tobytes() == single.tobytes()


def test_nothing_to_look_at_is_undefined() -> None:
    nothing, nobody = np.zeros(0), np.zeros(0, dtype=np.int64)
    parts = [
        brier_score(nothing, nothing, nobody, 2),
        calibration_error(nothing, nothing, nobody, 2),
        *calibration_error_by_chance(nothing, nobody, 2),
        *recalibrated(nothing, nothing, nobody, 2),
    ]
    assert all(np.isnan(part).all() and part.shape == (2,) for part in parts)


# --- incoherence


@pytest.mark.parametrize(("right", "share"), [(0.6, 0.6), (0.4, 0.4), (0.999, 0.999)])
def test_the_variance_share_of_one_decision_is_that_of_the_notes(right: float, share: float) -> None:
    """With many replays of a decision that is right with some chance, the share is that chance."""
    of = 1_000_000
    yes = round(right * of)
    found = variance_share(replay_variance([yes], [of]), replay_error([yes], [of], [1]))
    assert float(found[0]) == pytest.approx(share, abs=1e-5)


@given(st.integers(2, 12), st.data())
@effort(60, 2000)
def test_variance_and_squared_bias_make_up_the_error(of: int, data: Any) -> None:
    """Over all replays, the estimates satisfy E||X - b||^2 = 2 E for one-hot actions, bias included."""
    yes = data.draw(st.integers(0, of))
    v = data.draw(st.sampled_from([1, -1]))
    share, aim = yes / of, 1.0 if v > 0 else 0.0
    variance, error = float(replay_variance([yes], [of])[0]), float(replay_error([yes], [of], [v])[0])
    assert error == pytest.approx(abs(share - aim))
    biased = 2 * share * (1 - share)
    assert variance == pytest.approx(biased * of / (of - 1))
    assert 2 * error - biased == pytest.approx(2 * (share - aim) ** 2)


def test_the_variance_estimate_is_unbiased() -> None:
    rng = np.random.default_rng(3)
    yes = rng.binomial(4, 0.3, 400_000)
    assert replay_variance(yes, np.full(400_000, 4)).mean() == pytest.approx(2 * 0.3 * 0.7, abs=0.002)


def test_what_was_never_wrong_or_replayed_once_has_no_share() -> None:
    assert np.isnan(variance_share(replay_variance([4], [4]), replay_error([4], [4], [1]))).all()
    assert np.isnan(replay_variance([1], [1])).all()
