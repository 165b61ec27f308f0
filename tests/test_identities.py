"""Agents who split into several identities: when it pays, what it does, and what levers do about it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mesocosm as mc
from event_checks import check_books, check_order, check_presence
from mesocosm.cli.main import main
from mesocosm.config.load import load_scenario, scenario_from_dict
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import Batch, open_batch
from mesocosm.engine.govern import open_stack
from mesocosm.engine.identities import open_further, standings, who_acts
from mesocosm.engine.loop import play_batch
from mesocosm.env.events import Checkpoint
from mesocosm.env.population import NEVER, slots_of
from mesocosm.errors import MesocosmError
from mesocosm.metrics.evaluate import needs_of
from mesocosm.runner.drive import Plan, drive
from trajectory import Event, Played, play, scenario

MIX = {"honest": 10, "opportunistic": 5, "deceptive": 3, "adversarial": 2}
CAP = {"bandwidth_cap": {"max_actions": 5}}
SIMULATION = {"epochs": 6, "steps_per_epoch": 10}


def society(identities: int = 4, agents: dict[str, int] | None = None, **sections: Any) -> Scenario:
    """A mixed society in which everybody may have so many identities."""
    groups = [{"type": name, "count": n, "identities": identities} for name, n in (agents or MIX).items()]
    return scenario(groups, simulation=SIMULATION | sections.pop("simulation", {}), **sections)


def stake(**overrides: Any) -> Played:
    """The closed form's society, where an identity gains 10 whoever has how many, played once."""
    return play([load_scenario("sybil_stake", {key.replace("__", "."): value for key, value in overrides.items()})])


def opened(played: Played, replicate: int = 0) -> list[Event]:
    return played.events("identity_opened", replicate=replicate)


def types_that_split(played: Played, each: Scenario) -> Counter[str]:
    return Counter(slots_of(each)[event["agent"]][0] for event in opened(played))


def openings(each: Scenario, seeds: range = range(3)) -> Counter[str]:
    """Identities opened by type, over some seeds."""
    played = play([each] * len(seeds), list(seeds))
    found: Counter[str] = Counter()
    for replicate in range(len(seeds)):
        found.update(slots_of(each)[event["agent"]][0] for event in opened(played, replicate))
    return found


# --- nothing changes where nobody splits


def test_one_identity_each_is_as_if_there_were_no_such_thing() -> None:
    plain = scenario(MIX, simulation=SIMULATION)
    assert play([society(1)]).hash() == play([plain]).hash()
    settings = {"identity_horizon": 9, "identity_endowment": 50.0, "identities_at_once": 7}
    assert play([society(1, adaptive=settings)]).hash() == play([plain]).hash()


def test_slots_kept_for_those_who_never_split_leave_every_event_as_it_was() -> None:
    agents = {"honest": 6}
    with_slots, without = play([society(4, agents)]), play([society(1, agents)])
    assert with_slots.body == without.body
    assert with_slots.state != without.state  # who may open an identity is part of what is true


def test_whether_an_identity_was_given_up_is_part_of_the_state() -> None:
    batch = _midway(society(governance=CAP))
    before = batch.world.state_hashes()
    batch.world.identities.is_dormant[0] ^= True
    assert batch.world.state_hashes() != before


def test_company_that_splits_changes_nothing_for_others_in_the_batch() -> None:
    plain, splitting = scenario(MIX, simulation=SIMULATION), society(governance=CAP)
    assert play([splitting, plain]).hash(1) == play([plain]).hash()
    bigger = society(3, {"honest": 4, "opportunistic": 9})
    assert play([bigger, splitting, plain]).hash(1) == play([splitting]).hash()
    assert opened(play([splitting]))


def test_slots_are_reserved_behind_everybody_listed_and_capacity_grows_by_them() -> None:
    agents = [{"type": "honest", "count": 2}, {"type": "opportunistic", "count": 2, "identities": 3}]
    arrival = {"type": "adversarial", "count": 1, "identities": 2, "epoch": 1}
    each = scenario(agents, population={"arrivals": [arrival], "capacity": 7})
    slots = slots_of(each)
    assert each.agents_max == len(slots) == 7 + 5
    assert [slot[5] for slot in slots] == [0, 1, 2, 3, 4, 2, 2, 3, 3, 4, 10, 11]
    assert [slot[0] for slot in slots[5:10]] == ["opportunistic"] * 4 + ["adversarial"]
    assert all(slot[4] == NEVER for slot in slots[5:])


