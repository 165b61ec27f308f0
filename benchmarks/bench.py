"""The benchmark: what is measured, the table it prints, and build/bench.json."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, economy
from benchmarks.object_loop.agreement import first_difference
from benchmarks.object_loop.play import play
from mesocosm.config.load import load_scenario

RESULTS = Path("build") / "bench.json"
LEVELS = ("epoch", "columns", "full")
HEADINGS = ("agents", "mix", "log", "agent-steps/s", "interactions/s", "peak MiB", "object loop", "engine / loop")
WIDTHS = (11, 7, 8, 14, 15, 9, 12, 13)
#: (agents, replicates) -> steps per epoch by level; a level that is missing would take too long or too much disk
PLAN: dict[tuple[int, int], dict[str, int]] = {
    (5, 1): {"epoch": 10, "columns": 10, "full": 10},
    (50, 1): {"epoch": 10, "columns": 10, "full": 10},
    (1_000, 1): {"epoch": 10, "columns": 10, "full": 10},
    (50, 1_200): {"epoch": 10, "columns": 10, "full": 2},
    (100_000, 1): {"epoch": 10, "columns": 4, "full": 1},
    (1_000_000, 1): {"epoch": 4, "columns": 1},
}
QUICK: dict[tuple[int, int], dict[str, int]] = {
    (5, 1): {"epoch": 10, "full": 10},
    (50, 1): {"epoch": 10, "columns": 10, "full": 10},
    (1_000, 1): {"epoch": 10},
    (50, 480): {"epoch": 10},
}
HELP, BASELINE = "mesocosm --help", "mesocosm run baseline --epochs 10"
UNDISTURBED = 0.9  # share of a core that a measurement needs to have had
LOOP_UP_TO = 1_000  # agents: beyond it the object loop takes minutes


def lines(plan: dict[tuple[int, int], dict[str, int]], seconds: float) -> list[tuple[Line, Line | None]]:
    """Everything to be measured: the engine, and the object loop beside it where it finishes in seconds."""
    wanted: list[tuple[Line, Line | None]] = []
    for (agents, replicates), levels in plan.items():
        for mix in ("honest", "mixed"):
            for level, steps in levels.items():
                line = Line("engine", agents, replicates, mix, level, steps, seconds)
                beside = agents <= LOOP_UP_TO and level != "columns"
                wanted.append((line, replace(line, program="object_loop", replicates=1) if beside else None))
    return wanted


def measure_apart(line: Line) -> dict[str, Any]:
    """Measure a line in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measure", json.dumps(asdict(line))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"benchmark: {line} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def wall_time(arguments: Sequence[str], repeats: int) -> float:
    """Median wall time of a command of mesocosm, start-up included, in seconds."""
    took = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(prefix="mesocosm-bench-") as folder:
            command = [sys.executable, "-m", "mesocosm", *(part.format(folder=folder) for part in arguments)]
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=os.environ | {"MESOCOSM_RUNS": folder})
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def commands(repeats: int) -> dict[str, float]:
    """Wall times of what a person types."""
    run = ["run", "baseline", "--epochs", "10", "--seed", "42", "--output", "{folder}/run"]
    walls = {HELP: wall_time(["--help"], repeats), BASELINE: wall_time(run, repeats)}
    scenario = load_scenario("baseline", ["simulation.epochs=10"])
    began = time.perf_counter()
    play(scenario, 42)
    return walls | {"object loop, baseline, 10 epochs, without start-up and log": time.perf_counter() - began}


def machine() -> dict[str, str]:
    """What it was measured on."""
    name = platform.processor() or platform.machine()
    known = Path("/proc/cpuinfo")
    if known.is_file():
        models = [
            row.split(":", 1)[1].strip() for row in known.read_text().splitlines() if row.startswith("model name")
        ]
        name = models[0] if models else name
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "processor": name,
        "cores": str(os.cpu_count()),
        "load": f"{load:.1f}",
        "python": platform.python_version(),
        "numpy": version("numpy"),
    }


