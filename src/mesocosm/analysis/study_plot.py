"""The picture that a sweep leaves of a study: effects, or the curve over a dose; their price; and other economies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mesocosm.analysis.figures.draw import heading_of
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
    table = effects_of_study(found)
    levers, price, elsewhere = (draw(table, "") for draw in (levers_picture, tradeoff_picture, robustness_picture))
    effects = dose_picture(found.trends, found.design.axis, table, "") if found.trends else levers
    panels: list[Panel] = list(effects.panels[:SETTINGS_MOST]) if effects else []
    if price:
        where = f": {price.panels[0].title}" if len(table.settings) > 1 else ""
        panels.append(replace(price.panels[0], title=f"What it costs{where}"))
    if elsewhere:
        panels += elsewhere.panels
    if not panels:
        panels = [Panel("", Axis(""), Axis(""), (), "nothing is defined in this study")]
    high = max((picture.panel_size[1] for picture in (effects, levers) if picture), default=3.6)
    about = f"{effects.about} {MORE}" if effects else MORE
    columns = 1 if len(panels) == 1 else 2 if len(panels) <= 4 else 3
    size = (6.2, max(3.6, high))
    return Picture("study", heading_of(found), about, tuple(panels), columns, (), size, own_scales=True)
