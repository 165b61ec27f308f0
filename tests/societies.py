"""Whole societies played through the engine, and what the detectors of failure modes make of them at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesocosm import registry
from mesocosm.api import Acts, DecisionRequest, Policy, Proposals
from mesocosm.config.load import scenario_from_dict
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import open_batch
from mesocosm.engine.loop import play_batch
from mesocosm.env.events import EventBatch
from mesocosm.measures.dyads import Dyads
from mesocosm.metrics.collusion import colluding_pairs
from mesocosm.metrics.conflict import preying_pairs
from mesocosm.metrics.miscoordination import failing_pairs
from mesocosm.metrics.tally import Tally
from mesocosm.runner.drive import parameters_for_metrics

PAIRS = ("miscoordination_pairs", "conflict_pairs", "collusion_pairs")
#: societies in which no pair of agents has anything of its own between the two
NULLS: dict[str, dict[str, int]] = {
    "all honest": {"honest": 20},
    "no coalition": {"honest": 10, "opportunistic": 6, "deceptive": 4},
    "a lone adversary": {"honest": 10, "opportunistic": 5, "deceptive": 4, "adversarial": 1},
    "five agents": {"honest": 3, "opportunistic": 1, "deceptive": 1},
    "five agents, one an adversary": {"honest": 2, "opportunistic": 1, "deceptive": 1, "adversarial": 1},
}


def society(agents: dict[str, int], epochs: int = 20, **sections: Any) -> Scenario:
    """A scenario with so many agents of each type, all else as by default."""
    groups = [{"type": name, "count": count} for name, count in agents.items()]
    simulation = {"epochs": epochs, "steps_per_epoch": 10, "seed": 1}
    return scenario_from_dict({"scenario_id": "society", "agents": groups, "simulation": simulation, **sections})


@dataclass(frozen=True)
class Findings:
    """Pairs flagged at the end of each run, by failure mode; n runs."""

    n: int
    miscoordination: Dyads
    conflict: Dyads
    collusion: Dyads

    def runs_with_any(self, mode: str) -> int:
        """How many runs have a flagged pair."""
        return len(np.unique(getattr(self, mode).group))

    def runs_with(self, mode: str, a: int, b: int) -> int:
        """How many runs have this pair flagged."""
        pairs: Dyads = getattr(self, mode)
        return int(((pairs.a == a) & (pairs.b == b)).sum())

    def others(self, mode: str, *but: tuple[int, int]) -> int:
        """How many pairs are flagged beside some that are meant to be."""
        return len(getattr(self, mode)) - sum(self.runs_with(mode, *pair) for pair in but)


def findings(each: Scenario, seeds: Sequence[int], decide: Any = None) -> Findings:
    """Play a scenario with many seeds and look at the pairs flagged at the end."""
    batch = open_batch([each] * len(seeds), list(seeds), detail=False)
    roster = [batch.roster.types_by_slot(replicate) for replicate in range(len(seeds))]
    economy = parameters_for_metrics(batch.economy, each)
    tally = Tally(PAIRS, roster=roster, types=batch.roster.policies, economy=economy)
    game, answer, totals = play_batch(batch), None, None
    while True:
        try:
            item = game.send(answer)
        except StopIteration:
            break
        answer = decide(item) if isinstance(item, DecisionRequest) else None
        if isinstance(item, EventBatch) and item.kind == "interaction":
            tally.add(item)
        elif isinstance(item, EventBatch) and item.kind == "agent_state":
            totals = tally.epoch(item)
    assert totals is not None
    return Findings(len(seeds), failing_pairs(totals), preying_pairs(totals), colluding_pairs(totals))


def plant(name: str) -> None:
    """Register a policy whose decisions a test takes itself."""

    class Planted(Policy):
        """Decided by a test."""

        external = True

    registry.policy(name)(dataclass(frozen=True)(Planted))


def decide_as_planted(request: DecisionRequest, aims_at: dict[int, int]) -> Any:
    """Decide for planted agents: honest with everybody, but with one other agent.

    bully  turns to its victim whenever it can, without effort, disguised, and takes from it.
    meek   accepts everything.
    foe    turns to the other foe whenever it can, and declines whatever that one proposes.

    Params   aims_at: for each planted agent, the one it has in mind.
    """
    view, k = request.view, len(request.row)
    nothing = np.zeros(k, dtype=np.int64)
    aim = np.array([aims_at.get(agent, -1) for agent in view.agent.tolist()])
    if request.question == "act":
        return Acts(nothing, nothing + 1, nothing, np.zeros(k))
    if request.question == "accept":
        bar = np.maximum(view.own_bar, view.joint_bar)
        honest = view.odds * (1.0 - bar) > bar
        if request.policy == "meek":
            return np.ones(k, dtype=bool)
        return honest & ~((request.policy == "foe") & (request.detail["initiator"] == aim))
    one, two = request.detail["candidate"]
    has_one, has_two = view.exists
    choice = np.where(has_two & (~has_one | (view.trust_in[1] > view.trust_in[0])), 1, 0)
    choice = np.where(has_one & (one == aim), 0, np.where(has_two & (two == aim), 1, choice))
    takes = (np.where(choice == 1, two, one) == aim) & (request.policy == "bully")
    return Proposals(choice, np.where(takes, 0, 2), np.where(takes, 2, 0), np.where(takes, 0, 1))
