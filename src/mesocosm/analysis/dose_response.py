"""More of a lever, more of its effect? The trend over doses seed by seed, the curve, and where its sign flips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.multiplicity import max_t
from mesocosm.analysis.statistics import CONFIDENCE, PairedEffect, T, paired_effect
from mesocosm.errors import UsageError

F64 = NDArray[np.float64]
DOSES_LEAST, DOSES_ADVISED = 3, 5


@dataclass(frozen=True)
class Flip:
    """Two doses between which an effect changes its sign, each with an interval that excludes 0."""

    below: float  # the last dose with the one sign
    above: float  # the first dose with the other
    rises_first: bool  # whether the effect is above 0 at the lower dose


@dataclass(frozen=True)
class DoseResponse:
    """How an outcome moves with a dose.

    `trend` is the mean over seeds of Spearman's correlation between dose and outcome within a seed: 1 where the outcome
    rises at every dose in every seed, 0 where it does not move. `slope` is the least-squares change of the outcome for
    one unit of dose. `p_value` is that of the trend, by flipping the trends of seeds.
    """

    doses: tuple[float, ...]
    curve: tuple[PairedEffect, ...]  # difference to the base at each dose
    trend: PairedEffect
    slope: PairedEffect
    p_value: float
    flips: tuple[Flip, ...]

    @property
    def has_few_doses(self) -> bool:
        """Whether there are fewer than five doses: a trend is then said of a few points."""
        return len(self.doses) < DOSES_ADVISED


def dose_response(
    doses: Sequence[float] | F64,
    differences: Sequence[Sequence[float]] | F64,
    *,
    confidence: float = CONFIDENCE,
    method: str = T,
) -> DoseResponse:
    """The trend of an outcome over doses, its curve, and the doses between which its sign flips.

    Every seed gives one trend, so the seed stays the unit of replication; a seed with fewer than three defined doses
    gives none. The intervals of the curve are pointwise.

    Params   differences: outcome at each dose less the base's, with the same seed; the base itself may stand among the
             doses (all 0); method: of the curve's intervals, as in `paired_effect`.
    Shapes   doses (L,), each once, in any order; differences (L, n), NaN where undefined.
    Returns  doses in ascending order.
    Raises   UsageError for fewer than three doses, for a dose given twice, or where shapes do not fit.
    Source   science notes 5.14: a monotone trend by seed over five levels or more rather than two-point contrasts
    Example
        >>> found = dose_response([0, 1, 2], [[0.0, 0.0, 0.0, 0.0], [0.1, 0.2, 0.1, 0.2], [0.3, 0.1, 0.4, 0.3]])
        >>> round(found.trend.change, 3), round(found.slope.change, 4)
        (0.875, 0.1375)
    """
    dose, table = np.asarray(doses, dtype=np.float64), np.asarray(differences, dtype=np.float64)
    if table.ndim != 2 or dose.shape != table.shape[:1] or not np.isfinite(dose).all():
        raise UsageError(
            "differences are a table: a row for each dose, a column for each seed; every dose is a number."
        )
    if len(dose) < DOSES_LEAST or len(np.unique(dose)) < len(dose):
        raise UsageError(
            f"a trend needs at least {DOSES_LEAST} doses ({DOSES_ADVISED} or more are advised), each once; "
            f"{len(np.unique(dose))} different ones were given."
        )
    order = np.argsort(dose, kind="stable")
    dose, table = dose[order], table[order]
    nothing = np.zeros(table.shape[1])
    curve = tuple(paired_effect(row, nothing, confidence, method) for row in table)
    trends, slopes = (np.array([each(dose, column) for column in table.T]) for each in (_trend, _slope))
    return DoseResponse(
        tuple(dose.tolist()),
        curve,
        paired_effect(trends, nothing, confidence),
        paired_effect(slopes, nothing, confidence),
        float(max_t(trends[None, :]).p_values[0]),
        tuple(_flips(dose, curve)),
    )


def _trend(dose: F64, outcome: F64) -> float:
    """Spearman's correlation within one seed; 0 where the outcome does not move."""
    import scipy.stats

    dose, outcome = _defined(dose, outcome)
    if len(dose) < DOSES_LEAST:
        return float("nan")
    if outcome.min() == outcome.max():
        return 0.0
    return float(scipy.stats.spearmanr(dose, outcome).statistic)


def _slope(dose: F64, outcome: F64) -> float:
    dose, outcome = _defined(dose, outcome)
    if len(dose) < DOSES_LEAST:
        return float("nan")
    off = dose - dose.mean()
    return float((off * (outcome - outcome.mean())).sum() / (off * off).sum())


def _defined(dose: F64, outcome: F64) -> tuple[F64, F64]:
    defined = np.isfinite(outcome)
    return dose[defined], outcome[defined]


def _flips(dose: F64, curve: Sequence[PairedEffect]) -> list[Flip]:
    """Neighbours of opposite sign among the doses whose interval excludes 0."""
    clear = [(float(at), effect.low > 0.0) for at, effect in zip(dose, curve, strict=True) if effect.excludes_zero]
    return [Flip(one[0], other[0], one[1]) for one, other in pairwise(clear) if one[1] != other[1]]
