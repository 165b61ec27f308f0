"""One line of the benchmark, in a process of its own so that its peak memory is its own.

``python -m benchmarks.measure '{"program": "engine", "agents": 50, ...}'`` prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.object_loop.chronicle import bodies
from benchmarks.object_loop.play import Play, play_on
from mesocosm.config.load import scenario_from_dict
from mesocosm.config.schema import Scenario
from mesocosm.env.events import EventBatch
from mesocosm.errors import UsageError
from mesocosm.log.canonical import Chain
from mesocosm.runner.runner import run_batch
from mesocosm.runner.table import BLOCK_ROWS

MIX = {"honest": 10, "opportunistic": 5, "deceptive": 3, "adversarial": 2}
ROLES = {"worker": 50, "planner": 20, "verifier": 15, "poster": 10, "moderator": 5}
LONG = 1_000_000  # epochs: longer than any measurement
GOVERNANCE = {
    "random_audit": {"probability": 0.2},
    "transaction_tax": {"rate": 0.1},
    "circuit_breaker": {"threshold": 0.35},
}


@dataclass(frozen=True)
class Line:
    """What to measure.

    Params   program: engine or object_loop; replicates of `agents` each; mix: honest or mixed; level: of the log;
             steps: per epoch; seconds: how long to measure, after one epoch that is not counted; epochs: how many to
             measure instead, if not 0; adaptation: learning or frozen; governed: whether levers are in force.
    """

    program: str
    agents: int
    replicates: int
    mix: str
    level: str
    steps: int
    seconds: float
    epochs: int = 0
    adaptation: str = "learning"
    governed: bool = False


class Enough(Exception):
    """The measurement has taken as long as it was meant to."""


class Watch:
    """Counts what happens after the first epoch and raises Enough when the time is up, or so many epochs are played.

    Attributes   ends: processor time at the end of every epoch, from the first one that is not counted.
    """

    def __init__(self, seconds: float, epochs: int, count: Callable[[], int]) -> None:
        self.seconds = seconds
        self.wanted = epochs
        self.count = count
        self.began = self.took = 0.0
        self.before = self.interactions = 0
        self.ends: list[float] = []

    @property
    def epochs(self) -> int:
        """How many were counted."""
        return max(len(self.ends) - 1, 0)

    @property
    def busy(self) -> float:
        """Seconds of processor time that they took."""
        return self.ends[-1] - self.ends[0] if self.ends else 0.0

    def tick(self, epoch: int) -> None:
        """Note the end of an epoch."""
        now = time.perf_counter()
        self.ends.append(time.process_time())
        if epoch == 0:
            self.began, self.before = now, self.count()
            return
        self.took, self.interactions = now - self.began, self.count() - self.before
        if epoch >= self.wanted if self.wanted else self.took >= self.seconds:
            raise Enough


class Counter:
    """Counts interactions as they pass by."""

    def __init__(self) -> None:
        self.n = 0

    def decide(self, request: Any) -> Any:
        """Nobody decides outside the engine in a benchmark."""
        raise UsageError(f"the benchmark has no agents of type {request.policy!r}.")

    def observe(self, batch: EventBatch) -> None:
        """Count."""
        if batch.kind == "interaction":
            self.n += len(batch)


def split(n: int, shares: dict[str, int]) -> dict[str, int]:
    """Part n among names in proportion to their shares, by largest remainder."""
    whole = sum(shares.values())
    count = {name: n * share // whole for name, share in shares.items()}
    by_rest = sorted(shares, key=lambda name: -(n * shares[name] % whole))
    for name in by_rest[: n - sum(count.values())]:
        count[name] += 1
    return {name: k for name, k in count.items() if k}


def economy(agents: int, mix: str, steps: int, adaptation: str = "learning", governed: bool = False) -> Scenario:
    """The default economy with so many agents, every role, and tasks in proportion."""
    kinds = {"honest": agents} if mix == "honest" else split(agents, MIX)
    groups = [
        {"type": kind, "role": role, "count": k} for kind, n in kinds.items() for role, k in split(n, ROLES).items()
    ]
    tasks = {"per_epoch": max(1, min(agents // 20, 1000)), "capacity": 64 if agents <= 1000 else 4096}
    time_plan = {"epochs": LONG, "steps_per_epoch": steps}
    sections = {"tasks": tasks, "simulation": time_plan, "governance": GOVERNANCE if governed else {}}
    return scenario_from_dict({"scenario_id": "bench", "agents": groups, "adaptation": adaptation, **sections})


def measure(line: Line) -> dict[str, Any]:
    """Measure one line."""
    with tempfile.TemporaryDirectory(prefix="mesocosm-bench-") as folder:
        measured = _engine(line, Path(folder)) if line.program == "engine" else _object_loop(line, Path(folder))
    return asdict(line) | measured | {"peak_mib": peak_mib()}


def peak_mib() -> float:
    """Most memory that this process has held."""
    known = Path("/proc/self/status")
    if known.is_file():  # what getrusage tells may be the peak of the process that started this one
        [held] = [row.split()[1] for row in known.read_text().splitlines() if row.startswith("VmHWM")]
        return int(held) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 2**20


def _economy(line: Line) -> Scenario:
    return economy(line.agents, line.mix, line.steps, line.adaptation, line.governed)


def _engine(line: Line, folder: Path) -> dict[str, Any]:
    """The engine through the runner, with metrics and log; large batches in blocks, one after the other."""
    per_block = max(1, min(line.replicates, BLOCK_ROWS // line.agents))
    blocks = [range(k, min(k + per_block, line.replicates)) for k in range(0, line.replicates, per_block)]
    done, watches = 0, []
    for number, seeds in enumerate(blocks):
        watch = _measure_block(line, seeds, line.seconds / len(blocks), folder / f"block_{number}")
        done += watch.epochs * line.steps * line.agents * len(seeds)
        watches.append(watch)
    return _result(done, watches)


def _measure_block(line: Line, seeds: range, seconds: float, folder: Path) -> Watch:
    counter = Counter()
    watch = Watch(seconds, line.epochs, lambda: counter.n)

    def tick(epoch: int, _row: dict[str, Any]) -> None:
        watch.tick(epoch)

    with suppress(Enough):
        scenarios = [_economy(line)] * len(seeds)
        run_batch(scenarios, list(seeds), folder, level=line.level, decider=counter, progress=tick)
    return watch


def _object_loop(line: Line, folder: Path) -> dict[str, Any]:
    """The object loop, its events written as canonical lines with their chained hash at level full."""
    full = line.level == "full"
    game = Play(_economy(line), 0, keeps=full)
    watch = Watch(line.seconds, line.epochs, lambda: game.n_interactions)
    chain = Chain()
    with (folder / "events.jsonl").open("wb") as file:

        def write_and_tick(epoch: int) -> None:
            if full:
                file.write(chain.add_events(bodies(game.events)))
                game.events.clear()
            watch.tick(epoch)

        with suppress(Enough):
            play_on(game, write_and_tick)
    return _result(watch.epochs * line.steps * line.agents, [watch])


def _result(done: int, watches: list[Watch]) -> dict[str, Any]:
    took, busy = sum(watch.took for watch in watches), sum(watch.busy for watch in watches)
    return {
        "agent_steps": done,
        "seconds_measured": took,
        "agent_steps_per_s": done / took,
        "interactions_per_s": sum(watch.interactions for watch in watches) / took,
        "core_share": busy / took,
        "busy_by_epoch": [end - start for start, end in pairwise(watches[0].ends)],
    }


if __name__ == "__main__":
    print(json.dumps(measure(Line(**json.loads(sys.argv[1])))))
