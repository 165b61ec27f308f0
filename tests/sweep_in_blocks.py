"""Plays a study in many small blocks, as a process of its own that a test may kill: STUDY FOLDER WORKERS [EXECUTOR]."""

from __future__ import annotations

import sys
from pathlib import Path

from mesocosm.analysis.study_plan import plan_study, play_study
from mesocosm.config.study import load_study
from mesocosm.runner import table

if __name__ == "__main__":
    table.BLOCK_ROWS = 200
    table.BLOCK_STEPS = 4_000
    study, folder, workers, *executor = sys.argv[1:]
    played = play_study(
        plan_study(load_study(study)), Path(folder), workers=int(workers), executor=(executor or ["local"])[0]
    )
    print(played.found, played.ran)
