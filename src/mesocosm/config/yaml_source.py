"""YAML text as plain values, each with its line and column; only the plain part of YAML 1.2 is let in.

Anchors, aliases, tags, merge keys, directives and several documents are refused, so a file means what it shows
and cannot grow while it is read. Scalars follow YAML 1.2's core schema: ``no`` and ``12:30:45`` are text,
``1e-3`` is a number and ``010`` is ten.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from mesocosm.errors import Mistake

BYTES_MAX = 1 << 20
DEPTH_MAX = 20
NODES_MAX = 100_000
MISTAKES_MAX = 100
DIGITS_MAX = 40

KeyPath = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **{"-" + word: -math.inf for word in (".inf", ".Inf", ".INF")},
}
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_TAB = re.compile(r"^(?!\s*#)[^\t\n]*(\t)", re.MULTILINE)
_SYNTAX = (
    ("mapping values are not allowed", "a ':' stands where none can be; put text that contains ': ' in quotes"),
    ("expected ':'", "expected 'key: value'; is a ':' missing, or a space after it?"),
    ("cannot start any token", "text cannot begin with this character; put it in quotes"),
    ("expected ',' or", "this bracket is not closed, or a ',' is missing"),
    ("expected the node content", "a value is missing here; is a bracket not closed?"),
    ("expected node content", "a value is missing here; is a bracket not closed?"),
    ("end of stream", "this text is not closed; a quote is missing"),
    ("block end", "the indentation does not match the lines above"),
    ("expected '-'", "the indentation does not match the lines above"),
    ("expected key", "the indentation does not match the lines above"),
    ("block collection", "the indentation does not match the lines above"),
    ("sequence entries are not allowed", "a '-' cannot stand here; begin the list on a line of its own"),
    ("escape", "unknown escape in double quotes; write \\\\ for a backslash, or use single quotes"),
    ("document start", "the indentation does not match the lines above, or something follows the end"),
    ("directive", "directives (% at the start of a line) are not supported; remove the line"),
    ("incompatible YAML", "directives (% at the start of a line) are not supported; remove the line"),
)


class Unusable:
    """Stands for a value that was refused while reading, so that it is not complained about twice."""

    def __repr__(self) -> str:
        """Name it in messages."""
        return "(unusable)"


UNUSABLE = Unusable()


class NumberTooLongError(ValueError):
    """A number with more digits than any setting can use."""


class _ReadingStoppedError(Exception):
    """Reading cannot go on; what was found so far is told."""


@dataclass(frozen=True)
class Place:
    """A spot in a text, counted from 1; line 0 where there is no text."""

    line: int
    column: int


@dataclass
class Source:
    """A text that was read: its plain value, where each key and value stands, and what was wrong."""

    path: str
    value: Any = None
    key_place: dict[KeyPath, Place] = field(default_factory=dict)
    value_place: dict[KeyPath, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    complete: bool = False

    def refuse(self, place: Place, message: str, key: str = "") -> None:
        """Note a mistake, and stop reading when there are too many to be told."""
        self.mistakes.append(Mistake(key, message, self.path, place.line, place.column))
        if len(self.mistakes) >= MISTAKES_MAX:
            raise _ReadingStoppedError


def dotted(path: KeyPath) -> str:
    """A key path as people write it.

    Example
        >>> dotted(("agents", 0, "count"))
        'agents.0.count'
    """
    return ".".join(map(str, path))


def resolve_scalar(text: str) -> Any:
    """What a word without quotes means by YAML 1.2's core schema.

    Raises   NumberTooLongError when it is a number with too many digits or beyond floating point.
    Example
        >>> [resolve_scalar(word) for word in ("1e-3", "010", "no", "12:30:45", "~")]
        [0.001, 10, 'no', '12:30:45', None]
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        if len(text) > DIGITS_MAX:
            raise NumberTooLongError(f"a number of {len(text)} digits is longer than any setting can be")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text) + 0.0  # -0.0 becomes 0.0
        if math.isinf(number):
            raise NumberTooLongError(f"{text[:DIGITS_MAX]} is too large for a number")
        return number
    return text


