"""Logs changed by somebody who knows the format: every hash is right, so only the contents can give them away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from mesocosm.log.canonical import Chain, is_annotation

Record = dict[str, Any]


def forge(source: Path, target: Path, change: Callable[[Record], Any]) -> int:
    """Copy a log of level full or epoch, let `change` edit each record in place, and compute every hash anew.

    Returns  how many records were changed.
    """
    chain, changed = Chain(), 0
    is_epoch_level = False
    lines: list[bytes] = []
    for line in source.read_bytes().splitlines():
        record = msgspec.json.decode(line, type=dict)
        del record["h"]
        before = msgspec.json.encode(record)
        change(record)
        changed += msgspec.json.encode(record) != before
        kind = record["kind"]
        is_epoch_level |= kind == "header" and record["level"] == "epoch"
        if kind == "checkpoint" and is_epoch_level:
            chain.advance(record["state"].encode())
        if kind in ("checkpoint", "end"):
            record |= {"trajectory": chain.trajectory_hex, "bind": chain.bind}
        body = msgspec.json.encode(record)[:-1]
        is_bound = kind in ("header", "checkpoint", "end") or is_annotation(kind)
        lines.append(chain.add_bound(body) if is_bound else chain.add_events([body]))
    target.write_bytes(b"".join(lines))
    return changed
