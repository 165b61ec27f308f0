"""The notebooks of examples/ run from top to bottom, in a kernel of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NAMES = ("quickstart", "governance_study")
EXECUTE = """
import sys
import nbclient, nbformat
book = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
nbformat.write(book, sys.argv[2])
"""


def execute(book: Path, out: Path, folder: Path) -> dict[str, Any]:
    """The notebook as a kernel leaves it."""
    pytest.importorskip("nbclient")
    own = {"MESOCOSM_RUNS": str(folder / "runs"), "IPYTHONDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder),
           "MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(book), str(out)],
        env=os.environ | own, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    made: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return made


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_top_to_bottom_and_shows_its_pictures(name: str, checkout: Path, tmp_path: Path) -> None:
    book = checkout / "examples" / f"{name}.ipynb"
    made = execute(book, tmp_path / "out.ipynb", tmp_path)
    outputs = [output for cell in made["cells"] for output in cell.get("outputs", ())]
    asked = sum("mc.figure(" in "".join(cell["source"]) for cell in made["cells"])
    assert sum("image/png" in output.get("data", {}) for output in outputs) == asked >= 2
    assert all(output["output_type"] != "error" for output in outputs)


def test_a_notebook_that_fails_is_noticed(checkout: Path, tmp_path: Path) -> None:
    book = json.loads((checkout / "examples" / "quickstart.ipynb").read_text(encoding="utf-8"))
    book["cells"] = [dict(book["cells"][1], source=["import mesocosm as mc\n", "mc.run('basline')"])]
    broken = tmp_path / "broken.ipynb"
    broken.write_text(json.dumps(book), encoding="utf-8")
    with pytest.raises(AssertionError, match="Did you mean baseline"):
        execute(broken, tmp_path / "out.ipynb", tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_kept_without_outputs(name: str, checkout: Path) -> None:
    book = json.loads((checkout / "examples" / f"{name}.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
