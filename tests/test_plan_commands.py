"""The commands that the plan verifies itself with, word for word, from the root of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mesocosm.log.integrity import verify_log
from mesocosm.runner.runner import load_run

BASELINE = "scenarios/baseline.yaml"
PATH = os.pathsep.join(filter(None, sys.path))


@pytest.fixture
def root(checkout: Path, tmp_path: Path) -> Path:
    """A folder that looks like the root of the checkout, where the commands may leave what they write."""
    (tmp_path / "scenarios").symlink_to(checkout / "scenarios", target_is_directory=True)
    return tmp_path


def python(root: Path, words: str) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` at the root."""
    environment = {name: value for name, value in os.environ.items() if name != "MESOCOSM_RUNS"}
    return subprocess.run(
        [sys.executable, *words.split()], cwd=root, env=environment | {"PYTHONPATH": PATH},
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


def only_run(root: Path) -> Path:
    [path] = (root / "runs").iterdir()
    return path


def test_the_smoke_test_runs_ten_epochs(root: Path) -> None:
    done = python(root, f"-m mesocosm.runner.runner {BASELINE} --epochs 10")
    assert done.returncode == 0, done.stderr
    assert "toxicity" in done.stdout
    made = load_run(only_run(root))
    assert (len(made.rows), made.scenario.scenario_id) == (10, "baseline")
    assert only_run(root).name in done.stdout, "it says where the run is"


def test_the_governance_test_overrides_the_tax(root: Path) -> None:
    words = f"-m mesocosm.runner.runner {BASELINE} --override governance.transaction_tax_rate=0.1 --epochs 50"
    done = python(root, words)
    assert done.returncode == 0, done.stderr
    made = load_run(only_run(root))
    assert len(made.rows) == 50
    assert made.scenario.governance["transaction_tax"]["rate"] == 0.1
    assert made.log.columns("interaction", ["c_a"])["c_a"].any(), "the tax is levied"


def test_the_replay_pair_verifies_and_a_flipped_byte_does_not(root: Path) -> None:
    done = python(root, f"-m mesocosm.runner.runner {BASELINE} --epochs 10 --output run_001.jsonl")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in root.iterdir()) == ["run_001.jsonl", "scenarios"]

    done = python(root, "-m mesocosm.runner.replay run_001.jsonl --verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("verified")
    assert verify_log(root / "run_001.jsonl").trajectory in done.stdout

    whole = bytearray((root / "run_001.jsonl").read_bytes())
    place = int(np.random.default_rng(3).integers(len(whole)))
    whole[place] ^= 1
    (root / "run_001.jsonl").write_bytes(whole)
    done = python(root, "-m mesocosm.runner.replay run_001.jsonl --verify")
    assert done.returncode == 3
    assert f"run_001.jsonl:{whole[:place].count(10) + 1} " in done.stderr
    assert "verified" not in done.stdout
    assert "Traceback" not in done.stderr


def test_replay_tells_a_machine_what_it_tells_a_person(root: Path) -> None:
    python(root, f"-m mesocosm.runner.runner {BASELINE} --epochs 1 --output run_001.jsonl")
    done = python(root, "-m mesocosm.runner.replay run_001.jsonl --verify --json")
    told = msgspec.json.decode(done.stdout)
    assert (done.returncode, told["verified"], told["complete"], told["epochs"]) == (0, True, True, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-m mesocosm.runner.runner scenarios/basline.yaml --epochs 10", "baseline"),
        (f"-m mesocosm.runner.runner {BASELINE} --override governance.transaction_taxx_rate=0.1", "transaction_tax"),
        (f"-m mesocosm.runner.runner {BASELINE} --epochs none", "epochs"),
        ("-m mesocosm.runner.replay run_002.jsonl --verify", "run_002.jsonl"),
    ],
)
def test_a_slip_in_a_plan_command_is_answered_in_words(root: Path, words: str, said: str) -> None:
    done = python(root, words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (root / "runs").exists()
