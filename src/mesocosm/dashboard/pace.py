"""Pause, step, speed and end of a run that another process plays: two small files in its directory.

The page writes its wish into control.json; the process that plays the run looks at it at the end of every turn and says
in pace.json what it is doing. Neither is part of the log, and a pause changes nothing that happens.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mesocosm.dashboard.places import has_file
from mesocosm.errors import MesocosmError
from mesocosm.log.files import write_atomic

CONTROL, PACE = "control.json", "pace.json"
ENDED = "ended from the dashboard"
LOOK_AGAIN_S = 0.02
FASTEST = 1000.0


class PageGone(MesocosmError):
    """The dashboard that started this run has ended; its log stays a good beginning that can be resumed."""


@dataclass(frozen=True)
class Wish:
    """What the page wants of a run.

    Params   paused: hold at the end of the turn; epochs_per_s: at most so many, or 0 for no limit; steps: how many
             single epochs have been asked for since the run began; stop: end it with a whole log.
    """

    paused: bool = False
    epochs_per_s: float = 0.0
    steps: int = 0
    stop: bool = False


def read_wish(folder: Path) -> Wish:
    """The wish that stands in a run directory; that of a run at full speed where none can be read."""
    try:
        said = json.loads((folder / CONTROL).read_bytes())
    except (OSError, ValueError):
        return Wish()
    if not isinstance(said, dict):
        return Wish()
    known = asdict(Wish())
    kept: dict[str, Any] = {name: value for name, value in said.items() if type(value) is type(known.get(name))}
    return Wish(**kept)


def write_wish(folder: Path, wish: Wish) -> None:
    """Put a wish into a run directory, whole or not at all."""
    write_atomic(folder / CONTROL, (json.dumps(asdict(wish)) + "\n").encode(), durable=False)


def read_pace(folder: Path) -> dict[str, Any]:
    """What the process that plays a run says it is doing: state, epoch, pid; empty when nothing is said."""
    if not has_file(folder, PACE):
        return {}
    try:
        said = json.loads((folder / PACE).read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


class Pace:
    """The other end, in the process that plays the run: what `run` takes as hold, stop and progress.

    Params   folder: the run directory; known: epochs that the log holds already, which are not dwelt on; may_stop:
             whether the scenario allows an early end; is_alone: whether the page that started the run has gone.
    """

    def __init__(self, folder: Path, known: int, may_stop: bool, is_alone: Callable[[], bool]) -> None:
        self.folder, self.known, self.may_stop, self.is_alone = folder, known, may_stop, is_alone
        self.wish = read_wish(folder)
        self.epochs = 0
        self._steps = self.wish.steps if known else 0
        self._is_stepping = False
        self._kept: tuple[int, int] = (0, 0)
        self._said = ""

    def hold(self) -> bool:
        """Whether the run is to be held at the end of this turn."""
        self._look()
        is_held = self.wish.paused and not self.wish.stop and not self.is_alone() and self.epochs >= self.known
        if is_held and not self._is_stepping and self.wish.steps > self._steps:
            self._steps += 1
            self._is_stepping = True
        is_held = is_held and not self._is_stepping
        self.say("paused" if is_held else "running")
        return is_held

    def stop(self) -> str | None:
        """Why the run is to end now, if it is.

        Raises   PageGone when nobody is left who could resume it.
        """
        if self.is_alone():
            raise PageGone("the dashboard has ended. `mesocosm run --resume` goes on with this run.")
        self._look()
        return ENDED if self.wish.stop and self.may_stop else None

    def epoch_done(self, epoch: int, row: dict[str, Any]) -> None:
        """Note that an epoch is over, and wait until the next one is due."""
        self.epochs, self._is_stepping = epoch + 1, False
        self.say("running")
        if self.epochs <= self.known or not self.wish.epochs_per_s:
            return
        began = time.monotonic()
        while time.monotonic() - began < 1.0 / min(max(self.wish.epochs_per_s, 0.01), FASTEST):
            self._look()
            if self.wish.paused or self.wish.stop or not self.wish.epochs_per_s or self.is_alone():
                return
            time.sleep(LOOK_AGAIN_S)

    def say(self, state: str) -> None:
        """Put what is being done into pace.json, when it is something else than before."""
        said = json.dumps({"state": state, "epoch": self.epochs, "pid": os.getpid()})
        if said != self._said:
            write_atomic(self.folder / PACE, (said + "\n").encode(), durable=False)
            self._said = said

    def _look(self) -> None:
        try:
            facts = (self.folder / CONTROL).stat()
        except OSError:
            return
        if (facts.st_mtime_ns, facts.st_ino) != self._kept:
            self._kept = (facts.st_mtime_ns, facts.st_ino)
            self.wish = read_wish(self.folder)
