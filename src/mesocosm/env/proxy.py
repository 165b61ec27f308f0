"""The proxy: traces that an outcome leaves, the score v_hat read from them, and the link to p."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact
from mesocosm.env.economy import Columns, Structure, take

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

COUNT_MAX = 31  # counts above it have probability below 1e-12 at any rate the schema allows by default
REWORK_SIGNAL = 2.0 * np.cumprod(np.r_[1.0, np.full(COUNT_MAX + 1, 0.3)]) - 1.0
REJECTION_SIGNAL = 2.0 * np.cumprod(np.r_[1.0, np.full(COUNT_MAX + 1, 0.4)]) - 1.0
MISUSE_SIGNAL = 2.0 * np.cumprod(np.r_[1.0, np.full(COUNT_MAX + 1, 0.5)]) - 1.0
COUNT_GRID = 2.0**21  # resolution of the uniforms that counts are drawn from
QUADRATURE_POINTS = 16
NEGLIGIBLE = 2e-5
SMALLEST_VARIANCE = 1e-6  # keeps the calibrated link finite where traces carry no noise at all


class Traits(NamedTuple):
    """The constants that decide which traces an outcome leaves, for one economy."""

    weight_progress: float
    weight_rework: float
    weight_rejection_misuse: float
    weight_engagement: float
    k: float
    prior: float
    phi: float
    progress_gain: float
    progress_noise: float
    engagement_gain: float
    engagement_noise: float
    count_floor: float
    count_slope: float
    gaussian_mean: float
    gaussian_sd: float
    outrage: float
    screen_weight: float


class Traces(NamedTuple):
    """What everybody may observe of a proposal, before and after weighing.

    Shapes   k = proposals. progress and engagement in [-1, 1]; counts are whole numbers; p in (0, 1).
    """

    progress: F64
    rework: I64
    rejections: I64
    misuse: I64
    engagement: F64
    v_hat: F64
    p: F64


#: columns of a TraceTable, in the order in which they are tabulated for one economy
TABULATED = (
    "s_soft", "s_hard", "screen_odds", "attention", "expected_p", "doubt", "suspect", "slope", "intercept",
    "count_edge",
)  # fmt: skip


@dataclass(slots=True)
class TraceTable:
    """Everything about traces that depends only on the outcome class: good, or bad with disguise level d.

    Shapes   C = economies * (1 + levels of disguise); class 0 of an economy is v = +1, class 1 + d is v = -1.
    """

    n_classes: int  # per economy
    first_class: Any  # first class of a replicate's economy: 0, or a column by replicate
    s_soft: F64  # (C,) how good it looks
    s_hard: F64  # (C,) what hard evidence says
    screen_odds: F64  # (C,) e^s, the odds multiplier of a noiseless look
    attention: F64  # (C,) attention the deal draws
    expected_p: F64  # (C,) E[p | class]
    doubt: F64  # (C,) P(p < 1/2 | class)
    suspect: F64  # (C,) P(v_hat < 0 | class)
    slope: F64  # (C,) of the link from v_hat to log-odds
    intercept: F64  # (C,)
    count_edge: F64  # (C * (COUNT_MAX + 1),) class + Poisson cdf, ascending: one search draws a count

    def outcome_class(self, replicate: Any, is_good: NDArray[np.bool_], disguise: NDArray[np.integer[Any]]) -> I64:
        """Class of each proposal, from its outcome and its level of disguise."""
        outcome: I64 = np.where(is_good, 0, disguise + 1) + take(self.first_class, replicate)
        return outcome


def trace_table(economy: Columns, structure: Structure, n_replicates: int) -> TraceTable:
    """Tabulate traces for every distinct economy of a batch."""
    columns = [
        np.broadcast_to(np.asarray(getattr(economy, name), dtype=np.float64), n_replicates) for name in Traits._fields
    ]
    rows = [Traits(*(float(x) for x in row)) for row in zip(*columns, strict=True)]
    distinct = sorted(set(rows))
    parts = [_tabulate(traits, structure.disguise_menu, structure.noise, structure.calibration) for traits in distinct]
    n_classes = 1 + len(structure.disguise_menu)
    index = {traits: number for number, traits in enumerate(distinct)}
    first = np.array([index[traits] * n_classes for traits in rows], dtype=np.int64)
    joined = dict(zip(TABULATED, (np.concatenate(columns) for columns in zip(*parts, strict=True)), strict=True))
    edge: F64 = joined["count_edge"].reshape(-1, COUNT_MAX + 1) + np.arange(len(parts) * n_classes)[:, None]
    return TraceTable(n_classes, 0 if len(parts) == 1 else first, **joined | {"count_edge": edge.ravel()})


def draw_traces(rule: Columns, table: TraceTable, outcome: I64, draw: dict[str, Any], noise: str = "counts") -> Traces:
    """Traces of proposals whose outcome class is given, from keyed draws.

    Params   draw: "progress" and "engagement" standard normal (k,), "counts" three uniforms (3, k); for gaussian noise
             "progress" alone; for uniform noise "luck" and "side", uniform.
    Source   design section 2, Traces; docs/design/uniform.md.
    """
    soft = table.s_soft[outcome]
    if noise == "gaussian":
        v_hat = rule.gaussian_mean * soft + rule.gaussian_sd * draw["progress"]
        return _bare(v_hat, link(v_hat, table.slope[outcome], table.intercept[outcome]))
    if noise == "uniform":
        root = np.sqrt(draw["luck"])
        p = np.where(draw["side"] < 0.5 * (1.0 + soft), root, 1.0 - root)
        return _bare(exact.logit(p) / table.slope[outcome], p)
    progress = _clip(rule.progress_gain * soft + rule.progress_noise * draw["progress"])
    engagement = _clip(rule.engagement_gain * soft + rule.engagement_noise * draw["engagement"])
    first = outcome * (COUNT_MAX + 1)
    count = [np.searchsorted(table.count_edge, outcome + u) - first for u in draw["counts"]]
    signal = 0.5 * (REJECTION_SIGNAL[count[1]] + MISUSE_SIGNAL[count[2]])
    v_hat = (
        rule.weight_progress * progress
        + rule.weight_rework * REWORK_SIGNAL[count[0]]
        + rule.weight_rejection_misuse * signal
        + rule.weight_engagement * engagement
    )
    if len(table.s_soft) == table.n_classes:  # one economy: the link is two numbers
        p = link(v_hat, table.slope[0], table.intercept[0])
    else:
        p = link(v_hat, table.slope[outcome], table.intercept[outcome])
    return Traces(progress, count[0], count[1], count[2], engagement, v_hat, p)


def _bare(v_hat: F64, p: F64) -> Traces:
    """Traces that are nothing but a score."""
    nothing = np.zeros(len(p), dtype=np.int64)
    return Traces(v_hat, nothing, nothing, nothing, np.zeros(len(p)), v_hat, p)


def link(v_hat: Any, slope: Any, intercept: Any = 0.0) -> Any:
    """p = sigmoid(slope * v_hat + intercept): the proxy's reading of P(v = +1).

    Example
        >>> round(float(link(0.5, 2.0)), 4)
        0.7311
    """
    return exact.sigmoid(slope * v_hat + intercept)


def reputation_signal(rule: Columns, p: Any, attention: Any) -> Any:
    """r0 = (1 - scarcity)(2p - 1) + scarcity * attention: what a deal does for the initiator's standing."""
    return (1.0 - rule.attention_scarcity) * (2.0 * p - 1.0) + rule.attention_scarcity * attention


