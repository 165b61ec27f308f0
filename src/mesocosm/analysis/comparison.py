"""What does a change do? Paired runs of a scenario with and without it, beside controls, before and after agents adapt.

Example
    >>> found = compare("baseline", ["governance.random_audit.probability=0.3"], seeds=3, epochs=2)
    >>> found.effect("toxicity_true", arm="sham").change
    0.0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.aggregation import Runs, count_flags, gather, rows_by_seed
from mesocosm.analysis.statistics import CONFIDENCE, PairedEffect, difference_of_effects, paired_effect
from mesocosm.config.load import load_scenario, scenario_to_dict, with_overrides
from mesocosm.config.overrides import Overrides
from mesocosm.config.schema import Scenario
from mesocosm.config.study import CONTROLS
from mesocosm.config.study_schema import FIRST_REPORTING_SEED
from mesocosm.errors import UsageError
from mesocosm.metrics.evaluate import DEFAULT_METRICS
from mesocosm.metrics.reporters import with_twins
from mesocosm.runner.inputs import Order
from mesocosm.runner.table import Share, run_all

F64 = NDArray[np.float64]
LEARNING, FROZEN = "learning", "frozen"
BASE, CHANGED = "base", "changed"
#: what is compared beside what the scenario tracks
COMPARED = (
    "toxicity_rate", "harm_rate", "acceptance_rate", "social_welfare", "private_welfare", "quality_gap", "income",
)  # fmt: skip


@dataclass(frozen=True)
class Arm(Runs):
    """One society of a comparison: its runs over all seeds."""

    adaptation: str
    name: str
    scenario: Scenario


@dataclass(frozen=True)
class Comparison:
    """A change compared with its absence over paired seeds, with controls, for learning and for frozen agents."""

    scenario: Scenario
    changes: tuple[str, ...]
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    arms: dict[tuple[str, str], Arm] = field(repr=False)  # (adaptation, name)
    confidence: float = CONFIDENCE
    since: int = 0  # the epoch from which the change holds, and from which metrics are summed up

    @property
    def adaptations(self) -> tuple[str, ...]:
        """Learning, frozen or both, in that order."""
        return tuple(kind for kind in (LEARNING, FROZEN) if (kind, BASE) in self.arms)

    def effect(
        self, metric: str, arm: str = CHANGED, adaptation: str = LEARNING, agent_type: str | None = None
    ) -> PairedEffect:
        """What an arm does to a metric over the whole run, against the base of the same adaptation.

        Params   metric: one of `metrics`; agent_type: over that type's proposals and agents alone.
        """
        treated, base = (self._values(metric, name, adaptation, agent_type) for name in (arm, BASE))
        return paired_effect(treated, base, self.confidence)

    def response(self, metric: str) -> PairedEffect:
        """How much more the change does where agents respond: its effect with learning less with frozen agents."""
        pairs = [(self._values(metric, CHANGED, kind), self._values(metric, BASE, kind)) for kind in (LEARNING, FROZEN)]
        return difference_of_effects(pairs[0], pairs[1], self.confidence)

    def _values(self, metric: str, name: str, adaptation: str, agent_type: str | None = None) -> F64:
        arm = self.arms[adaptation, name]
        table = arm.whole if agent_type is None else arm.by_type[agent_type]
        if metric not in table:
            raise UsageError(f"{metric!r} was not compared; known: {', '.join(table)}.")
        return table[metric]

    @property
    def effects(self) -> Any:
        """Every effect as a Polars frame: a row for each adaptation, arm, agent type ("all" for all) and metric."""
        import polars as pl

        return pl.DataFrame(list(self.effect_rows()), infer_schema_length=None)

    def effect_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of `effects` as plain dictionaries."""
        for adaptation, name in self.arms:
            for agent_type in (None, *self.arms[adaptation, name].by_type) if name != BASE else ():
                for metric in self.metrics:
                    effect = self.effect(metric, name, adaptation, agent_type)
                    place = {"adaptation": adaptation, "arm": name, "agents": agent_type or "all", "metric": metric}
                    yield place | vars(effect)

    @property
    def per_seed(self) -> Any:
        """The value of every metric in every run as a Polars frame."""
        import polars as pl

        rows = list(rows_by_seed(self.arms, ("adaptation", "arm"), self.seeds, self.metrics))
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def flags(self) -> list[str]:
        """What to be wary of in the changed arms: each finding with the number of runs it was made in."""
        told = [f"{flag} ({kind})" for kind in self.adaptations for flag in self.arms[kind, CHANGED].flags]
        return count_flags(told, len(self.seeds))

    @property
    def title(self) -> str:
        """What is compared, in a line."""
        since = f" from epoch {self.since} on" if self.since else ""
        return f"{self.scenario.scenario_id}: {', '.join(self.changes)}{since}"


