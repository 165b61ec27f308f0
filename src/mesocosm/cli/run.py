"""``mesocosm run``: a scenario in, a table on the screen and a run directory out."""

from __future__ import annotations

import math
import re
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mesocosm import registry
from mesocosm.analysis.plots import plot_run
from mesocosm.cli.arguments import AsJson, Overrides, Plugins
from mesocosm.cli.epochs_table import EpochTable
from mesocosm.cli.progress import ProgressLine
from mesocosm.cli.screen import (
    WIDTH_MOST,
    dash,
    paint,
    say,
    say_entry,
    say_json,
    say_whole,
    sparkline,
    tell,
    width,
    wrapped,
)
from mesocosm.config.load import load_scenario
from mesocosm.config.schema import Scenario
from mesocosm.errors import ConfigError, Mistake, UsageError
from mesocosm.log.files import events_path
from mesocosm.log.integrity import glance
from mesocosm.runner import directory, projections
from mesocosm.runner import runner as running
from mesocosm.runner.runner import Run

FLAGS_SHOWN, EPOCHS_NAMED = 4, 8
_EPOCH = re.compile(r"in epoch (\d+)")
HASH_SHOWN = 16
#: options that change one value of the scenario
OPTIONS = {"simulation.epochs": "--epochs", "simulation.seed": "--seed", "log.level": "--log"}


def run_command(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="Name or file of a scenario.")] = "",
    *,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Length; else as in the scenario.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seed of all chance; else as in the scenario.")] = None,
    override: Overrides = [],  # noqa: B006
    output: Annotated[str, typer.Option(metavar="PATH", help="Run directory, or *.jsonl for the log alone.")] = "",
    log: Annotated[str, typer.Option(metavar="LEVEL", help="full, columns or epoch: how much is logged.")] = "",
    plugin: Plugins = [],  # noqa: B006
    plot: Annotated[bool, typer.Option(help="Draw plot.png into the run directory.")] = False,
    parquet: Annotated[bool, typer.Option(help="Write Parquet tables beside the log.")] = True,
    resume: Annotated[str, typer.Option(metavar="RUN", help="Go on with a run that was cut.")] = "",
    durable: Annotated[bool, typer.Option("--durable", help="Sync every turn to the disk.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the path of the run.")] = False,
    as_json: AsJson = False,
) -> int:
    """Run a scenario: a table of metrics per epoch, a log that replays to the byte."""
    for file in plugin:
        registry.load_plugin(file)
    if resume:
        _refuse_beside_resume(scenario, epochs, seed, override, output, log)
        made = _resumed(resume, quiet or as_json)
    else:
        if not scenario:
            raise UsageError("which scenario? Try `mesocosm run baseline`, or `mesocosm list scenarios`.")
        wanted = _wanted(scenario, epochs, seed, override, log)
        made = _fresh(wanted, output, durable, quiet or as_json)
    activity = _read_back(made, parquet)
    drawn = plot_run(made.rows, made.path, title_of(made)) if plot and made.path.is_dir() else []
    if plot and not drawn:
        tell("no plot: a log file alone has no place for one. Use `mesocosm plot RUN --out DIR`.")
    if as_json:
        say_json(_as_json(made, activity))
    elif quiet:
        say(str(made.path))
    else:
        _report(made, activity, plugin, [path for path in drawn if path.suffix == ".png"])
    return 0 if made.reason == "completed" else _stopped(made)


def _wanted(scenario: str, epochs: int | None, seed: int | None, override: list[str], log: str) -> Scenario:
    """The scenario with everything that the command line changes."""
    pairs = (("simulation.epochs", epochs), ("simulation.seed", seed), ("log.level", log or None))
    changes = [f"{path}={value}" for path, value in pairs if value is not None]
    try:
        return load_scenario(scenario, [*override, *changes])
    except ConfigError as error:
        raise ConfigError(_as_asked(mistake) for mistake in error.mistakes) from None


def _as_asked(mistake: Mistake) -> Mistake:
    """The same mistake under the name of the option that made it, if it is one of the short ones."""
    option = OPTIONS.get(mistake.key) if mistake.path == "--set" else None
    return replace(mistake, key="", path=option) if option else mistake


def _refuse_beside_resume(scenario: str, *others: Any) -> None:
    if scenario or any(others):
        raise UsageError("--resume goes on with the run as it was: leave out the scenario and what would change it.")


def _fresh(wanted: Scenario, output: str, durable: bool, quiet: bool) -> Run:
    line = ProgressLine(wanted.simulation.epochs, quiet)
    with _asked_to_stop(wanted.safety.kill_switch_enabled) as stop, line:
        return running.run(wanted, output=output or None, progress=line, stop=stop, durable=durable)


def _resumed(name: str, quiet: bool) -> Run:
    found = directory.find_run(name)
    if not events_path(found).exists():
        raise UsageError(f"{found}: there is no log in it. `mesocosm run SCENARIO` starts a run.")
    header = glance(found).header
    line = ProgressLine(int(header.scenario["simulation"]["epochs"]) if header else 0, quiet)
    with _asked_to_stop(True) as stop, line:
        return running.resume(found, progress=line, stop=stop)


