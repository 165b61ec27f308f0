"""A picture drawn by Matplotlib, on white or on black, into PNG and SVG: equal pictures to equal bytes."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesocosm.analysis.figures.palette import LIGHT, Theme
from mesocosm.analysis.figures.picture import (
    Axis,
    Band,
    Bars,
    Cells,
    Intervals,
    Line,
    Panel,
    Picture,
    Points,
    Rule,
    Segments,
    Span,
)
from mesocosm.errors import MesocosmError

DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (4, 2)), "dot": (0, (1, 1.6))}
MARKS = {
    "circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "X", "star": "*", "pentagon": "p",
    "plus": "P", "hexagon": "h", "down": "v",
}  # fmt: skip
TICKS_EACH = 12  # epochs up to which each has a tick of its own
LINE_INCHES, SIGNS_AN_INCH = 0.17, 15.5
LEGEND_MOST = 10


@dataclass(frozen=True)
class Drawn:
    """A figure and the frame of each panel, in order."""

    figure: Any
    frames: tuple[Any, ...]


def style_of(theme: Theme, *, is_embedded: bool = False) -> dict[str, Any]:
    """Settings of Matplotlib for a theme.

    Params   is_embedded: letters stay letters, for a page that has fonts of its own.
    """
    ink, quiet, paper = (theme.color(name) for name in ("ink", "quiet", "paper"))
    return {
        "font.size": 9,
        "font.family": ["DejaVu Sans"],
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": quiet,
        "axes.labelcolor": ink,
        "axes.titlecolor": ink,
        "text.color": ink,
        "text.parse_math": False,  # a stranger's text is no formula
        "xtick.color": ink,
        "ytick.color": ink,
        "legend.frameon": False,
        "figure.facecolor": paper,
        "axes.facecolor": paper,
        "savefig.facecolor": paper,
        "svg.hashsalt": "mesocosm",
        "svg.fonttype": "none" if is_embedded else "path",
    }


def write_picture(picture: Picture, folder: Path, name: str, theme: Theme = LIGHT) -> list[Path]:
    """Draw a picture into name.png and name.svg of a folder; returns the files written.

    Raises   MesocosmError when the disk refuses.
    """
    import matplotlib as mpl

    with mpl.rc_context(style_of(theme)):
        return write_figure(draw_picture(picture, theme).figure, folder, name)


def write_figure(figure: Any, folder: Path, name: str) -> list[Path]:
    """Write a figure into name.png and name.svg of a folder, equal figures to equal bytes; returns the files.

    Raises   MesocosmError when the disk refuses.
    """
    written = []
    for ending in ("png", "svg"):
        path = folder / f"{name}.{ending}"
        facts = {"Software": None} if ending == "png" else {"Date": None, "Creator": None}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Glyph .* missing")  # names in scripts without a font here
                figure.savefig(path, dpi=150, metadata=facts)
        except OSError as error:
            raise MesocosmError(f"{path}: cannot write this picture: {error.strerror or error}.") from error
        written.append(path)
    return written


def draw_picture(picture: Picture, theme: Theme, *, has_head: bool = True) -> Drawn:
    """The figure of a picture, under settings that `style_of` gives.

    Params   has_head: whether title and explanation are drawn; a page has them in its own text.
    """
    from matplotlib.figure import Figure

    wide = picture.columns * picture.panel_size[0]
    head = list(_head(picture, wide)) if has_head else []
    shared = _shared_legend(picture)
    foot = LINE_INCHES * 1.35 * len(_legend_rows(shared, wide)) + 0.06 if shared else 0.0
    top = LINE_INCHES * len(head) + 0.22 if head else 0.0
    body = picture.rows * picture.panel_size[1]
    figure = Figure(figsize=(wide, top + body + foot), layout="constrained")
    heights = [height for height in (top, body, foot) if height]
    parts = list(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    if head:
        _write_head(parts[0], head, top)
    middle = parts[1 if head else 0]
    grid = middle.subplots(picture.rows, picture.columns, squeeze=False)
    frames = tuple(grid.flat)[: len(picture.panels)]
    for empty in tuple(grid.flat)[len(picture.panels) :]:
        empty.axis("off")
    for frame, panel in zip(frames, picture.panels, strict=True):
        draw_panel(frame, panel, theme, has_legend=not shared)
    if shared:
        _write_legend(parts[-1], frames, shared, wide)
    return Drawn(figure, frames)


def draw_panel(frame: Any, panel: Panel, theme: Theme, *, has_legend: bool = True) -> None:
    """Draw a panel into a frame of a figure."""
    frame.set_title(panel.title, wrap=True)
    for order, mark in enumerate(panel.marks):
        _DRAW[type(mark)](frame, mark, theme, 2.0 + 0.01 * order)
    if panel.is_empty:
        told = panel.note or "nothing to show"
        frame.text(0.5, 0.5, told, transform=frame.transAxes, ha="center", va="center", color=theme.color("quiet"))
    _dress_axis(frame, panel.x, "x", theme, is_empty=panel.is_empty)
    _dress_axis(frame, panel.y, "y", theme, is_empty=panel.is_empty)
    if panel.square:
        frame.set_aspect("equal", adjustable="box" if panel.x.low is not None else "datalim")
    frame.set_axisbelow(True)
    handles, labels = frame.get_legend_handles_labels()
    if has_legend and labels:
        known = dict(zip(labels, handles, strict=True))
        columns = 2 if len(known) > 3 else 1
        frame.legend(
            list(known.values()), list(known), loc="upper left", bbox_to_anchor=(-0.02, -0.19 if panel.x.shown else 0.0),
            fontsize=7.5, handlelength=2.2, ncols=columns, borderaxespad=0.0, markerscale=0.9,
        )  # fmt: skip


def _head(picture: Picture, wide: float) -> Iterator[tuple[str, bool]]:
    """Lines of the head, and whether each is bold."""
    room = int(wide * SIGNS_AN_INCH)
    yield from ((line, True) for line in textwrap.wrap(picture.title, int(room * 0.8)))
    yield from ((line, False) for line in textwrap.wrap(picture.about, room))
    if picture.left_out:
        told = f"Not drawn: {'; '.join(picture.left_out)}."
        yield from ((line, False) for line in textwrap.wrap(told, room))


def _write_head(part: Any, head: Sequence[tuple[str, bool]], top: float) -> None:
    for number, (line, is_bold) in enumerate(head):
        y = 1.0 - (0.1 + LINE_INCHES * number) / top
        part.text(
            0.012, y, line, ha="left", va="top", fontsize=10.5 if is_bold else 8,
            fontweight="bold" if is_bold else "normal",
        )  # fmt: skip


def _labels(panel: Panel) -> dict[str, str]:
    """The labels of a panel's legend, each with its colour."""
    return {
        mark.label: mark.color
        for mark in panel.marks
        if not isinstance(mark, Cells | Rule) and mark.label
    }


