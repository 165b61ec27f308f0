"""The marks of a picture drawn by Matplotlib, each by a function of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mesocosm.analysis.figures.palette import Theme, cell_color
from mesocosm.analysis.figures.picture import (
    Band,
    Bars,
    Cells,
    Intervals,
    Line,
    Mark,
    Points,
    Rule,
    Segments,
    Span,
    names_lean_left,
)

DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (4, 2)), "dot": (0, (1, 1.6))}
MARKS = {
    "circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "X", "star": "*", "pentagon": "p",
    "plus": "P", "hexagon": "h", "down": "v",
}  # fmt: skip


def draw_mark(frame: Any, mark: Mark, theme: Theme, order: float) -> None:
    """Draw a mark into a frame.

    Params   order: what is drawn above what, higher above lower.
    """
    _DRAW[type(mark)](frame, mark, theme, order)


def _line(frame: Any, mark: Line, theme: Theme, order: float) -> None:
    frame.plot(
        mark.x, mark.y, linestyle=DASHES[mark.dash], color=theme.color(mark.color), linewidth=mark.width,
        label=mark.label or None, marker="o" if mark.dots else "", markersize=3.5, zorder=order,
        drawstyle="steps-post" if mark.step else "default",
    )  # fmt: skip


def _band(frame: Any, mark: Band, theme: Theme, order: float) -> None:
    defined = [math.isfinite(a) and math.isfinite(b) for a, b in zip(mark.low, mark.high, strict=True)]
    frame.fill_between(
        mark.x, mark.low, mark.high, where=defined, color=theme.color(mark.color), alpha=mark.alpha, linewidth=0,
        label=mark.label or None, zorder=order - 0.5,
    )  # fmt: skip


def _points(frame: Any, mark: Points, theme: Theme, order: float) -> None:
    area = list(mark.size) or [24.0]
    color = theme.color(mark.color)
    look = {"facecolors": "none", "edgecolors": color, "linewidths": 1.4} if mark.ring else {
        "color": color, "edgecolors": theme.color("paper"), "linewidths": 0.5}  # fmt: skip
    frame.scatter(
        mark.x, mark.y, s=area if len(area) > 1 else area[0], marker=MARKS[mark.mark], label=mark.label or None,
        zorder=order, **look,
    )  # fmt: skip
    _names(frame, mark.names, mark.x, mark.y, theme)


def _names(frame: Any, names: Sequence[str], x: Sequence[float], y: Sequence[float], theme: Theme) -> None:
    """Write names beside marks, towards the middle: to the left of those on the right."""
    for name, at, up, is_left in zip(names, x, y, names_lean_left(x), strict=False):
        if name and math.isfinite(at) and math.isfinite(up):
            frame.annotate(
                name, (at, up), (-7 if is_left else 7, 6), textcoords="offset points", fontsize=7,
                color=theme.color("ink"), ha="right" if is_left else "left", zorder=4,
            )  # fmt: skip


def _segments(frame: Any, mark: Segments, theme: Theme, order: float) -> None:
    from matplotlib.collections import LineCollection

    ends = [((a, b), (c, d)) for a, b, c, d in zip(mark.x0, mark.y0, mark.x1, mark.y1, strict=True)]
    lines = LineCollection(
        ends, linewidths=list(mark.width), colors=theme.color(mark.color), alpha=mark.alpha, zorder=order,
        linestyles=[DASHES[mark.dash]], label=mark.label or None,
    )  # fmt: skip
    frame.add_collection(lines)
    frame.autoscale_view()


def _bars(frame: Any, mark: Bars, theme: Theme, order: float) -> None:
    frame.bar(
        mark.x, mark.height, mark.width, color=theme.color(mark.color), alpha=mark.alpha, label=mark.label or None,
        zorder=order, linewidth=0,
    )  # fmt: skip


def _intervals(frame: Any, mark: Intervals, theme: Theme, order: float) -> None:
    color = theme.color(mark.color)
    for x, y, low, high in zip(mark.x, mark.y, mark.low, mark.high, strict=True):
        if math.isfinite(low) and math.isfinite(high):
            ends = ([low, high], [y, y]) if mark.along == "x" else ([x, x], [low, high])
            frame.plot(*ends, color=color, linewidth=1.8, solid_capstyle="butt", alpha=0.75, zorder=order)
    frame.plot(
        mark.x, mark.y, linestyle="", marker=MARKS[mark.mark], color=color, markersize=5.5, label=mark.label or None,
        zorder=order + 0.005,
    )  # fmt: skip
    _names(frame, mark.names, mark.x, mark.y, theme)
    for x, y in zip(mark.x, mark.y, strict=True):
        if not math.isfinite(x):
            frame.text(0.0, y, "undefined", ha="center", va="center", color=theme.color("quiet"), fontsize=7.5)


def _cells(frame: Any, mark: Cells, theme: Theme, order: float) -> None:
    from matplotlib.patches import Rectangle

    for number, (x, y, value) in enumerate(zip(mark.x, mark.y, mark.value, strict=True)):
        token, alpha = cell_color(value, mark.limit)
        place = (x - 0.48, y - 0.48)
        frame.add_patch(Rectangle(place, 0.96, 0.96, facecolor=theme.color(token), alpha=0.85 * alpha, linewidth=0))
        is_clear = not mark.clear or mark.clear[number]
        edge = theme.color("ink" if is_clear else "quiet")
        frame.add_patch(Rectangle(place, 0.96, 0.96, fill=False, edgecolor=edge, linewidth=0.8 if is_clear else 0.4))
        if not is_clear:
            ends = ([x - 0.48, x + 0.48], [y - 0.48, y + 0.48])
            frame.plot(*ends, color=theme.color("quiet"), linewidth=0.8, alpha=0.7)
        if mark.texts:
            frame.text(x, y, mark.texts[number], ha="center", va="center", fontsize=7.5,
                       color=theme.color("paper" if alpha > 0.6 else "ink"))  # fmt: skip


def _rule(frame: Any, mark: Rule, theme: Theme, order: float) -> None:
    color = theme.color(mark.color)
    across = mark.axis == "x"
    (frame.axvline if across else frame.axhline)(
        mark.at, color=color, linestyle=DASHES[mark.dash], linewidth=1.1, zorder=order - 0.4
    )
    if mark.label:
        place, spot = ((mark.at, 0.995), (3, -2)) if across else ((0.995, mark.at), (-2, 3))
        transform = frame.get_xaxis_transform() if across else frame.get_yaxis_transform()
        frame.annotate(
            mark.label, place, spot, xycoords=transform, textcoords="offset points", fontsize=7.5, color=color,
            ha="left" if across else "right", va="top" if across else "bottom",
        )  # fmt: skip


def _span(frame: Any, mark: Span, theme: Theme, order: float) -> None:
    (frame.axvspan if mark.axis == "x" else frame.axhspan)(
        mark.low, mark.high, color=theme.color(mark.color), alpha=mark.alpha, linewidth=0, label=mark.label or None,
        zorder=1.0,
    )  # fmt: skip


_DRAW: dict[type, Any] = {
    Line: _line,
    Band: _band,
    Points: _points,
    Segments: _segments,
    Bars: _bars,
    Intervals: _intervals,
    Cells: _cells,
    Rule: _rule,
    Span: _span,
}
