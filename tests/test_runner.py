"""Running: what a run leaves behind, what a person can order while it goes, and how it is found again."""

from __future__ import annotations

import json
import math
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import mesocosm as mc
from mesocosm.api import Control, Enact, Kill
from mesocosm.config.load import load_scenario
from mesocosm.errors import ConfigError, LogDamaged, MesocosmError, UsageError
from mesocosm.log.integrity import verify_log
from mesocosm.metrics.evaluate import DEFAULT_METRICS
from mesocosm.runner import directory
from mesocosm.runner.inputs import orders_of
from mesocosm.runner.replay import compare_metrics
from mesocosm.runner.runner import Run, load_run, resume, run, run_batch

SMALL = ("simulation.epochs=3", "simulation.steps_per_epoch=3")
TAXED = (*SMALL, "governance.transaction_tax.rate=0.0")
LEVELS = ("full", "columns", "epoch")
Order = tuple[int, int, int, Control]


def small(output: Path | str | None = None, *overrides: str, **options: Any) -> Run:
    """A short run of the baseline."""
    return run("baseline", overrides=[*SMALL, *overrides], output=output, **options)


def records(made: Run, *kinds: str) -> list[dict[str, Any]]:
    return [record for record in made.log.records() if record["kind"] in kinds]


def same_rows(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """Equal to the bit, NaN to NaN."""
    return repr(one) == repr(other)


# what a run leaves behind


@pytest.mark.parametrize("level", LEVELS)
def test_a_run_directory_holds_a_manifest_the_scenario_and_the_log(tmp_path: Path, level: str) -> None:
    made = small(tmp_path / "deep" / "run", level=level)
    names = {path.name for path in made.path.iterdir()}
    assert names == {"manifest.json", "scenario.yaml", "events.jsonl"} | ({"shards"} if level == "columns" else set())
    assert made.log.header.level == level
    assert (made.reason, made.seed, len(made.rows)) == ("completed", 42, 3)
    assert verify_log(made.path).trajectory == made.trajectory


def test_the_three_levels_log_the_same_trajectory(tmp_path: Path) -> None:
    made = [small(tmp_path / level, level=level) for level in LEVELS]
    states = [[point.state for point in each.log.checkpoints] for each in made]
    assert states[0] == states[1] == states[2]
    assert same_rows(made[0].rows, made[1].rows)
    assert same_rows(made[0].rows, made[2].rows)
    tables = [each.log.columns("interaction") for each in made[:2]]
    assert all((tables[0][name] == tables[1][name]).all() for name in tables[0])
    assert not len(made[2].log.columns("interaction")["seq"])


@pytest.mark.parametrize("level", LEVELS)
def test_the_scenario_of_a_run_directory_runs_again_as_it_is(tmp_path: Path, level: str) -> None:
    first = small(tmp_path / "one", "governance.transaction_tax.rate=0.05", level=level, seed=7)
    again = run(first.path / "scenario.yaml", output=tmp_path / "two")
    assert (again.seed, again.scenario) == (7, first.scenario)
    assert again.log_path.read_bytes() == first.log_path.read_bytes()


def test_a_log_file_is_all_that_a_run_into_a_file_leaves(tmp_path: Path) -> None:
    made = small(tmp_path / "new" / "run_001.jsonl")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run_001.jsonl"]
    whole = small(tmp_path / "run")
    assert made.log_path.read_bytes() == whole.log_path.read_bytes()
    assert same_rows(load_run(made.path).rows, made.rows)


def test_a_file_name_without_a_folder_is_taken_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert small("run_001.jsonl").log_path.resolve() == tmp_path / "run_001.jsonl"
    assert mc.replay("run_001.jsonl").complete


def test_the_shards_of_a_log_file_lie_beside_it(tmp_path: Path) -> None:
    small(tmp_path / "a.jsonl", level="columns")
    small(tmp_path / "b.jsonl", level="columns", seed=1)
    assert {path.name for path in tmp_path.iterdir()} == {"a.jsonl", "a.shards", "b.jsonl", "b.shards"}
    assert mc.replay(tmp_path / "a.jsonl").complete
    assert mc.replay(tmp_path / "b.jsonl").complete


def test_a_run_is_never_written_over(tmp_path: Path) -> None:
    before = small(tmp_path / "run").log_path.read_bytes()
    small(tmp_path / "run.jsonl")
    with pytest.raises(UsageError, match="there is a run in this directory already"):
        small(tmp_path / "run", seed=1)
    with pytest.raises(MesocosmError, match="there is a log already"):
        small(tmp_path / "run.jsonl", seed=1)
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == (tmp_path / "run.jsonl").read_bytes() == before
    assert load_run(tmp_path / "run").seed == 42
    assert directory.read_manifest(tmp_path / "run")["status"] == "completed"


@pytest.mark.parametrize(
    "place", ["file", "file/run", "file/run.jsonl", "/dev/null", "n" * 300, "n" * 300 + "/a.jsonl"]
)
def test_a_place_that_cannot_hold_a_run_is_refused_in_words(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(MesocosmError, match=r"this is a file|cannot make this directory"):
        small(tmp_path / place)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_mistake_in_the_scenario_leaves_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        small(tmp_path / "run", "simulation.epochs=-1")
    assert not (tmp_path / "run").exists()


# host and clock


def test_the_manifest_knows_host_and_clock(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    made = small(tmp_path / "run")
    told = json.loads((made.path / "manifest.json").read_text())
    assert told["status"] == told["reason"] == "completed"
    assert (told["run"], told["seed"], told["scenario_id"], told["epochs"]) == ("run", 42, "baseline", 3)
    assert told["trajectory_sha256"] == made.trajectory
    assert told["flags"] == made.flags
    assert told["host"]["python"] == platform.python_version()
    assert told["host"]["packages"]["numpy"] == np.__version__
    started, finished = (datetime.fromisoformat(told[name]) for name in ("started", "finished"))
    assert before.replace(microsecond=0) <= started <= finished <= datetime.now(UTC)
    assert told["wall_s"] >= 0


CHILD = "import sys, mesocosm as mc; mc.run('baseline', epochs=2, output=sys.argv[1], level=sys.argv[2])"


@pytest.mark.parametrize("level", ["full", "columns"])
def test_the_log_holds_nothing_of_the_host_the_clock_or_the_path(tmp_path: Path, level: str) -> None:
    places = [tmp_path / "somewhere" / "tuesday", tmp_path / "elsewhere" / "beta"]
    for zone, place in zip(("UTC", "Pacific/Apia"), places, strict=True):
        place.parent.mkdir()
        environment = os.environ | {"TZ": zone, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "USER": "nobody"}
        command = [sys.executable, "-c", CHILD, place.name, level]
        subprocess.run(command, cwd=place.parent, env=environment, check=True)
    files = [sorted(path for path in place.rglob("*") if path.suffix in (".jsonl", ".parquet")) for place in places]
    assert len(files[0]) == (1 if level == "full" else len(files[1]))
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    log = (places[0] / "events.jsonl").read_bytes()
    now = datetime.now(UTC)
    secrets = [
        str(tmp_path),
        "somewhere",
        "tuesday",
        platform.python_version(),
        np.__version__,
        now.strftime("%Y-%m-%d"),
    ]
    secrets += [name for name in (socket.gethostname(), platform.release()) if len(name) > 3]
    assert [secret for secret in secrets if secret.encode() in log] == []


# metrics: live, loaded, recomputed


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("overrides", [(), ("simulation.steps_per_epoch=1",)], ids=["usual", "sparse"])
def test_rows_are_the_same_live_loaded_and_recomputed(tmp_path: Path, level: str, overrides: tuple[str, ...]) -> None:
    made = small(tmp_path, "metrics_to_track=[conditional_loss_counterparty]", *overrides, level=level)
    loaded = load_run(tmp_path)
    assert same_rows(made.rows, loaded.rows)
    assert [row["epoch"] for row in made.rows] == [0, 1, 2]
    assert (loaded.scenario, loaded.reason, loaded.trajectory) == (made.scenario, made.reason, made.trajectory)
    assert loaded.flags == made.flags
    if level != "epoch":
        assert compare_metrics(made.log, made.scenario) == 3 * len(made.rows[0])


def test_an_undefined_metric_is_null_in_the_log_and_nan_for_everybody(tmp_path: Path) -> None:
    made = small(tmp_path, "simulation.steps_per_epoch=1", level="full")
    undefined = [name for name, value in made.rows[0].items() if math.isnan(value)]
    assert undefined
    assert set(undefined) <= set(DEFAULT_METRICS)
    logged = made.log.checkpoints[0].totals
    assert [name for name, value in logged.items() if value is None] == sorted(undefined)
    assert b"NaN" not in made.log_path.read_bytes()
    assert all(math.isnan(load_run(tmp_path).rows[0][name]) for name in undefined)
    assert made.flags, "a run with undefined metrics says why"
    assert mc.replay(tmp_path).complete


def test_the_tables_of_a_run_are_polars_frames(tmp_path: Path) -> None:
    made = small(tmp_path)
    assert made.epochs["epoch"].to_list() == [0, 1, 2]
    assert len(made.interactions) == sum(record["kind"] == "interaction" for record in made.log.records())
    assert made.agents.height == 3 * 5
    assert made.events("simulation_ended")["reason"].to_list() == ["completed"]
    assert len(made.events("flagged")) == len(records(made, "flagged"))


def test_progress_hears_of_every_epoch_with_its_row(tmp_path: Path) -> None:
    heard: list[tuple[int, dict[str, Any]]] = []
    made = small(tmp_path, progress=lambda epoch, row: heard.append((epoch, row)))
    assert [epoch for epoch, _ in heard] == [0, 1, 2]
    assert same_rows([row for _, row in heard], made.rows)


def test_a_batch_writes_one_log_per_replicate_equal_to_a_run_alone(tmp_path: Path) -> None:
    scenarios = [load_scenario("baseline", [*SMALL, f"population.capacity={n}"]) for n in (5, 7)]
    outcome = run_batch(scenarios, [3, 4], tmp_path / "batch", level="full")
    for number, (scenario, seed) in enumerate(zip(scenarios, (3, 4), strict=True)):
        alone = run(scenario, seed=seed, output=tmp_path / f"alone_{seed}")
        assert same_rows(outcome.rows[number], alone.rows)
        place = tmp_path / "batch" / f"replicate_{number:04d}"
        assert (place / "events.jsonl").read_bytes() == alone.log_path.read_bytes()
        assert mc.replay(place).complete


# names


def test_two_runs_in_the_same_moment_get_different_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(datetime):
        """A clock that stands still."""

        @classmethod
        def now(cls, tz: Any = None) -> Stopped:
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(directory, "datetime", Stopped)
    scenario = load_scenario("baseline")
    names = [directory.make_directory(scenario, 42).name for _ in range(4)]
    assert len(set(names)) == 4
    assert names[0].startswith("2026-01-02T030405_baseline_s42_")
    assert names[3] == f"{names[0]}-4"
    other = directory.make_directory(load_scenario("baseline", ["simulation.epochs=11"]), 42).name
    assert other.startswith("2026-01-02T030405_baseline_s42_")
    assert other not in names


def test_the_longest_name_of_a_scenario_gives_a_run_that_is_found_by_its_id() -> None:
    scenario = load_scenario("baseline", [*SMALL, f"scenario_id={'n' * 64}", f"simulation.seed={2**63 - 1}"])
    made = run(scenario)
    assert load_run(made.path.name).path == made.path


def test_latest_is_the_run_that_was_started_last() -> None:
    with pytest.raises(UsageError, match=r"there is no run under .* yet\. Start one: mesocosm run baseline"):
        load_run("latest")
    made = [small(seed=seed) for seed in (9, 3, 5)]
    assert load_run().path == load_run("latest").path == made[-1].path
    assert load_run(made[0].path.name).seed == 9
    assert load_run(made[1].path).seed == 3
    assert load_run(made[1].log_path).seed == 3


def test_a_misspelt_run_is_answered_with_the_nearest_id() -> None:
    made = small()
    wrong = made.path.name[:-1] + "x"
    with pytest.raises(UsageError, match=f"Did you mean {made.path.name}"):
        load_run(wrong)


@pytest.mark.parametrize("name", ["../outside", "..", "a/../../outside", ".hidden", "nothing here", "ä", "-x"])
def test_an_id_never_leads_out_of_the_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    root = tmp_path / "deep" / "runs"
    root.mkdir(parents=True)
    small(tmp_path / "deep" / "outside")
    monkeypatch.setenv("MESOCOSM_RUNS", str(root))
    monkeypatch.chdir(root)
    if not Path(name).exists():
        with pytest.raises(UsageError, match="no run"):
            directory.find_run(name)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"started": 3}', '{"flags": null}', "\ufeff{}", "\x00"])
def test_a_spoilt_manifest_does_not_hide_the_run(text: str) -> None:
    made = small()
    (made.path / "manifest.json").write_text(text, encoding="utf-8")
    assert same_rows(load_run(made.path.name).rows, made.rows)
    assert load_run("latest").path == made.path


def test_a_directory_without_a_log_is_told(tmp_path: Path) -> None:
    for reader in (load_run, mc.replay, resume):
        with pytest.raises(MesocosmError, match=str(tmp_path)):
            reader(tmp_path)


def test_a_cut_run_loads_with_the_epochs_that_were_completed(tmp_path: Path) -> None:
    made = small(tmp_path)
    whole = made.log_path.read_bytes()
    made.log_path.write_bytes(whole[: whole.rindex(b'{"kind":"checkpoint"') + 5])
    cut = load_run(tmp_path)
    assert (cut.reason, cut.trajectory, len(cut.rows)) == ("cut", "", 2)
    assert same_rows(cut.rows, made.rows[:2])
    made.log_path.write_bytes(whole[: whole.index(b"\n") - 3])
    with pytest.raises(LogDamaged, match="the last line is cut"):
        load_run(tmp_path)


# orders: enact and kill


def ended(made: Run) -> list[tuple[str, Any]]:
    """The last records of a log, with the reason each of them gives."""
    last = list(made.log.records())[-4:]
    return [(record["kind"], record.get("reason", record.get("answer"))) for record in last]


@pytest.mark.parametrize("level", ["full", "epoch"])
def test_a_kill_order_ends_the_run_in_its_turn_and_the_log_says_why(tmp_path: Path, level: str) -> None:
    made = small(tmp_path, orders=[(1, 4, 1, Kill("seen enough"))], level=level)
    if level == "full":
        said = [
            ("input", '["seen enough"]'),
            ("killed", "seen enough"),
            ("simulation_ended", "seen enough"),
            ("end", "seen enough"),
        ]
        assert ended(made) == said
        inputs = records(made, "input", "killed", "simulation_ended")
        assert {(record["epoch"], record["step"]) for record in inputs} == {(1, 4)}
        assert max(record["step"] for record in made.log.records() if "step" in record) == 4
        assert records(made, "simulation_ended")[0]["epochs"] == 1
    assert ended(made)[-1] == ("end", "seen enough")
    assert (made.reason, len(made.rows), made.log.end and made.log.end.epochs) == ("seen enough", 1, 1)
    manifest = directory.read_manifest(tmp_path)
    assert (manifest["status"], manifest["reason"], manifest["epochs"]) == ("killed", "seen enough", 1)
    assert load_run(tmp_path).reason == "seen enough"
    told = mc.replay(tmp_path)
    assert (told.complete, told.reason, told.epochs) == (True, "seen enough", 1)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("at", [(0, 0, 0), (0, 0, 1), (0, 2, 1), (1, 3, 0), (2, 8, 1)])
def test_a_run_killed_at_any_turn_verifies(tmp_path: Path, level: str, at: tuple[int, int, int]) -> None:
    made = small(tmp_path, orders=[(*at, Kill("stop"))], level=level)
    assert len(made.rows) == at[0]
    told = mc.replay(tmp_path)
    assert (told.complete, told.reason, told.epochs) == (True, "stop", at[0])


def test_a_killed_run_is_the_beginning_of_the_whole_one(tmp_path: Path) -> None:
    whole = small(tmp_path / "whole").log_path.read_bytes().splitlines()
    killed = small(tmp_path / "killed", orders=[(1, 4, 0, Kill("stop"))]).log_path.read_bytes().splitlines()
    assert killed[:-4] == whole[: len(killed) - 4]


def test_stop_ends_the_run_within_one_turn(tmp_path: Path) -> None:
    asked: list[int] = []

    def stop() -> str | None:
        asked.append(len(asked))
        return "the user pressed Ctrl-C" if len(asked) == 9 else None

    made = small(tmp_path, stop=stop)
    assert len(asked) == 9, "asked once a turn and never again"
    [order] = orders_of(made.log)
    assert order == (1, 4, 0, Kill("the user pressed Ctrl-C")), "two turns a step, so the ninth is the first of step 4"
    assert made.reason == "the user pressed Ctrl-C"
    assert mc.replay(tmp_path).complete


def test_a_kill_without_a_reason_is_called_killed(tmp_path: Path) -> None:
    made = small(tmp_path, orders=[(0, 1, 0, Kill(""))])
    assert made.reason == "killed"
    assert mc.replay(tmp_path).reason == "killed"


@pytest.mark.parametrize("reason", ['quote " \\ and\nline', "päuse ✋", "\x00\x1f", "{" * 50, "r" * 5000])
def test_any_text_is_a_reason(tmp_path: Path, reason: str) -> None:
    assert small(tmp_path, orders=[(0, 1, 0, Kill(reason))]).reason == reason
    told = mc.replay(tmp_path)
    assert (told.complete, told.reason) == (True, reason)


def test_a_run_that_was_killed_never_passes_for_a_completed_one(tmp_path: Path) -> None:
    made = small(tmp_path, orders=[(0, 1, 0, Kill("completed"))])
    assert len(records(made, "killed")) == 1
    assert made.reason != "completed"
    assert directory.read_manifest(tmp_path)["status"] == "killed"
    assert mc.replay(tmp_path).complete


@pytest.mark.parametrize("how", ["orders", "stop"])
def test_a_run_without_a_kill_switch_refuses_to_be_killed(tmp_path: Path, how: str) -> None:
    ways: dict[str, dict[str, Any]] = {"orders": {"orders": [(0, 1, 0, Kill("x"))]}, "stop": {"stop": lambda: "x"}}
    with pytest.raises(UsageError, match=r"safety\.kill_switch_enabled is false"):
        small(tmp_path, "safety.kill_switch_enabled=false", **ways[how])
    assert not load_or_none(tmp_path), "nothing of the order is in the log"


def load_or_none(path: Path) -> Any:
    """Orders that the log of a broken run holds."""
    text = (path / "events.jsonl").read_bytes()
    return b'"kind":"input"' in text or b'"kind":"killed"' in text


@pytest.mark.parametrize("level", LEVELS)
def test_an_enacted_rule_changes_the_trajectory_from_its_turn_on_and_verifies(tmp_path: Path, level: str) -> None:
    order: Order = (1, 3, 1, Enact("transaction_tax", "rate", 0.5))
    free = run("adversarial_attack", overrides=TAXED, output=tmp_path / "free", level=level)
    taxed = run("adversarial_attack", overrides=TAXED, output=tmp_path / "taxed", level=level, orders=[order])
    states = [[point.state for point in each.log.checkpoints] for each in (free, taxed)]
    assert [one == other for one, other in zip(*states, strict=True)] == [True, False, False]
    assert free.trajectory != taxed.trajectory
    assert orders_of(taxed.log) == [order]
    assert mc.replay(taxed.path).trajectory == taxed.trajectory
    if level == "full":
        lines = [each.log_path.read_bytes().splitlines() for each in (free, taxed)]
        parted = next(n for n, (one, other) in enumerate(zip(*lines, strict=False)) if one != other)
        first, second = (msgspec.json.decode(lines[1][n]) for n in (parted, parted + 1))
        assert [(one["kind"], one["step"]) for one in (first, second)] == [("input", 3), ("enacted", 3)]
        assert json.loads(second["value"]) == 0.5
        charged = taxed.log.columns("interaction")
        assert not charged["c_a"][charged["step"] <= 3].any()
        assert charged["c_a"][charged["step"] > 3].any()


def test_several_orders_of_one_turn_are_carried_out_in_order(tmp_path: Path) -> None:
    values = (0.1, 0.3, 0.2)
    orders: list[Order] = [(0, 2, 0, Enact("transaction_tax", "rate", value)) for value in values]
    made = small(tmp_path, "governance.transaction_tax.rate=0.0", orders=[*orders, (2, 7, 1, Kill("done"))])
    assert [json.loads(record["value"]) for record in records(made, "enacted")] == list(values)
    assert [order for *_, order in orders_of(made.log)] == [order for *_, order in orders] + [Kill("done")]
    assert mc.replay(tmp_path).reason == "done"


def test_a_rule_enacted_to_what_it_is_changes_no_state(tmp_path: Path) -> None:
    order: Order = (1, 3, 0, Enact("transaction_tax", "rate", 0.0))
    plain = run("baseline", overrides=TAXED, output=tmp_path / "plain")
    same = run("baseline", overrides=TAXED, output=tmp_path / "same", orders=[order])
    assert same_rows(plain.rows, same.rows)
    assert mc.replay(same.path).complete


@pytest.mark.parametrize("at", [(3, 9, 0), (0, 3, 0), (1, 0, 0), (-1, -1, 0), (0, 0, 2), (0, 0, -1)])
def test_an_order_for_a_turn_that_never_comes_is_refused_at_once(tmp_path: Path, at: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match=r"to which this run never comes: it has epochs 0 to 2 of 3 steps"):
        small(tmp_path / "run", orders=[(*at, Kill("never"))])
    assert not (tmp_path / "run").exists()


def test_orders_reach_the_turns_of_sequential_agents(tmp_path: Path) -> None:
    sequential = "simulation.turns=sequential"
    deals = records(small(tmp_path / "free", sequential), "interaction")
    ticks = sorted({(deal["step"], deal["turn"]) for deal in deals})
    assert len({turn for _, turn in ticks}) > 5, "first and second passes"
    for number, (step, turn) in enumerate(ticks[:: len(ticks) // 5]):
        made = small(tmp_path / str(number), sequential, orders=[(step // 3, step, turn, Kill("here"))])
        [order] = orders_of(made.log)
        assert order == (step // 3, step, turn, Kill("here"))
        last = records(made, "interaction")[-1]
        assert (last["step"], last["turn"]) == (step, turn)
        assert mc.replay(made.path).reason == "here"
    with pytest.raises(UsageError, match="turns 0 to 4 and"):
        small(tmp_path / "never", sequential, orders=[(0, 0, 5, Kill("never"))])


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (Enact("transaction_taxx", "rate", 0.1), "Did you mean transaction_tax"),
        (Enact("transaction_tax", "rat", 0.1), r"Did you mean rate|Known: rate"),
        (Enact("circuit_breaker", "threshold", 0.1), "is not part of this run"),
    ],
)
def test_an_order_about_an_unknown_rule_is_answered_with_the_nearest(tmp_path: Path, order: Control, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run("baseline", overrides=TAXED, output=tmp_path, orders=[(0, 0, 0, order)])


# the plan's success criteria


def test_five_agents_interact_over_ten_epochs_and_more(tmp_path: Path) -> None:
    made = run("baseline", epochs=12, output=tmp_path)
    assert len(made.rows) == 12
    deals = made.log.columns("interaction")
    assert set(deals["initiator"].tolist()) | set(deals["counterparty"].tolist()) == set(range(5))
    assert set(deals["epoch"].tolist()) == set(range(12))


def test_toxicity_and_conditional_loss_are_computed_in_every_epoch(tmp_path: Path) -> None:
    made = run("baseline", overrides=["metrics_to_track=[conditional_loss_counterparty]"], output=tmp_path)
    assert len(made.rows) == 10
    for row in made.rows:
        for name in ("toxicity_rate", "toxicity_true", "conditional_loss_initiator", "conditional_loss_counterparty"):
            assert isinstance(row[name], float)
        assert 0.0 <= row["toxicity_rate"] <= 1.0
    assert sum(math.isfinite(row["conditional_loss_initiator"]) for row in made.rows) >= 8


def test_the_full_log_enables_deterministic_replay(tmp_path: Path) -> None:
    """Whoever has nothing but the log gets the same events, states and metrics."""
    made = run("baseline", output=tmp_path / "made.jsonl")
    alone = tmp_path / "elsewhere" / "log.jsonl"
    alone.parent.mkdir()
    alone.write_bytes(made.log_path.read_bytes())
    told = mc.replay(alone)
    assert told.complete
    assert told.metrics_recomputed == sum(len(row) for row in made.rows)
    check: Callable[[Any], Any] = load_run
    assert same_rows(check(alone).rows, made.rows)


def test_a_paused_and_resumed_run_has_the_bytes_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = small(tmp_path / "whole").log_path.read_bytes()
    answers = iter([False, True, True, False] + [False] * 1000)
    paused = small(tmp_path / "paused", hold=lambda: next(answers))
    assert paused.log_path.read_bytes() == whole
    assert directory.read_manifest(tmp_path / "paused")["paused_at"] == [{"epoch": 0, "step": 0, "turn": 1}]


def test_a_log_with_an_older_set_of_metrics_still_verifies_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small(tmp_path).log_path.read_bytes()
    monkeypatch.setattr("mesocosm.runner.drive.DEFAULT_METRICS", ("toxicity_true", "activity"))
    assert mc.replay(tmp_path).complete
    (tmp_path / "events.jsonl").write_bytes(whole[:-40])
    assert resume(tmp_path).log_path.read_bytes() == whole


@pytest.mark.parametrize("name", ["run", "run.jsonl"])
def test_two_runs_never_write_in_one_place(tmp_path: Path, name: str) -> None:
    def second() -> bool:
        with pytest.raises(UsageError, match=r"another process is writing this run|there is a (run|log)"):
            small(tmp_path / name)
        return False

    assert small(tmp_path / name, hold=second).reason == "completed"
