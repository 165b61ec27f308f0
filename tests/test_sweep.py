"""Sweeps: cells are played once, the same however they are played, and survive whatever ends the program."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mesocosm.analysis.aggregation import result_of
from mesocosm.analysis.registration import MANIFEST, amendments, expected_of, write_expected
from mesocosm.analysis.study_plan import StudyPlan, missing_cells, plan_study, play_study
from mesocosm.config.load import load_scenario, with_overrides
from mesocosm.config.study import study_from_dict
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.log.files import is_abandoned
from mesocosm.runner import table
from mesocosm.runner.cells import Cell, CellStore, decode_cell, name_cells
from mesocosm.runner.drive import Plan, drive
from mesocosm.runner.sweep import FIRST_STEPS, _first_soon, in_shard
from mesocosm.runner.table import blocks_of, run_all

STUDY: dict[str, Any] = {
    "study_id": "small",
    "base": "baseline",
    "epochs": 2,
    "arms": {"audit": {"governance.random_audit.probability": 0.3}, "tax": {"governance.transaction_tax.rate": 0.2}},
    "primary": "toxicity_true",
    "smallest_effect": 0.01,
    "seeds": 4,
    "robustness": {"samples": 8, "seeds": 2, "arms": ["tax"], "ranges": {"payoff.h": [1.0, 3.0]}},
}


def small(**changes: Any) -> StudyPlan:
    return plan_study(study_from_dict(STUDY | changes))


def contents(folder: Path) -> dict[str, bytes]:
    """Every cell of a sweep, and nothing else in its place."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("cells/**/*") if file.is_file()}


def places(folder: Path) -> dict[str, tuple[int, int]]:
    """Of every cell, what would change if it were written again."""
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in folder.glob("cells/??/*.json")}


# --- cells


def test_a_cell_holds_what_the_run_alone_would_have_come_to(tmp_path: Path) -> None:
    plan = small()
    play_study(plan, tmp_path)
    for cell in plan.cells[::7]:
        told = CellStore(tmp_path).read(cell.name)
        assert told is not None
        alone = drive(Plan([cell.scenario], [cell.seed], "epoch", names=plan.asked.names, by_type=True))
        found = result_of(told)
        assert repr(found.whole) == repr({name: alone.whole[0][name] for name in sorted(alone.whole[0])})
        assert found.state == alone.states[0]
        for name in plan.asked.curves:
            assert repr([row[name] for row in found.rows]) == repr([row[name] for row in alone.rows[0]])


def test_a_cell_is_named_after_all_that_decides_it_and_nothing_else(tmp_path: Path) -> None:
    base = load_scenario("baseline")

    def name(*changes: str, seed: int = 1, metrics: tuple[str, ...] = ("toxicity_true",), plugins: Any = ()) -> str:
        return name_cells([(with_overrides(base, changes), seed)], metrics, plugins)[0].name

    plugin = tmp_path / "plugin.py"
    plugin.write_text("A = 1\n")
    with_plugin = name(plugins=[plugin])
    plugin.write_text("A = 2\n")
    names = [
        name(), name(seed=2), name(metrics=("harm_rate",)), name("payoff.theta=0.4"), name("simulation.epochs=3"),
        name("governance.sham.rate=0.1"), name("adaptation=frozen"), with_plugin, name(plugins=[plugin]),
    ]  # fmt: skip
    assert len(set(names)) == len(names)
    assert name("description=other", "simulation.seed=9", "log.level=epoch", "scenario_id=x") == name()


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "swap"])
def test_a_damaged_cell_is_noticed_and_played_again(tmp_path: Path, harm: str) -> None:
    plan = small()
    play_study(plan, tmp_path)
    good = contents(tmp_path)
    one, other = (CellStore(tmp_path).path(cell.name) for cell in plan.cells[:2])
    data = one.read_bytes()
    damage = {"cut": data[:-9], "flip": data.replace(b"0", b"1", 1), "empty": b"", "swap": other.read_bytes()}
    one.write_bytes(damage[harm])
    played = play_study(plan, tmp_path)
    assert (played.found, played.ran) == (len(good) - 1, 1)
    assert contents(tmp_path) == good


def test_every_changed_byte_of_a_cell_is_noticed(tmp_path: Path) -> None:
    plan = small()
    play_study(plan, tmp_path)
    cell = plan.cells[0].name
    data = CellStore(tmp_path).path(cell).read_bytes()
    assert decode_cell(data, cell)
    for place in range(0, len(data), 3):
        changed = bytearray(data)
        changed[place] ^= 1
        assert decode_cell(bytes(changed), cell) is None
        assert decode_cell(data[:place], cell) is None


