"""The dashboard's charts: the pictures of `analysis/figures` as Plotly figures of the page's size and ground."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mesocosm.analysis.figures.courses import COURSES, course_of_rows, course_panel
from mesocosm.analysis.figures.palette import Theme
from mesocosm.analysis.figures.picture import Axis, Intervals, Line, Panel, Picture, Rule
from mesocosm.analysis.figures.plotly_figure import plotly_figure
from mesocosm.dashboard.plain import plain_words

Rows = Sequence[Mapping[str, Any]]
#: the four charts of the plan, by the kind of picture, with the title and unit that fit half a page
FOUR = {
    "toxicity": ("Toxicity", "share gone wrong"),
    "conditional_loss": ("Conditional loss", "utility a deal"),
    "quality_gap": ("Quality gap", "accepted less rejected"),
    "participation": ("Participation", "share"),
}
FONT = "'Source Sans', 'Source Sans Pro', sans-serif"  # the page's own
HEIGHT, DOTS_UP_TO = 265, 40
LEAST_HEIGHT, LABEL_MOST = 330, 34  # of a frame alone, in pixels; letters of an axis label in a line
CLEAR = "rgba(0,0,0,0)"


def chart_of(kind: str, rows: Rows, epochs: int, theme: Theme) -> Any:
    """One of the four charts of a run over its epochs.

    Params   kind: of FOUR; epochs: how many the run is meant to have, so that the axis does not move as it goes on.
    """
    course = course_of_rows(rows)
    if kind == "conditional_loss":  # half a page has room for the side that the plan asks for
        metrics = {name: values for name, values in course.metrics.items() if "counterparty" not in name}
        course = replace(course, metrics=metrics)
    title, unit = FOUR[kind]
    panel = course_panel(kind, course)
    panel = replace(panel, title="", y=replace(panel.y, label=unit))
    if not rows:
        panel = replace(panel, note="no epoch is over yet", y=replace(panel.y, low=0.0, high=1.0))
    figure = plotly_figure(Picture(kind, "", COURSES[kind].about, (panel,)), theme)
    return _laid_out(figure, title, max(epochs, len(rows), 1), HEIGHT)


def overlay(metric: str, unit: str, runs: Mapping[str, Rows], theme: Theme) -> Any:
    """One metric of several runs over their epochs.

    Params   runs: rows by what each run is called.
    """
    lines = tuple(
        Line(
            [float(row.get("epoch", place)) for place, row in enumerate(rows)],
            [_number(row.get(metric)) for row in rows],
            plain_words(name, 60),
            f"series:{number}",
            ("solid", "dash", "dot")[number // 2 % 3],
            dots=len(rows) <= DOTS_UP_TO,
        )
        for number, (name, rows) in enumerate(runs.items())
    )
    is_positive = not any(value < 0.0 for line in lines for value in line.y)
    y = Axis(unit or metric, from_zero=is_positive, zero_line=not is_positive)
    panel = Panel("", Axis("epoch", whole=True), y, lines)
    longest = max((len(rows) for rows in runs.values()), default=1)
    figure = plotly_figure(Picture("runs", "", "", (panel,)), theme)
    return _laid_out(figure, html.escape(plain_words(metric.replace("_", " "), 60)), longest, 380, is_legend_below=True)


def forest(
    names: Sequence[str],
    effects: Sequence[Sequence[tuple[float, float, float]]],
    told: Sequence[str],
    axis: str,
    theme: Theme,
) -> Any:
    """Effects with their intervals, one row a name, as many marks a row as there are sources.

    Params   effects: for each source one (low, change, high) per name; told: what the sources are called;
             in which unit.
    """
    shift = 0.16 if len(effects) > 1 else 0.0
    marks: list[Intervals | Rule] = [Rule(0.0, "x", color="ink", dash="solid")]
    for number, (rows, source) in enumerate(zip(effects, told, strict=True)):
        low, change, high = (list(column) for column in zip(*rows, strict=True))
        y = [-place + shift * (1 - 2 * number) for place in range(len(names))]
        label = plain_words(source, 60)
        marks.append(Intervals(change, y, low, high, label, f"series:{number}", mark=("circle", "square")[number % 2]))
    ticks = tuple((-float(place), plain_words(name, 28)) for place, name in enumerate(names))
    panel = Panel("", Axis(axis), Axis("", low=0.5 - len(names), high=0.5, ticks=ticks), tuple(marks))
    figure = plotly_figure(Picture("studies", "", "", (panel,)), theme)
    return _laid_out(figure, "", 0, 130 + 46 * max(len(names), 1), is_legend_below=True)


def on_page(figure: Any, height: int) -> Any:
    """A figure made to stand on the page's own ground."""
    figure.update_layout(height=height, paper_bgcolor=CLEAR, plot_bgcolor=CLEAR)
    figure.update_layout(margin={"l": 8, "r": 8, "t": 40, "b": 8}, uirevision="kept", dragmode="pan")
    figure.update_layout(font={"family": FONT, "size": 13})
    return figure


def alone_on_page(figure: Any, height: int) -> Any:
    """A single frame of a picture, its legend below its axis, at whatever width."""
    on_page(figure, max(height, LEAST_HEIGHT))
    figure.update_layout(
        legend={"x": 0.0, "y": 0.0, "yref": "container", "yanchor": "bottom", "font": {"size": 12}},
        margin={"b": 104},
        dragmode=False,
    )
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        axis.title.text = "<br>".join(textwrap.wrap(axis.title.text or "", LABEL_MOST))
        axis.title.font.size = 13
    return figure


def _laid_out(figure: Any, title: str, epochs: int, height: int, *, is_legend_below: bool = False) -> Any:
    """Title, legend and epochs where a chart of the page has them."""
    on_page(figure, height)
    figure.layout.annotations = [note for note in figure.layout.annotations if note.text]
    figure.update_layout(
        title={"text": f"<b>{title}</b>", "font": {"size": 16}, "x": 0.0, "y": 0.98, "yanchor": "top"},
        margin={"t": 40 if is_legend_below else 58},
        legend={"x": 0.0} | ({"y": -0.26, "yanchor": "top"} if is_legend_below else {"y": 1.01, "yanchor": "bottom"}),
        dragmode=False,
    )
    if epochs:
        figure.update_xaxes(range=[-0.4, max(epochs, 2) - 0.6], dtick=1 if epochs <= 12 else None)
    return figure


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan
