"""Drives the engine: hands its events to logs and metrics, and what comes from outside to the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mesocosm.api import Control, DecisionRequest, Kill
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import Batch, open_batch
from mesocosm.engine.govern import expected_by_anybody
from mesocosm.engine.loop import play_batch
from mesocosm.env.economy import Columns
from mesocosm.env.events import Checkpoint, EventBatch, Opening, Tick
from mesocosm.env.population import Roster
from mesocosm.errors import UsageError
from mesocosm.log.write import LogSet
from mesocosm.measures.moments import F64
from mesocosm.metrics.evaluate import DEFAULT_METRICS, epoch_row, evaluate_metrics, needs_of
from mesocosm.metrics.reporters import sanity_flags, with_twins
from mesocosm.metrics.tally import TALLIED, Tally
from mesocosm.metrics.totals import EpochTotals
from mesocosm.metrics.whole import WholeRun, at_replicate

LOOK_AGAIN_S = 0.02
Row = dict[str, Any]
Progress = Callable[[int, Row], None]
Orders = Callable[[Tick | Opening], Sequence[Control] | None]


class Decider(Protocol):
    """Answers for agents that no array policy decides."""

    def decide(self, request: DecisionRequest) -> Any:
        """Decisions for the rows asked about."""
        ...

    def observe(self, batch: EventBatch) -> None:
        """Learn what happened."""
        ...


@dataclass(slots=True)
class Outcome:
    """What a driven batch came to: a row of metrics per replicate and epoch, flags, and why it ended.

    `whole` has the metrics of each replicate over its epochs, all or those from `Plan.since` on (see `registry.metric`,
    over), `whole_by_type` the same for each agent type if the plan asked for it.
    """

    rows: list[list[Row]]
    reason: str
    flags: list[list[str]]
    states: list[str] = field(default_factory=list)  # state hash of each replicate at the last checkpoint
    whole: list[dict[str, float]] = field(default_factory=list)
    whole_by_type: list[dict[str, dict[str, float]]] = field(default_factory=list)
    fired: list[dict[str, int]] = field(default_factory=list)  # how often each lever of a replicate did something


@dataclass(slots=True)
class Plan:
    """What to run and how: the replicates, their log level, and who listens."""

    scenarios: Sequence[Scenario]
    seeds: Sequence[int]
    level: str = "full"
    extra_levers: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None  # metrics, or None for the usual ones
    by_type: bool = False  # whether the outcome sums the run up for each agent type too
    since: int = 0  # the first of the epochs that the outcome sums up

    @property
    def detail(self) -> bool:
        """Whether the engine is asked for every field of every event: for the log, or because a metric reads them."""
        return self.level != "epoch" or needs_of(self.metric_names()).detail

    def metric_names(self) -> tuple[str, ...]:
        """Metrics to compute: those named, or the default set and what the scenarios track, each beside its twin."""
        if self.names is not None:
            return self.names
        tracked = [name for scenario in self.scenarios for name in scenario.metrics_to_track]
        return tuple(dict.fromkeys(with_twins([*DEFAULT_METRICS, *tracked])))


def parameters_for_metrics(economy: Columns, scenario: Scenario) -> dict[str, Any]:
    """Economy parameters that metrics may read."""
    known = {name: value for name, value in vars(economy).items() if not name.startswith("_")}
    facts = {name: value for name, value in known.items() if isinstance(value, float | int | np.ndarray)}
    return facts | {"steps_per_epoch": float(scenario.simulation.steps_per_epoch)}


def open_tally(plan: Plan, roster: Roster, parameters: Columns) -> Tally:
    """Empty totals for a batch."""
    types: list[NDArray[np.int64]] = [roster.types_by_slot(replicate) for replicate in range(len(plan.seeds))]
    further = [roster.further_by_slot(replicate) for replicate in range(len(plan.seeds))]
    economy = parameters_for_metrics(parameters, plan.scenarios[0])
    return Tally(plan.metric_names(), roster=types, types=roster.policies, economy=economy, further=further)


def drive(
    plan: Plan,
    logs: LogSet | None = None,
    *,
    decider: Decider | None = None,
    orders: Orders | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run a batch to its end and return its metrics.

    Params   logs: where events go, if anywhere; decider: answers for agents from outside; orders: asked at the
             start of every epoch for enact, and at the end of every turn for enact and kill; progress: called after
             every epoch with the first replicate's row.
    Raises   UsageError when agents from outside are asked and nobody answers.
    """
    batch = open_batch(plan.scenarios, plan.seeds, plan.detail)
    tally, names = open_tally(plan, batch.roster, batch.economy), plan.metric_names()
    whole = WholeRun(names, by_type=names if plan.by_type else ())
    outcome = Outcome([[] for _ in plan.seeds], "", [[] for _ in plan.seeds], fired=[{} for _ in plan.seeds])
    play = play_batch(batch, plan.extra_levers)
    answer: Any = None
    last_state: EventBatch | None = None
    while True:
        try:
            item = play.send(answer)
        except StopIteration as stop:
            outcome.reason = str(stop.value)
            break
        answer = None
        if isinstance(item, EventBatch):
            last_state = item if item.kind == "agent_state" else last_state
            _count_fired(item, outcome.fired)
            _take_events(plan, item, tally, logs, decider)
        elif isinstance(item, DecisionRequest):
            answer = _decide(item, decider)
        elif isinstance(item, Tick | Opening):
            answer = orders(item) if orders is not None else None
        elif isinstance(item, Checkpoint):
            totals = tally.epoch(_there(last_state))
            values = _close_epoch(plan, item, totals, logs, outcome)
            if item.epoch >= plan.since:
                whole.add(totals, values)
            if progress is not None:
                progress(item.epoch, outcome.rows[0][-1])
    if logs is not None:
        logs.end(outcome.reason, len(outcome.rows[0]))
    _sum_up(whole, outcome)
    _flag_idle_levers(batch, outcome)
    return outcome


