"""Replay: a log is verified by its hashes, by its metrics recomputed, and by its bytes re-simulated."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mesocosm as mc
from forged_log import Record, forge
from mesocosm.api import Enact
from mesocosm.cli.main import main
from mesocosm.config.load import bundled_scenarios
from mesocosm.errors import LogDamaged, MesocosmError, ReplayDiffers, UsageError
from mesocosm.log.integrity import verify_log
from mesocosm.runner.replay import Verification, replay

SMALL = ("simulation.epochs=3", "simulation.steps_per_epoch=3")
TINY = ("simulation.epochs=2", "simulation.steps_per_epoch=1", "feed.visible=1")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole log of level full, never changed by a test."""
    return mc.run("baseline", overrides=SMALL, output=tmp_path_factory.mktemp("small") / "run.jsonl").log_path


@pytest.mark.parametrize("name", bundled_scenarios())
@pytest.mark.parametrize("level", ["full", "columns", "epoch"])
def test_every_bundled_scenario_verifies_at_every_level(tmp_path: Path, name: str, level: str) -> None:
    made = mc.run(name, epochs=3, level=level, output=tmp_path)
    told = mc.replay(tmp_path)
    assert (told.complete, told.reason, told.epochs, told.trajectory) == (True, "completed", 3, made.trajectory)
    n_metrics = len(made.rows[0])  # epoch number included
    assert told.metrics_recomputed == (0 if level == "epoch" else 3 * n_metrics)


def test_a_verification_counts_the_lines_and_events_it_has_seen(small: Path) -> None:
    told = mc.replay(small)
    lines = small.read_bytes().splitlines()
    assert told.lines == len(lines)
    assert told.events == sum(b'"seq":' in line for line in lines)


def test_replay_reports_progress_like_the_run_it_repeats(small: Path) -> None:
    seen: list[int] = []
    replay(small, progress=lambda epoch, row: seen.append(epoch))
    assert seen == [0, 1, 2]


def is_checkpoint(record: Record, epoch: int) -> bool:
    return bool(record["kind"] == "checkpoint" and record["epoch"] == epoch)


def edit_metric(epoch: int, name: str) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        if is_checkpoint(record, epoch):
            record["totals"][name] += 1e-15

    return change


def test_a_forger_who_changes_nothing_makes_the_same_bytes(small: Path, tmp_path: Path) -> None:
    assert forge(small, tmp_path / "forged.jsonl", lambda record: None) == 0
    assert (tmp_path / "forged.jsonl").read_bytes() == small.read_bytes()


@pytest.mark.parametrize(("epoch", "metric"), [(0, "toxicity_rate"), (1, "social_welfare"), (2, "acceptance_rate")])
def test_a_forged_metric_is_caught_by_recomputation(small: Path, tmp_path: Path, epoch: int, metric: str) -> None:
    forged = tmp_path / "forged.jsonl"

    def change(record: Record) -> None:
        if is_checkpoint(record, epoch):
            record["totals"][metric] = float(np.nextafter(record["totals"][metric], 9.0))

    assert forge(small, forged, change) == 1
    assert verify_log(forged).complete, "its hashes alone do not give it away"
    with pytest.raises(ReplayDiffers) as caught:
        mc.replay(forged)
    assert (caught.value.where, caught.value.field) == (f"{forged} epoch {epoch}", metric)


def test_a_number_forged_into_an_undefined_metric_is_caught(tmp_path: Path) -> None:
    made = mc.run("baseline", overrides=["simulation.epochs=2", "simulation.steps_per_epoch=1"], output=tmp_path)
    undefined = [name for name, value in made.rows[0].items() if value != value]
    assert undefined, "choose a shorter run: something must be undefined"

    def change(record: Record) -> None:
        if is_checkpoint(record, 0):
            record["totals"][undefined[0]] = 0.0

    forge(made.log_path, tmp_path / "forged.jsonl", change)
    with pytest.raises(ReplayDiffers) as caught:
        mc.replay(tmp_path / "forged.jsonl")
    assert (caught.value.field, caught.value.expected) == (undefined[0], 0.0)


def interaction(record: Record) -> bool:
    return bool(record["kind"] == "interaction" and record["epoch"] == 1)


def changed_once(field: str, made_of: Callable[[Any], Any]) -> Callable[[Record], None]:
    """A change of one field of the first interaction of the second epoch."""
    seen: list[int] = []

    def change(record: Record) -> None:
        if interaction(record) and not seen:
            seen.append(record["seq"])
            record[field] = made_of(record[field])

    return change


@pytest.mark.parametrize(
    ("field", "made_of"),
    [
        ("trust", lambda value: value / 2),
        ("difficulty", lambda value: value + 1e-12),
        ("discovered", lambda value: not value),
    ],
)
def test_a_forged_interaction_is_caught_by_re_simulation(
    small: Path, tmp_path: Path, field: str, made_of: Callable[[Any], Any]
) -> None:
    forged = tmp_path / "forged.jsonl"
    assert forge(small, forged, changed_once(field, made_of)) == 1
    assert verify_log(forged).complete
    with pytest.raises(ReplayDiffers, match=rf"event \d+ \(interaction, epoch 1, step 3, turn 0\): {field} differs"):
        mc.replay(forged)


