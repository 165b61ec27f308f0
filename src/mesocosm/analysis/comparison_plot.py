"""The picture of a comparison: toxicity over time in both arms, and effects with intervals beside the controls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesocosm.analysis.comparison import BASE, CHANGED, Comparison
from mesocosm.analysis.comparison_words import ARMS, digits_of, signed
from mesocosm.analysis.figures.courses import mean_and_half
from mesocosm.analysis.figures.matplotlib_figure import write_figure
from mesocosm.analysis.plots import INK, ORACLE, PROXY, QUIET, STYLE, TRUE

FRAMES = (
    ("toxicity_true", "True toxicity", "share"),
    ("social_welfare_true", "True social welfare", "credits per epoch"),
)


def plot_comparison(found: Comparison, folder: Path, name: str = "comparison") -> list[Path]:
    """Draw a comparison into name.png and name.svg of a folder; returns the files written.

    Raises   MesocosmError when the disk refuses.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        return write_figure(figure_of_comparison(found), folder, name)


def figure_of_comparison(found: Comparison) -> Any:
    """The figure: courses of toxicity on the left, effects on truth and welfare on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 4.3), layout="constrained")
    frames = figure.subplots(1, 3, gridspec_kw={"width_ratios": (1.15, 1, 1)})
    n = len(found.seeds)
    figure.suptitle(f"{_short(found.title)}   ({n} paired seeds)", x=0.012, ha="left", fontsize=10.5)
    _draw_courses(frames[0], found)
    for frame, (metric, title, unit) in zip(frames[1:], FRAMES, strict=True):
        _draw_effects(frame, found, metric)
        frame.set_title(f"{title}: change")
        frame.set_xlabel(f"{unit}, with {100 * found.confidence:g} % interval")
    frames[2].set_yticklabels([])
    return figure


def _short(title: str, most: int = 130) -> str:
    return title if len(title) <= most else f"{title[: most - 3]}..."


def _draw_courses(frame: Any, found: Comparison) -> None:
    """Mean toxicity over the epochs, true and by proxy, without and with the change."""
    kind = found.adaptations[0]
    bands = f"bands: {100 * found.confidence:g} % of each arm alone, not of the change"
    frame.set_title(f"Toxicity over time, {kind} agents\n{bands}")
    frame.set_ylabel("share bad (true), E[1-p] (proxy)")
    frame.set_xlabel("epoch")
    top = 0.0
    for metric, color, label in (("toxicity_true", TRUE, "true"), ("toxicity_rate", PROXY, "proxy")):
        for name, alpha in ((BASE, 0.45), (CHANGED, 1.0)):
            table = found.arms[kind, name].epochs[metric]
            mean, half = mean_and_half(table, found.confidence)
            epoch = np.arange(len(mean))
            dashes = "-" if label == "true" else "--"
            frame.plot(epoch, mean, dashes, color=color, alpha=alpha, linewidth=1.7, label=f"{label}, {ARMS[name]}",
                       marker="o" if len(mean) <= 12 else "", markersize=3)  # fmt: skip
            frame.fill_between(epoch, mean - half, mean + half, color=color, alpha=0.15 * alpha, linewidth=0)
            top = max(top, float(np.nanmax(mean + half, initial=0.0)))
    if found.since:
        frame.axvline(found.since - 0.5, color=QUIET, linewidth=0.8, linestyle=":")  # the change holds from here on
    frame.set_ylim(0, max(0.05, 1.3 * top))
    frame.grid(axis="y", color="#E6E6E6", linewidth=0.7)
    frame.set_axisbelow(True)
    frame.xaxis.get_major_locator().set_params(integer=True)
    frame.legend(loc="upper right", fontsize=7.5, ncols=2, handlelength=2.4)


def _draw_effects(frame: Any, found: Comparison, metric: str) -> None:
    """Every arm's effect on a metric as a point with its interval, learning above frozen."""
    rows: list[tuple[str, Any, str]] = []
    names = [name for name in ARMS if name != BASE and (found.adaptations[0], name) in found.arms]
    for name in names:
        for kind in found.adaptations:
            if name == CHANGED or kind == found.adaptations[0]:
                label = ARMS[name] if name != CHANGED or len(found.adaptations) == 1 else f"{ARMS[name]}, {kind}"
                color = TRUE if name == CHANGED else ORACLE if name == "oracle" else QUIET
                rows.append((label, found.effect(metric, name, kind), color))
    _draw_points(frame, rows, found.confidence)


def _draw_points(frame: Any, rows: Sequence[tuple[str, Any, str]], confidence: float) -> None:
    for place, (_, effect, color) in enumerate(rows):
        y = -place
        if not math.isfinite(effect.change):
            frame.text(0, y, "undefined", ha="center", va="center", color=QUIET, fontsize=8)
            continue
        if math.isfinite(effect.low):
            frame.plot([effect.low, effect.high], [y, y], color=color, linewidth=2.2, solid_capstyle="butt")
        frame.plot([effect.change], [y], "o", color=color, markersize=6)
        digits = digits_of(effect, 3 if abs(effect.change) < 1 else 2)
        text = "0 exactly" if effect.is_exactly_zero else signed(effect.change, digits)
        frame.annotate(
            text, (effect.change, y), (0, 7), textcoords="offset points", ha="center", fontsize=8, color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6}, zorder=3,
        )  # fmt: skip
    frame.axvline(0.0, color=INK, linewidth=0.8)
    frame.set_yticks([-place for place in range(len(rows))], [label for label, _, _ in rows])
    frame.set_ylim(-len(rows) + 0.4, 0.7)
    frame.margins(x=0.18)
    frame.grid(axis="x", color="#E6E6E6", linewidth=0.7)
    frame.set_axisbelow(True)