def _total(x: F64) -> float:
    """Sum in order of the rows."""
    return float(exact.sum_by(np.zeros(len(x), dtype=np.int64), x, 1)[0])


def _clip(x: F64) -> F64:
    return np.minimum(np.maximum(x, -1.0), 1.0)


@lru_cache(maxsize=256)
def _tabulate(traits: Traits, menu: tuple[float, ...], noise: str, calibration: str) -> tuple[F64, ...]:
    disguise = np.array([0.0, *menu])
    v = np.array([1.0, *(-1.0 for _ in menu)])
    soft = v + disguise * (1.0 - v)
    hard = v + traits.phi * disguise * (1.0 - v)
    soft[0] = hard[0] = 1.0
    attention = np.minimum(traits.outrage * np.maximum(0.0, -soft) + 0.2 * np.maximum(0.0, soft), 1.0)
    rate = traits.count_floor + traits.count_slope * 0.5 * (1.0 - hard)
    cdf = np.stack([exact.poisson_cdf(float(x), COUNT_MAX) for x in rate])
    cdf = np.rint(cdf * COUNT_GRID) / COUNT_GRID  # so that adding a class number is exact
    cdf[:, -1] = 1.0
    slope, intercept, *chances = _readings(traits, soft, cdf, noise, calibration)
    screen = exact.exp(traits.screen_weight * 0.5 * (soft + hard))
    flat = np.ones(len(v))
    return soft, hard, screen, attention, *chances, slope * flat, intercept * flat, cdf.ravel()


