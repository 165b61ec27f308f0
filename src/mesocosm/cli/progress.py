"""What is seen while a run goes on: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from mesocosm.cli.screen import dash, is_terminal, tell

BAR = 12
PLAIN_EVERY_S = 2.0  # least time between two plain lines, so that a log of a long run stays readable


def is_live() -> bool:
    """Whether the error stream is a terminal on which a line can be written over."""
    return is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


class ProgressLine:
    """Shows how far a run is, on the error stream, so that what is printed can go elsewhere.

    Params   epochs: length of the run, 0 if it is not known; quiet: show nothing.
    """

    def __init__(self, epochs: int, quiet: bool) -> None:
        """Prepare a line; it appears with the first epoch."""
        self.epochs, self.quiet = epochs, quiet
        self._live: Any = None
        self._crop: Callable[[str], Any] = str
        self._began = self._told = time.perf_counter()
        self._done = 0

    def __enter__(self) -> ProgressLine:
        if not self.quiet and is_live():
            import rich.console
            import rich.live
            import rich.text

            console = rich.console.Console(file=sys.stderr, highlight=False)
            self._crop = partial(rich.text.Text, no_wrap=True, overflow="crop")
            self._live = rich.live.Live(self._crop("starting"), console=console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, epoch: int, row: dict[str, Any]) -> None:
        """Take the row of an epoch that has just ended."""
        self._done += 1
        if self.quiet:
            return
        if self._live is not None:
            self._live.update(self._crop(self.text(row, bar=True)), refresh=True)
        elif time.perf_counter() - self._told >= PLAIN_EVERY_S:
            self._told = time.perf_counter()
            tell(self.text(row, bar=False))

    def text(self, row: dict[str, Any], bar: bool) -> str:
        """The line for an epoch."""
        elapsed = time.perf_counter() - self._began
        parts = [f"epoch {self._done}/{self.epochs}" if self.epochs else f"epoch {self._done}"]
        if bar and self.epochs:
            filled = round(BAR * self._done / self.epochs)
            parts.append("#" * filled + "." * (BAR - filled))
        parts.append(f"toxicity true {_share(row.get('toxicity_true'))} proxy {_share(row.get('toxicity_rate'))}")
        parts.append(f"accepted {_share(row.get('acceptance_rate'))}")
        parts.append(f"{elapsed:.0f} s")
        return "  ".join(parts)


def _share(value: Any) -> str:
    return dash() if value is None or math.isnan(value) else f"{value:.3f}"


class ShareBar:
    """Shows what share of a longer piece of work is done, and about how long the rest will take.

    Params   label: what is being done; quiet: show nothing.
    """

    def __init__(self, label: str, quiet: bool) -> None:
        """Prepare a bar; it appears with the first share."""
        self.label, self.quiet = label, quiet
        self._bar: Any = None
        self._task: Any = None
        self._began = self._told = time.perf_counter()

    def __enter__(self) -> ShareBar:
        if not self.quiet and is_live():
            import rich.console
            import rich.progress

            columns = (
                rich.progress.TextColumn("{task.description}"),
                rich.progress.BarColumn(bar_width=30),
                rich.progress.TaskProgressColumn(),
                rich.progress.TimeElapsedColumn(),
                rich.progress.TextColumn("left"),
                rich.progress.TimeRemainingColumn(),
            )
            console = rich.console.Console(file=sys.stderr, highlight=False)
            self._bar = rich.progress.Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task(self.label, total=1.0)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, share: float) -> None:
        """Take the share that is done now, 0 to 1."""
        if self._bar is not None:
            self._bar.update(self._task, completed=share)
        elif not self.quiet and time.perf_counter() - self._told >= PLAIN_EVERY_S:
            self._told = time.perf_counter()
            tell(self.text(share))

    def text(self, share: float) -> str:
        """The line for a share."""
        elapsed = time.perf_counter() - self._began
        left = f", about {elapsed * (1.0 - share) / share:.0f} s left" if share > 0.0 else ""
        return f"{self.label} {100.0 * share:.0f} %, {elapsed:.0f} s{left}"


class NameLine:
    """Names the piece of work that is being done; the name is wiped when that is done, or stopped.

    Params   plain: whether names are told in lines now and then where there is no terminal.
    """

    def __init__(self, plain: bool) -> None:
        """Prepare a line; it appears with the first name."""
        self.plain = plain
        self._told = time.perf_counter()

    def __enter__(self) -> NameLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def __call__(self, name: str) -> None:
        """Take the name of the piece that begins now."""
        if is_live():
            sys.stderr.write(name)
            sys.stderr.flush()
        elif self.plain and time.perf_counter() - self._told >= PLAIN_EVERY_S:
            self._told = time.perf_counter()
            tell(name)

    def wipe(self) -> None:
        """Take the name off the screen."""
        if is_live():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
