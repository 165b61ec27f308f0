"""The process that plays a run for the dashboard: ``python -m mesocosm.dashboard.play RUN_DIRECTORY``.

It ends with the server that started it, wherever the run stands then: the log stays a good beginning.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mesocosm.cli.run import read_back
from mesocosm.config.load import load_scenario
from mesocosm.dashboard.pace import Pace, PageGone
from mesocosm.errors import MesocosmError
from mesocosm.log.files import EVENTS
from mesocosm.log.integrity import glance
from mesocosm.log.read import read_log
from mesocosm.runner import runner
from mesocosm.runner.directory import SCENARIO
from mesocosm.runner.runner import Run


def play_for_page(arguments: Sequence[str]) -> int:
    """Play or go on with the run of a directory; returns the exit code."""
    folder, parent = Path(arguments[0]), os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server; this process then sees that it has gone
    try:
        made = play(folder, parent)
        read_back(made, parquet=True)
    except PageGone:
        return 0
    except MesocosmError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def play(folder: Path, parent: int) -> Run:
    """Play the scenario of a directory into its log at the pace that the page asks for, or go on with it.

    Params   parent: the process of the page; when it is no longer that of this one, the run ends.
    """
    scenario = load_scenario(folder / SCENARIO)
    known = _epochs_there(folder)
    may_stop = scenario.safety.kill_switch_enabled
    pace = Pace(folder, known or 0, may_stop, lambda: os.getppid() != parent)
    asked: dict[str, Any] = {"hold": pace.hold, "stop": pace.stop, "progress": pace.epoch_done}
    made = runner.run(scenario, output=folder, **asked) if known is None else runner.resume(folder, **asked)
    pace.say("ended")
    return made


def _epochs_there(folder: Path) -> int | None:
    """How many epochs the log of a cut run holds; None when nothing was logged yet."""
    if not (folder / EVENTS).is_file():
        return None
    return len(read_log(folder).checkpoints) if glance(folder).header is not None else 0


if __name__ == "__main__":
    sys.exit(play_for_page(sys.argv[1:]))
