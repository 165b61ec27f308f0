"""The traces that outcomes leave, and the link that reads them, as tabulated for an economy."""

from __future__ import annotations

from typing import Any

import pytest

from mesocosm.env.economy import economy_of, structure_of
from mesocosm.env.proxy import TraceTable, link, trace_table
from trajectory import scenario


def table(**proxy: Any) -> TraceTable:
    each = scenario({"honest": 2}, proxy=proxy, conduct={"disguise_menu": [0.0, 0.5, 1.0]})
    return trace_table(economy_of([each]), structure_of(each), 1)


@pytest.mark.parametrize(("mean", "sd", "prior"), [(0.3, 0.4, 0.5), (1.0, 1.0, 0.3), (2.0, 0.05, 0.9)])
def test_the_link_of_normal_scores_is_bayes_rule_itself(mean: float, sd: float, prior: float) -> None:
    found = table(noise="gaussian", calibration="bayes", gaussian_mean=mean, gaussian_sd=sd, prior=prior)
    assert found.slope[0] == pytest.approx(2 * mean / sd**2, rel=1e-12)
    assert float(link(0.0, found.slope[0], found.intercept[0])) == pytest.approx(prior, rel=1e-12)


def test_a_score_that_tells_nothing_leaves_the_prior() -> None:
    found = table(noise="gaussian", calibration="bayes", gaussian_mean=0.0, prior=0.8)
    assert (found.slope == 0.0).all()
    assert found.expected_p.tolist() == pytest.approx([0.8] * 4)


def test_full_disguise_makes_a_bad_outcome_look_good_under_every_model_of_noise() -> None:
    for noise in ("counts", "gaussian", "uniform"):
        found = table(noise=noise, phi=1.0)
        assert found.expected_p[3] == pytest.approx(found.expected_p[0])
        assert found.expected_p[1] < found.expected_p[2] < found.expected_p[3]


def test_uniform_traces_are_calibrated_on_average_and_by_half() -> None:
    found = table(noise="uniform")
    good, bad = found.expected_p[0], found.expected_p[1]
    assert (good, bad) == pytest.approx((2 / 3, 1 / 3))
    assert (found.doubt[0], found.doubt[1]) == pytest.approx((1 / 4, 3 / 4))
