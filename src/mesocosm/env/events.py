"""What can happen: the kinds of event, the fields of each, and the batch that carries them as columns.

The engine yields `EventBatch`es; the log writes each row of a batch as one JSON line whose fields come in the
order given here; metrics read the same columns from memory or from disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]

#: kind -> field name -> type of one value ("int", "float", "bool", "str", "ints")
EVENT_FIELDS: dict[str, dict[str, str]] = {
    "simulation_started": {"agents": "int", "epochs": "int", "steps_per_epoch": "int"},
    "epoch_started": {"active": "int"},
    "arrived": {"agent": "int", "endowment": "float"},
    "departed": {"agent": "int", "balance": "float"},
    "identity_opened": {"agent": "int", "identity": "int", "cost": "float", "deposit": "float", "endowment": "float"},
    "identity_abandoned": {"agent": "int", "identity": "int"},
    "posted": {"agent": "int", "content": "str", "derived_from": "ints"},
    "replied": {"agent": "int", "post": "int", "content": "str", "derived_from": "ints"},
    "voted": {"agent": "int", "post": "int", "value": "int"},
    "flagged": {"agent": "int", "post": "int"},
    "task_opened": {"task": "int", "prompt": "str", "required_outputs": "int", "budget": "float", "deadline": "int"},
    "task_planned": {"agent": "int", "task": "int"},
    "task_claimed": {"agent": "int", "task": "int"},
    "task_submitted": {"agent": "int", "task": "int", "effort": "float", "content": "str", "derived_from": "ints"},
    "task_rejected": {"agent": "int", "task": "int"},
    "task_completed": {"agent": "int", "task": "int", "v": "int", "paid": "float"},
    "task_failed": {"task": "int", "status": "str"},
    "interaction": {
        "initiator": "int",
        "counterparty": "int",
        "accepted": "bool",
        "reason": "str",
        "difficulty": "float",
        "effort": "float",
        "disguise": "float",
        "tau": "float",
        "v": "int",
        "progress": "float",
        "rework": "int",
        "rejections": "int",
        "misuse": "int",
        "engagement": "float",
        "v_hat": "float",
        "p": "float",
        "trust": "float",
        "estimate": "float",
        "own_bar": "float",
        "joint_bar": "float",
        "leniency": "float",
        "c_a": "float",
        "c_b": "float",
        "private_cost": "float",
        "surplus": "float",
        "surplus_true": "float",
        "externality": "float",
        "externality_true": "float",
        "r_a": "float",
        "pi_a": "float",
        "pi_b": "float",
        "pi_a_true": "float",
        "pi_b_true": "float",
        "discovered": "bool",
        "audited": "bool",
    },
    "published": {"agent": "int", "v": "int", "interaction": "int", "head": "str"},
    "bounty_posted": {"agent": "int", "bounty": "int", "offer": "float", "value": "float", "deadline": "int"},
    "bid_submitted": {"agent": "int", "bounty": "int", "bid": "float", "cost": "float"},
    "bid_accepted": {"agent": "int", "bounty": "int", "worker": "int", "price": "float", "bids": "int"},
    "work_delivered": {
        "agent": "int",
        "bounty": "int",
        "effort": "float",
        "disguise": "float",
        "toil": "float",
        "v": "int",
    },
    "work_verified": {"bounty": "int", "verdict": "int", "votes": "int", "of": "int"},
    "dispute_opened": {"agent": "int", "bounty": "int", "bond": "float"},
    "dispute_decided": {"bounty": "int", "verdict": "int", "votes": "int", "of": "int", "overturned": "bool"},
    "escrow_released": {"bounty": "int", "poster": "int", "worker": "int", "amount": "float"},
    "escrow_refunded": {"bounty": "int", "poster": "int", "amount": "float", "reason": "str"},
    "bounty_closed": {
        "bounty": "int",
        "poster": "int",
        "worker": "int",
        "released": "bool",
        "delivered": "bool",
        "disputed": "bool",
        "verdict": "int",
        "v": "int",
        "price": "float",
        "value": "float",
        "credited": "float",
        "toil": "float",
    },
    "market_refused": {"agent": "int", "bounty": "int", "operation": "str", "refusal": "str"},
    "audited": {"agent": "int", "v": "int", "found": "bool", "fine": "float"},
    "charged": {"agent": "int", "what": "str", "amount": "float"},
    "deposited": {"agent": "int", "deposit": "str", "amount": "float"},
    "returned": {"agent": "int", "deposit": "str", "amount": "float"},
    "slashed": {"agent": "int", "deposit": "str", "amount": "float", "payee": "int"},
    "moderated": {"agent": "int", "interaction": "int", "flagged": "bool", "acted": "bool"},
    "frozen": {"agent": "int", "until_step": "int", "statistic": "float"},
    "colluding": {
        "agent": "int",
        "partner": "int",
        "count": "int",
        "expected": "float",
        "p_value": "float",
        "fine": "float",
    },
    "throttled": {"agent": "int", "until_step": "int", "statistic": "float"},
    "refused": {"agent": "int", "rule": "str", "attempt": "str"},
    "enacted": {"lever": "str", "parameter": "str", "value": "str"},
    "killed": {"reason": "str"},
    "agent_state": {
        "agent": "int",
        "active": "bool",
        "reputation": "float",
        "balance": "float",
        "deposits": "float",
        "proposed": "int",
        "accepted": "int",
        "votes_received": "int",
        "acted": "int",
        "refused": "int",
        "deals": "int",
        "audits": "int",
        "freezes": "int",
        "payoff_mean": "float",
    },
    "epoch_completed": {"active": "int", "minted": "float", "burnt": "float", "treasury": "float", "commons": "float"},
    "simulation_ended": {"epochs": "int", "reason": "str"},
    # annotations: bound into the log but not part of the trajectory
    "note": {"lever": "str", "agent": "int", "value": "float"},
    "input": {"question": "str", "agent": "int", "answer": "str"},
    "fired": {"lever": "str", "count": "int"},
    "replayed": {"agent": "int", "interaction": "int", "yes": "int", "of": "int", "v": "int"},
}

#: fields of an interaction that the engine works out only when every event is wanted in full
DETAIL_FIELDS = frozenset(
    {
        "reason", "difficulty", "effort", "disguise", "progress", "rework", "rejections", "misuse", "engagement",
        "v_hat", "trust", "estimate", "own_bar", "joint_bar", "leniency", "c_a", "c_b",
    }
)  # fmt: skip

#: kinds that describe who asked for what, what a control lever did, how often a lever acted, or how an answer would
#: have come out under other luck, never the trajectory itself
ANNOTATIONS = frozenset({"note", "input", "fired", "replayed"})


class Reason(IntEnum):
    """Why an interaction was accepted or not."""

    accepted = 0
    declined = 1
    counterparty_frozen = 2
    rail_interactions_per_step = 3
    uncovered = 4
    over_budget = 5
    refused_by_lever = 6


#: what a deal came to where the counterparty's judgement of it decided, whether or not it could then be paid
JUDGED = (Reason.accepted, Reason.declined, Reason.uncovered, Reason.over_budget)
REASONS = np.array([reason.name for reason in Reason], dtype=object)


@dataclass(slots=True)
class EventBatch:
    """Many events of one kind that happened in one turn, as columns.

    Shapes   k = events. Rows are grouped by replicate in ascending order, and by seq within a replicate.
    `seq` numbers the trajectory events of a replicate from 0 without gaps; for annotations it is the seq of the
    last trajectory event before them. `cause` holds the seq of the event that led to each, -1 for none.
    `column` maps a field of EVENT_FIELDS[kind] to its values (arrays or lists of length k). `aside` has what only those
    who took part learn, at every level and in no log: of an interaction `told_v`, +1 or -1 as the outcome came to light
    and 0 where it did not, and `fine`, credits that governance took from the initiator afterwards.
    """

    kind: str
    epoch: int
    step: int  # step within the run, counted from 0
    turn: int  # pass and turn within the step, counted from 0
    replicate: I64  # (k,)
    seq: I64  # (k,)
    column: dict[str, Any] = field(default_factory=dict)
    cause: I64 | None = None  # (k,)
    aside: dict[str, Any] = field(default_factory=dict)

    @property
    def is_annotation(self) -> bool:
        """Whether the batch is outside the trajectory (a note of a control lever, or an input)."""
        return self.kind in ANNOTATIONS

    def __len__(self) -> int:
        return len(self.seq)


@dataclass(slots=True)
class Checkpoint:
    """End of an epoch: the hash of each replicate's state, so that a replay can be compared epoch by epoch."""

    epoch: int
    step: int
    state_sha256: list[str]  # (R,) hex


#: the turn of what takes effect at an `Opening`, ahead of the first turn of its epoch
BEFORE = -1


@dataclass(slots=True)
class Opening:
    """Start of an epoch, before anything happens in it: `enact` takes effect here too, for the epoch as a whole."""

    epoch: int
    step: int  # the first of the epoch, within the run
    turn: int = BEFORE


@dataclass(slots=True)
class Tick:
    """End of a turn: the moment at which `enact` and kill take effect (and `enact` at an `Opening`)."""

    epoch: int
    step: int
    turn: int