@contextmanager
def _asked_to_stop(has_switch: bool) -> Iterator[Callable[[], str | None]]:
    """The kill switch: Ctrl-C or SIGTERM once ends the run with a whole log; Ctrl-C twice ends it at once."""
    asked: list[str] = []
    names = {signal.SIGINT: "stopped by Ctrl-C", signal.SIGTERM: "stopped by SIGTERM"}

    def note(number: int, frame: Any) -> None:
        if asked or not has_switch:
            raise KeyboardInterrupt
        asked.append(names[signal.Signals(number)])

    before = {number: signal.signal(number, note) for number in names}
    try:
        yield lambda: asked[0] if asked else None
    except KeyboardInterrupt:
        tell("stopped at once, in the middle of a turn. `mesocosm run --resume RUN` goes on from there.")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read_back(made: Run, parquet: bool) -> projections.Activity | None:
    """Count what happened and write the Parquet tables, from a log that holds every event."""
    if made.scenario.log.level == "epoch" or not projections.is_readable_at_once(made.path):
        return None
    tables = projections.tables_of(made.path)
    if parquet and made.path.is_dir():
        projections.write_projections(made.path, made.rows, tables, made.scenario)
    return projections.activity_of(tables["interaction"], made.scenario)


def title_of(made: Run) -> str:
    """What was run, in a line."""
    simulation, agents = made.scenario.simulation, made.scenario.agents_initial
    told = f"{agents:,} agent{'s' * (agents != 1)}, {len(made.rows)} epoch{'s' * (len(made.rows) != 1)}"
    return f"{made.scenario.scenario_id}: {told} of {simulation.steps_per_epoch} steps, seed {made.seed}"


def _report(made: Run, activity: projections.Activity | None, plugins: Sequence[str], drawn: Sequence[Path]) -> None:
    say(paint(title_of(made), "bold"))
    for line in wrapped(made.scenario.description) if made.scenario.description else ():
        say(line)
    if made.scenario.governance:
        say_entry("levers", ", ".join(_levers(made.scenario)))
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
    if activity is not None:
        say_entry("activity", activity_text(activity))
    _flags(made)
    say_whole("run", str(made.path))
    for path in drawn:
        say_whole("picture", str(path))
    level = made.scenario.log.level  # each level chains what it writes, so hashes compare within one level
    say_entry("trajectory", made.trajectory[:HASH_SHOWN] + ("" if level == "full" else f" (log level {level})"))
    _next(made, plugins)


def _levers(scenario: Scenario) -> Iterator[str]:
    for name, settings in scenario.governance.items():
        told = ", ".join(f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
                         for key, value in settings.items())  # fmt: skip
        yield f"{name} ({told})" if told else name


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


def activity_text(activity: projections.Activity) -> str:
    """Proposals and acceptance, in all and by type of initiator."""

    def share(counts: tuple[int, int]) -> str:
        value = projections.Activity.share(*counts)
        return dash() if math.isnan(value) else f"{100 * value:.0f}%"

    told = f"{activity.proposals:,} proposals, {activity.accepted:,} accepted "
    told += f"({share((activity.proposals, activity.accepted))})"
    types = ", ".join(f"{name} {share(counts)} of {counts[0]:,}" for name, counts in activity.by_type.items())
    return f"{told}; by initiator: {types}" if types else told


def _flags(made: Run) -> None:
    flags = merged(made.flags)
    for place, flag in enumerate(flags[:FLAGS_SHOWN]):
        say_entry("beware" if place == 0 else "", f"{flag}.")
    rest = len(flags) - FLAGS_SHOWN
    if rest > 0:
        say_entry("", f"and {rest} more like these: see --json or {directory.MANIFEST}.")


def merged(flags: Sequence[str]) -> list[str]:
    """Flags that differ only by their epoch, told once.

    Example
        >>> merged(["no rejections in epoch 2, so x is undefined", "no rejections in epoch 3, so x is undefined"])
        ['no rejections in epochs 2 and 3, so x is undefined']
    """
    epochs: dict[tuple[str, str], list[str]] = {}
    for flag in flags:
        found = _EPOCH.search(flag)
        key = (flag[: found.start()], flag[found.end() :]) if found else (flag, "")
        epochs.setdefault(key, []).extend([found.group(1)] if found else [])
    told = []
    for (before, after), places in epochs.items():
        if len(places) > 1:
            listed = ", ".join(places[:EPOCHS_NAMED]) if len(places) > EPOCHS_NAMED else ", ".join(places[:-1])
            last = f"{len(places) - EPOCHS_NAMED} more" if len(places) > EPOCHS_NAMED else places[-1]
            told.append(f"{before}in epochs {listed} and {last}{after}")
        else:
            told.append(f"{before}in epoch {places[0]}{after}" if places else before)
    return told


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


def _stopped(made: Run) -> int:
    """Say how to go on after the kill switch."""
    length = f"{len(made.rows)} of {made.scenario.simulation.epochs} epochs"
    tell(f"{made.reason}: {length} were completed; the log is whole and says why it ends.")
    if made.path.is_dir():
        tell(f"The same run to its end: mesocosm run {shlex.quote(str(made.path / directory.SCENARIO))}")
    return 1


def _as_json(made: Run, activity: projections.Activity | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "run": str(made.path),
        "scenario_id": made.scenario.scenario_id,
        "seed": made.seed,
        "reason": made.reason,
        "trajectory_sha256": made.trajectory,
        "flags": made.flags,
        "epochs": made.rows,
    }
    if activity is not None:
        told["activity"] = {"proposals": activity.proposals, "accepted": activity.accepted, "by_type": activity.by_type}
    return told
