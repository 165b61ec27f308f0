"""A study played and read: every run of its arms, their effects on the primary metric, and what these decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mesocosm.analysis.aggregation import Runs, count_flags, gather, result_of, rows_by_seed, values_of
from mesocosm.analysis.dose_response import DOSES_LEAST, DoseResponse, dose_response
from mesocosm.analysis.economies import tried_arms
from mesocosm.analysis.equivalence import Verdict, verdict_of
from mesocosm.analysis.multiplicity import Family, holm, max_t
from mesocosm.analysis.proportions import Proportion
from mesocosm.analysis.registration import amendments
from mesocosm.analysis.robustness import Influence, rank_influences, sign_share
from mesocosm.analysis.statistics import AUTO, BCA, PairedEffect, T, paired_effect
from mesocosm.analysis.study_plan import StudyPlan, plan_study, play_study, study_folder
from mesocosm.config.study import BASE, Design, load_study, study_from_dict, study_to_dict
from mesocosm.config.study_schema import OutcomePlan, Study
from mesocosm.errors import UsageError
from mesocosm.runner.cells import CellStore
from mesocosm.runner.sweep import default_workers
from mesocosm.runner.table import Share

WELFARE = "social_welfare_true"  # what every effect costs or brings everybody


@dataclass(frozen=True)
class Contrast:
    """One arm against the base of its setting on the primary metric, corrected for all the arms there are."""

    setting: str
    arm: str
    effect: PairedEffect
    low: float  # ends of the interval that covers all arms at once
    high: float
    p_holm: float
    p_max_t: float
    verdict: Verdict


@dataclass(frozen=True)
class Trial:
    """Whether an arm's effect holds elsewhere: its effect in every economy of a hypercube, and what moves it."""

    arm: str
    sign: int  # of the effect in the economy that was studied, or as expected
    effects: tuple[PairedEffect, ...]
    holds: Proportion
    influences: tuple[Influence, ...]


@dataclass(frozen=True, repr=False)
class StudyResults:
    """What a study found. Keys of `runs` are (setting, arm); the setting of a study that names none is ""."""

    design: Design
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    runs: dict[tuple[str, str], Runs]
    constants: tuple[dict[str, float], ...] = ()  # of each economy of the hypercube
    elsewhere: tuple[dict[str, Runs], ...] = ()  # runs in each of them, by arm
    amended: tuple[str, ...] = ()
    folder: Path | None = None

    def __repr__(self) -> str:
        arms, worlds = len(self.design.arms), len(self.settings)
        where = f" in {worlds} settings" if worlds > 1 else ""
        told = f"{arms} arm{'s' * (arms != 1)}{where} on {self.design.study.primary}"
        late = ", amended when there were results" if self.amended else ""
        return f"StudyResults({self.design.study.study_id}: {told}, {len(self.seeds)} paired seeds{late})"

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the worlds in which every arm was compared with the base."""
        return tuple(self.design.settings)

    def effect(self, metric: str, arm: str, setting: str | None = None, agent_type: str | None = None) -> PairedEffect:
        """What an arm does to a metric over the whole run, against the base of its setting.

        Params   setting: the first if none is named; agent_type: over that type's proposals and agents alone.
        """
        where = self.settings[0] if setting is None else setting
        treated, base = (_values(self, metric, name, where, agent_type) for name in (arm, BASE))
        return paired_effect(treated, base, self.design.study.confidence, _method(self.design))

    @cached_property
    def contrasts(self) -> tuple[Contrast, ...]:
        """Every arm of every setting on the primary metric; together they are the family that is corrected for."""
        study, family = self.design.study, self.family
        places = [(setting, arm) for setting in self.settings for arm in self.design.arms]
        effects = [self.effect(study.primary, arm, setting) for setting, arm in places]
        adjusted = holm([effect.p_value for effect in effects])
        found = []
        for number, ((setting, arm), effect) in enumerate(zip(places, effects, strict=True)):
            low, high, p_value = (float(column[number]) for column in (family.low, family.high, family.adjusted))
            verdict = verdict_of(
                effect, study.smallest_effect, direction_expected(study, study, arm, setting),
                alpha=study.alpha, adjusted=p_value, interval=(low, high), family=max(family.size, 1),
                can_tell=family.can_reject(study.alpha),
            )  # fmt: skip
            found.append(Contrast(setting, arm, effect, low, high, float(adjusted[number]), p_value, verdict))
        return tuple(found)

    @cached_property
    def family(self) -> Family:
        """What max-T says of all contrasts together."""
        study = self.design.study
        rows = [self.differences(study.primary, arm, where) for where in self.settings for arm in self.design.arms]
        return max_t(rows, confidence=study.confidence)

    @cached_property
    def trends(self) -> dict[str, DoseResponse]:
        """How the effect on the primary metric moves along the single numeric axis, by setting; empty without one."""
        doses, study = self.design.doses, self.design.study
        if len(doses) < DOSES_LEAST:
            return {}
        return {
            setting: dose_response(
                list(doses.values()),
                [self.differences(study.primary, arm, setting) for arm in doses],
                confidence=study.confidence,
                method=_method(self.design),
            )
            for setting in self.settings
        }

    def differences(self, metric: str, arm: str, setting: str, agent_type: str | None = None) -> Any:
        """Difference from the base, seed by seed."""
        treated, base = (_values(self, metric, name, setting, agent_type) for name in (arm, BASE))
        return treated - base

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """The effect of each arm whose robustness was asked for, in every economy."""
        return tuple(_trial(self, arm) for arm in (tried_arms(self.design) if self.elsewhere else ()))

    @property
    def flags(self) -> list[str]:
        """What to be wary of: what was amended, and each finding of an arm with the number of runs, the most first."""
        told = [
            f"{arm} in {setting}: {flag}" if setting else f"{arm}: {flag}"
            for (setting, arm), runs in self.runs.items()
            if arm in (BASE, *self.design.arms)
            for flag in runs.flags
        ]
        return [*(f"after there were results, {text}" for text in self.amended), *count_flags(told, len(self.seeds))]

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


def direction_expected(study: Study, asked: Study | OutcomePlan, arm: str, setting: str) -> str | None:
    """Which way an arm was expected to move an outcome, as written before the runs; None if nothing was said."""
    if study.expect_in and setting not in study.expect_in:
        return None
    told = asked.expect_of.get(arm, asked.expect)
    return None if told == "either" else told


def _method(design: Design) -> str:
    """How intervals are found: as the study says, and by Student's t where too few pairs are left for BCa."""
    return AUTO if design.study.interval == BCA else T


