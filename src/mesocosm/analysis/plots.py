"""Pictures of runs: true against proxy toxicity, acceptance, welfare, influence.

Colours are told apart by everyone (Okabe and Ito's palette), lines also by their dashes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesocosm.errors import MesocosmError, UsageError

Rows = Sequence[Mapping[str, Any]]

TRUE, PROXY, GREEN, PINK, INK, QUIET = "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#222222", "#8A8A8A"
STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "svg.hashsalt": "mesocosm",
}


def plot_run(rows: Rows, folder: Path, title: str, name: str = "plot") -> list[Path]:
    """Draw a run's metrics over its epochs into name.png and name.svg of a folder.

    Params   rows: metrics per epoch, as a run has them; title: what was run.
    Returns  the files written.
    Raises   UsageError when there is no epoch to draw; MesocosmError when the disk refuses.
    """
    import matplotlib as mpl

    if not rows:
        raise UsageError("no epoch was completed, so there is nothing to draw.")
    with mpl.rc_context(STYLE):
        return write_figure(figure_of(rows, title), folder, name)


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
            with warnings.catch_warnings():  # of characters that no font here has: a box stands for them
                warnings.filterwarnings("ignore", r"Glyph \d+", UserWarning)
                figure.savefig(path, dpi=150, metadata=facts)
        except OSError as error:
            raise MesocosmError(f"{path}: cannot write this picture: {error.strerror or error}.") from error
        written.append(path)
    return written


def figure_of(rows: Rows, title: str) -> Any:
    """The figure of one run, in four frames."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 6.4), layout="constrained")
    frames = figure.subplots(2, 2, sharex=True, gridspec_kw={"height_ratios": (1.25, 1)})
    figure.suptitle(title, x=0.012, ha="left", fontsize=11)
    _draw_toxicity(frames[0][0], rows)
    _draw_acceptance(frames[0][1], rows)
    _draw_welfare(frames[1][0], rows)
    _draw_influence(frames[1][1], rows)
    for frame in frames[1]:
        frame.set_xlabel("epoch")
    epochs = _column(rows, "epoch")
    for frame in frames.flat:
        frame.margins(x=0.02)
        frame.grid(axis="y", color="#E6E6E6", linewidth=0.7)
        frame.set_axisbelow(True)
        if len(epochs) <= 12:
            frame.set_xticks([int(epoch) for epoch in epochs])
        else:
            frame.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _column(rows: Rows, name: str) -> list[float]:
    """A metric over the epochs; NaN, which leaves a gap, where it is undefined or was not kept."""
    return [float(row.get(name, math.nan)) for row in rows]


def _line(frame: Any, rows: Rows, name: str, label: str, color: str, dashes: str = "-") -> bool:
    values = _column(rows, name)
    if not any(math.isfinite(value) for value in values):
        return False
    look = {"color": color, "label": label or None, "linewidth": 1.8}
    marker = "o" if len(rows) <= 30 else ""
    frame.plot(_column(rows, "epoch"), values, dashes, marker=marker, markersize=3.5, **look)
    return True


def _draw_toxicity(frame: Any, rows: Rows) -> None:
    frame.set_title("Toxicity of accepted interactions")
    frame.set_ylabel("share bad (true), E[1-p] (proxy)")
    true, proxy = _column(rows, "toxicity_true"), _column(rows, "toxicity_rate")
    drawn = _line(frame, rows, "toxicity_true", "true", TRUE)
    drawn = _line(frame, rows, "toxicity_rate", "proxy", PROXY, "--") or drawn
    defined = [math.isfinite(a) and math.isfinite(b) for a, b in zip(true, proxy, strict=True)]
    frame.fill_between(
        _column(rows, "epoch"), true, proxy, where=defined, color=QUIET, alpha=0.18, linewidth=0, label="gap"
    )
    finite = [value for value in (*true, *proxy) if math.isfinite(value)]
    frame.set_ylim(0, max(0.05, 1.15 * max(finite, default=1.0)))
    _legend(frame, drawn)


def _draw_acceptance(frame: Any, rows: Rows) -> None:
    frame.set_title("Acceptance and participation")
    frame.set_ylabel("share")
    drawn = _line(frame, rows, "acceptance_rate", "proposals accepted", GREEN)
    drawn = _line(frame, rows, "participation", "agents taking part", QUIET, "--") or drawn
    frame.set_ylim(0, 1.05)
    _legend(frame, drawn)


def _draw_welfare(frame: Any, rows: Rows) -> None:
    has_truth = all(math.isfinite(value) for value in _column(rows, "social_welfare_true"))
    frame.set_title("Welfare (solid: true, dashed: by proxy)" if has_truth else "Welfare, as the proxy sees it")
    frame.set_ylabel("credits per epoch")
    drawn = False
    for kind, told, color in (
        ("private", "private: both sides' payoffs", PINK),
        ("social", "social: surplus less harm to others", GREEN),
    ):
        is_twin_drawn = _line(frame, rows, f"{kind}_welfare_true", told, color)
        is_drawn = _line(frame, rows, f"{kind}_welfare", "" if is_twin_drawn else told, color, "--")
        drawn = drawn or is_drawn
    frame.axhline(0, color=INK, linewidth=0.8)
    low, high = frame.get_ylim()
    frame.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
    _legend(frame, drawn)


def _draw_influence(frame: Any, rows: Rows) -> None:
    frame.set_title("Inequality of influence")
    frame.set_ylabel("Gini of votes received")
    drawn = _line(frame, rows, "influence_gini", "", PROXY)
    frame.set_ylim(0, 1.05)
    if not drawn:
        _legend(frame, drawn)


def _legend(frame: Any, drawn: bool) -> None:
    if drawn:
        frame.legend(loc="best", fontsize=8, handlelength=2.4)
    else:
        frame.text(0.5, 0.5, "undefined in every epoch", transform=frame.transAxes, ha="center", color=QUIET)