def _shared_legend(picture: Picture) -> list[str]:
    """The labels of one legend for all panels, where they say the same; else none."""
    if len(picture.panels) < 2:
        return []
    colors: dict[str, str] = {}
    repeated = 0
    for panel in picture.panels:
        for label, color in _labels(panel).items():
            if colors.setdefault(label, color) != color:
                return []
            repeated += 1
    return list(colors) if repeated > len(colors) and len(colors) <= LEGEND_MOST else []


def _legend_rows(labels: Sequence[str], wide: float) -> list[list[str]]:
    """Labels in rows that fit the width."""
    rows: list[list[str]] = [[]]
    room = 0.0
    for label in labels:
        need = 0.075 * len(label) + 0.6
        if rows[-1] and room + need > wide:
            rows.append([])
            room = 0.0
        rows[-1].append(label)
        room += need
    return rows


def _write_legend(part: Any, frames: Sequence[Any], labels: Sequence[str], wide: float) -> None:
    known: dict[str, Any] = {}
    for frame in frames:
        for handle, label in zip(*frame.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    rows = _legend_rows([label for label in labels if label in known], wide)
    for number, row in enumerate(rows):
        y = 1.0 - number / len(rows)
        legend = part.legend(
            [known[label] for label in row], row, loc="upper left", bbox_to_anchor=(0.008, y), ncols=len(row),
            fontsize=8, handlelength=2.2, columnspacing=1.4, borderaxespad=0.0,
        )  # fmt: skip
        legend.set_in_layout(False)


def _dress_axis(frame: Any, axis: Axis, way: str, theme: Theme, *, is_empty: bool) -> None:
    side = getattr(frame, f"{way}axis")
    if not axis.shown:
        side.set_visible(False)
        frame.spines["bottom" if way == "x" else "left"].set_visible(False)
        return
    getattr(frame, f"set_{way}label")(axis.label)
    if axis.log:
        getattr(frame, f"set_{way}scale")("log")
    if axis.zero_line:
        (frame.axvline if way == "x" else frame.axhline)(0.0, color=theme.color("ink"), linewidth=0.9, zorder=1.9)
    set_limits, limits = getattr(frame, f"set_{way}lim"), getattr(frame, f"get_{way}lim")
    if axis.from_zero and axis.low is None and not is_empty:
        set_limits(min(0.0, -0.03 * limits()[1]) if way == "x" else 0.0, limits()[1])
    if axis.low is not None:
        set_limits(left=axis.low) if way == "x" else set_limits(bottom=axis.low)
    if axis.high is not None:
        set_limits(right=axis.high) if way == "x" else set_limits(top=axis.high)
    if axis.ticks:
        side.set_ticks([place for place, _ in axis.ticks], [name for _, name in axis.ticks], fontsize=8)
        side.set_tick_params(length=0)
    elif axis.whole:
        side.get_major_locator().set_params(integer=True)
    if not axis.ticks:
        frame.grid(axis=way, color=theme.color("grid"), linewidth=0.7)


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
    for name, left, up in zip(names, x, y, strict=False):
        if math.isfinite(left) and math.isfinite(up):
            frame.annotate(
                name, (left, up), (6, 5), textcoords="offset points", fontsize=7, color=theme.color("ink"), zorder=4
            )


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


def cell_color(value: float, limit: float) -> tuple[str, float]:
    """Token and opacity of a cell: blue below 0, vermilion above, in full at the limit.

    Example
        >>> cell_color(-0.5, 1.0)
        ('falls', 0.5)
    """
    if not math.isfinite(value):
        return "quiet", 0.0
    return ("falls" if value < 0.0 else "rises"), min(abs(value) / limit, 1.0)


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
            frame.text(x, y, mark.texts[number], ha="center", va="center", fontsize=7.5, color=theme.color("ink"))


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