def _values(found: StudyResults, metric: str, arm: str, setting: str, agent_type: str | None) -> Any:
    if (setting, arm) not in found.runs:
        raise UsageError(f"no arm {arm!r} in setting {setting!r}; arms: {', '.join(found.design.arms)}.")
    return values_of(found.runs, (setting, arm), metric, agent_type)


def _trial(found: StudyResults, arm: str) -> Trial:
    """An arm's effect in every economy, in how many it has the sign that is said of it, and what moves it."""
    study = found.design.study
    effects = tuple(
        paired_effect(runs[arm].whole[study.primary], runs[BASE].whole[study.primary], study.confidence)
        for runs in found.elsewhere
    )
    here = found.effect(study.primary, arm).change
    sign = {"falls": -1, "rises": 1}.get(study.expect_of.get(arm, study.expect), -1 if here < 0.0 else 1)
    changes = [effect.change for effect in effects]
    table = [list(constants.values()) for constants in found.constants]
    influences = tuple(rank_influences(table, changes, tuple(found.constants[0])))
    return Trial(arm, sign, effects, sign_share(changes, sign, study.confidence), influences)


def sweep(
    study: str | Path | Mapping[str, Any] | Design,
    *,
    seeds: int | None = None,
    workers: int | None = None,
    executor: str = "local",
    output: str | Path | None = None,
    plugins: Sequence[str | Path] = (),
    progress: Share | None = None,
) -> StudyResults:
    """Play what is missing of a study and read all of it.

    Params   study: bundled name, path, plain values, or a loaded study; seeds: how many, instead of what the file says;
             workers: processes, all cores if not given; executor: local or ray; output: directory, by default
             study_STUDY_ID under the run root, which goes on where it was; plugins: files of policies, levers and
             metrics that take part.
    Raises   ConfigError with every mistake of the study; MesocosmError when a run fails or the disk refuses.
    """
    design = study_from_dict(study) if isinstance(study, Mapping) else study
    design = design if isinstance(design, Design) else load_study(design)
    if seeds is not None:
        design = with_seeds(design, seeds)
    plan = plan_study(design, plugins)
    folder = Path(output) if output is not None else study_folder(design)
    play_study(
        plan, folder, workers=default_workers() if workers is None else workers, executor=executor, progress=progress
    )
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