def mended(metric: str, value: object) -> Callable[[Record], None]:
    """A change of one metric of the second epoch."""

    def change(record: Record) -> None:
        if is_checkpoint(record, 1):
            record["totals"][metric] = value

    return change


def test_an_interaction_forged_together_with_its_metrics_is_still_caught(small: Path, tmp_path: Path) -> None:
    """The most careful forger mends every metric that recomputation complains of; then re-simulation is left."""
    forged, better = tmp_path / "forged.jsonl", tmp_path / "better.jsonl"
    forge(small, forged, changed_once("p", lambda value: value / 2))
    complaints: list[str] = []
    while True:
        with pytest.raises(ReplayDiffers) as caught:
            mc.replay(forged)
        if " (interaction," in caught.value.where:
            break
        assert caught.value.where == f"{forged} epoch 1"
        assert caught.value.field not in complaints
        complaints.append(caught.value.field)
        forge(forged, better, mended(caught.value.field, caught.value.found))
        better.replace(forged)
    assert "toxicity_rate" in complaints
    assert caught.value.field == "p"


RUBBISH: list[tuple[str, Callable[[Record], Any]]] = [
    ("text for a number", lambda record: interaction(record) and record.update(p="high")),
    ("an agent that is not there", lambda record: interaction(record) and record.update(initiator=10**6)),
    ("an agent below the first", lambda record: interaction(record) and record.update(initiator=-(10**6))),
    ("a number beyond 64 bits", lambda record: interaction(record) and record.update(rework=10**30)),
    ("a missing field", lambda record: interaction(record) and record.pop("v")),
    ("an unknown metric", lambda record: record["kind"] == "checkpoint" and record["totals"].update(mirth=1.0)),
    ("a missing metric", lambda record: record["kind"] == "checkpoint" and record["totals"].pop("spread")),
    ("text for a metric", lambda record: record["kind"] == "checkpoint" and record["totals"].update(spread="wide")),
    ("no epoch", lambda record: record["kind"] == "agent_state" and record.update(epoch=7)),
    ("a state nobody was in", lambda record: record["kind"] == "checkpoint" and record.update(state="00" * 32)),
    ("another end", lambda record: record["kind"] == "simulation_ended" and record.update(reason="bored")),
]


@pytest.mark.parametrize("change", [change for _, change in RUBBISH], ids=[name for name, _ in RUBBISH])
def test_records_that_no_run_writes_are_named_without_a_traceback(
    small: Path, tmp_path: Path, change: Callable[[Record], Any]
) -> None:
    forged = tmp_path / "forged.jsonl"
    assert forge(small, forged, change) > 0
    with pytest.raises((ReplayDiffers, LogDamaged)):
        mc.replay(forged)


@pytest.mark.parametrize("answer", ['["kill"', "[]", '["transaction_tax", "rate"]', '{"rate": 1}', "[" * 10_000, "7"])
def test_an_order_that_makes_no_sense_is_damage(tmp_path: Path, answer: str) -> None:
    order = (1, 3, 0, Enact("transaction_tax", "rate", 0.2))
    taxed = [*SMALL, "governance.transaction_tax.rate=0.1"]
    made = mc.run("baseline", overrides=taxed, output=tmp_path, orders=[order])

    def change(record: Record) -> None:
        if record["kind"] == "input":
            record["answer"] = answer

    assert forge(made.log_path, tmp_path / "forged.jsonl", change) == 1
    with pytest.raises(LogDamaged, match="the order to enact in epoch 1, step 3, turn 0 makes no sense"):
        mc.replay(tmp_path / "forged.jsonl")


