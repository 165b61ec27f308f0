"""A run that was cut, wherever and by whatever, goes on to the bytes of the uninterrupted one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mesocosm as mc
from forged_log import forge
from mesocosm.agents.contract import Action, BaseAgent, InteractionOutcome, InteractionProposal, Observation, agent
from mesocosm.api import Enact, Kill
from mesocosm.config.load import load_scenario, scenario_from_dict, scenario_to_dict
from mesocosm.config.schema import Scenario
from mesocosm.errors import LogDamaged, MesocosmError, ReplayDiffers, UsageError
from mesocosm.log.integrity import recover
from mesocosm.runner import directory
from mesocosm.runner.inputs import orders_of
from mesocosm.runner.runner import Run, load_run, resume, run

LEVELS = ("full", "columns", "epoch")
SHORT = ("simulation.epochs=4", "simulation.steps_per_epoch=1")


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run: where it lies and the bytes of its log."""

    path: Path
    log: bytes
    run: Run

    def cut(self, target: Path, at: int) -> Path:
        """A copy of the run whose log ends after so many bytes; returns the log."""
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.path, target)
        (target / "events.jsonl").write_bytes(self.log[:at])
        return target / "events.jsonl"

    def ends(self) -> list[int]:
        """Offsets at which a line ends, 0 included."""
        return [0, *(place + 1 for place, byte in enumerate(self.log) if byte == 10)]


def whole_run(path: Path, level: str, scenario: str | Scenario = "status_game", **options: Any) -> Whole:
    overrides = SHORT if isinstance(scenario, str) else ()
    made = run(scenario, overrides=overrides, output=path, level=level, **options)
    return Whole(path, made.log_path.read_bytes(), made)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Whole]:
    """One uninterrupted run per level, never changed by a test."""
    return {level: whole_run(tmp_path_factory.mktemp(level) / "whole", level) for level in LEVELS}


def check_resumes(whole: Whole, target: Path, cuts: Sequence[int]) -> None:
    """Every cut goes on to the same bytes, rows and reason."""
    for at in cuts:
        path = whole.cut(target, at)
        made = resume(target)
        assert path.read_bytes() == whole.log, f"cut at byte {at} of {len(whole.log)}"
        assert repr((made.rows, made.reason, made.trajectory)) == repr(
            (whole.run.rows, whole.run.reason, whole.run.trajectory)
        )


def telling_cuts(whole: Whole, last: int, n_random: int) -> list[int]:
    """Around the ends of the last lines, one within each of them, and anywhere."""
    luck = np.random.default_rng(len(whole.log))
    ends = whole.ends()[-last - 1 :]
    within = [int(luck.integers(one + 1, other)) for one, other in pairwise(ends)]
    around = [end + step for end in ends[:-1] for step in (-1, 0, 1)]
    anywhere = luck.integers(0, len(whole.log), n_random).tolist()
    return sorted({at for at in [*within, *around, *anywhere, len(whole.log) - 1] if 0 <= at < len(whole.log)})


@pytest.mark.parametrize(("level", "last", "n_random"), [("full", 12, 100), ("columns", 4, 8), ("epoch", 5, 10)])
def test_a_run_cut_at_many_places_resumes_to_the_uninterrupted_bytes(
    wholes: dict[str, Whole], tmp_path: Path, level: str, last: int, n_random: int
) -> None:
    whole = wholes[level]
    if level == "full":
        assert whole.log.count(b"\n") > 200
    check_resumes(whole, tmp_path / "cut", telling_cuts(whole, last, n_random))


