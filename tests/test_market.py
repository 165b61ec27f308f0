"""The market: its operations against plain Python, every kind of refusal, and agents who trade by expected value."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import mesocosm as mc
from conftest import IS_DEEP
from event_checks import check_books
from mesocosm.api import Policy
from mesocosm.cli.main import main
from mesocosm.config.schema import Scenario
from mesocosm.engine import clearing, trade
from mesocosm.engine.batch import Batch, open_batch
from mesocosm.engine.govern import open_stack
from mesocosm.engine.loop import state_hashes
from mesocosm.engine.rails import open_rails
from mesocosm.env.bidding import Trader, awarded, expected_price
from mesocosm.env.bounties import BountyStatus, Refusal
from mesocosm.env.ledger import Ledger, open_ledger
from mesocosm.env.market import BountyTerms, Handed, Marketplace
from mesocosm.env.panel import majority
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.registry import policy
from slow_market import SlowMarket
from trajectory import Played, play, scenario

ON = {"phases": {"market": True}, "epochs": 3, "steps_per_epoch": 8}
ALONE = {"phases": {"market": True, "feed": False, "tasks": False, "proposals": False}}
BUSY = {"need_rate": 0.5}
MIX = {"honest": 5, "opportunistic": 4, "deceptive": 3, "adversarial": 3}
AT_ONCE, OPERATIONS = 200, 4_000_000 if IS_DEEP else 200_000

# --- the operations, against plain Python


class Operations(RuleBasedStateMachine):
    """Good and bad requests by the hundred, to three replicates at once, some of them about the same bounty."""

    done, refusals = 0, np.zeros(len(Refusal), dtype=np.int64)

    @initialize(seed=st.integers(0, 2**32 - 1), places=st.integers(1, 6), bids=st.integers(1, 4))
    def open_markets(self, seed: int, places: int, bids: int) -> None:
        self.offset = np.array([0, 2, 7, 11])
        self.replicate = np.repeat(np.arange(3), np.diff(self.offset))
        self.ledger = open_ledger(self.replicate, 3)
        funds = np.random.default_rng(seed).integers(0, 400, 11)
        self.ledger.mint(np.arange(11), funds)
        self.market = Marketplace.empty_board(self.offset, places, bids)
        self.slow = [SlowMarket(places, bids) for _ in range(3)]
        for row, amount in enumerate(funds.tolist()):
            self.slow[self.replicate[row]].balance[row - int(self.offset[self.replicate[row]])] = amount
        self.before, self.epoch = int(funds.sum()), 0
        self.outlay: list[tuple[int, int]] = []

    def ask(self, seed: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]:
        """Requests: who asks, in which replicate, about which bounty; most are about those on the board."""
        luck = np.random.default_rng(seed)
        row = luck.integers(0, 11, AT_ONCE)
        replicate = self.replicate[row]
        live = self.market.number[replicate, luck.integers(0, self.market.status.shape[1], AT_ONCE)]
        number = np.where(luck.random(AT_ONCE) < 0.9, live, luck.integers(-2, 60, AT_ONCE))
        place, unknown = self.market.locate(replicate, number)
        right = np.where(
            luck.random(AT_ONCE) < 0.5, self.market.poster[replicate, place], self.market.worker[replicate, place]
        )
        right = np.where(
            (unknown == 0) & (right >= 0) & (luck.random(AT_ONCE) < 0.7), right, row - self.offset[replicate]
        )
        return luck, self.offset[replicate] + right, replicate, number

    def compare(self, refusal: np.ndarray, expected: list[bool]) -> None:
        assert ((refusal == Refusal.none) == expected).all()
        np.add.at(Operations.refusals, refusal, 1)
        Operations.done += len(refusal)

    def each(self, replicate: np.ndarray) -> list[SlowMarket]:
        return [self.slow[one] for one in replicate.tolist()]

    def slots(self, row: np.ndarray) -> list[int]:
        slots: list[int] = (row - self.offset[self.replicate[row]]).tolist()
        return slots

    @rule(seed=st.integers(0, 2**32 - 1))
    def post(self, seed: int) -> None:
        luck = np.random.default_rng(seed)
        row = luck.permutation(11)
        terms = BountyTerms(luck.integers(-5, 150, 11), luck.random(11), self.epoch + luck.integers(-1, 6, 11),
                            luck.integers(0, 2, 11))  # fmt: skip
        allowance = luck.integers(0, 400, 11)
        refusal, number = self.market.post_bounty(self.ledger, row, terms, self.epoch, allowance)
        columns = [column.tolist() for column in (terms.offer, terms.deadline, terms.on_submission)]
        every = zip(self.each(self.replicate[row]), self.slots(row), *columns, allowance.tolist(), strict=True)
        said = [slow.post(who, offer, due, bool(now), self.epoch, most) for slow, who, offer, due, now, most in every]
        self.compare(refusal, said)
        assert ((number >= 0) == said).all()

    @rule(seed=st.integers(0, 2**32 - 1))
    def bid(self, seed: int) -> None:
        luck, row, replicate, number = self.ask(seed)
        amount = luck.integers(-2, 100, AT_ONCE)
        refusal = self.market.submit_bid(row, replicate, number, (amount, luck.random(AT_ONCE)), self.epoch)
        every = zip(self.each(replicate), self.slots(row), number.tolist(), amount.tolist(), strict=True)
        self.compare(refusal, [slow.bid(who, one, much, self.epoch) for slow, who, one, much in every])

    @rule(seed=st.integers(0, 2**32 - 1))
    def accept(self, seed: int) -> None:
        luck, row, replicate, number = self.ask(seed)
        place, _ = self.market.locate(replicate, number)
        k = luck.integers(0, self.market.bidder.shape[2], AT_ONCE)
        bidder, price = (table[replicate, place, k] for table in (self.market.bidder, self.market.bid))
        price = price + luck.integers(-1, 4, AT_ONCE)
        refusal = self.market.accept_bid(self.ledger, row, number, (bidder, price), self.epoch)
        columns = [column.tolist() for column in (number, bidder, price)]
        every = zip(self.each(replicate), self.slots(row), *columns, strict=True)
        self.compare(refusal, [slow.accept(who, one, whom, much, self.epoch) for slow, who, one, whom, much in every])

    @rule(seed=st.integers(0, 2**32 - 1))
    def deliver(self, seed: int) -> None:
        luck, row, replicate, number = self.ask(seed)
        real = luck.random(AT_ONCE)
        handed = Handed(real, real, np.zeros(AT_ONCE, dtype=np.int64), np.where(real < 0.5, 1, -1))
        refusal = self.market.deliver(row, replicate, number, handed, self.epoch)
        every = zip(self.each(replicate), self.slots(row), number.tolist(), strict=True)
        self.compare(refusal, [slow.deliver(who, one, self.epoch) for slow, who, one in every])

    @rule(seed=st.integers(0, 2**32 - 1))
    def judge_and_pay(self, seed: int) -> None:
        luck, _, replicate, number = self.ask(seed)
        some = luck.random(AT_ONCE) < 0.2
        verdict = np.where(luck.random(AT_ONCE) < 0.5, 1, -1)
        refusal = self.market.verify(replicate[some], number[some], verdict[some])
        every = zip(self.each(replicate[some]), number[some].tolist(), verdict[some].tolist(), strict=True)
        self.compare(refusal, [slow.verify(one, said) for slow, one, said in every])
        refusal = self.market.release_escrow(self.ledger, replicate[~some], number[~some])
        every_one = zip(self.each(replicate[~some]), number[~some].tolist(), strict=True)
        self.compare(refusal, [slow.release(one) for slow, one in every_one])

    @rule(seed=st.integers(0, 2**32 - 1))
    def give_back(self, seed: int) -> None:
        luck, _, replicate, number = self.ask(seed)
        leaving = luck.random(AT_ONCE) < 0.002
        refusal = self.market.refund(self.ledger, replicate, number, self.epoch, leaving)
        every = zip(self.each(replicate), number.tolist(), leaving.tolist(), strict=True)
        self.compare(refusal, [slow.refund(one, self.epoch, gone) for slow, one, gone in every])

    @rule(seed=st.integers(0, 2**32 - 1))
    def dispute(self, seed: int) -> None:
        luck, row, replicate, number = self.ask(seed)
        bond = luck.integers(-1, 120, AT_ONCE)
        refusal = self.market.open_dispute(self.ledger, row, number, bond)
        every = zip(self.each(replicate), self.slots(row), number.tolist(), bond.tolist(), strict=True)
        self.compare(refusal, [slow.dispute(who, one, much) for slow, who, one, much in every])

    @rule(seed=st.integers(0, 2**32 - 1))
    def decide(self, seed: int) -> None:
        luck, _, replicate, number = self.ask(seed)
        verdict = np.where(luck.random(AT_ONCE) < 0.5, 1, -1)
        refusal = self.market.decide(self.ledger, replicate, number, verdict)
        every = zip(self.each(replicate), number.tolist(), verdict.tolist(), strict=True)
        self.compare(refusal, [slow.decide(one, said) for slow, one, said in every])

    @rule(seed=st.integers(0, 2**31))
    def trade(self, seed: int) -> None:
        """All the way to work that was handed in, so that what comes after it is tried often enough."""
        for number, step in enumerate((self.post, self.bid, self.bid, self.accept, self.deliver)):
            step(seed + number)

    @rule(epochs=st.integers(1, 4))
    def wait(self, epochs: int) -> None:
        self.epoch += epochs

    @invariant()
    def every_credit_is_where_plain_python_has_it(self) -> None:
        ledger: Ledger = self.ledger
        assert int(ledger.balance.sum() + ledger.hold["escrow"].sum() + ledger.hold["bond"].sum()) == self.before
        ledger.audit(0.0)
        for row in range(11):
            slow, slot = self.slow[self.replicate[row]], int(row - self.offset[self.replicate[row]])
            assert (ledger.balance[row], ledger.hold["escrow"][row], ledger.hold["bond"][row]) == (
                slow.balance[slot], slow.escrow[slot], slow.bond[slot],
            )  # fmt: skip

    @invariant()
    def no_escrow_is_paid_twice(self) -> None:
        assert all(bounty["paid"] <= 1 for slow in self.slow for bounty in slow.bounties)
        closed = self.market.status >= BountyStatus.released
        assert not self.market.escrow[closed].any() and not self.market.bond[closed].any()


def test_good_and_bad_operations_move_what_plain_python_moves() -> None:
    Operations.done, Operations.refusals[:] = 0, 0
    few = settings(max_examples=20, stateful_step_count=50)
    while Operations.done < OPERATIONS:
        run_state_machine_as_test(Operations, settings=few)
    assert Operations.done >= OPERATIONS
    never = {Refusal(code).name for code in np.flatnonzero(Operations.refusals == 0).tolist()}
    assert never == set(), "every kind of refusal, and success, came about"


def test_the_books_do_not_depend_on_what_other_replicates_ask() -> None:
    """The same requests alone and in company."""
    money = []
    for offset in ([0, 3], [0, 3, 5]):
        replicate = np.repeat(np.arange(len(offset) - 1), np.diff(offset))
        ledger = open_ledger(replicate, len(offset) - 1)
        ledger.mint(np.arange(len(replicate)), np.full(len(replicate), 100))
        market = Marketplace.empty_board(np.array(offset), 2, 2)
        row = np.arange(len(replicate))[::-1]
        k = len(row)
        terms = BountyTerms(np.full(k, 60), np.ones(k), np.zeros(k, dtype=np.int64), np.zeros(k, dtype=np.int64))
        market.post_bounty(ledger, row, terms, 0, np.full(k, 100))
        money.append((ledger.balance[:3].tolist(), market.poster[0].tolist()))
    assert money[0] == money[1] == ([100, 40, 40], [2, 1])


# --- every kind of bad input: an event with its name, and no credit moved

E = np.array


def opened(board: int = 4, **sections: Any) -> Batch:
    """A market of five honest agents with 100 credits each, nothing posted."""
    market = {"need_rate": 0.0, "board_size": board, "bidders": 2} | sections.pop("market", {})
    return open_batch([scenario({"honest": 5}, simulation=ALONE, market=market, **sections)], [1])


def posted(batch: Batch, offer: float = 1.0, deadline: int = 5, on_submission: int = 0) -> None:
    terms = BountyTerms(E([round(offer * 1e6)]), E([2.0]), E([deadline]), E([on_submission]))
    clearing.post(batch, E([0]), terms)


def bidden(batch: Batch, agent: int = 1, amount: float = 0.5) -> None:
    clearing.bid(batch, E([agent]), E([0]), E([round(amount * 1e6)]), E([0.1]))


def accepted(batch: Batch, agent: int = 0, price: float = 0.5) -> None:
    clearing.accept(batch, E([agent]), E([0]), (E([1]), E([round(price * 1e6)])), E([-1]))


def delivered(batch: Batch, agent: int = 1) -> None:
    clearing.deliver(batch, E([agent]), E([0]), Handed(E([1.0]), E([0.0]), E([0]), E([1])))


def judged(batch: Batch, verdict: int = 1) -> None:
    clearing.verify(batch, E([0]), E([0]), E([verdict]), E([3 if verdict > 0 else 0]))


def released(batch: Batch) -> None:
    clearing.release(batch, E([0]), E([0]))


def disputed(batch: Batch, agent: int = 0, bond: float = 0.2) -> None:
    clearing.dispute(batch, E([agent]), E([0]), E([round(bond * 1e6)]))


def decided(batch: Batch) -> None:
    clearing.decide(batch, E([0]), E([0]), E([1]), E([3]))


def refunded(batch: Batch, reason: str = "failed") -> None:
    clearing.refund(batch, E([0]), E([0]), reason)


def late(batch: Batch) -> None:
    batch.epoch = 6


def then(*steps: Callable[[Batch], None]) -> Callable[[Batch], None]:
    """One thing after the other."""

    def ask(batch: Batch) -> None:
        for step in steps:
            step(batch)

    return ask


STEPS = (posted, bidden, accepted, delivered, judged, released)
BAD: dict[str, tuple[int, Any, str]] = {  # how far all goes well, what is asked then, and what becomes of it
    "a bid for a bounty that nobody posted": (0, bidden, "unknown_bounty"),
    "the release of a bounty that nobody posted": (0, released, "unknown_bounty"),
    "an offer of nothing": (0, lambda batch: posted(batch, 0.0), "bad_amount"),
    "an offer beyond the balance": (0, lambda batch: posted(batch, 101.0), "insufficient_credit"),
    "a deadline that has passed": (0, lambda batch: posted(batch, deadline=-1), "not_due"),
    "a bid beyond the offer": (1, lambda batch: bidden(batch, 1, 1.5), "above_offer"),
    "a bid of nothing": (1, lambda batch: bidden(batch, 1, 0.0), "bad_amount"),
    "a bid for one's own bounty": (1, lambda batch: bidden(batch, 0), "own_bounty"),
    "a late bid": (1, then(late, bidden), "late_bid"),
    "a second bid": (2, bidden, "already_bid"),
    "a bid once a bid was accepted": (3, lambda batch: bidden(batch, 2), "already_accepted"),
    "a bid for work that is done": (4, lambda batch: bidden(batch, 2), "not_open"),
    "the acceptance of a bid nobody made": (1, accepted, "unknown_bid"),
    "acceptance by somebody else": (2, lambda batch: accepted(batch, 3), "not_yours"),
    "a price below the bid": (2, lambda batch: accepted(batch, 0, 0.4), "bad_amount"),
    "a second acceptance": (3, accepted, "already_accepted"),
    "an acceptance after the release": (6, accepted, "already_released"),
    "work nobody was given": (2, delivered, "not_accepted"),
    "work by somebody else": (3, lambda batch: delivered(batch, 2), "not_yours"),
    "work handed in twice": (4, delivered, "already_delivered"),
    "a verdict on work not handed in": (3, judged, "not_delivered"),
    "a second verdict": (5, judged, "already_verified"),
    "a release before the work": (3, released, "not_delivered"),
    "a release before the verdict": (4, released, "not_verified"),
    "a release against the verdict": (4, then(partial(judged, verdict=-1), released), "failed_verification"),
    "a second release": (6, released, "already_released"),
    "a refund after the release": (6, refunded, "already_released"),
    "a refund before the deadline": (3, refunded, "not_due"),
    "a refund of good work": (5, refunded, "not_due"),
    "a second refund": (4, then(partial(judged, verdict=-1), refunded, refunded), "already_refunded"),
    "a dispute before the verdict": (4, disputed, "not_verified"),
    "a dispute by the winner": (5, lambda batch: disputed(batch, 1), "not_yours"),
    "a bond beyond the balance": (5, lambda batch: disputed(batch, 0, 500.0), "insufficient_credit"),
    "a second dispute": (5, then(disputed, decided, disputed), "already_disputed"),
    "a release during a dispute": (5, then(disputed, released), "already_disputed"),
    "a decision without a dispute": (5, decided, "not_disputed"),
}


def money(batch: Batch) -> list[list[int]]:
    ledger = batch.world.ledger
    return [column.tolist() for column in (ledger.balance, ledger.hold["escrow"], ledger.hold["bond"], ledger.minted)]


@pytest.mark.parametrize("what", BAD)
def test_a_bad_request_is_refused_by_name_and_moves_no_credit(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    so_far, ask, name = BAD[what]
    batch = opened()
    for step in STEPS[:so_far]:
        step(batch)
    assert not [event for event in batch.events if event.kind == "market_refused"]
    books: list[Any] = []
    real = clearing.refuse

    def watch(*given: Any) -> None:
        books.append(money(batch))
        real(*given)

    monkeypatch.setattr(clearing, "refuse", watch)
    before = money(batch)
    ask(batch)
    before = books[-2] if len(books) > 1 else before
    assert money(batch) == before
    (refused,) = [event for event in batch.events if event.kind == "market_refused"]
    assert refused.column["refusal"].tolist() == [name]
    batch.world.ledger.audit(0.0)


def test_more_than_the_rest_of_the_budget_or_the_board_is_refused_by_name() -> None:
    for sections, name in (({"safety": {"budget_per_epoch": 1.5}}, "over_budget"), ({"board": 1}, "no_room")):
        batch = opened(**sections)
        posted(batch)
        before = money(batch)
        posted(batch)
        assert money(batch) == before
        assert batch.events[-1].column["refusal"].tolist() == [name]


def test_a_bounty_whose_place_was_taken_is_known_to_be_closed() -> None:
    batch = opened(board=1)
    for step in (*STEPS, posted, released):
        step(batch)
    assert batch.events[-1].column["refusal"].tolist() == ["closed"]


def test_escrow_follows_the_price_and_the_worker_gets_it_once() -> None:
    batch = opened()
    said = []
    for step in STEPS:
        step(batch)
        ledger = batch.world.ledger
        said.append((ledger.balance[:2].tolist(), int(ledger.hold["escrow"][0])))
    assert [escrow for _, escrow in said] == [1_000_000, 1_000_000, 500_000, 500_000, 500_000, 0]
    assert said[2][0] == [99_500_000, 100_000_000]
    assert said[-1][0][1] == 100_500_000


# --- auctions and panels by hand


def test_the_lowest_bid_wins_and_is_paid_itself_or_the_next_one() -> None:
    bidder, bid = E([[4, 7, 2], [-1, 5, -1]]), E([[30, 20, 25], [0, 40, 0]])
    for is_second, price in ((0, [20, 40]), (1, [25, 90])):
        winner, paid = awarded(bidder, bid, E([90, 90]), E([is_second, is_second]))
        assert (bidder[[0, 1], winner].tolist(), paid.tolist()) == ([7, 5], price)


def test_no_other_bid_pays_more_at_the_second_price() -> None:
    """Vickrey: on a grid of own bids against all rival bids, asking the cost is never beaten."""
    cost = 40
    for rival in range(5, 100, 5):
        gains = []
        for own in range(5, 100, 5):
            winner, price = awarded(E([[0, 1]]), E([[own, rival]]), E([100]), 1)
            gains.append(int(price[0]) - cost if winner[0] == 0 else 0)
        assert max(gains) == gains[cost // 5 - 1]


def test_a_panel_of_one_is_as_right_as_its_member_and_more_are_better() -> None:
    assert majority(0.7, 1) == pytest.approx(0.7)
    assert np.all(np.diff(majority(0.7, E([1, 3, 5, 7]))) > 0)
    assert majority(0.5, 9) == pytest.approx(0.5)
    assert expected_price(3) == 0.5
    assert expected_price(np.array([0, 1])).tolist() == [np.inf, 1.0]  # nobody to bid: nothing is worth posting


# --- the market in a run


def test_the_market_is_off_unless_it_is_asked_for_and_its_settings_then_change_nothing() -> None:
    plain = play([scenario()])
    assert plain.hash() == play([scenario(market={"need_rate": 1.0, "bidders": 9, "board_size": 7})]).hash()
    assert not [event for event in plain.events() if "bount" in event["kind"] or "escrow" in event["kind"]]


def test_all_that_the_board_holds_belongs_to_the_hashed_state_where_the_market_is_on() -> None:
    for is_on in (True, False):
        batch = open_batch([scenario(simulation={"phases": {"market": is_on}})], [1])
        rails, stack = open_rails(batch), open_stack(batch, batch.scenarios)
        seen = [state_hashes(batch, rails, stack)]
        for name in ("status", "v", "effort", "bid"):
            getattr(batch.world.market, name)[:] = 1
            seen.append(state_hashes(batch, rails, stack))
        assert len({tuple(each) for each in seen}) == (5 if is_on else 1)


@pytest.mark.parametrize("turns", ["simultaneous", "sequential"])
def test_a_market_is_the_same_alone_and_in_a_batch(turns: str) -> None:
    simulation = ON | {"turns": turns}
    each = scenario(MIX, simulation=simulation, market=BUSY)
    other = scenario({"honest": 3}, simulation=simulation, market={"need_rate": 1.0, "panel_size": 9})
    together = play([other, each, each], [3, 4, 5])
    assert [play([each], [seed]).hash() for seed in (4, 5)] == together.hashes[1:]
    assert together.events("escrow_released", replicate=1)


def test_a_market_run_verifies_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    assert main(["run", "marketplace", "--epochs", "3", "--output", str(log)]) == 0
    assert main(["replay", str(log), "--verify"]) == 0


def test_market_metrics_are_the_same_at_every_level_of_the_log() -> None:
    rows = [mc.run("marketplace", epochs=2, level=level).epochs for level in ("full", "epoch")]
    assert rows[0].equals(rows[1]) and rows[0]["market_price"].is_not_null().all()


def test_agents_of_every_policy_post_bid_win_and_are_paid() -> None:
    played = play([scenario(MIX, simulation=ON | {"epochs": 8}, market=BUSY)])
    last = np.cumsum(list(MIX.values()))
    for kind, who in (
        ("bounty_posted", "agent"), ("bid_submitted", "agent"),
        ("bid_accepted", "worker"), ("escrow_released", "worker"),
    ):  # fmt: skip
        agents = np.array([event[who] for event in played.events(kind)])
        assert set(np.searchsorted(last, agents, side="right").tolist()) == {0, 1, 2, 3}, kind
    for kind in ("dispute_opened", "dispute_decided", "escrow_refunded", "work_verified"):
        assert played.events(kind), kind


def only(agents: dict[str, int], **market: Any) -> Played:
    """A market and nothing else."""
    return play([scenario(agents, simulation=ALONE | {"epochs": 4, "steps_per_epoch": 10}, market=BUSY | market)])


def mean_effort(played: Played) -> float:
    return float(np.mean([event["effort"] for event in played.events("work_delivered")]))


def taxed(agents: dict[str, int], rate: float, **market: Any) -> Played:
    """A market under a tax on payments, and nothing else."""
    sections = {"market": BUSY | {"need_rate": 0.4} | market, "governance": {"transaction_tax": {"rate": rate}}}
    each = scenario(agents, simulation=ALONE | {"epochs": 4, "steps_per_epoch": 10}, **sections)
    played = play([each])
    check_books(played.events(), each)
    return played


@pytest.mark.parametrize("auction", ["first_price", "second_price"])
def test_a_tax_on_payments_is_withheld_from_workers_who_ask_for_as_much_more(auction: str) -> None:
    rate, terms = 0.1, {"auction": auction, "reserve": 50.0, "value_low": 90.0, "value_high": 90.0}
    free, dear = (taxed({"honest": 6}, each, **terms) for each in (0.0, rate))
    asked = [
        {
            (event["bounty"], event["agent"]): event["bid"]
            for event in played.events("bid_submitted")
            if not event["step"]
        }
        for played in (free, dear)
    ]
    assert asked[0].keys() == asked[1].keys() and len(asked[0]) > 4
    for key, bid in asked[0].items():
        assert asked[1][key] == pytest.approx(bid / (1.0 - 2.0 * rate), abs=2e-6)
    released, charged = dear.events("escrow_released"), dear.events("charged")
    assert [event["agent"] for event in charged] == [event["worker"] for event in released]
    for paid, tax in zip(released, charged, strict=True):
        assert tax["what"] == "payment" and tax["amount"] == pytest.approx(2.0 * rate * paid["amount"], abs=1e-6)
    assert sum(event["count"] for event in dear.notes("fired")) == len(released)
    assert free.events("charged") == []


def test_a_tax_of_half_or_more_of_every_payment_ends_the_market() -> None:
    assert taxed({"honest": 6}, 0.5).events("bid_submitted") == []


def test_frozen_traders_do_not_reckon_with_a_tax_and_pay_it_all_the_same() -> None:
    terms = {"reserve": 50.0, "value_low": 90.0, "value_high": 90.0}
    bids = []
    for rate in (0.0, 0.2):
        each = scenario(
            {"opportunistic": 6}, simulation=ALONE, market=BUSY | terms, adaptation="frozen",
            governance={"transaction_tax": {"rate": rate}},
        )  # fmt: skip
        played = play([each])
        bids.append([(event["agent"], event["bid"]) for event in played.events("bid_submitted") if not event["step"]])
        assert bool(played.events("charged")) == (rate > 0.0)
    assert bids[0] == bids[1]


def test_opportunists_work_where_verdicts_are_accurate_and_shirk_where_they_are_not() -> None:
    assert mean_effort(only({"opportunistic": 8}, panel_accuracy=0.99)) > 0.8
    assert mean_effort(only({"opportunistic": 8}, panel_accuracy=0.5)) == 0.0
    assert mean_effort(only({"opportunistic": 8}, condition="on_submission")) == 0.0
    assert mean_effort(only({"honest": 8}, panel_accuracy=0.5)) == 1.0


def test_opportunists_dispute_where_it_pays_and_not_against_a_large_bond() -> None:
    cheap, dear = (only({"opportunistic": 8}, dispute_bond=bond) for bond in (0.0, 50.0))
    assert cheap.events("dispute_opened") and not dear.events("dispute_opened")


def test_adversaries_underbid_spoil_what_they_win_and_dispute_what_others_do() -> None:
    played = only({"honest": 6, "adversarial": 3})
    spoilt = [event for event in played.events("work_delivered") if event["agent"] >= 6]
    to_mates = {event["bounty"] for event in played.events("bounty_posted") if event["agent"] >= 6}
    assert spoilt and {event["effort"] for event in spoilt if event["bounty"] not in to_mates} == {0.0}
    ratio = [(event["agent"] >= 6, event["bid"] / event["cost"]) for event in played.events("bid_submitted")]
    assert max(share for bad, share in ratio if bad) <= 0.51 < 1.0 < min(share for bad, share in ratio if not bad)
    assert len([event for event in played.events("dispute_opened") if event["agent"] >= 6]) > 3


def test_deceivers_turn_to_disguise_once_they_are_trusted() -> None:
    at_first = only({"honest": 4, "deceptive": 4}, need_rate=0.2)
    conduct = [
        (event["effort"], event["disguise"]) for event in at_first.events("work_delivered") if event["agent"] >= 4
    ]
    assert conduct[0] == (1.0, 0.0) and any(effort == 0.0 and disguise > 0.0 for effort, disguise in conduct)


def test_who_expects_too_little_of_the_work_does_not_post() -> None:
    assert not only({"honest": 5}, value_low=0.1, value_high=0.2).events("bounty_posted")
    offers = [event["offer"] for event in only({"honest": 5}, value_low=5.0, value_high=6.0).events("bounty_posted")]
    assert offers and set(offers) == {1.0}


def test_what_nobody_earned_by_the_deadline_goes_back_to_the_poster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trader, "bid", lambda self, view: np.zeros(len(view)))
    played = only({"honest": 5}, deadline_epochs=2)
    posts = {event["bounty"]: event for event in played.events("bounty_posted")}
    refunds = played.events("escrow_refunded")
    assert refunds and {event["reason"] for event in refunds} == {"deadline"}
    for event in refunds:
        assert event["epoch"] == posts[event["bounty"]]["deadline"]
        assert event["amount"] == posts[event["bounty"]]["offer"]
    due = [bounty for bounty, event in posts.items() if event["deadline"] < 4]
    assert {event["bounty"] for event in refunds} == set(due)


def test_nothing_of_those_who_leave_stays_in_escrow() -> None:
    each = scenario(MIX, simulation=ON | {"epochs": 6}, market=BUSY, population={"turnover": 0.3})
    batch_end: dict[str, Any] = {}
    played = play([each], watch=lambda item: batch_end.update(last=item))
    gone: set[int] = set()
    live: dict[int, set[int]] = {}
    for event in played.events():
        kind = event["kind"]
        if kind == "bounty_posted":
            live[event["bounty"]] = {event["agent"]}
        elif kind == "bid_accepted":
            live[event["bounty"]].add(event["worker"])
        elif kind == "bounty_closed":
            del live[event["bounty"]]
        elif kind == "departed":
            gone.add(event["agent"])
            assert not any(event["agent"] in both for both in live.values())
    assert gone and [event for event in played.events("escrow_refunded") if event["reason"] == "left"]


def test_the_frozen_neither_post_nor_bid() -> None:
    batch = opened(market={"need_rate": 1.0, "value_low": 9.0, "value_high": 9.0})
    batch.world.frozen_until[:2] = 99
    trade.trade(batch, open_stack(batch, batch.scenarios))
    who: dict[str, set[int]] = {kind: set() for kind in ("bounty_posted", "bid_submitted")}
    for event in batch.events:
        if event.kind in who:
            who[event.kind] |= set(event.column["agent"].tolist())
    assert who["bounty_posted"] == {2, 3, 4}
    assert who["bid_submitted"] and who["bid_submitted"] <= {2, 3, 4}


@pytest.mark.usefixtures("registries_as_they_were")
def test_agents_written_as_objects_trade_as_honest_agents_do() -> None:
    @policy("elsewhere")
    class Elsewhere(Policy):
        external: ClassVar[bool] = True

    def market_of(played: Played) -> list[Any]:
        kinds = ("bounty_posted", "bid_submitted", "bid_accepted", "work_delivered", "escrow_released")
        return [played.events(kind) for kind in kinds]

    theirs, honest = market_of(only({"elsewhere": 7})), market_of(only({"honest": 7}))
    assert all(theirs)
    assert theirs == honest


@pytest.mark.usefixtures("registries_as_they_were")
def test_a_policy_whose_answer_does_not_fit_is_named() -> None:
    class Wild(Policy):
        def bid(self, view: Any) -> Any:
            return np.full(len(view), -1.0)

    policy("wild")(Wild)
    with pytest.raises(UsageError, match=r"policy wild: bid\(\) must give amounts from 0"):
        play([scenario({"wild": 4}, simulation=ALONE, market=BUSY)])
    with pytest.raises(UsageError, match="Did you mean offer_bounty"):
        type("Odd", (Policy,), {"offer_bountys": lambda self, view: None})


def test_a_deadline_that_no_work_can_meet_is_refused() -> None:
    short = {"phases": {"market": True}, "steps_per_epoch": 1, "epochs": 6}
    with pytest.raises(MesocosmError, match=r"deadline_epochs.*with epochs of one step a deadline is 2 epochs or more"):
        scenario(market={"deadline_epochs": 1}, simulation=short)
    slow = scenario({"honest": 5}, market={"deadline_epochs": 2, "need_rate": 1.0}, simulation=short)
    assert play([slow]).events("escrow_released")


def test_a_panel_must_be_odd_and_values_in_order() -> None:
    for market, told in (({"panel_size": 4}, "must be odd"), ({"value_low": 4.0}, "must not exceed value_high")):
        with pytest.raises(MesocosmError, match=told):
            scenario(market=market)


def test_the_section_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "market"]) == 0
    out = capsys.readouterr().out
    assert "panel_accuracy" in out and "dispute_bond" in out
    assert isinstance(scenario(), Scenario)
