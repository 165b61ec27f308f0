"""How long a long run takes to look at: a report on a million interactions from Parquet tables, and its memory."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mesocosm.cli.main import main
from mesocosm.config.load import load_scenario
from mesocosm.runner.projections import account_of, tables_of, write_projections
from mesocosm.runner.runner import run

REPEATS = 3
_CHANGES = ("simulation.steps_per_epoch=20", "log.level=columns")


def make_run(place: Path, epochs: int) -> int:
    """Play a thousand agents of four types into shards and tables; returns how many interactions there are."""
    scenario = load_scenario("baseline", ["simulation.seed=3"])
    told = scenario.model_dump()
    told["agents"] = [
        {"type": kind, "count": count}
        for kind, count in (("honest", 600), ("opportunistic", 250), ("deceptive", 100), ("adversarial", 50))
    ]
    wanted = type(scenario).model_validate(told)
    made = run(wanted, epochs=epochs, overrides=_CHANGES, output=place)
    tables = tables_of(place)
    names = [name for name in made.rows[0] if name != "epoch"]
    account = account_of(tables, made.scenario, names, (*names, "proposals", "income"))
    write_projections(place, made.rows, account.types, tables, made.scenario)
    return len(tables["interaction"]["seq"])


def measure_report(place: Path) -> dict[str, float]:
    """Seconds from typing the command to the page, with start-up, the best of three; peak memory; size of the page."""
    found: list[dict[str, float]] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.reports", str(place)], check=True, capture_output=True, env=os.environ
        )
        told: dict[str, float] = json.loads(done.stdout)
        found.append(told | {"wall_s": time.perf_counter() - began})
    return min(found, key=lambda one: one["wall_s"])


def reports(quick: bool) -> dict[str, Any]:
    """A report on a long run; prints a row."""
    with tempfile.TemporaryDirectory(prefix="mesocosm-bench-") as folder:
        place = Path(folder) / "run"
        count = make_run(place, 5 if quick else 50)
        one = measure_report(place)
    print(f"\nA report on {count:,} interactions of 1,000 agents, from their Parquet tables, start-up included")
    row = f"{one['wall_s']:8.2f} s  peak {one['peak_mib']:,.0f} MiB, page {one['page_bytes'] / 1e6:.1f} MB"
    print(row, flush=True)
    return one | {"interactions": count}


def _once(place: str) -> dict[str, float]:
    """What `mesocosm report` does, in a process of its own."""
    page = Path(place) / "report.html"
    with redirect_stdout(io.StringIO()):
        code = main(["report", place])
    if code:
        raise SystemExit(code)
    return {"peak_mib": peak_mib(), "page_bytes": float(page.stat().st_size)}


def peak_mib() -> float:
    """Peak memory of this process alone: what getrusage says counts what its parent held when it was started."""
    status = Path("/proc/self/status")
    for row in status.read_text().splitlines() if status.is_file() else ():
        if row.startswith("VmHWM:"):
            return float(row.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(_once(sys.argv[1])))
