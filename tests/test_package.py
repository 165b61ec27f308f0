"""The package as it is imported and installed: its version, its public names, what it costs to import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mesocosm as mc


def imported_by(statement: str) -> set[str]:
    """Top-level packages that a fresh process has loaded after a statement."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_version_is_the_one_in_pyproject(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert mc.__version__ == project["version"]


@pytest.mark.parametrize("name", sorted(set(mc.__all__)))
def test_every_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(mc, name) is not None
    assert name in dir(mc)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = mc.runn  # type: ignore[attr-defined]


def test_the_stub_names_what_the_package_names(checkout: Path) -> None:
    stub = ast.parse((checkout / "src/mesocosm/__init__.pyi").read_text(encoding="utf-8"))
    homes = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert homes == vars(mc)["_HOME"]
    listed = next(node.value for node in stub.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(listed) == mc.__all__ == sorted([*homes, "__version__"])


def test_importing_the_package_loads_no_library() -> None:
    assert not imported_by("import mesocosm") & {"numpy", "pydantic", "scipy", "matplotlib", "polars", "yaml", "rich"}


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    assert not imported_by("import mesocosm.cli.main") & {"scipy", "matplotlib", "polars", "networkx"}


def test_every_dependency_is_bounded_and_pinned(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (checkout / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        name = requirement.split(">=")[0]
        assert ">=" in requirement, requirement
        assert ",<" in requirement or name == "pip", requirement
        assert name.lower() in pinned, f"{name} is not in constraints.txt"


def test_the_constraints_name_no_address(checkout: Path) -> None:
    text = (checkout / "constraints.txt").read_text(encoding="utf-8")
    assert "//" not in text
    assert "@" not in text