def test_a_seed_forged_into_the_header_is_caught(small: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.jsonl"
    assert forge(small, forged, lambda record: record["kind"] == "header" and record.update(seed=43)) == 1
    with pytest.raises(ReplayDiffers, match="seed differs"):
        mc.replay(forged)


def test_a_log_of_level_epoch_is_verified_by_re_simulation(tmp_path: Path) -> None:
    made = mc.run("baseline", overrides=SMALL, output=tmp_path / "run.jsonl", level="epoch")
    forged = tmp_path / "forged.jsonl"
    assert forge(made.log_path, forged, edit_metric(1, "toxicity_true")) == 1
    assert verify_log(forged).complete
    with pytest.raises(ReplayDiffers, match=r"checkpoint of epoch 1: totals.toxicity_true differs"):
        mc.replay(forged)


def test_every_flipped_byte_of_a_log_is_detected(tmp_path: Path) -> None:
    path = mc.run("baseline", overrides=TINY, output=tmp_path / "run.jsonl", level="epoch").log_path
    whole = path.read_bytes()
    assert mc.replay(path).complete
    luck = np.random.default_rng(11)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(luck.integers(8))
        path.write_bytes(changed)
        with pytest.raises(LogDamaged) as damage:
            mc.replay(path)
        assert damage.value.line == whole[:place].count(b"\n") + 1


def test_flipped_bytes_of_a_log_with_every_event_are_detected_and_located(small: Path, tmp_path: Path) -> None:
    whole = small.read_bytes()
    path = tmp_path / "run.jsonl"
    luck = np.random.default_rng(12)
    for place in luck.choice(len(whole), 500, replace=False).tolist():
        changed = bytearray(whole)
        changed[place] ^= 1 << int(luck.integers(8))
        path.write_bytes(changed)
        with pytest.raises(LogDamaged) as damage:
            mc.replay(path)
        assert damage.value.line == whole[:place].count(b"\n") + 1


def test_a_log_of_another_model_keeps_its_hashes_but_is_not_re_simulated(small: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    forge(small, other, lambda record: record["kind"] == "header" and record.update(model="mesocosm-0"))
    with pytest.raises(UsageError, match="'mesocosm-0', and this is 'mesocosm-4': its hashes can be verified"):
        mc.replay(other)
    assert mc.replay(other, verify=False).complete


@pytest.fixture(params=["full", "columns"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A log that an earlier model wrote, whose interactions and states of agents have fewer fields than now."""
    with zipfile.ZipFile(Path(__file__).parent / "fixtures" / "logs_of_model_1.zip") as packed:
        packed.extractall(tmp_path)
    return tmp_path / str(request.param)


def test_an_intact_log_of_an_earlier_model_has_its_hashes_verified(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(old)]) == 0
    assert "hashes verified" in capsys.readouterr().out
    assert verify_log(old).counts["interaction"] == 2
    with pytest.raises(UsageError, match=r"'mesocosm-1', and this is 'mesocosm-[0-9]+': its hashes can be verified"):
        mc.replay(old)


def test_a_log_of_an_earlier_model_is_read_as_far_as_it_goes(old: Path) -> None:
    made = mc.load_run(old)
    assert len(made.rows) == 1
    for kind, missing in {"interaction": "leniency", "agent_state": "deals"}.items():
        with pytest.raises(UsageError, match=rf"(?s)its {kind} events cannot be read here.*{missing}.*'mesocosm-1'"):
            made.events(kind)
    with pytest.raises(UsageError, match="events cannot be read here"):
        list(made.log.stream())
    assert made.log.columns("interaction", ["v", "p"])["v"].tolist() == [1, -1]
    assert len(made.log.columns("fired")["seq"]) == 0
    assert "header" in {record["kind"] for record in made.log.records()}


def test_a_changed_shard_of_an_earlier_model_is_still_found(old: Path) -> None:
    for shard in sorted(old.rglob("*.parquet")) or [old / "events.jsonl"]:
        data = shard.read_bytes()
        shard.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
        with pytest.raises(LogDamaged):
            verify_log(old)
        shard.write_bytes(data)


def test_without_verify_only_the_hashes_are_checked(small: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.jsonl"
    forge(small, forged, edit_metric(1, "toxicity_true"))
    told = mc.replay(forged, verify=False)
    assert (told.complete, told.metrics_recomputed) == (True, 0)
    assert told.trajectory == verify_log(small).trajectory, "metrics are outside the trajectory"


@pytest.mark.parametrize("level", ["full", "columns", "epoch"])
def test_a_cut_log_is_verified_up_to_the_cut(tmp_path: Path, level: str) -> None:
    whole = mc.run("baseline", overrides=SMALL, output=tmp_path / "run", level=level).log_path.read_bytes()
    path = tmp_path / "run" / "events.jsonl"
    last = whole.rindex(b'{"kind":"checkpoint"')
    path.write_bytes(whole[: last + 40])
    told = mc.replay(tmp_path / "run")
    assert (told.complete, told.epochs, told.reason) == (False, 2, "the last line is cut")
    assert told.trajectory != ""


def test_a_cut_log_with_a_forged_event_is_caught(small: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.jsonl"
    forge(small, forged, changed_once("trust", lambda value: value / 2))
    forged.write_bytes(forged.read_bytes()[:-10])
    with pytest.raises(ReplayDiffers, match="trust differs"):
        mc.replay(forged)


def test_a_log_without_any_event_but_its_header_is_verified_up_to_there(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(small.read_bytes().split(b"\n")[0] + b"\n")
    told = mc.replay(path)
    assert (told.complete, told.lines, told.epochs, told.metrics_recomputed) == (False, 1, 0, 0)


def test_a_moved_run_directory_verifies_where_it_lies(tmp_path: Path) -> None:
    first = mc.run("baseline", overrides=SMALL, output=tmp_path / "here", level="columns")
    shutil.move(tmp_path / "here", tmp_path / "there")
    told: Verification = mc.replay(tmp_path / "there")
    assert told.complete and told.trajectory == first.trajectory


def test_a_changed_shard_is_caught(tmp_path: Path) -> None:
    mc.run("baseline", overrides=SMALL, output=tmp_path, level="columns")
    shard = min((tmp_path / "shards").glob("*interaction*"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(LogDamaged, match=shard.name):
        mc.replay(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "no/such/path.jsonl", "x" * 5000, "a\x00b", ""])
def test_a_run_that_is_not_there_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MesocosmError):
        mc.replay(name)