def test_equal_arms_are_played_once(tmp_path: Path) -> None:
    plan = small(axes={"payoff.theta": [0.3, 0.5]})  # 0.5 is what the base has
    assert plan.places["", "theta=0.5"] == plan.places["", "base"]
    assert play_study(plan, tmp_path).cells == len({cell.name for cell in plan.cells}) < len(plan.cells)


# --- only what is missing


def test_a_finished_sweep_plays_nothing_and_more_seeds_only_the_new_ones(tmp_path: Path) -> None:
    first = play_study(small(), tmp_path)
    before = places(tmp_path)
    assert first.ran == first.cells == len(before)
    assert play_study(small(), tmp_path).ran == 0
    assert play_study(small(seeds=6), tmp_path).ran == 2 * 6  # two seeds of base, two arms and three controls
    assert before.items() <= places(tmp_path).items()


def test_shards_together_are_the_whole_and_merge_to_the_same_bytes(tmp_path: Path) -> None:
    plan = small()
    play_study(plan, tmp_path / "whole")
    parts = [tmp_path / f"part{number}" for number in (1, 2, 3)]
    ran = [play_study(plan, part, shard=(number, 3)).ran for number, part in enumerate(parts, 1)]
    assert sum(ran) == len(contents(tmp_path / "whole"))
    assert max(ran) - min(ran) <= 2
    assert missing_cells(plan, parts[0]) > 0
    merged = play_study(plan, tmp_path / "merged", merge=parts)
    assert merged.ran == 0
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")


@pytest.mark.parametrize("shard", [(0, 3), (4, 3), (-1, 1)])
def test_a_shard_that_cannot_be_is_refused(tmp_path: Path, shard: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="counts from 1"):
        play_study(small(), tmp_path, shard=shard)


def test_merging_what_is_no_sweep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="no cells of a sweep"):
        play_study(small(), tmp_path / "here", merge=[tmp_path / "other"])


# --- however it is played


def test_blocks_hold_every_run_once_and_are_about_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BLOCK_ROWS", 100)
    pairs = [(cell.scenario, cell.seed) for cell in small(seeds=20).cells]
    for parts in (1, 2, 3, 5):
        blocks = list(blocks_of(pairs, parts))
        assert sorted(place for block in blocks for place in block) == list(range(len(pairs)))
        assert max(map(len, blocks)) - min(map(len, blocks)) <= 2
        assert len(blocks) % parts == 0


def test_the_first_blocks_are_short_so_that_something_is_kept_within_seconds() -> None:
    base = load_scenario("baseline")
    pairs = [(base, seed) for seed in range(1800)]
    for workers in (1, 2, 4):
        blocks = list(blocks_of(pairs, workers))
        soon = _first_soon(pairs, blocks, workers)
        assert sorted(place for block in soon for place in block) == list(range(1800))
        sizes = [table.work_of(pairs, block) for block in soon]
        assert max(sizes) <= 500_000
        if max(table.work_of(pairs, block) for block in blocks) >= FIRST_STEPS:
            assert max(sizes[:workers]) <= max(sizes) / 3 + 500
    few = [[0, 1], [2]]
    assert _first_soon(pairs, few, 2) == few, "what is short anyway is not parted"


def test_pairs_of_any_structure_run_together_in_their_own_order() -> None:
    short = load_scenario("baseline", ["simulation.epochs=1"])
    long = load_scenario("baseline", ["simulation.epochs=2"])
    mixed = run_all([(short, 1), (long, 1), (short, 2)], ("toxicity_true",))
    assert [len(result.rows) for result in mixed] == [1, 2, 1]
    assert repr(mixed[2]) == repr(run_all([(short, 2)], ("toxicity_true",))[0])


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "small.yaml"
    path.write_text(json.dumps(STUDY | {"seeds": 20, "epochs": 4}))
    return path


