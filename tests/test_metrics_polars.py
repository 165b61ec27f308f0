"""Every metric recomputed from events.jsonl alone by an independent implementation, to the last digits."""

from __future__ import annotations

import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from mesocosm import registry
from mesocosm.config.load import load_scenario, with_overrides
from mesocosm.config.schema import Scenario
from mesocosm.engine.loop import play_batch
from mesocosm.env.events import EventBatch
from mesocosm.log.files import events_path
from mesocosm.log.read import read_log
from mesocosm.log.write import LogSet, LogWriter
from mesocosm.metrics.tally import TALLIED
from mesocosm.runner import drive as driving
from mesocosm.runner.drive import Outcome, Plan, drive
from mesocosm.runner.projections import account_of
from mesocosm.runner.runner import header_of
from polars_metrics import Recomputed, recompute
from scenario_strategy import effort, scenarios
from trajectory import scenario

METRICS = registry.names("metric")


def with_replays(batch: Any, extra: Any = ()) -> Generator[Any, Any, str]:
    """The play of a batch in which some decisions are taken again, with made-up answers."""
    game, answer = play_batch(batch, extra), None
    while True:
        try:
            item = game.send(answer)
        except StopIteration as stop:
            return str(stop.value)
        answer = yield item
        if isinstance(item, EventBatch) and item.kind == "interaction" and batch.detail:
            yield replayed(item)


def replayed(deals: EventBatch) -> EventBatch:
    """Every third proposal answered a few times more."""
    rows = np.flatnonzero(deals.seq % 3 == 0)
    of = 2 + deals.seq[rows] % 4
    column = {"agent": deals.column["counterparty"][rows], "interaction": deals.seq[rows], "of": of}
    column |= {"yes": (deals.seq[rows] * 7) % (of + 1), "v": deals.column["v"][rows]}
    place = deals.epoch, deals.step, deals.turn
    return EventBatch("replayed", *place, deals.replicate[rows], deals.seq[rows], column)


def driven(each: Scenario, place: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Drive a scenario into a full log with every metric, and some decisions replayed."""
    seed = each.simulation.seed
    full = with_overrides(each, ["log.level=full"])
    with monkeypatch.context() as patch:
        patch.setattr(driving, "play_batch", with_replays)
        with LogSet([LogWriter(place, header_of(full, seed, tuple(METRICS)))]) as logs:
            return drive(Plan([full], [seed], "full", names=tuple(METRICS), by_type=True), logs)


def assert_agree(found: dict[str, Any], expected: dict[str, float], where: str) -> None:
    numbers = {name: value for name, value in found.items() if name not in ("epoch", "type")}
    assert set(expected) == set(numbers) == set(METRICS), "a metric that the other implementation does not know"
    slope = expected["calibration_slope"]
    for name, value in expected.items():
        told = f"{where} {name}: {numbers[name]!r} here, {value!r} there"
        near = 1e-12
        if name.startswith("calibration_") and not math.isnan(slope):
            near = max(near, 1e-13 * slope * slope)  # where all p are nearly alike, log odds have few digits left
        assert numbers[name] == pytest.approx(value, rel=1e-12, abs=near, nan_ok=True), told


def compare(each: Scenario, place: Path, monkeypatch: pytest.MonkeyPatch) -> Recomputed:
    outcome = driven(each, place, monkeypatch)
    again = recompute(events_path(place))
    assert len(again.epochs) == len(outcome.rows[0])
    for row, expected in zip(outcome.rows[0], again.epochs, strict=True):
        assert_agree(row, expected, f"epoch {row['epoch']}")
    tables = read_log(place).tables([*TALLIED, "agent_state"])
    account = account_of(tables, each, METRICS, METRICS)
    for row in account.types:
        assert_agree(row, again.epochs_by_type[row["epoch"]][row["type"]], f"epoch {row['epoch']}, {row['type']}")
    if again.epochs:
        assert_agree(outcome.whole[0], again.whole, "whole run")
        assert_agree(account.whole, again.whole, "whole run, from the log")
        for agent_type, expected in again.whole_by_type.items():
            assert_agree(outcome.whole_by_type[0][agent_type], expected, f"whole run, {agent_type}")
            assert_agree(account.by_type[agent_type], expected, f"whole run, {agent_type}, from the log")
    return again


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("baseline", ["simulation.epochs=3"]),
        ("adversarial_attack", ["simulation.epochs=5", "governance.random_audit.probability=0.2"]),
        ("status_game", ["simulation.epochs=4", "payoff.w_rep=0.5", "payoff.settle_on=outcome"]),
        ("marketplace", ["simulation.epochs=3"]),
        ("baseline", ["simulation.epochs=4", "population.turnover=0.3", "population.capacity=9", "payoff.rho_a=0.4"]),
    ],
)
def test_another_implementation_finds_the_same_in_bundled_scenarios(
    name: str, overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = compare(load_scenario(name, overrides), tmp_path, monkeypatch)
    assert not math.isnan(again.whole["incoherence"])
    assert again.whole["conflict_loss"] > 0


def test_the_comparison_is_made_where_pairs_are_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = {"epochs": 12, "steps_per_epoch": 10}
    again = compare(scenario({"honest": 10, "adversarial": 2}, simulation=long), tmp_path, monkeypatch)
    assert again.whole["collusion_pairs"] == 1
    assert again.whole["collusion_loss"] > 0
    assert again.whole_by_type["adversarial"]["collusion_pairs"] == 1


@given(each=scenarios())
@settings(parent=effort(12, 400), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_another_implementation_finds_the_same_in_drawn_scenarios(
    each: Scenario, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(each, tmp_path_factory.mktemp("drawn"), monkeypatch)