def _readings(traits: Traits, soft: F64, cdf: F64, noise: str, calibration: str) -> tuple[float, float, F64, F64, F64]:
    """Slope and intercept of the link and, by class, what p is on average, and how often p < 1/2 and v_hat < 0."""
    if noise == "uniform":  # p has density 2p where it looks good and 2(1-p) where it looks bad, and needs no link
        good = 0.5 * (1.0 + soft)
        return traits.k, 0.0, (1.0 + good) / 3.0, 0.75 - 0.5 * good, 0.75 - 0.5 * good
    score = [_score_distribution(traits, s, cdf[c], noise) for c, s in enumerate(soft)]
    slope, intercept = _link(traits, *_good_and_bad(traits, soft, score, noise), calibration)
    expected = np.array([_total(exact.sigmoid(slope * x + intercept) * w) for x, w in score])
    doubt = np.array([_total(np.where(slope * x + intercept < 0.0, w, 0.0)) for x, w in score])
    suspect = np.array([_total(np.where(x < 0.0, w, 0.0)) for x, w in score])
    return slope, intercept, expected, doubt, suspect


def _score_distribution(traits: Traits, soft: float, cdf: F64, noise: str) -> tuple[F64, F64]:
    """Points and weights of the distribution of v_hat for one class, for expectations that agents hold."""
    points = exact.normal_quantile((np.arange(QUADRATURE_POINTS**2) + 0.5) / QUADRATURE_POINTS**2)
    if noise == "gaussian":
        return traits.gaussian_mean * soft + traits.gaussian_sd * points, np.full(len(points), 1.0 / len(points))
    z = exact.normal_quantile((np.arange(QUADRATURE_POINTS) + 0.5) / QUADRATURE_POINTS)
    progress = _clip(traits.progress_gain * soft + traits.progress_noise * z)
    engagement = _clip(traits.engagement_gain * soft + traits.engagement_noise * z)
    smooth = (traits.weight_progress * progress[:, None] + traits.weight_engagement * engagement[None, :]).ravel()
    mass = np.diff(cdf, prepend=0.0)
    joint = mass[:, None, None] * mass[None, :, None] * mass[None, None, :]
    kept = np.nonzero(joint > NEGLIGIBLE)
    weight = joint[kept]
    half = 0.5 * traits.weight_rejection_misuse
    counted = (
        traits.weight_rework * REWORK_SIGNAL[kept[0]] + half * REJECTION_SIGNAL[kept[1]] + half * MISUSE_SIGNAL[kept[2]]
    )
    value = smooth[:, None] + counted[None, :]
    share = np.broadcast_to(weight / (_total(weight) * len(smooth)), value.shape)
    return value.ravel(), np.ascontiguousarray(share).ravel()


def _good_and_bad(traits: Traits, soft: F64, score: list[tuple[F64, F64]], noise: str) -> tuple[list[float], float]:
    """Mean score of good and of (least disguised) bad outcomes, and the variance of the score around them."""
    if noise == "gaussian":  # known, so that no quadrature comes between the link and Bayes
        return [traits.gaussian_mean * float(looks) for looks in soft[:2]], traits.gaussian_sd * traits.gaussian_sd
    mean = [_total(x * w) for x, w in score[:2]]
    return mean, sum(_total((x - m) * (x - m) * w) for (x, w), m in zip(score[:2], mean, strict=True)) / 2.0


def _link(traits: Traits, mean: list[float], variance: float, calibration: str) -> tuple[float, float]:
    """Slope and intercept from v_hat to log-odds: the plan's fixed k, or Bayes under a normal approximation.

    Source   science notes 0.3: k = 2 mu / s^2 for v_hat | v ~ N(mu v, s^2), plus logit(prior).
    """
    if calibration == "fixed":
        return traits.k, 0.0
    slope = (mean[0] - mean[1]) / max(variance, SMALLEST_VARIANCE)
    middle = 0.5 * (mean[0] + mean[1])
    return slope, float(exact.logit(traits.prior)) - slope * middle
