"""What does a change do? Paired runs of a scenario with and without it, beside controls, before and after agents adapt.

Example
    >>> found = compare("baseline", ["governance.random_audit.probability=0.3"], seeds=3, epochs=2)
    >>> found.effect("toxicity_true", arm="sham").change
    0.0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.aggregation import Runs, count_flags, gather, rows_by_seed, values_of
from mesocosm.analysis.statistics import (
    CONFIDENCE,
    PairedEffect,
    check_confidence,
    difference_of_effects,
    paired_effect,
)
from mesocosm.config.load import load_scenario, scenario_to_dict, with_overrides
from mesocosm.config.overrides import Overrides, paths_of, refuse_set_twice
from mesocosm.config.schema import Scenario
from mesocosm.config.study import CONTROLS
from mesocosm.config.study_schema import FIRST_REPORTING_SEED
from mesocosm.config.wording import shown_value
from mesocosm.errors import UsageError, nearest
from mesocosm.metrics.evaluate import DEFAULT_METRICS
from mesocosm.metrics.reporters import with_twins
from mesocosm.runner.inputs import Order
from mesocosm.runner.table import Share, run_all

F64 = NDArray[np.float64]
LEARNING, FROZEN = "learning", "frozen"
BASE, CHANGED = "base", "changed"
SEED_MOST = 2**63 - 1
#: what a comparison sets in every arm -> how to ask for it
SET_HERE = {"adaptation": "--adaptation (adaptations=)", "simulation.seed": "--first-seed (seeds=)"}
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


@dataclass(frozen=True, repr=False)
class Comparison:
    """A change compared with its absence over paired seeds, with controls, for learning and for frozen agents."""

    scenario: Scenario
    changes: tuple[str, ...]
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    arms: dict[tuple[str, str], Arm]  # (adaptation, name)
    confidence: float = CONFIDENCE
    since: int = 0  # the epoch from which the change holds, and from which metrics are summed up

    def __repr__(self) -> str:
        return f"Comparison({self.title}, {len(self.seeds)} paired seeds, {' and '.join(self.adaptations)} agents)"

    @property
    def adaptations(self) -> tuple[str, ...]:
        """Learning, frozen or both, in that order."""
        return tuple(kind for kind in (LEARNING, FROZEN) if (kind, BASE) in self.arms)

    def effect(
        self, metric: str, arm: str = CHANGED, adaptation: str | None = None, agent_type: str | None = None
    ) -> PairedEffect:
        """What an arm does to a metric over the whole run, against the base of the same adaptation.

        Params   metric: one of `metrics`; adaptation: learning, if both were compared and none is named; agent_type:
                 over that type's proposals and agents alone.
        Raises   UsageError for what was not compared.
        """
        treated, base = (self._values(metric, name, adaptation, agent_type) for name in (arm, BASE))
        return paired_effect(treated, base, self.confidence)

    def response(self, metric: str) -> PairedEffect:
        """How much more the change does where agents respond: its effect with learning less with frozen agents.

        Raises   UsageError unless both were compared.
        """
        if self.adaptations != (LEARNING, FROZEN):
            raise UsageError("the response of agents shows where learning and frozen ones were compared.")
        pairs = [(self._values(metric, CHANGED, kind), self._values(metric, BASE, kind)) for kind in (LEARNING, FROZEN)]
        return difference_of_effects(pairs[0], pairs[1], self.confidence)

    def divergence(self, one: str, other: str, adaptation: str | None = None) -> PairedEffect:
        """How much more the change moves one metric up than another, pair by pair."""
        pairs = [tuple(self._values(metric, name, adaptation) for name in (CHANGED, BASE)) for metric in (one, other)]
        return difference_of_effects((pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1]), self.confidence)

    def _values(self, metric: str, name: str, adaptation: str | None, agent_type: str | None = None) -> F64:
        kind = self.adaptations[0] if adaptation is None else adaptation
        if kind not in self.adaptations:
            raise UsageError(f"no agents that are {kind!r} were compared; known: {', '.join(self.adaptations)}.")
        if (kind, name) not in self.arms:
            known = dict.fromkeys(arm for _, arm in self.arms)
            raise UsageError(f"no arm {name!r} was compared; arms: {', '.join(known)}.")
        return values_of(self.arms, (kind, name), metric, agent_type)

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
    changes: str | Sequence[str],
    *,
    seeds: int | Sequence[int] = 30,
    base: str | Sequence[str] = (),
    epochs: int | None = None,
    metrics: str | Sequence[str] = (),
    adaptations: str | Sequence[str] = (LEARNING, FROZEN),
    controls: bool = True,
    confidence: float = CONFIDENCE,
    progress: Share | None = None,
) -> Comparison:
    """Compare a scenario with and without some changes over paired seeds.

    Runs with the same seed share every draw that the change does not touch, so the difference is the change's.

    Params   scenario: bundled name, path, or a loaded scenario; changes: "a.b.c=value", as after --set; seeds: how many
             from 1000 on, or which; base: changes that hold in both arms; metrics: beside the usual ones, each with its
             twin of the truth; adaptations: learning, frozen or both; controls: run sham, redraw and oracle, too;
             progress: told the share done, 0 to 1.
    Raises   ConfigError with every mistake; UsageError when nothing is changed, or nothing could be compared.
    """
    asked, held, kinds = (
        listed_words(given, what)
        for given, what in ((changes, "changes"), (base, "base"), (adaptations, "adaptations"))
    )
    _check_words(asked, held, kinds)
    check_confidence(confidence)
    length = [] if epochs is None else [f"simulation.epochs={epochs}"]
    start = _load(scenario, [*held, *length])
    arms = _scenarios(start, asked, kinds, controls)
    chosen = chosen_seeds(seeds)
    _check(start, asked, arms)
    names = compared_metrics(start, listed_words(metrics, "metrics"))
    made = run_arms(arms, chosen, names, progress)
    return Comparison(start, tuple(asked), chosen, names, made, confidence)


def listed_words(given: Any, what: str) -> list[str]:
    """One word, or several, as a list.

    Params   what: how they are called in messages.
    Raises   UsageError for anything else.
    Example
        >>> listed_words("harm_rate", "metrics")
        ['harm_rate']
    """
    words = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else None
    if words is None or isinstance(given, Mapping) or not all(isinstance(word, str) for word in words):
        raise UsageError(f"{what}: a text or a list of texts, and {shown_value(given)} is neither.")
    return words


def _check_words(changes: list[str], base: list[str], adaptations: list[str]) -> None:
    """Refuse what a comparison sets itself, and agents that there are not."""
    if not changes:
        raise UsageError("nothing to compare: give a change, as in governance.random_audit.probability=0.2.")
    refuse_set_twice(changes)
    refuse_set_twice(base, "--base")
    for path in paths_of([*changes, *base]):
        if path in SET_HERE:
            raise UsageError(f"{path}: a comparison sets this itself. Use {SET_HERE[path]} instead.")
    if not adaptations:
        raise UsageError(f"no agents to compare: name at least one of {LEARNING}, {FROZEN}.")
    for kind in adaptations:
        if kind not in (LEARNING, FROZEN):
            raise UsageError(f"unknown adaptation {kind!r}. {nearest(kind, (LEARNING, FROZEN))}")


def compared_metrics(scenario: Scenario, metrics: Sequence[str]) -> tuple[str, ...]:
    """The usual metrics, those that the scenario tracks and those asked for, each with its twin of the truth."""
    return with_twins(dict.fromkeys([*COMPARED, *scenario.metrics_to_track, *metrics, *DEFAULT_METRICS]))


def chosen_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """The seeds themselves, where a number of them stands for so many from 1000 on.

    Raises   UsageError for fewer than two, for one given twice, or that is none.
    """
    first = FIRST_REPORTING_SEED
    given: Any = seeds
    if isinstance(given, bool | str) or not isinstance(given, int | Iterable):
        raise UsageError(f"seeds: how many, or a list of them, and {shown_value(given)} is neither.")
    chosen: tuple[Any, ...] = tuple(range(first, first + given)) if isinstance(given, int) else tuple(given)
    if not all(isinstance(seed, Integral) and not isinstance(seed, bool) for seed in chosen):
        raise UsageError("seeds: every seed is a whole number.")
    if len(chosen) < 2 or len(set(chosen)) < len(chosen):
        raise UsageError("a comparison takes at least two seeds, each once: an interval needs pairs.")
    for seed in chosen:
        if not 0 <= seed <= SEED_MOST:
            raise UsageError(f"seed {seed}: a seed lies between 0 and {SEED_MOST}.")
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
    if any(one.simulation.epochs < 1 for one in arms.values()):
        raise UsageError(f"{start.scenario_id}: no epoch, nothing to compare. A run needs at least one.")
    if any(scenario_to_dict(arms[kind, CHANGED]) == scenario_to_dict(arms[kind, BASE]) for kind, _ in arms):
        raise UsageError(f"{start.scenario_id}: {', '.join(changes)} is what the scenario says already: no change.")
