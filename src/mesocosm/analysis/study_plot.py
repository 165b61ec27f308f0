"""The picture of a study: every arm's effect, or the curve over a dose; its price in welfare; and other economies."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from mesocosm.analysis.figures.matplotlib_figure import write_figure
from mesocosm.analysis.figures.palette import LIGHT
from mesocosm.analysis.plots import INK, ORACLE, QUIET, STYLE, TRUE
from mesocosm.analysis.study import WELFARE, Contrast, StudyResults
from mesocosm.config.study import ONLY

ROWS_MOST = 60
_LABEL_MOST = 34


def plot_study(found: StudyResults, folder: Path, name: str = "study") -> list[Path]:
    """Draw a study into name.png and name.svg of a folder; returns the files written.

    Raises   MesocosmError when the disk refuses.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        return write_figure(figure_of_study(found), folder, name)


def figure_of_study(found: StudyResults) -> Any:
    """The figure: effects on the primary metric on the left, what they cost beside them, then other economies."""
    from matplotlib.figure import Figure

    rows = min(len(found.contrasts) + len(found.design.controls), ROWS_MOST)
    curve = bool(found.trends)
    panels = 2 + bool(found.trials)
    height = 4.6 if curve else max(3.4, 1.5 + 0.24 * rows)
    figure = Figure(figsize=(4.2 + 3.9 * (panels - 1) + 1.6, height), layout="constrained")
    frames = figure.subplots(1, panels, gridspec_kw={"width_ratios": (1.35, *(1,) * (panels - 1))})
    study = found.design.study
    told = f"{study.study_id}   ({len(found.seeds)} paired {study.seeds.purpose} seeds)"
    figure.suptitle(told, x=0.012, ha="left", fontsize=10.5)
    (_draw_curve if curve else _draw_arms)(frames[0], found)
    _draw_price(frames[1], found)
    if found.trials:
        _draw_elsewhere(frames[2], found)
    return figure


def _unit(found: StudyResults) -> str:
    return f"change in {found.design.study.primary}"


def _mark_margin(frame: Any, found: StudyResults, across: bool) -> None:
    """Shade the changes that would be too small to matter."""
    least = found.design.study.smallest_effect
    (frame.axvspan if across else frame.axhspan)(-least, least, color=QUIET, alpha=0.13, linewidth=0)
    (frame.axvline if across else frame.axhline)(0.0, color=INK, linewidth=0.8)
    frame.grid(axis="x" if across else "y", color="#E6E6E6", linewidth=0.7)
    frame.set_axisbelow(True)


def _draw_arms(frame: Any, found: StudyResults) -> None:
    """A row for every arm, with the interval that covers all arms at once; controls below."""
    study = found.design.study
    rows: list[tuple[str, float, float, float, str]] = [
        (_label(one), one.effect.change, one.low, one.high, TRUE) for one in found.contrasts[:ROWS_MOST]
    ]
    where = found.settings[0]
    for name in found.design.controls:
        effect = found.effect(study.primary, name, where)
        told = name if where == ONLY else f"{where}: {name}"
        rows.append((told, effect.change, effect.low, effect.high, ORACLE if name == "oracle" else QUIET))
    for place, (_, change, low, high, color) in enumerate(rows):
        if not math.isfinite(change):
            frame.text(0, -place, "undefined", ha="center", va="center", color=QUIET, fontsize=7.5)
            continue
        if math.isfinite(low) and math.isfinite(high):
            frame.plot([low, high], [-place, -place], color=color, linewidth=2.0, solid_capstyle="butt")
        frame.plot([change], [-place], "o", color=color, markersize=4.5)
    frame.set_yticks([-place for place in range(len(rows))], [row[0] for row in rows], fontsize=7.5)
    frame.set_ylim(-len(rows) + 0.3, 0.7)
    frame.set_xlabel(f"{_unit(found)}, {100 * study.confidence:g} % for all at once; grey: too small to matter")
    left_out = len(found.contrasts) - ROWS_MOST
    frame.set_title("Effects" if left_out <= 0 else f"Effects ({left_out} more arms not shown)")
    frame.margins(x=0.08)
    _mark_margin(frame, found, across=True)


def _label(contrast: Contrast) -> str:
    text = contrast.arm if contrast.setting == ONLY else f"{contrast.setting}: {contrast.arm}"
    return text if len(text) <= _LABEL_MOST else f"{text[: _LABEL_MOST - 3]}..."


def _draw_curve(frame: Any, found: StudyResults) -> None:
    """The effect over the dose, one line a setting."""
    for number, (setting, trend) in enumerate(found.trends.items()):
        color = LIGHT.color(f"series:{number}")
        dose = np.array(trend.doses)
        change, low, high = (np.array([getattr(one, end) for one in trend.curve]) for end in ("change", "low", "high"))
        frame.plot(dose, change, "o-", color=color, markersize=4, linewidth=1.6, label=setting or None)
        frame.fill_between(dose, low, high, color=color, alpha=0.18, linewidth=0)
    if len(found.trends) > 1:
        frame.legend(fontsize=7.5)
    frame.set_xlabel(found.design.axis)
    frame.set_ylabel(_unit(found))
    frame.set_title("Effect by dose; grey: too small to matter")
    _mark_margin(frame, found, across=False)


def _draw_price(frame: Any, found: StudyResults) -> None:
    """Every arm's effect on the primary metric against its effect on true social welfare."""
    primary = found.design.study.primary
    for contrast in found.contrasts:
        welfare = found.effect(WELFARE, contrast.arm, contrast.setting)
        x, y = contrast.effect.change, welfare.change
        if not (math.isfinite(x) and math.isfinite(y)):
            continue
        frame.plot([contrast.effect.low, contrast.effect.high], [y, y], color=TRUE, linewidth=1.0, alpha=0.6)
        frame.plot([x, x], [welfare.low, welfare.high], color=TRUE, linewidth=1.0, alpha=0.6)
        frame.plot([x], [y], "o", color=TRUE, markersize=4)
        if len(found.contrasts) <= 12:
            frame.annotate(_label(contrast), (x, y), (4, 4), textcoords="offset points", fontsize=6.5, color=INK)
    frame.axhline(0.0, color=INK, linewidth=0.8)
    frame.axvline(0.0, color=INK, linewidth=0.8)
    frame.set_xlabel(f"change in {primary}")
    frame.set_ylabel("change in true welfare, credits an epoch")
    frame.set_title("What it costs")
    frame.margins(0.15)
    frame.grid(color="#E6E6E6", linewidth=0.7)
    frame.set_axisbelow(True)


def _draw_elsewhere(frame: Any, found: StudyResults) -> None:
    """The effect in every economy of the hypercube, sorted, one line an arm."""
    for number, trial in enumerate(found.trials[:6]):
        changes = np.sort([effect.change for effect in trial.effects if math.isfinite(effect.change)])
        share = (np.arange(len(changes)) + 0.5) / max(len(changes), 1)
        color = LIGHT.color(f"series:{number}")
        frame.plot(changes, share, "o-", color=color, markersize=3, linewidth=1.2, label=trial.arm)
    frame.set_ylim(0, 1)
    frame.locator_params(axis="x", nbins=5)
    frame.set_xlabel(_unit(found))
    frame.set_ylabel("share of economies up to here")
    frame.set_title("In other economies")
    frame.legend(fontsize=7, loc="best")
    _mark_margin(frame, found, across=True)
