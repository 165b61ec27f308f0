"""Is this machine fit, and are its numbers ours? Small runs whose trajectories must hash to known values."""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from mesocosm.config.load import bundled_scenarios
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.log.files import write_atomic
from mesocosm.runner.directory import run_root
from mesocosm.runner.runner import MODEL, run

GOLDEN = Path(__file__).resolve().parent.parent / "golden.json"
PYTHON_LEAST = (3, 11)
NEEDED = ("numpy", "pydantic", "msgspec", "PyYAML", "typer", "rich", "scipy", "matplotlib", "polars", "networkx")
SEED, EPOCHS, STEPS = 7, 2, 6
#: beside every bundled scenario: what reaches the corners of the arithmetic and of the loop
VARIANTS: tuple[tuple[str, ...], ...] = (
    ("simulation.turns=sequential", "simulation.order=random", "proxy.calibration=bayes"),
    ("governance.transaction_tax.rate=0.1", "governance.random_audit.probability=0.2", "proxy.noise=gaussian"),
    ("governance.oracle.reach=0.5", "governance.random_audit.accuracy=0.7", "governance.circuit_breaker.threshold=0.3"),
)


@dataclass(frozen=True)
class Checkup:
    """One thing looked at: whether it is as it should be, what was found, and whether numbers depend on it."""

    name: str
    good: bool
    found: str
    decides_numbers: bool = False


def examine() -> Iterator[Checkup]:
    """Look at everything, one thing at a time."""
    version = platform.python_version()
    wanted = ".".join(map(str, PYTHON_LEAST))
    is_enough = sys.version_info >= PYTHON_LEAST
    yield Checkup("python", is_enough, version if is_enough else f"{version}: Mesocosm needs {wanted} or later")
    yield _packages()
    yield _root()
    yield Checkup("processor", True, f"{platform.machine()}, NumPy uses {', '.join(simd_features()) or 'no SIMD'}")
    yield from golden_checks()


def _packages() -> Checkup:
    found, missing = [], []
    for name in NEEDED:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Checkup("packages", False, f"missing: {', '.join(missing)}. Install them with pip.")
    return Checkup("packages", True, ", ".join(found))


def _root() -> Checkup:
    """Whether runs can be kept where they go by default."""
    root = run_root()
    near = next((place for place in (root, *root.absolute().parents) if place.is_dir()), Path())
    try:
        with tempfile.TemporaryFile(dir=near):
            return Checkup("runs", True, f"{root} can be written")
    except OSError as error:
        hint = "Set MESOCOSM_RUNS to a folder you may write to."
        return Checkup("runs", False, f"{root} cannot be written ({error.strerror}). {hint}")


def simd_features() -> list[str]:
    """Extensions of this processor that NumPy uses."""
    told: Any = np.show_config(mode="dicts")
    features = told.get("SIMD Extensions", {}) if isinstance(told, dict) else {}
    return [str(name) for name in features.get("found", ())]


def golden_cases() -> list[dict[str, Any]]:
    """The small runs whose trajectories are compared: what is run, and how."""
    base = [f"simulation.epochs={EPOCHS}", f"simulation.steps_per_epoch={STEPS}", f"simulation.seed={SEED}"]
    cases = [{"scenario": name, "overrides": base} for name in bundled_scenarios()]
    return cases + [{"scenario": "baseline", "overrides": [*base, *extra]} for extra in VARIANTS]


def trajectory_of(case: dict[str, Any]) -> str:
    """Run one case in a folder of its own and return the hash of its trajectory."""
    with tempfile.TemporaryDirectory(prefix="mesocosm-") as folder:
        return run(case["scenario"], overrides=case["overrides"], output=Path(folder) / "case.jsonl").trajectory


def golden_checks() -> Iterator[Checkup]:
    """Run every case of golden.json and compare."""
    try:
        known = json.loads(GOLDEN.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield Checkup("numbers", False, f"{GOLDEN.name} cannot be read ({error}); install Mesocosm anew.", True)
        return
    if known.get("model") != MODEL:
        yield Checkup("numbers", False, f"{GOLDEN.name} is of model {known.get('model')!r}, this is {MODEL!r}.", True)
        return
    if not known.get("cases"):
        yield Checkup("numbers", False, f"{GOLDEN.name} holds no case to compare with.", True)
    for number, case in enumerate(known.get("cases", ()), start=1):
        name = f"numbers {number}"
        told = f"{case['scenario']}{', changed' if len(case['overrides']) > 3 else ''}"
        try:
            found = trajectory_of(case)
        except MesocosmError as error:
            yield Checkup(name, False, f"{told}: {error}", True)
            continue
        is_ours = found == case["trajectory_sha256"]
        sign = found[:16] if is_ours else f"{found[:16]} instead of {case['trajectory_sha256'][:16]}"
        yield Checkup(name, is_ours, f"{told}: {sign}", True)


def update_golden() -> Path:
    """Write golden.json anew from what this machine computes.

    Raises   UsageError when the installation cannot be written.
    """
    cases = [case | {"trajectory_sha256": trajectory_of(case)} for case in golden_cases()]
    text = json.dumps({"model": MODEL, "cases": cases}, indent=2) + "\n"
    try:
        write_atomic(GOLDEN, text.encode())
    except MesocosmError as error:
        raise UsageError(f"golden hashes belong to a checkout: {error}") from error
    return GOLDEN