# --- when it pays


def test_owners_split_iff_an_identity_gains_more_than_it_costs_and_as_far_as_they_can_pay() -> None:
    bought = {price: len(opened(stake(governance__identity_cost__price=price))) / 2 for price in (0.0, 4.0, 9.9, 10.1)}
    assert bought == {0.0: 8, 4.0: 5, 9.9: 2, 10.1: 0}


def test_fewer_identities_are_opened_the_more_they_cost() -> None:
    prices = (0.0, 1.0, 3.0, 10.0, 30.0)
    agents = {"honest": 6, "opportunistic": 4}
    levers = [CAP | {"identity_cost": {"price": price}} for price in prices]
    bought = [openings(society(agents=agents, governance=each)).total() for each in levers]
    assert bought == sorted(bought, reverse=True)
    assert bought[0] > bought[2] > bought[-1] == 0


def test_a_deposit_weighs_like_a_cost_and_is_held_for_the_identity() -> None:
    assert not opened(stake(governance__identity_cost__price=6.0, governance__identity_cost__deposit=5.0))
    found = opened(stake(governance__identity_cost__price=4.0, governance__identity_cost__deposit=5.0))
    assert {(event["cost"], event["deposit"], event["endowment"]) for event in found} == {(4.0, 5.0, 0.0)}
    assert Counter(event["agent"] for event in found) == {4: 2, 5: 2}


def test_a_longer_horizon_makes_a_dearer_identity_pay() -> None:
    price = {"governance__identity_cost__price": 10.1}
    assert not opened(stake(**price))
    assert opened(stake(**price, adaptive__identity_horizon=6))


def test_honest_agents_never_split() -> None:
    each = society(governance=CAP)
    split = types_that_split(play([each]), each)
    assert split["honest"] == 0
    assert {"opportunistic", "deceptive", "adversarial"} == set(split)


def test_nobody_decides_before_it_has_been_there_for_an_epoch() -> None:
    arrival = {"type": "adversarial", "count": 2, "identities": 4, "epoch": 2}
    played = play([scenario({"honest": 6}, simulation=SIMULATION, population={"arrivals": [arrival]})])
    found = opened(played)
    assert min(event["epoch"] for event in found) == 3


def test_a_cap_on_proposals_makes_those_who_learn_split_and_the_frozen_not() -> None:
    agents = {"honest": 8, "opportunistic": 6}
    learning = {
        name: openings(society(agents=agents, governance=levers)) for name, levers in (("free", {}), ("cap", CAP))
    }
    frozen = openings(society(agents=agents, governance=CAP, adaptation="frozen"))
    assert learning["free"].total() == 0
    assert learning["cap"]["opportunistic"] >= 2 * 3 * 6  # three allowances of five where fifteen are wanted
    assert frozen.total() <= learning["cap"].total() / 10


def test_the_frozen_heed_no_price_but_pay_it() -> None:
    agents = {"honest": 8, "adversarial": 2}
    dear = {"identity_cost": {"price": 90.0}}
    for adaptation, weight in (("learning", 100.0), ("frozen", 100.0)):
        each = society(agents=agents, governance=dear, adaptation=adaptation, adaptive={"harm_cost_weight": weight})
        found = opened(play([each]))
        assert bool(found) == (adaptation == "frozen")
        assert {event["cost"] for event in found} <= {90.0}


# --- what an owner does with several identities


def test_an_owners_identities_take_turns_unless_the_scenario_lets_more_act_at_once() -> None:
    def most_in_a_step(at_once: int) -> int:
        each = society(adaptive={"identities_at_once": at_once}, governance=CAP)
        deals = play([each]).events("interaction")
        owner = [slot[5] for slot in slots_of(each)]
        who = {(deal["step"], deal["turn"], deal["initiator"]) for deal in deals}
        return max(Counter((step, turn, owner[agent]) for step, turn, agent in who).values())

    assert most_in_a_step(1) == 1
    assert most_in_a_step(3) == 3


