"""What ``mesocosm run`` prints when a run is over."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from mesocosm import registry
from mesocosm.analysis.run_words import merged, title_of
from mesocosm.cli.epochs_table import EpochTable
from mesocosm.cli.run_summary import Told, say_summary
from mesocosm.cli.screen import WIDTH_MOST, dash, paint, say, say_entry, say_whole, sparkline, width, wrapped
from mesocosm.errors import UsageError
from mesocosm.runner import directory
from mesocosm.runner.runner import Run

FLAGS_SHOWN = 4
HASH_SHOWN = 16


def report_run(
    made: Run, told: Told | None, plugins: Sequence[str], drawn: Sequence[Path], *, every_agent: bool = False
) -> None:
    """Print what a run came to: the table of epochs, what its log adds to that, where it lies, and what to do next.

    Params   told: what was read back from the log, if it could be; drawn: pictures; every_agent: list all agents.
    """
    say(paint(title_of(made), "bold"))
    for line in wrapped(made.scenario.description) if made.scenario.description else ():
        say(line)
    if made.scenario.governance:
        say_entry("levers", ", ".join(_levers(made)))
    say()
    table = EpochTable(made.rows, made.scenario.metrics_to_track, width())
    if made.rows:
        for line in table.heading():
            say(paint(line, "bold"))
        for line in table.body():
            say(line)
        say(paint(table.mean(), "bold"))
        _notes(made, table)
    else:
        say("No epoch was completed, so there is nothing to show.")
    say()
    _pictures(made)
    if told is not None and made.rows:
        say_summary(told, every_agent)
    _flags(made)
    say_whole("run", str(made.path))
    for path in drawn:
        say_whole("picture", str(path))
    level = made.scenario.log.level  # each level chains what it writes, so hashes compare within one level
    say_entry("trajectory", made.trajectory[:HASH_SHOWN] + ("" if level == "full" else f" (log level {level})"))
    _next(made, plugins)


def _levers(made: Run) -> Iterator[str]:
    """Each lever with its settings, and how often it did something."""
    for name, settings in made.scenario.governance.items():
        told = [f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in settings.items()]
        if name in made.fired:
            told.append(f"fired {made.fired[name]:,} time{'s' * (made.fired[name] != 1)}")
        yield f"{name} ({', '.join(told)})" if told else name


def _notes(made: Run, table: EpochTable) -> None:
    """What the table leaves out."""
    hidden = len(made.rows) - len(table.body())
    if hidden:
        note = f"{len(table.body())} of {len(made.rows)} epochs shown; the mean is over all. --json prints every one."
        _dim(note)
    if table.left_out:
        ways = "metrics_to_track or --json" if width() == WIDTH_MOST else "a wider terminal, metrics_to_track or --json"
        _dim(f"No room for: {', '.join(table.left_out)} ({ways}).")


def _dim(text: str) -> None:
    for line in wrapped(text):
        say(paint(line, "dim"))


def _pictures(made: Run) -> None:
    """True and proxy toxicity as two rows of bars on one scale."""
    curves = {
        name: [float(row.get(name, math.nan)) for row in made.rows] for name in ("toxicity_true", "toxicity_rate")
    }
    finite = [value for curve in curves.values() for value in curve if math.isfinite(value)]
    if not finite:
        return
    top = max(finite)
    for label, name in (("true", "toxicity_true"), ("proxy", "toxicity_rate")):
        known = [value for value in curves[name] if math.isfinite(value)]
        span = f"{min(known):.3f} to {max(known):.3f}" if known else dash()
        head = "toxicity" if label == "true" else ""
        say(f"{paint(head.ljust(12), 'bold')}{label:<6} {sparkline(curves[name], top)}  {span}")


def _flags(made: Run) -> None:
    flags = merged(made.flags)
    for place, flag in enumerate(flags[:FLAGS_SHOWN]):
        say_entry("beware" if place == 0 else "", f"{flag}.")
    rest = len(flags) - FLAGS_SHOWN
    if rest > 0:
        say_entry("", f"and {rest} more like these: see --json or {directory.MANIFEST}.")


def address_of(made: Run) -> str:
    """How to name a run in the next command: `latest` if it is, else its path."""
    try:
        is_latest = directory.find_run(directory.LATEST).resolve() == made.path.resolve()
    except UsageError:
        is_latest = False
    return directory.LATEST if is_latest else shlex.quote(str(made.path))


def _next(made: Run, plugins: Sequence[str]) -> None:
    address = address_of(made) + "".join(f" --plugin {shlex.quote(file)}" for file in plugins)
    tried = made.scenario.governance
    known = registry.names("lever")
    lever = next(
        (name for name in ("random_audit", "transaction_tax", *known) if name in known and name not in tried), ""
    )
    options = [f"mesocosm replay {address} --verify", f"mesocosm plot {address}"]
    options.append(f"mesocosm explain {lever}" if lever else f"mesocosm show {made.scenario.scenario_id}")
    for place, command in enumerate(options):
        say_whole("" if place else "next", command)
