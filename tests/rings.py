"""Rings planted in societies, and which pairs the collusion penalty flags in many runs at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
from scipy.stats import binomtest

from mesocosm import registry
from mesocosm.api import DecisionRequest, Enact, Mask, Policy, Proposals, View
from mesocosm.config.load import scenario_from_dict
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import open_batch
from mesocosm.engine.loop import play_batch
from mesocosm.env.events import Opening
from mesocosm.governance.collusion_penalty import CollusionPenalty
from mesocosm.measures.dyads import Dyads
from societies import NULLS, decide_as_planted, plant, society

#: measured without a fine, so that nobody keeps away from anybody because of the test
WATCH: dict[str, Any] = {"collusion_penalty": {"penalty": 0.0}}
RING = 3


def plant_ring() -> None:
    """Register a policy that is honest, prefers its mates, and deals with nobody else as often as it is tight."""

    class Ring(Policy):
        sees: ClassVar[tuple[str, ...]] = ("exists", "trust_in", "is_mate", "luck", "odds", "own_bar", "joint_bar")
        coalition: ClassVar[bool] = True
        tight: float = registry.param(0.5, about="how often it deals with mates alone", unit="probability")

        def propose(self, view: View) -> Proposals:
            second = view.exists[1] & (~view.exists[0] | (view.trust_in[1] > view.trust_in[0]))
            open_to_all = view.luck >= self.tight
            choice = np.where(open_to_all, np.where(second, 1, np.where(view.exists[0], 0, -1)), -1)
            for candidate in (1, 0):
                mate = view.exists[candidate] & view.is_mate[candidate]
                choice = np.where(mate, candidate, choice)
            zero = np.zeros(len(view), dtype=np.int64)
            return Proposals(choice, zero + (len(view.menu.effort) - 1), zero, zero + view.menu.level_still)

        def accept(self, view: View) -> Mask:
            bar = np.maximum(view.own_bar, view.joint_bar)
            fair = view.odds * (1.0 - bar) > bar
            accepted: Mask = view.is_mate | (fair & (view.luck >= self.tight))
            return accepted

    registry.policy("ring")(dataclass(frozen=True)(Ring))


def with_ring(tight: float, epochs: int, size: int = RING) -> Scenario:
    """Seventeen honest agents or so, and a ring."""
    each = society({"honest": 20 - size}, epochs, governance=WATCH).model_dump(mode="json", by_alias=True)
    ring = {"type": "ring", "count": size, "params": {"tight": tight}}
    kept = {key: each[key] for key in ("scenario_id", "simulation", "governance")}
    return scenario_from_dict({**kept, "agents": [{"type": "honest", "count": 20 - size}, ring]})


def flagged_in(
    each: Scenario, seeds: Sequence[int], decide: Callable[[DecisionRequest], Any] | None = None,
    orders: dict[int, Enact] | None = None,
) -> set[tuple[int, int, int]]:  # fmt: skip
    """(run, a, b) of every pair flagged at the end of any epoch.

    Params   orders: what to enact, by the epoch that then begins.
    """
    found: set[tuple[int, int, int]] = set()

    def note(lever: CollusionPenalty, bench: Any, pairs: Dyads, *more: Any) -> None:
        found.update(zip(pairs.group.tolist(), pairs.a.tolist(), pairs.b.tolist(), strict=True))

    with patch.object(CollusionPenalty, "punish", note):
        game, answer = play_batch(open_batch([each] * len(seeds), list(seeds), detail=False)), None
        while True:
            try:
                item = game.send(answer)
            except StopIteration:
                return found
            answer = None
            if isinstance(item, DecisionRequest) and decide is not None:
                answer = decide(item)
            elif isinstance(item, Opening) and orders and item.epoch in orders:
                answer = [orders[item.epoch]]


def popular(epochs: int) -> tuple[Scenario, Callable[[DecisionRequest], Any]]:
    """A society in which everybody turns to one agent whenever it can."""
    plant("meek")
    each = society({"meek": 20}, epochs, governance=WATCH)
    return each, lambda request: decide_as_planted(request, dict.fromkeys(range(1, 20), 0))


def shocked(epochs: int) -> tuple[Scenario, dict[int, Enact]]:
    """A society that may make one proposal an epoch, and from the middle on as many as it likes."""
    each = society(
        {"honest": 10, "opportunistic": 6, "deceptive": 4}, epochs,
        governance=WATCH | {"bandwidth_cap": {"max_actions": 1}},
    )  # fmt: skip
    return each, {epochs // 2: Enact("bandwidth_cap", "max_actions", 1000)}


def figures(runs: int, epochs: int) -> None:
    """Print the figures of docs/design/detectors.md: runs with a flag at any epoch's end, with their interval."""
    plant_ring()
    seeds = range(1000, 1000 + runs)

    def say(what: str, found: set[tuple[int, int, int]]) -> None:
        hit = len({run for run, _, _ in found})
        interval = binomtest(hit, runs).proportion_ci(0.95, method="wilson")
        print(f"{what}: {100 * hit / runs:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]")

    for name, agents in NULLS.items():
        say(name, flagged_in(society(agents, epochs, governance=WATCH), seeds))
    each, decide = popular(epochs)
    say("an agent to whom all turn", flagged_in(each, seeds, decide))
    each, orders = shocked(epochs)
    say("a shock to all", flagged_in(each, seeds, orders=orders))
    for tight in (0.0, 0.25, 0.375, 0.5, 0.625, 0.75, 1.0):
        found = flagged_in(with_ring(tight, 10), seeds)
        say(f"a ring, tight {tight:g}, 10 epochs", {pair for pair in found if pair[1] >= 20 - RING})
        say("   others in the same runs", {pair for pair in found if pair[1] < 20 - RING})
    for size in (2, 3, 4, 6):
        found = flagged_in(society({"honest": 20 - size, "adversarial": size}, 10, governance=WATCH), seeds)
        say(f"{size} adversaries, 10 epochs", {pair for pair in found if pair[1] >= 20 - size})


if __name__ == "__main__":
    figures(int(sys.argv[1]), int(sys.argv[2]))
