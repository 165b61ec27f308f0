"""A study played and read: every run of its arms, their effects on the primary metric, and what these decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mesocosm.analysis.aggregation import Runs, count_flags, gather, result_of, rows_by_seed
from mesocosm.analysis.economies import tried_arms
from mesocosm.analysis.multiplicity import holm, max_t
from mesocosm.analysis.statistics import PairedEffect, paired_effect
from mesocosm.analysis.study_plan import StudyPlan, amendments, play_study, plan_study, study_folder
from mesocosm.config.study import BASE, Design, load_study, study_from_dict, study_to_dict
from mesocosm.errors import UsageError
from mesocosm.runner.cells import CellStore
from mesocosm.runner.sweep import Played, default_workers
from mesocosm.runner.table import Share

AUTO = "auto"  # t interval below 30 seeds, BCa from there on


@dataclass(frozen=True)
class Contrast:
    """One arm against the base of its setting on the primary metric, corrected for all the arms there are."""

    setting: str
    arm: str
    effect: PairedEffect
    p_holm: float
    p_max_t: float


@dataclass(frozen=True)
class Trial:
    """An arm's effect on the primary metric in every economy of a hypercube."""

    arm: str
    effects: tuple[PairedEffect, ...]


@dataclass(frozen=True)
class StudyResults:
    """What a study found. Keys of `runs` are (setting, arm); the setting of a study that names none is ""."""

    design: Design
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    runs: dict[tuple[str, str], Runs] = field(repr=False)
    constants: tuple[dict[str, float], ...] = ()  # of each economy of the hypercube
    elsewhere: tuple[dict[str, Runs], ...] = field(default=(), repr=False)  # runs in each of them, by arm
    amended: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the worlds in which every arm was compared with the base."""
        return tuple(self.design.settings)

    def effect(self, metric: str, arm: str, setting: str | None = None, agent_type: str | None = None) -> PairedEffect:
        """What an arm does to a metric over the whole run, against the base of its setting.

        Params   setting: the first if none is named; agent_type: over that type's proposals and agents alone.
        """
        where = self.settings[0] if setting is None else setting
        treated, base = (self._values(metric, name, where, agent_type) for name in (arm, BASE))
        return paired_effect(treated, base, self.design.study.confidence, AUTO)

    def _values(self, metric: str, arm: str, setting: str, agent_type: str | None) -> Any:
        if (setting, arm) not in self.runs:
            raise UsageError(f"no arm {arm!r} in setting {setting!r}; arms: {', '.join(self.design.arms)}.")
        runs = self.runs[setting, arm]
        table = runs.whole if agent_type is None else runs.by_type.get(agent_type, {})
        if metric not in table:
            raise UsageError(f"{metric!r} was not measured; known: {', '.join(table or runs.whole)}.")
        return table[metric]

    @cached_property
    def contrasts(self) -> tuple[Contrast, ...]:
        """Every arm of every setting on the primary metric; together they are the family that is corrected for."""
        primary = self.design.study.primary
        places = [(setting, arm) for setting in self.settings for arm in self.design.arms]
        effects = [self.effect(primary, arm, setting) for setting, arm in places]
        differences = np.array([self.differences(primary, arm, setting) for setting, arm in places])
        adjusted = holm([effect.p_value for effect in effects])
        together = max_t(differences)
        return tuple(
            Contrast(setting, arm, effect, float(one), float(other))
            for (setting, arm), effect, one, other in zip(places, effects, adjusted, together, strict=True)
        )

    def differences(self, metric: str, arm: str, setting: str) -> Any:
        """Difference from the base, seed by seed."""
        treated, base = (self._values(metric, name, setting, None) for name in (arm, BASE))
        return treated - base

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """The effect of each arm whose robustness was asked for, in every economy."""
        primary = self.design.study.primary
        return tuple(
            Trial(
                arm,
                tuple(
                    paired_effect(runs[arm].whole[primary], runs[BASE].whole[primary], self.design.study.confidence)
                    for runs in self.elsewhere
                ),
            )
            for arm in (tried_arms(self.design) if self.elsewhere else ())
        )

    @property
    def flags(self) -> list[str]:
        """What to be wary of: each finding of an arm with the number of runs it was made in, and what was amended."""
        told = []
        for (setting, arm), runs in self.runs.items():
            if arm in self.design.arms or arm == BASE:
                where = f"{arm} in {setting}" if setting else arm
                told += count_flags([f"{where}: {flag}" for flag in runs.flags], len(self.seeds))
        return [*(f"after there were results, {text}" for text in self.amended), *told]

    @property
    def effects(self) -> Any:
        """Every effect as a Polars frame: a row for each setting, arm, agent type ("all" for all) and metric."""
        import polars as pl

        return pl.DataFrame(list(self.effect_rows()), infer_schema_length=None)

    def effect_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of `effects` as plain dictionaries."""
        for (setting, arm), runs in self.runs.items():
            for agent_type in (None, *runs.by_type) if arm != BASE else ():
                for metric in self.metrics:
                    place = {"setting": setting, "arm": arm, "agents": agent_type or "all", "metric": metric}
                    yield place | vars(self.effect(metric, arm, setting, agent_type))

    @property
    def per_seed(self) -> Any:
        """The value of every metric in every run as a Polars frame."""
        import polars as pl

        rows = list(rows_by_seed(self.runs, ("setting", "arm"), self.seeds, self.metrics))
        return pl.DataFrame(rows, infer_schema_length=None)


