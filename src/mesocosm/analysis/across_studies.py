"""Studies against each other: do their shared arms have the same effect?"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mesocosm.analysis.statistics import PairedEffect, difference_of_effects, paired_effect
from mesocosm.analysis.study_record import RECORD, RUNS
from mesocosm.errors import MesocosmError, UsageError


@dataclass(frozen=True)
class ReadStudy:
    """A study as it lies on disk: its name, its primary metric, and that metric in every run."""

    folder: Path
    study_id: str
    primary: str
    confidence: float
    seeds: tuple[int, ...]
    values: dict[tuple[str, str], dict[str, Any]]  # (setting, arm) -> metric -> (n,)


@dataclass(frozen=True)
class SharedArm:
    """An arm that two studies have: its effect in each, and by how much they differ."""

    setting: str
    arm: str
    first: PairedEffect
    second: PairedEffect
    change: float  # of the second from the first
    low: float
    high: float
    shared_seeds: int  # that it was taken over, pair by pair; 0 where the studies have none in common


def is_study_folder(path: str | Path) -> bool:
    """Whether a directory holds the results of a study."""
    return (Path(path) / RECORD).is_file() and (Path(path) / RUNS).is_file()


def across_studies(first: str | Path, second: str | Path, metric: str = "") -> tuple[str, list[SharedArm]]:
    """Compare the effects of the arms that two studies share.

    Over seeds that both have the difference is taken seed by seed; without any by Welch's t, from independent means.

    Params   first, second: directories of studies; metric: the first one's primary metric if none is named.
    Returns  the metric and the shared arms.
    Raises   UsageError when they share no arm, or one of them did not measure the metric.
    """
    one, other = _read(Path(first)), _read(Path(second))
    name = metric or one.primary
    shared = [key for key in one.values if key in other.values and key[1] != "base"]
    if not shared:
        raise UsageError(f"{one.study_id} and {other.study_id} share no arm of the same setting and name.")
    for study in (one, other):
        if name not in next(iter(study.values.values())):
            raise UsageError(f"{study.folder}: {name!r} was not measured in this study. Name another with --metrics.")
    return name, [_shared(one, other, key, name) for key in shared]


def _read(folder: Path) -> ReadStudy:
    import polars as pl

    if not is_study_folder(folder):
        raise UsageError(f"{folder}: there are no results of a study here; `mesocosm sweep` writes them.")
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        table = pl.read_parquet(folder / RUNS).sort("seed")
        study = record["study"]
        seeds = tuple(int(seed) for seed in record["seeds"])
        values = {
            (str(setting), str(arm)): {name: rows[name].to_numpy() for name in rows.columns}
            for (setting, arm), rows in table.group_by(["setting", "arm"], maintain_order=True)
        }
        facts = (study["study_id"], study["primary"], study["confidence"])
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise MesocosmError(f"{folder}: these results cannot be read ({error}). Run the sweep again.") from error
    return ReadStudy(folder, *facts, seeds, values)


def _shared(one: ReadStudy, other: ReadStudy, key: tuple[str, str], name: str) -> SharedArm:
    pairs = [(study.values[key][name], study.values[key[0], "base"][name]) for study in (one, other)]
    first, second = (paired_effect(treated, base, one.confidence) for treated, base in pairs)
    seeds = sorted(set(one.seeds) & set(other.seeds))
    if seeds:
        kept = [
            tuple(column[[study.seeds.index(seed) for seed in seeds]] for column in pair)
            for study, pair in zip((one, other), pairs, strict=True)
        ]
        moved = difference_of_effects(kept[1], kept[0], one.confidence)
        return SharedArm(*key, first, second, moved.change, moved.low, moved.high, len(seeds))
    low, high = _welch([treated - base for treated, base in pairs], one.confidence)
    return SharedArm(*key, first, second, second.change - first.change, low, high, 0)


def _welch(differences: Sequence[Any], confidence: float) -> tuple[float, float]:
    """Interval of the difference of two independent means."""
    import scipy.stats

    kept = [np.asarray(values)[np.isfinite(values)] for values in differences]
    if min(map(len, kept)) < 2:
        return math.nan, math.nan
    if all(values.min() == values.max() for values in kept):
        change = float(kept[1][0] - kept[0][0])
        return change, change
    interval = scipy.stats.ttest_ind(kept[1], kept[0], equal_var=False).confidence_interval(confidence)
    return float(interval.low), float(interval.high)
