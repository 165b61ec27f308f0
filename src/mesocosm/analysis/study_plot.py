"""The picture that a sweep leaves of a study: effects, or the curve over a dose; their price; and other economies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mesocosm.analysis.figures.effect_table import effects_of_study
from mesocosm.analysis.figures.lever_effects import (
    dose_picture,
    levers_picture,
    robustness_picture,
    tradeoff_picture,
)
from mesocosm.analysis.figures.matplotlib_figure import draw_picture, style_of, write_picture
from mesocosm.analysis.figures.palette import LIGHT
from mesocosm.analysis.figures.picture import Axis, Panel, Picture
from mesocosm.analysis.study import StudyResults

SETTINGS_MOST = 4
MORE = "More: mesocosm plot STUDY --kind all."


def plot_study(found: StudyResults, folder: Path, name: str = "study") -> list[Path]:
    """Draw a study into name.png and name.svg of a folder; returns the files written.

    Raises   MesocosmError when the disk refuses.
    """
    return write_picture(study_picture(found), folder, name)


def figure_of_study(found: StudyResults) -> Any:
    """The picture as a figure of Matplotlib."""
    import matplotlib as mpl

    with mpl.rc_context(style_of(LIGHT)):
        return draw_picture(study_picture(found), LIGHT).figure


def study_picture(found: StudyResults) -> Picture:
    """Effects on the primary metric, setting by setting, what they cost in the first of them, and other economies."""
    study, table = found.design.study, effects_of_study(found)
    title = f"{study.study_id} ({len(found.seeds)} paired {study.seeds.purpose} seeds)"
    levers, price = levers_picture(table, ""), tradeoff_picture(table, "")
    effects = dose_picture(found.trends, found.design.axis, table, "") if found.trends else levers
    shown = [effects, price, robustness_picture(table, "")]
    panels: list[Panel] = list(effects.panels[:SETTINGS_MOST]) if effects else []
    for picture, told in ((price, "What it costs"), (shown[2], "")):
        if picture:
            first = picture.panels[0]
            named = f"{told}: {first.title}" if told and len(table.settings) > 1 else told or first.title
            panels.append(replace(first, title=named))
    if not panels:
        panels = [Panel("", Axis(""), Axis(""), (), "nothing is defined in this study")]
    high = max((picture.panel_size[1] for picture in (effects, levers) if picture), default=3.6)
    about = f"{effects.about} {MORE}" if effects else MORE
    columns = 1 if len(panels) == 1 else 2 if len(panels) <= 4 else 3
    return Picture("study", title, about, tuple(panels), columns, (), (6.2, max(3.6, high)), own_scales=True)
