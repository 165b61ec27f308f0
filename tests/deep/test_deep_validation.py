"""Calibration of the closed forms: over many independent blocks of seeds their z-scores are standard normal."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from mesocosm.analysis.evidence import measure_claims
from mesocosm.analysis.validation import Finding, validation_cases
from mesocosm.config.load import load_scenario

pytestmark = pytest.mark.deep

N_BLOCKS = int(os.environ.get("MESOCOSM_DEEP_BLOCKS", "200"))
SEEDS_EACH = 100
FIRST = 1_000_000
CASES = validation_cases()
LEVEL = 0.01 / sum(len(case.claims) for case in CASES.values())  # one false alarm in a hundred runs of all of them


def z_scores(name: str) -> dict[str, np.ndarray]:
    """The z-scores of every line that chance moves, one for each block of seeds."""
    case = CASES[name]
    scenarios = {arm: load_scenario(name, overrides) for arm, overrides in case.arms.items()}
    found: dict[str, list[float]] = {claim.what: [] for claim in case.claims}
    for block in range(N_BLOCKS):
        first = FIRST + block * SEEDS_EACH
        estimates = measure_claims(scenarios, case.claims, range(first, first + SEEDS_EACH), case.columns)
        for claim, estimate in zip(case.claims, estimates, strict=True):
            line = Finding(name, claim.what, claim.expected, *estimate)
            assert not line.is_exact or line.good, line
            if not line.is_exact:
                found[claim.what].append(line.z)
    return {what: np.array(scores) for what, scores in found.items() if scores}


@pytest.mark.parametrize("name", CASES)
def test_z_scores_over_blocks_of_seeds_are_standard_normal(name: str) -> None:
    scores = z_scores(name)
    assert scores
    bad = []
    for what, z in scores.items():
        fit = float(kstest(z, "norm").pvalue)
        beyond = int((np.abs(z) > 2.0).sum())
        share = float(binomtest(beyond, len(z), math.erfc(math.sqrt(2.0))).pvalue)
        print(f"{what:<44} mean {z.mean():6.3f} sd {z.std(ddof=1):5.3f} largest {np.abs(z).max():4.1f} KS p {fit:.3f}")
        if len(z) < N_BLOCKS or min(fit, share) < LEVEL:
            bad.append((what, len(z), float(z.mean()), float(z.std(ddof=1)), fit, share))
    assert bad == []
