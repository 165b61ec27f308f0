"""Comparing runs: tables, statistics, pictures.

It reads run directories and writes tables and pictures; it never runs or changes the economy by itself except through
the runner. Heavy libraries are imported inside the functions that need them. The statistics of a study are functions of
arrays, for anybody's numbers.
"""

from mesocosm.analysis.dose_response import dose_response
from mesocosm.analysis.equivalence import equivalence, verdict_of
from mesocosm.analysis.multiplicity import holm, max_t
from mesocosm.analysis.power import detectable_effect, plan_seeds, power_of, seeds_needed, seeds_to_decide
from mesocosm.analysis.proportions import proportion
from mesocosm.analysis.robustness import rank_influences, sign_share
from mesocosm.analysis.statistics import difference_of_effects, paired_effect
from mesocosm.analysis.tradeoff import pareto_dominance

__all__ = [
    "detectable_effect",
    "difference_of_effects",
    "dose_response",
    "equivalence",
    "holm",
    "max_t",
    "paired_effect",
    "pareto_dominance",
    "plan_seeds",
    "power_of",
    "proportion",
    "rank_influences",
    "seeds_needed",
    "seeds_to_decide",
    "sign_share",
    "verdict_of",
]
