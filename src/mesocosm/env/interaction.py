"""Interactions as columns: a proposal, the outcome it would have, the answer, and what follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.proxy import Traces
from mesocosm.env.state import Crowd

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Deals:
    """The proposals of one turn and everything that becomes of them.

    Shapes   k = proposals, grouped by replicate ascending and by initiator row; an initiator occurs once.
             Fields without a value yet are empty until the step of resolution that fills them.
    """

    row_a: I64  # (k,) initiator
    row_b: I64  # (k,) counterparty
    replicate: I64  # (k,)
    difficulty: F64  # (k,) x
    effort: F64  # (k,) e
    disguise: F64  # (k,) d
    tau: F64  # (k,) credits from a to b
    level: I64  # (k,) index of d in its menu
    is_good: Mask  # (k,) v = +1
    traces: Traces
    outcome: I64  # (k,) outcome class
    memory_at: I64  # (k,) where b remembers a, -1 nowhere
    trust: F64  # (k,) m, b's trust in a
    odds: F64  # (k,) b's odds that v = +1, after its own look
    own: Any  # b's bar: (k,), or one number where it is the same for all
    joint: Any  # both sides' bar, likewise
    c_a: Any  # lever costs of the initiator, credits
    c_b: Any
    private_cost: F64  # (k,) kappa_e x e + kappa_d d
    leniency: Any = 0.5  # (k,) omega: how likely a thought b to look at its own gain alone
    passage: F64 | None = None  # (2, k) how likely a thought levers to let it through, if good and if bad
    yes: I64 | None = None  # (k,) how often b would have agreed under other luck, where that was asked
    seq: I64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    reason: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, dtype=np.int8))
    accepted: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    r0: Any = 0.0  # reputation signal
    r_a: Any = 0.0  # eta r0
    surplus: Any = 0.0
    surplus_true: Any = 0.0
    externality: Any = 0.0
    externality_true: Any = 0.0
    pi_a: Any = 0.0
    pi_b: Any = 0.0
    pi_a_true: Any = 0.0
    pi_b_true: Any = 0.0
    discovered: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    inspected: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))  # an audit looked at the deal
    audited: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))  # and brought its outcome to light
    told_good: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))  # what an audit said of v
    fine: F64 = field(default_factory=lambda: np.zeros(0))  # credits lost to governance after settlement

    def __len__(self) -> int:
        return len(self.row_a)

    @property
    def p(self) -> F64:
        """(k,) the proxy: what the traces say of P(v = +1)."""
        return self.traces.p


def draw_candidates(crowd: Crowd, row: I64, replicate: I64, half: tuple[Any, Any]) -> tuple[I64, I64, Mask, Mask]:
    """Two distinct keyed candidates per row among the other active agents of its replicate.

    Params   half: two 32-bit keyed draws per row, as uint64.
    Returns  candidate rows first and second, and whether each exists (a population of two has only one other).
    """
    others = crowd.count[replicate] - 1
    n = np.maximum(others, 1).astype(np.uint64)
    own = crowd.position[row]
    first = ((half[0] * n) >> np.uint64(32)).astype(np.int64)
    n_second = np.maximum(others - 1, 1).astype(np.uint64)
    second = ((half[1] * n_second) >> np.uint64(32)).astype(np.int64)
    second += second >= first
    start = crowd.start[replicate]
    last = len(crowd.row) - 1
    one = crowd.row[np.minimum(start + first + (first >= own), last)]
    two = crowd.row[np.minimum(start + second + (second >= own), last)]
    return one, two, others >= 1, others >= 2
