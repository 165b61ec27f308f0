"""Parameters of a batch as columns: one number where all replicates agree, else one per replicate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.config.schema import Scenario
from mesocosm.errors import UsageError, check

SECTIONS = (
    "environment", "payoff", "conduct", "proxy", "trust", "reputation", "adaptive", "feed", "tasks", "safety", "market",
)  # fmt: skip
STRUCTURAL = ("capacity", "slots", "visible", "bidders", "board_size")  # they decide shapes: see Structure
ACCEPTANCE = ("policy", "joint", "consent", "all")


class Columns:
    """Named parameters; each is a number, or a column indexed by replicate (or, once bound, by row).

    Code that uses them reads as if written for one row: ``rule.theta * surplus``.
    """

    def __init__(self, value: Mapping[str, Any]) -> None:
        self.__dict__.update(value)
        self.__dict__["_varies"] = any(isinstance(entry, np.ndarray) for entry in value.values())

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no parameter {name!r} here; known: {', '.join(sorted(self.__dict__))}")

    def at(self, index: NDArray[np.integer[Any]]) -> Columns:
        """The same parameters, aligned with rows whose replicate is given."""
        if not self._varies:
            return self
        return Columns({name: take(value, index) for name, value in self.__dict__.items() if name != "_varies"})

    def plus(self, addition: Mapping[str, Any]) -> Columns:
        """The same parameters with something added to some; itself where nothing is."""
        if not any(np.any(amount) for amount in addition.values()):
            return self
        value = {name: entry for name, entry in self.__dict__.items() if name != "_varies"}
        return Columns(value | {name: value[name] + amount for name, amount in addition.items()})


def take(value: Any, index: NDArray[np.integer[Any]]) -> Any:
    """Align one parameter with rows: a number stays as it is, a column is gathered."""
    return value[index] if isinstance(value, np.ndarray) else value


def column(values: Sequence[Any]) -> Any:
    """One parameter over the replicates of a batch: a plain number if all agree.

    Example
        >>> column([1.0, 1.0]), column([1.0, 2.0])
        (1.0, array([1., 2.]))
    """
    first = values[0]
    if all(value == first for value in values):
        return first
    return np.array(values)


@dataclass(frozen=True)
class Structure:
    """What all replicates of one batch must share, because it decides shapes or the order of play."""

    epochs: int
    steps_per_epoch: int
    turns: str
    order: str
    feed: bool
    tasks: bool
    proposals: bool
    market: bool
    effort_menu: tuple[float, ...]
    disguise_menu: tuple[float, ...]
    transfer_menu: tuple[float, ...]
    memory_slots: int
    feed_capacity: int
    feed_visible: int
    task_capacity: int
    board_size: int
    bidders: int
    noise: str
    calibration: str
    decision_replays: int


def structure_of(scenario: Scenario) -> Structure:
    """The structural part of a scenario; scenarios with equal structure can run in one batch."""
    simulation, conduct = scenario.simulation, scenario.conduct
    return Structure(
        epochs=simulation.epochs,
        steps_per_epoch=simulation.steps_per_epoch,
        turns=simulation.turns,
        order=simulation.order,
        feed=simulation.phases.feed,
        tasks=simulation.phases.tasks,
        proposals=simulation.phases.proposals,
        market=simulation.phases.market,
        effort_menu=tuple(float(x) for x in conduct.effort_menu),
        disguise_menu=tuple(float(x) for x in conduct.disguise_menu),
        transfer_menu=tuple(float(x) for x in conduct.transfer_menu),
        memory_slots=scenario.trust.slots,
        feed_capacity=scenario.feed.capacity,
        feed_visible=scenario.feed.visible,
        task_capacity=scenario.tasks.capacity,
        board_size=scenario.market.board_size,
        bidders=scenario.market.bidders,
        noise=scenario.proxy.noise,
        calibration=scenario.proxy.calibration,
        decision_replays=simulation.decision_replays,
    )


def economy_of(scenarios: Sequence[Scenario]) -> Columns:
    """Flatten the numeric sections of many scenarios into one set of parameter columns.

    Raises   UsageError when the scenarios differ in structure and so cannot share a table.
    """
    structure = structure_of(scenarios[0])
    if any(structure_of(scenario) != structure for scenario in scenarios[1:]):
        raise UsageError(
            "these scenarios differ in turns, menus, phases, traces or capacities; run them as separate batches."
        )
    value: dict[str, Any] = {}
    for section in SECTIONS:
        models = [getattr(scenario, section) for scenario in scenarios]
        for name in type(models[0]).model_fields:
            entries = [getattr(model, name) for model in models]
            if name not in STRUCTURAL and isinstance(entries[0], bool | int | float):
                check(name not in value, "parameter names are unique across sections", name=name, section=section)
                value[name] = column([float(entry) for entry in entries])
    for name in ("progress", "rework", "rejection_misuse", "engagement"):
        value[f"weight_{name}"] = column([_share(scenario, name) for scenario in scenarios])
    value["belief_is_public"] = column([scenario.adaptive.belief == "public" for scenario in scenarios])
    value["settle_on_outcome"] = column([float(scenario.payoff.settle_on == "outcome") for scenario in scenarios])
    value["second_price"] = column([float(scenario.market.auction == "second_price") for scenario in scenarios])
    value["on_submission"] = column([float(scenario.market.condition == "on_submission") for scenario in scenarios])
    value["acceptance"] = column([ACCEPTANCE.index(scenario.acceptance) for scenario in scenarios])
    return Columns(value)


def _share(scenario: Scenario, name: str) -> float:
    weights = scenario.proxy.weights
    total = weights.progress + weights.rework + weights.rejection_misuse + weights.engagement
    return float(getattr(weights, name) / total)