def compare(
    scenario: str | Path | Scenario,
    changes: Sequence[str],
    *,
    seeds: int | Sequence[int] = 30,
    base: Sequence[str] = (),
    epochs: int | None = None,
    metrics: Sequence[str] = (),
    adaptations: Sequence[str] = (LEARNING, FROZEN),
    controls: bool = True,
    confidence: float = CONFIDENCE,
    progress: Share | None = None,
) -> Comparison:
    """Compare a scenario with and without some changes over paired seeds.

    Runs with the same seed share every draw that the change does not touch, so the difference is the change's.

    Params   scenario: bundled name, path, or a loaded scenario; changes: "a.b.c=value", as after --set; seeds: how many
             from 1000 on, or which; base: changes that hold in both arms; metrics: beside the usual ones, each with its
             twin of the truth; controls: run sham, redraw and oracle, too; progress: told the share done, 0 to 1.
    Raises   ConfigError with every mistake; UsageError when nothing is changed.
    """
    length = [] if epochs is None else [f"simulation.epochs={epochs}"]
    start = _load(scenario, [*base, *length])
    arms = _scenarios(start, changes, adaptations, controls)
    chosen = chosen_seeds(seeds)
    _check(start, changes, arms)
    names = compared_metrics(start, metrics)
    made = run_arms(arms, chosen, names, progress)
    return Comparison(start, tuple(changes), chosen, names, made, confidence)


def compared_metrics(scenario: Scenario, metrics: Sequence[str]) -> tuple[str, ...]:
    """The usual metrics, those that the scenario tracks and those asked for, each with its twin of the truth."""
    return with_twins(dict.fromkeys([*COMPARED, *scenario.metrics_to_track, *metrics, *DEFAULT_METRICS]))


def chosen_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """The seeds themselves, where a number of them stands for so many from 1000 on.

    Raises   UsageError for fewer than two, or for one given twice.
    """
    first = FIRST_REPORTING_SEED
    chosen = tuple(range(first, first + seeds)) if isinstance(seeds, int) else tuple(seeds)
    if len(chosen) < 2 or len(set(chosen)) < len(chosen):
        raise UsageError("a comparison takes at least two seeds, each once: an interval needs pairs.")
    return chosen


def run_arms(
    arms: Mapping[tuple[str, str], Scenario],
    seeds: tuple[int, ...],
    names: tuple[str, ...],
    progress: Share | None = None,
    *,
    orders: Mapping[tuple[str, str], Sequence[Order]] | None = None,
    since: int = 0,
) -> dict[tuple[str, str], Arm]:
    """Run the scenario of every arm with every seed.

    Params   orders: what the runs of an arm are ordered to enact; since: the first epoch that metrics sum up.
    """
    wanted = [(scenario, seed) for scenario in arms.values() for seed in seeds]
    given = [(orders or {}).get(key, ()) for key in arms for _ in seeds]
    runs, n = run_all(wanted, names, progress, orders=given, since=since), len(seeds)
    return {
        key: Arm(
            **vars(gather(runs[number * n : (number + 1) * n], names, names)),
            adaptation=key[0],
            name=key[1],
            scenario=one,
        )
        for number, (key, one) in enumerate(arms.items())
    }


def _load(scenario: str | Path | Scenario, overrides: Sequence[str]) -> Scenario:
    if isinstance(scenario, Scenario):
        return with_overrides(scenario, overrides) if overrides else scenario
    return load_scenario(scenario, overrides)


def _scenarios(
    start: Scenario, changes: Sequence[str], adaptations: Sequence[str], controls: bool
) -> dict[tuple[str, str], Scenario]:
    """The scenario of every arm, by adaptation and name."""
    named: dict[str, Overrides] = {BASE: (), CHANGED: tuple(changes), **(CONTROLS if controls else {})}
    return {
        (kind, name): with_overrides(with_overrides(start, given), [f"adaptation={kind}"])
        for kind in adaptations
        for name, given in named.items()
    }


def _check(start: Scenario, changes: Sequence[str], arms: dict[tuple[str, str], Scenario]) -> None:
    if not changes:
        raise UsageError("nothing to compare: give a change, as in governance.random_audit.probability=0.2.")
    if any(scenario_to_dict(arms[kind, CHANGED]) == scenario_to_dict(arms[kind, BASE]) for kind, _ in arms):
        raise UsageError(f"{start.scenario_id}: {', '.join(changes)} is what the scenario says already: no change.")
