"""Starting runs from the page: each is played by a process of its own, into a new directory under the run root."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from mesocosm.config.load import dump_scenario
from mesocosm.config.schema import Scenario
from mesocosm.dashboard.pace import Wish, write_wish
from mesocosm.dashboard.places import Openable, has_file
from mesocosm.errors import UsageError
from mesocosm.log.files import write_atomic
from mesocosm.runner import directory

PLAYED = "play.log"
AT_ONCE = 8
_players: dict[str, subprocess.Popen[bytes]] = {}
_trying = threading.Lock()


def begin(scenario: Scenario, wish: Wish) -> str:
    """Begin to play a scenario in another process; returns the id of the run.

    Raises   UsageError when too many runs are being played for this page already.
    """
    _refuse_another()
    folder = directory.make_directory(scenario, scenario.simulation.seed)
    write_atomic(folder / directory.SCENARIO, dump_scenario(scenario).encode())
    write_wish(folder, wish)
    facts = {
        "run": folder.name,
        "status": "running",
        "seed": scenario.simulation.seed,
        "scenario_id": scenario.scenario_id,
        "started": directory.now(),
    }
    directory.write_manifest(folder, facts)
    _play(folder)
    return folder.name


def go_on(place: Openable, wish: Wish) -> None:
    """Go on with a run that was cut, in another process.

    Raises   UsageError when it is being played, or too many runs are.
    """
    _refuse_another()
    if is_played_here(place.run_id):
        raise UsageError("this run is being played already.")
    write_wish(place.path, wish)
    _play(place.path)


def _refuse_another() -> None:
    if sum(is_played_here(run_id) for run_id in list(_players)) >= AT_ONCE:
        raise UsageError(f"{AT_ONCE} runs are being played for this page already. Wait for one, or end one.")


def _play(folder: Path) -> None:
    command = [sys.executable, "-m", "mesocosm.dashboard.play", str(folder)]
    with (folder / PLAYED).open("wb") as log:
        _players[folder.name] = subprocess.Popen(  # noqa: S603 (our own module, in a directory that we made)
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )


def is_played_here(run_id: str) -> bool:
    """Whether a process that this page started is still playing a run."""
    player = _players.get(run_id)
    return player is not None and player.poll() is None


def is_being_written(place: Openable) -> bool:
    """Whether any process is writing a run: one of this page, or one that holds the claim to its directory.

    To find out, the claim is taken for a moment itself, but only of a run whose log exists and has no end.
    """
    if is_played_here(place.run_id):
        return True
    try:
        with _trying, directory.claimed(place.path):  # one visitor at a time, or each would take the other for a writer
            return False
    except UsageError:
        return True
    except OSError:
        return False


def complaint(place: Openable) -> str:
    """What the process that played a run said when it failed; empty when it did not."""
    player = _players.get(place.run_id)
    if player is None or player.poll() in (None, 0) or not has_file(place.path, PLAYED):
        return ""
    try:
        return (place.path / PLAYED).read_text(encoding="utf-8", errors="replace")[-4000:]
    except OSError:
        return ""
