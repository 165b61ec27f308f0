"""A pilot on tuning seeds: how much runs differ, and so how many seeds a study needs; effects are not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mesocosm.analysis.power import SeedPlan, plan_seeds
from mesocosm.analysis.study import read_study
from mesocosm.analysis.study_plan import plan_study, play_study
from mesocosm.config.study import Design, study_from_dict, study_to_dict
from mesocosm.config.study_schema import TUNING_SEEDS
from mesocosm.errors import UsageError
from mesocosm.runner.table import Share

PILOT = "pilot"  # the directory within a study's that its pilot is kept in
PILOT_LEAST = 5


def _in_arms(count: int) -> str:
    return "its arm" if count == 1 else f"every arm, corrected for {count} arms (Bonferroni, which max-T betters)"


@dataclass(frozen=True)
class Pilot:
    """Seeds that a study needs for its smallest effect of interest, by setting and arm."""

    design: Design
    count: int
    plans: dict[tuple[str, str], SeedPlan]

    @property
    def seeds(self) -> int:
        """Seeds that are enough for every arm, to be safe."""
        return max(plan.seeds_cautious for plan in self.plans.values())

    def sentences(self) -> Iterator[str]:
        """What follows for the study, in words."""
        study = self.design.study
        yield (
            f"For a chance of {100 * study.power:.0f} % to find a change of {study.smallest_effect:g} in "
            f"{study.primary} in {_in_arms(len(self.plans))}: {self.seeds:,} seeds."
        )
        given = len(study.seeds.chosen)
        if study.seeds.purpose == "reporting":
            enough = "enough" if given >= self.seeds else "too few"
            yield f"The study asks for {given:,}: {enough}."

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        arms = [{"setting": where, "arm": arm} | asdict(plan) for (where, arm), plan in self.plans.items()]
        return {"study_id": self.design.study.study_id, "pilot": self.count, "seeds": self.seeds, "arms": arms}


def run_pilot(
    design: Design,
    count: int,
    folder: Path,
    *,
    workers: int = 1,
    executor: str = "local",
    plugins: Sequence[str | Path] = (),
    progress: Share | None = None,
) -> Pilot:
    """Play a study on its first tuning seeds and plan its seeds from how much the runs differ.

    Params   count: tuning seeds, 5 to 100; folder: the study's directory, where the runs of the pilot are kept apart.
    Raises   UsageError for a pilot too small to tell, or arms that no number of seeds would decide.
    """
    if not PILOT_LEAST <= count <= TUNING_SEEDS:
        raise UsageError(f"a pilot of {count} seed{'s' * (count != 1)}: from {PILOT_LEAST} to {TUNING_SEEDS}.")
    told = study_to_dict(design.study) | {"seeds": {"tuning": count}, "robustness": None, "controls": False}
    smaller = study_from_dict(told, design.start)
    plan = plan_study(smaller, plugins)
    place = folder / PILOT
    play_study(plan, place, workers=workers, executor=executor, progress=progress)
    found, study = read_study(plan, place), design.study
    family = len(found.contrasts)
    plans = {
        (one.setting, one.arm): plan_seeds(
            found.differences(study.primary, one.arm, one.setting),
            study.smallest_effect,
            power=study.power,
            alpha=study.alpha,
            family=family,
        )
        for one in found.contrasts
    }
    return Pilot(design, count, plans)
