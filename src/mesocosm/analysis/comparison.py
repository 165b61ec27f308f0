"""What does a change do? Paired runs of a scenario with and without it, beside controls, before and after agents adapt.

Example
    >>> found = compare("baseline", ["governance.random_audit.probability=0.3"], seeds=3, epochs=2)
    >>> found.effect("toxicity_true", arm="sham").change
    0.0
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.statistics import CONFIDENCE, PairedEffect, difference_of_effects, paired_effect
from mesocosm.api import Enact
from mesocosm.config.load import load_scenario, scenario_to_dict, with_overrides
from mesocosm.config.schema import Scenario
from mesocosm.env.economy import structure_of
from mesocosm.errors import UsageError
from mesocosm.metrics.evaluate import DEFAULT_METRICS
from mesocosm.metrics.reporters import with_twins
from mesocosm.runner.agents_driver import AgentsDriver
from mesocosm.runner.drive import Plan, drive, scheduled
from mesocosm.runner.inputs import Order, levers_of

F64 = NDArray[np.float64]
Share = Callable[[float], None]
FIRST_SEED = 1000  # seeds below are for tuning, from here on for reporting
BLOCK_ROWS = 24_000
LEARNING, FROZEN = "learning", "frozen"
BASE, CHANGED = "base", "changed"
_EPOCH = re.compile(r" in epoch \d+")
#: beside the change itself: what must do nothing, what must do nothing but luck, and what no lever can better
CONTROLS = {
    "sham": ("governance.sham.rate=0.2",),
    "redraw": ("governance.redraw.stream=1",),
    "oracle": ("governance.oracle.reach=1.0",),
}
#: what is compared beside what the scenario tracks
COMPARED = (
    "toxicity_rate", "harm_rate", "acceptance_rate", "social_welfare", "private_welfare", "quality_gap", "income",
)  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """One society of a comparison: its runs over all seeds.

    Shapes   n = seeds, E = epochs. `whole` has each metric over the whole run (n,), `by_type` the same for each agent
             type, `epochs` each metric per epoch (n, E).
    """

    name: str
    adaptation: str
    scenario: Scenario
    whole: dict[str, F64]
    by_type: dict[str, dict[str, F64]]
    epochs: dict[str, F64]
    flags: list[str]


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

        rows = [
            {"adaptation": adaptation, "arm": name, "seed": seed}
            | {metric: float(arm.whole[metric][number]) for metric in self.metrics}
            for (adaptation, name), arm in self.arms.items()
            for number, seed in enumerate(self.seeds)
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def flags(self) -> list[str]:
        """What to be wary of in the changed arms: each finding with the number of runs it was made in."""
        found: dict[str, int] = {}
        for adaptation in self.adaptations:
            for flag in self.arms[adaptation, CHANGED].flags:
                text = f"{flag} ({adaptation})"
                found[text] = found.get(text, 0) + 1
        n = len(self.seeds)
        return [f"{text} in {count} of {n} runs" for text, count in found.items()]

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
    chosen = tuple(range(FIRST_SEED, FIRST_SEED + seeds)) if isinstance(seeds, int) else tuple(seeds)
    length = [] if epochs is None else [f"simulation.epochs={epochs}"]
    start = _load(scenario, [*base, *length])
    arms = _scenarios(start, changes, adaptations, controls)
    check_seeds(chosen)
    _check(start, changes, arms)
    names = compared_metrics(start, metrics)
    made = run_arms(arms, chosen, names, progress)
    return Comparison(start, tuple(changes), chosen, names, made, confidence)


def compared_metrics(scenario: Scenario, metrics: Sequence[str]) -> tuple[str, ...]:
    """The usual metrics, those that the scenario tracks and those asked for, each with its twin of the truth."""
    return with_twins(dict.fromkeys([*COMPARED, *scenario.metrics_to_track, *metrics, *DEFAULT_METRICS]))


def check_seeds(seeds: tuple[int, ...]) -> None:
    """Refuse seeds that make no pairs.

    Raises   UsageError for fewer than two, or for one given twice.
    """
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise UsageError("a comparison takes at least two seeds, each once: an interval needs pairs.")


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
    runs, n = _run(wanted, names, progress, given, since), len(seeds)
    return {
        key: _arm(key[1], key[0], one, runs[number * n : (number + 1) * n], names)
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
    arms: dict[tuple[str, str], Sequence[str]] = {(BASE, ""): ()}
    named = {BASE: (), CHANGED: tuple(changes)} | (CONTROLS if controls else {})
    arms = {(kind, name): [*given, f"adaptation={kind}"] for kind in adaptations for name, given in named.items()}
    return {key: with_overrides(start, given) for key, given in arms.items()}


def _check(start: Scenario, changes: Sequence[str], arms: dict[tuple[str, str], Scenario]) -> None:
    if not changes:
        raise UsageError("nothing to compare: give a change, as in governance.random_audit.probability=0.2.")
    if any(scenario_to_dict(arms[kind, CHANGED]) == scenario_to_dict(arms[kind, BASE]) for kind, _ in arms):
        raise UsageError(f"{start.scenario_id}: {', '.join(changes)} is what the scenario says already: no change.")


def _run(
    wanted: Sequence[tuple[Scenario, int]],
    names: tuple[str, ...],
    progress: Share | None,
    orders: Sequence[Sequence[Order]],
    since: int,
) -> list[dict[str, Any]]:
    """Run every scenario with its seed and orders, together in tables of some thousand rows.

    Returns  for each in turn: whole, by_type, rows and flags of that run.
    """
    results: list[dict[str, Any]] = [{} for _ in wanted]
    blocks = list(_blocks([scenario for scenario, _ in wanted]))
    total = sum(len(block) * wanted[block[0]][0].simulation.epochs for block in blocks) or 1
    done = 0
    for block in blocks:
        cast, luck = [wanted[place][0] for place in block], [wanted[place][1] for place in block]

        def tell(epoch: int, row: dict[str, Any], size: int = len(block), before: int = done) -> None:
            if progress is not None:
                progress((before + size * (epoch + 1)) / total)

        given = [order for number, place in enumerate(block) for order in _for_replicate(orders[place], number)]
        plan = Plan(cast, luck, "epoch", levers_of(given), names, by_type=True, since=since)
        outcome = drive(plan, None, decider=AgentsDriver(cast), orders=scheduled(given), progress=tell)
        done += len(block) * cast[0].simulation.epochs
        for number, place in enumerate(block):
            results[place] = {
                "whole": outcome.whole[number],
                "by_type": outcome.whole_by_type[number],
                "rows": outcome.rows[number],
                "flags": list(dict.fromkeys(outcome.flags[number])),
            }
    return results


def _for_replicate(orders: Sequence[Order], replicate: int) -> Iterator[Order]:
    """Orders to enact for one run of a table."""
    for *moment, order in orders:
        if isinstance(order, Enact):
            yield (moment[0], moment[1], moment[2], replace(order, replicate=replicate))


def _blocks(scenarios: Sequence[Scenario]) -> Iterator[list[int]]:
    """Places of the runs that can share a table: equal in structure, and not too many rows together."""
    groups: dict[Any, list[int]] = {}
    for place, scenario in enumerate(scenarios):
        groups.setdefault(structure_of(scenario), []).append(place)
    for places in groups.values():
        block: list[int] = []
        rows = 0
        for place in places:
            size = scenarios[place].agents_max
            if block and rows + size > BLOCK_ROWS:
                yield block
                block, rows = [], 0
            block.append(place)
            rows += size
        yield block


def _arm(name: str, adaptation: str, scenario: Scenario, runs: list[dict[str, Any]], names: tuple[str, ...]) -> Arm:
    """Put the runs of one arm together."""
    types = sorted({kind for run in runs for kind in run["by_type"]})
    whole = {metric: np.array([run["whole"][metric] for run in runs]) for metric in names}
    nothing = dict.fromkeys(names, float("nan"))
    by_type = {
        kind: {metric: np.array([run["by_type"].get(kind, nothing)[metric] for run in runs]) for metric in names}
        for kind in types
    }
    epochs = {metric: np.array([[row[metric] for row in run["rows"]] for run in runs]) for metric in names}
    flags = [
        flag for run in runs for flag in dict.fromkeys(_EPOCH.sub(" in some epoch", told) for told in run["flags"])
    ]
    return Arm(name, adaptation, scenario, whole, by_type, epochs, flags)
