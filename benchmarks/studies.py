"""How long a whole study takes: the plan's sweep of twelve arms, from the file to the verdicts, and its memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import economy
from mesocosm.analysis.study import sweep
from mesocosm.analysis.study_record import save_study
from mesocosm.config.study import Design, study_from_dict

#: twelve societies: one without a rule, ten rules or doses of one, and several together
ARMS: dict[str, dict[str, Any]] = {
    "decay": {"governance.reputation_decay.decay": 0.5},
    "cap of 5": {"governance.bandwidth_cap.max_actions": 5},
    "cap of 10": {"governance.bandwidth_cap.max_actions": 10},
    "rare audits": {"governance.random_audit.probability": 0.05},
    "audits": {"governance.random_audit.probability": 0.2},
    "breaker": {"governance.circuit_breaker.threshold": 0.35},
    "small tax": {"governance.transaction_tax.rate": 0.05},
    "tax": {"governance.transaction_tax.rate": 0.2},
    "rho": {"governance.rho_a": 0.5, "governance.rho_b": 0.5},
    "audits and tax": {"governance.random_audit.probability": 0.2, "governance.transaction_tax.rate": 0.1},
    "all": {
        "governance.random_audit.probability": 0.2,
        "governance.transaction_tax.rate": 0.1,
        "governance.circuit_breaker.threshold": 0.35,
        "governance.bandwidth_cap.max_actions": 10,
    },
}


def twelve_arms(seeds: int) -> Design:
    """The plan's sweep: twelve arms, so many seeds, fifty agents, twenty epochs of ten steps."""
    asked = {
        "study_id": "twelve_arms",
        "base": "mixed",
        "epochs": 20,
        "arms": ARMS,
        "controls": False,
        "primary": "toxicity_true",
        "smallest_effect": 0.01,
        "seeds": seeds,
    }
    return study_from_dict(asked, economy(50, "mixed", 10))


def measure_study(seeds: int, workers: int) -> dict[str, float]:
    """Wall time and peak memory of the study in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.studies", str(seeds), str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _once(seeds: int, workers: int) -> dict[str, float]:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        found = sweep(twelve_arms(seeds), workers=workers, output=place)
        played = time.perf_counter()
        save_study(found, Path(place))
    own, workers_most = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF,
                                                                             resource.RUSAGE_CHILDREN))  # fmt: skip
    steps = 12 * seeds * 50 * 20 * 10
    return {
        "wall_s": time.perf_counter() - began,
        "played_s": played - began,
        "agent_steps_per_s": steps / (played - began),
        "parent_mib": own,
        "worker_mib": workers_most,
    }


def studies(quick: bool) -> dict[int, dict[str, float]]:
    """The study on one worker and on two; prints a row each."""
    seeds = 10 if quick else 100
    print(f"\nThe plan's sweep: 12 arms x {seeds} seeds x 50 agents x 20 epochs x 10 steps, with verdicts and tables")
    print(f"{'workers':>12}{'seconds':>12}{'agent-steps/s':>18}{'peak MiB, parent':>20}{'largest worker':>18}")
    found = {}
    for workers in (1, 2):
        one = found[workers] = measure_study(seeds, workers)
        memory = f"{one['parent_mib']:>20,.0f}" + (f"{one['worker_mib']:>18,.0f}" if workers > 1 else "")
        print(f"{workers:>12}{one['wall_s']:>12.1f}{one['agent_steps_per_s']:>18,.0f}{memory}", flush=True)
    return found


if __name__ == "__main__":
    print(json.dumps(_once(int(sys.argv[1]), int(sys.argv[2]))))
