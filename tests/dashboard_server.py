"""A dashboard served by a process of its own, and a real browser to look at it with."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no browser: install Chromium (Debian or Ubuntu: apt-get install chromium) to test the dashboard's pages"


@dataclass(frozen=True)
class Served:
    """A dashboard that is up: its address, the port, and the process."""

    address: str
    port: int
    process: subprocess.Popen[str]


@contextmanager
def served(root: Path, *arguments: str) -> Iterator[Served]:
    """Serve the runs under a folder until the block ends."""
    words = [sys.executable, "-m", "mesocosm", "dashboard", "--port", str(_port_of_its_own()), *arguments, "--json"]
    with (root.parent / "server.log").open("w") as log:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | {"MESOCOSM_RUNS": str(root)}
        )
    try:
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = process.stdout.readline()
            assert line, f"the dashboard did not start: {(root.parent / 'server.log').read_text()}"
            said += line
        address = json.loads(said)["address"]
        _wait_until_up(address)
        yield Served(address, int(address.rstrip("/").rpartition(":")[2]), process)
    finally:
        process.terminate()
        process.wait(timeout=20)
        assert process.stdout is not None
        process.stdout.close()


def _port_of_its_own() -> int:
    """A port that no other test that runs at the same time is given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {address}")


def browser_path() -> str:
    """Where this machine's Chromium is; without one the test is skipped, or fails where one was promised."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), "")
    if not found and os.environ.get("MESOCOSM_BROWSER") == "required":
        pytest.fail(MISSING)
    if not found:
        pytest.skip(MISSING)
    return found
