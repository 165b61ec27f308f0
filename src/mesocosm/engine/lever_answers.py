"""Holds what the hooks of levers answer to what was asked: shape, kind and range, before anything is done with it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NoReturn

import numpy as np

from mesocosm.env.foresight import Foresight
from mesocosm.errors import Blame, UsageError

NO_LIMIT = float("inf")
#: what a foresight holds that is a chance; everything else in it is credits
CHANCES = frozenset({"pass_good", "pass_bad", "pass_taking", "reveal", "false_alarm", "oversight", "keeps"})
COSTS = ("cost_a", "cost_b")


def held_pair(hook: Blame, names: tuple[str, str], answer: Any, k: int, per: str) -> tuple[Any, Any]:
    """Two numbers or columns of at least 0.

    Params   names: what the two are; k, per: how many rows a column has, and what a row is.
    Raises   UsageError naming the lever, the hook, what it gave and when.
    """
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        _refuse(hook, _shown(answer), f"a pair ({', '.join(names)})")
    for name, value in zip(names, answer, strict=True):
        check_column(hook, name, value, k, per)
    return answer[0], answer[1]


def check_column(hook: Blame, name: str, value: Any, k: int, per: str, most: float = NO_LIMIT) -> None:
    """A number, or a column of k, from 0 to the most; no infinity. Raises: as `held_pair`."""
    given = np.asarray(value, dtype=object) if isinstance(value, list | tuple) else np.asarray(value)
    if given.dtype.kind not in "biuf" or given.shape not in ((), (k,)):
        _refuse(hook, f"{_shown(value)} for {name}", f"a number, or a column with one for each of {k} {per}")
    if given.size and not (np.min(given) >= 0.0 and np.max(given) <= most and np.max(given) < NO_LIMIT):
        wrong = given[~((given >= 0.0) & (given <= most) & np.isfinite(given))]
        span = "finite numbers of at least 0" if most == NO_LIMIT else f"chances from 0 to {most:g}"
        _refuse(hook, f"{wrong.flat[0]} for {name}", span)


def held_salt(hook: Blame, answer: Any, k: int) -> Any:
    """(k,) whole numbers of at least 0, by replicate. Raises: as `held_pair`."""
    check_column(hook, "the salt", answer, k, "replicates")
    given = np.asarray(answer)
    if given.dtype.kind == "f" and (given != np.rint(given)).any():
        _refuse(hook, f"{given[given != np.rint(given)].flat[0]} for the salt", "whole numbers of at least 0")
    return np.broadcast_to(given.astype(np.int64), k)


def held_mask(hook: Blame, answer: Any, k: int, per: str) -> Any:
    """(k,) True or False, or None for all of them. Raises: as `held_pair`."""
    if answer is not None and (getattr(answer, "dtype", None) != np.bool_ or np.shape(answer) != (k,)):
        _refuse(hook, _shown(answer), f"None, or a column with True or False for each of {k} {per}")
    return answer


def check_fines(hook: Blame, fine: Any, k: int) -> None:
    """What levers have fined so far, one number for each deal. Raises: as `held_pair`."""
    if np.shape(fine) != (k,):
        _refuse(hook, f"{_shown(fine)} for deal.fine", f"a column with one number for each of {k} deals")
    check_column(hook, "deal.fine", fine, k, "deals")


def held_foresight(hook: Blame, answer: Any, k: int, n_levels: int) -> Foresight | None:
    """What a lever foretells, with columns of k rows, or None.

    Params   n_levels: of disguise; what may happen to a bad outcome is foretold for each.
    Raises   UsageError as `held_pair`.
    """
    if answer is None:
        return None
    if not isinstance(answer, Foresight):
        _refuse(hook, _shown(answer), "a Foresight or None")
    rows = "deals ahead"
    for item in fields(answer):
        value, most = getattr(answer, item.name), 1.0 if item.name in CHANCES else NO_LIMIT
        if item.name in COSTS and (isinstance(value, np.ndarray | list) or value != 0.0):
            _refuse(hook, f"{_shown(value)} for {item.name}", "nothing there: what cost() says is foretold by itself")
        if item.name == "halts" or value is None or value is item.default:  # what a lever does not say is in order
            continue
        if item.name.endswith("_bad"):
            if not isinstance(value, list | tuple) or len(value) != n_levels:
                expected = f"a list with one entry for each of {n_levels} levels of disguise"
                _refuse(hook, f"{_shown(value)} for {item.name}", expected)
            for level, entry in enumerate(value):
                check_column(hook, f"{item.name}[{level}]", entry, k, rows, most)
        else:
            check_column(hook, item.name, value, k, rows, most)
    if not isinstance(answer.halts, list | tuple):
        _refuse(hook, f"{_shown(answer.halts)} for halts", "a list of pairs")
    for number, halt in enumerate(answer.halts):
        held_pair(hook, (f"halts[{number}][0]", f"halts[{number}][1]"), halt, k, rows)
    return answer


def _shown(value: Any) -> str:
    """What was given, in a few words."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of {value.dtype} of shape {value.shape}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{value!r}"[:60]


def _refuse(hook: Blame, given: str, expected: str) -> NoReturn:
    raise UsageError(f"{hook.owner}: {hook.method}() gave {given} in {hook.when}; expected: {expected}.")
