"""A stranger's lever that comes as a package of its own, found through the entry-point group `mesocosm`."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

LEVER = '''"""A fee on hard work, as somebody else would ship it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mesocosm.api import Lever
from mesocosm.registry import lever, param


@lever("hardship_fee")
@dataclass(frozen=True)
class HardshipFee(Lever):
    """Both sides of a deal pay by how hard its task is.

    Params   rate: credits at the greatest difficulty; neutral at 0.
    Moves    initiator, counterparty -> treasury.
    """

    neutral: ClassVar[dict[str, float]] = {"rate": 0.0}
    moves: ClassVar[str] = "initiator, counterparty -> treasury"

    rate: float = param(0.1, about="fee at the greatest difficulty", unit="credits", ge=0.0, le=10.0)

    def cost(self, deal: Any) -> tuple[Any, Any]:
        due = self.rate * deal.difficulty
        return due, due
'''
ABOUT = "hardship_fee-1.0.dist-info"


def build_wheel(folder: Path) -> Path:
    """A wheel of one module that names itself in the entry-point group."""
    files = {
        "hardship_fee.py": LEVER,
        f"{ABOUT}/METADATA": "Metadata-Version: 2.1\nName: hardship-fee\nVersion: 1.0\n",
        f"{ABOUT}/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{ABOUT}/entry_points.txt": "[mesocosm]\nhardship_fee = hardship_fee\n",
    }
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}"
        for name, text in files.items()
    ]
    files[f"{ABOUT}/RECORD"] = "\n".join([*record, f"{ABOUT}/RECORD,,", ""])
    path = folder / "hardship_fee-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory of installed packages that holds the wheel."""
    wheel, place = build_wheel(tmp_path), tmp_path / "site"
    if importlib.util.find_spec("pip") is None:  # as in environments that uv makes
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(place)
        return place
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(place)]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True, timeout=120)
    return place


def mesocosm(*words: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if site is not None:
        env["PYTHONPATH"] = str(site)
    return subprocess.run(
        [sys.executable, "-m", "mesocosm", *words], env=env, capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
def test_an_installed_package_adds_a_lever_without_a_word_on_the_command_line(site: Path, tmp_path: Path) -> None:
    asked = ["run", "baseline", "--epochs", "2", "--set", "governance.hardship_fee.rate=0.3", "--json", "--output"]
    run = mesocosm(*asked, str(tmp_path / "run"), site=site)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["levers_fired"]["hardship_fee"] > 0
    checked = mesocosm("replay", str(tmp_path / "run"), "--verify", site=site)
    assert checked.returncode == 0, checked.stderr + checked.stdout
    page = mesocosm("explain", "hardship_fee", site=site)
    assert "Both sides of a deal pay by how hard its task is." in page.stdout
    assert "neutral" in page.stdout and "rate 0" in page.stdout
    assert "hardship_fee" in mesocosm("list", "levers", site=site).stdout

    without = mesocosm(*asked, str(tmp_path / "other"), site=None)
    assert without.returncode == 2
    told = without.stdout + without.stderr
    assert "hardship_fee" in told and "Traceback" not in told
