"""Pictures inside a page: SVG whose colours follow the page's ground, with a text at every point one points at."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from mesocosm.analysis.figures.courses import COURSES
from mesocosm.analysis.figures.matplotlib_figure import draw_panel, style_of, without_letters
from mesocosm.analysis.figures.palette import HUES_LIGHT, LIGHT, hue_of
from mesocosm.analysis.figures.picture import (
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
    tips_of,
)
from mesocosm.analysis.report.markup import Markup, escaped, join, tag

SMALL = 4.5  # inches high, up to which two pictures stand side by side
TIPS_MOST = 1_200  # points of a panel that have a text
#: kinds whose panels are compared by eye, and so are drawn on one scale
_TOGETHER = frozenset({"levers"})
_HUE_OF = {color: hue for hue, color in HUES_LIGHT.items()}
_COLOR = re.compile("|".join(_HUE_OF))
_NUMBERS, _LONG = re.compile(r' (?:d|x|y|transform|points)="[^"]*"'), re.compile(r"(?<=\d\.\d\d)\d+")
_MARGIN = {"left": 0.78, "right": 0.12, "top": 0.34, "bottom": 0.5}  # inches
_DPI = 72
_CIRCLE = '<circle cx="12" cy="7" r="5"'


def picture_markup(picture: Picture, heading: str = "") -> Markup:
    """A picture under its heading, with its legend, how to read it, and what it leaves out."""
    panels = picture.panels
    if heading and len(panels) == 1 and picture.kind in COURSES:  # whose title says what the heading says
        panels = (replace(panels[0], title=""),)
    if picture.kind in _TOGETHER:
        panels = tuple(_on_one_scale(panels))
    drawn = [_alone(panel, picture) for panel in panels]
    notes = [tag("p", picture.about, class_="about")]
    if picture.left_out:
        notes.append(tag("p", f"Not drawn: {'; '.join(picture.left_out)}.", class_="about"))
    is_small = len(picture.panels) == 1 and picture.panel_size[1] <= SMALL and picture.kind not in _TOGETHER
    head = tag("h3", heading[:1].upper() + heading[1:]) if heading else None
    frames = tag("div", *drawn, class_="panels" if len(drawn) > 1 else None)
    caption = tag("figcaption", _legend(picture), *notes)
    return tag("figure", head, frames, caption, class_=None if is_small else "large")


def _on_one_scale(panels: Sequence[Panel]) -> Iterator[Panel]:
    """Panels that are compared by eye, all with the same ends of the horizontal axis."""
    ends = [0.0]
    for mark in (mark for panel in panels for mark in panel.marks):
        if isinstance(mark, Intervals):
            ends += [value for side in (mark.low, mark.high, mark.x) for value in side if math.isfinite(value)]
        elif isinstance(mark, Rule) and mark.axis == "x":
            ends.append(mark.at)
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    for panel in panels:
        yield replace(panel, x=replace(panel.x, low=min(ends) - room, high=max(ends) + room))


def _alone(panel: Panel, picture: Picture) -> Markup:
    """One panel in a drawing of its own, in margins that leave room for numbers, or for the names on its axis."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    wide, high = _fitted(picture.panel_size)
    with mpl.rc_context(style_of(LIGHT, is_embedded=True)):
        figure = Figure(figsize=(wide, high), dpi=_DPI)
        longest = max((len(name) for _, name in panel.y.ticks), default=0)
        left = max(_MARGIN["left"], 0.35 + 0.075 * longest) if panel.y.shown else 0.1
        bottom = _MARGIN["bottom"] if panel.x.shown else 0.1
        top = _MARGIN["top"] if panel.title else 0.1
        frame = figure.add_axes(_box(wide, high, left, bottom, top))
        draw_panel(frame, panel, LIGHT, has_legend=False)
        if "\n" in frame.get_ylabel():
            frame.set_position(_box(wide, high, left + 0.3, bottom, top))
        frame.apply_aspect()
        return tag("div", _svg(figure, list(_spots(frame, panel)), panel.title))


