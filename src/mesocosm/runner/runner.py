"""Runs a scenario into a run directory, resumes one that was cut, and loads one that is there.

``python -m mesocosm.runner.runner SCENARIO [--epochs N] [--override a.b=c] [--output FILE]`` does what
``mesocosm run`` does.
"""

from __future__ import annotations

import runpy
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mesocosm.config.load import dump_scenario, load_scenario, scenario_from_dict, scenario_to_dict, with_overrides
from mesocosm.config.schema import Scenario
from mesocosm.errors import LogDamaged, UsageError
from mesocosm.log.canonical import Header
from mesocosm.log.files import EVENTS, events_path, explain, write_atomic
from mesocosm.log.integrity import Prefix, recover
from mesocosm.log.read import Log, read_log
from mesocosm.log.write import LogSet, LogWriter, Mode
from mesocosm.runner import directory
from mesocosm.runner.agents_driver import AgentsDriver, ReplayedDecisions
from mesocosm.runner.drive import Decider, Orders, Outcome, Plan, Progress, drive, hold_while, kill_when, scheduled
from mesocosm.runner.inputs import Order, check_orders, levers_of, orders_from_rows, orders_of

MODEL = "mesocosm-4"
PARENT = "parent"  # what the manifest of a branch says of the run that it goes on from, and the orders it was given


