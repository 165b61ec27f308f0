"""What a picture shows, as columns of plain numbers and texts: panels of marks over two labelled axes.

Colours are tokens of the palette. Nothing here knows how it is drawn, so one test of the columns holds for the file,
the page and the report.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

Numbers = Sequence[float]
TEXT_MOST = 60


@dataclass(frozen=True)
class Axis:
    """One axis of a panel.

    Params   label: what is counted, and in which unit; from_zero: the axis begins at 0; zero_line: a line is drawn at
             0 and 0 is always in sight; low, high: ends, where they are given; ticks: places and their names instead
             of numbers; whole: only whole numbers are marked; shown: False for an axis without meaning.
    """

    label: str
    from_zero: bool = False
    zero_line: bool = False
    low: float | None = None
    high: float | None = None
    ticks: tuple[tuple[float, str], ...] = ()
    whole: bool = False
    shown: bool = True
    log: bool = False


@dataclass(frozen=True)
class Line:
    """A line through points; NaN leaves a gap."""

    x: Numbers
    y: Numbers
    label: str = ""
    color: str = "ink"
    dash: str = "solid"  # solid, dash, dot
    width: float = 1.8
    dots: bool = False
    step: bool = False  # holds its value until the next point


@dataclass(frozen=True)
class Band:
    """The area between two lines."""

    x: Numbers
    low: Numbers
    high: Numbers
    label: str = ""
    color: str = "gap"
    alpha: float = 0.18


@dataclass(frozen=True)
class Points:
    """Marks at points, each with a text of its own when pointed at."""

    x: Numbers
    y: Numbers
    label: str = ""
    color: str = "ink"
    mark: str = "circle"
    size: Numbers = ()  # one for all, or one each; area in square points
    tips: tuple[str, ...] = ()
    ring: bool = False  # an open mark around another one
    names: tuple[str, ...] = ()  # written beside the marks


@dataclass(frozen=True)
class Segments:
    """Straight lines between pairs of points: edges of a graph."""

    x0: Numbers
    y0: Numbers
    x1: Numbers
    y1: Numbers
    label: str = ""
    color: str = "quiet"
    width: Numbers = (0.8,)  # one for all, or one each
    alpha: float = 0.6
    dash: str = "solid"


@dataclass(frozen=True)
class Bars:
    """Upright bars from 0."""

    x: Numbers
    height: Numbers
    label: str = ""
    color: str = "ink"
    width: float = 0.8
    tips: tuple[str, ...] = ()
    alpha: float = 0.9


@dataclass(frozen=True)
class Intervals:
    """Points with an interval each, lying or standing."""

    x: Numbers
    y: Numbers
    low: Numbers
    high: Numbers
    label: str = ""
    color: str = "ink"
    along: str = "x"  # the axis that the intervals lie along
    mark: str = "circle"
    tips: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cells:
    """A table of coloured cells, one unit wide and high around (x, y): blue below 0, brown above."""

    x: Numbers
    y: Numbers
    value: Numbers
    texts: tuple[str, ...] = ()
    tips: tuple[str, ...] = ()
    clear: tuple[bool, ...] = ()  # whether a cell's interval excludes 0; the others are drawn open
    limit: float = 1.0  # the value that is coloured in full


@dataclass(frozen=True)
class Rule:
    """A line across a panel at one value of an axis."""

    at: float
    axis: str = "y"
    label: str = ""
    color: str = "quiet"
    dash: str = "dash"


@dataclass(frozen=True)
class Span:
    """A strip across a panel between two values of an axis."""

    low: float
    high: float
    axis: str = "y"
    label: str = ""
    color: str = "quiet"
    alpha: float = 0.13


Mark = Line | Band | Points | Segments | Bars | Intervals | Cells | Rule | Span


@dataclass(frozen=True)
class Panel:
    """One frame of a picture."""

    title: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    note: str = ""  # written in the middle of a frame that is empty, or below its title
    square: bool = False  # one unit is as long on either axis

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but rules and strips to see."""
        return not any(_is_seen(mark) for mark in self.marks)

    def labelled(self, label: str) -> Mark:
        """The first mark with that label.

        Raises   KeyError when there is none.
        """
        for mark in self.marks:
            if not isinstance(mark, Cells) and mark.label == label:
                return mark
        raise KeyError(label)


