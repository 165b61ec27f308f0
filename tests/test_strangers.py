"""Code of strangers that fails or misbehaves is stopped with a message that says whose it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesocosm import registry
from mesocosm.api import Acts, Lever, Policy, Proposals
from mesocosm.config.load import load_scenario
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.runner.runner import run_batch

SHORT = ["simulation.epochs=1"]


def stranger(monkeypatch: pytest.MonkeyPatch, kind: str, **members: Any) -> None:
    """Register a policy, lever or metric named `odd` for one test."""
    registry.discover()
    target: Any = type("Odd", ({"policy": Policy, "lever": Lever}[kind],), members)
    monkeypatch.setitem(registry._entries[kind], "odd", registry.Entry(kind, "odd", target, "elsewhere", {}))


def levels(**wrong: int) -> Callable[[Any, Any], Proposals]:
    def propose(self: Any, view: Any) -> Proposals:
        names = ("choice", "effort", "disguise", "transfer")
        return Proposals(*(np.full(len(view), wrong.get(name, 0), dtype=np.int64) for name in names))

    return propose


def fail(*_: Any) -> Any:
    raise ZeroDivisionError("by design")


def floats(self: Any, view: Any) -> Any:
    numbers: Any = np.zeros(len(view))
    return Proposals(numbers, numbers, numbers, numbers)


def leave(*_: Any) -> Any:
    raise SystemExit(0)


def whitewash(self: Any, bench: Any, deal: Any) -> None:
    deal.is_good[:] = True


@pytest.mark.parametrize(
    ("member", "method", "said"),
    [
        ("propose", levels(choice=7), r"propose\(\) gave a choice that does not exist"),
        ("propose", levels(effort=99), r"level of effort outside 0 to 2"),
        ("propose", levels(transfer=-1), r"level of transfer outside 0 to 2"),
        ("propose", lambda self, view: Proposals(*[np.zeros(1, int)] * 4), r"one choice for each of 3 rows"),
        ("propose", fail, r"propose\(\) failed in epoch 0, step 0: ZeroDivisionError: by design \(.*:\d+\)"),
        ("propose", floats, r"must give whole numbers for choice"),
        ("propose", leave, r"propose\(\) failed in epoch 0, step 0: SystemExit"),
        ("accept", lambda self, view: np.ones(len(view)), r"one True or False for each of \d rows; it gave float64"),
        ("act", lambda self, view: Acts(*(np.full(len(view), 50),) * 4), r"act\(\) gave a kind that does not exist"),
    ],
)  # fmt: skip
def test_a_policy_that_answers_nonsense_is_named(
    monkeypatch: pytest.MonkeyPatch, member: str, method: Any, said: str
) -> None:
    stranger(monkeypatch, "policy", **{member: method})
    scenario = load_scenario("baseline", [*SHORT, *(f"agents.{i}.type=odd" for i in range(3))])
    with pytest.raises(MesocosmError, match=f"policy odd: .*{said}"):
        run_batch([scenario], [1])


@pytest.mark.parametrize(
    ("member", "method", "said"),
    [
        ("cost", lambda self, deal: (-np.ones(len(deal)), 0.0), r"lever odd: cost\(\) must give credits of at least 0"),
        ("cost", lambda self, deal: (np.nan, 0.0), r"lever odd: cost\(\) must give credits of at least 0"),
        ("cost", fail, r"lever odd: cost\(\) failed in epoch 0, step 0: ZeroDivisionError"),
        ("on_epoch", fail, r"lever odd: on_epoch\(\) failed in epoch 0, step 9: ZeroDivisionError"),
        ("on_settle", lambda self, bench, deal: bench.ledger.balance.__iadd__(5), r"credits are conserved"),
        ("on_settle", whitewash, r"lever odd: on_settle\(\) failed in epoch 0, step 0: ValueError: .*read-only"),
        (
            "on_settle",
            lambda self, bench, deal: bench.ledger.to_treasury(deal.row_a, np.full(len(deal), -5)),
            r"an amount is at least 0",
        ),
    ],
)  # fmt: skip
def test_a_lever_that_misbehaves_is_stopped(
    monkeypatch: pytest.MonkeyPatch, member: str, method: Any, said: str
) -> None:
    stranger(monkeypatch, "lever", **{member: method})
    scenario = load_scenario("baseline", [*SHORT, "governance.odd={}"])
    with pytest.raises(MesocosmError, match=said):
        run_batch([scenario], [1])


def test_a_misspelt_hook_is_refused_instead_of_ignored() -> None:
    with pytest.raises(UsageError, match=r"Odd.acept: nothing calls a method of that name. Did you mean accept\?"):
        type("Odd", (Policy,), {"acept": fail})
    with pytest.raises(UsageError, match=r"Odd.on_setle: .*Did you mean on_settle\?"):
        type("Odd", (Lever,), {"on_setle": fail})


def test_asking_to_see_what_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Odd.sees: there is no 'trust_inn' to see. Did you mean trust_in\?"):
        type("Odd", (Policy,), {"sees": ("trust_inn",)})


def test_a_plugin_that_leaves_while_it_is_loaded_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gone.py").write_text("raise SystemExit(0)", encoding="utf-8")
    with pytest.raises(UsageError, match=r"gone.py: SystemExit"):
        registry.load_plugin(tmp_path / "gone.py")
