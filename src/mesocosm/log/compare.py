"""The first difference between two lines of a log, named by record and field."""

from __future__ import annotations

from typing import Any

import msgspec

ABSENT = "nothing"


def place_of(record: dict[str, Any]) -> str:
    """How a person would point at a record: its kind and where in the run it stands.

    Example
        >>> place_of({"kind": "voted", "seq": 7, "epoch": 0, "step": 3, "turn": 1})
        'event 7 (voted, epoch 0, step 3, turn 1)'
    """
    kind = record.get("kind", "record")
    if "seq" in record:
        return f"event {record['seq']} ({kind}, epoch {record['epoch']}, step {record['step']}, turn {record['turn']})"
    if kind == "shard":
        return f"shard {record.get('table')} of epoch {record.get('epoch')}"
    return f"{kind} of epoch {record['epoch']}" if "epoch" in record else str(kind)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return record if isinstance(record, dict) else None


def _walk(expected: Any, found: Any, name: str) -> tuple[str, Any, Any] | None:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            deeper = f"{name}.{key}" if name else str(key)
            if key not in found or key not in expected:
                return deeper, expected.get(key, ABSENT), found.get(key, ABSENT)
            difference = _walk(expected[key], found[key], deeper)
            if difference is not None:
                return difference
        return None
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for position, (one, other) in enumerate(zip(expected, found, strict=True)):
            difference = _walk(one, other, f"{name}[{position}]")
            if difference is not None:
                return difference
        return None
    same = type(expected) is type(found) and repr(expected) == repr(found)  # repr tells 1 from 1.0 and 0.0 from -0.0
    return None if same else (name, expected, found)


def first_difference(expected_line: bytes, found_line: bytes) -> tuple[str, str, Any, Any] | None:
    """Name the first thing in which two lines differ.

    Returns  (where, field, expected, found), the field dotted when it lies inside another; None when they are equal.
             A line of another kind or of another event differs in ``kind``, ``seq`` and so on, in that order.
    Example
        >>> first_difference(b'{"kind":"end","epochs":3}', b'{"kind":"end","epochs":2}')
        ('end', 'epochs', 3, 2)
    """
    if expected_line == found_line:
        return None
    expected, found = _parse(expected_line), _parse(found_line)
    if expected is None or found is None:
        where = place_of(expected or found or {})
        return where, "record", expected or ABSENT, found or ABSENT
    if expected.get("kind") != found.get("kind"):
        return place_of(expected), "kind", expected.get("kind"), found.get("kind")
    difference = _walk(expected, found, "")
    if difference is None:
        return place_of(expected), "order of fields", list(expected), list(found)
    return place_of(expected), *difference
