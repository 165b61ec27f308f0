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
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import contrasts
from benchmarks.apart import BEFORE, measure_apart
from benchmarks.budgets import (
    budgets_beside_before,
    growth_budgets,
    page_budgets,
    print_budgets,
    report_budgets,
    speed_budgets,
    study_budgets,
)
from benchmarks.growth import Growth, growth_of_agents, growth_of_epochs, print_growth
from benchmarks.measure import Line, economy
from benchmarks.object_loop.agreement import first_difference
from benchmarks.object_loop.looks import evidence_from
from benchmarks.object_loop.play import play
from benchmarks.pages import opened_apart, print_pages
from benchmarks.reports import reports
from benchmarks.studies import studies
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
    evidence_from.cache_clear()  # working out how outcomes show is part of a run
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


def disagreement() -> str:
    """Where the engine and the object loop differ on 50 mixed agents for 3 epochs; "" where they agree."""
    plan = load_scenario("baseline", ["simulation.epochs=3"]).simulation
    for adaptation in ("learning", "frozen"):
        scenario = economy(50, "mixed", 10, adaptation, governed=True).model_copy(update={"simulation": plan})
        difference = first_difference(scenario, 1)
        if difference:
            return difference
    return ""


def beside_each_other(quick: bool) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Learning beside frozen and now beside before, in a batch and (unless quick) in a run of a million agents."""
    print(f"\nBeside each other, per second of processor time (before: commit {BEFORE}, whose agents do not learn)")
    contrasts.print_headings()
    if quick:
        return contrasts.compare_batches(50, 480, 0.4, rounds=3), {}
    return (
        contrasts.compare_batches(50, 1_200, 2.5, rounds=3),
        contrasts.compare_adaptation(1_000_000, 4, 2.5, rounds=2),
    )


def growing(quick: bool) -> tuple[list[Growth], list[Growth]]:
    """Whether an agent-step costs more among more agents, or later in a run."""
    print("\nGrowth: the processor time of an agent-step in the first case, as a multiple of that in the second")
    agents = growth_of_agents(0.4 if quick else 2.5, rounds=3)
    for grown in agents:
        print_growth(grown)
    epochs = growth_of_epochs(4 if quick else 24, rounds=1 if quick else 2)
    for grown in epochs:
        print_growth(grown)
    return agents, epochs


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark. Params: arguments: --quick for the short form."""
    quick = "--quick" in arguments
    host = machine()
    print(", ".join(f"{name} {value}" for name, value in host.items()))
    difference = disagreement()
    if difference:
        print(f"the engine and the object loop do not agree: {difference}")
        return 1
    print(
        "The engine and the plain-Python object loop agree on the trajectory (50 mixed agents under levers, 3 epochs)."
    )
    print("Rates leave out set-up and the first epoch; engine lines include metrics and log, one core. Agents learn.\n")
    results = print_table(lines(QUICK if quick else PLAN, 0.4 if quick else 2.5))
    if any(result["core_share"] < UNDISTURBED for result in results):
        print("* had to share its core with other work, or waited for the disk: too slow by that much")
    if not quick:
        print("Not measured: 1,000,000 agents fully logged (about a gigabyte a step).")
    batches, million = beside_each_other(quick)
    agents, epochs = growing(quick)
    swept = studies(quick)
    page = reports(quick)
    pages = opened_apart(quick)
    print_pages(pages)
    walls = commands(3 if quick else 5)
    print()
    for name, seconds in walls.items():
        print(f"{seconds:8.3f} s  {name}")
    if not quick:
        budgets = [*speed_budgets(results, walls[HELP], walls[BASELINE]), *study_budgets(swept)]
        budgets += [*report_budgets(page), *page_budgets(pages)]
        print_budgets([*budgets, *budgets_beside_before(batches), *growth_budgets(agents, epochs)])
    report = {
        "machine": host, "quick": quick, "lines": results, "wall_s": walls, "beside_each_other": [batches, million],
        "studies": swept, "report": page, "pages": pages,
        "growth": {grown.name: grown.ratio for grown in (*agents, *epochs)},
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nwritten to {RESULTS}")
    return 0