@dataclass
class Run:
    """A run on disk: where it is, what was asked, and what it came to.

    `rows` holds one dictionary of metrics per epoch; `epochs` gives the same as a Polars frame.
    """

    path: Path
    scenario: Scenario
    seed: int
    rows: list[dict[str, Any]]
    reason: str
    flags: list[str] = field(default_factory=list)
    trajectory: str = ""
    fired: dict[str, int] = field(default_factory=dict)  # how often each lever did something

    def __repr__(self) -> str:
        told = f"{self.scenario.scenario_id}, seed {self.seed}, {len(self.rows)} epochs, {self.reason}"
        return f"Run({told}, {self.path})"

    @property
    def log_path(self) -> Path:
        """The event log."""
        return events_path(self.path)

    @property
    def log(self) -> Log:
        """The event log, opened for reading."""
        return read_log(self.log_path)

    @cached_property
    def epochs(self) -> Any:
        """Metrics per epoch as a Polars frame."""
        import polars as pl

        return pl.DataFrame(self.rows, infer_schema_length=None)

    @cached_property
    def interactions(self) -> Any:
        """Every interaction as a Polars frame."""
        return self.events("interaction")

    @cached_property
    def agents(self) -> Any:
        """Every agent's state at the end of every epoch as a Polars frame."""
        return self.events("agent_state")

    def to_pandas(self, table: str = "epochs") -> Any:
        """A table as a pandas frame: epochs, interactions, agents, or a kind of event.

        Raises   UsageError where pandas is not installed, or for a kind of event that there is not.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise UsageError("to_pandas needs pandas: pip install 'mesocosm[pandas]'.") from error
        known = ("epochs", "interactions", "agents")
        frame = getattr(self, table) if table in known else self.events(table)
        return pd.DataFrame(frame.to_dict(as_series=False))

    def events(self, kind: str) -> Any:
        """All events of one kind as a Polars frame."""
        import polars as pl

        table = self.log.columns(kind)
        return pl.DataFrame({name: column.tolist() for name, column in table.items()}, strict=False)


def run(
    scenario: str | Path | Scenario,
    *,
    seed: int | None = None,
    epochs: int | None = None,
    overrides: Sequence[str] = (),
    output: str | Path | None = None,
    level: str | None = None,
    progress: Progress | None = None,
    orders: Sequence[Order] = (),
    stop: Callable[[], str | None] | None = None,
    hold: Callable[[], bool] | None = None,
    durable: bool = False,
) -> Run:
    """Run a scenario and log every event.

    Params   scenario: bundled name, path, or a loaded scenario; overrides: "a.b.c=value"; output: a run directory or
             a log file ending in .jsonl (by default a new directory under the run root); level: full, columns or
             epoch; orders: (epoch, step in the run, turn, Enact | Kill); stop: gives a reason to kill the run, or None;
             hold: pauses the run at the end of a turn while it is true, which changes nothing that happens.
    Returns  the finished run.
    Raises   ConfigError with every mistake in the scenario; UsageError; MesocosmError when the disk refuses.
    """
    wanted = _resolve(scenario, seed, epochs, overrides, level)
    check_orders(orders, wanted)
    if output is None:
        target = directory.make_directory(wanted, wanted.simulation.seed)
    else:
        target = _with_room(Path(output))
    with directory.claimed(target):
        return _play(wanted, target, "create", orders, progress=progress, stop=stop, hold=hold, durable=durable)


def _with_room(output: Path) -> Path:
    """Where a run was asked to go, once the directory for it is there."""
    place = output.parent if output.suffix == ".jsonl" else output
    try:
        if place == output and output.exists() and not output.is_dir():
            raise UsageError(f"{output}: this is a file. Name a directory, or a log file that ends in .jsonl.")
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(place, "make this directory", error) from error
    return output


def resume(
    name: str | Path,
    *,
    progress: Progress | None = None,
    stop: Callable[[], str | None] | None = None,
    hold: Callable[[], bool] | None = None,
) -> Run:
    """Continue a run that was cut, by re-simulation: the log ends up byte-identical to an uninterrupted one.

    Agents from outside give the answers that the log holds, and are asked anew from the cut on.

    Params   progress, stop, hold: as for `run`; they are asked from the start of the re-simulation.
    Raises   UsageError when the run is complete or of another model; LogDamaged when lines were changed, not cut.
    """
    path = directory.find_run(name)
    with directory.claimed(path):
        return _resume(path, progress, stop, hold)


def _resume(
    path: Path,
    progress: Progress | None,
    stop: Callable[[], str | None] | None,
    hold: Callable[[], bool] | None,
) -> Run:
    found = _good_part(path)
    if found.header is None:
        if not (path.is_dir() and (path / directory.SCENARIO).is_file()):
            raise UsageError(
                f"{path}: not even the first line is whole, so nobody knows what was run. Delete it and run it anew."
            )
        scenario, planned = load_scenario(path / directory.SCENARIO), _planned(path, ())
        levers = levers_of(planned)
        return _play(scenario, path, "resume", planned, progress=progress, stop=stop, hold=hold, levers=levers)
    if found.header.model != MODEL:
        raise UsageError(
            f"{path}: the run was started by model {found.header.model!r}, and this is {MODEL!r}: it cannot go on here."
        )
    scenario, log = scenario_from_dict(found.header.scenario), read_log(path)
    decider, orders = ReplayedDecisions(log, then=AgentsDriver([scenario])), _planned(path, orders_of(log))
    return _play(
        scenario,
        path,
        "resume",
        orders,
        progress=progress,
        stop=stop,
        hold=hold,
        decider=decider,
        names=found.header.metrics,
        levers=levers_of(orders),
    )


def _planned(path: Path, given: Sequence[Order]) -> list[Order]:
    """The orders that a log holds, and those of a branch that are still to come, in order of time."""
    parent = directory.read_manifest(path).get(PARENT) if path.is_dir() else None
    kept = parent.get("orders", []) if isinstance(parent, dict) else []
    planned = orders_from_rows(kept, str(path / directory.MANIFEST))
    return sorted([*planned, *(order for order in given if order not in planned)], key=lambda order: order[:3])


def _good_part(path: Path) -> Prefix:
    """How far the log of a cut run goes; refuses one that cannot be resumed."""
    if path.is_dir() and not (path / EVENTS).exists():
        if not (path / directory.SCENARIO).is_file():
            raise UsageError(f"{path}: there is no run in this directory.")
        return Prefix(0, 0, None, complete=False, cut=True, why="there is no log yet")
    found = recover(path)
    if found.complete:
        end = read_log(path).end
        if end is not None and end.reason != "completed":
            raise UsageError(
                f"{path}: this run was ended early ({end.reason}) and its log is closed: nothing to resume. "
                "Run its scenario anew."
            )
        raise UsageError(f"{path}: this run is complete; there is nothing to resume.")
    if not found.cut:
        raise LogDamaged(str(events_path(path)), found.n_records + 1, found.good_bytes, found.why)
    return found


def load_run(name: str | Path = directory.LATEST, *, trusted: bool = False) -> Run:
    """Open a run: `latest`, an id under the run root, a run directory, or a log file.

    Params   trusted: take every complete line of the log as it stands, without checking its hashes.
    Returns  the run; of a cut one, the epochs that were completed.
    """
    path = directory.find_log(name)
    log = read_log(path, trusted=trusted)
    manifest = directory.read_manifest(path) if path.is_dir() else {}
    end = log.end
    scenario = scenario_from_dict(log.header.scenario)
    names = ("epoch", *Plan([scenario], [log.header.seed]).metric_names())
    rows = [_row_of(point.totals, names) for point in log.checkpoints]
    return Run(
        path=path,
        scenario=scenario,
        seed=log.header.seed,
        rows=rows,
        reason=end.reason if end is not None else "cut",
        flags=[str(flag) for flag in manifest.get("flags") or ()],
        fired={str(name): int(count) for name, count in (manifest.get("levers_fired") or {}).items()},
        trajectory=end.trajectory if end is not None else "",
    )


def _row_of(totals: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A row as the run itself gave it: its metrics in their order, NaN where one is undefined."""
    ordered = dict.fromkeys(name for name in (*names, *totals) if name in totals)
    return {name: float("nan") if totals[name] is None else totals[name] for name in ordered}


def _resolve(
    scenario: str | Path | Scenario, seed: int | None, epochs: int | None, overrides: Sequence[str], level: str | None
) -> Scenario:
    wanted = [*overrides]
    for key, value in (("simulation.seed", seed), ("simulation.epochs", epochs), ("log.level", level)):
        if value is not None:
            wanted.append(f"{key}={value}")
    if isinstance(scenario, Scenario):
        return with_overrides(scenario, wanted) if wanted else scenario
    return load_scenario(scenario, wanted)


