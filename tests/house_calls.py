"""The rules of the house about what may be called where: files, clocks, chance, and inexact arithmetic."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from house_rules import RANK, Module

#: numbers in, numbers out: no disk, no clock, no process, and the same bits on every machine
PURE = frozenset(
    {"exact", "rng", "env", "api", "measures", "agents", "governance", "motifs", "security", "engine", "metrics"}
)
ROOT = ""
ALL = frozenset(RANK) | {ROOT}

#: what is banned -> the layers that may use it all the same
NAMES: dict[str, frozenset[str]] = {}
for _allowed, _names in (
    # identity from entropy, code from bytes
    ((), "random secrets uuid pickle marshal shelve dill cloudpickle numpy.random numpy.load"),
    ((), "eval exec compile __import__ yaml.load yaml.load_all yaml.full_load yaml.unsafe_load yaml.Loader"),
    ((), "yaml.UnsafeLoader yaml.FullLoader os.system os.popen"),
    # the clock
    (("runner", "analysis", "cli", "dashboard"), "time datetime calendar zoneinfo"),
    # what the surroundings say
    (("llm", "runner", "cli", "dashboard"), "os.environ os.environb os.getenv"),
    # screens
    (("cli", "dashboard"), "print input"),
    (("runner", "cli", "dashboard"), "sys.stdout sys.stderr sys.stdin sys.argv sys.exit"),
    # other processes and threads
    (("llm", "runner", "cli", "dashboard"), "subprocess multiprocessing concurrent threading asyncio signal"),
    # the network
    (("llm", "dashboard"), "socket ssl urllib http ftplib smtplib requests httpx"),
    # modules by computed name
    ((ROOT, "registry", "runner", "cli", "dashboard"), "importlib.import_module importlib.util runpy"),
    # disk
    (tuple(ALL - PURE - {"errors"}), "open os io sys pathlib shutil tempfile glob mmap logging platform"),
):
    NAMES |= {_name: frozenset(_allowed) for _name in _names.split()}

_ALTERED_BY_SIMD = """
    exp exp2 expm1 log log2 log10 log1p pow power float_power sin cos tan arcsin arccos arctan arctan2 asin acos atan
    atan2 sinh cosh tanh arcsinh arccosh arctanh asinh acosh atanh cbrt hypot logaddexp logaddexp2 sinc gamma lgamma
    erf erfc dist sumprod
"""
_BLAS = """
    dot vdot inner matmul einsum einsum_path tensordot kron linalg fft convolve correlate corrcoef cov polyfit polyval
    trapezoid
"""
_UNSTABLE = "argpartition"
#: functions whose bits depend on the processor, the BLAS or the number of threads: pure layers go through `exact`
INEXACT = {f"{home}.{name}" for home in ("numpy", "math") for name in f"{_ALTERED_BY_SIMD} {_BLAS} {_UNSTABLE}".split()}
BUILTINS = frozenset(name for name in NAMES if hasattr(builtins, name))


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Local name -> full dotted name, from every import of the module."""
    alias: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                alias[item.asname or item.name.split(".")[0]] = item.name if item.asname else item.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            alias |= {item.asname or item.name: f"{node.module}.{item.name}" for item in node.names}
    return alias


