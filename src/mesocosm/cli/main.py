"""The ``mesocosm`` command: finds the command asked for, loads only that one, and turns failures into messages.

The table below is all that ``mesocosm --help`` needs, so that it answers at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mesocosm import __version__
from mesocosm.cli.screen import explain_failure, paint, prepare_streams, say, tell, wrapped
from mesocosm.errors import MesocosmError, UsageError, nearest

PROGRAM = "mesocosm"


class Entrance(NamedTuple):
    """Where a command is, and what it does in a line."""

    group: str
    module: str
    function: str
    about: str


COMMANDS = {
    "run": Entrance("Run", "mesocosm.cli.run", "run_command", "run a scenario: a table of metrics, a run directory"),
    "compare": Entrance(
        "Run", "mesocosm.cli.compare", "compare_command", "what a change does: paired seeds, controls, a picture"
    ),
    "sweep": Entrance(
        "Run", "mesocosm.cli.sweep", "sweep_command", "play a study: arms, seeds, verdicts, on all cores"
    ),
    "branch": Entrance(
        "Run", "mesocosm.cli.branch", "branch_command", "go on with a run from an epoch under other rules"
    ),
    "diff": Entrance("Run", "mesocosm.cli.diff", "diff_command", "where two runs part, why, and what followed"),
    "dashboard": Entrance(
        "Run", "mesocosm.cli.dashboard", "dashboard_command", "runs in a browser: watch, start, pause, compare"
    ),
    "plot": Entrance("Run", "mesocosm.cli.plot", "plot_command", "draw runs and studies: --kind network, levers, ..."),
    "report": Entrance("Run", "mesocosm.cli.report", "report_command", "one HTML page about a run or study, to share"),
    "export": Entrance("Run", "mesocosm.cli.export", "export_command", "tables as Parquet, CSV or JSON"),
    "replay": Entrance("Check", "mesocosm.cli.replay", "replay_command", "verify a run: hashes, metrics, every byte"),
    "verify": Entrance("Check", "mesocosm.cli.replay", "verify_command", "verify only the hashes of a log"),
    "check": Entrance("Check", "mesocosm.cli.check", "check_command", "find every mistake in scenarios and studies"),
    "validate": Entrance(
        "Check", "mesocosm.cli.validate", "validate_command", "does it match theory? closed forms against runs"
    ),
    "doctor": Entrance("Check", "mesocosm.cli.doctor", "doctor_command", "is this machine fit, are its numbers ours?"),
    "list": Entrance(
        "Look up", "mesocosm.cli.catalogue", "list_command", "policies, levers, metrics, scenarios, studies"
    ),
    "explain": Entrance("Look up", "mesocosm.cli.explain", "explain_command", "one of these, or a model constant"),
    "show": Entrance("Look up", "mesocosm.cli.catalogue", "show_command", "print a scenario or study, to start from"),
    "schema": Entrance("Look up", "mesocosm.cli.check", "schema_command", "JSON Schema of scenarios, for your editor"),
    "new": Entrance(
        "Write", "mesocosm.cli.starters", "starter_command", "start a scenario, study, policy, agent, lever..."
    ),
}

ABOUT = "A sandbox economy of many agents, and the levers that might govern it."
FIRST_STEPS = (
    ("run baseline", "five agents, ten epochs, a table"),
    ("compare baseline --set governance.random_audit.probability=0.2", "what a lever does"),
    ("replay latest --verify", "prove that the log is the run"),
)


def help_text() -> str:
    """What ``mesocosm --help`` prints."""
    lines = [f"Usage: {PROGRAM} COMMAND [ARGUMENTS]", "", ABOUT]
    group = ""
    for name, entrance in COMMANDS.items():
        if entrance.group != group:
            group = entrance.group
            lines += ["", paint(group, "bold")]
        lines.append(f"  {name:<9} {entrance.about}")
    lines += ["", paint("Begin with", "bold"), *(f"  {PROGRAM} {words}" for words, _ in FIRST_STEPS)]
    lines += ["", *wrapped(f"{PROGRAM} COMMAND --help tells more. RUN is a path, an id, or `latest`.")]
    lines += wrapped("Every command takes --json. Exit codes: 0 good, 1 failed, 2 wrong use, 3 not verified.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no failure that a user can cause ends in a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    prepare_streams()
    as_json = "--json" in words
    try:
        return _dispatch(words)
    except MesocosmError as error:
        return explain_failure(error, as_json)
    except KeyboardInterrupt:
        tell("stopped.")
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return explain_failure(MesocosmError(f"{place}{error.strerror or error}"), as_json)


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else "--help"
    if first in ("--help", "-h", "help"):
        say(help_text())
        return 0
    if first in ("--version", "-V"):
        say(f"{PROGRAM} {__version__}")
        return 0
    if first.startswith("-"):
        raise UsageError(f"the command comes first, as in `{PROGRAM} run baseline {first}`. See `{PROGRAM} --help`.")
    if first not in COMMANDS:
        raise UsageError(f"unknown command {first!r}. {nearest(first, COMMANDS)}")
    entrance = COMMANDS[first]
    typing = importlib.import_module("mesocosm.cli.arguments")
    function: Callable[..., Any] = getattr(importlib.import_module(entrance.module), entrance.function)
    return int(typing.invoke(function, f"{PROGRAM} {first}", words[1:]))
