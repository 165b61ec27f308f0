"""Stakes and bonds under random operations: every credit is where plain Python has it, at tolerance 0."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from numpy.typing import NDArray

from conftest import IS_DEEP
from mesocosm.env.deposits import fine, forfeit, pay_out, set_aside
from mesocosm.env.ledger import Ledger, open_ledger

I64 = NDArray[np.int64]
AGENTS, REPLICATES = 200, 3
OPERATIONS = 4_000_000 if IS_DEEP else 200_000
KINDS = ("stake", "bond")


class Operations(RuleBasedStateMachine):
    """Two hundred requests at a time on random agents of three economies, beside dictionaries of plain numbers."""

    done: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.replicate = np.sort(np.arange(AGENTS) % REPLICATES)
        self.ledger: Ledger = open_ledger(self.replicate, REPLICATES)
        purse = (np.arange(AGENTS, dtype=np.int64) * 7919) % 1_000_003
        self.ledger.mint(np.arange(AGENTS), purse)
        self.balance = dict(enumerate(purse.tolist()))
        self.hold = {kind: dict.fromkeys(range(AGENTS), 0) for kind in KINDS}
        self.treasury = dict.fromkeys(range(REPLICATES), 0)
        self.minted = int(purse.sum())

    def asked(self, seed: int) -> tuple[np.random.Generator, I64, str]:
        Operations.done += AGENTS
        luck = np.random.default_rng(seed)
        return luck, luck.permutation(AGENTS), KINDS[int(luck.integers(2))]

    def part_of(self, luck: np.random.Generator, known: dict[int, int], row: I64) -> I64:
        """A part of what each row has, often nothing and often all."""
        share = luck.choice([0.0, 1.0, -1.0], len(row), p=[0.2, 0.2, 0.6])
        share = np.where(share < 0.0, luck.random(len(row)), share)
        return np.array([int(known[one] * part) for one, part in zip(row.tolist(), share.tolist(), strict=True)])

    @rule(seed=st.integers(0, 2**32 - 1))
    def put_up(self, seed: int) -> None:
        luck, row, kind = self.asked(seed)
        amount = self.part_of(luck, self.balance, row)
        set_aside(self.ledger, kind, row, amount)
        for one, much in zip(row.tolist(), amount.tolist(), strict=True):
            self.balance[one] -= much
            self.hold[kind][one] += much

    @rule(seed=st.integers(0, 2**32 - 1))
    def slash(self, seed: int) -> None:
        luck, row, kind = self.asked(seed)
        amount = self.part_of(luck, self.hold[kind], row)
        forfeit(self.ledger, kind, row, amount)
        for one, much in zip(row.tolist(), amount.tolist(), strict=True):
            self.hold[kind][one] -= much
            self.treasury[int(self.replicate[one])] += much

    @rule(seed=st.integers(0, 2**32 - 1))
    def compensate(self, seed: int) -> None:
        """To whoever was harmed, in the same economy; several may pay one."""
        luck, row, kind = self.asked(seed)
        amount = self.part_of(luck, self.hold[kind], row)
        payee = np.array([int(luck.choice(np.flatnonzero(self.replicate == self.replicate[one]))) for one in row])
        pay_out(self.ledger, kind, row, payee, amount)
        for one, to, much in zip(row.tolist(), payee.tolist(), amount.tolist(), strict=True):
            self.hold[kind][one] -= much
            self.balance[to] += much

    @rule(seed=st.integers(0, 2**32 - 1))
    def fine_all(self, seed: int) -> None:
        """Often more than there is: nobody pays more than balance and stake."""
        luck, row, _ = self.asked(seed)
        due = luck.integers(0, 2_000_000, AGENTS)
        cash, from_stake = fine(self.ledger, row, due)
        for one, much, paid, staked in zip(*(part.tolist() for part in (row, due, cash, from_stake)), strict=True):
            assert paid == min(much, self.balance[one])
            assert staked == min(much - paid, self.hold["stake"][one])
            self.balance[one] -= paid
            self.hold["stake"][one] -= staked
            self.treasury[int(self.replicate[one])] += paid + staked

    @invariant()
    def every_credit_is_where_plain_python_has_it(self) -> None:
        assert self.ledger.balance.tolist() == list(self.balance.values())
        for kind in KINDS:
            assert self.ledger.hold[kind].tolist() == list(self.hold[kind].values())
        assert self.ledger.treasury.tolist() == list(self.treasury.values())
        held = sum(int(self.ledger.hold[kind].sum()) for kind in KINDS)
        assert int(self.ledger.balance.sum()) + held + int(self.ledger.treasury.sum()) == self.minted
        self.ledger.audit(0.0)


def test_stakes_and_bonds_move_what_plain_python_moves() -> None:
    Operations.done = 0
    few = settings(max_examples=20, stateful_step_count=50)
    while Operations.done < OPERATIONS:
        run_state_machine_as_test(Operations, settings=few)
    assert Operations.done >= OPERATIONS
