"""What a stranger gets: the wheel, in an environment of its own, away from the checkout."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def built(checkout: Path, target: str, folder: Path) -> Path:
    """Build a wheel or an sdist of the checkout into a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(checkout, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `mesocosm` command of a clean environment that holds the wheel and sees this one's libraries."""
    home = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    offline = ["--no-index", "--no-deps", "--disable-pip-version-check", str(wheel)]
    done = subprocess.run([*install, *offline], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # Libraries come from the environment of the tests; a path listed so does not bring its editable installs along.
    inside = next((home / "lib").glob("python*/site-packages"))
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    (inside / "libraries.pth").write_text("\n".join(sorted(libraries)), encoding="utf-8")
    return home / "bin" / "mesocosm"


def ran(program: Path, folder: Path, *arguments: str) -> str:
    """Run the command in a folder, without the surroundings of the checkout, and return what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MESOCOSM"))}
    done = subprocess.run([program, *arguments], cwd=folder, env=kept, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_its_scenarios_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"mesocosm"}
    for wanted in ("baseline", "adversarial_attack", "status_game"):
        assert f"mesocosm/scenarios/{wanted}.yaml" in names
    assert "mesocosm/py.typed" in names
    assert not [name for name in names if "__pycache__" in name]
    assert len(names) == len(set(names))


def test_the_sdist_holds_the_source_the_tests_and_each_scenario_once(checkout: Path, tmp_path: Path) -> None:
    with tarfile.open(built(checkout, "sdist", tmp_path)) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames()]
    assert [name for name in names if name.endswith("baseline.yaml")] == ["src/mesocosm/scenarios/baseline.yaml"]
    assert {"pyproject.toml", "Makefile", "tests/test_wheel.py", "LICENSE", "README.md"} <= set(names)
    assert not [name for name in names if name.startswith((".venv/", "runs/", "scenarios/"))]


def test_the_installed_package_is_the_one_from_the_wheel(program: Path, tmp_path: Path) -> None:
    where = ran(program.parent / "python", tmp_path, "-c", "import mesocosm; print(mesocosm.__file__)")
    assert Path(where.strip()).is_relative_to(program.parent.parent)


def test_the_installed_command_finds_its_scenarios_by_name(program: Path, tmp_path: Path) -> None:
    listed = ran(program, tmp_path, "list", "scenarios")
    for name in ("baseline", "adversarial_attack", "status_game"):
        assert name in listed


def test_the_installed_command_runs_and_verifies_in_an_empty_folder(program: Path, tmp_path: Path) -> None:
    ran(program, tmp_path, "run", "baseline", "--epochs", "2", "--seed", "1")
    assert list(tmp_path.rglob("events.jsonl"))
    assert "verified" in ran(program, tmp_path, "replay", "latest", "--verify")
