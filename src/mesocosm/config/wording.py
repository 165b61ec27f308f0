"""What is wrong with a value, in plain words: what was given, what is expected, and how to write it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mesocosm.config.outline import did_you_mean
from mesocosm.config.yaml_source import NumberTooLongError, Unusable, resolve_scalar

#: pydantic's name for a wrong type -> what is expected
_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "model_type": "a block of keys",
    "dict_type": "a block of keys",
    "tuple_type": "a list",
    "list_type": "a list",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least"),
    "greater_than": ("gt", "must be above"),
    "less_than_equal": ("le", "must be at most"),
    "less_than": ("lt", "must be below"),
    "multiple_of": ("multiple_of", "must be a multiple of"),
}


def shown_value(value: Any) -> str:
    """A value as it may stand in a message: short, on one line, in YAML's spelling."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, Mapping):
        return "a block of keys" if value else "an empty block of keys"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a very long number"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _said(value: Any) -> str:
    return f"{shown_value(value)} is text" if isinstance(value, str) else f"got {shown_value(value)}"


def _text_hint(text: str, expected: str) -> str:
    """Why a text is not the number or truth value that its writer meant."""
    word = text.strip().lower()
    if expected == "true or false":
        if word in ("no", "n", "off", "false"):
            return "; write false"
        return "; write true" if word in ("yes", "y", "on", "true") else ""
    if not expected.endswith("number"):
        return ""
    if re.fullmatch(r"[-+]?\d+(:\d+)+(\.\d*)?", word):
        return "; YAML 1.2 reads no number from colons"
    if re.fullmatch(r"[-+]?\d{1,3}([_, ]\d{3})+", word) or re.fullmatch(r"[-+]?[\d_]*\d[\d_]*", word):
        return f"; write {re.sub('[_, ]', '', word)[:40]}" + ("" if re.search("[_, ]", word) else " without quotes")
    if re.fullmatch(r"[-+]?\d+,\d+", word):
        return f"; write {word.replace(',', '.')[:40]}"
    if re.fullmatch(r"[-+]?\d+(\.\d+)?\s*%", word):
        return f"; write {float(word.rstrip('% ')[:40]) / 100:g}"
    try:
        value = resolve_scalar(text.strip()) if text.strip() else None
    except NumberTooLongError:
        return ""
    return "; write it without quotes" if isinstance(value, int | float) else ""


def wrong_type(value: Any, expected: str) -> str:
    """The message for a value of the wrong type.

    Example
        >>> wrong_type("no", "true or false")
        "'no' is text, expected true or false; write false"
    """
    if value is None:
        return f"nothing is given, expected {expected}; remove the line for the default"
    hint = ""
    if isinstance(value, str):
        hint = _text_hint(value, expected)
    elif expected == "text" and isinstance(value, bool | int | float):
        hint = "; put it in quotes"
    elif expected == "a whole number" and isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        hint = f"; write {int(value)}"
    return f"{_said(value)}, expected {expected}{hint}"


def _out_of_bounds(error: Mapping[str, Any]) -> str:
    limit, words = _BOUNDS[error["type"]]
    bound = error["ctx"][limit]
    number = f"{bound:.15g}" if isinstance(bound, float) else str(bound)
    return f"{words} {number}, got {shown_value(error['input'])}"


def _wrong_count(error: Mapping[str, Any]) -> str | None:
    given = error["input"]
    if error["type"] == "too_short":
        # pydantic also says so when items were wrong, which is told at the items
        return None if given else "needs at least one entry"
    if error["type"] == "string_too_long":
        return f"at most {error['ctx']['max_length']} characters, got {len(given)}"
    return f"at most {error['ctx']['max_length']} entries, got {len(given)}"


def in_plain_words(error: Mapping[str, Any], choices: Iterable[str] = (), noun: str = "") -> str | None:
    """One error of pydantic in plain words; None when it says nothing of its own.

    Params   choices: the words allowed at this key; noun: what one of them is called.
    """
    kind, given = error["type"], error["input"]
    if isinstance(given, Unusable):
        return None
    if kind in _EXPECTED:
        return wrong_type(given, _EXPECTED[kind])
    if kind in _BOUNDS:
        return _out_of_bounds(error)
    rules: dict[str, Callable[[], str | None]] = {
        "int_from_float": lambda: wrong_type(given, "a whole number"),
        "missing": lambda: "is missing; it has no default",
        "finite_number": lambda: f"must be a finite number, got {shown_value(given)}",
        "literal_error": lambda: unknown_word(given, choices, noun),
        "string_pattern_mismatch": lambda: (
            f"{shown_value(given)} is not a name: use 1 to 64 of the small letters a-z, digits, _ and -"
        ),
        "too_short": lambda: _wrong_count(error),
        "too_long": lambda: _wrong_count(error),
        "string_too_long": lambda: _wrong_count(error),
        "string_unicode": lambda: "holds a character that cannot be written as UTF-8; remove it",
    }
    if kind in rules:
        return rules[kind]()
    return str(error.get("ctx", {}).get("message") or error["msg"])


def unknown_word(word: Any, choices: Iterable[str], noun: str) -> str:
    """The message for a word that is not one of those allowed."""
    known = list(choices)
    if not isinstance(word, str):
        return f"{_said(word)}, expected one of {', '.join(known)}"
    return f"unknown {noun or 'word'} {shown_value(word)}. {did_you_mean(word, known)}"
