"""`make run` and `make test` on machines that cannot run Mesocosm yet: they say what to install."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = ("sh", "cat", "cksum", "dirname", "env", "head", "rm", "sed", "tail")


@pytest.fixture
def machine(checkout: Path, tmp_path: Path) -> Path:
    """A copy of what set-up reads, under a path with a space, and a PATH with a few tools and no Python."""
    place = tmp_path / "a checkout"
    (place / "scripts").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup.sh"):
        shutil.copy(checkout / name, place / name)
    (place / "bin").mkdir()
    for tool in TOOLS:
        (place / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return place


def set_up(machine: Path, want: str = "core") -> subprocess.CompletedProcess[str]:
    surroundings = {"PATH": str(machine / "bin"), "HOME": str(machine)}
    command = [str(machine / "bin" / "sh"), "scripts/setup.sh", want]
    return subprocess.run(command, cwd=machine, env=surroundings, capture_output=True, text=True, timeout=60)


def give_python(machine: Path, refusing: str, name: str = "python3") -> None:
    """Put a Python on the PATH that fails when its arguments contain a word."""
    script = f'#!/bin/sh\ncase "$*" in *{refusing}*) exit 1;; esac\nexec "{sys.executable}" "$@"\n'
    path = machine / "bin" / name
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)


def test_without_python_it_names_the_version_and_the_package(machine: Path) -> None:
    done = set_up(machine)
    assert done.returncode == 1
    assert "Python 3.11 or later" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_python_that_is_too_old_is_passed_over(machine: Path) -> None:
    give_python(machine, "version_info")
    done = set_up(machine)
    assert done.returncode == 1
    assert "Python 3.11 or later" in done.stderr


def test_a_python_without_ensurepip_names_the_package(machine: Path) -> None:
    give_python(machine, "ensurepip")
    done = set_up(machine)
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert not (machine / ".venv").exists()


def test_an_environment_that_is_up_to_date_is_left_alone_in_silence(machine: Path) -> None:
    (machine / ".venv" / "bin").mkdir(parents=True)
    (machine / ".venv" / "bin" / "python").symlink_to(sys.executable)
    script = "pwd && cksum pyproject.toml constraints.txt scripts/setup.sh"
    key = subprocess.run(["sh", "-c", script], cwd=machine, capture_output=True, text=True, check=True).stdout
    (machine / ".venv" / "dev.stamp").write_text(key, encoding="utf-8")
    for want in ("dev", "core"):
        done = set_up(machine, want)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