def test_a_cap_for_each_identity_is_no_cap_for_an_owner() -> None:
    each = society(agents={"honest": 8, "opportunistic": 4}, governance=CAP)
    deals = play([each]).events("interaction")
    owner = [slot[5] for slot in slots_of(each)]
    by_identity = Counter((deal["epoch"], deal["initiator"]) for deal in deals)
    by_owner = Counter((deal["epoch"], owner[deal["initiator"]]) for deal in deals)
    assert max(by_identity.values()) == 5
    assert max(by_owner.values()) > 10
    assert max(count for (_, agent), count in by_owner.items() if agent < 8) == 5


def test_those_who_learn_go_on_with_another_identity_while_one_is_frozen() -> None:
    batch = _midway(society(governance=CAP))
    world = batch.world
    owner = world.identities.owner
    row = np.flatnonzero(world.active & ~world.identities.is_dormant & (owner != np.arange(world.n_rows)))[0]
    pair = np.flatnonzero(world.active & ~world.identities.is_dormant & (owner == owner[row]))
    world.proposed[:] = 0
    world.frozen_until[pair] = batch.step + 10
    world.frozen_until[pair[-1]] = 0
    stack = open_stack(batch, batch.scenarios)
    assert set(who_acts(batch, stack, world.crowd.row)) & set(pair.tolist()) == {pair[-1]}


def test_identities_of_one_owner_say_yes_to_each_other() -> None:
    each = society(governance=CAP)
    owner = [slot[5] for slot in slots_of(each)]
    deals = play([each], seeds=[3]).events("interaction")
    own = [deal for deal in deals if owner[deal["initiator"]] == owner[deal["counterparty"]]]
    assert own
    assert {deal["reason"] for deal in own} <= {"accepted", "uncovered", "over_budget", "refused_by_lever"}


def test_identities_of_one_owner_vote_for_each_other_whatever_others_think() -> None:
    distrust = {"trust__prior_mean": 0.3, "reputation__ballot_gain": 0.01, "governance__identity_cost__price": 0.0}
    state = stake(**distrust, agents__1__count=1).events("agent_state")
    before, last = ({e["agent"]: e["reputation"] for e in state if e["epoch"] == epoch} for epoch in (8, 9))
    moved = {agent: last[agent] - before[agent] for agent in before}
    assert len(moved) == 4 + 9
    assert max(moved[agent] for agent in range(4)) < 0  # nobody trusts anybody
    assert min(moved[agent] for agent in range(4, 13)) > 0  # eight ballots of one owner against four others


def test_a_ruined_identity_is_given_up_for_a_stranger_and_proposes_no_more() -> None:
    each = society(agents={"honest": 8, "adversarial": 2})
    played = play([each])
    given_up = {event["identity"]: event["epoch"] for event in played.events("identity_abandoned")}
    assert given_up
    for deal in played.events("interaction"):
        assert deal["epoch"] < given_up.get(deal["initiator"], 99)
    check_presence(played.events(), each)


def test_the_standing_of_an_agent_is_what_others_think_of_it() -> None:
    batch = _midway(society())
    world = batch.world
    found = standings(batch)
    for row in (0, 12, 19):
        others = world.crowd.row[world.crowd.row != row]
        at = world.memory.locate(others, np.full(len(others), world.slot[row]))
        alpha, beta = world.memory.counts(at)
        thinks = (alpha + 2.0 * world.prior[row]) / (alpha + beta + 2.0)
        assert found[row] == pytest.approx(thinks.mean(), rel=1e-12)


def _midway(each: Scenario) -> Batch:
    """A batch at the end of its fourth epoch."""
    batch = open_batch([each], [7])
    for item in play_batch(batch):
        if isinstance(item, Checkpoint) and item.epoch == 3:
            break
    return batch


# --- levers