def _dotted(node: ast.AST, alias: dict[str, str]) -> str:
    """Full name of ``np.random.default_rng`` or of ``open``; empty when it is not a name of a module or a builtin."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    if node.id in alias:
        return ".".join([alias[node.id], *reversed(parts)])
    return node.id if not parts and node.id in BUILTINS and isinstance(node.ctx, ast.Load) else ""


def _mentions(module: Module) -> Iterator[tuple[int, str]]:
    """Every imported or builtin name the module mentions, with its line."""
    alias = _aliases(module.tree)
    defined = {
        node.arg if isinstance(node, ast.arg) else node.id
        for node in ast.walk(module.tree)
        if isinstance(node, ast.arg) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, item.name) for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{item.name}") for item in node.names)
        elif isinstance(node, ast.Attribute | ast.Name):
            name = _dotted(node, alias)
            if name and name not in defined:
                yield node.lineno, name


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: end + 1]) for end in range(len(parts)))


def banned_calls(module: Module) -> list[str]:
    """Disk, clock, network, screen, chance and code from bytes stay in the layers that are there for them."""
    found = {
        module.at(line, f"{prefix} may not be used in {module.layer or 'the package itself'}")
        for line, name in _mentions(module)
        for prefix in _prefixes(name)
        if prefix in NAMES and module.layer not in NAMES[prefix]
    }
    return sorted(found)


def inexact_arithmetic(module: Module) -> list[str]:
    """In the pure layers the bits are the same on every machine: no library exp, no BLAS, only stable sorts."""
    if module.layer not in PURE:
        return []
    found = {
        module.at(line, f"{prefix} differs between machines; use mesocosm.exact")
        for line, name in _mentions(module)
        for prefix in _prefixes(name)
        if prefix in INEXACT
    }
    alias = _aliases(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult):
            found.add(module.at(node, "@ goes through BLAS"))
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Pow) and not _is_exact_power(node):
            found.add(module.at(node, "** differs between machines; multiply, or use mesocosm.exact"))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method, full = node.func.attr, _dotted(node.func, alias)
            if method == "dot" and not full:
                found.add(module.at(node, ".dot goes through BLAS"))
            kinds = [word.value for word in node.keywords if word.arg == "kind"]
            is_stable = any(isinstance(kind, ast.Constant) and kind.value == "stable" for kind in kinds)
            # exact may sort whole integers: equal integers are the same, so no algorithm can order them otherwise
            orders_values = method == "sort" and module.layer == "exact"
            if method in {"sort", "argsort"} and not is_stable and not orders_values:
                found.add(module.at(node, f'.{method} needs kind="stable" (for a list, use sorted)'))
    return sorted(found)


def _is_exact_power(node: ast.BinOp | ast.AugAssign) -> bool:
    """A square, or a power of two literals, has the same bits everywhere."""
    if isinstance(node, ast.AugAssign):
        return False
    exponent = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
    is_square = isinstance(node.right, ast.Constant) and node.right.value == 2
    return is_square or (isinstance(node.left, ast.Constant) and isinstance(exponent, ast.Constant))


# --- sets have no order that a run may depend on

_ORDERING = frozenset({"list", "tuple", "enumerate", "iter", "map", "filter", "zip", "dict", "sum", "join"})
_ORDERLESS = frozenset({"sorted", "set", "frozenset", "any", "all", "len", "min", "max"})
_ARRAYS = frozenset({"array", "asarray", "fromiter"})


def _is_set(node: ast.AST | None, names: set[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
        return _is_set(node.left, names) or (not isinstance(node.op, ast.Sub) and _is_set(node.right, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in {"set", "frozenset"}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in {"union", "intersection", "difference", "symmetric_difference"} and _is_set(
            node.func.value, names
        )
    return False


def _is_set_type(node: ast.AST | None) -> bool:
    bare = node.value if isinstance(node, ast.Subscript) else node
    return isinstance(bare, ast.Name) and bare.id in {"set", "frozenset", "Set", "AbstractSet"}


def _set_names(scope: ast.AST, outer: set[str]) -> set[str]:
    """Names that hold a set within a scope, told by how they are assigned or annotated."""
    names = set(outer)
    for node in _own(scope):
        if isinstance(node, ast.arg):
            (names.add if _is_set_type(node.annotation) else names.discard)(node.arg)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            (names.add if _is_set_type(node.annotation) else names.discard)(node.target.id)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    (names.add if _is_set(node.value, names) else names.discard)(target.id)
    return names


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a scope without those of the functions inside it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own(child)


def _iterated(node: ast.AST) -> list[ast.expr]:
    """What a node runs through in order, if anything."""
    if isinstance(node, ast.For | ast.comprehension):
        return [node.iter]
    if isinstance(node, ast.Starred):
        return [node.value]
    if isinstance(node, ast.Call):
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called == "pop" and isinstance(node.func, ast.Attribute) and not node.args:
            return [node.func.value]
        if called in _ORDERING | _ARRAYS:
            return list(node.args)
    return []


def set_iteration(module: Module) -> list[str]:
    """Nothing runs through a set: its order is not the same in every process. `sorted` gives it one."""
    found: set[str] = set()

    def look(scope: ast.AST, outer: set[str]) -> None:
        names = _set_names(scope, outer)
        orderless = {  # what is gathered from a set into a set, or sorted, cannot show its order
            id(inner)
            for node in _own(scope)
            if isinstance(node, ast.SetComp | ast.Set)
            or (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in {"sorted", "set", "frozenset", "any", "all", "len"}
            )
            for inner in ast.walk(node)
        }
        for node in _own(scope):
            if id(node) not in orderless:
                found.update(
                    module.at(item, f"runs through the set {ast.unparse(item)}")
                    for item in _iterated(node)
                    if _is_set(item, names)
                )
        for node in _own_functions(scope):
            look(node, names)

    look(module.tree, set())
    return sorted(found)


def _own_functions(scope: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(scope):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        else:
            yield from _own_functions(child)