def shown(result: dict[str, Any], beside: dict[str, Any] | None) -> str:
    """One row of the table."""
    size = f"{result['agents']:,}" if result["replicates"] == 1 else f"{result['replicates']:,} x {result['agents']}"
    rate = result["agent_steps_per_s"]
    loop = beside["agent_steps_per_s"] if beside else None
    cells = (
        size,
        result["mix"],
        result["level"],
        f"{rate:,.0f}",
        f"{result['interactions_per_s']:,.0f}",
        f"{result['peak_mib']:,.0f}",
        f"{loop:,.0f}" if loop else "",
        f"{rate / loop:.2f}" if loop else "",
    )
    row = "  ".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))
    disturbed = min(r["core_share"] for r in (result, beside) if r) < UNDISTURBED
    return f"{row} *" if disturbed else row


def print_table(wanted: list[tuple[Line, Line | None]]) -> list[dict[str, Any]]:
    """Measure line by line and print each row as it is ready."""
    print("  ".join(name.rjust(width) for name, width in zip(HEADINGS, WIDTHS, strict=True)))
    results: list[dict[str, Any]] = []
    for line, loop in wanted:
        pair = [measure_apart(entry) for entry in (line, loop) if entry is not None]
        print(shown(pair[0], pair[1] if loop is not None else None), flush=True)
        results += pair
    return results


def print_budgets(results: list[dict[str, Any]], walls: dict[str, float]) -> None:
    """Print what the design allows beside what was measured."""
    rate = {(r["replicates"], r["agents"], r["mix"], r["level"]): r for r in results if r["program"] == "engine"}
    logged = [r["interactions_per_s"] for r in results if r["program"] == "engine" and r["level"] == "full"]
    big = [r for r in results if r["agents"] == 1_000_000 and r["level"] == "epoch"]
    rows: list[tuple[str, float, float]] = [
        ("baseline, 10 epochs, s", walls[BASELINE], 1.0),
        ("--help, s", walls[HELP], 0.3),
        ("agent-steps/s, honest batch", rate[1_200, 50, "honest", "epoch"]["agent_steps_per_s"], 1e6),
        ("agent-steps/s, mixed batch", rate[1_200, 50, "mixed", "epoch"]["agent_steps_per_s"], 5e5),
        ("fully logged interactions/s, best", max(logged), 5e4),
        ("1,000,000 agents, agent-steps/s", min(r["agent_steps_per_s"] for r in big), 5e5),
        ("1,000,000 agents, peak GiB", max(r["peak_mib"] for r in big) / 1024, 4.0),
    ]
    print(f"\n{'budget':>36}  {'allowed':>12}  {'measured':>12}")
    for name, measured, allowed in rows:
        at_most = allowed < 1e4
        met = measured <= allowed if at_most else measured >= allowed
        sign = "<=" if at_most else ">="
        limit = f"{sign} {allowed:,.4g}" if at_most else f"{sign} {allowed:,.0f}"
        found = f"{measured:,.3f}" if at_most else f"{measured:,.0f}"
        print(f"{name:>36}  {limit:>12}  {found:>12}  {'met' if met else 'missed'}")


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark. Params: arguments: --quick for the short form."""
    quick = "--quick" in arguments
    host = machine()
    print(", ".join(f"{name} {value}" for name, value in host.items()))
    difference = first_difference(economy(50, "mixed", 10).model_copy(update={"simulation": _short()}), 1)
    if difference:
        print(f"the engine and the object loop do not agree: {difference}")
        return 1
    print("The engine and the plain-Python object loop agree on the trajectory (50 mixed agents, 3 epochs).")
    print("Rates leave out set-up and the first epoch; engine lines include metrics and log, one core.\n")
    results = print_table(lines(QUICK if quick else PLAN, 0.4 if quick else 2.5))
    if any(result["core_share"] < UNDISTURBED for result in results):
        print("* had to share its core with other work, or waited for the disk: too slow by that much")
    if not quick:
        print("Not measured: 1,000,000 agents fully logged (about a gigabyte a step).")
    walls = commands(3 if quick else 5)
    print()
    for name, seconds in walls.items():
        print(f"{seconds:8.3f} s  {name}")
    if not quick:
        print_budgets(results, walls)
    RESULTS.parent.mkdir(exist_ok=True)
    report = {"machine": host, "quick": quick, "lines": results, "wall_s": walls}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nwritten to {RESULTS}")
    return 0


def _short() -> Any:
    return load_scenario("baseline", ["simulation.epochs=3"]).simulation
