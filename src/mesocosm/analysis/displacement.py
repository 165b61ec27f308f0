"""Where the harm went: how an arm moves bad deals from one type of agent, kind of deal or circle to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mesocosm.analysis.statistics import PairedEffect
from mesocosm.analysis.study import StudyResults
from mesocosm.config.study import BASE

TOTAL = "toxic_deals"
#: part of all bad deals -> the metric that counts it; the parts of a line add up to all of them
CHANNELS = {
    "taking credits": "toxic_extracting",
    "paying credits": "toxic_paying",
    "no transfer": "toxic_plain",
}
SIGHT = {"looking good": "toxic_hidden", "looking bad": "toxic_visible"}
CIRCLES = {"within a coalition": "toxic_among_mates", "outside": "toxic_outside"}
LINES = {"channel": CHANNELS, "by the proxy": SIGHT, "cluster": CIRCLES}
METRICS = (TOTAL, *(metric for line in LINES.values() for metric in line.values()))


@dataclass(frozen=True)
class Displacement:
    """What an arm does to one part of all bad deals, in deals an epoch."""

    setting: str
    arm: str
    line: str  # what the parts are: of an initiator's type, by channel, by the proxy, by cluster
    part: str
    effect: PairedEffect

    @property
    def moved_here(self) -> bool:
        """Whether this part clearly grew."""
        return self.effect.low > 0.0


def is_measured(found: StudyResults) -> bool:
    """Whether a study has asked for all that it takes to follow harm."""
    return set(METRICS) <= set(found.metrics)


def displacement_of(found: StudyResults, setting: str) -> Iterator[Displacement]:
    """Every arm's effect on every part of the bad deals of a setting; the parts of a line add up to their total."""
    types = sorted(found.runs[setting, BASE].by_type)
    for arm in found.design.arms:
        yield Displacement(setting, arm, "all", "all", found.effect(TOTAL, arm, setting))
        for kind in types:
            if kind in found.runs[setting, arm].by_type:
                yield Displacement(setting, arm, "initiator", kind, found.effect(TOTAL, arm, setting, kind))
        for line, parts in LINES.items():
            for part, metric in parts.items():
                yield Displacement(setting, arm, line, part, found.effect(metric, arm, setting))
