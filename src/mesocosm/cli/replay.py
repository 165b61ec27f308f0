"""``mesocosm replay`` and ``mesocosm verify``: is this log what was written, and is it what the model does?"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mesocosm import registry
from mesocosm.cli.arguments import AsJson, Plugins
from mesocosm.cli.screen import NOT_VERIFIED, paint, say, say_entry, say_json, say_whole
from mesocosm.log.files import EVENTS, events_path
from mesocosm.log.integrity import verify_log
from mesocosm.runner.directory import find_run
from mesocosm.runner.replay import Verification
from mesocosm.runner.replay import replay as replayed

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run directory, a log, an id, or `latest`.")]


def replay_command(
    run: RunName,
    verify: Annotated[
        bool, typer.Option(help="Recompute the metrics and re-simulate every byte, or only hashes.")
    ] = True,
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """Verify a run three ways: its hashes, its metrics from the log alone, its bytes by re-simulation."""
    for file in plugin:
        registry.load_plugin(file)
    found = replayed(run, verify=verify)
    if as_json:
        say_json({"verified": found.complete, "resimulated": verify, **_facts(found)})
    elif found.complete:
        _tell_verified(found, verify)
    else:
        _tell_cut(found.path, found.lines, found.epochs, verify)
    return 0 if found.complete else NOT_VERIFIED


def _facts(found: Verification) -> dict[str, Any]:
    return {
        "log": str(found.path),
        "complete": found.complete,
        "reason": found.reason,
        "lines": found.lines,
        "events": found.events,
        "epochs": found.epochs,
        "metrics_recomputed": found.metrics_recomputed,
        "trajectory_sha256": found.trajectory,
    }


def _tell_verified(found: Verification, verify: bool) -> None:
    word = "verified" if verify else "hashes verified"
    say(f"{paint(word, 'green')}  {found.path}")
    say_entry("hashes", f"{found.lines:,} lines ({found.events:,} events, {found.epochs:,} epochs) are as written")
    if verify:
        if found.metrics_recomputed:
            told = f"{found.metrics_recomputed:,} values recomputed from the log alone, all identical"
        elif not found.epochs:
            told = "none to recompute: no epoch was completed"
        else:
            told = "not recomputed from the log: it holds no events (level epoch); the re-simulation covers them"
        say_entry("metrics", told)
        say_entry("simulation", "re-simulated from the scenario and seed, identical to the byte")
    if found.reason != "completed":
        say_entry("end", f"the run was ended early: {found.reason}")
    say_entry("trajectory", found.trajectory)


def _tell_cut(path: Path, lines: int, epochs: int, verify: bool) -> None:
    say(f"{paint('not verified: the log is cut', 'red')}  {path}")
    agree = "as written, and a re-simulation gives the same" if verify else "as written"
    say_entry("good", f"the first {lines:,} lines ({epochs:,} whole epochs) are {agree}")
    if not lines:
        say_entry("next", "delete it: not even the first line is whole, so nobody knows what was run")
        return
    say_whole("next", f"mesocosm run --resume {address(path)}")


def address(path: Path) -> str:
    """How to name a run by the path of its log."""
    return shlex.quote(str(path.parent if path.name == EVENTS else path))


def verify_command(
    log: RunName,
    as_json: AsJson = False,
) -> int:
    """Verify only the hashes of a log: that every line and shard is as it was written."""
    found = verify_log(events_path(find_run(log)))
    if as_json:
        facts: Mapping[str, Any] = vars(found) | {"path": str(found.path)}
        kept = {name: value for name, value in facts.items() if name != "header"}
        say_json({"verified": found.complete, **kept})
    elif found.complete:
        say(f"{paint('hashes verified', 'green')}  {found.path}")
        say_entry("hashes", f"{found.lines:,} lines ({found.events:,} events, {found.epochs:,} epochs) are as written")
        if found.reason != "completed":
            say_entry("end", f"the run was ended early: {found.reason}")
        say_entry("trajectory", found.trajectory)
    else:
        _tell_cut(found.path, found.lines, found.epochs, verify=False)
    return 0 if found.complete else NOT_VERIFIED
