"""The picture of a run at a glance, and the look that pictures of comparisons and studies share with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesocosm.analysis.figures.kinds import overview_picture
from mesocosm.analysis.figures.matplotlib_figure import style_of, write_picture
from mesocosm.analysis.figures.palette import LIGHT, Theme
from mesocosm.errors import UsageError

Rows = Sequence[Mapping[str, Any]]

TRUE, PROXY, ORACLE, VIOLET, INK, QUIET = (
    LIGHT.color(token) for token in ("true", "proxy", "oracle", "violet", "ink", "quiet")
)
STYLE: Any = style_of(LIGHT)


def plot_run(rows: Rows, folder: Path, title: str, name: str = "plot", theme: Theme = LIGHT) -> list[Path]:
    """Draw a run's metrics over its epochs into name.png and name.svg of a folder.

    Params   rows: metrics per epoch, as a run has them; title: what was run.
    Returns  the files written.
    Raises   UsageError when there is no epoch to draw; MesocosmError when the disk refuses.
    """
    if not rows:
        raise UsageError("no epoch was completed, so there is nothing to draw.")
    return write_picture(overview_picture(rows, title), folder, name, theme)
