"""Run directories: where runs live, how they are named, and the manifest that knows host and clock."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from mesocosm.config.load import dump_scenario
from mesocosm.config.schema import Scenario
from mesocosm.errors import UsageError, nearest
from mesocosm.log.files import EVENTS, write_atomic

MANIFEST = "manifest.json"
SCENARIO = "scenario.yaml"
LATEST = "latest"
fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None  # elsewhere runs are not kept apart
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
PACKAGES = ("numpy", "pydantic", "msgspec", "pyyaml", "polars")


def run_root() -> Path:
    """Directory under which runs are kept: the environment variable MESOCOSM_RUNS, or ./runs."""
    return Path(os.environ.get("MESOCOSM_RUNS", "runs"))


def scenario_hash(scenario: Scenario, seed: int) -> str:
    """Eight hex digits that stand for a resolved scenario and seed."""
    return hashlib.sha256(f"{dump_scenario(scenario)}\n{seed}".encode()).hexdigest()[:8]


def make_directory(scenario: Scenario, seed: int) -> Path:
    """Make an empty run directory named after time, scenario, seed and content."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S")
    return _make_anew(f"{stamp}_{scenario.scenario_id}_s{seed}_{scenario_hash(scenario, seed)}")


def _make_anew(name: str) -> Path:
    """An empty directory of that name under the run root, with a number behind it if the name is taken."""
    for number in range(1, 1000):
        path = run_root() / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"{path}: cannot make the run directory ({error.strerror}).") from error
        return path
    raise UsageError(f"{run_root()}: a thousand runs named {name} exist already.")


def make_result_directory(kind: str, scenario: Scenario, content: str) -> Path:
    """Make an empty directory for results about a scenario, named after time, kind, scenario and content."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S")
    digest = hashlib.sha256(f"{dump_scenario(scenario)}\n{content}".encode()).hexdigest()[:8]
    return _make_anew(f"{stamp}_{kind}_{scenario.scenario_id}_{digest}")


def find_run(name: str | Path) -> Path:
    """Resolve a run: `latest`, an id under the run root, or the path of a run directory or log.

    Raises   UsageError when there is none, with the nearest id.
    """
    text = str(name)
    root = run_root()
    known = sorted(item.name for item in root.iterdir() if (item / MANIFEST).is_file()) if root.is_dir() else []
    if text == LATEST:
        if not known:
            raise UsageError(f"there is no run under {root} yet. Start one: mesocosm run baseline")
        return root / max(known, key=lambda run: (_started(root / run), run))
    try:
        if "\x00" not in text and Path(text).exists():
            return Path(text)
    except OSError as error:  # a name that the system does not take
        raise UsageError(f"no run {text[:60]!r}: {error.strerror}.") from error
    if RUN_ID.fullmatch(text) and text in known:
        return root / text
    recent = sorted(known, key=lambda run: (_started(root / run), run))[-3:]
    raise UsageError(f"no run {text!r}: it is neither a path nor a run under {root}. {nearest(text, recent)}")


def find_log(name: str | Path) -> Path:
    """Resolve a run as `find_run` does, and see that it has a log.

    Raises   UsageError when there is none.
    """
    path = find_run(name)
    if path.is_dir() and not (path / EVENTS).exists():
        raise UsageError(f"{path}: there is no log of a run in this directory.")
    return path


def _started(path: Path) -> str:
    try:
        return str(json.loads((path / MANIFEST).read_text(encoding="utf-8")).get("started", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def host_facts() -> dict[str, Any]:
    """Versions and platform, for the manifest only: nothing of it enters the log."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "platform": platform.platform(), "packages": versions}


def now() -> str:
    """Wall-clock time in UTC, for the manifest only."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write_manifest(directory: Path, facts: dict[str, Any]) -> None:
    """Write manifest.json atomically."""
    write_atomic(directory / MANIFEST, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())


@contextmanager
def claimed(target: Path) -> Iterator[None]:
    """Keep a run directory or log to one writing process; the claim ends with the process, however it ends.

    Raises   UsageError when another process is writing there.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(target, os.O_RDONLY if target.is_dir() else os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"{target}: another process is writing this run. Wait for it, or stop it.") from error
        yield
    finally:
        os.close(handle)


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read manifest.json; empty when there is none or it is damaged."""
    try:
        found = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