def sweep(
    study: str | Path | Design,
    *,
    seeds: int | None = None,
    workers: int | None = None,
    executor: str = "local",
    output: str | Path | None = None,
    plugins: Sequence[str | Path] = (),
    progress: Share | None = None,
) -> StudyResults:
    """Play what is missing of a study and read all of it.

    Params   study: bundled name, path, or a loaded study; seeds: how many, instead of what the file says; workers:
             processes, all cores if not given; executor: local or ray; output: directory, by default
             study_STUDY_ID under the run root, which goes on where it was; plugins: files of policies, levers and
             metrics that take part.
    Raises   ConfigError with every mistake of the study; MesocosmError when a run fails or the disk refuses.
    """
    design = study if isinstance(study, Design) else load_study(study)
    if seeds is not None:
        design = with_seeds(design, seeds)
    plan = plan_study(design, plugins)
    folder = Path(output) if output is not None else study_folder(design)
    play_study(plan, folder, workers=workers or default_workers(), executor=executor, progress=progress)
    return read_study(plan, folder)


def with_seeds(design: Design, count: int) -> Design:
    """The same study on another number of seeds, for the same purpose."""
    told = study_to_dict(design.study)
    first = {} if design.study.seeds.purpose == "tuning" else {"first": design.study.seeds.first}
    told["seeds"] = {design.study.seeds.purpose: count} | first
    return study_from_dict(told, design.start)


def read_study(plan: StudyPlan, folder: Path) -> StudyResults:
    """Put the finished cells of a study together.

    Raises   UsageError when some are missing.
    """
    store = CellStore(folder)
    found = store.read_all(cell.name for cell in plan.cells)
    missing = len({cell.name for cell in plan.cells} - set(found))
    if missing:
        raise UsageError(f"{folder}: {missing:,} of {len(plan.cells):,} runs of this study are missing. Run it again.")
    results = {name: result_of(cell) for name, cell in found.items()}

    def runs_of(names: Sequence[str]) -> Runs:
        return gather([results[name] for name in names], plan.asked.names, plan.asked.curves)

    return StudyResults(
        design=plan.design,
        seeds=plan.seeds,
        metrics=plan.asked.names,
        runs={key: runs_of(names) for key, names in plan.places.items()},
        constants=tuple(economy.constants for economy in plan.economies),
        elsewhere=tuple({arm: runs_of(names) for arm, names in arms.items()} for arms in plan.economy_places),
        amended=tuple(amendments(folder)),
        folder=folder,
    )


__all__ = ["Contrast", "Played", "StudyResults", "Trial", "read_study", "sweep", "with_seeds"]