def _box(wide: float, high: float, left: float, bottom: float, top: float) -> tuple[float, float, float, float]:
    """Where the frame stands in its drawing, as shares of it."""
    return left / wide, bottom / high, 1 - (left + _MARGIN["right"]) / wide, 1 - (bottom + top) / high


def _fitted(size: tuple[float, float]) -> tuple[float, float]:
    """The size of a drawing whose letters can be read on a narrow screen as well."""
    most = 5.2 if size[1] <= SMALL else 6.4
    share = min(1.0, most / size[0])
    return size[0] * share, size[1] * max(share, 0.78)


def _spots(frame: Any, panel: Panel) -> Iterator[tuple[float, float, str]]:
    """Where a text belongs in the drawing, in points from its upper left corner."""
    high = frame.get_figure(root=True).bbox.height
    for number, (x, y, text) in enumerate(tips_of(panel)):
        if number >= TIPS_MOST:
            return
        across, up = frame.transData.transform((x, y))
        if math.isfinite(across) and math.isfinite(up):
            yield float(across), float(high - up), text


def _svg(figure: Any, spots: list[tuple[float, float, str]], title: str) -> Markup:
    target = io.StringIO()
    with without_letters():
        figure.savefig(target, format="svg", dpi=_DPI, metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = _NUMBERS.sub(lambda found: _LONG.sub("", found.group()), text)
    text = re.sub(r"\n\s*", "\n", text)
    text = _COLOR.sub(lambda found: f"var(--{_HUE_OF[found.group()]})", text)
    text = re.sub(r"<svg [^>]*viewBox", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" '
                  f'role="img" aria-label="{escaped(title)}" viewBox', text, count=1)  # fmt: skip
    hot = "".join(
        f'<circle class="hot" cx="{x:.1f}" cy="{y:.1f}" r="7" data-tip="{escaped(told)}"/>' for x, y, told in spots
    )
    return Markup(text.replace("</svg>", f"{hot}</svg>").strip())


def _legend(picture: Picture) -> Markup | None:
    """One entry for each thing that is drawn, in the page's own letters."""
    known: dict[tuple[str, str], Markup] = {}
    for panel in picture.panels:
        for mark in panel.marks:
            if not isinstance(mark, Cells | Rule) and mark.label:
                known.setdefault((mark.label, mark.color), tag("li", _swatch(mark), mark.label))
    return tag("ul", *known.values(), class_="legend") if known else None


def _swatch(mark: Mark) -> Markup:
    """A small drawing of how something is drawn."""
    color = f"var(--{'ink' if isinstance(mark, Cells) else hue_of(mark.color)})"
    shapes = {
        "square": '<rect x="8" y="3" width="8" height="8"',
        "triangle": '<path d="M12 2 17 12H7Z"',
        "diamond": '<path d="M12 1 18 7 12 13 6 7Z"',
    }
    if isinstance(mark, Line):
        dash = {"solid": "", "dash": ' stroke-dasharray="5 3"', "dot": ' stroke-dasharray="1.5 3"'}[mark.dash]
        drawn = f'<path d="M0 7H24" stroke="{color}" stroke-width="2.5"{dash}/>'
    elif isinstance(mark, Segments):
        drawn = f'<path d="M0 7H24" stroke="{color}" stroke-opacity="{max(mark.alpha, 0.4)}" stroke-width="2.5"/>'
    elif isinstance(mark, Band | Bars) or not hasattr(mark, "mark"):
        drawn = (
            f'<rect x="2" y="2" width="20" height="10" fill="{color}" fill-opacity="{max(mark_alpha(mark), 0.25)}"/>'
        )
    else:
        ring = isinstance(mark, Points) and mark.ring
        paint = f'fill="none" stroke="{color}" stroke-width="2"' if ring else f'fill="{color}"'
        drawn = f"{shapes.get(mark.mark, _CIRCLE)} {paint}/>"
    return join(Markup(f'<svg class="key" viewBox="0 0 24 14" aria-hidden="true">{drawn}</svg>'))


def mark_alpha(mark: Mark) -> float:
    """How opaque a mark is drawn."""
    return float(getattr(mark, "alpha", 1.0))
