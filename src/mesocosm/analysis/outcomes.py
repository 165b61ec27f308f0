"""Several outcomes of one study: every arm on each of them, judged together, and whether that holds elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mesocosm.analysis.equivalence import Verdict, verdict_of
from mesocosm.analysis.multiplicity import Family, holm, max_t
from mesocosm.analysis.proportions import Proportion
from mesocosm.analysis.robustness import sign_share
from mesocosm.analysis.statistics import PairedEffect, paired_effect
from mesocosm.analysis.study import StudyResults, direction_expected
from mesocosm.config.study import BASE
from mesocosm.config.study_schema import OutcomePlan


@dataclass(frozen=True)
class OutcomeEffect:
    """What one arm does to one outcome in one setting, corrected for all arms, outcomes and settings there are."""

    outcome: str
    setting: str
    arm: str
    effect: PairedEffect
    low: float  # ends of the interval that covers everything at once
    high: float
    p_holm: float
    p_max_t: float
    verdict: Verdict
    holds: Proportion | None  # economies in which its sign is that of this effect; of the first setting, where tried

    @property
    def is_clear(self) -> bool:
        """Whether the corrected interval excludes 0."""
        return self.low > 0.0 or self.high < 0.0


def outcomes_of(found: StudyResults) -> dict[str, OutcomePlan]:
    """The outcomes of a study by name, the primary one first."""
    study = found.design.study
    primary = OutcomePlan(
        metric=study.primary, smallest_effect=study.smallest_effect, expect=study.expect, expect_of=study.expect_of
    )
    return {study.primary: primary} | dict(study.outcomes)


def findings_of(found: StudyResults) -> tuple[OutcomeEffect, ...]:
    """Every arm of every setting on every outcome; all of them are one family."""
    outcomes = outcomes_of(found)
    places = [(name, setting, arm) for name in outcomes for setting in found.settings for arm in found.design.arms]
    effects = [
        found.effect(outcomes[name].metric, arm, setting, outcomes[name].agents) for name, setting, arm in places
    ]
    family = _family(found, outcomes, places)
    adjusted = holm([effect.p_value for effect in effects])
    study = found.design.study
    findings = []
    for number, ((name, setting, arm), effect) in enumerate(zip(places, effects, strict=True)):
        low, high, p_value = (float(column[number]) for column in (family.low, family.high, family.adjusted))
        verdict = verdict_of(
            effect, outcomes[name].smallest_effect, direction_expected(study, outcomes[name], arm, setting),
            alpha=study.alpha, adjusted=p_value, interval=(low, high), family=max(family.size, 1),
        )  # fmt: skip
        holds = _holds(found, outcomes[name], arm, effect) if setting == found.settings[0] else None
        findings.append(
            OutcomeEffect(name, setting, arm, effect, low, high, float(adjusted[number]), p_value, verdict, holds)
        )
    return tuple(findings)


def _family(found: StudyResults, outcomes: dict[str, OutcomePlan], places: list[tuple[str, str, str]]) -> Family:
    rows = [
        found.differences(outcomes[name].metric, arm, setting, outcomes[name].agents) for name, setting, arm in places
    ]
    return max_t(rows, confidence=found.design.study.confidence)


def _holds(found: StudyResults, outcome: OutcomePlan, arm: str, effect: PairedEffect) -> Proportion | None:
    """In what share of the other economies the effect has the sign that it has in the economy of the study."""
    changes = [each.change for each in effects_elsewhere(found, outcome, arm)]
    if not changes or not effect.change:
        return None
    return sign_share(changes, 1 if effect.change > 0.0 else -1, found.design.study.confidence)


def effects_elsewhere(found: StudyResults, outcome: OutcomePlan, arm: str) -> Iterator[PairedEffect]:
    """An arm's effect on an outcome in every economy of the hypercube, if it was tried there."""

    def values(runs: dict[str, Any], name: str) -> Any:
        part = runs[name].whole if outcome.agents is None else runs[name].by_type.get(outcome.agents, {})
        return part.get(outcome.metric)

    for runs in found.elsewhere:
        if arm in runs and values(runs, arm) is not None and values(runs, BASE) is not None:
            yield paired_effect(values(runs, arm), values(runs, BASE), found.design.study.confidence)
