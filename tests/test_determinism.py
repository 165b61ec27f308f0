"""The same seed gives the same bytes in every process, whatever surrounds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings

from mesocosm.config.load import scenario_to_dict
from mesocosm.config.schema import Scenario
from replay_child import __file__ as child
from scenario_strategy import IS_DEEP, scenarios
from trajectory import play, scenario

N_SCENARIOS = 500 if IS_DEEP else 20
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def generated(n: int) -> list[Scenario]:
    """So many scenarios over the whole schema, always the same ones."""
    found: list[Scenario] = []

    @settings(max_examples=n + 5, derandomize=True, phases=[Phase.generate])
    @given(scenarios())
    def collect(each: Scenario) -> None:
        found.append(each)

    collect()
    return found[-n:]


def vector_instructions() -> str:
    """Every instruction set of this CPU that NumPy chooses while running, so that it can be told to leave it."""
    umath = np._core._multiarray_umath  # type: ignore[attr-defined]
    return " ".join(name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name))


def start(file: Path, home: Path, changed: dict[str, str], umask: int) -> subprocess.Popen[str]:
    """Play the scenarios of a file in a fresh process of its own."""
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **changed}
    return subprocess.Popen(
        [sys.executable, child, str(file)], cwd=home, env=environment | {"HOME": str(home)}, umask=umask, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
def test_generated_scenarios_give_the_same_bytes_in_two_processes_that_differ_in_everything(tmp_path: Path) -> None:
    file = tmp_path / "scenarios.json"
    cast = generated(N_SCENARIOS)
    file.write_text(json.dumps([scenario_to_dict(each) for each in cast]), encoding="utf-8")
    plain = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"} | dict.fromkeys(THREADS, "1")
    other = {"PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "POSIX"} | dict.fromkeys(THREADS, "2")
    other["NPY_DISABLE_CPU_FEATURES"] = vector_instructions()
    both = [start(file, tmp_path / "one", plain, 0o022), start(file, tmp_path / "two", other, 0o077)]
    told = [process.communicate()[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert told[0] == told[1]
    assert len(set(told[0])) > N_SCENARIOS // 2, "most drawn scenarios are runs of their own (the smallest are alike)"
    assert told[0][:3] == [play([each]).hash() for each in cast[:3]]


def test_the_same_seed_gives_the_same_bytes_twice_and_another_seed_others() -> None:
    each = scenario()
    assert play([each], [5]).hash() == play([each], [5]).hash()
    assert play([each], [5]).hash() != play([each], [6]).hash()


def test_replicates_of_one_scenario_differ_only_by_their_seed() -> None:
    each = scenario()
    hashes = play([each, each, each], [5, 6, 5]).hashes
    assert hashes[0] == hashes[2] != hashes[1]