def _flag_idle_levers(batch: Batch, outcome: Outcome) -> None:
    """Say which levers never did anything, and whether they may have worked all the same: by being expected."""
    for replicate, fired in enumerate(outcome.fired):
        for name in (name for name, count in fired.items() if not count):
            told = f"the lever {name} never fired: it did nothing at all"
            if expected_by_anybody(batch, name)[replicate]:
                told = f"the lever {name} could only work through agents who expect it, for it acted on no deal"
            outcome.flags[replicate].append(told)


def _count_fired(batch: EventBatch, fired: list[dict[str, int]]) -> None:
    """Add up what the levers say at the end of an epoch."""
    if batch.kind == "fired":
        columns = (batch.replicate.tolist(), batch.column["lever"], batch.column["count"].tolist())
        for replicate, name, count in zip(*columns, strict=True):
            fired[replicate][name] = fired[replicate].get(name, 0) + count


def _take_events(plan: Plan, batch: EventBatch, tally: Tally, logs: LogSet | None, decider: Decider | None) -> None:
    if batch.kind in TALLIED:
        tally.add(batch)
    if logs is not None and (plan.level != "epoch" or batch.kind == "input"):
        logs.write(batch)
    if decider is not None:
        decider.observe(batch)


def _decide(request: DecisionRequest, decider: Decider | None) -> Any:
    if decider is None:
        raise UsageError(
            f"agents of type {request.policy!r} decide outside the engine, and this run has nobody for them."
        )
    return decider.decide(request)


def _there(state: EventBatch | None) -> EventBatch:
    if state is None:
        raise UsageError("the epoch ended without the agents' states.")
    return state


def _close_epoch(
    plan: Plan, point: Checkpoint, totals: EpochTotals, logs: LogSet | None, outcome: Outcome
) -> dict[str, F64]:
    """Turn the epoch's totals into values and rows, and put the checkpoint into the logs."""
    names = plan.metric_names()
    values = evaluate_metrics(totals, names)
    rows = [epoch_row(point.epoch, values, replicate) for replicate in range(len(plan.seeds))]
    for replicate, row in enumerate(rows):
        outcome.rows[replicate].append(row)
    for flag in sanity_flags(totals, names, values):
        outcome.flags[flag["replicate"]].append(str(flag["text"]))
    outcome.states = point.state_sha256
    if logs is not None:
        logs.checkpoint(point, rows)
    return values


def _sum_up(whole: WholeRun, outcome: Outcome) -> None:
    """Put the values over the whole run into the outcome; they are NaN for a run without a completed epoch."""
    replicates, by_type = range(len(outcome.rows)), whole.run_values_by_type()
    values = whole.run_values()
    outcome.whole = [at_replicate(values, replicate) for replicate in replicates]
    outcome.whole_by_type = [
        {agent_type: at_replicate(found, replicate) for agent_type, found in by_type.items()}
        for replicate in replicates
    ]


def scheduled(orders: Sequence[tuple[int, int, int, Control]]) -> Orders:
    """Orders given at the turns at which they were given before, as (epoch, step, turn, order)."""
    at: dict[tuple[int, int, int], list[Control]] = {}
    for epoch, step, turn, order in orders:
        at.setdefault((epoch, step, turn), []).append(order)

    def give(tick: Tick | Opening) -> Sequence[Control] | None:
        return at.get((tick.epoch, tick.step, tick.turn))

    return give


def hold_while(
    hold: Callable[[], bool],
    held_at: list[Row],
    others: Orders | None = None,
    flush: Callable[[], None] | None = None,
) -> Orders:
    """Orders that pause the run at the end of a turn for as long as `hold` says so.

    A pause changes nothing that happens, so it is no event: `held_at` notes where the run was held, for the manifest.
    Params   flush: called as a pause begins, so that whoever follows the log sees all that has happened.
    """

    def give(tick: Tick | Opening) -> Sequence[Control] | None:
        if isinstance(tick, Tick) and hold():
            held_at.append({"epoch": tick.epoch, "step": tick.step, "turn": tick.turn})
            if flush is not None:
                flush()
            while hold():
                time.sleep(LOOK_AGAIN_S)
        return others(tick) if others is not None else None

    return give


def kill_when(stop: Callable[[], str | None], others: Orders | None = None) -> Orders:
    """Orders that end the run at the next turn once `stop` gives a reason."""

    def give(tick: Tick | Opening) -> Sequence[Control] | None:
        reason = stop() if isinstance(tick, Tick) else None
        given = list(others(tick) or ()) if others is not None else []
        return [*given, Kill(reason)] if reason else given

    return give
