"""Statistics held against the economy itself: studies without an effect, and with one that is known.

Every study is a few paired seeds of a small society. What is claimed of error rates and power is counted over hundreds
of such studies on seeds of their own; tests/deep has the same with thousands.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from mesocosm.analysis.equivalence import equivalence
from mesocosm.analysis.multiplicity import holm, max_t
from mesocosm.analysis.power import power_of, seeds_needed
from mesocosm.analysis.statistics import PairedEffect, paired_effect
from small_studies import AA, BASE, METRICS, PILOT_FIRST, between, outcomes, studies_of

pytestmark = pytest.mark.slow

F64 = NDArray[np.float64]
STUDIES = 200
AUDIT = ("governance.random_audit.probability=0.1",)
#: the audit and other luck: pairs share nothing, so their differences are as normal as those of independent runs
UNPAIRED = (*AUDIT, "governance.redraw.stream=1")
PRIMARY = "social_welfare_true"


def effect_of(differences: F64) -> PairedEffect:
    return paired_effect(differences, np.zeros_like(differences))


@cache
def null_studies() -> dict[str, F64]:
    table = outcomes(AA, range(300_000, 300_000 + 20 * STUDIES))
    return {metric: studies_of(values, 20) for metric, values in table.items()}


@cache
def pilot() -> dict[str, F64]:
    """Base, audit, and audit with other luck, over so many seeds that their true difference is all but known."""
    return outcomes((BASE, AUDIT, UNPAIRED), range(PILOT_FIRST, PILOT_FIRST + 4_000))


@cache
def planted(arm: int, n: int) -> F64:
    """Studies of n seeds of the audit, without and with other luck."""
    table = outcomes((BASE, AUDIT, UNPAIRED), range(400_000, 400_000 + n * STUDIES), (PRIMARY,))[PRIMARY]
    return studies_of(table[[0, arm]], n)[:, 0]


@pytest.mark.parametrize("metric", METRICS)
def test_one_contrast_without_an_effect_is_called_one_in_one_time_of_twenty(metric: str) -> None:
    p_values = [effect_of(study[0]).p_value for study in null_studies()[metric]]
    low, high = between(int((np.array(p_values) <= 0.05).sum()), STUDIES)
    assert low <= 0.05 <= high


@pytest.mark.parametrize("metric", METRICS)
def test_five_arms_without_effects_together_err_no_more_often_than_one(metric: str) -> None:
    raw = by_holm = by_max_t = missed = 0
    for study in null_studies()[metric]:
        alone = np.array([effect_of(arm).p_value for arm in study])
        family = max_t(study)
        raw += bool(alone.min() <= 0.05)
        by_holm += bool(holm(alone).min() <= 0.05)
        by_max_t += bool(family.adjusted.min() <= 0.05)
        missed += bool(((family.low > 0.0) | (family.high < 0.0)).any())
    assert between(raw, STUDIES)[0] > 0.05, "uncorrected, one of five arms errs far more often"
    for count in (by_holm, by_max_t, missed):
        assert between(count, STUDIES)[0] <= 0.05, (by_holm, by_max_t, missed)
    assert min(by_max_t, missed) > 0


def test_a_planted_effect_is_found_as_often_as_its_power_says() -> None:
    table = pilot()[PRIMARY]
    difference = table[2] - table[0]
    n = seeds_needed(difference.std(ddof=1), difference.mean())
    predicted = power_of(n, difference.std(ddof=1), difference.mean())
    found = sum(effect_of(study).p_value < 0.05 for study in planted(2, n))
    low, high = between(found, STUDIES)
    assert low <= predicted <= high, (n, predicted, found)


def test_with_keyed_pairs_the_power_is_no_less_than_planned_and_takes_far_fewer_seeds() -> None:
    table = pilot()[PRIMARY]
    kept, other = table[1] - table[0], table[2] - table[0]
    n = seeds_needed(kept.std(ddof=1), kept.mean())
    assert n < 0.4 * seeds_needed(other.std(ddof=1), other.mean())
    found = sum(effect_of(study).p_value < 0.05 for study in planted(1, n))
    assert between(found, STUDIES)[1] >= power_of(n, kept.std(ddof=1), kept.mean())


def test_no_effect_is_accepted_inside_the_margin_and_not_at_it_or_outside() -> None:
    table = pilot()[PRIMARY]
    true = float((table[2] - table[0]).mean())
    effects = [effect_of(study) for study in planted(2, 40)]

    def accepted(margin: float) -> int:
        return sum(equivalence(effect, margin).is_shown for effect in effects)

    assert between(accepted(2.0 * true), STUDIES)[0] > 0.7
    assert between(accepted(true), STUDIES)[0] <= 0.05
    assert accepted(0.5 * true) <= 1
    spread = float((table[2] - table[0]).std(ddof=1))
    predicted = power_of(40, spread, true, 0.1)  # one-sided at 5 %, as far from the margin as from 0
    low, high = between(accepted(2.0 * true), STUDIES)
    assert low <= predicted <= high


@pytest.mark.parametrize("metric", METRICS)
def test_pairing_divides_the_variance_by_the_factor_that_is_printed(metric: str) -> None:
    base, audited, _ = pilot()[metric]
    printed = paired_effect(audited, base).variance_reduction
    apart = audited - np.roll(base, 1)  # independent seeds
    kept = audited - base
    found = apart.var(ddof=1) / kept.var(ddof=1)
    assert printed > 2.0
    assert abs(math.log(found / printed)) < 4.0 * math.sqrt(2.0 / len(base)), (printed, found)
