"""Measures a line in a process of its own: with this code, or with that of an earlier commit."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Line

BEFORE = "e2d6029"  # the last commit whose agents do not learn
KNOWN_BEFORE = ("program", "agents", "replicates", "mix", "level", "steps", "seconds")  # what a line said then
ROOT = Path(__file__).resolve().parent.parent


def measure_apart(line: Line, before: Path | None = None) -> dict[str, Any]:
    """Measure a line in a process of its own.

    Params   before: a folder with src/ and benchmarks/ of an earlier commit, whose code is measured instead.
    """
    said = asdict(line)
    environment = dict(os.environ)
    if before is not None:
        said = {name: said[name] for name in KNOWN_BEFORE}
        environment["PYTHONPATH"] = str(before / "src")
    command = [sys.executable, "-m", "benchmarks.measure", json.dumps(said)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=before, env=environment)
    if done.returncode:
        sys.exit(f"benchmark: {line} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@contextmanager
def code_before() -> Iterator[Path | str]:
    """A temporary folder with the code of BEFORE, as git has it; or why there is none."""
    command = ["git", "-C", str(ROOT), "archive", "--format=zip", BEFORE, "src", "benchmarks"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        yield "git is not installed"
        return
    if done.returncode:
        yield f"this is no git checkout that has commit {BEFORE}"
        return
    with tempfile.TemporaryDirectory(prefix="mesocosm-before-") as folder:
        zipfile.ZipFile(io.BytesIO(done.stdout)).extractall(folder)
        yield Path(folder)
