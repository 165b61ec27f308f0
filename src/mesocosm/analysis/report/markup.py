"""HTML in which every text is escaped: a text becomes markup only by being made with `tag`."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_NUMBER = re.compile(r"–|[+-]?[\d,]+(\.\d+)?( %)?|exactly 0|< \.\d+")
_VOID = frozenset({"meta", "br", "input", "link"})
_ACTIVE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control signs and marks that turn the direction of writing


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | None | Iterable["Child"]


def tag(name: str, *children: Child, **attributes: str | bool | None) -> Markup:
    """An element with its children; texts among them are escaped, an attribute of None or False is left out.

    Params   attributes: with a trailing or inner _ for what Python cannot say: class_, data_tip.
    Example
        >>> tag("p", "a < b & c", tag("b", "!"), class_="x")
        '<p class="x">a &lt; b &amp; c<b>!</b></p>'
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an element")
    told = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        told.append(f" {written}" if value is True else f' {written}="{escaped(value)}"')
    inside = "" if name in _VOID else f"{join(*children)}</{name}>"
    return Markup(f"<{name}{''.join(told)}>{inside}")


def join(*children: Child) -> Markup:
    """Children one after the other, texts among them escaped."""
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            parts.append(str(child))
        elif isinstance(child, str):
            parts.append(escaped(child))
        else:
            parts.append(str(join(*child)))
    return Markup("".join(parts))


def escaped(text: str) -> str:
    """A text that is nothing but text in HTML, inside quotes too; signs that act on a page show as ?.

    Example
        >>> escaped("<b>'x'\\u202e"), escaped("two\\nlines")
        ('&lt;b&gt;&#x27;x&#x27;?', 'two\\nlines')
    """
    if text.isascii() and text.isprintable():
        return html.escape(text)
    kept = (sign if sign in "\n\t" or unicodedata.category(sign) not in _ACTIVE else "?" for sign in text)
    return html.escape("".join(kept))


def _is_number(cell: Child) -> bool:
    """Whether a cell is a number, or stands for one that is undefined; such columns stand to the right."""
    return isinstance(cell, str) and not isinstance(cell, Markup) and _NUMBER.fullmatch(cell) is not None


def table_of(
    heads: Iterable[str], rows: Iterable[Iterable[Child]], *, caption: str = "", sortable: bool = False
) -> Markup:
    """A table with a row of headings, in a frame of its own that scrolls on a narrow screen."""
    table, titles = [list(row) for row in rows], list(heads)
    wide = max((len(row) for row in [*table, list[Child](titles)]), default=0)
    right = [bool(table) and all(_is_number(cell) for row in table for cell in row[k : k + 1]) for k in range(wide)]
    side = ["n" if is_right else None for is_right in right]
    names = [tag("th", head, scope="col", class_=way) for head, way in zip(titles, side, strict=False)]
    body = [tag("tr", *(tag("td", cell, class_=way) for cell, way in zip(row, side, strict=False))) for row in table]
    inside = [tag("caption", caption)] if caption else []
    inside += [tag("thead", tag("tr", *names)), tag("tbody", *body)]
    return tag("div", tag("table", *inside, class_="sortable" if sortable else None), class_="scroll")
