"""How long the dashboard takes to open a run of a million interactions, in a process of its own.

``python -m benchmarks.pages ROOT RUN`` opens one run and prints one JSON object.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import economy
from benchmarks.reports import peak_mib
from mesocosm.config.schema import Scenario
from mesocosm.runner import projections
from mesocosm.runner.runner import run

AGENTS, INTERACTIONS = 1_000, 1_000_000
RUN = "large"


def large_scenario(agents: int, interactions: int) -> Scenario:
    """A mixed society that makes about so many interactions, in epochs of ten steps."""
    scenario = economy(agents, "mixed", 10, "learning", governed=True)
    epochs = -(-interactions // (10 * agents))
    return scenario.model_copy(update={"simulation": scenario.simulation.model_copy(update={"epochs": epochs})})


def write_run(root: Path, agents: int, interactions: int) -> int:
    """Write a fully logged run and its Parquet tables under a run root; returns how many interactions it has."""
    made = run(large_scenario(agents, interactions), output=root / RUN, level="full")
    tables = projections.tables_of(made.path)
    names = [name for name in made.rows[0] if name != "epoch"]
    account = projections.account_of(tables, made.scenario, names, names)
    projections.write_projections(made.path, made.rows, account.types, tables, made.scenario)
    return len(tables["interaction"]["seq"])


def open_page(root: str, run_id: str) -> dict[str, Any]:
    """Open a run on the page, its network and its limits; what each view took, and the memory at the end."""
    os.environ["MESOCOSM_RUNS"] = root
    sys.argv = ["app.py", run_id]
    began = time.perf_counter()
    testing: Any = importlib.import_module("streamlit.testing.v1")
    spec = importlib.util.find_spec("mesocosm.dashboard.app")
    assert spec is not None
    assert spec.origin is not None
    test = testing.AppTest.from_file(spec.origin, default_timeout=120)
    took = {}
    for view in ("Run", "Network", "Limits"):
        test.session_state["view"] = view
        test.run()
        if test.exception or test.error:
            raise SystemExit(f"{view}: {[item.value for item in (*test.exception, *test.error)]}")
        took[view], began = time.perf_counter() - began, time.perf_counter()
    return {"seconds": took, "peak_mib": peak_mib(), "rows": len(test.session_state["feed_kept"][1])}


def opened_apart(quick: bool) -> dict[str, Any]:
    """Write a large run and open it in another process; empty where the dashboard's libraries are missing."""
    if importlib.util.find_spec("streamlit") is None:
        return {}
    with tempfile.TemporaryDirectory(prefix="mesocosm-bench-") as root:
        count = write_run(Path(root), AGENTS, INTERACTIONS // 20 if quick else INTERACTIONS)
        size = (Path(root) / RUN / "events.jsonl").stat().st_size
        command = [sys.executable, "-m", "benchmarks.pages", root, RUN]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"interactions": count, "log_mib": size / 2**20}


def print_pages(found: dict[str, Any]) -> None:
    """What it took to open the views of the dashboard."""
    if not found:
        print("\nThe dashboard was not measured: pip install 'mesocosm[dashboard]'")
        return
    print(
        f"\nThe dashboard opens a run of {found['interactions']:,} interactions (a log of {found['log_mib']:,.0f} MiB)"
    )
    for view, seconds in found["seconds"].items():
        started = ", start of Python and Streamlit's libraries included" if view == "Run" else ""
        print(f"{seconds:8.2f} s  {view}{started}")
    print(f"{found['peak_mib']:8,.0f} MiB at the most")


if __name__ == "__main__":
    print(json.dumps(open_page(*sys.argv[1:3])))
