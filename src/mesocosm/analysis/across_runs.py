"""Finished runs beside each other: what was asked differently, and how their metrics differ.

Runs that differ in nothing but the seed are replicates of one society. Two societies that share seeds are compared in
pairs; with other seeds, or one seed each, their means stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.statistics import PairedEffect, paired_effect
from mesocosm.config.constants import differing_values, flat_values
from mesocosm.config.load import scenario_to_dict
from mesocosm.errors import UsageError
from mesocosm.runner.runner import Run, load_run

F64 = NDArray[np.float64]
#: parts of a scenario that make no other society
_IDLE = ("scenario_id", "motif", "description", "metrics_to_track", "log")


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
    """Some societies and the metrics that all their runs have."""

    societies: tuple[Society, ...]
    metrics: tuple[str, ...]

    def effect(self, metric: str, society: Society) -> PairedEffect | None:
        """How a society differs from the first, over shared seeds; None where there are not two of them."""
        first = self.societies[0]
        shared = sorted(set(first.seeds) & set(society.seeds))
        if society is first or len(shared) < 2:
            return None
        here, there = (one.values(metric)[[one.seeds.index(seed) for seed in shared]] for one in (society, first))
        return paired_effect(here, there)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row a run: society, run, seed, epochs, and each metric as the mean over epochs."""
        for society in self.societies:
            columns = {metric: society.values(metric) for metric in self.metrics}
            for number, run in enumerate(society.runs):
                facts = {"society": society.name, "run": run.path.name, "seed": run.seed, "epochs": len(run.rows)}
                yield facts | {metric: float(column[number]) for metric, column in columns.items()}


def across_runs(runs: Sequence[str | Path | Run]) -> AcrossRuns:
    """Put finished runs side by side.

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
        flat = dict(flat_values(_deciding(run)))
        groups.setdefault(repr(sorted(flat.items())), []).append(run)
        asked.setdefault(repr(sorted(flat.items())), flat)
    first = next(iter(asked.values()))
    societies = []
    for number, (key, members) in enumerate(groups.items()):
        differs = differing_values(first, asked[key])
        name = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number] if number < 26 else f"A{number - 25}"
        societies.append(Society(name, tuple(sorted(members, key=lambda run: run.seed)), differs))
    shared = [name for name in loaded[0].rows[0] if name != "epoch" and all(name in run.rows[0] for run in loaded)]
    return AcrossRuns(tuple(societies), tuple(shared))


def _deciding(run: Run) -> dict[str, Any]:
    told = {key: value for key, value in scenario_to_dict(run.scenario).items() if key not in _IDLE}
    told["simulation"] = {key: value for key, value in told["simulation"].items() if key != "seed"}
    return told


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if value == value]
    return float(np.mean(defined)) if defined else float("nan")