@pytest.mark.parametrize("level", LEVELS)
def test_every_cut_within_the_last_lines_leaves_the_same_good_part(
    wholes: dict[str, Whole], tmp_path: Path, level: str
) -> None:
    """What is resumed from is the good part alone, so that one cut within each line stands for all of them."""
    whole = wholes[level]
    path = whole.cut(tmp_path / "cut", len(whole.log))
    ends = whole.ends()
    for at in range(len(whole.log) - 1, len(whole.log) - 3000, -1 if level != "columns" else -13):
        os.truncate(path, at)
        found = recover(path)
        assert (found.cut, found.complete) == (True, False)
        assert found.good_bytes == max(end for end in ends if end <= at)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("at", [0, 1, 100, -2, -1])
def test_a_run_directory_cut_within_the_header_resumes_from_its_scenario(
    wholes: dict[str, Whole], tmp_path: Path, level: str, at: int
) -> None:
    whole = wholes[level]
    first = whole.ends()[1]
    check_resumes(whole, tmp_path / "cut", [at if at >= 0 else first + at])


def test_a_run_directory_that_never_came_to_its_log_resumes_too(wholes: dict[str, Whole], tmp_path: Path) -> None:
    whole = wholes["full"]
    path = whole.cut(tmp_path / "cut", 0)
    path.unlink()
    (tmp_path / "cut" / "manifest.json").unlink()
    resume(tmp_path / "cut")
    assert path.read_bytes() == whole.log


