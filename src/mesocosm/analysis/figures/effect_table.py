"""What pictures of a study or comparison are made of: every arm's effect beside the controls, as plain numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesocosm import registry
from mesocosm.analysis.comparison_record import RECORD
from mesocosm.analysis.outcomes import effects_elsewhere, outcomes_of
from mesocosm.analysis.study import WELFARE, StudyResults
from mesocosm.config.study import BASE
from mesocosm.errors import MesocosmError

CONTROL_NAMES = ("sham", "redraw", "oracle")


@dataclass(frozen=True)
class Effect:
    """What one arm does in one setting: to the primary metric, with its interval, and to true social welfare."""

    setting: str
    arm: str
    change: float
    low: float
    high: float
    welfare: float
    welfare_low: float
    welfare_high: float
    words: str = ""
    n: int = 0

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0.0 or self.high < 0.0


@dataclass(frozen=True)
class EffectTable:
    """Effects of arms and controls on one metric.

    Params   smallest: the smallest effect that matters, NaN where none was named; family: whether intervals hold for
             all arms at once; better: "lower", "higher" or "neither"; elsewhere: changes in other economies, by arm.
    """

    metric: str
    unit: str
    better: str
    confidence: float
    seeds: int
    smallest: float
    family: bool
    effects: tuple[Effect, ...]
    controls: tuple[Effect, ...]
    elsewhere: Mapping[str, tuple[float, ...]]

    @property
    def settings(self) -> tuple[str, ...]:
        """Settings in order."""
        return tuple(dict.fromkeys(effect.setting for effect in self.effects))

    def control(self, setting: str, name: str) -> Effect | None:
        """A control of a setting."""
        return next((one for one in self.controls if one.setting == setting and one.arm == name), None)


def effects_of_study(found: StudyResults) -> EffectTable:
    """The effects of a study on its primary metric; intervals hold for all arms and settings at once."""
    study = found.design.study
    effects = []
    for contrast in found.contrasts:
        welfare = found.effect(WELFARE, contrast.arm, contrast.setting)
        effects.append(
            Effect(contrast.setting, contrast.arm, contrast.effect.change, contrast.low, contrast.high, welfare.change,
                   welfare.low, welfare.high, contrast.verdict.words, contrast.effect.n)
        )  # fmt: skip
    controls = []
    for setting in found.settings:
        for name in found.design.controls:
            one, welfare = (found.effect(metric, name, setting) for metric in (study.primary, WELFARE))
            controls.append(Effect(setting, name, one.change, one.low, one.high, welfare.change, welfare.low,
                                   welfare.high, "", one.n))  # fmt: skip
    primary = outcomes_of(found)[study.primary]
    elsewhere = {
        arm: tuple(effect.change for effect in effects_elsewhere(found, primary, arm)) for arm in found.design.arms
    }
    unit, better = facts_of_metric(study.primary)
    return EffectTable(
        study.primary, unit, better, study.confidence, len(found.seeds), study.smallest_effect,
        len(found.contrasts) > 1, tuple(effects), tuple(controls),
        {arm: changes for arm, changes in elsewhere.items() if changes},
    )  # fmt: skip


def read_comparison(folder: Path) -> dict[str, Any]:
    """The record of a comparison.

    Raises   MesocosmError when it cannot be read.
    """
    try:
        told = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MesocosmError(f"{folder / RECORD}: this record cannot be read ({error}). Compare again.") from error
    if not isinstance(told, dict) or not isinstance(told.get("effects"), list):
        raise MesocosmError(f"{folder / RECORD}: this is not what `mesocosm compare` writes. Compare again.")
    return told


def is_comparison_folder(path: str | Path) -> bool:
    """Whether a directory holds the results of a comparison."""
    return (Path(path) / RECORD).is_file()


def effects_of_comparison(told: Mapping[str, Any], metric: str = "toxicity_true") -> EffectTable:
    """The effects of a comparison on a metric, learning and frozen agents as arms; each interval by itself.

    Params   told: its record, as `read_comparison` gives it.
    """
    rows = {
        (str(row["adaptation"]), str(row["arm"]), str(row["metric"])): row
        for row in told["effects"]
        if row["agents"] == "all"
    }
    effects, controls = list[Effect](), list[Effect]()
    for adaptation in told["adaptations"]:
        for arm in ("changed", *CONTROL_NAMES):
            if (adaptation, arm, metric) not in rows:
                continue
            change, low, high = _ends(rows[adaptation, arm, metric])
            welfare, below, above = _ends(rows[adaptation, arm, WELFARE])
            n = int(rows[adaptation, arm, metric].get("n") or 0)
            changes = [str(change).removeprefix("governance.") for change in told["changes"]]
            name = ", ".join(changes) if arm == "changed" else arm
            made = Effect(f"{adaptation} agents", name, change, low, high, welfare, below, above, "", n)
            (effects if arm == "changed" else controls).append(made)
    unit, better = facts_of_metric(metric)
    confidence, seeds = float(told["confidence"]), len(told["seeds"])
    return EffectTable(metric, unit, better, confidence, seeds, math.nan, False, tuple(effects), tuple(controls), {})


def facts_of_metric(name: str) -> tuple[str, str]:
    """Unit of a metric, and whether lower or higher is better."""
    facts = registry.find("metric", name).facts
    return str(facts["unit"]), str(facts["better"])


def doses_by_arm(found: StudyResults) -> dict[str, dict[str, Any]]:
    """The arms that come from the axes of a study, each with its value on every axis."""
    axes = list(found.design.study.axes)
    listed = found.design.study.arms
    return {
        arm: {axis: changes[axis] for axis in axes}
        for arm, changes in found.design.changes.items()
        if arm not in listed and arm != BASE and all(axis in changes for axis in axes)
    }


def _ends(row: Mapping[str, Any]) -> tuple[float, float, float]:
    """Change, low and high of a row of a record, in which None stands for what is undefined."""
    change, low, high = (math.nan if row[key] is None else float(row[key]) for key in ("change", "low", "high"))
    return change, low, high