@dataclass(frozen=True)
class Picture:
    """A picture of one kind: its panels, how many of them stand beside each other, and how to read it."""

    kind: str
    title: str
    about: str
    panels: tuple[Panel, ...]
    columns: int = 1
    left_out: tuple[str, ...] = field(default=())  # what is not drawn, and why
    panel_size: tuple[float, float] = (5.2, 3.4)  # inches
    own_scales: bool = False  # panels of the same axes have ends of their own all the same

    def says_again(self, place: int) -> tuple[bool, bool]:
        """Whether the panel below says the same of the horizontal axis, and the one to the left of the vertical one.

        So it is only in a picture whose panels all have the same axis: there it needs to be told once.
        """
        x, y = self.has_same_axis("x"), self.has_same_axis("y")
        return x and y and place + self.columns < len(self.panels), y and place % self.columns > 0

    def has_same_axis(self, way: str) -> bool:
        """Whether all panels have the same horizontal (x) or vertical (y) axis, which then has the same ends."""
        first: Axis = getattr(self.panels[0], way)
        is_same = first.shown and all(getattr(panel, way) == first for panel in self.panels)
        return is_same and not (self.own_scales and len(self.panels) > 1)

    @property
    def rows(self) -> int:
        """How many rows of panels there are."""
        return -(-len(self.panels) // self.columns)


def names_lean_left(x: Sequence[float]) -> list[bool]:
    """Whether the name of each mark is written to its left: so it is for those on the right of the frame.

    Example
        >>> names_lean_left([-0.3, -0.2, 0.0])
        [False, False, True]
    """
    known = [0.0, *(value for value in x if math.isfinite(value))]
    middle = min(known) + 0.55 * (max(known) - min(known))
    return [value > middle for value in x]


def _is_seen(mark: Mark) -> bool:
    if isinstance(mark, Rule | Span):
        return False
    if isinstance(mark, Segments):
        return len(mark.x0) > 0
    if isinstance(mark, Bars):
        return any(math.isfinite(value) for value in mark.height)
    if isinstance(mark, Cells):
        return any(math.isfinite(value) for value in mark.value)
    if isinstance(mark, Band):
        return any(math.isfinite(a) and math.isfinite(b) for a, b in zip(mark.low, mark.high, strict=True))
    return any(math.isfinite(value) for value in mark.y)


def tips_of(panel: Panel) -> Iterator[tuple[float, float, str]]:
    """What a panel says when one points at it: place and text of every point that has something to say."""
    for mark in panel.marks:
        if isinstance(mark, Line):
            texts: Iterable[str] = (_at(panel, mark.label, x, y) for x, y in zip(mark.x, mark.y, strict=True))
            places = zip(mark.x, mark.y, strict=True)
        elif isinstance(mark, Points | Intervals):
            texts = mark.tips or (_at(panel, mark.label, x, y) for x, y in zip(mark.x, mark.y, strict=True))
            places = zip(mark.x, mark.y, strict=True)
        elif isinstance(mark, Bars):
            texts = mark.tips or (_at(panel, mark.label, x, y) for x, y in zip(mark.x, mark.height, strict=True))
            places = zip(mark.x, mark.height, strict=True)
        elif isinstance(mark, Cells):
            texts, places = mark.tips, zip(mark.x, mark.y, strict=True)
        else:
            continue
        for (x, y), text in zip(places, texts, strict=False):
            if math.isfinite(x) and math.isfinite(y) and text:
                yield float(x), float(y), text


def _at(panel: Panel, label: str, x: float, y: float) -> str:
    """A point in words."""
    names = dict(panel.x.ticks)
    place = names.get(x, f"{x:g}")
    return f"{label + ': ' if label else ''}{y:.4g} ({panel.x.label} {place})"


def safe_line(text: str, most: int = TEXT_MOST) -> str:
    """A stranger's text as one short line in which nothing acts: no control signs, no marks that turn the writing.

    Example
        >>> safe_line("a\\nb\\u202ec"), safe_line("x" * 100, 5)
        ('a b?c', 'xxxx…')
    """
    kept = []
    for sign in text[: most + 1]:
        kind = unicodedata.category(sign)
        kept.append(" " if sign in "\n\r\t" else "?" if kind in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else sign)
    return "".join(kept) if len(kept) <= most else "".join(kept[: most - 1]) + "…"
