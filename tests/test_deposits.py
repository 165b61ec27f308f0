"""Stakes and bonds: who has none does not deal, what bad deals cost, who gets it, and that it stays their owner's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from event_checks import Books, check_books, micro
from mesocosm import registry
from mesocosm.api import Enact
from mesocosm.config.schema import Scenario
from mesocosm.env.events import Tick
from trajectory import Event, Played, play, scenario

MIX = {"honest": 4, "opportunistic": 3, "deceptive": 2, "adversarial": 2}
NEWCOMERS = ("staking", "bonds", "message_tax", "vote_normalisation")
#: one agent a turn and no tasks, so that the events alone say what everybody has at every moment
ALONE: dict[str, Any] = {"epochs": 3, "steps_per_epoch": 10, "turns": "sequential", "phases": {"tasks": False}}
STAKE, BOND = "stake", "bond"


def followed(each: Scenario) -> Iterator[tuple[Event, Books, list[Event]]]:
    """Events of a run, each with the books as they stand before it and the events that follow."""
    events = play([each]).events()
    endowment, n = micro(each.environment.initial_budget), each.agents_initial
    books = Books(each, Counter(dict.fromkeys(range(n), endowment)), minted=endowment * n)
    for place, event in enumerate(events):
        yield event, books, events[place + 1 :]
        books.book(event)


def is_slashed(after: list[Event], deal: Event, kind: str) -> list[Event]:
    """What was taken of deposits of a kind for a deal."""
    return [event for event in after if event["kind"] == "slashed" and event["causes"] == [deal["seq"]]
            and event["deposit"] == kind]  # fmt: skip


def reasons(events: list[Event]) -> Counter[str]:
    return Counter(event["reason"] for event in events if event["kind"] == "interaction")


# --- stakes


@pytest.mark.parametrize("adaptation", ["learning", "frozen"])
def test_nobody_deals_without_a_stake_and_whoever_can_pay_has_one(adaptation: str) -> None:
    each = scenario(
        MIX, governance={"staking": {"amount": 2.0}}, environment={"initial_budget": 3.0}, simulation=ALONE,
        adaptation=adaptation, acceptance="all",
    )  # fmt: skip
    found: Counter[str] = Counter()
    for event, books, _ in followed(each):
        if event["kind"] != "interaction":
            continue
        a, b = event["initiator"], event["counterparty"]
        assert books.deposit[a, STAKE] == micro(2.0)
        if event["reason"] == "refused_by_lever":
            assert books.balance[b] + books.deposit[b, STAKE] < micro(2.0)
        else:
            assert books.deposit[b, STAKE] == micro(2.0)
        found[event["reason"]] += 1
    assert found["refused_by_lever"] > 3
    assert found["accepted"] > 30


def test_nobody_proposes_where_nobody_has_the_stake() -> None:
    poor: dict[str, Any] = {"environment": {"initial_budget": 1.9}, "simulation": ALONE}
    assert play([scenario(MIX, governance={"staking": {"amount": 2.0}}, **poor)]).events("interaction") == []
    assert play([scenario(MIX, governance={"staking": {"amount": 1.9}}, **poor)]).events("interaction") != []


@pytest.mark.parametrize(("dispute", "audited"), [(1.0, False), (0.0, False), (0.0, True)])
def test_a_bad_deal_costs_the_stake_where_it_is_disputed_or_found_by_an_audit(dispute: float, audited: bool) -> None:
    governance: dict[str, Any] = {"staking": {"amount": 2.0, "slash": 0.5, "dispute": dispute}}
    if audited:
        governance["random_audit"] = {"probability": 1.0, "penalty": 0.0}
    each = scenario(MIX, governance=governance, simulation=ALONE, adaptation="frozen")
    bad = 0
    for event, _, after in followed(each):
        if event["kind"] != "interaction":
            continue
        told = event["accepted"] and event["v"] < 0 and (audited or (dispute == 1.0 and event["discovered"]))
        taken = [(it["agent"], it["amount"], it["payee"]) for it in is_slashed(after, event, STAKE)]
        assert taken == ([(event["initiator"], 1.0, -1)] if told else [])
        bad += event["accepted"] and event["v"] < 0
    assert bad > 10


def test_some_of_what_is_discovered_is_disputed_by_chance() -> None:
    each = scenario(MIX, governance={"staking": {"amount": 2.0, "dispute": 0.5}}, simulation=ALONE, adaptation="frozen")
    events = play([each] * 10, range(10))
    deals = [event for r in range(10) for event in events.events("interaction", replicate=r)]
    found = sum(deal["accepted"] and deal["v"] < 0 and deal["discovered"] for deal in deals)
    slashed = sum(len(events.events("slashed", replicate=r)) for r in range(10))
    assert found > 100
    assert abs(slashed / found - 0.5) < 4.0 * (0.25 / found) ** 0.5


def test_a_fine_draws_first_on_the_balance_then_on_the_stake_and_never_on_more() -> None:
    governance = {"staking": {"amount": 2.0, "slash": 0.0}, "random_audit": {"probability": 0.5, "penalty": 5.0}}
    each = scenario(
        MIX, governance=governance, environment={"initial_budget": 4.0}, simulation=ALONE, adaptation="frozen"
    )
    drawn = Counter[str]()
    for event, books, after in followed(each):
        if event["kind"] != "audited" or not event["found"]:
            continue
        agent = event["agent"]
        cash = min(micro(5.0), books.balance[agent])
        rest = min(micro(5.0) - cash, books.deposit[agent, STAKE])
        taken = [it for it in after if it["kind"] == "slashed" and it["causes"] == event["causes"]]
        assert micro(event["fine"]) == cash
        assert [(it["agent"], micro(it["amount"])) for it in taken] == ([(agent, rest)] if rest else [])
        drawn["cash only" if not rest else "stake too" if cash + rest == micro(5.0) else "all there is"] += 1
    assert set(drawn) == {"cash only", "stake too", "all there is"}


def test_learners_who_have_a_stake_expect_the_whole_fine_and_not_what_is_left_on_the_balance() -> None:
    """With all its credits on deposit a balance alone would deter nobody."""
    audit = {"probability": 0.9, "penalty": 2.0}
    crowd: dict[str, Any] = {"environment": {"initial_budget": 2.0}, "adaptive": {"belief": "public"}}

    def careless(**governance: Any) -> float:
        each = scenario({"opportunistic": 12}, governance=governance, **crowd)
        first = [deal for deal in play([each] * 8, range(8)).events("interaction") if deal["step"] == 0]
        return float(np.mean([deal["effort"] == 0.0 for deal in first]))

    deposited = {"amount": 2.0, "slash": 0.0}
    assert careless(random_audit=audit, staking=deposited) == careless(random_audit=audit)
    assert careless(random_audit=audit, staking=deposited) < careless(staking=deposited)


def test_stakes_are_released_at_the_end_of_the_epoch_in_which_the_amount_is_lowered() -> None:
    def lower(tick: Tick) -> list[Enact] | None:
        return [Enact("staking", "amount", 0.5)] if (tick.step, tick.turn) == (12, 0) else None

    each = scenario(
        MIX, governance={"staking": {"amount": 2.0, "dispute": 0.0}}, simulation={**ALONE, "turns": "simultaneous"}
    )
    played = play([each], orders=lower)
    told = played.events("returned")
    assert {event["epoch"] for event in told} == {1}
    assert {event["amount"] for event in told} == {1.5}
    assert len(told) == sum(MIX.values())
    check_books(played.events(), each)


def test_a_stake_that_is_raised_is_topped_up_before_the_next_deal() -> None:
    def higher(tick: Tick) -> list[Enact] | None:
        return [Enact("staking", "amount", 3.0)] if (tick.step, tick.turn) == (7, 1) else None

    each = scenario(MIX, governance={"staking": {"amount": 1.0, "dispute": 0.0}}, simulation={"steps_per_epoch": 10})
    deposits = play([each], orders=higher).events("deposited")
    assert {event["amount"] for event in deposits if event["step"] < 8} == {1.0}
    assert {event["amount"] for event in deposits if event["step"] >= 8} == {2.0}
    assert len({event["agent"] for event in deposits if event["step"] >= 8}) == sum(MIX.values())


def test_leavers_get_their_stake_back_before_their_account_is_closed() -> None:
    population = {"departures": [{"type": "honest", "count": 2, "epoch": 1}], "turnover": 0.2}
    each = scenario(MIX, governance={"staking": {"amount": 2.0}}, population=population, simulation=ALONE)
    gone = 0
    for event, books, _ in followed(each):
        if event["kind"] == "departed":
            assert books.deposit[event["agent"], STAKE] == 0
            assert micro(event["balance"]) == books.balance[event["agent"]]
            gone += 1
    returned = play([each]).events("returned")
    assert gone >= 2
    assert 0 < len(returned) <= gone
    assert {event["step"] % 10 for event in returned} == {0}


# --- bonds


def test_the_bond_of_a_bad_deal_goes_to_the_counterparty_and_all_others_come_back() -> None:
    each = scenario(MIX, governance={"bonds": {"amount": 1.5}}, simulation=ALONE, adaptation="frozen")
    found: Counter[str] = Counter()
    for event, books, after in followed(each):
        if event["kind"] == "interaction" and event["accepted"]:
            told_bad = event["v"] < 0 and event["discovered"]
            taken = [(it["agent"], it["payee"], it["amount"]) for it in is_slashed(after, event, BOND)]
            assert taken == ([(event["initiator"], event["counterparty"], 1.5)] if told_bad else [])
            found["bad" if told_bad else "other"] += 1
        elif event["kind"] == "returned":
            assert micro(event["amount"]) == books.deposit[event["agent"], BOND]
            found["returned"] += 1
        elif event["kind"] == "epoch_completed":
            assert not any(books.deposit.values())
    assert min(found.values()) > 10


def test_an_audit_pays_the_bond_out_too_and_an_erring_one_wrongly() -> None:
    audit = {"probability": 1.0, "penalty": 0.0, "accuracy": 0.5}
    each = scenario(
        MIX, governance={"bonds": {"amount": 1.0}, "random_audit": audit}, trust={"discovery": 0.0}, simulation=ALONE
    )
    played = play([each])
    told_bad = [(event["agent"], event["causes"]) for event in played.events("audited") if event["found"]]
    assert [(event["agent"], event["causes"]) for event in played.events("slashed")] == told_bad
    assert {event["v"] for event in played.events("audited") if event["found"]} == {-1, 1}


@pytest.mark.parametrize(("capital", "deals"), [(2.5, 2), (0.9, 0), (4.0, 4)])
def test_capital_limits_how_many_deals_an_agent_has_open(capital: float, deals: int) -> None:
    """Deals that bring nothing and risk nothing: only bonds limit them, and each epoch anew."""
    worthless = {"s_plus": 0.0, "s_minus": 0.0, "h": 0.0}
    each = scenario(
        {"honest": 6}, governance={"bonds": {"amount": 1.0}}, environment={"initial_budget": capital},
        payoff=worthless, conduct={"effort_cost": 0.0}, trust={"minimum": 0.0, "discovery": 0.0},
        acceptance="all", simulation={"epochs": 2, "steps_per_epoch": 10, "phases": {"tasks": False}},
    )  # fmt: skip
    states = play([each]).events("agent_state")
    assert [state["proposed"] for state in states] == [deals] * 12
    assert {state["balance"] for state in states} == {capital}


def test_whose_balance_falls_short_when_the_deal_is_settled_sets_aside_what_it_has() -> None:
    each = scenario(
        MIX, governance={"bonds": {"amount": 1.0}}, environment={"initial_budget": 1.5}, simulation=ALONE,
        payoff={"settle_on": "outcome"}, adaptation="frozen",
    )  # fmt: skip
    short = 0
    for event, books, _ in followed(each):
        if event["kind"] == "deposited":
            assert micro(event["amount"]) == min(micro(1.0), books.balance[event["agent"]])
            short += event["amount"] < 1.0
    assert short > 0


def test_a_counterparty_of_several_bad_deals_in_one_turn_gets_every_bond() -> None:
    each = scenario(
        {"adversarial": 12, "honest": 2}, governance={"bonds": {"amount": 2.0}}, acceptance="all",
        trust={"discovery": 1.0}, simulation={"epochs": 1, "phases": {"tasks": False}},
    )  # fmt: skip
    played = play([each])
    slashed = played.events("slashed")
    together = Counter((event["step"], event["turn"], event["payee"]) for event in slashed)
    assert max(together.values()) > 1
    bad = [deal for deal in played.events("interaction") if deal["accepted"] and deal["v"] < 0]
    assert [(e["agent"], e["payee"]) for e in slashed] == [(d["initiator"], d["counterparty"]) for d in bad]
    check_books(played.events(), each)


# --- both


@pytest.mark.parametrize("kind", ["staking", "bonds"])
def test_learners_work_harder_when_bad_deals_cost_a_deposit_and_frozen_ones_do_not(kind: str) -> None:
    def effort(adaptation: str, governance: dict[str, Any]) -> float:
        each = scenario({"opportunistic": 12}, adaptation=adaptation, governance=governance)
        played = play([each] * 5, range(5))
        first = [deal for r in range(5) for deal in played.events("interaction", replicate=r) if deal["turn"] == 0]
        return float(np.mean([deal["effort"] for deal in first if deal["step"] == 0]))

    pledge = {kind: {"amount": 2.0}}
    assert effort("learning", pledge) > effort("learning", {}) + 0.2
    assert effort("frozen", pledge) == effort("frozen", {})


def test_a_deposit_that_an_erring_audit_takes_of_good_deals_too_is_expected_so_whatever_partners_know() -> None:
    """Half of all good deals lose the deposit although every partner knows better: nothing is worth proposing."""

    def proposals(accuracy: float) -> int:
        governance = {
            "staking": {"amount": 20.0},
            "random_audit": {"probability": 1.0, "penalty": 0.0, "accuracy": accuracy},
        }
        public = {"belief": "public"}
        each = scenario({"opportunistic": 6}, governance=governance, trust={"discovery": 1.0}, adaptive=public)
        return len(play([each]).events("interaction"))

    assert proposals(1.0) > 20
    assert proposals(0.5) == 0


EVERYTHING: dict[str, Any] = {
    "staking": {"amount": 1.5, "slash": 0.7, "dispute": 0.6}, "bonds": {"amount": 0.7},
    "random_audit": {"probability": 0.4, "accuracy": 0.8}, "message_tax": {"price": 0.1},
    "vote_normalisation": {"max_weight": 2.0, "share": 0.5}, "bandwidth_cap": {"max_actions": 6},
    "reputation_decay": {"decay": 0.5}, "circuit_breaker": {"threshold": 0.4},
}  # fmt: skip


def family() -> list[Scenario]:
    """Replicates that agree on little: parameters, money, who is there and who leaves."""
    half = {
        name: {key: 0.5 * value + 0.3 * (key == "accuracy") for key, value in block.items()}
        for name, block in EVERYTHING.items()
    }
    half["bandwidth_cap"] = {"max_actions": 3}
    simulation = {"epochs": 3, "steps_per_epoch": 6}
    leaving = {"turnover": 0.3}
    debt = {"initial_budget": 0.5, "credit_limit": 3.0}
    return [
        scenario(MIX, governance=EVERYTHING, environment={"initial_budget": 4.0}, simulation=simulation),
        scenario(MIX, governance=half, population=leaving, simulation=simulation, adaptation="frozen"),
        scenario(MIX, environment=debt, feed={"message_worth": 0.0}, simulation=simulation),
        scenario({"honest": 9}, governance={"staking": {"amount": 0.0}}, environment=debt, simulation=simulation),
        scenario(MIX, governance={"bonds": {"amount": 3.0}}, environment=debt, simulation=simulation),
    ]


def test_replicates_with_different_parameters_play_in_a_batch_as_they_do_alone_and_keep_their_books() -> None:
    cast = family()
    together = play(cast, range(len(cast)))
    for replicate, each in enumerate(cast):
        alone = play([each], [replicate])
        assert together.hash(replicate) == alone.hash(), replicate
        assert together.notes("fired", replicate=replicate) == alone.notes("fired"), replicate
        check_books(alone.events(), each)


@pytest.mark.parametrize("name", NEWCOMERS)
@pytest.mark.parametrize("adaptation", ["learning", "frozen"])
def test_a_lever_at_its_neutral_setting_leaves_every_bit_as_it_is_and_fires_never(name: str, adaptation: str) -> None:
    target: Any = registry.find("lever", name).target
    own: dict[str, Any] = {
        "feed": {"message_worth": 0.0}, "environment": {"initial_budget": 0.5, "credit_limit": 3.0},
        "population": {"turnover": 0.2}, "simulation": {"epochs": 3, "steps_per_epoch": 6}, "adaptation": adaptation,
    }  # fmt: skip
    neutral = play([scenario(MIX, governance={name: dict(target.neutral)}, **own)])
    assert neutral.hash() == play([scenario(MIX, **own)]).hash()
    assert {note["count"] for note in neutral.notes("fired")} == {0}


def test_a_deposit_lever_fires_as_often_as_it_moves_a_deposit_or_turns_somebody_away() -> None:
    def fired(played: Played) -> int:
        return sum(note["count"] for note in played.notes("fired"))

    moved = ("deposited", "returned", "slashed")
    rich = play([scenario(MIX, governance={"bonds": {"amount": 1.0}}, simulation=ALONE)])
    assert fired(rich) == len(rich.events(*moved)) > 100
    poor = scenario(
        MIX, governance={"staking": {"amount": 2.0}}, environment={"initial_budget": 3.0}, simulation=ALONE,
        acceptance="all",
    )  # fmt: skip
    played = play([poor])
    turned_away = reasons(played.events())["refused_by_lever"]
    assert fired(played) > len(played.events(*moved)) + turned_away > 0, "and those who could not propose"