def header_of(scenario: Scenario, seed: int, metrics: tuple[str, ...]) -> Header:
    """First line of the log of one replicate."""
    return Header(
        model=MODEL, level=scenario.log.level, seed=seed, metrics=metrics, scenario=scenario_to_dict(scenario)
    )


def _play(
    scenario: Scenario,
    target: Path,
    mode: Mode,
    orders: Sequence[Order],
    *,
    progress: Progress | None,
    stop: Callable[[], str | None] | None,
    hold: Callable[[], bool] | None = None,
    durable: bool = False,
    decider: Decider | None = None,
    names: tuple[str, ...] | None = None,
    levers: tuple[str, ...] = (),
) -> Run:
    """Drive one replicate into its log, keeping the manifest true before and after."""
    seed = scenario.simulation.seed
    facts: dict[str, Any] = {"run": target.name, "status": "running", "seed": seed, "scenario_id": scenario.scenario_id}
    began = time.perf_counter()
    in_directory = target.is_dir()
    if in_directory:
        facts |= {"started": directory.now(), "host": directory.host_facts()}
        if mode == "resume":
            facts |= {name: fact for name, fact in directory.read_manifest(target).items() if name == PARENT}
        if mode == "create" and (target / EVENTS).exists():
            raise UsageError(
                f"{target}: there is a run in this directory already. Choose another --output, or --resume it."
            )
        write_atomic(target / directory.SCENARIO, dump_scenario(scenario).encode())
        directory.write_manifest(target, facts)
    plan, paused = Plan([scenario], [seed], scenario.log.level, levers, names), list[dict[str, Any]]()
    asked = _orders(orders, stop)
    with LogSet(
        [LogWriter(target, header_of(scenario, seed, plan.metric_names()), mode=mode, durable=durable)]
    ) as logs:
        if hold is not None:
            asked = hold_while(hold, paused, asked, logs.flush)
        outcome = drive(plan, logs, decider=decider or AgentsDriver(plan.scenarios), orders=asked, progress=progress)
        trajectory = logs.writers[0].trajectory
    made = Run(target, scenario, seed, outcome.rows[0], outcome.reason, _told(outcome), trajectory, outcome.fired[0])
    if in_directory:
        facts |= {
            "status": "completed" if outcome.reason == "completed" else "killed",
            "reason": outcome.reason,
            "finished": directory.now(),
            "wall_s": round(time.perf_counter() - began, 3),
            "epochs": len(made.rows),
            "trajectory_sha256": trajectory,
            "flags": made.flags,
            "levers_fired": made.fired,
            "paused_at": paused,
        }
        directory.write_manifest(target, facts)
    return made


def play_on(
    scenario: Scenario,
    target: Path,
    orders: Sequence[Order],
    *,
    decider: Decider,
    names: tuple[str, ...],
    levers: tuple[str, ...],
    progress: Progress | None = None,
    stop: Callable[[], str | None] | None = None,
) -> Run:
    """Play a run whose directory holds the beginning of its log already, which comes out the same once more.

    Params   decider: answers for agents from outside; names: the metrics that the log gives; levers: those that any
             order is for.
    """
    return _play(
        scenario, target, "resume", orders, progress=progress, stop=stop, decider=decider, names=names, levers=levers
    )


def _orders(given: Sequence[Order], stop: Callable[[], str | None] | None) -> Orders | None:
    planned = scheduled(given) if given else None
    return kill_when(stop, planned) if stop is not None else planned


def _told(outcome: Outcome) -> list[str]:
    """Sanity flags of the first replicate, each once."""
    return list(dict.fromkeys(outcome.flags[0]))


def run_batch(
    scenarios: Sequence[Scenario],
    seeds: Sequence[int],
    output: str | Path | None = None,
    *,
    level: str = "epoch",
    decider: Decider | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run many (scenario, seed) replicates in one table; each gets its own log under `output` if one is named.

    Params   scenarios, seeds: one each per replicate; the scenarios must agree in structure.
    Returns  rows of metrics per replicate and epoch.
    """
    plan = Plan(scenarios, [int(seed) for seed in seeds], level)
    chosen = decider or AgentsDriver(scenarios)
    if output is None:
        return drive(plan, None, decider=chosen, progress=progress)
    writers = []
    for number, (scenario, seed) in enumerate(zip(scenarios, seeds, strict=True)):
        place = Path(output) / f"replicate_{number:04d}"
        place.mkdir(parents=True, exist_ok=True)
        asked = with_overrides(scenario, [f"simulation.seed={seed}", f"log.level={level}"])
        writers.append(LogWriter(place, header_of(asked, seed, plan.metric_names()), keep_open=len(seeds) <= 256))
    with LogSet(writers) as logs:
        return drive(plan, logs, decider=chosen, progress=progress)


if __name__ == "__main__":
    sys.argv = ["mesocosm", "run", *sys.argv[1:]]
    runpy.run_module("mesocosm", run_name="__main__", alter_sys=True)
