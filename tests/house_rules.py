"""The rules of the house about structure: layers, sizes, names, docstrings, one home per concept.

A rule looks at one module, or at all of them, and returns what it finds as "file:line what is wrong".
`house_calls` has the rules about what may be called where; `test_house` holds the package to all of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

PACKAGE = "mesocosm"
#: A layer imports earlier layers and its own; the registry's row may import within itself.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "exact", "rng", "registry"),
    ("config",),
    ("env",),
    ("api",),
    ("measures",),
    ("agents", "governance", "motifs", "security"),
    ("engine",),
    ("log",),
    ("metrics",),
    ("llm",),
    ("runner",),
    ("analysis",),
    ("cli", "dashboard"),
)
RANK = {layer: rank for rank, row in enumerate(LAYERS) for layer in row}
SIBLINGS = frozenset({"agents", "governance", "motifs", "security"})
#: Folders where adding a file is all: nothing imports these modules by name.
OPEN_SETS = ("agents.policies", "agents.roles", "governance", "metrics", "motifs", "security")

_HEAVY = """
    anthropic gymnasium matplotlib networkx numpy openai optuna pandas pettingzoo plotly polars pyarrow ray rich scipy
    streamlit
"""
HEAVY = frozenset(_HEAVY.split())
LAZY_LAYERS = frozenset({"cli", "dashboard", "analysis", "llm", "runner", "log", "measures"})

LINES_MAX, FUNCTION_LINES_MAX, METHODS_MAX, POSITIONAL_MAX, TYPE_IGNORES_MAX = 400, 60, 12, 6, 5
_SAYS_NOTHING = """
    utils util helpers helper common misc core base manager handler engine2 enhanced new v2 final data info process
"""
FORBIDDEN_WORDS = frozenset(_SAYS_NOTHING.split())
SECTIONS = ("Params", "Shapes", "Returns", "Moves", "Raises", "Source", "Example")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|placeholder(?!=)|for now|" + "NotImplemented" + "Error")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Import(NamedTuple):
    """One imported module: its full name, the line, and the function it is imported in, if any."""

    target: str
    line: int
    function: str


@dataclass(frozen=True)
class Module:
    """One source file of the package, parsed."""

    name: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def path(self) -> str:
        inner = self.name.split(".")[1:]
        return "/".join([*inner, "__init__.py"]) if self.is_package else "/".join(inner) + ".py"

    @property
    def layer(self) -> str:
        """Layer the module belongs to; the package's own ``__init__`` and ``__main__`` have none."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 and parts[1] != "__main__" else ""

    def at(self, node: ast.AST | int, message: str) -> str:
        return f"{self.path}:{node if isinstance(node, int) else getattr(node, 'lineno', 0)} {message}"

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self, self.tree, ""))


def read_package(root: Path) -> list[Module]:
    """Parse every file of the package below a source folder."""
    modules = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = list(path.relative_to(root).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules.append(Module(name, path.read_text(encoding="utf-8"), is_package))
    return modules


def _imports(module: Module, node: ast.AST, function: str) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, function) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            source = child.module or ""
            if child.level:
                inside = module.name.split(".")
                inside = inside[: len(inside) - child.level + (1 if module.is_package else 0)]
                source = ".".join([*inside, source] if source else inside)
            yield from (Import(f"{source}.{alias.name}", child.lineno, function) for alias in child.names)
        else:
            is_function = isinstance(child, Function | ast.Lambda)
            inner = getattr(child, "name", "lambda") if is_function else function
            yield from _imports(module, child, inner)


