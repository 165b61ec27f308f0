"""The house holds to its own rules, and every rule can fail."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import house_calls
import house_rules
from house_rules import PACKAGE, Module, read_package

MODULE_RULES: tuple[Callable[[Module], list[str]], ...] = (
    house_rules.layer_order,
    house_rules.hidden_imports,
    house_rules.sizes,
    house_rules.forbidden_names,
    house_rules.docstrings,
    house_rules.section_order,
    house_rules.unfinished,
    house_rules.broad_excepts,
    house_calls.banned_calls,
    house_calls.inexact_arithmetic,
    house_calls.set_iteration,
)
PACKAGE_RULES: tuple[Callable[[list[Module]], list[str]], ...] = (
    house_rules.import_cycles,
    house_rules.duplicate_names,
    house_rules.type_ignores,
    house_rules.dead_modules,
)


@pytest.fixture(scope="module")
def package() -> list[Module]:
    return read_package(Path(__file__).resolve().parent.parent / "src")


@pytest.mark.parametrize("rule", MODULE_RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Callable[[Module], list[str]], package: list[Module]) -> None:
    found = [line for module in package for line in rule(module)]
    assert not found, f"{rule.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize("rule", PACKAGE_RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Callable[[list[Module]], list[str]], package: list[Module]) -> None:
    found = rule(package)
    assert not found, f"{rule.__doc__}\n" + "\n".join(found)


# --- the concept -> file table

MODULE_PATH = re.compile(r"`([\w*/.-]+\.(?:py|md|yaml|toml|sh))`")


def broken_table(text: str, package: list[Module], files: set[str]) -> list[str]:
    """What is wrong with ARCHITECTURE.md: files it names that do not exist, modules that it does not name.

    A module is named by its path inside the package (`env/payoff.py`); an open set by `governance/*.py`.
    """
    modules = {module.path for module in package if not module.is_package and module.path != "__main__.py"}
    named = set(MODULE_PATH.findall(text))
    open_sets = {f"{name.replace('.', '/')}/*.py" for name in house_rules.OPEN_SETS}
    known = modules | files | open_sets | {module.path for module in package}
    missing = [f"ARCHITECTURE.md names {name}, which does not exist" for name in sorted(named - known)]
    patterns = named & (modules | open_sets)
    return missing + [
        f"ARCHITECTURE.md does not name {path}"
        for path in sorted(modules)
        if not any(fnmatch.fnmatch(path, pattern) for pattern in patterns)
    ]


def test_architecture_md_names_every_module_and_nothing_else(package: list[Module], checkout: Path) -> None:
    text = (checkout / "ARCHITECTURE.md").read_text(encoding="utf-8")
    files = {path.relative_to(checkout).as_posix() for path in repository_files(checkout)}
    assert broken_table(text, package, files) == []


def test_the_architecture_check_sees_both_kinds_of_gap() -> None:
    package = [Module("mesocosm.env.feed", ""), Module("mesocosm.governance.taxes", "")]
    assert broken_table("`env/feed.py` `governance/*.py`", package, set()) == []
    assert broken_table("`env/feed.py`", package, set()) == ["ARCHITECTURE.md does not name governance/taxes.py"]
    found = broken_table("`env/feed.py` `env/foo.py` `governance/*.py`", package, set())
    assert found == ["ARCHITECTURE.md names env/foo.py, which does not exist"]


# --- the whole repository

SKIPPED = frozenset({"__pycache__", "runs", "build", "dist", "htmlcov"})
ELSEWHERE = re.compile(r"(?<![\w.~$}>])/(?:work|root|home|Users|farm)/[\w.-]")
REGISTRY = re.compile(r"(?:pypi|pythonhosted|anaconda)\.(?:org|com)" + r"|index" + r"-url|find" + r"-links")


def repository_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in SKIPPED or (path.name.startswith(".") and path.name != ".ci"):
            continue
        if path.is_dir():
            yield from repository_files(path)
        else:
            yield path


def foreign_places(name: str, text: str) -> list[str]:
    """Paths of one machine, and addresses of package registries, in a file of the repository."""
    lines = enumerate(text.splitlines(), 1)
    return [f"{name}:{i} {line.strip()[:80]}" for i, line in lines if ELSEWHERE.search(line) or REGISTRY.search(line)]


def test_no_file_names_a_place_of_one_machine_or_a_registry(checkout: Path) -> None:
    found: list[str] = []
    for path in repository_files(checkout):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += foreign_places(path.relative_to(checkout).as_posix(), text)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("line", ["see /" + "work/x.py", "open('/" + "home/me/x')", "https://py" + "pi.org/simple"])
def test_the_search_for_foreign_places_finds_them(line: str) -> None:
    assert foreign_places("x.md", f"fine\n{line}\n") == [f"x.md:2 {line}"]


@pytest.mark.parametrize("line", ["~/work/x", "a/home/b", "./root/x", "the /work of others"])
def test_ordinary_paths_are_no_foreign_places(line: str) -> None:
    assert foreign_places("x.md", line) == []


# --- every rule can fail: small modules that break it, and their nearest neighbours that do not

BAD: dict[str, list[tuple[str, str]]] = {
    "layer_order": [
        ("env.feed", "from mesocosm.engine import loop"),
        ("env.feed", "import mesocosm.api"),
        ("env.feed", "from mesocosm import runner"),
        ("env.feed", "from ..engine.loop import simulate"),
        ("agents.policies.honest", "from mesocosm.governance.taxes import rate"),
        ("errors", "from mesocosm.config.load import load_scenario"),
        ("log.write", "def f():\n    from mesocosm.runner import runner"),
        ("cli.main", "import mesocosm"),
        ("extras.x", ""),
    ],
    "hidden_imports": [
        ("cli.main", "def f():\n    from mesocosm.runner import runner"),
        ("env.feed", "def f():\n    import scipy.stats"),
        ("cli.main", "def f():\n    import json"),
        ("cli.main", "class A:\n    def f(self):\n        if self:\n            import json"),
        ("env.feed", "from typing import " + "TYPE_CHECKING"),
    ],
    "sizes": [
        ("env.feed", "x = 1\n" * 401),
        ("env.feed", "def f():\n" + "    x = 1\n" * 60),
        ("env.feed", "class A:\n" + "".join(f"    def m{i}(self): ...\n" for i in range(13))),
        ("env.feed", "def f(a, b, c, d, e, f, g): ..."),
        ("env.feed", "class A:\n    def m(self, a, b, c, d, e, f, g): ..."),
    ],
    "forbidden_names": [
        ("env.utils", ""),
        ("env.feed", "class FeedManager: ..."),
        ("env.feed", "def process_posts(): ..."),
        ("env.feed", "def _new_post(): ..."),
        ("engine.loop_v2", ""),
    ],
    "docstrings": [
        ("env.feed", "x = 1"),
        ("env.feed", '"""A."""\ndef f(): ...'),
        ("env.feed", '"""A."""\nclass A: ...'),
        ("env.feed", '"""A."""\nclass A:\n    """A."""\n    def m(self): ...'),
    ],
    "section_order": [("env.feed", 'def f():\n    """A.\n\n    Returns  x.\n    Params   y.\n    """')],
    "unfinished": [
        ("env.feed", "# TO" + "DO more"),
        ("env.feed", "raise NotImplemented" + "Error"),
        ("env.feed", "x = 1  # for " + "now"),
        ("env.feed", "x = 1  # a place" + "holder"),
    ],
    "broad_excepts": [
        ("env.feed", "try:\n    x = 1\nexcept:\n    pass"),
        ("env.feed", "try:\n    x = 1\nexcept Exception:\n    pass"),
        ("env.feed", "try:\n    x = 1\nexcept (ValueError, BaseException) as e:\n    pass"),
        ("env.feed", "import contextlib\nwith contextlib.suppress(Exception):\n    x = 1"),
    ],
    "banned_calls": [
        ("env.feed", "import random"),
        ("runner.runner", "from uuid import uuid4"),
        ("env.feed", "import numpy as np\nx = np.random.default_rng()"),
        ("runner.runner", "from numpy.random import default_rng"),
        ("engine.loop", "import time"),
        ("log.write", "from datetime import datetime\nx = datetime.now()"),
        ("analysis.plots", "import os\nx = os.environ['X']"),
        ("analysis.plots", "from os import getenv"),
        ("metrics.outcome", "open('x')"),
        ("metrics.outcome", "from pathlib import Path"),
        ("runner.runner", "print('x')"),
        ("runner.runner", "import pickle"),
        ("config.load", "import yaml\nyaml.load('x', yaml.SafeLoader)"),
        ("cli.main", "eval('1')"),
        ("cli.main", "f = exec"),
        ("env.feed", "import importlib\nimportlib.import_module('x')"),
        ("runner.runner", "import socket"),
        ("config.load", "import subprocess"),
    ],
    "inexact_arithmetic": [
        ("env.proxy", "import numpy as np\nx = np.exp(1.0)"),
        ("env.proxy", "import numpy\nf = numpy.log1p"),
        ("env.proxy", "from numpy import tanh"),
        ("env.proxy", "import math\nx = math.exp(1.0)"),
        ("measures.gini", "import numpy as np\nx = np.linalg.norm(y)"),
        ("env.proxy", "x = a @ b"),
        ("env.proxy", "x @= b"),
        ("env.proxy", "x = a.dot(b)"),
        ("env.proxy", "import numpy as np\nx = np.dot(a, b)"),
        ("env.proxy", "import numpy as np\nx = np.einsum('i,i', a, b)"),
        ("env.proxy", "import numpy as np\nx = np.argsort(a)"),
        ("env.proxy", "import numpy as np\nx = np.argsort(a, kind='quicksort')"),
        ("env.proxy", "a.sort()"),
        ("env.proxy", "x = a ** b"),
        ("env.proxy", "x = 2 ** b"),
        ("env.proxy", "x **= 2"),
    ],
    "set_iteration": [
        ("env.feed", "for x in {1, 2}: ..."),
        ("env.feed", "s = set(a)\nfor x in s: ..."),
        ("env.feed", "def f(s: frozenset[str]):\n    return [x for x in s]"),
        ("env.feed", "S = frozenset({1})\ndef f():\n    return list(S)"),
        ("env.feed", "x = list({a for a in b} | c)"),
        ("env.feed", "x = ','.join(set(a))"),
        ("env.feed", "s = set(a)\nx = s.pop()"),
        ("env.feed", "print(*{1, 2})"),
        ("env.feed", "x = sum({.1, .2})"),
    ],
}

GOOD: dict[str, list[tuple[str, str]]] = {
    "layer_order": [
        ("engine.loop", "from mesocosm.env import feed\nfrom mesocosm.api import View\nimport numpy"),
        ("registry", "from mesocosm.errors import UsageError"),
        ("log.write", "from mesocosm import __version__"),
        ("__main__", "from mesocosm.cli.main import main"),
        ("agents.contract", "from mesocosm.agents.roles import planner"),
    ],
    "hidden_imports": [
        ("analysis.plots", "def f():\n    import matplotlib.pyplot as plt"),
        ("env.feed", "import json"),
    ],
    "sizes": [
        ("env.feed", "x = 1\n" * 400),
        ("env.feed", "def f():\n" + "    x = 1\n" * 59),
        ("env.feed", "class A:\n    def m(self, a, b, c, d, e, f, *, g): ..."),
    ],
    "forbidden_names": [("env.renewal", "class Newcomer:\n    def __new__(cls): ...\ndef metadata(): ...")],
    "docstrings": [("env.feed", '"""A."""\ndef _f(): ...\nclass A:\n    """A."""\n    def __len__(self): ...')],
    "section_order": [("env.feed", 'def f():\n    """A.\n\n    Params   y.\n    Returns  x.\n    Example\n    """')],
    "unfinished": [("env.feed", "x = 1  # forward"), ("dashboard.app", "field(placeholder='a name')")],
    "broad_excepts": [("env.feed", "try:\n    x = 1\nexcept (ValueError, KeyError):\n    pass")],
    "banned_calls": [
        ("runner.runner", "import time\nimport os\nx = os.environ['X']"),
        ("cli.main", "print('x')"),
        ("log.write", "open('x')"),
        ("env.feed", "def f(input, open):\n    return input, open"),
        ("env.feed", "import re\nx = re.compile('x')\nself.time = self.random"),
    ],
    "inexact_arithmetic": [
        ("env.proxy", "import numpy as np\nx = np.sqrt(a) + np.argsort(a, kind='stable') + a ** 2 + 2.0 ** -52"),
        ("analysis.plots", "import numpy as np\nx = np.exp(a) @ b ** c"),
        ("env.proxy", "from mesocosm import exact\nx = exact.exp(a)"),
    ],
    "set_iteration": [
        ("env.feed", "s = set(a)\nfor x in sorted(s): ...\ny = {b for b in s}\nz = any(b in s for b in [1])"),
        ("env.feed", "def f(s: list[int]):\n    return [x for x in s]\ns = {1}"),
        ("env.feed", "for x in {1: 2}: ..."),
    ],
}


def cases(table: dict[str, list[tuple[str, str]]]) -> list[tuple[str, str, str]]:
    return [(rule, name, text) for rule, snippets in table.items() for name, text in snippets]


def findings(rule: str, name: str, text: str) -> list[str]:
    found = next(item for item in MODULE_RULES if item.__name__ == rule)
    return found(Module(f"{PACKAGE}.{name}", text))


@pytest.mark.parametrize(("rule", "name", "text"), cases(BAD))
def test_a_module_that_breaks_a_rule_is_found(rule: str, name: str, text: str) -> None:
    assert findings(rule, name, text)


@pytest.mark.parametrize(("rule", "name", "text"), cases(GOOD))
def test_a_module_that_keeps_a_rule_is_left_alone(rule: str, name: str, text: str) -> None:
    assert findings(rule, name, text) == []


def test_every_rule_about_a_module_has_an_example_of_each_kind() -> None:
    assert set(BAD) == set(GOOD) == {rule.__name__ for rule in MODULE_RULES}


def modules(**texts: str) -> list[Module]:
    return [Module(f"{PACKAGE}.{name.replace('__', '.')}", text) for name, text in texts.items()]


def test_a_cycle_of_imports_is_named() -> None:
    found = house_rules.import_cycles(
        modules(
            env__a="from mesocosm.env import b", env__b="from mesocosm.env.c import x", env__c="import mesocosm.env.a"
        )
    )
    assert found == ["mesocosm.env.a -> mesocosm.env.b -> mesocosm.env.c -> mesocosm.env.a"]
    assert house_rules.import_cycles(modules(env__a="from mesocosm.env import b", env__b="x = 1")) == []


def test_a_name_with_two_homes_is_named() -> None:
    twice = modules(env__a="def gini(): ...", metrics__b="class gini: ...\ndef _own(): ...", log__c="def _own(): ...")
    assert house_rules.duplicate_names(twice) == ["env/a.py:1 gini and metrics/b.py:1 gini"]
    assert house_rules.duplicate_names(modules(env__a="class A:\n    def m(self): ...\ndef m(): ...")) == []


def test_the_sixth_line_kept_from_the_type_checker_is_one_too_many() -> None:
    line = "x = 1  # type: " + "ignore[assignment]\n"
    assert house_rules.type_ignores(modules(env__a=line * 5)) == []
    assert len(house_rules.type_ignores(modules(env__a=line * 3, env__b=line * 3))) == 6


def test_a_module_nothing_uses_is_named() -> None:
    package = modules(env__a="x = 1", cli__main="from mesocosm.env import b", env__b="x = 1", governance__taxes="")
    assert house_rules.dead_modules(package) == ["env/a.py:1 nothing uses this module"]
