"""Plain values, and how they are written as YAML text."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import yaml

from mesocosm.config.yaml_source import DEPTH_MAX, UNUSABLE, KeyPath, NumberTooLongError, Source, dotted, resolve_scalar
from mesocosm.errors import Mistake


class _Writer(yaml.SafeDumper):
    """Writes plain values so that `read_yaml` reads them back unchanged."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


def _write_text(writer: Any, text: str) -> Any:
    try:
        is_plain = bool(text) and isinstance(resolve_scalar(text), str)
    except NumberTooLongError:
        is_plain = False
    style = None if is_plain and "\n" not in text else '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _write_list(writer: Any, items: list[Any]) -> Any:
    is_short = not any(isinstance(item, dict | list) for item in items)
    return writer.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=is_short)


_Writer.add_representer(str, _write_text)
_Writer.add_representer(list, _write_list)


def write_yaml(value: Mapping[str, Any]) -> str:
    """Plain values as YAML text that `read_yaml` reads back unchanged."""
    return str(
        yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)
    )


def plain_values(value: Any, source: Source, path: KeyPath = ()) -> Any:
    """Lists, mappings and numbers of any kind as those that YAML knows; what has no such form is noted in `source`."""
    if len(path) > DEPTH_MAX:
        source.mistakes.append(Mistake("", f"nested more than {DEPTH_MAX} levels deep"))
        return UNUSABLE
    if isinstance(value, Mapping):
        plain: dict[str, Any] = {}
        for key, item in value.items():
            if isinstance(key, str):
                plain[key] = plain_values(item, source, (*path, key))
            else:
                source.mistakes.append(Mistake(dotted(path), f"key {key!r:.40} is not text"))
        return plain
    if isinstance(value, list | tuple):
        return [plain_values(item, source, (*path, index)) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    try:
        return float(value) if isinstance(value, Real) else value
    except OverflowError:
        return value
