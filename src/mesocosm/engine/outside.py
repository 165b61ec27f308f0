"""The door to drivers: what they are told beside the view, and how their answers are recorded and held to the menus."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, rng
from mesocosm.agents.duties import N_TOPICS
from mesocosm.api import ACTIONS, PASS, Acts, Mask, Proposals, View
from mesocosm.engine.answers import INVALID, NOBODY, encode_acts, encode_proposals, encode_replies
from mesocosm.engine.batch import Batch
from mesocosm.engine.rails import ACCEPT, ACT, PROPOSE, UNKNOWN_CHOICE, Rails
from mesocosm.errors import check

I64 = NDArray[np.int64]


def own_facts(batch: Batch, row: I64) -> dict[str, Any]:
    """What a driver may tell the agents of rows about themselves, whatever the question.

    `luck` is a keyed uniform number of its own for the row's proposal (see VISIBLE for the luck of acts).
    """
    world = batch.world
    return {
        "turn": batch.turn,
        "role": world.role[row],
        "skill": world.skill[row],
        "reputation": world.reputation[row],
        "balance": exact.credits(world.ledger.balance[row]),
        "luck": batch.uniform(rng.Purpose.OUTSIDE_PROPOSAL, row),
    }


def write_text(batch: Batch, text: str) -> int:
    """Hand a text to the engine; returns the topic code that stands for it in Acts."""
    batch.texts.append(text)
    return N_TOPICS + len(batch.texts) - 1


def receive_acts(batch: Batch, rails: Rails, row: I64, answer: Acts) -> Acts:
    """Record acts from outside; what is no act becomes a pass, and a refusal."""
    kind, value, topic = (np.array(column, dtype=np.int64) for column in answer[:3])
    effort = np.array(answer.effort, dtype=np.float64)
    _check_lengths(row, kind, value, topic, effort)
    sound = (kind >= 0) & (kind < len(ACTIONS)) & (topic >= 0) & (topic < N_TOPICS + len(batch.texts))
    sound &= (np.abs(value) == 1) & (effort >= 0.0) & (effort <= 1.0)
    acts = Acts(np.where(sound, kind, INVALID), value, np.where(sound, topic, 0), np.where(sound, effort, 0.0))
    _record(batch, "act", row, encode_acts(acts, lambda code: batch.texts[code - N_TOPICS]))
    _refuse(batch, rails, row, sound, ACT)
    return acts._replace(kind=np.where(sound, kind, PASS))


def receive_proposals(batch: Batch, rails: Rails, row: I64, view: View, answer: Proposals) -> Proposals:
    """Record proposals from outside; a candidate or level that does not exist becomes nobody, and a refusal."""
    choice, *level = (np.array(column, dtype=np.int64) for column in answer)
    _check_lengths(row, choice, *level)
    menus = (batch.menu.effort, batch.menu.disguise, batch.menu.transfer)
    sound = (choice >= 0) & (choice <= 1)
    sound &= np.where(choice == 1, view.exists[1], view.exists[0])
    for column, menu in zip(level, menus, strict=True):
        sound &= (column >= 0) & (column < len(menu))
    sound |= choice == NOBODY
    made = Proposals(np.where(sound, choice, INVALID), *level)
    _record(batch, "propose", row, encode_proposals(made))
    _refuse(batch, rails, row, sound, PROPOSE)
    return made._replace(choice=np.where(sound, choice, NOBODY))


def receive_replies(batch: Batch, rails: Rails, row: I64, answer: Any) -> Mask:
    """Record answers to proposals from outside (a mask, or 1 and 0); anything else becomes a no, and a refusal."""
    said = np.array(answer, dtype=np.int64)
    _check_lengths(row, said)
    sound = (said == 0) | (said == 1)
    _record(batch, "accept", row, encode_replies(np.where(sound, said, INVALID)))
    _refuse(batch, rails, row, sound, ACCEPT)
    yes: Mask = said == 1
    return yes


def _check_lengths(row: I64, *columns: NDArray[Any]) -> None:
    for column in columns:
        check(column.shape == row.shape, "a driver answers for every row asked about", rows=len(row), got=column.shape)


def _record(batch: Batch, question: str, row: I64, texts: list[str]) -> None:
    """Keep answers as inputs, so that replay and resume can feed them back."""
    k = len(row)
    values = {
        "question": np.full(k, question, dtype=object),
        "agent": batch.world.slot[row],
        "answer": np.array(texts, dtype=object),
    }
    batch.annotate("input", batch.world.replicate[row], values)


def _refuse(batch: Batch, rails: Rails, row: I64, sound: Mask, attempt: int) -> None:
    if not sound.all():
        rails.refuse(batch, row[~sound], UNKNOWN_CHOICE, attempt)
