"""Worker processes of a sweep: each plays blocks of cells; one that dies is replaced and its block played again."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mesocosm.errors import MesocosmError
from mesocosm.runner.cells import Cell, CellStore
from mesocosm.runner.worker import Asked

ATTEMPTS = 3  # to play one block, when its worker dies each time
_WAIT_S = 0.2
Block = Sequence[Cell]
#: told the number of a block and the share of it that is done
Told = Callable[[int, float], None]


class WorkerPool:
    """Plays blocks on worker processes; a context manager, so that none outlives the sweep."""

    def __init__(self, workers: int, folder: Path, asked: Asked, tell: Told) -> None:
        """Prepare; processes start when there is work."""
        self.workers, self.folder, self.asked, self.tell = workers, folder, asked, tell
        self.replaced = 0
        self._store = CellStore(folder)
        self._left: deque[tuple[int, Block, int]] = deque()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._stopping = False

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        for process in list(self._processes):
            with contextlib.suppress(OSError):
                process.kill()

    def play(self, blocks: Sequence[Block]) -> None:
        """Play all blocks.

        Raises   MesocosmError when a cell cannot be played, or a worker dies over the same block again and again.
        """
        self._left.extend((number, block, 1) for number, block in enumerate(blocks))
        threads = [threading.Thread(target=self._attend, daemon=True) for _ in range(min(self.workers, len(blocks)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(_WAIT_S)  # short, so that Ctrl-C is heard
        if self._failure is not None:
            raise self._failure

    def _attend(self) -> None:
        """Feed one worker, and its replacements, until nothing is left."""
        process: subprocess.Popen[bytes] | None = None
        try:
            while not self._stopping and self._failure is None:
                with self._lock:
                    if not self._left:
                        break
                    number, block, attempt = self._left.popleft()
                process = process or self._start()
                if self._give(process, number, block):
                    continue
                code = self._end(process)
                process = None
                self._again(number, block, attempt, code)
        except (MesocosmError, OSError, msgspec.DecodeError) as error:  # told by play(), in the thread that asked
            self._failure = self._failure or error
        finally:
            if process is not None:
                self._end(process)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "mesocosm.runner.worker", str(self.folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        self._processes.add(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        code = process.wait()
        self._processes.discard(process)
        return code

    def _give(self, process: subprocess.Popen[bytes], number: int, block: Block) -> bool:
        """Have a worker play a block; False when it dies over it."""
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            return False
        try:
            stdin.write(msgspec.json.encode(self.asked.task(block)) + b"\n")
            stdin.flush()
        except OSError:
            return False
        for line in stdout:
            told: dict[str, Any] = msgspec.json.decode(line) if line.endswith(b"\n") else {}
            if "error" in told:
                failure = MesocosmError(told["error"])
                failure.exit_code = told["code"]
                raise failure
            if "done" in told:
                self.tell(number, 1.0)
                return True
            self.tell(number, told.get("share", 0.0))
        return False

    def _again(self, number: int, block: Block, attempt: int, code: int) -> None:
        """Put back what a dead worker has left undone."""
        self.replaced += 1
        if attempt >= ATTEMPTS:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
            raise MesocosmError(
                f"a worker {how} over the same {len(block)} cells {ATTEMPTS} times. If memory ran out, use fewer "
                "--workers. Finished cells are kept; run the same command to go on."
            )
        missing = [cell for cell in block if self._store.read(cell.name) is None]
        if missing:
            with self._lock:
                self._left.append((number, missing, attempt + 1))
        else:
            self.tell(number, 1.0)
