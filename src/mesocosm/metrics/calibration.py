"""Whether the proxy p means what it says, over all proposals and over those that were selected."""

from __future__ import annotations

from mesocosm.measures.calibration import calibration_error, calibration_error_by_chance, recalibrated
from mesocosm.measures.moments import F64
from mesocosm.metrics.totals import DealColumns, Totals, statistic
from mesocosm.registry import metric

ALIKE = "the outcomes or the values of p were all alike, or p parted the outcomes without a mistake"


@statistic("squared_error")
def squared_error_of_p(column: DealColumns) -> F64:
    """Squared distance between p and what came of the proposal, 1 for v=+1 and 0 for v=-1."""
    error: F64 = column["p"] - (column["v"] > 0)
    return error * error


@metric("brier", unit="squared probability", better="lower", over="pool")
def brier(totals: Totals) -> F64:
    """Mean squared error of p against the outcome over all proposals: 0 perfect, 0.25 no better than a coin.

    Returns  (R,), NaN where nobody proposed.
    Source   science notes 5.5
    """
    return totals.moments("squared_error").mean


@metric("ece", unit="probability", better="lower", over="pool")
def ece(totals: Totals) -> F64:
    """Expected calibration error of p over ten bins of equal mass; read it beside ece_null, which is not 0.

    Returns  (R,), NaN where nobody proposed.
    Source   science notes 5.5
    """
    return calibration_error(totals.each("p"), totals.each("good"), totals.each_replicate, totals.n_replicates)


@metric("ece_null", unit="probability", better="neither", over="pool")
def ece_null(totals: Totals) -> F64:
    """Calibration error that the same p would show on average if each of them were right.

    Returns  (R,), NaN where nobody proposed.
    Source   science notes 5.5
    """
    return calibration_error_by_chance(totals.each("p"), totals.each_replicate, totals.n_replicates)[0]


@metric("ece_null_95", unit="probability", better="neither", over="pool")
def ece_null_95(totals: Totals) -> F64:
    """Calibration error that the same p, if right, would exceed in one of twenty epochs (or runs) only.

    Returns  (R,), NaN where nobody proposed.
    Source   science notes 5.5
    """
    return calibration_error_by_chance(totals.each("p"), totals.each_replicate, totals.n_replicates)[1]


@metric("calibration_slope", unit="log odds per log odds", better="neither", over="pool", undefined=ALIKE)
def calibration_slope(totals: Totals) -> F64:
    """Slope of the outcome on the log odds of p: 1 when p is right, above 1 when p is too timid, below 1 too bold.

    Returns  (R,), NaN where it has no maximum-likelihood value.
    Source   science notes 5.5
    """
    return _recalibrated(totals)[1]


@metric("calibration_intercept", unit="log odds", better="neither", over="pool", undefined=ALIKE)
def calibration_intercept(totals: Totals) -> F64:
    """Log odds of a good outcome where p says one half: 0 when p is right, above 0 when p is too gloomy there.

    Returns  (R,), NaN where it has no maximum-likelihood value.
    Source   science notes 5.5
    """
    return _recalibrated(totals)[0]


def _recalibrated(totals: Totals) -> tuple[F64, F64]:
    return recalibrated(totals.each("p"), totals.each("good"), totals.each_replicate, totals.n_replicates)


@metric("selected_p", unit="probability", better="higher", over="pool", twin="selected_good")
def selected_p(totals: Totals) -> F64:
    """Mean of p over accepted interactions, E[p|acc]: what those who accept were promised.

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 5.5 (selected calibration)
    """
    return totals.moments("p").mean_accepted


@metric("selected_good", unit="share", better="higher", over="pool")
def selected_good(totals: Totals) -> F64:
    """Share of accepted interactions whose outcome v is +1: what they got.

    Returns  (R,), NaN where nothing was accepted.
    Source   science notes 5.5 (selected calibration)
    """
    return totals.moments("good").mean_accepted
