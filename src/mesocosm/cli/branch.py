"""``mesocosm branch``: a run goes on from an epoch under other rules; what that changes, in one run or over seeds."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from mesocosm import registry
from mesocosm.analysis.branch_effect import compare_branch, rules_told
from mesocosm.analysis.comparison import Comparison
from mesocosm.analysis.comparison_plot import plot_comparison
from mesocosm.analysis.comparison_record import comparison_as_dict, save_comparison
from mesocosm.analysis.divergence import metrics_after
from mesocosm.api import Enact, Kill
from mesocosm.cli.arguments import AsJson, Overrides, Plugins
from mesocosm.cli.compare import asked_metrics, paired_seeds
from mesocosm.cli.comparison_report import report_comparison
from mesocosm.cli.diff import say_metrics
from mesocosm.cli.progress import ProgressLine, ShareBar
from mesocosm.cli.replay import RunName
from mesocosm.cli.run import asked_to_stop, named_if_stopped, read_back
from mesocosm.cli.screen import paint, say, say_entry, say_json, say_whole, tell_wrapped, wrapped
from mesocosm.config.study_schema import FIRST_REPORTING_SEED
from mesocosm.errors import UsageError
from mesocosm.runner.branch import BranchPoint, branch_point, play_branch
from mesocosm.runner.inputs import Order
from mesocosm.runner.runner import Run

ORDERS_SHOWN = 4


def branch_command(
    run: RunName,
    *,
    at: Annotated[int, typer.Option("--at", metavar="EPOCH", help="The epoch before which the rules change.")],
    override: Overrides = [],  # noqa: B006
    seeds: Annotated[
        int, typer.Option(metavar="N", help="Also: how many pairs of runs, with and without the change.")
    ] = 0,
    first_seed: Annotated[int, typer.Option(metavar="N", help="Seed of the first pair.")] = FIRST_REPORTING_SEED,
    metrics: Annotated[str, typer.Option(metavar="A,B", help="Metrics to show instead of the usual ones.")] = "",
    orders: Annotated[bool, typer.Option(help="Keep orders that the run was given from that epoch on.")] = True,
    output: Annotated[str, typer.Option(metavar="DIR", help="Run directory of the branch.")] = "",
    plot: Annotated[bool, typer.Option(help="With --seeds: draw comparison.png.")] = True,
    parquet: Annotated[bool, typer.Option(help="Write Parquet tables beside the log.")] = True,
    plugin: Plugins = [],  # noqa: B006
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the path of the branch.")] = False,
    as_json: AsJson = False,
) -> int:
    """Go on with a run from the start of an epoch under other rules (--set), with the same luck."""
    for file in plugin:
        registry.load_plugin(file)
    asked, pairs = asked_metrics(metrics), paired_seeds(seeds, first_seed) if seeds else range(0)
    point = branch_point(run, at, override, orders)
    if pairs and point.is_unchanged:
        raise UsageError(f"--seeds {seeds}: nothing is changed, so there is nothing to compare. Give a change: --set.")
    silent = quiet or as_json
    with (
        asked_to_stop(point.scenario.safety.kill_switch_enabled) as stop,
        ProgressLine(point.scenario.simulation.epochs, silent) as line,
    ):
        made = play_branch(point, output or None, progress=line, stop=stop)
    with named_if_stopped(made):
        read_back(made, parquet)
    found, drawn = None, list[Path]()
    if pairs and made.reason == "completed":
        with ShareBar("comparing", silent) as bar:
            found = compare_branch(point, seeds=pairs, metrics=asked, progress=bar)
        save_comparison(found, made.path)
        drawn = plot_comparison(found, made.path) if plot else []
    if as_json:
        say_json(_as_json(point, made, found))
    elif quiet:
        say(str(made.path))
    else:
        _report(point, made, asked)
        if found is not None:
            say()
            report_comparison(found, asked)
        if found is None or found.flags:  # else there is an empty line already
            say()
        _tell_where(point, made, drawn)
    return _exit_code(point, made)


def _exit_code(point: BranchPoint, made: Run) -> int:
    """1 when the branch was ended from outside, unless that is what the run itself was given."""
    is_given = any(isinstance(order, Kill) for *_, order in point.orders)
    if made.reason == "completed" or is_given:
        return 0
    tell_wrapped(f"{made.reason}: {len(made.rows)} epochs are there; the log is whole and says why it ends.")
    return 1


def _report(point: BranchPoint, made: Run, asked: list[str]) -> None:
    """What was changed, and the metrics of both runs from there on."""
    rules = "nothing changed" if point.is_unchanged else ", ".join(rules_told(point))
    for line in wrapped(f"{point.scenario.scenario_id}: {rules}, from epoch {point.at} on"):
        say(paint(line, "bold"))
    say_whole("from", str(point.log.path.parent if point.log.path.name == "events.jsonl" else point.log.path))
    if point.is_unchanged:
        say_entry("", "the log of the branch is the same, to the byte")
    elif not point.enacted and point.changes:
        say_entry("", "these rules are in force already")
    _tell_orders("kept", point.later)
    _tell_orders("left out", point.dropped)
    epochs = range(point.at, min(len(point.log.checkpoints), len(made.rows)))
    if epochs and not point.is_unchanged:
        say()
        span = f"mean, epochs {epochs.start} to {epochs.stop - 1}" if len(epochs) > 1 else f"epoch {epochs.start}"
        names = asked or point.scenario.metrics_to_track
        say_metrics(metrics_after(point.log, made.log, epochs), names, span, ("as it was", "branch", "change"))
        for line in wrapped("One seed is one course of events, not an effect: --seeds 30 gives intervals."):
            say(paint(line, "dim"))


def _tell_orders(label: str, orders: tuple[Order, ...]) -> None:
    told = [f"{_order(order)} (epoch {epoch}, step {step})" for epoch, step, _, order in orders]
    rest = f"; and {len(told) - ORDERS_SHOWN} more" * (len(told) > ORDERS_SHOWN)
    if told:
        say_entry(label, f"orders that the run was given later: {'; '.join(told[:ORDERS_SHOWN])}{rest}")


def _order(order: Enact | Kill) -> str:
    if isinstance(order, Enact):
        return f"{order.lever}.{order.parameter} = {json.dumps(order.value)}"
    return f"to end ({order.reason})"


def _tell_where(point: BranchPoint, made: Run, drawn: list[Path]) -> None:
    say_whole("run", str(made.path))
    for path in drawn:
        if path.suffix == ".png":
            say_whole("picture", str(path))
    if not point.is_unchanged:
        say_whole("where", f"mesocosm diff {shlex.quote(str(made.path))}")
    say_whole("check", f"mesocosm replay {shlex.quote(str(made.path))} --verify")


def _as_json(point: BranchPoint, made: Run, found: Comparison | None) -> dict[str, Any]:
    epochs = range(point.at, min(len(point.log.checkpoints), len(made.rows)))
    return {
        "run": str(made.path),
        "parent": str(point.log.path),
        "at": point.at,
        "enacted": [vars(order) for order in point.enacted],
        "unchanged": point.is_unchanged,
        "orders_kept": [_order(order) for *_, order in point.later],
        "orders_left_out": [_order(order) for *_, order in point.dropped],
        "reason": made.reason,
        "trajectory_sha256": made.trajectory,
        "flags": made.flags,
        "levers_fired": made.fired,
        "metrics": metrics_after(point.log, made.log, epochs),
        "comparison": comparison_as_dict(found) if found is not None else None,
    }