def _functions(tree: ast.AST) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def _classes(tree: ast.AST) -> Iterator[ast.ClassDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _is_overload(node: ast.AST) -> bool:
    """Whether a function only states one of several signatures of the one that follows."""
    marks = [ast.unparse(mark) for mark in getattr(node, "decorator_list", [])]
    return "overload" in marks or "typing.overload" in marks


def _methods(node: ast.ClassDef) -> list[Function]:
    return [item for item in node.body if isinstance(item, Function) and not _is_overload(item)]


# --- rules about one module


def layer_order(module: Module) -> list[str]:
    """Imports go one way: from a layer to earlier ones, and never between siblings."""
    own = module.layer
    if own and own not in RANK:
        return [module.at(1, f"{own} is in no layer; the table is in house_rules.py")]
    rank = RANK[own] if own else len(LAYERS)
    found = []
    for item in module.imports:
        parts = item.target.split(".")
        if parts[0] != PACKAGE or item.target == f"{PACKAGE}.__version__":
            continue
        target = parts[1] if len(parts) > 1 else ""
        if target not in RANK:
            found.append(module.at(item.line, f"imports {item.target}, which is no layer"))
        elif RANK[target] > rank:
            found.append(module.at(item.line, f"{own} imports the later layer {target}"))
        elif target != own and {target, own} <= SIBLINGS:
            found.append(module.at(item.line, f"{own} imports its sibling {target}"))
    return found


def hidden_imports(module: Module) -> list[str]:
    """Inside functions only heavy libraries are imported, and only in the layers that need them late."""
    found = []
    for item in module.imports:
        top = item.target.split(".")[0]
        if item.function and not (top in HEAVY and module.layer in LAZY_LAYERS):
            found.append(module.at(item.line, f"{item.function} imports {item.target} inside the function"))
        if item.target == "typing." + "TYPE_CHECKING":
            found.append(module.at(item.line, "hides imports from the running program (TYPE_CHECKING)"))
    return found


def sizes(module: Module) -> list[str]:
    """Small by budget: modules, functions, classes, positional parameters."""
    found = []
    lines = len(module.text.splitlines())
    if lines > LINES_MAX:
        found.append(module.at(lines, f"the module has {lines} lines (at most {LINES_MAX})"))
    for node in _functions(module.tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES_MAX:
            found.append(module.at(node, f"{node.name} has {length} lines (at most {FUNCTION_LINES_MAX})"))
        names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
        count = len(names) - (1 if names[:1] in (["self"], ["cls"]) else 0)
        if count > POSITIONAL_MAX:
            found.append(module.at(node, f"{node.name} has {count} positional parameters (at most {POSITIONAL_MAX})"))
    return found + [
        module.at(node, f"{node.name} has {len(_methods(node))} methods (at most {METHODS_MAX})")
        for node in _classes(module.tree)
        if len(_methods(node)) > METHODS_MAX
    ]


def words(name: str) -> list[str]:
    """Split a name in snake or camel case into its words, in lower case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_").split("_")


def forbidden_names(module: Module) -> list[str]:
    """Files, classes and functions are named by what they are, in the words of the field."""
    named = [(1, part) for part in module.name.split(".") if not part.startswith("__")]
    named += [(node.lineno, node.name) for node in _functions(module.tree) if not node.name.startswith("__")]
    named += [(node.lineno, node.name) for node in _classes(module.tree)]
    return [
        module.at(line, f"{name} contains {word!r}, which says nothing")
        for line, name in named
        for word in words(name)
        if word in FORBIDDEN_WORDS
    ]


def docstrings(module: Module) -> list[str]:
    """Everything public has a docstring: module, class, function, method."""
    found = [] if ast.get_docstring(module.tree) else [module.at(1, "the module has no docstring")]

    def look(body: list[ast.stmt], owner: str) -> None:
        for node in body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not _is_overload(node):
                if not ast.get_docstring(node):
                    found.append(module.at(node, f"{owner}{node.name} has no docstring"))
                if isinstance(node, ast.ClassDef):
                    look(node.body, f"{node.name}.")

    look(module.tree.body, "")
    return found


def section_order(module: Module) -> list[str]:
    """A docstring's sections come in one order: Params, Shapes, Returns, Moves, Raises, Source, Example."""
    found = []
    heading = re.compile(rf"^({'|'.join(SECTIONS)})(?:\s{{2,}}|$)", re.MULTILINE)
    for node in (module.tree, *_functions(module.tree), *_classes(module.tree)):
        order = [SECTIONS.index(word) for word in heading.findall(ast.get_docstring(node) or "")]
        if order != sorted(order):
            said = ", ".join(SECTIONS[index] for index in order)
            found.append(module.at(node if node is not module.tree else 1, f"sections out of order: {said}"))
    return found


def unfinished(module: Module) -> list[str]:
    """Nothing is left for later."""
    lines = enumerate(module.text.splitlines(), 1)
    return [module.at(number, f"unfinished: {line.strip()}") for number, line in lines if UNFINISHED.search(line)]


def broad_excepts(module: Module) -> list[str]:
    """An except names what it expects."""
    broad = {"Exception", "BaseException"}
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or (isinstance(kind, ast.Name) and kind.id in broad) for kind in kinds):
                found.append(module.at(node, "broad except"))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "suppress":
            suppressed = [arg for arg in node.args if isinstance(arg, ast.Name) and arg.id in broad]
            found += [module.at(arg, "suppresses every exception") for arg in suppressed]
    return found


# --- rules about the whole package


def _known(target: str, names: set[str]) -> str:
    """Module that an imported name lives in: itself, or the module it is imported from."""
    return target if target in names else target.rpartition(".")[0]


def import_cycles(modules: list[Module]) -> list[str]:
    """No module can reach itself by imports."""
    names = {module.name for module in modules}
    edges = {m.name: sorted({_known(i.target, names) for i in m.imports} & names - {m.name}) for m in modules}
    found: list[str] = []
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            found.append(" -> ".join([*trail[trail.index(name) :], name]))
        elif name not in done:
            for target in edges[name]:
                walk(target, (*trail, name))
            done.add(name)

    for name in sorted(edges):
        walk(name, ())
    return found


def duplicate_names(modules: list[Module]) -> list[str]:
    """One home per concept: no two public classes or functions of the package share a name."""
    home: dict[str, list[str]] = {}
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, Function | ast.ClassDef) and not (node.name.startswith("_") or _is_overload(node)):
                home.setdefault(node.name, []).append(module.at(node, node.name))
    return [" and ".join(places) for _, places in sorted(home.items()) if len(places) > 1]


def type_ignores(modules: list[Module]) -> list[str]:
    """At most five places in the package are kept from the type checker."""
    mark = "# type: " + "ignore"
    found = [m.at(i, "kept from the type checker") for m in modules for i, x in _lines(m) if mark in x]
    return found if len(found) > TYPE_IGNORES_MAX else []


def _lines(module: Module) -> Iterator[tuple[int, str]]:
    return enumerate(module.text.splitlines(), 1)


def dead_modules(modules: list[Module]) -> list[str]:
    """Every module is imported by another, named by one that imports late, or part of an open set."""
    names = {module.name for module in modules}
    used = {_known(item.target, names) for module in modules for item in module.imports}
    said = {
        node.value
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    entrances = {PACKAGE, f"{PACKAGE}.__main__", f"{PACKAGE}.cli.main"}
    found = []
    for module in modules:
        parent = module.name.rpartition(".")[0]
        is_open = parent.removeprefix(f"{PACKAGE}.") in OPEN_SETS
        is_named = module.name in said or f"{parent}." in said
        if not (module.is_package or module.name in used | entrances or is_open or is_named):
            found.append(module.at(1, "nothing uses this module"))
    return found
