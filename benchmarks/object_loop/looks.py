"""What a proposal looks like: the traces of good and bad outcomes, and what everybody expects of them."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from types import SimpleNamespace
from typing import Any

from benchmarks.object_loop.scalar import Draws, exp, logit, normal_quantile, poisson_cdf, sigmoid
from mesocosm.rng import Purpose

COUNT_MAX = 31
POINTS = 16
NEGLIGIBLE = 2e-5
COUNT_GRID = 2.0**21
SMALLEST_VARIANCE = 1e-6
#: the constants of an economy that decide how outcomes show, and nothing else does
TRAITS = (
    "noise", "calibration", "k", "prior", "phi", "progress_gain", "progress_noise", "engagement_gain",
    "engagement_noise", "count_floor", "count_slope", "gaussian_mean", "gaussian_sd", "outrage", "screen_weight",
    "weight_progress", "weight_rework", "weight_rejection_misuse", "weight_engagement", "disguise_menu",
)  # fmt: skip


def fading(base: float) -> list[float]:
    """2 base^n - 1 for n = 0, 1, 2 ...: what n incidents say."""
    power, signals = 1.0, []
    for _ in range(COUNT_MAX + 2):
        signals.append(2.0 * power - 1.0)
        power *= base
    return signals


REWORK, REJECTION, MISUSE = fading(0.3), fading(0.4), fading(0.5)


@dataclass(slots=True)
class Look:
    """One class of outcome: good, or bad under some level of disguise."""

    soft: float  # how good it looks
    hard: float  # what hard evidence says
    odds: float  # factor on the odds of a good outcome, for who takes a noiseless look
    attention: float
    number: int  # of the class
    cdf: list[float]  # of the count of incidents
    edges: list[float]  # the same, moved up by the number of the class
    expected_p: float = 0.0
    doubt: float = 0.0  # how often p is below one half
    suspect: float = 0.0  # how often v_hat is below 0


@dataclass(slots=True)
class Traces:
    """What everybody may observe of one proposal, and the proxy p read from it."""

    progress: float
    rework: int
    rejections: int
    misuse: int
    engagement: float
    v_hat: float
    p: float


def clip(x: float) -> float:
    """Keep within -1 and 1."""
    return min(max(x, -1.0), 1.0)


def total(values: list[float]) -> float:
    """Sum from first to last."""
    result = 0.0
    for value in values:
        result += value
    return result


class Evidence:
    """How outcomes show, under one economy's constants.

    Attributes   good: the class of v = +1; bad: the classes of v = -1, by level of disguise.
    """

    def __init__(self, rule: Any) -> None:
        self.rule = rule
        classes = [self._look(0, 1.0, 0.0)]
        classes += [self._look(1 + level, -1.0, d) for level, d in enumerate(rule.disguise_menu)]
        self.good, self.bad = classes[0], classes[1:]
        if rule.noise == "uniform":
            self._read_uniform(classes)
        else:
            self._read_scores(classes)

    def observe(self, look: Look, draws: Draws, agent: int) -> Traces:
        """Traces that an outcome of a class leaves this time."""
        rule = self.rule
        luck = draws.uniform(Purpose.PROGRESS, agent)
        if rule.noise == "uniform":
            root = math.sqrt(luck)
            p = root if draws.uniform(Purpose.ENGAGEMENT, agent) < 0.5 * (1.0 + look.soft) else 1.0 - root
            v_hat = logit(p) / self.slope
            return Traces(v_hat, 0, 0, 0, 0.0, v_hat, p)
        z = normal_quantile(luck)
        if rule.noise == "gaussian":
            v_hat = rule.gaussian_mean * look.soft + rule.gaussian_sd * z
            return Traces(v_hat, 0, 0, 0, 0.0, v_hat, sigmoid(self.slope * v_hat + self.intercept))
        progress = clip(rule.progress_gain * look.soft + rule.progress_noise * z)
        z = normal_quantile(draws.uniform(Purpose.ENGAGEMENT, agent))
        engagement = clip(rule.engagement_gain * look.soft + rule.engagement_noise * z)
        rework, rejections, misuse = (
            bisect_left(look.edges, look.number + u) for u in draws.thirds(Purpose.COUNTS, agent)
        )
        v_hat = (
            rule.weight_progress * progress
            + rule.weight_rework * REWORK[rework]
            + rule.weight_rejection_misuse * (0.5 * (REJECTION[rejections] + MISUSE[misuse]))
            + rule.weight_engagement * engagement
        )
        p = sigmoid(self.slope * v_hat + self.intercept)
        return Traces(progress, rework, rejections, misuse, engagement, v_hat, p)

    def _look(self, number: int, v: float, d: float) -> Look:
        rule = self.rule
        soft, hard = v + d * (1.0 - v), v + rule.phi * d * (1.0 - v)
        rate = rule.count_floor + rule.count_slope * 0.5 * (1.0 - hard)
        cdf = poisson_cdf(rate, COUNT_MAX)
        cdf = [round(share * COUNT_GRID) / COUNT_GRID for share in cdf]
        cdf[-1] = 1.0
        return Look(
            soft=soft,
            hard=hard,
            odds=exp(rule.screen_weight * 0.5 * (soft + hard)),
            attention=min(rule.outrage * max(0.0, -soft) + 0.2 * max(0.0, soft), 1.0),
            number=number,
            cdf=cdf,
            edges=[number + share for share in cdf],
        )

    def _read_uniform(self, classes: list[Look]) -> None:
        """p has density 2p where it looks good and 2(1-p) where it looks bad: it is calibrated as it is."""
        self.slope, self.intercept = self.rule.k, 0.0
        for look in classes:
            good = 0.5 * (1.0 + look.soft)
            look.expected_p, look.doubt = (1.0 + good) / 3.0, 0.75 - 0.5 * good
            look.suspect = look.doubt

    def _read_scores(self, classes: list[Look]) -> None:
        """The link from v_hat to p, and what p is on average, and how often below one half, in each class."""
        scores = [self._scores(look) for look in classes]
        self.slope, self.intercept = self._link(scores[0], scores[1])
        for look, score in zip(classes, scores, strict=True):
            seen = [(self.slope * x + self.intercept, w) for x, w in score]
            look.expected_p = total([sigmoid(log_odds) * w for log_odds, w in seen])
            look.doubt = total([w for log_odds, w in seen if log_odds < 0.0])
            look.suspect = total([w for x, w in score if x < 0.0])

    def _scores(self, look: Look) -> list[tuple[float, float]]:
        """Distribution of v_hat in a class, as points with weights: what agents expect to see."""
        rule = self.rule
        if rule.noise == "gaussian":
            n = POINTS**2
            z = [normal_quantile((i + 0.5) / n) for i in range(n)]
            return [(rule.gaussian_mean * look.soft + rule.gaussian_sd * point, 1.0 / n) for point in z]
        z = [normal_quantile((i + 0.5) / POINTS) for i in range(POINTS)]
        progress = [clip(rule.progress_gain * look.soft + rule.progress_noise * point) for point in z]
        engagement = [clip(rule.engagement_gain * look.soft + rule.engagement_noise * point) for point in z]
        smooth = [rule.weight_progress * x + rule.weight_engagement * y for x, y in product(progress, engagement)]
        mass = [share - before for share, before in zip(look.cdf, [0.0, *look.cdf[:-1]], strict=True)]
        half = 0.5 * rule.weight_rejection_misuse
        likely = [n for n in range(COUNT_MAX + 1) if mass[n] > NEGLIGIBLE]
        counted, weight = [], []
        for i, j, k in product(likely, repeat=3):
            chance = mass[i] * mass[j] * mass[k]
            if chance > NEGLIGIBLE:
                counted.append(rule.weight_rework * REWORK[i] + half * REJECTION[j] + half * MISUSE[k])
                weight.append(chance)
        whole = total(weight) * len(smooth)
        share = [chance / whole for chance in weight]
        return [(x + y, w) for x in smooth for y, w in zip(counted, share, strict=True)]

    def _link(self, good: list[tuple[float, float]], bad: list[tuple[float, float]]) -> tuple[float, float]:
        """Slope and intercept from v_hat to log-odds: fixed, or Bayes under a normal approximation."""
        rule = self.rule
        if rule.calibration == "fixed":
            return rule.k, 0.0
        if rule.noise == "gaussian":
            mean = [rule.gaussian_mean * look.soft for look in (self.good, self.bad[0])]
            slope = (mean[0] - mean[1]) / max(rule.gaussian_sd * rule.gaussian_sd, SMALLEST_VARIANCE)
            return slope, logit(rule.prior) - slope * (0.5 * (mean[0] + mean[1]))
        mean = [total([x * w for x, w in score]) for score in (good, bad)]
        spread = [total([(x - m) * (x - m) * w for x, w in score]) for score, m in zip((good, bad), mean, strict=True)]
        slope = (mean[0] - mean[1]) / max((0 + spread[0] + spread[1]) / 2.0, SMALLEST_VARIANCE)
        return slope, logit(rule.prior) - slope * (0.5 * (mean[0] + mean[1]))


def evidence_of(rule: Any) -> Evidence:
    """How outcomes show in an economy; worked out once for economies that agree on it."""
    return evidence_from(tuple(getattr(rule, name) for name in TRAITS))


@lru_cache(maxsize=64)
def evidence_from(traits: tuple[Any, ...]) -> Evidence:
    """How outcomes show under the values of TRAITS."""
    return Evidence(SimpleNamespace(**dict(zip(TRAITS, traits, strict=True))))
