"""Replay: check that a log is whole, recompute every metric from it alone, and re-simulate the run to the byte.

``python -m mesocosm.runner.replay LOG --verify`` does what ``mesocosm replay LOG --verify`` does.
"""

from __future__ import annotations

import math
import runpy
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesocosm.config.load import scenario_from_dict, with_overrides
from mesocosm.config.schema import Scenario
from mesocosm.env.economy import economy_of
from mesocosm.env.population import build_roster
from mesocosm.errors import ReplayDiffers, UsageError
from mesocosm.log.files import events_path
from mesocosm.log.integrity import verify_log
from mesocosm.log.read import Log, read_log
from mesocosm.log.write import LogSet, LogWriter
from mesocosm.metrics.from_log import epochs_from_columns
from mesocosm.metrics.tally import TALLIED
from mesocosm.runner.agents_driver import AgentsDriver, ReplayedDecisions
from mesocosm.runner.directory import find_run
from mesocosm.runner.drive import Decider, Plan, Progress, drive, kill_when, parameters_for_metrics, scheduled
from mesocosm.runner.inputs import levers_of, orders_of
from mesocosm.runner.runner import MODEL, header_of

AGREES = 0  # difference allowed between a metric of the log and the one recomputed: none
#: how a forged log, whose hashes are right, may fail to be read as events
UNREADABLE = (UsageError, ArithmeticError, LookupError, TypeError, ValueError)


@dataclass(frozen=True)
class Verification:
    """What a replay has shown of a log."""

    path: Path
    lines: int
    events: int
    epochs: int
    metrics_recomputed: int  # values recomputed from events and found identical; 0 at level epoch
    trajectory: str
    complete: bool
    reason: str


def replay(name: str | Path, *, verify: bool = True, progress: Progress | None = None) -> Verification:
    """Verify a run or log in three ways: its hashes, its metrics recomputed from the events, its bytes re-simulated.

    Params   name: `latest`, a run id, a run directory or a log file; verify: False checks the hashes only.
    Returns  what was checked; of a cut log, up to the cut (`complete` is then False).
    Raises   LogDamaged at the first bad line; ReplayDiffers naming the first record and field that differ.
    """
    path = events_path(find_run(name))
    log = read_log(path)
    recomputed = 0
    if verify:
        scenario = scenario_of(log)
        if log.header.level != "epoch":
            try:
                recomputed = compare_metrics(log, scenario)
            except UNREADABLE:
                resimulate(log, scenario, progress)  # events that no run writes: this names the first of them
                raise
        resimulate(log, scenario, progress)
    if log.is_complete:
        facts = verify_log(path)
        return Verification(
            path, facts.lines, facts.events, facts.epochs, recomputed, facts.trajectory, True, facts.reason
        )
    points = log.checkpoints
    last = points[-1] if points else None
    return Verification(
        path=path,
        lines=sum(1 for _ in log.lines()),
        events=last.events if last else 0,
        epochs=len(points),
        metrics_recomputed=recomputed,
        trajectory=last.trajectory if last else "",
        complete=False,
        reason=log.why,
    )


def scenario_of(log: Log) -> Scenario:
    """The scenario of a log that can be simulated again here.

    Raises   UsageError when the log was written by another model.
    """
    if log.header.model != MODEL:
        raise UsageError(
            f"{log.path}: the log was written by model {log.header.model!r}, and this is {MODEL!r}: "
            "its hashes can be verified, but it cannot be re-simulated here."
        )
    return scenario_from_dict(log.header.scenario)


def compare_metrics(log: Log, scenario: Scenario, names: Sequence[str] | None = None) -> int:
    """Recompute the metrics of every completed epoch from events alone and compare them with the checkpoints.

    Params   names: only these of the metrics that the log gives.
    Returns  how many values were compared, all identical.
    Raises   ReplayDiffers naming the first epoch and metric that differ.
    """
    points = log.checkpoints
    if not points:
        return 0
    roster = build_roster([scenario])
    tables = log.tables([*TALLIED, "agent_state"])
    chosen = [name for name in points[0].totals if names is None or name in names]
    rows = epochs_from_columns(
        tables["interaction"],
        tables["agent_state"],
        roster=roster.types_by_slot(0),
        types=roster.policies,
        economy=parameters_for_metrics(economy_of([scenario]), scenario),
        names=[name for name in chosen if name != "epoch"],
        replayed=tables["replayed"],
        further=roster.further_by_slot(0),
        bounty_closed=tables["bounty_closed"],
    )
    compared = 0
    for point, row in zip(points, rows, strict=False):
        for name in chosen:
            if not _same(point.totals[name], row[name]):
                raise ReplayDiffers(f"{log.path} epoch {point.epoch}", name, point.totals[name], row[name])
            compared += 1
    return compared


def _same(said: Any, found: Any) -> bool:
    if said is None:
        return isinstance(found, float) and math.isnan(found)
    return bool(abs(said - found) <= AGREES)


def resimulate(log: Log, scenario: Scenario, progress: Progress | None = None) -> None:
    """Run the log's scenario again, feeding back what came from outside, and compare every byte.

    Raises   ReplayDiffers naming the first record and field that differ.
    """
    seed = log.header.seed
    if scenario.simulation.seed != seed:
        scenario = with_overrides(scenario, [f"simulation.seed={seed}"])
    given = orders_of(log)
    plan = Plan([scenario], [seed], log.header.level, extra_levers=levers_of(given), names=log.header.metrics)
    # a cut log holds the answers up to the cut; beyond it the agents themselves are asked, and nothing is compared
    decider: Decider = ReplayedDecisions(log, then=None if log.is_complete else AgentsDriver(plan.scenarios))
    with LogSet([LogWriter(log.path, header_of(scenario, seed, plan.metric_names()), mode="compare")]) as logs:
        orders = scheduled(given)
        if not log.is_complete:
            orders = kill_when(lambda: None if logs.writers[0].behind else "the log was cut here", orders)
        drive(plan, logs, decider=decider, orders=orders, progress=progress)


if __name__ == "__main__":
    sys.argv = ["mesocosm", "replay", *sys.argv[1:]]
    runpy.run_module("mesocosm", run_name="__main__", alter_sys=True)
