"""Finished runs beside each other: what was asked differently, and how their metrics differ.

Runs that differ in nothing but the seed are replicates of one society. Two societies that share seeds are compared in
pairs; with other seeds as independent samples; with one seed each, their means stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.overlap import Difference, differences_of
from mesocosm.analysis.statistics import PairedEffect, paired_effect
from mesocosm.api import Enact
from mesocosm.config.constants import differing_values, flat_values
from mesocosm.config.load import deciding_part
from mesocosm.errors import UsageError
from mesocosm.runner.inputs import orders_of
from mesocosm.runner.runner import Run, load_run

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Society:
    """Runs of one scenario on different seeds, in order of the seeds.

    `differs` has what its scenario says otherwise than that of the first society.
    """

    name: str
    runs: tuple[Run, ...]
    differs: dict[str, Any]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each run."""
        return tuple(run.seed for run in self.runs)

    def values(self, metric: str) -> F64:
        """A metric of each run, as the mean over its epochs; NaN where no epoch has it.

        Shapes   (runs,)
        """
        return np.array([_mean([row.get(metric, float("nan")) for row in run.rows]) for run in self.runs])


@dataclass(frozen=True)
class AcrossRuns:
    """Some societies, the metrics that all their runs have, and what to know of the runs."""

    societies: tuple[Society, ...]
    metrics: tuple[str, ...]
    notes: tuple[str, ...] = ()  # runs that were left out, or are shorter than they were meant to be

    def effect(self, metric: str, society: Society) -> PairedEffect | None:
        """How a society differs from the first, over shared seeds; None where there are not two of them."""
        first = self.societies[0]
        shared = sorted(set(first.seeds) & set(society.seeds))
        if society is first or len(shared) < 2:
            return None
        here, there = (one.values(metric)[[one.seeds.index(seed) for seed in shared]] for one in (society, first))
        return paired_effect(here, there)

    def differences(self, society: Society, metrics: Sequence[str] = ()) -> dict[str, Difference]:
        """How a society differs from the first on some metrics, over shared seeds or over all (see `differences_of`).

        Params   metrics: all if none is named.
        """
        names, pair = list(metrics or self.metrics), (self.societies[0], society)
        samples = [[dict(zip(one.seeds, one.values(name).tolist(), strict=True)) for one in pair] for name in names]
        return dict(zip(names, differences_of([(first, second) for first, second in samples]), strict=True))

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row a run: society, run, seed, epochs, and each metric as the mean over epochs."""
        for society in self.societies:
            columns = {metric: society.values(metric) for metric in self.metrics}
            for number, run in enumerate(society.runs):
                facts = {"society": society.name, "run": run.path.name, "seed": run.seed, "epochs": len(run.rows)}
                yield facts | {metric: float(column[number]) for metric, column in columns.items()}


def across_runs(runs: Sequence[str | Path | Run]) -> AcrossRuns:
    """Put finished runs side by side.

    Runs of one scenario and one seed are one run, however they were logged, and count once.

    Params   runs: at least two; ids, paths or loaded runs; the first one is what the others are compared with.
    Raises   UsageError for fewer than two different runs, or one without a completed epoch.
    """
    loaded = [run if isinstance(run, Run) else load_run(run) for run in runs]
    if len({run.path.resolve() for run in loaded}) < 2:
        raise UsageError("at least two different runs are needed to compare runs.")
    for run in loaded:
        if not run.rows:
            raise UsageError(f"{run.path}: no epoch was completed, so there is nothing to compare.")
    groups: dict[str, list[Run]] = {}
    asked: dict[str, dict[str, Any]] = {}
    for run in loaded:
        flat = dict(flat_values(deciding_part(run.scenario))) | _ordered(run)
        groups.setdefault(repr(sorted(flat.items())), []).append(run)
        asked.setdefault(repr(sorted(flat.items())), flat)
    first = next(iter(asked.values()))
    societies, notes = [], list[str]()
    for number, (key, members) in enumerate(groups.items()):
        differs = differing_values(first, asked[key])
        name = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number] if number < 26 else f"A{number - 25}"
        kept = _one_of_each(members, notes)
        societies.append(Society(name, tuple(sorted(kept, key=lambda run: run.seed)), differs))
        notes += _cut_short(societies[-1])
    if sum(len(society.runs) for society in societies) < 2:
        raise UsageError("at least two different runs are needed to compare runs, and these are copies of one.")
    shared = [name for name in loaded[0].rows[0] if name != "epoch" and all(name in run.rows[0] for run in loaded)]
    return AcrossRuns(tuple(societies), tuple(shared), tuple(notes))


def _ordered(run: Run) -> dict[str, Any]:
    """The rules that a run was ordered to change on the way, which its scenario does not say."""
    orders = [(epoch, step, order) for epoch, step, _, order in orders_of(run.log) if isinstance(order, Enact)]
    return {
        f"governance.{order.lever}.{order.parameter} from epoch {epoch}, step {step} on": order.value
        for epoch, step, order in orders
    }


def _one_of_each(members: Sequence[Run], notes: list[str]) -> list[Run]:
    """The longest run of each seed; says which others were left out.

    Raises   UsageError where runs of one scenario and seed came to different ends.
    """
    kept: dict[int, Run] = {}
    for run in sorted(members, key=lambda run: -len(run.rows)):
        other = kept.setdefault(run.seed, run)
        if other is run or other.path.resolve() == run.path.resolve():
            continue
        names = [name for name in run.rows[0] if name in other.rows[0]]
        pairs = zip(run.rows, other.rows, strict=False)
        if any(repr(one[name]) != repr(two[name]) for one, two in pairs for name in names):
            raise UsageError(
                f"{run.path} and {other.path} ran the same scenario with seed {run.seed} and differ all the same, so "
                f"they are no replicates. Where: mesocosm diff {run.path} {other.path}"
            )
        notes.append(f"{run.path.name} is left out: it is the same run as {other.path.name}")
    return list(kept.values())


def _cut_short(society: Society) -> Iterator[str]:
    """Runs that are shorter than they were meant to be."""
    for run in society.runs:
        meant = run.scenario.simulation.epochs
        if len(run.rows) < meant:
            yield f"{run.path.name} has only {len(run.rows)} of its {meant} epochs, and its means are over these"


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if value == value]
    return float(np.mean(defined)) if defined else float("nan")
