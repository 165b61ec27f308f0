"""Thousands of generated scenarios: what every run keeps, and what company, order and neutral levers leave alone."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_checks import check_books, check_order, check_presence
from mesocosm import registry
from mesocosm.config.load import scenario_from_dict, scenario_to_dict
from mesocosm.config.schema import Scenario
from scenario_strategy import families, lever_parameters
from trajectory import play

pytestmark = pytest.mark.deep

N_EXAMPLES = int(os.environ.get("MESOCOSM_DEEP_EXAMPLES", "3000"))


@given(families(fewest=2, most=8), st.randoms(use_true_random=False))
@settings(max_examples=N_EXAMPLES)
def test_a_shuffled_batch_with_one_replicate_twice_gives_each_what_it_gets_alone(
    family: list[Scenario], luck: Any
) -> None:
    cast = [*family, family[0]]
    luck.shuffle(cast)
    together = play(cast)
    for replicate, each in enumerate(cast):
        alone = play([each])
        assert alone.hash() == together.hash(replicate)
        events = alone.events()
        check_order(events, each.simulation.steps_per_epoch)
        check_presence(events, each)
        check_books(events, each)


@given(families(fewest=2, most=3), st.data())
@settings(max_examples=N_EXAMPLES)
def test_all_levers_at_neutral_together_leave_every_trajectory_unchanged(family: list[Scenario], data: Any) -> None:
    neutral, active = {}, {}
    for entry in registry.entries("lever"):
        given_values = data.draw(lever_parameters(entry.target))
        neutral[entry.name] = given_values if entry.name == "sham" else given_values | dict(entry.target.neutral)
        active[entry.name] = given_values
    base = scenario_to_dict(family[0])
    bare, still = (scenario_from_dict(base | {"governance": block}) for block in ({}, neutral))
    others = [scenario_from_dict(scenario_to_dict(each) | {"governance": active}) for each in family[1:]]
    assert play([bare]).hash() == play([*others, still]).hash(len(others))
