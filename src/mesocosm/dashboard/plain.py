"""Text that others wrote, made harmless before it is shown.

Cells of tables and plain text are never read as markup, but they may still be turned around by bidirectional controls
or be endless; charts read a few HTML tags. Nothing else of the page is given such text.
"""

from __future__ import annotations

import html
import unicodedata
from typing import Any

LONGEST = 300
#: categories of characters that show nothing or change how others are shown
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_KEPT = {"\u200d"}  # joins emoji


def plain_words(text: Any, longest: int = LONGEST) -> str:
    """A text on one line, its invisible and direction-changing characters spelt out, cut where it is too long.

    Example
        >>> plain_words("pay\\u202eme\\nnow")
        'pay<U+202E>me now'
    """
    whole = str(text)
    shown = "".join(_shown(character) for character in whole[:longest])
    return shown if len(whole) <= longest else f"{shown}... ({len(whole):,} characters)"


def _shown(character: str) -> str:
    if character in "\n\t\r":
        return " "
    if unicodedata.category(character) in _HIDDEN and character not in _KEPT:
        return f"<U+{ord(character):04X}>"
    return character


def chart_words(text: Any, longest: int = 60) -> str:
    """The same for a chart, whose labels would take a few HTML tags for what they are.

    Example
        >>> chart_words("<b>a</b>")
        '&lt;b&gt;a&lt;/b&gt;'
    """
    return html.escape(plain_words(text, longest)).replace("$", "&#36;").replace("%{", "%&#123;")


def agent_name(agent: int) -> str:
    """How an agent is called on the screen.

    Example
        >>> agent_name(7)
        'a_07'
    """
    return f"a_{agent:02d}"
