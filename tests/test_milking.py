"""What learners make of standing that is about to fade, and of proposals that are scarce."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mesocosm.governance.bandwidth_cap import BandwidthCap
from trajectory import Event, play, scenario

SEEDS = range(10)
#: learners used to deals worth a credit, so that they have something to wait for
SPOILT = {"adaptive": {"payoff_start": 1.0}}


def proposals(adaptation: str, epochs: int = 1, n: int = 40, **sections: Any) -> list[Event]:
    """What opportunistic agents propose to each other, over some seeds."""
    simulation = {"epochs": epochs, "steps_per_epoch": 10}
    each = scenario({"opportunistic": n}, adaptation=adaptation, simulation=simulation, **sections)
    played = play([each] * len(SEEDS), SEEDS)
    return [deal | {"seed": seed} for seed in SEEDS for deal in played.events("interaction", replicate=seed)]


def effort_at(deals: list[Event], first: int, last: int) -> float:
    """Mean effort in some steps of the epoch."""
    return float(np.mean([deal["effort"] for deal in deals if first <= deal["step"] % 10 <= last]))


def fading(decay: float) -> dict[str, Any]:
    return {"governance": {"reputation_decay": {"decay": decay}}}


def capped(most: int) -> dict[str, Any]:
    return {"governance": {"bandwidth_cap": {"max_actions": most}}, **SPOILT}


def test_learners_work_less_late_in_an_epoch_at_the_end_of_which_standing_fades() -> None:
    free, milked = proposals("learning"), proposals("learning", **fading(0.2))
    assert effort_at(milked, 7, 9) < effort_at(free, 7, 9) - 0.02
    assert effort_at(milked, 0, 0) == effort_at(free, 0, 0), "at the start nothing is about to fade"
    lost = [effort_at(free, step, step + 2) - effort_at(milked, step, step + 2) for step in (0, 3, 7)]
    assert lost == sorted(lost)


def test_the_milking_comes_back_with_every_epoch_and_is_worse_the_more_fades() -> None:
    runs = [proposals("learning", epochs=2, **fading(decay)) for decay in (1.0, 0.5, 0.0)]
    for epoch in range(2):
        none, half, whole = (effort_at([deal for deal in run if deal["epoch"] == epoch], 7, 9) for run in runs)
        assert none > half > whole


def test_frozen_agents_do_not_milk() -> None:
    assert proposals("frozen", n=12) == proposals("frozen", n=12, **fading(0.2))


def test_learners_become_choosier_where_proposals_are_scarce_and_frozen_ones_do_not() -> None:
    def first(adaptation: str, most: int) -> dict[tuple[int, int], Any]:
        deals = [deal for deal in proposals(adaptation, n=12, **capped(most)) if (deal["step"], deal["turn"]) == (0, 0)]
        names = ("counterparty", "effort", "disguise", "tau")
        return {(deal["seed"], deal["initiator"]): [deal[name] for name in names] for deal in deals}

    free, scarce, scarcer = (first("learning", most) for most in (10, 5, 3))
    assert free == first("learning", 1_000_000_000), "one for every step is enough"
    assert set(scarcer) < set(scarce) < set(free)
    assert all(free[key] == choice for key, choice in scarce.items()), "what is still proposed is proposed as before"
    assert first("frozen", 1) == first("frozen", 1_000_000_000)


def test_scarce_proposals_are_kept_for_the_cheaper_tasks_and_used_up_all_the_same() -> None:
    kept, hurried = (proposals(adaptation, n=12, **capped(3)) for adaptation in ("learning", "frozen"))
    cheap, any_task = (np.mean([deal["difficulty"] for deal in deals]) for deals in (kept, hurried))
    assert cheap < any_task - 0.1
    assert len(kept) > 0.95 * len(hurried)
    assert np.mean([deal["step"] for deal in kept]) > np.mean([deal["step"] for deal in hurried]) + 2.0


@pytest.mark.parametrize("steps", [1, 3, 7, 10, 49])
def test_a_cap_that_leaves_a_proposal_for_every_step_has_no_price_at_all(steps: int) -> None:
    done = np.arange(steps)
    bench: Any = SimpleNamespace(proposed=done)
    ahead: Any = SimpleNamespace(leaves=done / steps, steps_per_epoch=steps, row_a=done, payoff=np.ones(steps))
    assert BandwidthCap(max_actions=steps).foresee(bench, ahead).forgone.tolist() == [0.0] * steps
    scarce = BandwidthCap(max_actions=steps - 1).foresee(bench, ahead).forgone
    assert scarce.tolist() == pytest.approx([1.0 / (steps - k) for k in range(steps)])
