"""Answers from outside as text, one per decision: what an `input` record says, and how it is read back.

Each answer is a JSON list that starts with a word: ["pass"], ["post", 3] (a stock topic) or ["post", "own text"],
["vote", -1], ["submit", 0.5], ["nobody"], ["propose", candidate, effort, disguise, transfer] (place of the candidate,
then levels of the menus), ["yes"], ["no"], and ["invalid"] for an answer that made no sense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from mesocosm.agents.duties import N_TOPICS
from mesocosm.api import ACTIONS, POST, REPLY, SUBMIT, VOTE, Acts, Proposals
from mesocosm.errors import UsageError

I64 = NDArray[np.int64]
INVALID = -2  # as kind of an act, choice of a proposal, or answer to one: it made no sense
NOBODY = -1
SAYS_INVALID = '["invalid"]'
BARE = tuple(name for kind, name in enumerate(ACTIONS) if kind not in (POST, REPLY, VOTE, SUBMIT))


def _text(*parts: Any) -> str:
    return msgspec.json.encode(parts).decode()


def encode_acts(acts: Acts, text_of: Callable[[int], str]) -> list[str]:
    """Text of each act. Params: text_of: what an agent from outside wrote, by topic code."""
    texts = []
    for kind, value, topic, effort in zip(*(column.tolist() for column in acts), strict=True):
        if kind == INVALID:
            texts.append(SAYS_INVALID)
        elif kind in (POST, REPLY):
            texts.append(_text(ACTIONS[kind], topic if topic < N_TOPICS else text_of(topic)))
        elif kind == VOTE:
            texts.append(_text(ACTIONS[kind], value))
        elif kind == SUBMIT:
            texts.append(_text(ACTIONS[kind], effort))
        else:
            texts.append(_text(ACTIONS[kind]))
    return texts


def encode_proposals(answer: Proposals) -> list[str]:
    """Text of each proposal.

    Example
        >>> encode_proposals(Proposals(*(np.array([level]) for level in (1, 2, 0, 1))))
        ['["propose",1,2,0,1]']
    """
    texts = []
    for choice, *levels in zip(*(column.tolist() for column in answer), strict=True):
        if choice == INVALID:
            texts.append(SAYS_INVALID)
        else:
            texts.append(_text("nobody") if choice == NOBODY else _text("propose", choice, *levels))
    return texts


def encode_replies(answer: I64) -> list[str]:
    """Text of each answer to a proposal: 1 for yes, 0 for no."""
    return [SAYS_INVALID if said == INVALID else _text("yes" if said else "no") for said in answer.tolist()]


def decode_acts(texts: Sequence[str], write: Callable[[str], int]) -> Acts:
    """Acts from their texts. Params: write: hands a text to the engine and returns its topic code.

    Raises   UsageError for a text that is no act.
    """
    rows = [_act_of(text, write) for text in texts]
    kind, value, topic, effort = zip(*rows, strict=True)
    whole = [np.array(column, dtype=np.int64) for column in (kind, value, topic)]
    return Acts(whole[0], whole[1], whole[2], np.array(effort, dtype=np.float64))


def _act_of(text: str, write: Callable[[str], int]) -> tuple[int, int, int, float]:
    match _read(text):
        case ["invalid"]:
            return INVALID, 1, 0, 0.0
        case ["post" | "reply" as word, int(topic)]:
            return ACTIONS.index(word), 1, topic, 0.0
        case ["post" | "reply" as word, str(content)]:
            return ACTIONS.index(word), 1, write(content), 0.0
        case ["vote", int(value)]:
            return VOTE, value, 0, 0.0
        case ["submit", int(effort) | float(effort)]:
            return SUBMIT, 1, 0, float(effort)
        case [str(word)] if word in BARE:
            return ACTIONS.index(word), 1, 0, 0.0
    raise UsageError(f"{text} is no act: the decision cannot be fed back.")


def decode_proposals(texts: Sequence[str]) -> Proposals:
    """Proposals from their texts.

    Raises   UsageError for a text that is no proposal.
    Example
        >>> decode_proposals(['["nobody"]', '["propose",1,2,0,1]']).choice.tolist()
        [-1, 1]
    """
    rows = np.array([_proposal_of(text) for text in texts], dtype=np.int64).reshape(len(texts), 4)
    return Proposals(*rows.T)


def _proposal_of(text: str) -> tuple[int, int, int, int]:
    match _read(text):
        case ["invalid"]:
            return INVALID, 0, 0, 0
        case ["nobody"]:
            return NOBODY, 0, 0, 0
        case ["propose", int(choice), int(effort), int(disguise), int(transfer)]:
            return choice, effort, disguise, transfer
    raise UsageError(f"{text} is no proposal: the decision cannot be fed back.")


def decode_replies(texts: Sequence[str]) -> I64:
    """Answers to proposals from their texts.

    Raises   UsageError for a text that is neither yes, no nor invalid.
    """
    said = {("yes",): 1, ("no",): 0, ("invalid",): INVALID}
    found = [said.get(tuple(_read(text))) for text in texts]
    for text, value in zip(texts, found, strict=True):
        if value is None:
            raise UsageError(f"{text} is no answer to a proposal: the decision cannot be fed back.")
    return np.array(found, dtype=np.int64)


def _read(text: str) -> list[Any]:
    try:
        return msgspec.json.decode(text, type=list[Any])
    except msgspec.DecodeError as error:
        raise UsageError(f"the recorded decision {text!r} cannot be read: {error}.") from error
