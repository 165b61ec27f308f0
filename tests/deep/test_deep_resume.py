"""Every cut of a small run, and hundreds of killed processes: each resumes to the uninterrupted bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesocosm.errors import LogDamaged
from mesocosm.runner.replay import replay
from test_resume import KILLS, LEVELS, check_kills, check_resumes, whole_run

pytestmark = pytest.mark.deep


@pytest.mark.parametrize("level", LEVELS)
def test_every_cut_in_the_last_3000_bytes_resumes(tmp_path: Path, level: str) -> None:
    whole = whole_run(tmp_path / "whole", level)
    check_resumes(whole, tmp_path / "cut", range(len(whole.log) - 3000, len(whole.log)))


@pytest.mark.parametrize("level", LEVELS)
def test_two_thousand_random_cuts_resume(tmp_path: Path, level: str) -> None:
    whole = whole_run(tmp_path / "whole", level)
    check_resumes(whole, tmp_path / "cut", np.random.default_rng(8).integers(0, len(whole.log), 2000).tolist())


def test_a_thousand_killed_runs_resume(tmp_path: Path) -> None:
    for batch in range(50):
        folder = tmp_path / str(batch)
        folder.mkdir()
        check_kills(folder, KILLS, 12, np.random.default_rng(1000 + batch))


def test_every_flipped_byte_of_a_log_with_every_event_is_detected(tmp_path: Path) -> None:
    whole = whole_run(tmp_path / "whole", "full")
    path = tmp_path / "flipped.jsonl"
    luck = np.random.default_rng(21)
    for place in range(len(whole.log)):
        changed = bytearray(whole.log)
        changed[place] ^= 1 << int(luck.integers(8))
        path.write_bytes(changed)
        with pytest.raises(LogDamaged) as damage:
            replay(path)
        assert damage.value.line == whole.log[:place].count(b"\n") + 1
