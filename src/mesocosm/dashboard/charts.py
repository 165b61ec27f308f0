"""The dashboard's charts, as Plotly figures made from rows of metrics; all text of others in them is escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mesocosm.analysis.plots import GREEN, PROXY, QUIET, TRUE
from mesocosm.dashboard.plain import chart_words

Rows = Sequence[Mapping[str, Any]]
#: hues of Okabe and Ito, told apart by everyone, for runs beside each other
SERIES = (PROXY, TRUE, GREEN, "#E69F00", "#CC79A7", "#56B4E9")
HEIGHT = 250
#: the four charts of the plan: title, unit, and the lines (metric, name, colour, dash)
FOUR: dict[str, tuple[str, str, tuple[tuple[str, str, str, str], ...]]] = {
    "toxicity": (
        "Toxicity",
        "share of accepted deals",
        (("toxicity_true", "true", TRUE, "solid"), ("toxicity_rate", "by proxy", PROXY, "dash")),
    ),
    "loss": (
        "Conditional loss of initiators",
        "credits a deal",
        (
            ("conditional_loss_initiator_true", "true", TRUE, "solid"),
            ("conditional_loss_initiator", "by proxy", PROXY, "dash"),
        ),
    ),
    "gap": (
        "Quality gap",
        "accepted less rejected",
        (("quality_gap_true", "true", TRUE, "solid"), ("quality_gap", "by proxy", PROXY, "dash")),
    ),
    "participation": (
        "Participation",
        "share",
        (
            ("participation", "agents taking part", GREEN, "solid"),
            ("acceptance_rate", "proposals accepted", QUIET, "dash"),
        ),
    ),
}


def chart_of(name: str, rows: Rows, epochs: int) -> Any:
    """One of the four charts of a run over its epochs.

    Params   name: of FOUR; epochs: how many the run is meant to have, so that the axis does not move as it goes on.
    """
    title, unit, lines = FOUR[name]
    x = [row.get("epoch", number) for number, row in enumerate(rows)]
    figure = _frame(title, unit, max(epochs, len(rows)))
    values = [[_number(row.get(metric)) for row in rows] for metric, *_ in lines]
    if name == "toxicity" and rows:
        _shade(figure, x, values[0], values[1])
    for (_, label, colour, dash), ys in zip(lines, values, strict=True):
        figure.add_scatter(
            x=x,
            y=ys,
            name=label,
            mode="lines+markers" if len(rows) <= 40 else "lines",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"size": 5},
            hovertemplate="%{y:.3f}",
        )
    known = [value for column in values for value in column if value is not None]
    if name in ("toxicity", "participation"):
        figure.update_yaxes(range=[0, 1.04 if name == "participation" else max(0.05, 1.2 * max(known, default=0.8))])
    else:
        figure.update_yaxes(zeroline=True, zerolinewidth=1.5, zerolinecolor=QUIET, rangemode="tozero")
    if not known:
        _nothing(figure, "undefined in every epoch" if rows else "no epoch is over yet")
    return figure


def _shade(figure: Any, x: list[Any], true: list[float | None], proxy: list[float | None]) -> None:
    """Shade the Goodhart gap where both lines are defined."""
    pairs = [(at, a, b) for at, a, b in zip(x, true, proxy, strict=True) if a is not None and b is not None]
    if not pairs:
        return
    at, low, high = (list(column) for column in zip(*pairs, strict=True))
    quiet: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(x=at, y=low, **quiet)
    figure.add_scatter(
        x=at, y=high, fill="tonexty", fillcolor="rgba(138,138,138,0.22)", name="gap", **quiet | {"showlegend": True}
    )


def overlay(metric: str, unit: str, runs: Mapping[str, Rows]) -> Any:
    """One metric of several runs over their epochs.

    Params   runs: rows by what each run is called.
    """
    figure = _frame(metric.replace("_", " "), unit, max((len(rows) for rows in runs.values()), default=1), height=380)
    for number, (name, rows) in enumerate(runs.items()):
        figure.add_scatter(
            x=[row.get("epoch", place) for place, row in enumerate(rows)],
            y=[_number(row.get(metric)) for row in rows],
            name=chart_words(name),
            mode="lines+markers",
            line={
                "color": SERIES[number % len(SERIES)],
                "dash": ("solid", "dash", "dot")[number // 2 % 3],
                "width": 2,
            },
            marker={"size": 5},
            hovertemplate="%{y:.4f}",
        )
    figure.update_layout(legend={"y": -0.22, "yanchor": "top"}, margin={"t": 40})
    return figure


def forest(names: Sequence[str], effects: Sequence[Sequence[tuple[float, float, float]]], told: Sequence[str]) -> Any:
    """Effects with their intervals, one row a name, as many marks a row as there are sources.

    Params   effects: for each source one (low, change, high) per name; told: what the sources are called.
    """
    figure = _frame("Change from the base, with its interval", "", 1, height=120 + 46 * max(len(names), 1))
    shift = 0.18 if len(effects) > 1 else 0.0
    for number, (rows, source) in enumerate(zip(effects, told, strict=True)):
        figure.add_scatter(
            x=[_number(change) for _, change, _ in rows],
            y=[place + shift * (1 - 2 * number) for place in range(len(names))],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [_number(high - change) for _, change, high in rows],
                "arrayminus": [_number(change - low) for low, change, _ in rows],
            },
            name=chart_words(source),
            mode="markers",
            marker={"color": SERIES[number], "size": 9, "symbol": ("circle", "square")[number % 2]},
            hovertemplate="%{x:.4f}",
        )
    figure.add_vline(x=0, line={"color": QUIET, "width": 1.5})
    figure.update_xaxes(title="change", range=None, autorange=True, dtick=None, hoverformat=".4f")
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[chart_words(name, 28) for name in names],
        range=[len(names) - 0.5, -0.5],
        title="",
    )
    figure.update_layout(hovermode="closest")
    return figure


def _frame(title: str, unit: str, epochs: int, height: int = HEIGHT) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        title={"text": chart_words(title), "font": {"size": 15}, "x": 0, "y": 0.97, "yanchor": "top"},
        height=height,
        margin={"l": 8, "r": 8, "t": 62, "b": 8},
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        showlegend=True,
        uirevision="kept",
    )
    figure.update_xaxes(
        title={"text": "epoch", "standoff": 6},
        range=[-0.4, max(epochs, 2) - 0.6],
        automargin=True,
        dtick=1 if epochs <= 12 else None,
    )
    figure.update_yaxes(title={"text": unit, "standoff": 8}, automargin=True)
    return figure


def _nothing(figure: Any, why: str) -> None:
    figure.add_annotation(
        text=why, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"color": QUIET, "size": 13}
    )


def _number(value: Any) -> float | None:
    """A number that a chart can show, or None, which leaves a gap."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
