"""Many runs put together: from epochs to a run, from runs to an arm, and to tables of one row a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.errors import UsageError
from mesocosm.runner.table import Result

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """The runs of one scenario over some seeds.

    Shapes   n = seeds, E = epochs. `whole` has each metric over the whole run (n,), `by_type` the same for each agent
             type, `epochs` metrics per epoch (n, E); `flags` what was found, once for each run it was found in.
    """

    whole: dict[str, F64]
    by_type: dict[str, dict[str, F64]]
    epochs: dict[str, F64]
    flags: list[str]


def values_of(arms: Mapping[Any, Runs], key: Any, metric: str, agent_type: str | None = None) -> F64:
    """A metric of one arm over the whole run, seed by seed.

    Params   agent_type: over that type's proposals and agents alone; NaN where another arm has some and this has none.
    Shapes   -> (n,)
    Raises   UsageError for a metric or agent type that no arm has.
    """
    runs = arms[key]
    if metric not in runs.whole:
        raise UsageError(f"{metric!r} was not measured; known: {', '.join(runs.whole)}.")
    if agent_type is None:
        return runs.whole[metric]
    if agent_type in runs.by_type:
        return runs.by_type[agent_type][metric]
    types = sorted({kind for other in arms.values() for kind in other.by_type})
    if agent_type not in types:
        raise UsageError(f"there are no agents of type {agent_type!r}; known: {', '.join(types)}.")
    return np.full(len(runs.whole[metric]), np.nan)


def differing_metrics(one: Runs, other: Runs) -> list[str]:
    """Metrics that are not the same to the last bit in every run of two arms, undefined ones included."""
    return [name for name in one.whole if not np.array_equal(one.whole[name], other.whole[name], equal_nan=True)]


def gather(runs: Sequence[Result], names: Sequence[str], curves: Sequence[str]) -> Runs:
    """Put the runs of one scenario together; what a run has no value for is NaN.

    Params   names: metrics over the whole run; curves: metrics by epoch.
    """
    types = sorted({kind for run in runs for kind in run.by_type})
    whole = {metric: np.array([run.whole[metric] for run in runs]) for metric in names}
    nothing = dict.fromkeys(names, float("nan"))
    by_type = {
        kind: {metric: np.array([run.by_type.get(kind, nothing)[metric] for run in runs]) for metric in names}
        for kind in types
    }
    unknown = float("nan")
    epochs = {metric: np.array([[row.get(metric, unknown) for row in run.rows] for run in runs]) for metric in curves}
    return Runs(whole, by_type, epochs, [flag for run in runs for flag in run.flags])


def result_of(cell: Mapping[str, Any]) -> Result:
    """A finished cell of a sweep as the run it was; undefined numbers are NaN again."""
    curves = {name: _numbers(values) for name, values in cell["epochs"].items()}
    length = len(next(iter(curves.values()), ()))
    rows = [{name: values[epoch] for name, values in curves.items()} for epoch in range(length)]
    by_type = {kind: _named(values) for kind, values in cell["by_type"].items()}
    return Result(_named(cell["whole"]), by_type, rows, list(cell["flags"]), cell["state"])


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _named(values: Mapping[str, float | None]) -> dict[str, float]:
    return dict(zip(values, _numbers(values.values()), strict=True))


def count_flags(flags: Iterable[str], runs: int) -> list[str]:
    """Each finding once, with the number of runs it was made in, the most frequent first.

    Example
        >>> count_flags(["no rejections", "no rejections"], 3)
        ['no rejections in 2 of 3 runs']
    """
    found: dict[str, int] = {}
    for flag in flags:
        found[flag] = found.get(flag, 0) + 1
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return [f"{text} in {count} of {runs} runs" for text, count in ordered]


def rows_by_seed(
    arms: Mapping[Any, Runs], places: Sequence[str], seeds: Sequence[int], metrics: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """One row a run: where it belongs, its seed, and its metrics over the whole run.

    Params   places: what the parts of an arm's key are called.
    """
    for key, runs in arms.items():
        for number, seed in enumerate(seeds):
            values = {metric: float(runs.whole[metric][number]) for metric in metrics}
            yield dict(zip(places, key, strict=True)) | {"seed": seed} | values