def test_the_price_goes_to_the_treasury_and_every_credit_is_accounted_for() -> None:
    levers = CAP | {"identity_cost": {"price": 2.5, "deposit": 1.25}}
    each = society(governance=levers, population={"turnover": 0.1})
    played = play([each])
    found = opened(played)
    assert found
    assert {event["cost"] for event in found} == {2.5}
    assert played.events("epoch_completed")[-1]["treasury"] == 2.5 * len(found)
    check_books(played.events(), each)
    check_presence(played.events(), each)
    check_order(played.events(), 10)


def test_an_endowment_comes_out_of_the_owners_own_balance() -> None:
    each = society(agents={"honest": 6, "adversarial": 1}, environment={"initial_budget": 15.0})
    played = play([each])
    first = opened(played)[0]
    assert 0.0 < first["endowment"] <= 10.0
    check_books(played.events(), each)


def test_a_cap_on_identities_binds_and_what_is_not_traced_escapes_it() -> None:
    def most(**cap: Any) -> int:
        return max(
            Counter(event["agent"] for event in opened(play([society(governance=CAP | {"sybil_cap": cap})]))).values(),
            default=0,
        )

    assert most(max_identities=1) == 0
    assert most(max_identities=2) == 1
    assert most(max_identities=1, detection=0.0) == 3
    assert 0 < most(max_identities=1, detection=0.5) <= 3


def test_what_levers_on_identities_did_is_counted() -> None:
    cap, price = CAP | {"sybil_cap": {"max_identities": 1}}, CAP | {"identity_cost": {"price": 1.0}}
    outcome = drive(Plan([society(governance=cap), society(governance=price)], [7, 7], "epoch"))
    assert outcome.fired[0]["sybil_cap"] > 0
    assert outcome.fired[1]["identity_cost"] == len(opened(play([society(governance=price)])))


def test_probation_binds_newcomers_and_nobody_else() -> None:
    levers = {"probation": {"epochs": 2, "max_proposals": 2}}
    arrival = {"type": "opportunistic", "count": 3, "epoch": 2}
    each = scenario({"honest": 6, "opportunistic": 3}, governance=levers, simulation=SIMULATION,
                    population={"arrivals": [arrival]})  # fmt: skip
    deals = play([each]).events("interaction")
    many = Counter((deal["epoch"], deal["initiator"]) for deal in deals)
    for agent in (9, 10, 11):
        assert max(many[epoch, agent] for epoch in (2, 3)) == 2
        assert min(many[epoch, agent] for epoch in (4, 5)) > 2
    assert all(many[epoch, agent] > 2 for epoch in range(6) for agent in (6, 7, 8))
    taking = [deal for deal in deals if deal["initiator"] >= 9 and deal["tau"] < 0]
    assert all(deal["epoch"] >= 4 for deal in taking), "who knows that it is refused does not ask for it"
    assert taking


def test_what_newcomers_on_probation_may_not_ask_for_is_refused() -> None:
    levers = {"probation": {"epochs": 2, "max_proposals": 9, "founders": "yes"}}
    each = scenario({"honest": 4, "opportunistic": 3}, governance=levers, adaptation="frozen", simulation=SIMULATION)
    deals = play([each]).events("interaction")
    early = [deal for deal in deals if deal["epoch"] < 2 and deal["tau"] < 0]
    assert early
    assert "refused_by_lever" in {deal["reason"] for deal in early}
    assert not {"accepted", "declined"} & {deal["reason"] for deal in early}
    assert "refused_by_lever" not in {deal["reason"] for deal in deals if deal["epoch"] >= 2 or deal["tau"] >= 0}
    spared = scenario({"honest": 4, "opportunistic": 3}, governance={"probation": {"epochs": 2, "max_proposals": 9}},
                      adaptation="frozen", simulation=SIMULATION)  # fmt: skip
    assert "refused_by_lever" not in {deal["reason"] for deal in play([spared]).events("interaction")}


def test_probation_makes_an_identity_worth_less() -> None:
    price = {"governance__identity_cost__price": 5.0}
    assert opened(stake(**price))
    # four of the five epochs that count are on probation, without a proposal: 2 is left of a gain of 10
    assert not opened(stake(**price, governance__probation__epochs=4, governance__probation__max_proposals=0))


# --- coming and going


