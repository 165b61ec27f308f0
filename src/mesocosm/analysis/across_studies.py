"""Studies against each other: do their shared arms have the same effect, and were they asked the same?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesocosm.analysis.overlap import Difference, differences_of
from mesocosm.analysis.registration import MANIFEST
from mesocosm.analysis.statistics import PairedEffect, paired_effect
from mesocosm.analysis.study_plan import STUDY
from mesocosm.analysis.study_record import RECORD, RUNS
from mesocosm.config.constants import differing_values, flat_values
from mesocosm.config.load import IDLE
from mesocosm.config.study_schema import RESERVED
from mesocosm.config.wording import shown_value
from mesocosm.errors import MesocosmError, UsageError

_NAMED = 3
Key = tuple[str, str]  # (setting, arm)


@dataclass(frozen=True)
class ReadStudy:
    """A study as it lies on disk: what it asked, and every metric in every run."""

    folder: Path
    study_id: str
    primary: str
    confidence: float
    seeds: tuple[int, ...]
    values: dict[Key, dict[str, Any]]  # metric -> (n,)
    model: str
    asked: dict[str, Any]  # the scenario that all arms start from, flat, without what decides nothing
    changes: dict[str, Any]  # what each arm is
    settings: dict[str, Any]

    def effects(self, key: Key, metric: str) -> dict[int, float]:
        """What an arm does to a metric, seed by seed."""
        change = self.values[key][metric] - self.values[key[0], "base"][metric]
        return dict(zip(self.seeds, change.tolist(), strict=True))


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
    shared_seeds: int  # that all three were taken over, pair by pair; 0 where all seeds of each study count

    @property
    def is_control(self) -> bool:
        """Whether every study has this arm."""
        return self.arm in RESERVED


@dataclass(frozen=True)
class AcrossStudies:
    """Two studies beside each other on one metric."""

    metric: str
    confidence: float
    arms: tuple[SharedArm, ...]
    alone: tuple[tuple[str, ...], tuple[str, ...]]  # arms that only the first, or only the second has
    seeds: tuple[int, int]  # of each study
    common: int  # seeds that both have
    cautions: tuple[str, ...]  # what else differs between them


def is_study_folder(path: str | Path) -> bool:
    """Whether a directory holds the results of a study."""
    return (Path(path) / RECORD).is_file() and (Path(path) / RUNS).is_file()


def is_sweep_folder(path: str | Path) -> bool:
    """Whether a directory holds a sweep, finished or not."""
    return any((Path(path) / name).is_file() for name in (STUDY, MANIFEST))


def across_studies(first: str | Path, second: str | Path, metric: str = "") -> AcrossStudies:
    """Compare the effects of the arms that two studies share.

    All arms are compared in one way, over shared seeds or over all seeds of each (see `differences_of`), and the two
    effects are given over the same seeds as their difference. Intervals have the larger confidence of the two.

    Params   first, second: directories of studies; metric: the first one's primary metric if none is named.
    Raises   UsageError when they share no arm but the controls, or one of them did not measure the metric.
    """
    one, other = _read(Path(first)), _read(Path(second))
    name = metric or one.primary
    shared = [key for key in one.values if key in other.values and key[1] != "base"]
    if all(key[1] in RESERVED for key in shared):
        what = " but the controls" if shared else ""
        raise UsageError(f"{one.study_id} and {other.study_id} share no arm of the same setting and name{what}.")
    for study in (one, other):
        if name not in next(iter(study.values.values())):
            raise UsageError(f"{study.folder}: {name!r} was not measured in this study. Name another with --metrics.")
    confidence = max(one.confidence, other.confidence)
    samples = [(one.effects(key, name), other.effects(key, name)) for key in shared]
    found = differences_of(samples, confidence)
    arms = [_shared(one, other, key, name, each, confidence) for key, each in zip(shared, found, strict=True)]
    alone = tuple(
        tuple(_named(key) for key in study.values if key not in rest.values and key[1] not in RESERVED)
        for study, rest in ((one, other), (other, one))
    )
    return AcrossStudies(
        metric=name,
        confidence=confidence,
        arms=tuple(arms),
        alone=(alone[0], alone[1]),
        seeds=(len(one.seeds), len(other.seeds)),
        common=len({*one.seeds} & {*other.seeds}),
        cautions=tuple(_cautions(one, other, shared, name if metric else "")),
    )


def _named(key: Key) -> str:
    return f"{key[0]}: {key[1]}" if key[0] else key[1]


def _read(folder: Path) -> ReadStudy:
    import polars as pl

    if not is_study_folder(folder):
        raise UsageError(f"{folder}: there are no results of a study here; `mesocosm sweep` writes them.")
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        table = pl.read_parquet(folder / RUNS).sort("seed")
        study = record["study"]
        values = {
            (str(setting), str(arm)): {name: rows[name].to_numpy() for name in rows.columns}
            for (setting, arm), rows in table.group_by(["setting", "arm"], maintain_order=True)
        }
        asked = dict(flat_values({key: value for key, value in record["scenario"].items() if key not in IDLE}))
        asked.pop("simulation.seed", None)
        return ReadStudy(
            folder=folder,
            study_id=study["study_id"],
            primary=study["primary"],
            confidence=study["confidence"],
            seeds=tuple(sorted(int(seed) for seed in record["seeds"])),
            values=values,
            model=str(record.get("model")),
            asked=asked,
            changes=record.get("changes", study["arms"]),
            settings=record.get("settings", study["settings"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError) as error:
        raise MesocosmError(f"{folder}: these results cannot be read ({error}). Run the sweep again.") from error


def _shared(one: ReadStudy, other: ReadStudy, key: Key, name: str, found: Difference, confidence: float) -> SharedArm:
    seeds = None
    if found.pairs:
        defined = [
            {seed for seed, value in study.effects(key, name).items() if value == value} for study in (one, other)
        ]
        seeds = defined[0] & defined[1]
    effects = [_effect(study, key, name, seeds, confidence) for study in (one, other)]
    return SharedArm(*key, effects[0], effects[1], found.change, found.low, found.high, found.pairs)


def _effect(study: ReadStudy, key: Key, name: str, seeds: set[int] | None, confidence: float) -> PairedEffect:
    kept = [place for place, seed in enumerate(study.seeds) if seeds is None or seed in seeds]
    treated, base = (study.values[setting][name][kept] for setting in (key, (key[0], "base")))
    return paired_effect(treated, base, confidence)


def _cautions(one: ReadStudy, other: ReadStudy, shared: list[Key], asked: str) -> Iterator[str]:
    """What else differs between two studies, so that a difference need not be the arm's."""
    if one.model != other.model:
        yield f"they were run by different models, {one.model} and {other.model}"
    differs = differing_values(one.asked, other.asked)
    if differs:
        yield f"all their runs differ in {_listed(one.asked, other.asked, list(differs))}"
    for noun, first, second, names in (
        ("setting", one.settings, other.settings, dict.fromkeys(setting for setting, _ in shared)),
        ("arm", one.changes, other.changes, dict.fromkeys(arm for _, arm in shared if arm not in RESERVED)),
    ):
        for name in names:
            before, after = (dict(flat_values(changes.get(name, {}))) for changes in (first, second))
            if before != after:
                keys = list(differing_values(before, after))
                yield f"the {noun} {name or 'without a name'} is not the same: {_listed(before, after, keys)}"
    if one.confidence != other.confidence:
        told = " and ".join(f"{100 * study.confidence:g} %" for study in (one, other))
        yield f"their confidences are {told}; here the larger one holds for both"
    if not asked and one.primary != other.primary:
        yield f"the first was decided on {one.primary}, the second on {other.primary}"


def _listed(before: Mapping[str, Any], after: Mapping[str, Any], keys: list[str]) -> str:
    """Some keys with both their values, and how many more there are."""
    told = [f"{key} ({_said(before, key)} in A, {_said(after, key)} in B)" for key in keys[:_NAMED]]
    return ", ".join(told) + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")


def _said(values: Mapping[str, Any], key: str) -> str:
    return shown_value(values[key]) if key in values else "nothing"
