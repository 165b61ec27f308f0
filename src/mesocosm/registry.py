"""Names of everything a user can add with one file: policies, levers, metrics, motifs."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from mesocosm.errors import UsageError, nearest

T = TypeVar("T")

KINDS = ("policy", "lever", "metric", "motif")
OPEN_SETS = {
    "policy": "mesocosm.agents.policies",
    "lever": "mesocosm.governance",
    "metric": "mesocosm.metrics",
    "motif": "mesocosm.motifs",
}
ENTRY_POINT_GROUP = "mesocosm"
#: how the value of a metric over a whole run can be formed from its epochs
OVER = ("mean", "pool", "last")


@dataclass(frozen=True)
class Entry:
    """One registered thing: its kind, its name, the object, where it came from, and declared facts."""

    kind: str
    name: str
    target: Any
    origin: str
    facts: dict[str, Any]

    @property
    def summary(self) -> str:
        """First sentence of the docstring, as shown by ``mesocosm list``."""
        text = (self.target.__doc__ or "").strip()
        return text.splitlines()[0] if text else ""

    @property
    def told(self) -> dict[str, Any]:
        """The declared facts in words and numbers: of a function, the first line of what it says of itself."""
        return {name: (fact.__doc__ or "").partition("\n")[0] if callable(fact) else fact
                for name, fact in self.facts.items()}  # fmt: skip


_entries: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
_discovered: set[str] = set()
_IMPORT_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError,
)  # fmt: skip


def register(kind: str, name: str, **facts: Any) -> Callable[[T], T]:
    """Decorator that puts a class or function into an open set under a name.

    Raises   UsageError when two different things claim one name.
    """

    def add(target: T) -> T:
        known = _entries[kind].get(name)
        origin = getattr(target, "__module__", "?")
        if known is not None and known.origin != origin:
            raise UsageError(f"{kind} {name!r} is already defined in {known.origin}; choose another name for {origin}.")
        _entries[kind][name] = Entry(kind, name, target, origin, facts)
        return target

    return add


def policy(name: str) -> Callable[[T], T]:
    """Decorator: register a frozen dataclass as a behavioural policy (``type: name`` in a scenario)."""
    return register("policy", name)


def lever(name: str) -> Callable[[T], T]:
    """Decorator: register a frozen dataclass as a governance lever (``governance: {name: {...}}``)."""
    return register("lever", name)


def metric(
    name: str,
    *,
    unit: str,
    better: str,
    twin: str | None = None,
    over: str = "mean",
    undefined: str | Callable[[Any], Any] = "",
) -> Callable[[T], T]:
    """Decorator: register a function of one epoch's totals as a metric.

    Params   unit: what one unit of it is; better: "lower", "higher" or "neither";
             twin: for a metric of the proxy, the name of the same metric of the truth;
             over: how its value over a whole run is formed. "mean", over the epochs in which it is defined, is always
             safe. "pool" takes it once of the totals of all epochs together, for rates of counts, sums and raw columns
             (raw columns are then kept to the end of the run). "last" is for what has been cumulative all along.
             undefined: why it may be NaN even though something was proposed, accepted and rejected, in words that
             "in epoch 3, so x is undefined" can follow; or a function of the totals that gives them by replicate.
    Raises   UsageError for another `over`.
    """
    if over not in OVER:
        raise UsageError(f"metric {name!r}: over={over!r} is not a way to sum up a run. {nearest(str(over), OVER)}")
    return register("metric", name, unit=unit, better=better, twin=twin, over=over, undefined=undefined)


def param(
    default: Any,
    *,
    about: str,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field of a policy or lever that a scenario may set, with its bounds and meaning."""
    facts = {"about": about, "unit": unit, "ge": ge, "le": le, "gt": gt, "choices": choices}
    return field(default=default, metadata=facts)


def params(target: Any) -> tuple[Field[Any], ...]:
    """The settable fields of a registered dataclass, in order of declaration."""
    if not is_dataclass(target):
        return ()
    return tuple(item for item in fields(target) if item.init and item.default is not MISSING)


def discover() -> None:
    """Import every module of the open sets and every installed plugin (entry-point group ``mesocosm``)."""
    for package_name in OPEN_SETS.values():
        if package_name in _discovered:
            continue
        if importlib.util.find_spec(package_name) is None:
            _discovered.add(package_name)  # looking for it again would cost more than most metrics do
            continue
        package = importlib.import_module(package_name)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
            importlib.import_module(f"{package_name}.{module.name}")
        _discovered.add(package_name)
    if ENTRY_POINT_GROUP not in _discovered:
        _discovered.add(ENTRY_POINT_GROUP)
        for point in sorted(metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda item: item.name):
            point.load()


def load_plugin(path: str | Path) -> None:
    """Import a stranger's Python file so that its policies, levers and metrics can be named.

    Raises   UsageError when the file is missing or cannot be imported, saying why.
    """
    source = Path(path)
    if not source.is_file():
        raise UsageError(f"--plugin {source}: there is no such file.")
    name = f"mesocosm_plugin_{source.stem}"
    spec = importlib.util.spec_from_file_location(name, source)
    if spec is None or spec.loader is None:
        raise UsageError(f"--plugin {source}: not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (*_IMPORT_FAILURES, SystemExit) as error:
        raise UsageError(f"--plugin {source}: {type(error).__name__}: {error}") from error


def entries(kind: str) -> Iterator[Entry]:
    """Everything registered under a kind, by name."""
    discover()
    yield from (entry for _, entry in sorted(_entries[kind].items()))


def names(kind: str) -> list[str]:
    """Names registered under a kind, sorted."""
    return [entry.name for entry in entries(kind)]


def find(kind: str, name: str) -> Entry:
    """Look a name up.

    Raises   UsageError with the nearest right name.
    """
    discover()
    entry = _entries[kind].get(name)
    if entry is None:
        raise UsageError(f"unknown {kind} {name!r}. {nearest(name, _entries[kind])}")
    return entry