def test_an_owner_leaves_with_all_its_identities_and_as_one_agent() -> None:
    levers = CAP | {"identity_cost": {"price": 0.0, "deposit": 1.0}}
    departure = {"epoch": 4, "type": "opportunistic", "count": 2}
    each = society(agents={"honest": 6, "opportunistic": 4}, governance=levers, population={"departures": [departure]})
    played = play([each])
    owner = [slot[5] for slot in slots_of(each)]
    gone = [event["agent"] for event in played.events("departed")]
    leavers = {owner[agent] for agent in gone}
    assert len(leavers) == 2
    theirs = {event["identity"] for event in opened(played) if event["agent"] in leavers}
    assert set(gone) == leavers | theirs
    assert theirs
    assert not [event for event in opened(played) if event["epoch"] > 4 and event["agent"] in leavers]
    check_presence(played.events(), each)
    check_books(played.events(), each)


def test_an_identity_has_a_state_once_it_is_open_and_slots_are_never_used_again() -> None:
    each = society(governance=CAP, population={"turnover": 0.15})
    played = play([each])
    since = {event["identity"]: event["epoch"] for event in opened(played)}
    assert len(since) == len(opened(played))
    seen: dict[int, int] = {}
    for state in played.events("agent_state"):
        seen.setdefault(state["agent"], state["epoch"])
    assert {agent: epoch for agent, epoch in seen.items() if agent >= 20} == since


# --- metrics, replay, words


def test_income_by_type_counts_no_gift_of_an_owner_to_its_own_identity() -> None:
    each = society(agents={"honest": 6, "opportunistic": 4}, governance=CAP)
    played = play([each])
    outcome = drive(Plan([each], [7], "epoch", names=("income",), by_type=True))
    balance: dict[int, float] = dict.fromkeys(range(10), 100.0)
    for epoch, row in enumerate(outcome.rows[0]):
        now = {event["agent"]: event["balance"] for event in played.events("agent_state") if event["epoch"] == epoch}
        gained = sum(now.values()) - sum(balance.values())
        assert row["income"] == pytest.approx(gained / len(now), abs=1e-9)
        balance = now
    assert needs_of(("income",)).agent_before == ("balance", "deposits")


def test_a_run_with_splits_is_verified_by_its_replay(tmp_path: Path) -> None:
    rules = ["simulation.epochs=5", "governance.bandwidth_cap.max_actions=5", "population.turnover=0.1"]
    levers = ["governance.identity_cost.price=1", "governance.probation.epochs=1"]
    mc.run("sybil_attack", overrides=rules + levers, output=tmp_path / "run.jsonl")
    log = (tmp_path / "run.jsonl").read_text("utf-8")
    assert log.count('"identity_opened"') > 5
    assert main(["replay", str(tmp_path / "run.jsonl"), "--verify"]) == 0


@pytest.mark.parametrize("name", ["identity_cost", "sybil_cap", "probation"])
def test_the_levers_explain_themselves(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name]) == 0
    said = capsys.readouterr().out
    for item in ("neutral", "identit" if name != "probation" else "newcomer", "Source"):
        assert item.lower() in said.lower()


def test_a_misfit_number_of_identities_is_refused_with_its_place() -> None:
    agents = [{"type": "opportunistic", "count": 2, "identities": 0}]
    with pytest.raises(MesocosmError, match=r"agents\.0\.identities|agents\[0\]\.identities|identities"):
        scenario_from_dict({"scenario_id": "bad", "agents": agents})


def test_the_bundled_attack_shows_what_splitting_does() -> None:
    each = load_scenario("sybil_attack", {"simulation.epochs": 8})
    assert set(types_that_split(play([each]), each)) == {"adversarial"}
    capped = load_scenario("sybil_attack", {"simulation.epochs": 8, "governance.bandwidth_cap.max_actions": 5})
    assert set(types_that_split(play([capped]), capped)) == {"adversarial", "deceptive", "opportunistic"}


def test_an_epoch_without_a_past_opens_nothing() -> None:
    batch = open_batch([society()], [7])
    stack = open_stack(batch, batch.scenarios)
    open_further(batch, stack, None)
    assert not batch.world.active[batch.world.identities.is_further].any()
