"""Metrics over epochs as pictures: one line for a run, the mean over seeds with its band for many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.figures.picture import Axis, Band, Line, Mark, Panel, Picture
from mesocosm.analysis.statistics import CONFIDENCE, t_quantile

F64 = NDArray[np.float64]
PANELS_MOST = 12
DOTS_MOST = 30  # epochs up to which single points are marked


@dataclass(frozen=True)
class Course:
    """Metrics over epochs of the runs of one arm.

    Shapes   each metric (seeds, epochs); NaN where it is undefined.
    """

    name: str
    metrics: Mapping[str, F64]
    against: str = ""  # the course that it is drawn beside, the first one if none is named

    @property
    def n(self) -> int:
        """How many runs there are."""
        return len(next(iter(self.metrics.values()), ()))


@dataclass(frozen=True)
class Curve:
    """One metric of a picture: what it is called, its colour and its dashes."""

    metric: str
    label: str
    color: str
    dash: str = "solid"


@dataclass(frozen=True)
class CourseKind:
    """A kind of picture over epochs."""

    title: str
    unit: str
    about: str
    curves: tuple[Curve, ...]
    is_share: bool = False  # from 0 up; else the line at 0 is drawn
    top: float | None = None
    gap: tuple[str, str] | None = None  # two metrics between which the area is shaded
    gap_label: str = ""
    beside: int = 0  # the curve of the base that is drawn beside every arm


COURSES = {
    "toxicity": CourseKind(
        "Toxicity of accepted interactions",
        "share that goes wrong",
        "Solid: what happened. Dashed: what the proxy shows. The shaded area between them is the Goodhart gap.",
        (Curve("toxicity_true", "true", "true"), Curve("toxicity_rate", "by proxy", "proxy", "dash")),
        is_share=True,
        gap=("toxicity_true", "toxicity_rate"),
        gap_label="Goodhart gap",
    ),
    "conditional_loss": CourseKind(
        "What selection is worth",
        "utility a deal; a loss below 0",
        "Mean payoff of accepted deals less that of all proposals: below 0, those who select are worse off for it.",
        (
            Curve("conditional_loss_initiator_true", "initiator, true", "private"),
            Curve("conditional_loss_initiator", "initiator, by proxy", "private", "dash"),
            Curve("conditional_loss_counterparty_true", "counterparty, true", "social"),
            Curve("conditional_loss_counterparty", "counterparty, by proxy", "social", "dash"),
        ),
    ),
    "quality_gap": CourseKind(
        "Quality gap: accepted less rejected",
        "difference in share that goes well",
        "Above 0, what is accepted is better than what is rejected; below 0 is adverse selection.",
        (Curve("quality_gap_true", "true", "true"), Curve("quality_gap", "by proxy", "proxy", "dash")),
        gap=("quality_gap_true", "quality_gap"),
        gap_label="truth against proxy",
    ),
    "participation": CourseKind(
        "Participation and acceptance",
        "share",
        "Agents that made or took a deal, and proposals that were accepted.",
        (
            Curve("participation", "agents taking part", "ink"),
            Curve("acceptance_rate", "proposals accepted", "share"),
        ),
        is_share=True,
        top=1.0,
        beside=1,
    ),
    "welfare": CourseKind(
        "Welfare",
        "credits an epoch",
        "Private: payoffs of both sides. Social: surplus less the harm to others. Solid: true; dashed: by proxy.",
        (
            Curve("private_welfare_true", "private, true", "private"),
            Curve("private_welfare", "private, by proxy", "private", "dash"),
            Curve("social_welfare_true", "social, true", "social"),
            Curve("social_welfare", "social, by proxy", "social", "dash"),
        ),
        beside=2,
    ),
    "influence": CourseKind(
        "Inequality of influence",
        "Gini of votes received",
        "0: all agents are listened to alike; 1: one agent has all votes.",
        (Curve("influence_gini", "Gini", "blue"),),
        is_share=True,
        top=1.0,
    ),
}
#: metrics by epoch that these pictures show
CURVES = tuple(dict.fromkeys(curve.metric for kind in COURSES.values() for curve in kind.curves))


def course_of_rows(rows: Sequence[Mapping[str, Any]], name: str = "") -> Course:
    """The metrics of one run over its epochs."""
    names = [key for key in (rows[0] if rows else ()) if key != "epoch"]
    table = {key: np.array([[float(row.get(key, math.nan)) for row in rows]]) for key in names}
    return Course(name, table)


def course_picture(kind: str, title: str, courses: Sequence[Course], confidence: float = CONFIDENCE) -> Picture | None:
    """A picture over epochs, a panel for each arm; None where no arm has any of its metrics.

    Bands are the interval of the mean over seeds, each arm by itself. One curve of the base is drawn
    beside every other arm, quietly, to compare with.

    Params   courses: the arms, the base first; one without a name is a run alone.
    """
    asked = COURSES[kind]
    have = [course for course in courses if any(_is_defined(course, curve) for curve in asked.curves)]
    if not have:
        return None
    drawn, rest = have[:PANELS_MOST], len(have) - PANELS_MOST
    low, high = _ends(asked, drawn, confidence)
    known = {course.name: course for course in have}
    panels = tuple(_panel(asked, course, known.get(course.against, have[0]), low, high, confidence) for course in drawn)
    out = (f"{rest} more arms and controls",) if rest > 0 else ()
    several = max(course.n for course in drawn) > 1
    band = f" Bands: {100 * confidence:.0f} % interval of the mean over seeds, each arm by itself." if several else ""
    columns = 1 if len(panels) == 1 else 2 if len(panels) <= 4 else 3
    size = (7.6, 4.0) if len(panels) == 1 else (4.3, 2.9)
    return Picture(kind, title, asked.about + band, panels, columns, out, size)


def course_panel(kind: str, course: Course) -> Panel:
    """One run's panel of a picture over epochs."""
    asked = COURSES[kind]
    low, high = _ends(asked, [course], CONFIDENCE)
    return _panel(asked, course, course, low, high, CONFIDENCE)


