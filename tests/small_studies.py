"""Many small studies in the real economy: every arm on the same seeds, each study on seeds of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from mesocosm.config.load import load_scenario
from mesocosm.runner.drive import Plan, drive

F64 = NDArray[np.float64]
METRICS = ("toxicity_true", "toxicity_rate", "social_welfare_true", "acceptance_rate")
#: five agents for five steps: what a run shows is noisy, and it takes a tenth of a millisecond
SMALL = ("simulation.epochs=1", "simulation.steps_per_epoch=5")
AT_ONCE = 1_000
BASE: tuple[str, ...] = ()
#: the same society with other luck
AA = (BASE, *((f"governance.redraw.stream={stream}",) for stream in range(1, 6)))
PILOT_FIRST = 100_000


def outcomes(arms: Sequence[Sequence[str]], seeds: range, metrics: Sequence[str] = METRICS) -> dict[str, F64]:
    """Each metric over the whole run, for every arm and seed.

    Shapes   (arms, seeds)
    """
    scenarios = [load_scenario("baseline", [*SMALL, *changes]) for changes in arms]
    parts = []
    for first in range(0, len(seeds), AT_ONCE):
        part = list(seeds[first : first + AT_ONCE])
        cast = [scenario for scenario in scenarios for _ in part]
        runs = drive(Plan(cast, part * len(arms), "epoch", names=tuple(metrics))).whole
        parts.append(np.array([[run[name] for name in metrics] for run in runs]).reshape(len(arms), len(part), -1))
    table = np.concatenate(parts, axis=1)
    return {name: table[:, :, place] for place, name in enumerate(metrics)}


def studies_of(table: F64, n: int) -> F64:
    """The differences of every study to its base, n seeds a study.

    Shapes   (arms, seeds), the base first -> (studies, arms - 1, n)
    """
    differences = table[1:] - table[0]
    studies = differences.shape[1] // n
    return np.moveaxis(differences[:, : studies * n].reshape(len(differences), studies, n), 1, 0)


def between(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Clopper-Pearson interval of a share."""
    low, high = binomtest(count, n).proportion_ci(confidence)
    return float(low), float(high)
