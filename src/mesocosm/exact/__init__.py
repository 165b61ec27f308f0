"""Arithmetic whose bits agree on every CPU: exp, log, sigmoid, logit, normal quantile, and sums by group.

NumPy's own exp, log and power pick a different algorithm for each SIMD level, so a seed would give one run on a
laptop and another on a server. Everything here is built from operations that IEEE 754 rounds in one way only
(+ - * / sqrt, comparisons), from integer operations on the bits of a float, and from tables computed at import
with decimal arithmetic. An element's result depends on that element alone, whatever the array around it.
"""

from mesocosm.exact.columns import (
    MICRO,
    count_by,
    credits,  # noqa: A004 - the unit of account
    largest_first,
    mean_by,
    micro,
    order_by,
    rank_within,
    sum_by,
    sum_by_int,
)
from mesocosm.exact.elementary import exp, log, logit, normal_quantile, poisson_cdf, sigmoid

__all__ = [
    "MICRO",
    "count_by",
    "credits",
    "exp",
    "largest_first",
    "log",
    "logit",
    "mean_by",
    "micro",
    "normal_quantile",
    "order_by",
    "poisson_cdf",
    "rank_within",
    "sigmoid",
    "sum_by",
    "sum_by_int",
]