def test_a_log_alone_cut_within_its_header_says_that_nobody_knows_what_was_run(
    wholes: dict[str, Whole], tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    for at in (0, 50):
        path.write_bytes(wholes["full"].log[:at])
        with pytest.raises(UsageError, match=r"not even the first line is whole.* Delete it and run it anew"):
            resume(path)
        assert path.read_bytes() == wholes["full"].log[:at]


def test_a_log_alone_resumes_from_its_own_header(wholes: dict[str, Whole], tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(wholes["full"].log[:-5])
    assert resume(path).reason == "completed"
    assert path.read_bytes() == wholes["full"].log
    assert [each.name for each in tmp_path.iterdir()] == ["run.jsonl"]


def test_a_run_cut_again_and_again_comes_to_the_same_bytes(wholes: dict[str, Whole], tmp_path: Path) -> None:
    whole = wholes["full"]
    path = whole.cut(tmp_path / "cut", 10_000)
    for at in (20_000, 70_000, 15_000, 50_000):
        resume(tmp_path / "cut")
        os.truncate(path, at)
    resume(tmp_path / "cut")
    assert path.read_bytes() == whole.log


def test_a_tail_of_zeros_as_a_power_cut_leaves_it_counts_as_a_cut(wholes: dict[str, Whole], tmp_path: Path) -> None:
    whole = wholes["full"]
    path = whole.cut(tmp_path / "cut", 30_000)
    path.write_bytes(path.read_bytes() + b"\x00" * 4096)
    resume(tmp_path / "cut")
    assert path.read_bytes() == whole.log


def test_a_complete_run_refuses_to_resume(wholes: dict[str, Whole], tmp_path: Path) -> None:
    for level in LEVELS:
        path = wholes[level].cut(tmp_path / level, len(wholes[level].log))
        before = {file: file.read_bytes() for file in (tmp_path / level).rglob("*") if file.is_file()}
        with pytest.raises(UsageError, match="this run is complete; there is nothing to resume"):
            resume(path.parent)
        assert before == {file: file.read_bytes() for file in (tmp_path / level).rglob("*") if file.is_file()}


@pytest.mark.parametrize("place", [10, 5_000, 30_000, 59_990])
def test_a_damaged_log_is_refused_with_the_place_and_left_as_it_is(
    wholes: dict[str, Whole], tmp_path: Path, place: int
) -> None:
    whole = wholes["full"]
    path = whole.cut(tmp_path / "cut", 60_000)
    spoilt = bytearray(path.read_bytes())
    assert whole.log[60_000 - 1 :].find(b"\n") > 0
    spoilt[place if place < 50_000 else whole.log.rindex(b"\n", 0, 60_000) - 30] ^= 4
    path.write_bytes(spoilt)
    before = {file: file.read_bytes() for file in (tmp_path / "cut").rglob("*") if file.is_file()}
    with pytest.raises(LogDamaged) as damage:
        resume(tmp_path / "cut")
    at = next(n for n, (one, other) in enumerate(zip(spoilt, whole.log, strict=False)) if one != other)
    assert damage.value.line == whole.log[:at].count(b"\n") + 1
    assert damage.value.offset == whole.log.rfind(b"\n", 0, at) + 1
    assert before == {file: file.read_bytes() for file in (tmp_path / "cut").rglob("*") if file.is_file()}


def test_a_run_whose_shard_is_gone_is_refused(wholes: dict[str, Whole], tmp_path: Path) -> None:
    whole = wholes["columns"]
    path = whole.cut(tmp_path / "cut", len(whole.log) - 10)
    gone = min((tmp_path / "cut" / "shards").iterdir())
    gone.unlink()
    before = path.read_bytes()
    with pytest.raises(LogDamaged, match=gone.name):
        resume(tmp_path / "cut")
    assert path.read_bytes() == before


def test_a_shard_half_written_by_a_power_cut_is_written_again(wholes: dict[str, Whole], tmp_path: Path) -> None:
    """A shard that no line speaks of yet is not part of the log, whatever is in it."""
    whole = wholes["columns"]
    path = whole.cut(tmp_path / "cut", whole.ends()[3])
    for shard in sorted((tmp_path / "cut" / "shards").iterdir()):
        if shard.name.startswith("epoch_000002"):
            shard.write_bytes(b"rubbish")
    resume(tmp_path / "cut")
    assert path.read_bytes() == whole.log
    assert mc.replay(tmp_path / "cut").complete


def test_a_run_of_another_model_does_not_go_on_here(wholes: dict[str, Whole], tmp_path: Path) -> None:
    path = wholes["full"].cut(tmp_path / "cut", len(wholes["full"].log))
    forge(path, path, lambda record: record["kind"] == "header" and record.update(model="mesocosm-0"))
    os.truncate(path, 40_000)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="started by model 'mesocosm-0', and this is 'mesocosm-4'"):
        resume(tmp_path / "cut")
    assert path.read_bytes() == before


def test_a_cut_log_that_the_model_does_not_give_is_refused_and_kept(wholes: dict[str, Whole], tmp_path: Path) -> None:
    path = wholes["full"].cut(tmp_path / "cut", len(wholes["full"].log))
    forge(path, path, lambda record: record["kind"] == "interaction" and record.update(trust=0.5))
    os.truncate(path, 40_000)
    before = path.read_bytes()
    with pytest.raises(ReplayDiffers, match=r"\(interaction, epoch 0, step 0, turn 0\): trust differs"):
        resume(tmp_path / "cut")
    assert path.read_bytes() == before


def test_a_resumed_run_says_in_its_manifest_that_it_is_completed(wholes: dict[str, Whole], tmp_path: Path) -> None:
    whole = wholes["full"]
    whole.cut(tmp_path / "cut", 30_000)
    assert load_run(tmp_path / "cut").reason == "cut"
    facts = directory.read_manifest(tmp_path / "cut")
    directory.write_manifest(tmp_path / "cut", {key: facts[key] for key in ("run", "seed")} | {"status": "running"})
    seen: list[int] = []
    made = resume(tmp_path / "cut", progress=lambda epoch, row: seen.append(epoch))
    after = directory.read_manifest(tmp_path / "cut")
    assert (after["status"], after["epochs"], after["trajectory_sha256"]) == ("completed", 4, whole.run.trajectory)
    assert after["flags"] == facts["flags"] == made.flags
    assert seen == [0, 1, 2, 3]


# what came from outside


TAXED = {"governance": {"transaction_tax": {"rate": 0.0}}}


def taxed_scenario() -> Scenario:
    base = scenario_to_dict(load_scenario("status_game", SHORT))
    return scenario_from_dict(base | TAXED)


@pytest.mark.parametrize("level", LEVELS)
def test_a_run_with_orders_resumes_to_the_same_bytes_once_they_are_in_the_log(tmp_path: Path, level: str) -> None:
    orders = [(1, 1, 0, Enact("transaction_tax", "rate", 0.4)), (3, 3, 1, Kill("enough"))]
    whole = whole_run(tmp_path / "whole", level, taxed_scenario(), orders=orders)
    assert whole.run.reason == "enough"
    lines = [number for number, line in enumerate(whole.log.splitlines()) if b'"kind":"input"' in line]
    assert len(lines) == 2
    ends = whole.ends()
    check_resumes(whole, tmp_path / "cut", [ends[lines[1] + 1], ends[lines[1] + 1] + 3, ends[-2], ends[-1] - 1])


def test_an_order_that_the_cut_took_away_was_never_given(tmp_path: Path) -> None:
    kill = [(2, 2, 1, Kill("enough"))]
    killed = whole_run(tmp_path / "killed", "full", taxed_scenario(), orders=kill)
    free = whole_run(tmp_path / "free", "full", taxed_scenario())
    before = killed.log.index(b'"kind":"input"')
    killed.cut(tmp_path / "cut", before)
    assert resume(tmp_path / "cut").reason == "completed"
    assert (tmp_path / "cut" / "events.jsonl").read_bytes() == free.log


def test_a_resumed_run_can_be_killed_and_then_verifies(wholes: dict[str, Whole], tmp_path: Path) -> None:
    wholes["full"].cut(tmp_path / "cut", 30_000)
    reached: list[int] = []
    made = resume(
        tmp_path / "cut",
        progress=lambda epoch, row: reached.append(epoch),
        stop=lambda: "tired" if reached == [0, 1, 2] else None,
    )
    assert (made.reason, len(made.rows)) == ("tired", 3)
    assert orders_of(made.log) == [(3, 3, 0, Kill("tired"))]
    told = mc.replay(tmp_path / "cut")
    assert (told.complete, told.reason) == (True, "tired")


def test_a_resumed_run_that_is_killed_within_its_old_part_is_refused(wholes: dict[str, Whole], tmp_path: Path) -> None:
    """The old part of the log already says that the run went on there."""
    path = wholes["full"].cut(tmp_path / "cut", 60_000)
    with pytest.raises(MesocosmError):
        resume(tmp_path / "cut", stop=lambda: "at once")
    assert path.read_bytes() == wholes["full"].log[:60_000]


# agents from outside


def register_moody(mood: Iterator[float] | None) -> None:
    """Agents whose dealings hang on what they have lived through and, if they have one, on a mood of their own."""

    @agent("moody")
    class Moody(BaseAgent):
        """Deals by mood."""

        def __init__(self) -> None:
            self.lived = 0.0

        def propose_interaction(self, observation: Observation) -> InteractionProposal | None:
            luck = next(mood) if mood is not None else (observation.luck + self.lived) % 1.0
            if not observation.candidates or luck < 0.2:
                return None
            return InteractionProposal(observation.candidates[0].agent_id, effort=1.0 if luck < 0.7 else 0.0)

        def accept_interaction(self, proposal: InteractionProposal) -> bool:
            return proposal.luck < 0.8

        def select_action(self, observation: Observation) -> Action:
            return Action("post", f"lived through {self.lived:.6f}") if observation.luck < 0.5 else Action("pass")

        def update_state(self, outcome: InteractionOutcome) -> None:
            self.lived += outcome.payoff


def moody_scenario() -> Scenario:
    mapping = scenario_to_dict(load_scenario("baseline", ["simulation.epochs=2", "simulation.steps_per_epoch=4"]))
    groups = [group | {"type": "moody", "params": {}} for group in mapping["agents"] if group["type"] == "honest"]
    others = [group for group in mapping["agents"] if group["type"] != "honest"]
    return scenario_from_dict(mapping | {"agents": [*groups, *others]})


@pytest.mark.usefixtures("registries_as_they_were")
@pytest.mark.parametrize("level", LEVELS)
def test_a_run_of_agents_from_outside_resumes_to_the_same_bytes(tmp_path: Path, level: str) -> None:
    register_moody(None)
    whole = whole_run(tmp_path / "whole", level, moody_scenario())
    assert b'"kind":"input"' in whole.log
    check_resumes(whole, tmp_path / "cut", telling_cuts(whole, 2, 12))


@pytest.mark.usefixtures("registries_as_they_were")
def test_agents_that_would_decide_otherwise_keep_to_what_the_log_says(tmp_path: Path) -> None:
    luck = np.random.default_rng(5)
    register_moody(iter(lambda: float(luck.random()), None))
    whole = whole_run(tmp_path / "whole", "full", moody_scenario())
    for at in np.random.default_rng(6).integers(len(whole.log) // 8, len(whole.log), 8).tolist():
        path = whole.cut(tmp_path / "cut", at)
        resume(tmp_path / "cut")
        good = whole.log.rfind(b"\n", 0, at) + 1
        assert path.read_bytes()[:good] == whole.log[:good]
        assert mc.replay(tmp_path / "cut").complete


# killed by the system


CHILD = (
    "import sys, mesocosm as mc; from mesocosm.runner.runner import run; print('ready', flush=True); "
    "run('baseline', output=sys.argv[1], level=sys.argv[2], durable=sys.argv[3] == 'durable', epochs=int(sys.argv[4]))"
)
KILLS = [*[("full", "durable")] * 8, *[("full", "usual")] * 6, *[("columns", "usual")] * 4, *[("epoch", "durable")] * 2]


def kill_at(path: Path, words: Sequence[str], size: int, delay: float) -> int:
    """Start a run in a process of its own, kill it once its log has so many bytes; returns the bytes it left."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", CHILD, str(path), *words]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    log = path / "events.jsonl"
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        while child.poll() is None and not (log.exists() and log.stat().st_size >= size):
            time.sleep(0.0005)
        time.sleep(delay)
    finally:
        child.kill()
        child.communicate()
    return log.stat().st_size


def check_kills(folder: Path, kills: Sequence[tuple[str, str]], epochs: int, luck: np.random.Generator) -> None:
    """Kill runs at random moments; every one of them resumes to the uninterrupted bytes."""
    wholes = {level: run("baseline", output=folder / level, level=level, epochs=epochs) for level in LEVELS}
    logs = {level: made.log_path.read_bytes() for level, made in wholes.items()}
    left = []
    for number, (level, durable) in enumerate(kills):
        path = folder / f"killed_{number}"
        words = (level, durable, str(epochs))
        wanted, delay = int(luck.integers(0, len(logs[level]))), float(luck.uniform(0.0, 0.003))
        size = kill_at(path, words, wanted, delay)
        for _ in range(5):  # on a busy machine a run may end before the kill reaches it
            if size < len(logs[level]):
                break
            shutil.rmtree(path)
            size = kill_at(path, words, wanted, delay)
        left.append(size / len(logs[level]))
        if size < len(logs[level]):
            assert directory.read_manifest(path)["status"] == "running"
            resume(path)
        assert (path / "events.jsonl").read_bytes() == logs[level], (level, durable, size)
        names = [{file.relative_to(place) for file in place.rglob("*")} for place in (path, wholes[level].path)]
        assert names[0] == names[1]
        shutil.rmtree(path)
    assert sum(0.0 < share < 1.0 for share in left) >= len(kills) // 2, f"too few kills hit a run in its course: {left}"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_run_killed_at_20_random_moments_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    assert len(KILLS) == 20
    check_kills(tmp_path, KILLS, 5, np.random.default_rng(99))
