"""The command line: what it prints, where it writes, how it fails, and that it always says what to do next."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from mesocosm import registry
from mesocosm.analysis.run_words import merged
from mesocosm.cli.epochs_table import EpochTable, groups_of, shown_epochs
from mesocosm.cli.main import COMMANDS, main
from mesocosm.cli.run_summary import grid
from mesocosm.cli.screen import sparkline
from mesocosm.config.load import load_scenario, parse_scenario
from mesocosm.log.integrity import verify_log
from mesocosm.runner import doctor as doctoring
from mesocosm.runner.projections import agents_of
from mesocosm.runner.runner import load_run

PROGRAM = [sys.executable, "-m", "mesocosm"]
SHORT = ["--epochs", "2", "--set", "simulation.steps_per_epoch=4"]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is written for a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


def call(capsys: Captured, *words: str) -> tuple[int, str, str]:
    """Exit code, output and error output of a command in this process."""
    capsys.readouterr()
    code = main(words)
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    return code, told.out, told.err


def answer(capsys: Captured, *words: str) -> Any:
    """What a command says as JSON; nothing else may be in its output."""
    code, out, err = call(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)


def spawned(*words: str, **surroundings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=60, **surroundings)


def short_run(capsys: Captured, folder: Path, *words: str) -> Path:
    assert main(["run", "baseline", *SHORT, "--output", str(folder), "--quiet", *words]) == 0
    capsys.readouterr()
    return folder


# --- finding one's way


def test_help_names_every_command_and_fits_the_screen(capsys: Captured) -> None:
    code, out, _ = call(capsys, "--help")
    assert code == 0
    for name, entrance in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(entrance.about)}", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80
    assert call(capsys)[1] == out


def test_help_loads_none_of_the_libraries() -> None:
    code = "import sys; from mesocosm.cli.main import main; main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    for library in ("numpy", "pydantic", "typer", "rich", "polars", "matplotlib", "yaml"):
        assert f"'{library}'" not in loaded


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_that_fits(name: str, capsys: Captured) -> None:
    code, out, _ = call(capsys, name, "--help")
    assert code == 0
    assert out.startswith(f"Usage: mesocosm {name}")
    assert max(map(len, out.splitlines())) <= 80
    assert "--json" in out


def test_version_is_told(capsys: Captured) -> None:
    assert call(capsys, "--version")[:2] == (0, "mesocosm 0.1.0\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["rnu"], "unknown command 'rnu'. Did you mean run?"),
        (["--epochs", "3"], "the command comes first"),
        (["run"], "which scenario?"),
        (["run", "basline"], "Did you mean baseline?"),
        (["run", "no/such.yaml"], "there is no such file"),
        (["run", "baseline", "--epoch", "3"], "unknown option --epoch. Did you mean --epochs?"),
        (["run", "baseline", "--epochs", "five"], "--epochs takes a whole number"),
        (["run", "baseline", "--epochs", "-1"], "error: --epochs must be at least 0, got -1"),
        (["run", "baseline", "--log", "ful"], "Did you mean full?"),
        (["run", "baseline", "twice"], "there is no place for 'twice'"),
        (["run", "baseline", "--set", "foo"], "expected path=value"),
        (["run", "baseline", "--set", "governance.transaction_taxx.rate=1"], "Did you mean transaction_tax?"),
        (["run", "baseline", "--override", "simulation.epcohs=1"], "Did you mean simulation.epochs?"),
        (["run", "baseline", "--plugin", "none.py"], "there is no such file"),
        (["run", "baseline", "--resume", "latest"], "leave out the scenario"),
        (["replay", "latest"], "there is no run"),
        (["replay"], "Missing argument 'RUN'"),
        (["verify", "nobody"], "no run 'nobody'"),
        (["list", "polices"], "Did you mean policies?"),
        (["explain", "transaction_taxx"], "Did you mean transaction_tax?"),
        (["explain", "payof.theta"], "Did you mean payoff.theta?"),
        (["show", "basline"], "Did you mean baseline?"),
        (["new", "levr", "mine"], "Did you mean lever?"),
        (["new", "lever", "Mine"], "cannot be a name"),
        (["new", "lever", "sham"], "there is a lever 'sham' already"),
        (["new", "metric", "import"], "cannot be a name"),
    ],
)
def test_a_slip_is_refused_in_one_line_that_helps(words: list[str], told: str, capsys: Captured) -> None:
    code, out, err = call(capsys, *words)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_failure_is_told_as_json_too(capsys: Captured) -> None:
    code, out, err = call(capsys, "run", "baseline", "--set", "payoff.theta=2", "--json")
    told = json.loads(out)
    assert (code, err, told["exit_code"]) == (2, "", 2)
    assert told["mistakes"][0]["key"] == "payoff.theta"


# --- running


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_run_prints_truth_beside_proxy_and_fits(columns: int, capsys: Captured, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = call(capsys, "run", "baseline", *SHORT)
    lines = out.splitlines()
    assert code == 0
    assert max(len(line) for line in lines if not line.startswith("run ")) <= columns  # a path stays in one piece
    assert any(re.search(r"^epoch +proxy +true +gap", line) for line in lines)
    assert [line.split()[0] for line in lines if re.match(r" *(0|1|mean) ", line)] == ["0", "1", "mean"]
    assert re.search(r"^toxicity +true +\S+ +0\.\d+ to 0\.\d+$", out, re.MULTILINE)
    assert re.search(r"^activity +\d+ proposals, \d+ accepted", out, re.MULTILINE)
    assert "mesocosm replay latest --verify" in out


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_a_run_is_summed_up_by_type_failure_mode_and_agent_within_the_screen(
    columns: int, capsys: Captured, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = call(capsys, "run", "baseline", *SHORT)[1]
    lines = out.splitlines()
    grids = lines[next(place for place, line in enumerate(lines) if line.startswith("by type")) - 1 :]
    end = next(place for place, line in enumerate(grids) if line.startswith("run "))
    assert max(map(len, grids[:end])) <= columns
    told = [line.split()[0] for line in grids[:end] if line.strip()]
    for word in ("deceptive", "honest", "opportunistic", "miscoordination", "conflict", "collusion", "a_00", "a_04"):
        assert word in told


def test_the_summary_has_the_numbers_of_the_whole_run(capsys: Captured) -> None:
    told = answer(capsys, "run", "adversarial_attack", *SHORT)
    out = call(capsys, "run", "adversarial_attack", *SHORT)[1]
    for agent_type, row in told["by_type"].items():
        (line,) = (line for line in out.splitlines() if re.match(rf"{agent_type} +\d", line))
        cells = line.split()
        assert cells[3:] == [f"{row['toxicity_rate']:.3f}", f"{row['toxicity_true']:.3f}", f"{row['income']:.2f}"]
        assert cells[2] == f"{100 * row['acceptance_rate']:.0f}%"
    proposals = sum(
        int(line.split()[1]) for line in out.splitlines() if line.split()[:1] and line.split()[0] in told["by_type"]
    )
    assert proposals == told["activity"]["proposals"] == sum(row["proposed"] for row in told["agents"])
    for mode in ("miscoordination", "conflict", "collusion"):
        (line,) = (line for line in out.splitlines() if line.startswith(f"{mode} "))
        whole = told["whole"]
        expected = [whole[f"{mode}_loss"], whole[f"{mode}_loss_true"], whole[f"{mode}_pairs"]]
        assert [float(cell) for cell in line.split()[1:]] == pytest.approx(expected, abs=0.005)
    assert f"Brier {told['whole']['brier']:.3f}; ECE {told['whole']['ece']:.3f}, by chance" in out


def test_every_agent_is_told_where_there_are_few_or_when_asked(capsys: Captured) -> None:
    few = call(capsys, "run", "baseline", *SHORT)[1]
    assert re.search(r"activity \d+ proposals, .*; all 5 agents proposed; least active a_0\d", " ".join(few.split()))
    assert len(re.findall(r"^a_\d\d +\w+ +\w+ +\d+ +\d+ +\S+ +\S+$", few, re.MULTILINE)) == 5
    many = call(capsys, "run", "adversarial_attack", *SHORT)[1]
    assert "--agents lists them" in " ".join(many.split())
    assert not re.search(r"^a_\d\d", many, re.MULTILINE)
    listed = call(capsys, "run", "adversarial_attack", *SHORT, "--agents")[1]
    assert len(re.findall(r"^a_\d\d ", listed, re.MULTILINE)) == 20


def test_agents_that_do_nothing_or_have_left_are_told(capsys: Captured) -> None:
    silent = call(capsys, "run", "baseline", *SHORT, "--set", "simulation.phases.proposals=false")[1]
    assert "0 of 5 agents proposed" in " ".join(silent.split())
    idle = [*SHORT, "--set", "simulation.phases={proposals: false, feed: false, tasks: false}"]
    assert "5 did nothing at all" in " ".join(call(capsys, "run", "baseline", *idle)[1].split())
    gone = call(capsys, "run", "baseline", *SHORT, "--set", "population.turnover=1.0")[1]
    assert len(re.findall(r"^a_\d\d .* left$", gone, re.MULTILINE)) == 5


def test_small_tables_drop_what_there_is_no_room_for() -> None:
    rows = [["agents", "role", "proposals", "sum\nproxy", "\ntrue"], ["a_00", "worker", "7", "1.5", "12.5"]]
    heading, body = grid(rows, 60)
    assert heading == ["                                sum", "agents   role     proposals   proxy   true"]
    assert body == ["a_00     worker           7     1.5   12.5"]
    assert grid(rows, 36)[1] == ["a_00             7     1.5   12.5"]
    assert grid(rows, 3)[1] == ["a_00"]


def test_the_numbers_of_the_table_are_those_of_the_log(capsys: Captured) -> None:
    out = call(capsys, "run", "baseline", *SHORT)[1]
    rows = load_run().rows
    printed = [line.split()[1:4] for line in out.splitlines() if re.match(r" +\d ", line)]
    names = ("toxicity_rate", "toxicity_true", "goodhart_gap")
    assert printed == [[f"{row[name]:.3f}" for name in names] for row in rows]


def test_a_run_as_json_says_everything_and_nothing_else(capsys: Captured) -> None:
    told = answer(capsys, "run", "baseline", *SHORT, "--set", "simulation.phases.proposals=false")
    assert told["reason"] == "completed"
    assert [row["epoch"] for row in told["epochs"]] == [0, 1]
    assert told["epochs"][0]["toxicity_true"] is None
    assert len(told["trajectory_sha256"]) == 64
    assert told["activity"]["proposals"] == 0
    assert any("nobody proposed" in flag for flag in told["flags"])


def test_what_is_undefined_is_a_dash_with_its_reason_below(capsys: Captured) -> None:
    out = call(capsys, "run", "baseline", *SHORT, "--set", "simulation.phases.proposals=false")[1]
    assert re.search(r"^ +0 +– +– +–", out, re.MULTILINE)
    assert "nobody proposed in epochs 0 and 1, so toxicity_rate" in out


def test_metrics_to_track_chooses_the_columns(capsys: Captured) -> None:
    out = call(capsys, "run", "baseline", *SHORT, "--set", "metrics_to_track=[toxicity_true, proposals]")[1]
    heading = next(line for line in out.splitlines() if line.startswith("epoch"))
    assert heading.split() == ["epoch", "proxy", "true", "proposals"]


def test_a_run_directory_holds_log_scenario_manifest_and_tables(capsys: Captured, tmp_path: Path) -> None:
    place = short_run(capsys, tmp_path / "run", "--plot")
    assert {item.name for item in place.iterdir()} == {
        "agents.parquet", "epochs.parquet", "events.jsonl", "interactions.parquet", "manifest.json", "plot.png",
        "plot.svg", "scenario.yaml", "types.parquet",
    }  # fmt: skip
    run = load_run(place)
    assert pl.read_parquet(place / "epochs.parquet").to_dicts() == run.rows
    deals = pl.read_parquet(place / "interactions.parquet")
    assert deals["p"].to_list() == run.log.columns("interaction")["p"].tolist()
    assert set(deals["initiator_type"]) <= {"honest", "opportunistic", "deceptive"}
    assert pl.read_parquet(place / "agents.parquet").height == 10
    types = pl.read_parquet(place / "types.parquet")
    assert types.select("epoch", "type").rows() == [
        (epoch, kind) for epoch in (0, 1) for kind in ("deceptive", "honest", "opportunistic")
    ]
    told = {row["agent"]: row for row in agents_of(run.log.tables(), run.scenario)}
    for (agent,), mine in deals.group_by("initiator"):
        assert (told[agent]["proposed"], told[agent]["accepted"]) == (mine.height, mine["accepted"].sum())
    totals = types.group_by("epoch", maintain_order=True).agg(pl.col("social_welfare").sum())
    assert totals["social_welfare"].to_list() == pytest.approx([row["social_welfare"] for row in run.rows])


@pytest.mark.parametrize("words", [["--no-parquet"], ["--log", "epoch"]])
def test_tables_are_left_out_when_asked_or_when_there_are_no_events(
    words: list[str], capsys: Captured, tmp_path: Path
) -> None:
    place = short_run(capsys, tmp_path / "run", *words)
    assert not list(place.glob("*.parquet"))


def test_a_log_alone_goes_to_the_file_named(capsys: Captured, tmp_path: Path) -> None:
    place = short_run(capsys, tmp_path / "only.jsonl")
    assert [item.name for item in tmp_path.iterdir()] == ["only.jsonl"]
    assert "verified" in call(capsys, "replay", str(place), "--verify")[1]
    assert main(["run", "baseline", *SHORT, "--output", str(place)]) != 0  # never over another run


def test_a_lever_set_on_the_command_line_is_in_force_and_told(capsys: Captured) -> None:
    out = call(capsys, "run", "baseline", *SHORT, "--override", "governance.random_audit.probability=0.5")[1]
    assert "levers      random_audit (probability 0.5" in out
    assert "explain transaction_tax" in out  # the lever proposed next is another one
    assert load_run().scenario.governance["random_audit"]["probability"] == 0.5


def test_the_plan_s_own_commands_work(tmp_path: Path, checkout: Path) -> None:
    words = ["-m", "mesocosm.runner.runner", str(checkout / "scenarios/baseline.yaml"), "--epochs", "2"]
    log = str(tmp_path / "run.jsonl")
    done = subprocess.run([sys.executable, *words, "--output", log], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    replayed = [sys.executable, "-m", "mesocosm.runner.replay", log, "--verify"]
    done = subprocess.run(replayed, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()[0]) == (0, "verified"), done.stderr


# --- stopping


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A long run that has begun to write its log."""
    command = [*PROGRAM, "run", "baseline", "--epochs", "50000", "--output", str(folder), *words]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = folder / "events.jsonl"
    for _ in range(600):
        if log.exists() and log.stat().st_size > 20_000:
            return run
        time.sleep(0.05)
    run.kill()
    raise AssertionError(run.communicate())


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_a_run_with_a_whole_log(number: signal.Signals, reason: str, tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert f"stopped by {reason}" in err
    assert "mesocosm run" in err.splitlines()[-1]
    assert "Traceback" not in out + err
    found = verify_log(tmp_path / "run")
    assert found.complete
    assert found.reason == f"stopped by {reason}"


def test_what_is_said_of_a_stopped_run_fits_the_screen(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.send_signal(signal.SIGINT)
    err = run.communicate(timeout=60)[1]
    assert "epochs were completed" in " ".join(err.split())
    assert all(len(line) <= 80 for line in err.splitlines() if str(tmp_path) not in line)


def test_a_run_that_is_stopped_while_it_is_read_back_is_named(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("mesocosm.cli.run.read_back", stop)
    code, _, err = call(capsys, "run", "baseline", *SHORT, "--output", str(tmp_path / "run"))
    assert code == 1
    assert f"the log of the run is whole: {tmp_path / 'run'}" in err
    assert err.endswith("stopped.\n")
    assert verify_log(tmp_path / "run").complete


def test_without_a_kill_switch_the_log_is_cut_and_it_says_how_to_go_on(tmp_path: Path, capsys: Captured) -> None:
    run = started(tmp_path / "run", "--set", "safety.kill_switch_enabled=false")
    run.send_signal(signal.SIGINT)
    err = run.communicate(timeout=60)[1]
    assert run.returncode == 1
    assert "--resume" in err
    assert not verify_log(tmp_path / "run").complete


# --- replay


def test_replay_says_verified_and_what_was_checked(capsys: Captured, tmp_path: Path) -> None:
    place = short_run(capsys, tmp_path / "run")
    code, out, _ = call(capsys, "replay", str(place))
    assert code == 0
    assert out.startswith("verified  ")
    assert re.search(r"^hashes +\d+ lines \(\d+ events, 2 epochs\)", out, re.MULTILINE)
    assert re.search(r"^metrics +\d+ values recomputed from the log alone", out, re.MULTILINE)
    assert "identical to the byte" in out
    assert load_run(place).trajectory in out
    told = answer(capsys, "replay", str(place))
    assert told["verified"]
    assert told["resimulated"]
    assert told["metrics_recomputed"] > 0


@pytest.mark.parametrize("level", ["columns", "epoch"])
def test_replay_verifies_every_level(level: str, capsys: Captured, tmp_path: Path) -> None:
    place = short_run(capsys, tmp_path / "run", "--log", level)
    assert call(capsys, "replay", str(place))[1].startswith("verified  ")


def test_a_cut_log_is_told_resumed_and_then_verified(capsys: Captured, tmp_path: Path) -> None:
    place = short_run(capsys, tmp_path / "run")
    log = place / "events.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) * 2 // 3])
    for words in (["replay", str(place)], ["verify", str(place)]):
        code, out, _ = call(capsys, *words)
        assert code == 3
        assert out.startswith("not verified: the log is cut")
        assert f"mesocosm run --resume {place}" in out
    assert call(capsys, "run", "--resume", str(place), "--quiet")[:2] == (0, f"{place}\n")
    assert log.read_bytes() == whole
    assert call(capsys, "replay", str(place))[0] == 0
    assert "nothing to resume" in call(capsys, "run", "--resume", str(place))[2]


def test_a_changed_log_is_refused_at_its_line(capsys: Captured, tmp_path: Path) -> None:
    place = short_run(capsys, tmp_path / "run")
    log = place / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[20] = lines[20].replace(b"1", b"2", 1)
    log.write_bytes(b"".join(lines))
    for command in ("replay", "verify"):
        code, out, err = call(capsys, command, str(place))
        assert (code, out) == (3, "")
        assert err.startswith(f"not verified: {log}:21 ")


def test_verify_looks_at_the_hashes_only(capsys: Captured, tmp_path: Path) -> None:
    place = short_run(capsys, tmp_path / "run")
    assert call(capsys, "verify", str(place))[1].startswith("hashes verified")
    assert answer(capsys, "verify", str(place))["complete"]


# --- scenarios


def test_check_tells_every_mistake_of_every_file(capsys: Captured, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("scenario_id: bad\nagents:\n  - {type: honst, count: -1}\nsimulation:\n  epocs: 5\n", "utf-8")
    code, out, err = call(capsys, "check", str(bad), "baseline")
    assert code == 2
    assert f"{bad}:3:12 agents.0.type: unknown policy 'honst'. Did you mean honest?" in out
    assert f"{bad}:5:3 simulation.epocs: unknown key. Did you mean epochs?" in out
    assert "ok  baseline: 5 agents (3 honest, 1 opportunistic, 1 deceptive), 10 epochs of 10" in out
    assert err == "3 mistakes in 1 of 2 files.\n"
    code, out, _ = call(capsys, "check", str(bad), "--json")
    assert code == 2
    assert [mistake["line"] for mistake in json.loads(out)["files"][0]["mistakes"]] == [3, 3, 5]
    code, _, err = call(capsys, "run", str(bad))
    assert (code, err.splitlines()[-1]) == (2, "error: 3 mistakes to mend; nothing was run.")


def test_schema_is_one_that_editors_read(capsys: Captured) -> None:
    schema = json.loads(call(capsys, "schema")[1])
    jsonschema.Draft7Validator.check_schema(schema)
    assert "transaction_tax" in schema["properties"]["governance"]["properties"]


def test_show_prints_a_scenario_that_loads_to_the_same(capsys: Captured, checkout: Path) -> None:
    text = call(capsys, "show", "baseline")[1]
    assert text == (checkout / "scenarios/baseline.yaml").read_text("utf-8")
    resolved = call(capsys, "show", "baseline", "--resolved")[1]
    assert parse_scenario(resolved) == load_scenario("baseline") == parse_scenario(text)
    assert "q_high: 0.95" in resolved


# --- looking things up


@pytest.mark.parametrize(
    ("word", "name"),
    [("policies", "honest"), ("lever", "sham"), ("metrics", "toxicity_true"), ("scenarios", "status_game")],
)
def test_list_tells_each_thing_with_a_sentence(word: str, name: str, capsys: Captured) -> None:
    out = call(capsys, "list", word)[1]
    assert re.search(rf"^{name} +\w+", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80
    [items] = answer(capsys, "list", word).values()
    assert all(item["about"] and item["origin"] for item in items)


def everything_named() -> list[str]:
    return sorted({name for kind in ("policy", "lever", "metric") for name in registry.names(kind)})


@pytest.mark.parametrize("name", [*everything_named(), "baseline", "payoff.theta", "payoff", "theta", "agents", ""])
def test_everything_can_be_explained_within_the_screen(name: str, capsys: Captured) -> None:
    code, out, _ = call(capsys, "explain", name)
    assert code == 0
    assert name in out
    # a command to copy stays in one piece
    assert max(len(line) for line in out.splitlines() if not line.startswith("use it ")) <= 80


def test_a_lever_is_explained_with_all_that_one_must_know(capsys: Captured) -> None:
    out = call(capsys, "explain", "transaction_tax")[1]
    for told in (
        "rate",
        "0.05",
        "0 to 1",
        "neutral     rate 0",
        "transaction_tax_rate sets rate",
        "phase",
        "-> treasury",
    ):
        assert told in out
    assert call(capsys, "explain", "transaction_tax_rate")[1] == out


def test_a_constant_is_explained_as_an_assumption(capsys: Captured) -> None:
    out = call(capsys, "explain", "payoff.theta")[1]
    assert "default     0.5" in out
    assert "may be      0 to 1" in out
    assert "assumption" in out


def test_all_constants_are_explained_with_the_defaults_in_force(capsys: Captured) -> None:
    told = {item["path"]: item["default"] for item in answer(capsys, "explain")["constants"]}
    resolved = load_scenario("baseline").model_dump(mode="json")
    for path, default in told.items():
        section, _, key = path.rpartition(".")
        if section in ("payoff", "conduct", "trust", "reputation", "safety"):
            assert resolved[section][key] == default
    assert len(told) > 80


# --- writing one's own


@pytest.mark.parametrize("kind", ["scenario", "policy", "agent", "lever", "metric"])
def test_what_new_writes_runs_with_the_command_it_names(kind: str, tmp_path: Path) -> None:
    done = spawned("new", kind, "my_own", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    before = Path(tmp_path / told["file"]).read_bytes()
    again = spawned("new", kind, "my_own", cwd=tmp_path)
    assert (again.returncode, Path(tmp_path / told["file"]).read_bytes()) == (2, before)
    assert "exists already" in again.stderr
    words = told["next"].replace("'", "").split()
    assert words[0] == "mesocosm"
    run = spawned(*words[1:], "--epochs", "2", "--no-parquet", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    hint = next(line for line in run.stdout.splitlines() if "replay" in line)
    replay = spawned(*hint.split("mesocosm ")[1].split(), cwd=tmp_path)
    assert replay.stdout.startswith("verified"), replay.stderr


# --- the doctor and pictures


def golden() -> Any:
    """The hashes that come with the package."""
    return json.loads(doctoring.GOLDEN.read_text("utf-8"))


def use_golden(folder: Path, monkeypatch: Any, cases: list[Any] | None) -> None:
    """Let the doctor compare with these cases; None for no file at all."""
    path = folder / "golden.json"
    if cases is not None:
        path.write_text(json.dumps(golden() | {"cases": cases}), "utf-8")
    monkeypatch.setattr(doctoring, "GOLDEN", path)


def test_the_doctor_finds_our_numbers_here(capsys: Captured) -> None:
    code, out, _ = call(capsys, "doctor")
    assert code == 0, f"{out}\nIf the model was changed on purpose: mesocosm doctor --update-golden"
    assert "Your numbers are our numbers." in out
    assert "numpy" in out


def test_the_doctor_says_when_numbers_differ(capsys: Captured, tmp_path: Path, monkeypatch: Any) -> None:
    use_golden(tmp_path, monkeypatch, [doctoring.golden_cases()[0] | {"trajectory_sha256": "0" * 64}])
    code, out, _ = call(capsys, "doctor")
    assert code == 3
    assert re.search(r"bad numbers 1 .*instead of 0000000000000000", " ".join(out.split()))
    assert "not our numbers" in out


def test_the_doctor_says_when_runs_cannot_be_kept(capsys: Captured, tmp_path: Path, monkeypatch: Any) -> None:
    case = doctoring.golden_cases()[0]
    use_golden(tmp_path, monkeypatch, [case | {"trajectory_sha256": doctoring.trajectory_of(case)}])
    monkeypatch.setenv("MESOCOSM_RUNS", "/proc/runs")
    code, out, _ = call(capsys, "doctor")
    assert code == 1
    assert "Set MESOCOSM_RUNS to a folder" in " ".join(out.split())


@pytest.mark.parametrize("cases", [None, []])
def test_the_doctor_vouches_for_nothing_without_known_numbers(
    cases: list[Any] | None, capsys: Captured, tmp_path: Path, monkeypatch: Any
) -> None:
    use_golden(tmp_path, monkeypatch, cases)
    assert call(capsys, "doctor")[0] == 3


def test_plot_writes_a_picture_in_two_formats(capsys: Captured, tmp_path: Path) -> None:
    place = short_run(capsys, tmp_path / "run", "--log", "epoch")
    code, out, _ = call(capsys, "plot", str(place), "--out", str(tmp_path / "pictures"))
    png, svg = (tmp_path / "pictures" / f"plot.{ending}" for ending in ("png", "svg"))
    assert code == 0
    assert str(png) in out
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in svg.read_bytes()[:500]
    svg_before = svg.read_bytes()
    call(capsys, "plot", str(place), "--out", str(tmp_path / "pictures"))
    assert svg.read_bytes() == svg_before


# --- screens, pipes, disks


def test_a_reader_that_leaves_early_is_no_error() -> None:
    outlet, inlet = os.pipe()
    os.close(outlet)  # as `| head` does once it has seen enough
    done = subprocess.run([*PROGRAM, "list"], stdout=inlet, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(inlet)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_without_a_traceback() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([*PROGRAM, "show", "baseline"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def seen_on_a_terminal(surroundings: dict[str, str], *words: str) -> str:
    """What a command writes to a terminal, control characters included."""
    process, handle = pty.fork()
    if process == 0:
        os.execve(PROGRAM[0], [*PROGRAM, *words], surroundings)
    seen = b""
    while select.select([handle], [], [], 60)[0]:
        try:
            part = os.read(handle, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.waitpid(process, 0)
    os.close(handle)
    return seen.decode()


def test_a_terminal_sees_a_live_line_and_colour_unless_it_does_not_want_it() -> None:
    plain = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    seen = seen_on_a_terminal(
        {name: value for name, value in plain.items() if name != "NO_COLOR"}, "run", "baseline", *SHORT
    )
    assert "epoch 1/2" in seen
    assert "toxicity true" in seen
    assert "\x1b[1m" in seen
    seen = seen_on_a_terminal({**plain, "NO_COLOR": "1"}, "run", "baseline", *SHORT)
    assert "epoch 2/2" in seen
    assert "\x1b[1m" not in seen


def test_a_terminal_that_knows_only_ascii_is_served(tmp_path: Path) -> None:
    done = spawned("run", "baseline", *SHORT, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "?" not in done.stdout


# --- parts of the table


def test_many_epochs_are_thinned_out_with_the_first_and_the_last() -> None:
    places = shown_epochs(1000)
    assert (places[0], places[-1], len(places)) == (0, 999, 20)
    gaps = {later - earlier for earlier, later in pairwise(places)}
    assert gaps <= {52, 53}


def test_a_metric_and_its_twin_are_neighbours_and_come_once() -> None:
    row = {"epoch": 0, "quality_gap": 0.1, "quality_gap_true": 0.2, "toxicity_rate": 0.3, "toxicity_true": 0.4}
    groups = groups_of([row], ["quality_gap_true", "toxicity_rate", "quality_gap"])
    assert [group.names for group in groups] == [
        ("quality_gap", "quality_gap_true"),
        ("toxicity_rate", "toxicity_true"),
    ]
    assert [group.title for group in groups] == ["quality gap", "toxicity"]


def test_a_table_names_what_it_has_no_room_for() -> None:
    rows = [{"epoch": 0, "toxicity_rate": 0.3, "toxicity_true": math.nan, "social_welfare": -12345.6}]
    table = EpochTable(rows, ["toxicity_rate", "social_welfare"], 30)
    assert table.left_out == ["social_welfare"]
    assert table.body() == ["    0   0.300      –"]


def test_flags_that_differ_by_their_epoch_are_told_once() -> None:
    flags = [f"no rejections in epoch {epoch}, so x is undefined" for epoch in range(12)]
    assert merged(["odd", *flags]) == [
        "odd",
        "no rejections in epochs 0, 1, 2, 3, 4, 5, 6, 7 and 4 more, so x is undefined",
    ]


def test_bars_rise_with_the_values_and_leave_gaps() -> None:
    assert sparkline([0.0, 0.5, 1.0, math.nan], 1.0) in ("▁▅█ ", "_=# ", "_+# ")
    assert len(sparkline([0.1] * 500, 1.0)) == 40
