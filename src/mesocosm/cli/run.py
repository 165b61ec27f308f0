"""``mesocosm run``: a scenario in, a table on the screen and a run directory out."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

import typer

from mesocosm import registry
from mesocosm.analysis.plots import plot_run
from mesocosm.analysis.run_words import title_of
from mesocosm.cli.arguments import AsJson, Overrides, Plugins
from mesocosm.cli.progress import ProgressLine
from mesocosm.cli.run_report import report_run
from mesocosm.cli.run_summary import Told
from mesocosm.cli.screen import say, say_json, tell, tell_wrapped
from mesocosm.config.load import load_scenario
from mesocosm.config.overrides import refuse_set_twice
from mesocosm.config.schema import Scenario
from mesocosm.errors import ConfigError, Mistake, UsageError
from mesocosm.log.files import events_path
from mesocosm.log.integrity import glance
from mesocosm.runner import directory, projections
from mesocosm.runner import runner as running
from mesocosm.runner.runner import Run

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
    agents: Annotated[bool, typer.Option("--agents", help="List every agent, however many.")] = False,
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
    with named_if_stopped(made):
        told = read_back(made, parquet)
        drawn = plot_run(made.rows, made.path, title_of(made)) if plot and made.path.is_dir() else []
    if plot and not drawn:
        tell_wrapped("no plot: a log file alone has no place for one. Use `mesocosm plot RUN --out DIR`.")
    if as_json:
        say_json(_as_json(made, told))
    elif quiet:
        say(str(made.path))
    else:
        report_run(made, told, plugin, [path for path in drawn if path.suffix == ".png"], every_agent=agents)
    return 0 if made.reason == "completed" else _stopped(made)


def _wanted(scenario: str, epochs: int | None, seed: int | None, override: list[str], log: str) -> Scenario:
    """The scenario with everything that the command line changes."""
    pairs = (("simulation.epochs", epochs), ("simulation.seed", seed), ("log.level", log or None))
    changes = [f"{path}={value}" for path, value in pairs if value is not None]
    try:
        refuse_set_twice([*override, *changes])
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
    with asked_to_stop(wanted.safety.kill_switch_enabled) as stop, line:
        return running.run(wanted, output=output or None, progress=line, stop=stop, durable=durable)


def _resumed(name: str, quiet: bool) -> Run:
    found = directory.find_run(name)
    if not events_path(found).exists():
        raise UsageError(f"{found}: there is no log in it. `mesocosm run SCENARIO` starts a run.")
    header = glance(found).header
    line = ProgressLine(int(header.scenario["simulation"]["epochs"]) if header else 0, quiet)
    with asked_to_stop(True) as stop, line:
        return running.resume(found, progress=line, stop=stop)


@contextmanager
def asked_to_stop(has_switch: bool) -> Iterator[Callable[[], str | None]]:
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
        tell_wrapped("stopped at once, in the middle of a turn. `mesocosm run --resume RUN` goes on from there.")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def named_if_stopped(made: Run) -> Iterator[None]:
    """Say where a run is that has ended well, when what comes after it is stopped."""
    try:
        yield
    except KeyboardInterrupt:
        tell(f"the log of the run is whole: {made.path}")
        raise


def read_back(made: Run, parquet: bool) -> Told | None:
    """Sum the run up and write the Parquet tables, from a log that holds every event."""
    if made.scenario.log.level == "epoch" or not projections.is_readable_at_once(made.path):
        return None
    tables = projections.tables_of(made.path)
    names = [name for name in (made.rows[0] if made.rows else ()) if name != "epoch"]
    account = projections.account_of(
        tables, made.scenario, [*names, *projections.SUMMARY], [*names, *projections.SUMMARY_BY_TYPE]
    )
    if parquet and made.path.is_dir():
        projections.write_projections(made.path, made.rows, account.types, tables, made.scenario)
    return Told(account, projections.agents_of(tables, made.scenario))


def _stopped(made: Run) -> int:
    """Say how to go on after the kill switch."""
    length = f"{len(made.rows)} of {made.scenario.simulation.epochs} epochs"
    tell_wrapped(f"{made.reason}: {length} were completed; the log is whole and says why it ends.")
    if made.path.is_dir():
        tell("The same run to its end:")
        tell(f"mesocosm run {shlex.quote(str(made.path / directory.SCENARIO))}")
    return 1


def _as_json(made: Run, told: Told | None) -> dict[str, Any]:
    said: dict[str, Any] = {
        "run": str(made.path),
        "scenario_id": made.scenario.scenario_id,
        "seed": made.seed,
        "reason": made.reason,
        "trajectory_sha256": made.trajectory,
        "flags": made.flags,
        "levers_fired": made.fired,
        "epochs": made.rows,
    }
    if told is not None:
        said["whole"], said["by_type"] = told.account.whole, told.account.by_type
        said["agents"] = told.agents
        said["activity"] = {"proposals": told.proposals, "accepted": told.accepted}
    return said
