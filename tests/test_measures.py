"""Measures shared by levers and metrics: identities, known values, and what they refuse to say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesocosm.measures.inequality import gini, largest_share
from mesocosm.measures.moments import moments_by, ratio
from mesocosm.measures.selection import (
    acceptance_gap,
    adverse_spread,
    loss_from_gap,
    selection_effect,
    spread_from_gap,
    toxicity_from_gap,
)
from mesocosm.measures.toxicity import harm_per_proposal, mean_harm
from mesocosm.measures.windows import window_mean

PROBABILITY = st.floats(0.0, 1.0, allow_subnormal=False)
DEALS = st.lists(st.tuples(PROBABILITY, st.booleans()), min_size=1, max_size=60)


def columns(deals: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One group's proxy and decision as columns."""
    return (
        np.zeros(len(deals), dtype=np.int64),
        np.array([accepted for _, accepted in deals]),
        np.array([p for p, _ in deals]),
    )


@settings(deadline=None, max_examples=150)
@given(DEALS, st.floats(0.1, 5.0), st.floats(0.1, 5.0), st.floats(0.0, 1.0))
def test_toxicity_spread_and_conditional_loss_follow_from_the_quality_gap(
    deals: Any, s_plus: Any, s_minus: Any, theta: Any
) -> None:
    group, accepted, p = columns(deals)
    proxy = moments_by(group, accepted, p, 1)
    payoff = moments_by(group, accepted, theta * (p * s_plus - (1 - p) * s_minus), 1)
    beta, gap = proxy.share_rejected, acceptance_gap(proxy)
    if accepted.all() or not accepted.any():
        assert np.isnan(gap).all()
        return
    size = s_plus + s_minus
    np.testing.assert_allclose(mean_harm(proxy), toxicity_from_gap(proxy.mean, beta, gap), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        adverse_spread(proxy, s_plus, s_minus), spread_from_gap(beta, gap, s_plus, s_minus), rtol=0, atol=1e-12 * size
    )
    np.testing.assert_allclose(
        selection_effect(payoff), loss_from_gap(beta, gap, s_plus, s_minus, theta), rtol=0, atol=1e-12 * size
    )


def test_means_over_nothing_are_undefined_and_not_zero() -> None:
    nothing = moments_by(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool), np.zeros(0), 2)
    for value in (nothing.mean, nothing.mean_accepted, nothing.mean_rejected, nothing.share_accepted):
        assert np.isnan(value).all()
    assert np.isnan(mean_harm(nothing)).all()
    assert np.isnan(harm_per_proposal(nothing)).all()
    assert ratio(0.0, 0.0).shape == ()


def test_a_group_is_measured_by_its_own_rows_alone() -> None:
    group = np.array([0, 1, 0, 1])
    side = moments_by(group, np.array([True, True, False, True]), np.array([0.8, 0.4, 0.2, 0.6]), 3)
    np.testing.assert_allclose(mean_harm(side), [0.2, 0.5, np.nan])
    np.testing.assert_allclose(acceptance_gap(side), [0.6, np.nan, np.nan])
    np.testing.assert_allclose(harm_per_proposal(side), [0.1, 0.5, np.nan])


def test_realised_toxicity_is_the_exact_fraction_of_bad_outcomes() -> None:
    v = np.array([1, -1, -1, 1, 1, -1, 1])
    accepted = np.array([True, True, True, True, True, True, False])
    assert mean_harm(moments_by(np.zeros(7, dtype=np.int64), accepted, v > 0, 1)).tolist() == [3 / 6]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([5, 5, 5, 5], 0.0),
        ([0, 0, 0, 7], 1.0),
        ([1, 2, 3, 4, 5], 1 / 3),  # uncorrected 4/15, times 5/4
        ([1, 3], 0.5),
        ([0, 0], math.nan),
        ([3], math.nan),
        ([], math.nan),
        ([4, -1, 2], math.nan),
        ([4, math.nan, 2], math.nan),
    ],
)
def test_gini_of_known_holdings(held: Any, expected: Any) -> None:
    found = gini(held, np.zeros(len(held), dtype=np.int64), 1)
    np.testing.assert_allclose(found, [expected], atol=1e-15)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=15))
def test_gini_is_half_the_mean_difference_between_two_agents_over_the_mean(held: Any) -> None:
    differences = [abs(a - b) for i, a in enumerate(held) for j, b in enumerate(held) if i != j]
    group = np.zeros(len(held), dtype=np.int64)
    if sum(held) == 0:
        assert np.isnan(gini(held, group, 1)).all()
        return
    expected = sum(differences) / len(differences) / (2 * sum(held) / len(held))
    np.testing.assert_allclose(gini(held, group, 1), [expected], atol=1e-12)


def test_gini_of_a_group_is_the_same_beside_other_groups() -> None:
    rng = np.random.default_rng(3)
    value, group = rng.random(60), np.repeat([0, 1, 2], 20)
    together = gini(value, group, 3)
    for one in range(3):
        alone = gini(value[group == one], np.zeros(20, dtype=np.int64), 1)
        assert alone.tobytes() == together[one : one + 1].tobytes()
    shuffled = rng.permutation(60)
    np.testing.assert_array_equal(gini(value[shuffled], group[shuffled], 3), together)


def test_one_negative_holding_leaves_other_groups_defined() -> None:
    np.testing.assert_allclose(gini([1, 3, -1, 3], np.array([0, 0, 1, 1]), 2), [0.5, np.nan])
    np.testing.assert_allclose(largest_share([1, 3, -1, 3, 0], np.array([0, 0, 1, 1, 2]), 3), [0.75, np.nan, np.nan])


def test_a_window_is_averaged_from_left_to_right() -> None:
    window = np.array([[1e16, 1.0, -1e16, 1.0], [0.1, 0.2, 0.3, 0.4]])
    expected = [((((row[0] + row[1]) + row[2]) + row[3]) / 4) for row in window.tolist()]
    assert window_mean(window).tolist() == expected
    assert window_mean(np.asfortranarray(window)).tolist() == expected


def test_an_unfilled_window_exceeds_no_threshold() -> None:
    mean = window_mean(np.array([[0.9, np.nan], [0.9, 0.9]]))
    assert (mean > 0.35).tolist() == [False, True]
    assert np.isnan(window_mean(np.zeros((3, 0)))).all()


def test_averaging_a_window_leaves_it_unchanged() -> None:
    window = np.array([[0.1, 0.2]])
    window_mean(window)
    assert window.tolist() == [[0.1, 0.2]]
