"""How the engine plays: turns and order, phases, orders from outside, coming and going, deals, tasks, feed, ballots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from event_checks import check_books
from mesocosm.api import Control, Enact, Kill, Lever
from mesocosm.engine.batch import in_order, open_batch
from mesocosm.env.events import Tick
from mesocosm.errors import UsageError
from mesocosm.governance.circuit_breaker import CircuitBreaker
from trajectory import Event, play, scenario

OFF = {"feed": False, "tasks": False, "proposals": False}
CREW = [
    {"type": "honest", "count": 1, "role": "planner"},
    {"type": "honest", "count": 5, "role": "worker"},
    {"type": "honest", "count": 1, "role": "verifier"},
]


def at_tick(number: int, *orders: Control) -> Any:
    """Send orders at one tick of the run, counted from 0."""
    seen = iter(range(10**9))
    return lambda tick: list(orders) if next(seen) == number else None


def crew(order: str, turns: str = "simultaneous", proposals: bool = False) -> list[Event]:
    phases = {"feed": False, "proposals": proposals}
    simulation = {"epochs": 3, "steps_per_epoch": 8, "order": order, "turns": turns, "phases": phases}
    return play([scenario(CREW, simulation=simulation, tasks={"per_epoch": 3})]).events()


def of_kind(events: list[Event], *kinds: str) -> list[Event]:
    return [event for event in events if event["kind"] in kinds]


def test_round_robin_gives_a_contested_task_to_the_first_worker_after_the_rotating_start() -> None:
    busy: set[int] = set()
    contested = 0
    for event in of_kind(crew("round_robin"), "task_claimed", "task_submitted", "task_failed"):
        if event["kind"] == "task_claimed":
            free = [slot for slot in range(1, 6) if slot not in busy]
            first = min(free, key=lambda slot: (slot - event["step"]) % 7)
            contested += event["agent"] == first
            busy.add(event["agent"])
        elif event["kind"] == "task_submitted":
            busy.discard(event["agent"])
    assert contested >= 3


def test_the_three_orders_settle_who_claims_a_task_differently() -> None:
    claims = {order: [e["agent"] for e in of_kind(crew(order), "task_claimed")] for order in
              ("round_robin", "random", "priority")}  # fmt: skip
    assert all(len(claim) >= 3 for claim in claims.values())
    assert len({tuple(claim) for claim in claims.values()}) == 3
    assert claims["priority"][0] == 1, "equal reputations: the lowest slot comes first"


def test_priority_puts_the_highest_reputation_first_and_ties_by_slot() -> None:
    batch = open_batch([scenario({"honest": 4}, simulation={"order": "priority"})], [1])
    batch.world.reputation[:] = [0.1, 0.5, -0.2, 0.5]
    assert in_order(batch, np.arange(4)).tolist() == [1, 3, 0, 2]


def test_random_order_is_drawn_anew_every_step() -> None:
    batch = open_batch([scenario({"honest": 6}, simulation={"order": "random"})], [1])
    drawn = []
    for batch.step in range(4):
        drawn.append(tuple(in_order(batch, np.arange(6)).tolist()))
    assert len(set(drawn)) == 4


def test_with_simultaneous_turns_nobody_acts_on_what_happened_in_the_same_turn() -> None:
    step = {(e["kind"], e["task"]): e["step"] for e in of_kind(crew("round_robin"), "task_planned", "task_claimed")}
    claimed = [key for key in step if key[0] == "task_claimed"]
    assert claimed
    assert all(step["task_planned", task] < step["task_claimed", task] for _, task in claimed)


def test_with_sequential_turns_later_agents_see_what_earlier_ones_did_in_the_same_step() -> None:
    events = crew("round_robin", "sequential")
    step = {(e["kind"], e["task"]): e["step"] for e in of_kind(events, "task_planned", "task_claimed")}
    assert any(step["task_planned", task] == when for (kind, task), when in step.items() if kind == "task_claimed")


def test_sequential_turns_let_one_agent_of_every_replicate_act_at_a_time() -> None:
    played = play([scenario({"honest": 3}, simulation={"turns": "sequential"})])
    first_pass = [event for event in played.events("interaction") if event["turn"] < 3]
    by_turn = Counter((event["step"], event["turn"]) for event in first_pass)
    assert set(by_turn.values()) == {1}
    assert {turn for _, turn in by_turn} == {0, 1, 2}


@pytest.mark.parametrize("turns", ["simultaneous", "sequential"])
def test_a_turn_has_the_same_number_alone_and_beside_a_larger_replicate(turns: str) -> None:
    small, large = (scenario({"adversarial": n}, simulation={"turns": turns}) for n in (2, 5))
    assert play([small]).body[0] == play([small, large]).body[0]


def test_a_phase_that_is_off_leaves_no_trace() -> None:
    traces = {
        "feed": {"posted", "replied", "voted", "flagged"},
        "tasks": {"task_opened", "task_planned", "task_claimed", "task_submitted"},
        "proposals": {"interaction"},
    }
    kinds = {event["kind"] for event in play([scenario(CREW)]).events()}
    for phase, expected in traces.items():
        assert expected & kinds, phase
        without = {event["kind"] for event in play([scenario(CREW, simulation={"phases": {phase: False}})]).events()}
        assert not expected & without
    idle = play([scenario(simulation={"phases": OFF})])
    assert {e["kind"] for e in idle.events()} == {
        "simulation_started", "epoch_started", "agent_state", "epoch_completed", "simulation_ended",
    }  # fmt: skip


def test_an_enacted_change_is_logged_and_binds_from_the_next_turn_on() -> None:
    each = scenario(governance={"transaction_tax": {"rate": 0.0}})
    played = play([each], orders=at_tick(5, Enact("transaction_tax", "rate", 0.5)))
    [enacted] = played.events("enacted")
    assert (enacted["lever"], enacted["parameter"], enacted["value"]) == ("transaction_tax", "rate", "0.5")
    [noted] = played.notes("input")
    assert noted["question"] == "enact"
    for deal in played.events("interaction"):
        assert deal["c_a"] == (0.5 * abs(deal["tau"]) if deal["seq"] > enacted["seq"] else 0.0)
    untouched = play([each]).body[0]
    assert played.body[0][: enacted["seq"]] == untouched[: enacted["seq"]]


def test_the_hash_of_a_state_holds_the_rules_that_were_enacted_and_nothing_of_other_replicates() -> None:
    each = scenario(governance={"circuit_breaker": {"threshold": 0.9}})
    last = 2 * each.simulation.steps_per_epoch - 1  # tick of the last turn of the first epoch
    first, same, other = (
        play([each], orders=at_tick(last, Enact("circuit_breaker", "threshold", value))).state[0][0]
        for value in (0.9, 0.9, 0.2)
    )
    assert first == same == play([each]).state[0][0], "what the scenario says already"
    assert other != first
    company = [scenario(), each, scenario(governance={"circuit_breaker": {"threshold": 0.4}, "random_audit": {}})]
    order = Enact("circuit_breaker", "threshold", 0.2, replicate=1)
    together = play(company, [7, 7, 7], orders=at_tick(last, order)).state
    assert together[1][0] == other
    assert together[0] == play([company[0]], [7]).state[0]
    assert together[2] == play([company[2]], [7]).state[0]


@pytest.mark.parametrize("threshold", [0.99, 1.0])
def test_the_hash_of_a_state_holds_what_levers_in_force_have_counted(
    threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = scenario(adaptation="frozen", governance={"circuit_breaker": {"threshold": threshold}})
    before = play([each])
    columns = CircuitBreaker.columns

    def with_a_past(lever: CircuitBreaker, n_rows: int, n_replicates: int) -> dict[str, Any]:
        made = columns(lever, n_rows, n_replicates)
        made["risky"][0] = 1
        return made

    monkeypatch.setattr(CircuitBreaker, "columns", with_a_past)
    after = play([each])
    assert after.body == before.body
    assert (after.state == before.state) == (threshold == 1.0), "at its neutral setting it is as if it were not there"


def test_a_lever_whose_columns_belong_to_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CircuitBreaker, "columns", lambda *_: {"ring": np.zeros((7, 10)), "risky": {}, "place": 0})
    for hook in ("on_settle", "may_propose"):
        monkeypatch.setattr(CircuitBreaker, hook, getattr(Lever, hook))
    with pytest.raises(UsageError, match=r"circuit_breaker: the column 'place' must be .* by row or by replicate"):
        play([scenario(adaptation="frozen", governance={"circuit_breaker": {}})])


def test_a_lever_that_no_scenario_names_can_be_enacted_in_one_replicate_alone() -> None:
    each = scenario()
    order = Enact("transaction_tax", "rate", 1.0, replicate=1)
    played = play([each, each], [1, 2], orders=at_tick(2, order), extra_levers=["transaction_tax"])
    assert played.hash(0) == play([each], [1]).hash()
    assert len(played.events("enacted", replicate=1)) == 1
    assert any(deal["c_b"] > 0 for deal in played.events("interaction", replicate=1))


@pytest.mark.parametrize(
    "order", [Enact("no_such_lever", "rate", 1.0), Enact("transaction_tax", "rat", 1.0)], ids=["lever", "parameter"]
)
def test_an_order_for_something_that_is_not_there_is_refused_by_name(order: Enact) -> None:
    with pytest.raises(UsageError, match="enact"):
        play([scenario(governance={"transaction_tax": {}})], orders=at_tick(0, order))


@pytest.mark.parametrize("value", [-0.5, 1.5, float("nan")])
def test_an_order_outside_the_bounds_of_a_parameter_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="rate"):
        play([scenario(governance={"transaction_tax": {}})], orders=at_tick(0, Enact("transaction_tax", "rate", value)))


@pytest.mark.parametrize("turns", ["simultaneous", "sequential"])
def test_a_kill_ends_the_run_within_the_turn_and_says_why(turns: str) -> None:
    each = scenario(simulation={"turns": turns})
    whole, killed = play([each]), play([each], orders=at_tick(6, Kill("pulled the plug")))
    assert killed.reason == "pulled the plug"
    assert len(killed.ticks) == 7
    assert killed.body[0][:-2] == whole.body[0][: len(killed.body[0]) - 2]
    last_two = killed.events()[-2:]
    assert [(event["kind"], event["reason"]) for event in last_two] == [
        ("killed", "pulled the plug"), ("simulation_ended", "pulled the plug"),
    ]  # fmt: skip
    assert [event["seq"] for event in killed.events()] == list(range(len(killed.body[0])))
    assert whole.reason == "completed"


def test_a_run_whose_kill_switch_is_disabled_cannot_be_killed() -> None:
    with pytest.raises(UsageError, match="kill_switch_enabled"):
        play([scenario(safety={"kill_switch_enabled": False})], orders=at_tick(0, Kill("no")))


def test_a_tick_ends_every_turn() -> None:
    ticks = play([scenario({"honest": 3}, simulation={"epochs": 1, "steps_per_epoch": 2, "turns": "sequential"})]).ticks
    assert [(tick.step, tick.turn) for tick in ticks] == sorted((tick.step, tick.turn) for tick in ticks)
    assert isinstance(ticks[0], Tick)
    assert {tick.turn for tick in ticks} >= {0, 1, 2}


def test_agents_arrive_and_depart_at_the_start_of_the_epochs_they_are_planned_for() -> None:
    population = {
        "capacity": 9,
        "arrivals": [{"type": "adversarial", "count": 2, "epoch": 1}, {"type": "honest", "count": 1, "epoch": 2}],
        "departures": [{"type": "honest", "count": 2, "epoch": 2}],
    }
    played = play([scenario({"honest": 5}, population=population, simulation={"epochs": 4})])
    arrived = [(event["epoch"], event["agent"], event["endowment"]) for event in played.events("arrived")]
    assert arrived == [(1, 5, 100.0), (1, 6, 100.0), (2, 7, 100.0)]
    departed = played.events("departed")
    assert [event["epoch"] for event in departed] == [2, 2]
    assert {event["agent"] for event in departed} <= set(range(5))
    assert [event["active"] for event in played.events("epoch_started")] == [5, 7, 6, 6]
    gone = {event["agent"] for event in departed}
    later = [event for event in played.events("interaction") if event["epoch"] >= 2]
    assert later
    assert not gone & {event[side] for event in later for side in ("initiator", "counterparty")}
    assert played.events("epoch_completed")[-1]["commons"] >= sum(event["balance"] for event in departed)


def test_what_a_leaver_owes_falls_on_the_commons() -> None:
    broke = {"initial_budget": 0.0, "credit_limit": 5.0}
    each = scenario({"adversarial": 8}, environment=broke, population={"turnover": 0.4}, tasks={"per_epoch": 0})
    played = play([each.model_copy(update={"acceptance": "all"})])
    left = [event["balance"] for event in played.events("departed")]
    assert min(left) < 0.0
    assert played.events("epoch_completed")[-1]["commons"] == pytest.approx(sum(left), abs=1e-9)
    check_books(played.events(), each)


def test_turnover_of_one_empties_the_world_and_the_run_goes_on_to_its_end() -> None:
    played = play([scenario(population={"turnover": 1.0}, simulation={"epochs": 3})])
    assert [event["active"] for event in played.events("epoch_completed")] == [10, 0, 0]
    assert played.reason == "completed"


def test_spare_capacity_changes_nothing_but_who_could_still_come() -> None:
    deals = [
        play([scenario({"honest": 4}, population={"capacity": capacity})]).events("interaction") for capacity in (4, 9)
    ]
    assert deals[0] == deals[1]


def test_an_agent_alone_has_nobody_to_deal_with() -> None:
    assert play([scenario({"adversarial": 1})]).events("interaction") == []


def test_frozen_agents_neither_propose_nor_accept_until_the_freeze_is_over() -> None:
    breaker = {"circuit_breaker": {"threshold": 0.2, "cool_down": 4}}
    played = play([scenario(governance=breaker, simulation={"epochs": 3, "steps_per_epoch": 12})])
    deals, freezes = played.events("interaction"), played.events("frozen")
    assert freezes
    for freeze in freezes:
        during = [deal for deal in deals if freeze["seq"] < deal["seq"] and deal["step"] < freeze["until_step"]]
        assert not [deal for deal in during if deal["initiator"] == freeze["agent"] and deal["step"] > freeze["step"]]
        asked = [deal for deal in during if deal["counterparty"] == freeze["agent"] and deal["step"] > freeze["step"]]
        assert all(deal["reason"] == "counterparty_frozen" for deal in asked)
    last = freezes[0]
    assert last["until_step"] == last["step"] + 5
    assert [deal for deal in deals if deal["initiator"] == last["agent"] and deal["step"] == last["until_step"]]


def test_a_deal_that_a_side_cannot_cover_is_refused_and_every_balance_stays_at_or_above_zero() -> None:
    played = play([scenario(environment={"initial_budget": 0.6}, simulation={"epochs": 3})])
    reasons = Counter(deal["reason"] for deal in played.events("interaction"))
    assert reasons["uncovered"] > 5
    assert reasons["accepted"] > 0
    assert min(event["balance"] for event in played.events("agent_state")) >= 0


def test_credit_lets_balances_fall_below_zero_but_not_below_the_limit() -> None:
    money = {"initial_budget": 0.0, "credit_limit": 1.5}
    played = play([scenario(environment=money, simulation={"epochs": 4}, payoff={"settle_on": "outcome"})])
    lowest = min(event["balance"] for event in played.events("agent_state"))
    assert -1.5 <= lowest < 0


def test_second_proposals_are_decided_on_the_state_that_the_first_ones_left() -> None:
    played = play([scenario({"adversarial": 3}, simulation={"epochs": 2})])
    deals = played.events("interaction")
    first = {(e["step"], e["initiator"], e["counterparty"]): e for e in deals if e["turn"] == 0 and e["accepted"]}
    again = [
        (first[key], deal)
        for deal in deals
        if deal["turn"] > 0 and (key := (deal["step"], deal["initiator"], deal["counterparty"])) in first
    ]
    assert again
    for before, after in again:
        assert after["causes"] == [before["seq"]]
        assert after["trust"] != before["trust"]
    assert {deal["step"] for deal in deals if deal["turn"] > 0} == set(range(10))


def test_honest_agents_never_propose_twice_in_a_step_and_adversaries_always_do() -> None:
    roomy = {"max_interactions_per_step": 100}
    deals = play([scenario({"honest": 4, "adversarial": 4}, safety=roomy)]).events("interaction")
    per_step = Counter((deal["step"], deal["initiator"]) for deal in deals)
    assert {per_step[step, slot] for step in range(10) for slot in range(4, 8)} == {2}
    assert max(per_step[step, slot] for step in range(10) for slot in range(4)) == 1


def test_every_agent_of_every_type_does_something_and_honest_agents_turn_some_proposals_down() -> None:
    played = play([scenario(simulation={"epochs": 3, "steps_per_epoch": 10})])
    total: Counter[int] = Counter()
    for event in played.events("agent_state"):
        total[event["agent"]] += event["proposed"]
    assert min(total[slot] for slot in range(10)) > 0
    answers = [deal["reason"] for deal in played.events("interaction") if deal["counterparty"] < 4]
    assert answers.count("declined") > 5
    assert answers.count("accepted") > 5


def test_a_task_goes_from_planner_to_worker_to_verifier_and_pays_all_three_from_its_budget() -> None:
    events = play([scenario(CREW, simulation={"phases": {"proposals": False}})]).events()
    done = of_kind(events, "task_completed")
    assert done
    chain = ["task_opened", "task_planned", "task_claimed", "task_submitted"]
    for event in done:
        story = [e for e in of_kind(events, *chain, "task_rejected") if e.get("task") == event["task"]]
        assert [e["kind"] for e in story][:4] == chain
        for before, after in zip(story, [*story[1:], event], strict=True):
            assert after["causes"] == [before["seq"]]
        assert event["paid"] == 4.0
    balance = {e["agent"]: e["balance"] for e in of_kind(events, "agent_state")[-7:]}
    assert balance[0] == balance[6] == 100.0 + len(done) * 1.0


def test_a_task_that_is_not_finished_by_its_deadline_fails_and_its_budget_goes_to_the_commons() -> None:
    each = scenario({"honest": 2}, tasks={"per_epoch": 2, "duration_epochs": 1}, simulation={"epochs": 2})
    played = play([each])
    assert [event["status"] for event in played.events("task_failed")] == ["pending"] * 4
    assert [event["commons"] for event in played.events("epoch_completed")] == [8.0, 16.0]


def test_a_full_task_board_takes_no_more_tasks() -> None:
    tasks = {"per_epoch": 3, "capacity": 4, "duration_epochs": 3}
    played = play([scenario({"honest": 2}, tasks=tasks, simulation={"epochs": 3})])
    assert Counter(event["epoch"] for event in played.events("task_opened")) == {0: 3, 1: 1}


def test_a_worker_that_departs_leaves_its_task_to_another() -> None:
    departures = {"departures": [{"epoch": 1, "type": "deceptive", "count": 1}]}
    group = [CREW[0], {"type": "deceptive", "count": 1}, {"type": "honest", "count": 1, "role": "verifier"}]
    arrivals = [{"type": "honest", "count": 1, "epoch": 1}]
    simulation = {"epochs": 2, "steps_per_epoch": 2, "phases": {"proposals": False}}
    events = play([scenario(group, population=departures | {"arrivals": arrivals}, simulation=simulation)]).events()
    assert [event["agent"] for event in of_kind(events, "task_claimed")] == [1, 3]


def test_orders_of_all_kinds_may_come_as_a_list_or_as_nothing() -> None:
    sent: list[Sequence[Control] | None] = [None, [], [Enact("sham", "rate", 0.5)]]
    answers = iter(sent)
    played = play([scenario(governance={"sham": {}})], orders=lambda tick: next(answers, None))
    assert played.reason == "completed"
    assert len(played.events("enacted")) == 1


@pytest.mark.parametrize("reads", ["outcome", "proxy"])
def test_an_agent_counts_every_audit_of_its_deals_whatever_the_audit_reads(reads: str) -> None:
    audit = {"random_audit": {"probability": 0.5, "reads": reads}}
    played = play([scenario(governance=audit, simulation={"epochs": 2, "steps_per_epoch": 10})])
    met = Counter(event["agent"] for event in played.events("audited"))
    assert len(met) > 5
    last = {event["agent"]: event for event in played.events("agent_state")}
    assert {agent: state["audits"] for agent, state in last.items() if state["audits"]} == dict(met)
    assert all(state["audits"] <= state["deals"] for state in last.values())


def test_agents_do_not_forget_a_certain_audit_of_looks_while_they_are_audited() -> None:
    certain = {"random_audit": {"probability": 1.0, "reads": "proxy", "penalty": 3.0}}
    believed = []
    for belief in ("experience", "public"):
        adaptive = {"belief": belief, "belief_weight": 0.01}
        each = scenario(governance=certain, adaptive=adaptive, simulation={"epochs": 2, "steps_per_epoch": 8})
        believed.append(play([each]).events())
    assert believed[0] == believed[1], "experience of a certain audit confirms what is announced"


def test_where_quality_follows_cost_it_does_so_for_task_work_as_for_deals() -> None:
    crowd = [CREW[0], {"type": "honest", "count": 12}, CREW[2]]
    conduct = {"q_low": 0.0, "q_high": 1.0}
    simulation = {"epochs": 12, "steps_per_epoch": 8, "phases": {"proposals": False}}
    tasks = {"per_epoch": 12, "duration_epochs": 3}
    outcome: dict[float, list[int]] = {}
    for follows in (0.0, 1.0):
        each = scenario(crowd, conduct=conduct | {"quality_follows_cost": follows}, simulation=simulation, tasks=tasks)
        outcome[follows] = [event["v"] for event in play([each]).events("task_completed")]
    assert len(outcome[0.0]) > 50
    assert set(outcome[0.0]) == {1}
    assert set(outcome[1.0]) == {1, -1}, "full effort on a cheap task makes a bad product"


def test_opportunists_do_not_work_where_their_skill_makes_it_a_loss() -> None:
    def worked(skill: float) -> float:
        roles = ("planner", "worker", "worker", "verifier")
        agents = [{"type": "opportunistic", "count": 1, "role": role, "skill": skill} for role in roles]
        phases = {"feed": False, "proposals": False}
        each = scenario(agents, simulation={"epochs": 12, "phases": phases}, tasks={"per_epoch": 3})
        efforts = [event["effort"] for event in play([each]).events("task_submitted")]
        assert len(efforts) > 15
        return float(np.mean(efforts))

    # full effort costs x ~ U(0, 1), raises the chance of a good outcome by .85 skill, and is paid half the budget of 4
    assert worked(1.0) == 1.0
    assert 0.0 < worked(0.25) < 0.9
    assert worked(0.02) < 0.2
