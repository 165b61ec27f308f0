"""What a study expected before its first run, written down; and what was changed when there were results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mesocosm.config.study import Design, study_to_dict
from mesocosm.log.files import explain
from mesocosm.runner import directory
from mesocosm.runner.cells import CellStore, content_hash, hashes_of

MANIFEST = "manifest.jsonl"
#: what may not change unnoticed once there are results, as the study says it
_SAID = (
    "base", "set", "epochs", "primary", "expect", "expect_of", "expect_in", "smallest_effect", "outcomes", "confidence",
    "interval", "metrics", "robustness",
)  # fmt: skip
_SHOWN = 60  # characters of a value in a message
_NAMED = 4
Facts = dict[str, Any]


def expected_of(design: Design, plugins: Sequence[str | Path] = ()) -> Facts:
    """What is written down of a study: what it asks and expects, and a hash of what every arm plays in every setting.

    Controls are the same in every study and are left out.
    """
    study = study_to_dict(design.study)
    seeds = design.study.seeds.chosen
    plays = {_place(*key): content_hash(one) for key, one in design.scenarios.items() if key[1] not in design.controls}
    return {name: study[name] for name in _SAID} | {
        "seeds": f"{seeds[0]}-{seeds[-1]}",
        "arms": ", ".join(design.arms),
        "settings": ", ".join(design.settings),
        "plugins": hashes_of(plugins),
        "plays": plays,
    }


def _place(setting: str, arm: str) -> str:
    return f"{setting}: {arm}" if setting else arm


def write_expected(folder: Path, expected: Facts, finished: int) -> None:
    """Write down what is expected, if that is new.

    Params   finished: runs that are there already, or are about to be taken from another sweep.
    """
    last = [line["registered"] for line in _manifest(folder)[0] if "registered" in line][-1:]
    if last != [json.loads(json.dumps(expected))]:
        note(folder, {"registered": expected, "at": directory.now(), "cells_then": finished})


def note_source(folder: Path, other: Path, cells: int) -> None:
    """Write down what another sweep expected, before runs are taken from it."""
    there = [line["registered"] for line in _manifest(other)[0] if isinstance(line.get("registered"), dict)]
    facts = {"cells": cells, "at": directory.now(), "amended": amendments(other)}
    note(folder, {"taken_from": str(other), "registered_there": there[-1] if there else None} | facts)


def amendments(folder: Path) -> list[str]:
    """What a study expected at first and no longer does, changed when there were results already."""
    lines, unreadable = _manifest(folder)
    told, taken = [], 0
    if unreadable:
        many = f"{unreadable} line{'s' * (unreadable > 1)} of {MANIFEST} cannot be read"
        told.append(f"{many}, so what was expected at first may have been something else")
    before: Facts | None = None
    sources: list[Facts] = []
    for line in lines:
        if "taken_from" in line:
            sources.append(line)
            taken += _count(line.get("cells"))
            continue
        expected = line.get("registered")
        if not isinstance(expected, dict):
            continue
        count = _count(line.get("cells_then"))
        when = f"on {str(line.get('at'))[:10]}, when {_runs(count)} there already"
        if before is None and count > taken:
            told.append(f"what was expected was written down {when}; what had been before is not known")
        if before is not None and count:
            told += (f"{change} {when}" for change in _changes(before, expected))
        for source in sources:
            told += _of_source(source, expected)
        sources, before = [], expected
    if before is None and CellStore(folder).finished():
        told.append("nothing tells what was expected before the first run")
    return list(dict.fromkeys(told))


def _of_source(source: Facts, expected: Facts) -> Iterator[str]:
    """What the sweep that runs were taken from had expected otherwise."""
    where = source["taken_from"]
    yield from (f"in {where}, {text}" for text in source.get("amended") or ())
    there = source.get("registered_there")
    if isinstance(there, dict):
        told = f"on {str(source.get('at'))[:10]}, when {_runs(_count(source.get('cells')))} taken from {where}"
        yield from (f"{change} {told}" for change in _changes(there, expected))


def _runs(count: int) -> str:
    return f"{count:,} run{'s were' if count != 1 else ' was'}"


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _changes(before: Facts, after: Facts) -> Iterator[str]:
    """What two registrations differ in, each as the beginning of a sentence."""
    for name in (*_SAID, "seeds", "arms", "settings"):
        if name in before and name in after and before[name] != after[name]:
            yield f"{name} changed from {_short(before[name])} to {_short(after[name])}"
    if "plugins" in before and before["plugins"] != after.get("plugins"):
        yield "the plugins changed"
    one, other = (facts.get("plays") for facts in (before, after))
    if isinstance(one, dict) and isinstance(other, dict):
        changed = [arm for arm in one if arm in other and one[arm] != other[arm]]
        if changed:
            more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
            yield f"what is played as {', '.join(changed[:_NAMED])}{more} changed"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _manifest(folder: Path) -> tuple[list[Facts], int]:
    """The lines of a study's manifest that can be read, and how many cannot.

    Raises   MesocosmError when the disk refuses.
    """
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return [], 0
    except OSError as error:
        raise explain(path, "read the manifest", error) from error
    found, unreadable = [], 0
    for line in data.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if isinstance(told, dict):
            found.append(told)
        else:
            unreadable += 1
    return found, unreadable


def note(folder: Path, facts: Facts) -> None:
    """Add a line to the manifest of a sweep in one write, whoever else is adding one.

    Raises   MesocosmError when the disk refuses.
    """
    path = folder / MANIFEST
    try:
        with path.open("a+b", buffering=0) as file:
            size = file.seek(0, 2)
            begun = b""
            if size:  # a line that a power cut has torn is ended here, so that it spoils no other
                file.seek(size - 1)
                begun = b"" if file.read(1) == b"\n" else b"\n"
            file.write(begun + (json.dumps(facts, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise explain(path, "write the manifest", error) from error