@pytest.fixture(scope="module")
def whole(study_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Cells of the study, played in one process."""
    folder = tmp_path_factory.mktemp("whole")
    finish(study_file, folder, 1)
    return contents(folder)


def start(study: Path, folder: Path, workers: int, executor: str = "local") -> subprocess.Popen[str]:
    script = Path(__file__).with_name("sweep_in_blocks.py")
    command = [sys.executable, str(script), str(study), str(folder), str(workers), executor]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def finish(study: Path, folder: Path, workers: int, executor: str = "local") -> tuple[int, int]:
    """Play to the end; returns how many cells were found and how many ran."""
    process = start(study, folder, workers, executor)
    out, err = process.communicate()
    assert process.returncode == 0, err
    found, ran = map(int, out.split())
    return found, ran


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def test_workers_come_to_the_same_bytes_as_one_process(
    study_file: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    assert finish(study_file, tmp_path, 2) == (0, len(whole))
    assert contents(tmp_path) == whole


def test_two_sweeps_of_one_directory_do_not_harm_each_other(
    study_file: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    both = [start(study_file, tmp_path, 2) for _ in range(2)]
    for process in both:
        _, err = process.communicate()
        assert process.returncode == 0, err
    assert contents(tmp_path) == whole
    told = [json.loads(line) for line in (tmp_path / MANIFEST).read_text().splitlines()]
    assert sum("session" in line for line in told) == 2


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers of a sweep in /proc")
def test_killed_at_twenty_moments_nothing_is_lost_and_nothing_played_twice(
    study_file: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    luck = random.Random(20)
    kills = 0
    while kills < 20:
        folder = tmp_path / f"from_{kills}"
        for victims in ("parent", "worker", "both"):
            before = places(folder)
            process = start(study_file, folder, 2)
            time.sleep(luck.uniform(0.7, 1.6))
            workers = children(process.pid)
            if victims != "worker":
                os.kill(process.pid, signal.SIGKILL)
            for worker in workers if victims != "parent" else ():
                os.kill(worker, signal.SIGKILL)
            kills += 1
            _, err = process.communicate()
            assert process.returncode == (0 if victims == "worker" else -signal.SIGKILL) or not workers, err
            while any(Path(f"/proc/{worker}").exists() for worker in workers):
                time.sleep(0.05)  # orphans notice at their next epoch and end
            assert before.items() <= places(folder).items(), f"played again after a kill of {victims}"
        before = places(folder)
        assert finish(study_file, folder, 2)[0] == len(before)
        assert before.items() <= places(folder).items()
        assert contents(folder) == whole


def test_a_worker_that_dies_is_replaced_and_one_that_always_dies_is_told(
    study_file: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mesocosm.runner import pool
    from mesocosm.runner.worker import Asked

    cells = [Cell(cell.name, cell.scenario, cell.seed) for cell in small(seeds=4).cells]
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        pytest.raises(MesocosmError, match="3 times"),
        pool.WorkerPool(
            2, tmp_path, Asked(("toxicity_true",), ("toxicity_true",)), lambda number, share: None
        ) as workers,
    ):
        workers.play([cells[:2], cells[2:]])


def test_half_written_cells_of_the_dead_are_removed_and_those_of_the_living_left(tmp_path: Path) -> None:
    play_study(small(), tmp_path)
    good = contents(tmp_path)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    from mesocosm.log.files import _host

    folder = next((tmp_path / "cells").iterdir())
    left = folder / f".{'a' * 32}.json.{_host()}.{dead.pid}.partial"
    living = folder / f".{'b' * 32}.json.{_host()}.{os.getpid()}.partial"
    elsewhere = folder / f".{'c' * 32}.json.another-host.{dead.pid}.partial"
    for file in (left, living, elsewhere):
        file.write_bytes(b"{")
    assert is_abandoned(left)
    play_study(small(), tmp_path)
    assert not left.exists()
    assert living.exists()
    assert elsewhere.exists()
    assert good.items() <= contents(tmp_path).items()


@pytest.mark.slow
def test_a_ray_cluster_of_two_workers_comes_to_the_same_bytes(
    study_file: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="needs the extra `ray`")
    assert finish(study_file, tmp_path, 2, "ray") == (0, len(whole))
    assert contents(tmp_path) == whole
    assert finish(study_file, tmp_path, 2, "local")[0] == len(whole)


# --- what was expected


def test_what_is_expected_is_written_down_before_the_first_run_and_changing_it_later_is_told(tmp_path: Path) -> None:
    play_study(small(), tmp_path)
    assert amendments(tmp_path) == []
    play_study(small(), tmp_path)
    assert amendments(tmp_path) == []
    play_study(small(expect="falls", smallest_effect=0.02), tmp_path)
    told = amendments(tmp_path)
    assert len(told) == 2
    assert "expect changed from either to falls" in told[0]
    assert "smallest_effect changed from 0.01 to 0.02" in told[1]


def test_seeds_added_after_looking_are_told(tmp_path: Path) -> None:
    play_study(small(), tmp_path)
    play_study(small(seeds=6), tmp_path)
    (told,) = amendments(tmp_path)
    assert "seeds changed from 1000-1003 to 1000-1005 on" in told


def test_a_change_of_mind_before_the_first_run_is_nobodys_business(tmp_path: Path) -> None:
    play_study(small(), tmp_path, shard=(10**6, 10**6))
    play_study(small(expect="falls"), tmp_path)
    assert amendments(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"arms": {"audit": {"governance.random_audit.probability": 0.5}, "tax": STUDY["arms"]["tax"]}},
         ["what is played as audit changed on"]),
        ({"set": {"payoff.h": 3.0}}, ["set changed from {} to", "what is played as base, audit, tax changed on"]),
        ({"epochs": 3}, ["epochs changed from 2 to 3", "what is played as base, audit, tax changed"]),
        ({"metrics": ["brier"]}, ["metrics changed from [] to"]),
        ({"settings": {"harsh": {"payoff.h": 3.0}}}, ["settings changed from"]),
        ({"interval": "bca", "seeds": 40}, ["interval changed from t to bca", "seeds changed"]),
        ({"robustness": None}, ["robustness changed from"]),
    ],
)  # fmt: skip
def test_what_an_arm_is_cannot_change_unnoticed(changes: dict[str, Any], told: list[str], tmp_path: Path) -> None:
    play_study(small(), tmp_path)
    write_expected(tmp_path, expected_of(small(**changes).design), 30)
    found = amendments(tmp_path)
    assert len(found) == len(told)
    for text, expected in zip(found, told, strict=True):
        assert expected in text
        assert "when 30 runs were there already" in text


def test_a_scenario_file_edited_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    base = load_scenario("baseline")
    for h in (2.0, 3.0):
        changed = with_overrides(base, [f"payoff.h={h}"])
        write_expected(tmp_path, expected_of(study_from_dict(STUDY, changed)), 5)
    assert "what is played as base, audit, tax changed" in amendments(tmp_path)[-1]


def test_a_merge_carries_over_what_was_expected_where_the_runs_come_from(tmp_path: Path) -> None:
    play_study(small(expect="falls"), tmp_path / "old")
    play_study(small(expect="rises"), tmp_path / "new", merge=[tmp_path / "old"])
    (told,) = amendments(tmp_path / "new")
    cells = len(contents(tmp_path / "old"))
    assert f"expect changed from falls to rises on {time.strftime('%Y')}" in told
    assert f"when {cells} runs were taken from {tmp_path / 'old'}" in told
    lines = [json.loads(line) for line in (tmp_path / "new" / MANIFEST).read_text().splitlines()]
    assert [line["cells_then"] for line in lines if "registered" in line] == [cells]


def test_a_merge_carries_over_what_was_amended_before(tmp_path: Path) -> None:
    play_study(small(expect="falls"), tmp_path / "old")
    play_study(small(), tmp_path / "old")
    play_study(small(), tmp_path / "new", merge=[tmp_path / "old"])
    (told,) = amendments(tmp_path / "new")
    assert told.startswith(f"in {tmp_path / 'old'}, expect changed from falls to either")


def test_shards_that_expected_the_same_merge_without_a_word(tmp_path: Path) -> None:
    for number in (1, 2):
        play_study(small(), tmp_path / str(number), shard=(number, 2))
    play_study(small(), tmp_path / "all", merge=[tmp_path / "1", tmp_path / "2"])
    assert amendments(tmp_path / "all") == []


def test_a_manifest_that_is_gone_is_told(tmp_path: Path) -> None:
    play_study(small(), tmp_path)
    (tmp_path / MANIFEST).unlink()
    assert amendments(tmp_path) == ["nothing tells what was expected before the first run"]
    play_study(small(), tmp_path)
    (told,) = amendments(tmp_path)
    assert "what had been before is not known" in told
    play_study(small(), tmp_path / "new", merge=[tmp_path])
    assert "what had been before is not known" in amendments(tmp_path / "new")[0]


@pytest.mark.parametrize("harm", [b"{", b"\xff\xfe\n", b"[]\n", b'{"registered": {"base": "x"'])
def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path, harm: bytes) -> None:
    play_study(small(), tmp_path)
    data = (tmp_path / MANIFEST).read_bytes()
    (tmp_path / MANIFEST).write_bytes(data + harm)
    assert "1 line of manifest.jsonl cannot be read" in amendments(tmp_path)[0]
    play_study(small(expect="falls"), tmp_path)
    assert "expect changed from either to falls" in amendments(tmp_path)[1], "what came later is whole"


def test_shards_part_the_cells() -> None:
    cells = small().cells
    parts = [in_shard(cells, (number, 4)) for number in (1, 2, 3, 4)]
    assert sorted(cell.name for part in parts for cell in part) == sorted(cell.name for cell in cells)