def position_of(text: str, index: int) -> Place:
    """Line and column of a character."""
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


def read_yaml(content: bytes | str, path: str = "") -> Source:
    """Read one YAML document; whatever is wrong with it is in `mistakes`, and nothing is raised.

    Params   content: the text, at most 1 MiB; path: how the file is named in messages.
    """
    source = Source(path)
    try:
        text = _decode(content, source)
        _look_for_strange_characters(text, source)
        _Reader(source).read(text)
    except _ReadingStoppedError:
        if len(source.mistakes) >= MISTAKES_MAX:
            last = source.mistakes[-1]
            source.mistakes.append(Mistake("", "too many mistakes; reading stopped here", path, last.line, last.column))
    return source


def _decode(content: bytes | str, source: Source) -> str:
    if len(content) > BYTES_MAX:
        source.refuse(Place(1, 1), f"larger than 1 MiB ({len(content)} bytes or more); this is not a scenario")
        raise _ReadingStoppedError
    if isinstance(content, str):
        return content
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        source.refuse(Place(1, 1), "saved as UTF-16; save it as UTF-8")
        raise _ReadingStoppedError
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = position_of(content[: error.start].decode("utf-8"), error.start)
        source.refuse(place, f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8")
        raise _ReadingStoppedError from None


def _look_for_strange_characters(text: str, source: Source) -> None:
    if text.startswith("\ufeff"):
        source.refuse(Place(1, 1), "begins with a byte-order mark; save it as UTF-8 without BOM")
        raise _ReadingStoppedError
    unseen = _UNSEEN.search(text)
    if unseen:
        code = f"U+{ord(unseen[0]):04X}"
        source.refuse(position_of(text, unseen.start()), f"the control character {code} is not allowed; remove it")
        raise _ReadingStoppedError
    for found in _TAB.finditer(text):
        source.refuse(position_of(text, found.start(1)), "a tab stands here; use spaces (in quoted text write \\t)")
    if source.mistakes:
        raise _ReadingStoppedError


@dataclass
class _Open:
    """A list or mapping that is being read."""

    path: KeyPath
    value: dict[str, Any] | list[Any]
    key: str | None = None  # of a mapping: the key whose value comes next
    skip: bool = False  # the next value belongs to a refused key

    @property
    def wants_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None and not self.skip


class _Reader:
    """Builds plain values from the events of the YAML parser, without recursion."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.open: list[_Open] = []
        self.ignored = 0  # depth inside a refused key or value
        self.depth = 0
        self.nodes = 0
        self.documents = 0

    def read(self, text: str) -> None:
        try:
            for event in self._events(text):
                self._take(event, Place(event.start_mark.line + 1, event.start_mark.column + 1))
        except yaml.MarkedYAMLError as error:
            self._explain(error, text)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            self.source.refuse(position_of(text, len(text)), f"not YAML: {str(error).splitlines()[0]}")
        else:
            self.source.complete = True
            if not self.nodes:
                self.source.refuse(Place(1, 1), "the file is empty")

    def _events(self, text: str) -> Iterator[Any]:
        loader = _LOADER(text)
        try:
            while loader.check_event():
                yield loader.get_event()
        finally:
            loader.dispose()

    def _explain(self, error: yaml.MarkedYAMLError, text: str) -> None:
        problem = error.problem or ""
        plain = next((plain for sign, plain in _SYNTAX if sign in problem), f"not YAML: {problem}")
        at_start = "not closed" in plain or "is a ':' missing" in plain
        mark = error.context_mark if at_start and error.context_mark is not None else error.problem_mark
        if mark and "mapping values" in problem:
            before = text.split("\n")[mark.line][: mark.column] if mark.line < text.count("\n") + 1 else ""
            if before[:1] == " " and ":" not in before:
                plain = "the indentation does not match the lines above"
        place = Place(mark.line + 1, mark.column + 1) if mark else position_of(text, len(text))
        self.source.refuse(place, plain)

    def _take(self, event: Any, place: Place) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.source.refuse(place, "a second document begins here (---); a file holds one scenario")
                raise _ReadingStoppedError
            if event.version or event.tags:
                self.source.refuse(place, "directives (% at the start of a line) are not supported; remove them")
        elif isinstance(event, yaml.NodeEvent):
            self.nodes += 1
            if self.nodes > NODES_MAX:
                self.source.refuse(place, f"more than {NODES_MAX} values; this is not a scenario")
                raise _ReadingStoppedError
            self._take_node(event, place)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.depth -= 1
            if self.ignored:
                self.ignored -= 1
            else:
                self.open.pop()

    def _take_node(self, event: Any, place: Place) -> None:
        is_collection = isinstance(event, yaml.CollectionStartEvent)
        if is_collection:
            self.depth += 1
            if self.depth > DEPTH_MAX:
                self.source.refuse(place, f"nested more than {DEPTH_MAX} levels deep")
                raise _ReadingStoppedError
        if not self.ignored:
            value = self._value(event, place)
            if self.open and self.open[-1].wants_key:
                is_value_next = self._take_key(event, value, place)
            else:
                is_value_next = self._put(value, place)
            if is_collection and is_value_next and isinstance(value, dict | list):
                self.open.append(_Open(self._latest, value))
                return
        if is_collection:
            self.ignored += 1

    def _value(self, event: Any, place: Place) -> Any:
        here = dotted(self.open[-1].path if self.open and self.open[-1].wants_key else self._path_next())
        if isinstance(event, yaml.AliasEvent):
            self.source.refuse(place, f"aliases (*{event.anchor}) are not supported; write the value out", here)
            return UNUSABLE
        if event.anchor is not None:
            self.source.refuse(place, f"anchors (&{event.anchor}) are not supported; remove it", here)
        if event.tag is not None:
            shown = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self.source.refuse(place, f"tags ({shown}) are not supported; remove it", here)
            if isinstance(event, yaml.ScalarEvent):
                return UNUSABLE
        if isinstance(event, yaml.ScalarEvent):
            if self.open and self.open[-1].wants_key:
                return event.value
            try:
                return resolve_scalar(event.value) if event.implicit[0] else event.value
            except NumberTooLongError as error:
                self.source.refuse(place, str(error), here)
                return UNUSABLE
        return {} if isinstance(event, yaml.MappingStartEvent) else []

    def _path_next(self) -> KeyPath:
        if not self.open:
            return ()
        top = self.open[-1]
        return (*top.path, len(top.value) if isinstance(top.value, list) else str(top.key))

    def _take_key(self, event: Any, key: Any, place: Place) -> bool:
        """Note the key whose value comes next; False, so that a collection used as a key is not opened."""
        top = self.open[-1]
        if not isinstance(key, str):
            top.skip = True
            if not isinstance(key, Unusable):
                self.source.refuse(place, "a key must be a word, not a list or mapping", dotted(top.path))
            return False
        path = (*top.path, key)
        if key == "<<" and event.implicit[0]:
            top.skip = True
            self.source.refuse(place, "merge keys (<<) are not supported; write the values out", dotted(path))
        elif path in self.source.key_place:
            top.skip = True
            first = self.source.key_place[path].line
            self.source.refuse(place, f"duplicate key; it is already set in line {first}", dotted(path))
        else:
            top.key = key
            self.source.key_place[path] = place
        return False

    def _put(self, value: Any, place: Place) -> bool:
        """Store a value where it belongs; whether it was wanted."""
        if not self.open:
            self.source.value = value
        else:
            top = self.open[-1]
            if top.skip:
                top.skip = False
                return False
            self._latest = self._path_next()
            if isinstance(top.value, list):
                top.value.append(value)
            else:
                top.value[str(top.key)] = value
                top.key = None
            self.source.value_place[self._latest] = place
            return True
        self._latest = ()
        self.source.value_place[()] = place
        return True

    _latest: KeyPath = ()
