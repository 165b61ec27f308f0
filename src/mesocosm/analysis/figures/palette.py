"""One visual language: a colour for each type of agent and each thing that is drawn, on white and on black.

The hues are Okabe and Ito's and some beside them, which everyone can tell apart; types of agents differ by their marks
as well. Green, orange, pink and vermilion are the four policies of the model and nothing else, whatever is drawn. A
picture names colours by what they stand for (`true`, `type:honest`, `series:2`), and a theme has the colour.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

#: what a type of agent is drawn in and by which mark, wherever agents are drawn
TYPE_LOOKS = {
    "honest": ("green", "circle"),
    "opportunistic": ("orange", "square"),
    "deceptive": ("pink", "triangle"),
    "adversarial": ("vermilion", "diamond"),
    "informed_trader": ("blue", "cross"),
    "noise_trader": ("sky", "star"),
    "seller": ("yellow", "pentagon"),
}
#: for types that a plugin brings, by their name: none of the hues of the four policies of the model
_STRANGERS = (("blue", "plus"), ("sky", "hexagon"), ("yellow", "down"), ("violet", "star"), ("teal", "pentagon"))
#: colours in the order in which several things of one kind get them
SERIES = ("blue", "brown", "violet", "sky", "teal", "yellow", "ink", "quiet")
#: what stands for what
MEANING = {
    "true": "ink",
    "proxy": "blue",
    "gap": "quiet",
    "private": "violet",
    "social": "teal",
    "share": "blue",
    "clear": "blue",
    "unclear": "quiet",
    "oracle": "teal",
    "sham": "quiet",
    "falls": "blue",
    "rises": "brown",
    "coalition": "vermilion",
    "frozen": "blue",
    "front": "teal",
}
HUES_LIGHT = {
    "paper": "#ffffff",
    "ink": "#222222",
    "quiet": "#757575",
    "grid": "#e5e5e5",
    "vermilion": "#d55e00",
    "blue": "#0072b2",
    "green": "#009e73",
    "pink": "#cc79a7",
    "orange": "#e69f00",
    "sky": "#56b4e9",
    "yellow": "#b8a800",
    "violet": "#7a5aa6",
    "teal": "#1f7a6d",
    "brown": "#8c510a",
}
HUES_DARK = {
    "paper": "#14171a",
    "ink": "#e6e6e6",
    "quiet": "#9aa0a6",
    "grid": "#30353a",
    "vermilion": "#ef6a2c",
    "blue": "#4aa8e8",
    "green": "#2fc49a",
    "pink": "#e09cc4",
    "orange": "#f7c244",
    "sky": "#8fd0f7",
    "yellow": "#e8dc4a",
    "violet": "#ab8ee0",
    "teal": "#5cc7b5",
    "brown": "#cf9a5b",
}


@dataclass(frozen=True)
class Theme:
    """The colours of a picture on one ground."""

    name: str
    hues: dict[str, str]

    def color(self, token: str) -> str:
        """The colour that a token stands for, as #rrggbb.

        Params   token: a hue, a meaning, `type:NAME` or `series:N`.
        Example
            >>> LIGHT.color("type:honest"), LIGHT.color("true"), LIGHT.color("series:0")
            ('#009e73', '#222222', '#0072b2')
        """
        return self.hues[hue_of(token)]


LIGHT = Theme("light", HUES_LIGHT)
DARK = Theme("dark", HUES_DARK)


def theme_of(is_dark: bool) -> Theme:
    """The theme for a dark or a light ground."""
    return DARK if is_dark else LIGHT


def hue_of(token: str) -> str:
    """The hue that a token stands for.

    Example
        >>> hue_of("type:adversarial"), hue_of("proxy")
        ('vermilion', 'blue')
    """
    kind, _, rest = token.partition(":")
    if kind == "type":
        return look_of_type(rest)[0]
    if kind == "series":
        return SERIES[int(rest) % len(SERIES)]
    return MEANING.get(token, token)


def look_of_type(name: str) -> tuple[str, str]:
    """Hue and mark of a type of agent; of one that a plugin brings always the same, too.

    Example
        >>> look_of_type("deceptive")
        ('pink', 'triangle')
    """
    if name in TYPE_LOOKS:
        return TYPE_LOOKS[name]
    return _STRANGERS[zlib.crc32(name.encode()) % len(_STRANGERS)]


def cell_color(value: float, limit: float) -> tuple[str, float]:
    """Token and opacity of a cell: blue below 0, brown above, in full at the limit.

    Example
        >>> cell_color(-0.5, 1.0)
        ('falls', 0.5)
    """
    if not math.isfinite(value):
        return "quiet", 0.0
    return ("falls" if value < 0.0 else "rises"), min(abs(value) / limit, 1.0)
