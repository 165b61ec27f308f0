"""Text that others wrote, made harmless before it is shown.

Cells of tables and plain text are never read as markup, but they may still be turned around by bidirectional controls
or be endless; charts escape it once more. Nothing else of the page is given such text.
"""

from __future__ import annotations

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