def mean_and_half(table: F64, confidence: float) -> tuple[F64, F64]:
    """Mean over seeds and half-width of its interval, epoch by epoch; NaN where fewer than two seeds have a value.

    Shapes   (n, E) -> (E,), (E,)
    Example
        >>> mean, half = mean_and_half(np.array([[1.0, 2.0], [3.0, 2.0]]), 0.95)
        >>> mean.tolist(), half.round(1).tolist()
        ([2.0, 2.0], [12.7, 0.0])
    """
    defined = np.isfinite(table)
    n = defined.sum(axis=0)
    value = np.where(defined, table, 0.0)
    mean = np.where(n > 0, value.sum(axis=0) / np.maximum(n, 1), np.nan)
    spread = np.where(defined, (table - mean) ** 2, 0.0).sum(axis=0) / np.maximum(n - 1, 1)
    quantile = np.array([t_quantile(confidence, int(k) - 1) if k > 1 else math.nan for k in n])
    return mean, quantile * np.sqrt(spread / np.maximum(n, 1))


def _is_defined(course: Course, curve: Curve) -> bool:
    table = course.metrics.get(curve.metric)
    return table is not None and bool(np.isfinite(table).any())


def _panel(asked: CourseKind, course: Course, first: Course, low: float, high: float, confidence: float) -> Panel:
    marks = list(_marks(asked, course, confidence))
    beside = asked.curves[asked.beside]
    if course is not first and _is_defined(first, beside):
        marks.insert(0, _quiet(beside, first, confidence))
    known = [curve for curve in asked.curves if curve.metric in course.metrics]
    note = "" if any(_is_defined(course, curve) for curve in known) else "undefined in every epoch"
    return Panel(
        title=course.name or asked.title,
        x=Axis("epoch", whole=True),
        y=Axis(asked.unit, from_zero=asked.is_share, zero_line=not asked.is_share, low=low, high=high),
        marks=tuple(marks),
        note=note,
    )


def _quiet(curve: Curve, first: Course, confidence: float) -> Line:
    mean, _ = mean_and_half(first.metrics[curve.metric], confidence)
    told = "base" if first.against else first.name or "the first"
    return Line(_epochs(mean), mean.tolist(), f"{curve.label}, {told}", "quiet", "dot", 1.2)


def _marks(asked: CourseKind, course: Course, confidence: float) -> Iterator[Mark]:
    means: dict[str, F64] = {}
    for curve in asked.curves:
        if _is_defined(course, curve):
            means[curve.metric], half = mean_and_half(course.metrics[curve.metric], confidence)
            if course.n > 1:
                low, high = means[curve.metric] - half, means[curve.metric] + half
                yield Band(_epochs(low), low.tolist(), high.tolist(), "", curve.color, 0.16)
    if asked.gap and all(metric in means for metric in asked.gap):
        one, other = (means[metric] for metric in asked.gap)
        yield Band(_epochs(one), one.tolist(), other.tolist(), asked.gap_label, "gap", 0.2)
    for curve in asked.curves:
        if curve.metric in means:
            mean = means[curve.metric]
            yield Line(_epochs(mean), mean.tolist(), curve.label, curve.color, curve.dash, dots=len(mean) <= DOTS_MOST)


def _epochs(mean: F64) -> list[float]:
    return [float(epoch) for epoch in range(len(mean))]


def _ends(asked: CourseKind, courses: Sequence[Course], confidence: float) -> tuple[float, float]:
    """Ends of the vertical axis that hold every arm, so that panels can be compared; 0 is always among them."""
    values = [0.0]
    for course in courses:
        for curve in asked.curves:
            if _is_defined(course, curve):
                mean, half = mean_and_half(course.metrics[curve.metric], confidence)
                half = np.where(np.isfinite(half), half, 0.0)
                values += [float(np.nanmin(mean - half)), float(np.nanmax(mean + half))]
    low, high = min(values), max(values)
    if asked.is_share:
        return 0.0, max(0.05, 1.05 if asked.top is not None else 1.15 * high)
    room = 0.08 * (high - low) or 1.0
    return low - (room if low < 0.0 else 0.0), high + (room if high > 0.0 else 0.0)
