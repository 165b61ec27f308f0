"""A picture drawn by Plotly, for pages one can point at; the same columns and colours as in the files."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from mesocosm.analysis.figures.palette import LIGHT, Theme, cell_color
from mesocosm.analysis.figures.picture import (
    Axis,
    Band,
    Bars,
    Cells,
    Intervals,
    Line,
    Mark,
    Panel,
    Picture,
    Points,
    Rule,
    Segments,
    Span,
    names_lean_left,
)
from mesocosm.errors import UsageError

DASHES = {"solid": "solid", "dash": "dash", "dot": "dot"}
SYMBOLS = {
    "circle": "circle", "square": "square", "triangle": "triangle-up", "diamond": "diamond", "cross": "x",
    "star": "star", "pentagon": "pentagon", "plus": "cross", "hexagon": "hexagon", "down": "triangle-down",
}  # fmt: skip
INCH = 88  # pixels


def plotly_figure(picture: Picture, theme: Theme = LIGHT) -> Any:
    """The figure of a picture as a plotly.graph_objects.Figure, as wide as its page; every text is escaped.

    Raises   UsageError when Plotly is not installed.
    """
    try:
        from plotly.subplots import make_subplots
    except ModuleNotFoundError as error:
        raise UsageError("pages with pictures need Plotly: pip install 'mesocosm[dashboard]'.") from error
    height = int(picture.rows * picture.panel_size[1] * INCH + 90)
    titles = [html.escape(panel.title) for panel in picture.panels]
    spare = [""] * (picture.rows * picture.columns - len(titles))
    figure = make_subplots(
        picture.rows, picture.columns, subplot_titles=titles + spare,
        horizontal_spacing=0.09 / picture.columns + 0.03, vertical_spacing=min(78.0 / height, 0.9 / picture.rows),
    )  # fmt: skip
    known: set[str] = set()
    for place, panel in enumerate(picture.panels):
        where = {"row": place // picture.columns + 1, "col": place % picture.columns + 1}
        _add_panel(figure, panel, theme, where, known)
        is_told_below, is_told_left = picture.says_again(place)
        if is_told_below:
            figure.update_xaxes(title_text="", **where)
        if is_told_left:
            figure.update_yaxes(title_text="", **where)
    for way, update in (("x", figure.update_xaxes), ("y", figure.update_yaxes)):
        if len(picture.panels) > 1 and picture.has_same_axis(way):
            update(matches=way)
    ink, paper, quiet = (theme.color(name) for name in ("ink", "paper", "quiet"))
    figure.update_layout(
        height=height,
        margin={"l": 60, "r": 16, "t": 40, "b": 40},
        paper_bgcolor=paper,
        plot_bgcolor=paper,
        font={"color": ink, "size": 12},
        hoverlabel={"bgcolor": paper, "font": {"color": ink}, "bordercolor": quiet, "align": "left"},
        legend={"orientation": "h", "yanchor": "top", "y": -60.0 / height, "x": 0.0},
        barmode="overlay",
        hovermode="closest",
    )
    figure.update_annotations(font={"size": 13, "color": ink})
    return figure


def _add_panel(figure: Any, panel: Panel, theme: Theme, where: dict[str, int], known: set[str]) -> None:
    for mark in panel.marks:
        for trace in _traces(panel, mark, theme):
            name = trace.name
            trace.update(legendgroup=name or None, showlegend=bool(name) and trace.showlegend is not False
                         and name not in known)  # fmt: skip
            if trace.showlegend:
                known.add(name)
            figure.add_trace(trace, **where)
    for mark in panel.marks:  # Plotly drops the lines of a panel that has no trace yet
        if isinstance(mark, Rule | Span):
            _add_rule(figure, mark, theme, where)
    told = panel.note or ("nothing to show" if panel.is_empty else "")
    if told:
        middle = panel.is_empty
        figure.add_annotation(
            text=html.escape(told), showarrow=False, xref="x domain", yref="y domain", x=0.5 if middle else 1.0,
            y=0.5 if middle else 1.0, xanchor="center" if middle else "right", font={"color": theme.color("quiet")},
            **where,
        )  # fmt: skip
    _dress(figure.update_xaxes, panel.x, theme, where)
    _dress(figure.update_yaxes, panel.y, theme, where)
    if panel.square:
        number = figure.get_subplot(where["row"], where["col"]).xaxis.plotly_name.removeprefix("xaxis")
        figure.update_yaxes(scaleanchor=f"x{number}", constrain="domain", **where)
        figure.update_xaxes(constrain="domain", **where)


def _dress(update: Any, axis: Axis, theme: Theme, where: dict[str, int]) -> None:
    grid, ink = theme.color("grid"), theme.color("ink")
    look: dict[str, Any] = {
        "title": {"text": html.escape(axis.label), "standoff": 6}, "gridcolor": grid, "zeroline": axis.zero_line,
        "zerolinecolor": ink, "linecolor": theme.color("quiet"), "visible": axis.shown, "automargin": True,
    }  # fmt: skip
    if axis.ticks:
        look |= {"tickvals": [place for place, _ in axis.ticks], "showgrid": False}
        look["ticktext"] = [html.escape(name) for _, name in axis.ticks]
    if axis.log:
        look["type"] = "log"
    elif axis.from_zero and axis.low is None and axis.high is None:
        look["rangemode"] = "tozero"
    elif axis.low is not None or axis.high is not None or axis.from_zero:
        low = axis.low if axis.low is not None else 0.0 if axis.from_zero else None
        look["range"] = [low, axis.high]
    update(**look, **where)


def _traces(panel: Panel, mark: Mark, theme: Theme) -> list[Any]:
    import plotly.graph_objects as go

    if isinstance(mark, Line):
        look = {"color": theme.color(mark.color), "dash": DASHES[mark.dash], "width": mark.width + 0.4}
        if mark.step:
            look["shape"] = "hv"
        told = f"{_safe(mark.label)}: " if mark.label else ""
        hover = f"{told}%{{y:.4g}} ({_safe(panel.x.label)} %{{x:.4g}})<extra></extra>"
        return [go.Scatter(x=list(mark.x), y=list(mark.y), mode="lines+markers" if mark.dots else "lines", line=look,
                           name=_escaped(mark.label), hovertemplate=hover)]  # fmt: skip
    if isinstance(mark, Band):
        fill = _faint(theme.color(mark.color), mark.alpha)
        low = go.Scatter(x=list(mark.x), y=list(mark.low), mode="lines", line={"width": 0}, hoverinfo="skip",
                         showlegend=False)  # fmt: skip
        high = go.Scatter(x=list(mark.x), y=list(mark.high), mode="lines", line={"width": 0}, fill="tonexty",
                          fillcolor=fill, hoverinfo="skip", name=_escaped(mark.label))  # fmt: skip
        return [low, high]
    if isinstance(mark, Points):
        return [_points(mark, theme)]
    if isinstance(mark, Segments):
        return _segments(mark, theme)
    if isinstance(mark, Bars):
        return [go.Bar(x=list(mark.x), y=list(mark.height), width=mark.width, opacity=mark.alpha,
                       marker={"color": theme.color(mark.color), "line": {"width": 0}}, name=_escaped(mark.label),
                       **_hover(mark.tips))]  # fmt: skip
    if isinstance(mark, Intervals):
        return [_intervals(mark, theme)]
    return [_cells(mark, theme)] if isinstance(mark, Cells) else []


def _points(mark: Points, theme: Theme) -> Any:
    import plotly.graph_objects as go

    area = list(mark.size) or [24.0]
    across = [1.35 * math.sqrt(value) for value in area]
    symbol = SYMBOLS[mark.mark] + ("-open" if mark.ring else "")
    color = theme.color(mark.color)
    edge = {"width": 2 if mark.ring else 0.5, "color": color if mark.ring else theme.color("paper")}
    look = {
        "symbol": symbol,
        "size": across if len(across) > 1 else across[0],
        "color": color,
        "line": edge,
        "opacity": 1,
    }
    named = bool(mark.names)
    return go.Scatter(
        x=list(mark.x), y=list(mark.y), mode="markers+text" if named else "markers", marker=look,
        name=_escaped(mark.label), text=[html.escape(name) for name in mark.names] or None,
        textposition=_beside(mark.x), **_hover(mark.tips),
    )  # fmt: skip


def _segments(mark: Segments, theme: Theme) -> list[Any]:
    """A trace for each of a few widths: a line of Plotly has one."""
    import plotly.graph_objects as go

    if not len(mark.x0):
        return []
    width = list(mark.width) if len(mark.width) > 1 else [*mark.width] * len(mark.x0)
    steps: dict[float, list[int]] = {}
    for number, value in enumerate(width):
        steps.setdefault(round(2.0 * value) / 2.0 or 0.5, []).append(number)
    traces = []
    for place, (wide, rows) in enumerate(sorted(steps.items())):
        x, y = list[float | None](), list[float | None]()
        for number in rows:
            x += [mark.x0[number], mark.x1[number], None]
            y += [mark.y0[number], mark.y1[number], None]
        look = {"color": _faint(theme.color(mark.color), mark.alpha), "width": wide, "dash": DASHES[mark.dash]}
        traces.append(go.Scatter(x=x, y=y, mode="lines", line=look, hoverinfo="skip", name=_escaped(mark.label),
                                 showlegend=None if place == 0 else False))  # fmt: skip
    return traces


def _intervals(mark: Intervals, theme: Theme) -> Any:
    import plotly.graph_objects as go

    middle = mark.x if mark.along == "x" else mark.y
    ends = {
        "type": "data", "symmetric": False, "thickness": 2, "width": 0, "color": theme.color(mark.color),
        "array": [_distance(high, at) for high, at in zip(mark.high, middle, strict=True)],
        "arrayminus": [_distance(at, low) for low, at in zip(mark.low, middle, strict=True)],
    }  # fmt: skip
    return go.Scatter(
        x=list(mark.x), y=list(mark.y), mode="markers+text" if mark.names else "markers",
        marker={"symbol": SYMBOLS[mark.mark], "size": 9, "color": theme.color(mark.color)},
        text=[html.escape(name) for name in mark.names] or None, textposition=_beside(mark.x),
        name=_escaped(mark.label), **{f"error_{mark.along}": ends}, **_hover(mark.tips),
    )  # fmt: skip


def _beside(x: Sequence[float]) -> list[str]:
    """Where names are written beside their marks."""
    return ["top left" if is_left else "top right" for is_left in names_lean_left(x)]


def _distance(one: float, other: float) -> float | None:
    return one - other if math.isfinite(one) and math.isfinite(other) else None


def _cells(mark: Cells, theme: Theme) -> Any:
    """Squares of a heat map, blue below 0 and brown above; a cell that is not clear of 0 is set in parentheses."""
    import plotly.graph_objects as go

    columns, rows = int(max(mark.x, default=0)) + 1, int(max(mark.y, default=0)) + 1
    value: list[list[float | None]] = [[None] * columns for _ in range(rows)]
    text, tips = ([[""] * columns for _ in range(rows)] for _ in range(2))
    for number, (x, y) in enumerate(zip(mark.x, mark.y, strict=True)):
        told = mark.texts[number] if mark.texts else ""
        is_clear = not mark.clear or mark.clear[number]
        text[int(y)][int(x)] = html.escape(told if is_clear or not told else f"({told})")
        tips[int(y)][int(x)] = html.escape(mark.tips[number]) if mark.tips else ""
        if math.isfinite(mark.value[number]):
            value[int(y)][int(x)] = mark.value[number]
    scale = [
        (place, _faint(theme.color(cell_color(2.0 * place - 1.0, 1.0)[0]), 0.85 * abs(2.0 * place - 1.0)))
        for place in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    return go.Heatmap(
        z=value, text=text, customdata=tips, texttemplate="%{text}", hovertemplate="%{customdata}<extra></extra>",
        zmin=-mark.limit, zmax=mark.limit, colorscale=scale, showscale=False, xgap=2, ygap=2,
    )  # fmt: skip


def _add_rule(figure: Any, mark: Rule | Span, theme: Theme, where: dict[str, int]) -> None:
    color = theme.color(mark.color)
    if isinstance(mark, Span):
        add, ends = (figure.add_vrect, ("x0", "x1")) if mark.axis == "x" else (figure.add_hrect, ("y0", "y1"))
        add(**{ends[0]: mark.low, ends[1]: mark.high}, fillcolor=color, opacity=mark.alpha, line_width=0, layer="below",
            **where)  # fmt: skip
        return
    add, at = (figure.add_vline, "x") if mark.axis == "x" else (figure.add_hline, "y")
    look: dict[str, Any] = {"line": {"color": color, "dash": DASHES[mark.dash], "width": 1.3}}
    if mark.label:
        look |= {"annotation_text": html.escape(mark.label), "annotation_position": "top right"}
    add(**{at: mark.at}, **look, **where)


def _hover(tips: Sequence[str]) -> dict[str, Any]:
    """Texts of one's own when a mark is pointed at."""
    if not tips:
        return {}
    return {"customdata": [html.escape(tip) for tip in tips], "hovertemplate": "%{customdata}<extra></extra>"}


def _escaped(label: str) -> str | None:
    return html.escape(label) if label else None


def _safe(text: str) -> str:
    """A text inside a hover template, in which braces would name a field."""
    return html.escape(text).replace("%", "&#37;").replace("{", "&#123;").replace("}", "&#125;")


def _faint(color: str, alpha: float) -> str:
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:.3g})"
