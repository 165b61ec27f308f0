"""Branches: a run goes on from the start of an epoch under other rules, with the same keyed draws.

A branch is a run like any other. Its log begins with the bytes of the run that it goes on from; the rules that change
are orders to enact, which its log records; its manifest names the parent.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mesocosm import registry
from mesocosm.api import Enact
from mesocosm.config.load import with_overrides
from mesocosm.config.overrides import check_mid_run
from mesocosm.config.parameters import default_parameters
from mesocosm.config.schema import Scenario
from mesocosm.env.events import BEFORE
from mesocosm.errors import UsageError
from mesocosm.log.canonical import ShardLine, kind_of
from mesocosm.log.files import EVENTS, explain, shard_path, write_atomic
from mesocosm.log.read import Log, read_log
from mesocosm.runner import directory
from mesocosm.runner.agents_driver import AgentsDriver, ReplayedDecisions
from mesocosm.runner.drive import Progress
from mesocosm.runner.inputs import Order, levers_of, orders_as_rows, orders_of
from mesocosm.runner.replay import scenario_of
from mesocosm.runner.runner import PARENT, Run, play_on

Governance = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class BranchPoint:
    """Where a run is left and what is different from there on.

    `orders` are all that the branch is given, `later` those of the run itself that are kept from the branch point on,
    and `dropped` those that are not.
    """

    log: Log
    scenario: Scenario
    at: int
    changes: tuple[str, ...]
    enacted: tuple[Enact, ...]
    orders: tuple[Order, ...]
    later: tuple[Order, ...]
    dropped: tuple[Order, ...]

    @property
    def is_unchanged(self) -> bool:
        """Whether the branch will be the run itself once more."""
        return not self.enacted and not self.dropped

    @property
    def name(self) -> str:
        """What the run that is left is called."""
        return self.log.path.parent.name if self.log.path.name == EVENTS else self.log.path.stem


def branch(
    run: str | Path | Run,
    *,
    at: int,
    changes: Sequence[str] = (),
    keep_orders: bool = True,
    output: str | Path | None = None,
    progress: Progress | None = None,
    stop: Callable[[], str | None] | None = None,
) -> Run:
    """Go on with a run from the start of an epoch under other rules, as a run of its own.

    Every draw is keyed, so what the rules do not touch comes out as before. Agents from outside give the answers that
    the log holds up to the branch point, and are asked anew from there on. With nothing changed the log is the same,
    to the byte.

    Params   run: as for load_run, or a run; at: the epoch, from 0; changes: "governance.LEVER.PARAMETER=VALUE", as
             after --set; keep_orders: keep orders to enact that the run was given from that epoch on (an order to end
             it is kept only if nothing is changed); output: a new run directory.
    Returns  the finished branch.
    Raises   ConfigError for a change that is none of governance; UsageError for an epoch that the run does not have.
    """
    return play_branch(branch_point(run, at, changes, keep_orders), output, progress=progress, stop=stop)


def branch_point(run: str | Path | Run, at: int, changes: Sequence[str], keep_orders: bool = True) -> BranchPoint:
    """Check what a branch is asked for, and work out the orders that bring it about.

    Raises   as `branch` does.
    """
    log = read_log(run.path if isinstance(run, Run) else directory.find_log(run))
    scenario = scenario_of(log)
    if scenario.simulation.seed != log.header.seed:
        scenario = with_overrides(scenario, [f"simulation.seed={log.header.seed}"])
    _check_epoch(log, scenario, at)
    given, first = orders_of(log), at * scenario.simulation.steps_per_epoch
    past = [order for order in given if order[0] < at]
    later = [order for order in given if order[0] >= at]
    check_mid_run(changes)
    kept = later if keep_orders else []
    here = [order for order in kept if order[:3] == (at, first, BEFORE)]
    enacted = rule_changes(_in_force(scenario, [*past, *here]), changes)
    if enacted or len(kept) < len(later):
        kept = [order for order in kept if isinstance(order[3], Enact)]
    made: list[Order] = [(at, first, BEFORE, order) for order in enacted]
    return BranchPoint(
        log=log,
        scenario=scenario,
        at=at,
        changes=tuple(changes),
        enacted=tuple(enacted),
        orders=tuple(sorted([*past, *kept, *made], key=lambda order: order[:3])),
        later=tuple(kept),
        dropped=tuple(order for order in later if order not in kept),
    )


def parent_of(run: str | Path | Run) -> Path:
    """Where the run lies that a branch goes on from.

    Raises   UsageError for a run that is no branch, or whose parent is gone.
    """
    path = run.path if isinstance(run, Run) else directory.find_run(run)
    parent = directory.read_manifest(path).get(PARENT) if path.is_dir() else None
    if not isinstance(parent, dict) or not {"path", "run"} <= parent.keys():
        raise UsageError(f"{path}: this run is no branch, so it has no parent. Name two runs.")
    there = Path(str(parent["path"]))
    return there if there.exists() else directory.find_run(str(parent["run"]))


def _check_epoch(log: Log, scenario: Scenario, at: int) -> None:
    epochs, known = scenario.simulation.epochs, len(log.checkpoints)
    given: Any = at
    if not isinstance(given, int) or isinstance(given, bool):
        raise UsageError(f"at={given!r}: an epoch is a whole number, from 0 to {epochs - 1}.")
    if not 0 <= at < epochs:
        raise UsageError(f"--at {at}: this run has epochs 0 to {epochs - 1}.")
    if at > known:
        first = "in its first epoch" if not known else f"after {known} whole epoch{'s' * (known > 1)}"
        raise UsageError(
            f"--at {at}: this run ended {first}, so it can go on from epoch {f'0 to {known}' if known else 0}. "
            "A cut run can be finished first: mesocosm run --resume RUN."
        )


def _in_force(scenario: Scenario, orders: Sequence[Order]) -> Scenario:
    """The scenario with its rules as orders have left them."""
    levers: Governance = {name: dict(parameters) for name, parameters in scenario.governance.items()}
    for *_, order in orders:
        if isinstance(order, Enact):
            levers.setdefault(order.lever, _switched_off(order.lever))[order.parameter] = order.value
    return with_overrides(scenario, {"governance": levers})


def _switched_off(lever: str) -> dict[str, Any]:
    """The parameters of a lever that a scenario does not ask for."""
    target = registry.find("lever", lever).target
    return default_parameters(target) | dict(target.neutral)


def rule_changes(scenario: Scenario, changes: Sequence[str]) -> list[Enact]:
    """The orders that change the rules of a scenario as overrides ask; none for what is in force already.

    Raises   ConfigError with every mistake; UsageError for a parameter that is no single number or word.
    """
    wanted = with_overrides(scenario, changes).governance if changes else scenario.governance
    orders = []
    for lever in sorted({*scenario.governance, *wanted}):
        before, after = (each.get(lever, _switched_off(lever)) for each in (scenario.governance, wanted))
        for name in default_parameters(registry.find("lever", lever).target):
            if before[name] == after[name]:
                continue
            if not isinstance(after[name], int | float | str):
                raise UsageError(f"governance.{lever}.{name}: only a number or a word can change in mid-run.")
            orders.append(Enact(lever, name, after[name]))
    return orders


def play_branch(
    point: BranchPoint,
    output: str | Path | None = None,
    *,
    progress: Progress | None = None,
    stop: Callable[[], str | None] | None = None,
) -> Run:
    """Write the branch's directory with all that it shares with the run, and play on from there.

    What is shared is written already, so `stop` is asked from the branch point on only.
    """
    target, reached = _empty_directory(point, output), [point.at == 0]

    def tell(epoch: int, row: dict[str, Any]) -> None:
        reached[0] = epoch + 1 >= point.at
        if progress is not None:
            progress(epoch, row)

    with directory.claimed(target):
        names, live = point.log.header.metrics, AgentsDriver([point.scenario])
        _write_shared(point, target)
        known = point.log if point.is_unchanged else read_log(target)
        decider = ReplayedDecisions(known, then=None if point.is_unchanged and known.is_complete else live)
        return play_on(
            point.scenario,
            target,
            point.orders,
            decider=decider,
            names=names,
            levers=levers_of(point.orders),
            progress=tell,
            stop=(lambda: stop() if reached[0] else None) if stop is not None else None,
        )


def _empty_directory(point: BranchPoint, output: str | Path | None) -> Path:
    if output is None:
        asked = f"{point.name} {point.scenario.simulation.seed} {point.at} {point.changes}"
        return directory.make_result_directory("branch", point.scenario, asked)
    target = Path(output)
    if target.suffix == ".jsonl" or target.is_file():
        raise UsageError(f"{target}: a branch is a run directory, because its manifest names its parent. Name one.")
    if (target / EVENTS).exists():
        raise UsageError(f"{target}: there is a run in this directory already. Choose another --output.")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(target, "make this directory", error) from error
    return target


def _write_shared(point: BranchPoint, target: Path) -> None:
    """Put what comes before the branch point into the branch: its shards, who its parent is, then the log itself."""
    shared, end = bytearray(), point.log.end
    for line in point.log.lines():
        kind = kind_of(line)
        if kind == "shard":
            _copy_shard(point.log, msgspec.json.decode(line, type=ShardLine), target, point.at)
        if point.at == 0 and shared:
            break
        shared += line
        if kind == "checkpoint" and b'"epoch":%d,' % (point.at - 1) in line[:60]:
            break
    checkpoints = point.log.checkpoints
    last = end.trajectory if end is not None else checkpoints[-1].trajectory if checkpoints else ""
    parent = {
        "run": point.name,
        "path": str(point.log.path.resolve()),
        "trajectory_sha256": last,
        "epoch": point.at,
        "trajectory_sha256_there": checkpoints[point.at - 1].trajectory if point.at else "",
        "changes": [f"governance.{each.lever}.{each.parameter}={each.value}" for each in point.enacted],
        "orders": orders_as_rows(point.orders),
    }
    directory.write_manifest(target, {"run": target.name, "status": "running", PARENT: parent})
    write_atomic(target / EVENTS, bytes(shared))


def _copy_shard(log: Log, said: ShardLine, target: Path, at: int) -> None:
    if said.epoch >= at:
        return
    place = shard_path(target / EVENTS, said.epoch, said.table)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shard_path(log.path, said.epoch, said.table), place)
    except OSError as error:
        raise explain(place, "write this shard", error) from error
