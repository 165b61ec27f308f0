"""Code of strangers that fails or misbehaves is stopped with a message that says whose it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesocosm import registry
from mesocosm.api import Acts, Enact, Lever, Policy, Proposals
from mesocosm.config.load import load_scenario
from mesocosm.env.foresight import Foresight
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.runner.drive import Plan, drive
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


def gives(answer: Any) -> Callable[..., Any]:
    return lambda self, *_: answer


def fines(fine: Any) -> Callable[..., None]:
    def on_settle(self: Any, bench: Any, deal: Any) -> None:
        deal.fine = fine

    return on_settle


COLUMN = r"a number, or a column with one for each of \d+"
AT_LEAST_0 = "finite numbers of at least 0"
HALF: Any = 0.3  # of what should be a pair


@pytest.mark.parametrize(
    ("hook", "method", "given", "expected"),
    [
        ("cost", lambda self, deal: (0.0, -np.ones(len(deal.row_a))), "-1.0 for c_b", AT_LEAST_0),
        ("cost", gives((np.nan, 0.0)), "nan for c_a", AT_LEAST_0),
        ("cost", gives(None), "None", r"a pair \(c_a, c_b\)"),
        ("cost", gives((np.ones(99), 0.0)), r"an array of float64 of shape \(99,\) for c_a", f"{COLUMN} deals"),
        ("salt", fail, None, "ZeroDivisionError: by design"),
        ("salt", gives(-1), "-1 for the salt", AT_LEAST_0),
        ("salt", gives(0.5), "0.5 for the salt", "whole numbers of at least 0"),
        ("salt", gives(np.zeros(5)), r"an array of float64 of shape \(5,\) for the salt", f"{COLUMN} replicates"),
        ("internalise", fail, None, "ZeroDivisionError: by design"),
        ("internalise", gives(3), "3", r"a pair \(rho_a, rho_b\)"),
        ("internalise", gives((0.0, np.inf)), "inf for rho_b", AT_LEAST_0),
        ("internalise", gives((-1.0, 0.0)), "-1.0 for rho_a", AT_LEAST_0),
        ("internalise", gives((0.0, "much")), "'much' for rho_b", f"{COLUMN} replicates"),
        ("columns", fail, None, "ZeroDivisionError: by design"),
        ("may_propose", gives(True), "True", r"None, or a column with True or False for each of \d agents"),
        ("admit", lambda self, bench, deal: np.ones(len(deal)), "an array of float64 of shape", "True or False"),
        ("on_settle", fines(np.nan), "nan for deal.fine", "a column with one number for each of"),
        ("on_settle", fines(np.zeros(0)), r"an array of float64 of shape \(0,\) for deal.fine", "a column with one"),
        ("foresee", fail, None, "ZeroDivisionError: by design"),
        ("foresee", gives(0.5), "0.5", "a Foresight or None"),
        ("foresee", gives(Foresight(fine_good=np.nan)), "nan for fine_good", AT_LEAST_0),
        ("foresee", gives(Foresight(fine_bad=[1.0])), "a list of 1 for fine_bad", "for each of 3 levels of disguise"),
        ("foresee", gives(Foresight(fine_bad=1.0)), "1.0 for fine_bad", "for each of 3 levels of disguise"),
        ("foresee", gives(Foresight(fine_bad=[0.0, 0.0, -2.0])), r"-2.0 for fine_bad\[2\]", AT_LEAST_0),
        ("foresee", gives(Foresight(pass_good=np.ones(33))), r"shape \(33,\) for pass_good", f"{COLUMN} deals ahead"),
        ("foresee", gives(Foresight(pass_bad=[1.0, 2.0, 0.0])), r"2.0 for pass_bad\[1\]", "chances from 0 to 1"),
        ("foresee", gives(Foresight(reveal=-0.1)), "-0.1 for reveal", "chances from 0 to 1"),
        ("foresee", gives(Foresight(cost_a=1.0)), "1.0 for cost_a", r"nothing there: what cost\(\) says"),
        ("foresee", gives(Foresight(halts=[HALF])), "0.3", r"a pair \(halts\[0\]\[0\], halts\[0\]\[1\]\)"),
        ("foresee", gives(Foresight(halts=HALF)), "0.3 for halts", "a list of pairs"),
        ("foresee", gives(Foresight(fine_bad=[0.0, 0.0, [[1], []]])), r"a list of 2 for fine_bad\[2\]", COLUMN),
        ("foresee", gives(Foresight(halts=[(0.3, -1.0)])), r"-1.0 for halts\[0\]\[1\]", AT_LEAST_0),
    ],
)  # fmt: skip
def test_a_lever_whose_hook_answers_nonsense_is_told_what_it_gave_when_and_what_is_expected(
    monkeypatch: pytest.MonkeyPatch, hook: str, method: Any, given: str | None, expected: str
) -> None:
    stranger(monkeypatch, "lever", **{hook: method})
    scenario = load_scenario("baseline", [*SHORT, "governance.odd={}"])
    said = rf"failed in epoch 0, step 0: {expected} \(.*:\d+\)"
    if given is not None:
        said = rf"gave .*{given}.* in epoch 0, step 0; expected: .*{expected}"
    with pytest.raises(MesocosmError, match=rf"^lever odd: {hook}\(\) {said}"):
        run_batch([scenario], [1])


def test_a_lever_that_fails_once_it_is_enacted_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger(monkeypatch, "lever", internalise=lambda self: (1.0 / (1 - len(failed)), 0.0))
    failed: list[int] = []

    def enact(tick: Any) -> list[Enact]:
        failed.append(tick.step)
        return [Enact("sham", "rate", 0.5)]

    scenario = load_scenario("baseline", [*SHORT, "governance={odd: {}, sham: {}}"])
    with pytest.raises(MesocosmError, match=r"lever odd: internalise\(\) failed in epoch 0, step 0: ZeroDivision"):
        drive(Plan([scenario], [1]), orders=enact)


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
