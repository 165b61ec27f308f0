"""A picture drawn by Matplotlib, on white or on black, into PNG and SVG: equal pictures to equal bytes."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesocosm.analysis.figures.matplotlib_marks import draw_mark
from mesocosm.analysis.figures.palette import LIGHT, Theme
from mesocosm.analysis.figures.picture import Axis, Cells, Panel, Picture, Rule
from mesocosm.errors import MesocosmError

LINE_INCHES, SIGNS_AN_INCH = 0.17, 15.5
SIGNS_OF_LABEL = 13  # letters of an axis label to an inch
LEGEND_MOST = 10


@dataclass(frozen=True)
class Drawn:
    """A figure and the frame of each panel, in order."""

    figure: Any
    frames: tuple[Any, ...]


def style_of(theme: Theme, *, is_embedded: bool = False) -> Any:
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


OFF_CENTRE = 3.7e-6  # of a figure: less than a tenth of the last digit kept


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
    fix_layout(figure)
    written = []
    for ending in ("png", "svg"):
        path = folder / f"{name}.{ending}"
        facts = {"Software": None} if ending == "png" else {"Date": None, "Creator": None}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with without_letters():
                figure.savefig(path, dpi=150, metadata=facts)
        except OSError as error:
            raise MesocosmError(f"{path}: cannot write this picture: {error.strerror or error}.") from error
        written.append(path)
    return written


@contextmanager
def without_letters() -> Iterator[None]:
    """Let letters that no font here has be drawn as boxes without a word about it: names come in every script."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def fix_layout(figure: Any) -> None:
    """Lay a figure out once and for all, its parts and frames in places of four digits.

    What the solver of the layout finds differs in the last bit from one time to the next, and often lies half-way
    between two such places, as 1/32 does: what is added before rounding keeps both on one side.
    """
    with without_letters():
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for part in figure.subfigs:
        box = part.bbox_relative
        box.p0, box.p1 = ([round(value + OFF_CENTRE, 4) for value in corner] for corner in (box.p0, box.p1))
    for frame in figure.get_axes():
        place = frame.get_position(original=True)
        frame.set_position([round(value + OFF_CENTRE, 4) for value in place.bounds])


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
    _align(frames, picture)
    if shared:
        _write_legend(parts[-1], frames, shared, wide)
    return Drawn(figure, frames)


def _align(frames: Sequence[Any], picture: Picture) -> None:
    """Give the same axis the same ends everywhere, and leave out what the frame to the left, or below, says of it."""
    for way in ("x", "y"):
        if picture.has_same_axis(way):
            ends = [getattr(frame, f"get_{way}lim")() for frame in frames]
            for frame in frames:
                getattr(frame, f"set_{way}lim")(min(end[0] for end in ends), max(end[1] for end in ends))
    for place, frame in enumerate(frames):
        is_told_below, is_told_left = picture.says_again(place)
        if is_told_left:
            frame.set_ylabel("")
            frame.tick_params(axis="y", labelleft=False)
        if is_told_below:
            frame.set_xlabel("")
            frame.tick_params(axis="x", labelbottom=False)


def draw_panel(frame: Any, panel: Panel, theme: Theme, *, has_legend: bool = True) -> None:
    """Draw a panel into a frame of a figure."""
    frame.set_title(panel.title, wrap=True)
    for order, mark in enumerate(panel.marks):
        draw_mark(frame, mark, theme, 2.0 + 0.01 * order)
    if panel.note and not panel.is_empty:
        spot = {"transform": frame.transAxes, "ha": "right", "va": "top", "fontsize": 7.5}
        paper = {"facecolor": theme.color("paper"), "edgecolor": "none", "pad": 1.0}
        frame.text(0.99, 0.99, panel.note, color=theme.color("quiet"), bbox=paper, zorder=5, **spot)
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
        below = (-0.02, -0.19 if panel.x.shown else 0.0)
        frame.legend(
            list(known.values()), list(known), loc="upper left", bbox_to_anchor=below,
            fontsize=7.5, handlelength=_handle_length(known.values()), ncols=columns, borderaxespad=0.0,
            markerscale=0.9,
        )  # fmt: skip


def _handle_length(handles: Iterable[Any]) -> float:
    """How long the signs of a legend are: long enough to show dashes, where any line is dashed."""
    dashed = (getattr(handle, "get_linestyle", str)() in ("--", ":") for handle in handles)
    return 3.8 if any(dashed) else 2.0


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
    return {mark.label: mark.color for mark in panel.marks if not isinstance(mark, Cells | Rule) and mark.label}


def _shared_legend(picture: Picture) -> list[str]:
    """The labels of one legend for all panels, where they say the same; else none."""
    colors: dict[str, str] = {}
    repeated = 0
    for panel in picture.panels:
        for label, color in _labels(panel).items():
            if colors.setdefault(label, color) != color:
                return []
            repeated += 1
    is_one = len(picture.panels) == 1 or repeated > len(colors)
    return list(colors) if is_one and len(colors) <= LEGEND_MOST else []


def _legend_rows(labels: Sequence[str], wide: float) -> list[list[str]]:
    """Labels in rows that fit the width."""
    rows: list[list[str]] = [[]]
    room = 0.0
    for label in labels:
        need = 0.075 * len(label) + 0.8
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
            fontsize=8, handlelength=_handle_length(known.values()), markerscale=0.8, columnspacing=1.4,
            borderaxespad=0.0,
        )  # fmt: skip
        legend.set_in_layout(False)


def _fitted_label(frame: Any, label: str, way: str) -> str:
    """The label of an axis, on two lines where the axis is too short for it."""
    inches = float(frame.get_window_extent().size[1 if way == "y" else 0]) / frame.get_figure(root=True).dpi
    return textwrap.fill(label, max(int(inches * SIGNS_OF_LABEL), 12))


def _dress_axis(frame: Any, axis: Axis, way: str, theme: Theme, *, is_empty: bool) -> None:
    side = getattr(frame, f"{way}axis")
    if not axis.shown:
        side.set_visible(False)
        frame.spines["bottom" if way == "x" else "left"].set_visible(False)
        return
    getattr(frame, f"set_{way}label")(_fitted_label(frame, axis.label, way))
    if axis.log:
        getattr(frame, f"set_{way}scale")("log")
        side.set_major_formatter(lambda value, _: f"{value:g}")
        side.set_minor_formatter(lambda *_: "")
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
