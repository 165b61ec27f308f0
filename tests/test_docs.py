"""What the documents tell a reader to type works as told."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")


def commands() -> list[str]:
    """Every `mesocosm ...` of the README's table, in order; the one that serves until it is stopped has other tests."""
    table = [line for line in README.splitlines() if line.startswith("|")]
    found = [command for line in table for command in re.findall(r"`(mesocosm [^`]+)`", line)]
    return [command for command in found if command != "mesocosm dashboard"]


def snippets() -> list[str]:
    """The Python blocks of all documents."""
    return [
        block
        for path in DOCUMENTS
        for block in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    ]


@pytest.mark.slow
def test_the_commands_of_the_readme_work_one_after_the_other(tmp_path: Path) -> None:
    assert len(commands()) >= 10
    for command in commands():
        words, _, target = command.partition(" > ")
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(words)], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        differs = words.startswith("mesocosm diff")  # which then ends with 1, as diff does
        assert done.returncode == differs, f"{command}\n{done.stderr}"
        if target:
            (tmp_path / target).write_text(done.stdout, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(snippets())))
def test_a_python_snippet_runs_as_it_stands(tmp_path: Path, number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippets()[number]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    broken = [
        target for target in LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / target).exists()
    ]
    assert broken == []


def test_the_readme_fits_one_screen_and_names_the_two_commands() -> None:
    assert len(README.splitlines()) <= 75
    assert "make run" in README
    assert "make test" in README
