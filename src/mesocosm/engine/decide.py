"""Asks array policies, and holds their answers to the questions: as many as rows, and choices that exist."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.api import ACTIONS, Acts, Mask, Proposals, View
from mesocosm.engine.batch import Batch, Player, aligned
from mesocosm.errors import Blame, UsageError

I64 = NDArray[np.int64]
CREDITS_MOST = 1e9  # that a policy may name in the market


def decided_acts(batch: Batch, player: Player, row: I64, view: View) -> Acts:
    """One action for each row.

    Raises   MesocosmError naming the policy when its code fails, UsageError when the answer does not fit.
    """
    with _blame(batch, player, "act"):
        answer = aligned(player, row).act(view)
    _fit(player, "act", row, answer, {"kind": len(ACTIONS)})
    return answer


def decided_proposals(batch: Batch, player: Player, row: I64, view: View) -> Proposals:
    """A proposal or none for each row. Raises: as `decided_acts`."""
    with _blame(batch, player, "propose"):
        answer = aligned(player, row).propose(view)
    menu = batch.menu
    _fit(player, "propose", row, answer, {"choice": 2})
    levels = {"effort": len(menu.effort), "disguise": len(menu.disguise), "transfer": len(menu.transfer)}
    for name, n in levels.items():
        level = np.asarray(getattr(answer, name))
        if ((level >= n) | (level < 0))[answer.choice >= 0].any():
            raise UsageError(f"policy {player.name}: propose() gave a level of {name} outside 0 to {n - 1}.")
    return answer


def decided_answers(batch: Batch, player: Player, row: I64, view: View) -> Mask:
    """Yes or no for each row. Raises: as `decided_acts`."""
    with _blame(batch, player, "accept"):
        answer = aligned(player, row).accept(view)
    mask = np.asarray(answer)
    if mask.shape != row.shape or mask.dtype != np.bool_:
        raise UsageError(
            f"policy {player.name}: accept() must give one True or False for each of {len(row)} rows; "
            f"it gave {mask.dtype} of shape {mask.shape}."
        )
    return mask


def decided_trade(batch: Batch, player: Player, question: str, row: I64, view: View) -> Any:
    """What a policy answers to a question of the market: one entry for each row, for conduct one of each kind.

    Raises   as `decided_acts`.
    """
    with _blame(batch, player, question):
        answer = getattr(aligned(player, row), question)(view)
    found = np.asarray(answer)
    wanted, kind = {"deliver": ((2, len(row)), "i"), "dispute": (row.shape, "b")}.get(question, (row.shape, "f"))
    if found.shape != wanted or found.dtype.kind != kind:
        said = {"i": "a level of effort and one of disguise", "b": "True or False", "f": "an amount of credits"}[kind]
        raise UsageError(
            f"policy {player.name}: {question}() must give {said} for each of {len(row)} rows; "
            f"it gave {found.dtype} of shape {found.shape}."
        )
    menu = batch.menu
    if kind == "i" and len(row) and ((found < 0) | (found >= [[len(menu.effort)], [len(menu.disguise)]])).any():
        raise UsageError(f"policy {player.name}: deliver() gave a level of effort or disguise that does not exist.")
    if kind == "f" and not (np.isfinite(found) & (found >= 0.0) & (found <= CREDITS_MOST)).all():
        raise UsageError(f"policy {player.name}: {question}() must give amounts from 0 to {CREDITS_MOST:g} credits.")
    return found


def _blame(batch: Batch, player: Player, method: str) -> Blame:
    return Blame(f"policy {player.name}", method, f"epoch {batch.epoch}, step {batch.step}")


def _fit(player: Player, method: str, row: I64, answer: Any, upper: dict[str, int]) -> None:
    """Every column as long as the rows, and the named ones below their upper end."""
    for name, column in zip(answer._fields, answer, strict=True):
        if np.shape(column) != row.shape:
            raise UsageError(
                f"policy {player.name}: {method}() must give one {name} for each of {len(row)} rows; "
                f"it gave shape {np.shape(column)}."
            )
        whole = method == "propose" or name != "effort"
        values = np.asarray(column)
        if whole and not np.issubdtype(values.dtype, np.integer):
            raise UsageError(
                f"policy {player.name}: {method}() must give whole numbers for {name}; got {values.dtype}."
            )
        if not whole and not ((values >= 0.0) & (values <= 1.0)).all():
            raise UsageError(f"policy {player.name}: {method}() must give an effort from 0 to 1 for every row.")
        if name in upper and len(row) and (np.max(column) >= upper[name] or np.min(column) < -1):
            raise UsageError(f"policy {player.name}: {method}() gave a {name} that does not exist.")
