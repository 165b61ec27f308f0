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

MIX = {"honest": 10, "opportunistic": 5, "deceptive": 3, "adversarial": 2}
ROLES = {"worker": 50, "planner": 20, "verifier": 15, "poster": 10, "moderator": 5}
BLOCK_ROWS = 24_000
LONG = 1_000_000  # epochs: longer than any measurement


@dataclass(frozen=True)
class Line:
    """What to measure.

    Params   program: engine or object_loop; replicates of `agents` each; mix: honest or mixed; level: of the log;
             steps: per epoch; seconds: how long to measure, after one epoch that is not counted.
    """

    program: str
    agents: int
    replicates: int
    mix: str
    level: str
    steps: int
    seconds: float


class Enough(Exception):
    """The measurement has taken as long as it was meant to."""


class Watch:
    """Counts what happens after the first epoch and raises Enough when the time is up."""

    def __init__(self, seconds: float, count: Callable[[], int]) -> None:
        self.seconds = seconds
        self.count = count
        self.began = self.began_busy = self.took = self.busy = 0.0
        self.epochs = self.before = self.interactions = 0

    def tick(self, epoch: int) -> None:
        """Note the end of an epoch."""
        now, busy = time.perf_counter(), time.process_time()
        if epoch == 0:
            self.began, self.began_busy, self.before = now, busy, self.count()
            return
        self.took, self.busy = now - self.began, busy - self.began_busy
        self.epochs, self.interactions = epoch, self.count() - self.before
        if self.took >= self.seconds:
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


def economy(agents: int, mix: str, steps: int) -> Scenario:
    """The default economy with so many agents, every role, and tasks in proportion."""
    kinds = {"honest": agents} if mix == "honest" else split(agents, MIX)
    groups = [
        {"type": kind, "role": role, "count": k} for kind, n in kinds.items() for role, k in split(n, ROLES).items()
    ]
    tasks = {"per_epoch": max(1, min(agents // 20, 1000)), "capacity": 64 if agents <= 1000 else 4096}
    time_plan = {"epochs": LONG, "steps_per_epoch": steps}
    return scenario_from_dict({"scenario_id": "bench", "agents": groups, "tasks": tasks, "simulation": time_plan})


def measure(line: Line) -> dict[str, Any]:
    """Measure one line."""
    with tempfile.TemporaryDirectory(prefix="mesocosm-bench-") as folder:
        measured = _engine(line, Path(folder)) if line.program == "engine" else _object_loop(line, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return asdict(line) | measured | {"peak_mib": peak / 1024 if sys.platform != "darwin" else peak / 2**20}


def _engine(line: Line, folder: Path) -> dict[str, Any]:
    """The engine through the runner, with metrics and log; large batches in blocks, one after the other."""
    scenario = economy(line.agents, line.mix, line.steps)
    per_block = max(1, min(line.replicates, BLOCK_ROWS // line.agents))
    blocks = [range(k, min(k + per_block, line.replicates)) for k in range(0, line.replicates, per_block)]
    done = took = busy = interactions = 0.0
    for number, seeds in enumerate(blocks):
        watch = _measure_block(scenario, seeds, line.level, line.seconds / len(blocks), folder / f"block_{number}")
        done += watch.epochs * line.steps * line.agents * len(seeds)
        took += watch.took
        busy += watch.busy
        interactions += watch.interactions
    return _result(done, took, busy, interactions)


def _measure_block(scenario: Scenario, seeds: range, level: str, seconds: float, folder: Path) -> Watch:
    counter = Counter()
    watch = Watch(seconds, lambda: counter.n)

    def tick(epoch: int, _row: dict[str, Any]) -> None:
        watch.tick(epoch)

    with suppress(Enough):
        run_batch([scenario] * len(seeds), list(seeds), folder, level=level, decider=counter, progress=tick)
    return watch


def _object_loop(line: Line, folder: Path) -> dict[str, Any]:
    """The object loop, its events written as canonical lines with their chained hash at level full."""
    full = line.level == "full"
    game = Play(economy(line.agents, line.mix, line.steps), 0, keeps=full)
    watch = Watch(line.seconds, lambda: game.n_interactions)
    chain = Chain()
    with (folder / "events.jsonl").open("wb") as file:

        def write_and_tick(epoch: int) -> None:
            if full:
                file.write(chain.add_events(bodies(game.events)))
                game.events.clear()
            watch.tick(epoch)

        with suppress(Enough):
            play_on(game, write_and_tick)
    return _result(watch.epochs * line.steps * line.agents, watch.took, watch.busy, watch.interactions)


def _result(done: float, took: float, busy: float, interactions: float) -> dict[str, Any]:
    return {
        "agent_steps": int(done),
        "seconds_measured": took,
        "agent_steps_per_s": done / took,
        "interactions_per_s": interactions / took,
        "core_share": busy / took,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Line(**json.loads(sys.argv[1])))))
