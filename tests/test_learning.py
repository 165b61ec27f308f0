"""Agents that answer back: what they expect of levers, what being met by them teaches, and what frozen ones ignore."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesocosm import exact
from mesocosm.agents.prospects import Gains
from mesocosm.api import Acts, Bench, Enact, Lever, Policy, Proposals, View
from mesocosm.cli.main import main
from mesocosm.config.load import load_scenario
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import open_batch
from mesocosm.engine.observe import outlook
from mesocosm.env.events import Tick
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.env.leniency import acceptance_chance, after_answer
from mesocosm.env.population import slots_of
from mesocosm.governance.random_audit import RandomAudit
from mesocosm.registry import lever, param, policy
from mesocosm.runner.drive import Plan, drive
from scenario_strategy import effort
from trajectory import Event, play, scenario

MIX = {"honest": 6, "opportunistic": 6, "deceptive": 3, "adversarial": 2}
LONG = {"epochs": 3, "steps_per_epoch": 10}
HARSH = {
    "random_audit": {"probability": 0.4, "penalty": 3.0},
    "circuit_breaker": {"threshold": 0.3},
    "transaction_tax": {"rate": 0.3},
}


def deals_of(each: Scenario, **options: Any) -> list[Event]:
    return play([each], **options).events("interaction")


def first_proposals(each: Scenario) -> list[tuple[Any, ...]]:
    """Who proposed what to whom in the first pass of the first step, before anything could be learnt or fined."""
    names = ("initiator", "counterparty", "effort", "disguise", "tau")
    first = [deal for deal in deals_of(each) if (deal["step"], deal["turn"]) == (0, 0)]
    return [tuple(deal[name] for name in names) for deal in first]


# --- what they expect


def test_learning_agents_answer_a_lever_at_once_and_frozen_ones_do_not() -> None:
    for name, block in HARSH.items():
        governance = {name: block}
        learning, frozen = (
            [first_proposals(scenario(MIX, adaptation=kind, governance=levers)) for levers in ({}, governance)]
            for kind in ("learning", "frozen")
        )
        assert learning[0] != learning[1], name
        assert frozen[0] == frozen[1], name


def test_without_levers_learning_starts_where_frozen_does() -> None:
    assert first_proposals(scenario(MIX)) == first_proposals(scenario(MIX, adaptation="frozen"))


def test_harm_that_is_internalised_by_a_lever_is_felt_as_if_it_were_a_constant_of_the_economy() -> None:
    as_lever = scenario(MIX, governance={"externality_internalisation": {"rho_a": 0.5, "rho_b": 0.25}})
    as_constant = scenario(MIX, payoff={"rho_a": 0.5, "rho_b": 0.25})
    assert play([as_lever]).hash() == play([as_constant]).hash()
    blind = [scenario(MIX, adaptation="frozen", governance=as_lever.governance, simulation=LONG)]
    seeing = [scenario(MIX, adaptation="frozen", payoff={"rho_a": 0.5, "rho_b": 0.25}, simulation=LONG)]
    assert play(blind).hash() != play(seeing).hash(), "frozen agents leave the lever out, but not the constant"


def test_a_frozen_counterparty_leaves_lever_costs_out_of_its_own_bar() -> None:
    def accepted(kind: str) -> float:
        agents = {"opportunistic": 6, "adversarial": 6}
        each = scenario(agents, adaptation=kind, governance={"transaction_tax": {"rate": 0.4}}, simulation=LONG)
        deals = [d for d in deals_of(each) if d["counterparty"] < 6 and d["tau"] != 0.0]
        bar = {True: 0, False: 0}
        for deal in deals:
            plain = (0.5 - deal["tau"]) / 1.5
            used = plain if kind == "frozen" else deal["own_bar"]
            if deal["reason"] in ("accepted", "declined"):
                bar[(deal["reason"] == "accepted") == (deal["estimate"] > used)] += 1
        assert bar[False] == 0
        return bar[True]

    assert accepted("learning") > 20
    assert accepted("frozen") > 20


def test_levers_do_not_move_what_frozen_agents_weigh_in_the_long_run() -> None:
    """Fines, costs and internalised harm reach neither their deals nor what they think a deal to bring."""
    rich = {"environment": {"initial_budget": 1e6}, "safety": {"budget_per_epoch": 1e6}}
    governments: list[dict[str, Any]] = [
        {"transaction_tax": {"rate": 0.3}},
        {"random_audit": {"probability": 1.0, "penalty": 10.0, "reads": "proxy"}},
        {"externality_internalisation": {"rho_a": 2.0, "rho_b": 1.0}},
    ]
    agents = {"opportunistic": 8, "deceptive": 4, "adversarial": 2}

    def lived(governance: dict[str, Any]) -> tuple[list[Any], list[Any]]:
        each = scenario(agents, adaptation="frozen", governance=governance, simulation={"epochs": 6}, **rich)
        played = play([each])
        dealt = ("initiator", "counterparty", "effort", "disguise", "tau", "reason")
        deals = [tuple(deal[name] for name in dealt) for deal in played.events("interaction")]
        return deals, [state["payoff_mean"] for state in played.events("agent_state")]

    bare = lived({})
    for governance in governments:
        assert lived(governance) == bare, governance


@pytest.mark.usefixtures("registries_as_they_were")
def test_a_policy_sees_at_every_question_which_of_its_agents_respond_to_levers() -> None:
    seen: dict[str, set[tuple[int, bool]]] = defaultdict(set)

    def note(question: str, view: View) -> None:
        seen[question] |= set(zip(view.agent.tolist(), view.learning.tolist(), strict=True))

    @policy("curious")
    @dataclass(frozen=True)
    class Curious(Policy):
        """Looks whether it responds."""

        adaptive = True

        def act(self, view: View) -> Acts:
            """Look, and pass."""
            note("act", view)
            return super().act(view)

        def propose(self, view: View) -> Proposals:
            """Look, and propose nothing."""
            note("propose", view)
            return super().propose(view)

        def accept(self, view: View) -> Any:
            """Look, and decline."""
            note("accept", view)
            return super().accept(view)

    learning = scenario({"curious": 2, "honest": 2})
    frozen = scenario({"honest": 2, "curious": 2}, adaptation="frozen")
    play([learning, frozen])
    expected = {(0, True), (1, True), (2, False), (3, False)}
    assert seen == {"act": expected, "propose": expected, "accept": expected}


def test_deceivers_who_learn_stop_exploiting_when_it_no_longer_pays() -> None:
    def exploits(kind: str, penalty: float) -> int:
        audit = {"random_audit": {"probability": 0.5, "penalty": penalty}}
        agents = {"honest": 6, "deceptive": 4}
        each = scenario(agents, adaptation=kind, governance=audit, simulation={"epochs": 3, "steps_per_epoch": 20})
        return sum(deal["initiator"] >= 6 and deal["effort"] == 0.0 for deal in deals_of(each))

    assert exploits("learning", 0.0) > 10
    assert exploits("learning", 10.0) == 0
    assert exploits("frozen", 10.0) > 10


def test_an_audit_that_reads_no_better_than_chance_is_thought_to_teach_partners_nothing() -> None:
    batch = open_batch([scenario(MIX, trust={"discovery": 0.2})], [7])
    known = {"trust_of": np.array([0.6]), "weight_of": np.array([3.0]), "payoff_mean": np.array([1.0])}
    look = outlook(batch, np.array([0]))

    def trust_won(accuracy: float) -> list[float]:
        misread = 1.0 - accuracy
        told = Foresight(reveal=1.0, false_alarm=misread, oversight=misread)
        row = SimpleNamespace(rule=batch.economy, look=look, foresight=told, transfers=np.zeros((1, 1)), **known)
        gains = Gains(row, range(len(look.p_bad)))  # type: ignore[arg-type]
        return [float(gains.trust_good[0]), *(float(gains.trust_bad[d][0]) for d in gains.trust_bad)]

    def remembered(outcome: float) -> float:
        moved = acceptance_chance((0.6 * 3.0 + outcome) / 4.0, float(exact.exp(1.0)), 1.0 / 3.0)
        before = acceptance_chance(0.6, float(exact.exp(1.0)), 1.0 / 3.0)
        return float(batch.economy.patience * (moved - before))

    for accuracy in (1.0, 0.7, 0.5):
        good, *bad = trust_won(accuracy)
        assert good == pytest.approx(remembered(0.2 + 0.8 * accuracy))
        assert bad == pytest.approx([remembered(0.8 * (1.0 - accuracy))] * len(bad))


def test_what_several_levers_foretell_adds_up_and_multiplies() -> None:
    told = Foresight()
    told.join(Foresight(fine_good=0.1, fine_bad=[1.0, 2.0], reveal=0.5))
    told.join(Foresight(fine_bad=[0.5, 0.5], pass_bad=[0.5, 1.0], reveal=0.5, halts=[(0.3, 1.0)]))
    told.join(Foresight(pass_good=0.9, pass_bad=[0.5, 0.0]))
    assert (told.fine_good, told.fine_bad) == (0.1, [1.5, 2.5])
    assert (told.pass_good, told.pass_bad) == (0.9, [0.25, 0.0])
    assert (told.reveal, told.halts) == (0.75, [(0.3, 1.0)])
    told.join(Foresight(reveal=0.5, false_alarm=0.1, oversight=0.2))
    told.join(Foresight(reveal=0.5, oversight=0.5))
    assert (told.false_alarm, told.oversight) == (0.05, 0.6), "who speaks last is believed"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.99), st.floats(0, 0.4), st.booleans())
@effort(100, 2000)
def test_omega_follows_bayes_and_never_becomes_certain(
    own: float, strict: float, omega: float, floor: float, said_yes: bool
) -> None:
    moved = float(after_answer(np.array([omega]), said_yes, np.array([own]), np.array([strict]), floor)[0])
    like = [chance if said_yes else 1.0 - chance for chance in (own, strict)]
    total = omega * like[0] + (1.0 - omega) * like[1]
    expected = omega if total == 0.0 else omega * like[0] / total
    assert moved == pytest.approx(min(max(expected, floor), 1.0 - floor), abs=1e-12)


# --- what they learn


@pytest.mark.parametrize("reach", [0.0, 0.7])
def test_every_belief_about_a_partner_follows_from_the_answers_in_the_log(reach: float) -> None:
    """omega is worked out again from the log alone, answer by answer, and stands in the next proposal.

    What a lever refuses is never answered, so an answer comes more likely after a good outcome than the deal had it.
    """
    agents, oracle = {"honest": 4, "opportunistic": 4, "adversarial": 2}, {"oracle": {"reach": reach}}
    each = scenario(agents, payoff={"rho_a": 0.2}, governance=oracle, simulation=LONG | {"epochs": 8})
    table = open_batch([each], [7]).table
    look = {True: float(table.screen_odds[0])}
    bad = {d: float(table.screen_odds[1 + number]) for number, d in enumerate(each.conduct.disguise_menu)}
    belief: dict[tuple[int, int], float] = defaultdict(lambda: 0.5)
    moves = 0
    for deal in deals_of(each):
        pair = (deal["initiator"], deal["counterparty"])
        assert deal["leniency"] == pytest.approx(belief[pair], abs=1e-12)
        learns, mates = pair[0] >= 4, min(pair) >= 8
        if not learns or mates or deal["reason"] not in ("accepted", "declined", "uncovered"):
            continue
        if deal["own_bar"] >= deal["joint_bar"]:
            continue
        q = each.conduct.q_low + (each.conduct.q_high - each.conduct.q_low) * deal["effort"]
        q /= q + (1.0 - q) * (1.0 - reach)

        def chance(bar: float, deal: Event = deal, q: float = q) -> float:
            eyes = (look[True], bad[deal["disguise"]])
            good, ill = (acceptance_chance(deal["trust"], eye, bar) for eye in eyes)
            return float(q * good + (1.0 - q) * ill)

        own, strict = chance(deal["own_bar"]), chance(deal["joint_bar"])
        yes = deal["reason"] != "declined"
        like = (own, strict) if yes else (1.0 - own, 1.0 - strict)
        omega = belief[pair]
        moved = omega * like[0] / (omega * like[0] + (1.0 - omega) * like[1])
        belief[pair] = min(max(moved, 0.05), 0.95)
        moves += 1
    assert moves > 60
    assert {omega for pair, omega in belief.items() if pair[0] < 4} <= {0.5}, "honest agents hold no such belief"


def test_the_experience_of_an_agent_is_counted_in_its_state() -> None:
    each = scenario(MIX, governance=HARSH, simulation=LONG)
    events = play([each]).events()
    counted: dict[str, defaultdict[int, int]] = {name: defaultdict(int) for name in ("deals", "audits", "freezes")}
    compared = 0
    for event in events:
        if event["kind"] == "interaction" and event["accepted"]:
            counted["deals"][event["initiator"]] += 1
            counted["audits"][event["initiator"]] += event["audited"]
        elif event["kind"] == "frozen":
            counted["freezes"][event["agent"]] += 1
        elif event["kind"] == "agent_state":
            found = {name: event[name] for name in counted}
            assert found == {name: times[event["agent"]] for name, times in counted.items()}
            compared += 1
    assert compared == 17 * 3
    assert all(sum(times.values()) > 5 for times in counted.values())


def test_experience_corrects_an_announced_chance_and_public_belief_does_not() -> None:
    def chosen(belief: str, weight: float) -> list[tuple[Any, ...]]:
        each = scenario(
            {"honest": 6, "opportunistic": 6}, adaptive={"belief": belief, "belief_weight": weight},
            governance={"random_audit": {"probability": 0.1}}, simulation={"epochs": 4, "steps_per_epoch": 10},
        )  # fmt: skip
        last = [deal for deal in deals_of(each) if deal["epoch"] == 3]
        return [(deal["initiator"], deal["effort"], deal["disguise"]) for deal in last]

    assert chosen("public", 20.0) == chosen("public", 1.0), "how much an announcement is worth does not matter then"
    assert chosen("experience", 1.0) != chosen("public", 1.0)


def test_beliefs_about_audits_rest_on_the_time_in_which_they_were_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enacted late, an audit is believed as announced; then corrected by what is met from there on; repealed, it is
    over.
    """
    believed: dict[tuple[int, int], float] = {}  # at the first proposal of an agent in a step
    foresee = RandomAudit.foresee

    def heard(lever: RandomAudit, bench: Bench, ahead: Ahead) -> Foresight:
        told = foresee(lever, bench, ahead)
        fined = np.asarray(told.fine_bad).max(axis=0)
        assert (np.asarray(told.reveal) > 0.0).tolist() == (fined > 0.0).tolist()
        for row, chance in zip(ahead.row_a.tolist(), np.asarray(told.reveal).tolist(), strict=True):
            believed.setdefault((bench.step, row), chance)
        return told

    def orders(tick: Tick) -> list[Enact] | None:
        change = {(19, 1): 0.5, (39, 1): 0.0}.get((tick.step, tick.turn))
        return None if change is None else [Enact("random_audit", "probability", change)]

    monkeypatch.setattr(RandomAudit, "foresee", heard)
    each = scenario(
        {"honest": 6, "opportunistic": 4, "deceptive": 2}, governance={"random_audit": {"probability": 0.0}},
        adaptive={"belief_weight": 5.0}, simulation={"epochs": 3, "steps_per_epoch": 20},
    )  # fmt: skip
    deals = [deal for deal in play([each], orders=orders).events("interaction") if deal["accepted"]]
    assert {chance for (step, _), chance in believed.items() if step == 20} == {0.5}
    assert {chance for (step, _), chance in believed.items() if step < 20 or step >= 40} == {0.0}
    checked = 0
    for (step, agent), chance in believed.items():
        if 20 <= step < 40:
            mine = [deal["audited"] for deal in deals if deal["initiator"] == agent and 20 <= deal["step"] < step]
            assert chance == (5.0 * 0.5 + sum(mine)) / (5.0 + len(mine))
            checked += len(mine) > 0
    assert checked > 50


def test_an_audit_that_errs_says_how_often_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Foresight] = []
    foresee = RandomAudit.foresee

    def heard(lever: RandomAudit, bench: Bench, ahead: Ahead) -> Foresight:
        told.append(foresee(lever, bench, ahead))
        return told[-1]

    monkeypatch.setattr(RandomAudit, "foresee", heard)
    play([scenario(MIX, governance={"random_audit": {"probability": 0.5, "accuracy": 0.75}})])
    assert told
    for said in told:
        assert np.array_equal(said.false_alarm, 0.25 * said.reveal)
        assert np.array_equal(said.oversight, 0.25 * said.reveal)


@dataclass(frozen=True)
class Fee(Lever):
    """Fines every accepted deal a credit, ahead of audits."""

    phase: ClassVar[int] = 30
    neutral: ClassVar[dict[str, float]] = {"due": 0.0}
    moves: ClassVar[str] = "initiator -> treasury"

    due: float = param(1.0, about="fine", unit="credits", ge=0.0, le=1.0)

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Take the fee."""
        done = np.flatnonzero(deal.accepted)
        bench.ledger.to_treasury(deal.row_a[done], np.full(len(done), 1_000_000))
        deal.fine[done] += 1.0


@pytest.mark.usefixtures("registries_as_they_were")
def test_an_audit_reports_its_own_fine_and_not_what_other_levers_took() -> None:
    lever("fee")(Fee)
    governance = {"fee": {}, "random_audit": {"probability": 1.0, "penalty": 3.0}}
    rich = {"initial_budget": 1e6}
    audits = play([scenario(MIX, governance=governance, environment=rich, simulation=LONG)]).events("audited")
    assert {audit["fine"] for audit in audits} == {0.0, 3.0}


def test_audits_make_learning_deceivers_cautious_and_frozen_ones_only_partners_do() -> None:
    def exploits_after_an_audit(kind: str) -> int:
        agents = {"honest": 8, "deceptive": 3}
        each = scenario(
            agents, adaptation=kind, trust={"discovery": 0.0}, adaptive={"caution_steps": 15},
            governance={"random_audit": {"probability": 1.0, "penalty": 0.0}},
            simulation={"epochs": 2, "steps_per_epoch": 20},
        )  # fmt: skip
        caught: dict[int, int] = {}
        relapses = 0
        for deal in deals_of(each):
            if deal["initiator"] < 8:
                continue
            since = deal["step"] - caught.get(deal["initiator"], -100)
            relapses += deal["effort"] == 0.0 and 0 < since < 15
            if deal["audited"] and deal["v"] == -1:
                caught[deal["initiator"]] = deal["step"]
        assert caught
        return relapses

    assert exploits_after_an_audit("learning") == 0
    assert exploits_after_an_audit("frozen") > 0


# --- controls and the internalisation of harm


def test_the_oracle_lets_nothing_bad_through_and_agents_who_know_it_work() -> None:
    def deals(kind: str, reach: float) -> list[Event]:
        return deals_of(scenario(MIX, adaptation=kind, governance={"oracle": {"reach": reach}}, simulation=LONG))

    for kind in ("learning", "frozen"):
        assert not [deal for deal in deals(kind, 1.0) if deal["accepted"] and deal["v"] == -1]
    bad = [deal for deal in deals("frozen", 0.5) if deal["v"] == -1]
    refused = sum(deal["reason"] == "refused_by_lever" for deal in bad) / len(bad)
    assert refused == pytest.approx(0.5, abs=0.1)

    def lazy(found: list[Event]) -> float:
        own = [deal for deal in found if 6 <= deal["initiator"] < 12]
        return float(np.mean([deal["effort"] == 0.0 for deal in own]))

    assert lazy(deals("learning", 1.0)) < lazy(deals("frozen", 1.0))


def test_the_redraw_is_the_same_society_with_other_luck() -> None:
    bare, one, two = (
        play([scenario(MIX, governance={"redraw": {"stream": stream}} if stream else {})]) for stream in (0, 1, 2)
    )
    assert len({bare.hash(), one.hash(), two.hash()}) == 3
    x = [{deal["difficulty"] for deal in played.events("interaction")} for played in (bare, one, two)]
    assert not x[0] & x[1]
    assert not x[1] & x[2]


# --- replays of decisions, and how often levers act


def test_replaying_decisions_changes_nothing_and_counts_answers_under_other_luck() -> None:
    agents = {"honest": 10}
    plain = scenario(agents, simulation=LONG)
    replayed = scenario(agents, simulation=LONG | {"decision_replays": 40})
    first, second = play([plain]), play([replayed])
    assert first.body == second.body
    assert not first.notes("replayed")
    told = {note["interaction"]: note for note in second.notes("replayed")}
    deals = {deal["seq"]: deal for deal in second.events("interaction")}
    assert set(told) == set(deals)
    expected, spread, found = 0.0, 0.0, 0
    for seq, deal in deals.items():
        note = told[seq]
        assert (note["agent"], note["v"], note["of"]) == (deal["counterparty"], deal["v"], 40)
        look = float(exact.exp(1.0 if deal["v"] == 1 else -1.0))
        chance = float(acceptance_chance(deal["trust"], look, max(deal["own_bar"], deal["joint_bar"])))
        expected += 40 * chance
        spread += 40 * chance * (1.0 - chance)
        found += note["yes"]
    assert abs(found - expected) < 4.0 * np.sqrt(spread)


def test_other_luck_in_a_replay_is_also_the_luck_of_a_policy_that_tosses_a_coin() -> None:
    each = load_scenario("glosten_milgrom", ["simulation.decision_replays=20", "simulation.epochs=3"])
    traders = [number for number, (name, *_) in enumerate(slots_of(each)) if name == "noise_trader"]
    told = [note["yes"] for note in play([each]).notes("replayed") if note["agent"] in traders]
    assert len(told) > 100
    assert np.mean(told) == pytest.approx(10.0, abs=4.0 * np.sqrt(5.0 / len(told)))
    assert np.var(told) == pytest.approx(5.0, rel=0.25), "twenty tosses each, not one that counts twenty times"


def test_a_run_notes_how_often_each_of_its_levers_did_something() -> None:
    governance = HARSH | {"sham": {"rate": 0.3}, "bandwidth_cap": {"max_actions": 1_000_000_000}}
    governance |= {"externality_internalisation": {"rho_a": 0.1}}
    played = play([scenario(MIX, governance=governance, simulation=LONG)])
    fired: defaultdict[str, int] = defaultdict(int)
    for note in played.notes("fired"):
        fired[note["lever"]] += note["count"]
    deals = played.events("interaction")
    accepted = [deal for deal in deals if deal["accepted"]]
    assert fired["transaction_tax"] == sum(deal["c_a"] > 0.0 for deal in accepted)
    assert fired["random_audit"] == sum(deal["audited"] for deal in accepted)
    assert fired["circuit_breaker"] == len(played.events("frozen"))
    assert fired["sham"] == len(played.notes("note"))
    judged = [deal for deal in deals if deal["reason"] in ("accepted", "declined", "uncovered", "over_budget")]
    assert fired["externality_internalisation"] == len(judged) > len(accepted)
    assert fired["bandwidth_cap"] == 0
    assert {note["epoch"] for note in played.notes("fired")} == {0, 1, 2}


def test_other_luck_counts_as_drawn_once_whatever_else_is_enacted_in_whichever_replicate() -> None:
    each = scenario(MIX, governance={"redraw": {"stream": 1}, "transaction_tax": {"rate": 0.1}})

    def tax_again(tick: Any) -> Any:
        return [Enact("transaction_tax", "rate", 0.1 * tick.step, 1)] if tick.turn == 0 else None

    def counts(played: Any, replicate: int) -> list[int]:
        return [note["count"] for note in played.notes("fired", replicate=replicate) if note["lever"] == "redraw"]

    alone, both = play([each], [7]), play([each, each], [7, 8], orders=tax_again)
    assert both.note[0] == alone.note[0], "an order for the other replicate leaves this one's notes as they are"
    assert counts(alone, 0) == counts(both, 0) == counts(both, 1) == [1, 0]


def test_luck_that_is_enacted_anew_counts_again() -> None:
    streams = {2: 3, 4: 3, 6: 0, 8: 3}
    each = scenario(MIX, governance={"redraw": {"stream": 1}})

    def redraw(tick: Any) -> Any:
        return [Enact("redraw", "stream", streams[tick.step])] if tick.turn == 0 and tick.step in streams else None

    told = [note["count"] for note in play([each], orders=redraw).notes("fired")]
    assert told == [2, 1], "1 at the start and 3 in step 2; 3 again in step 4 and none in step 6 draw nothing new"


@pytest.mark.parametrize("kind", ["learning", "frozen"])
def test_a_lever_that_only_deters_is_not_said_to_have_done_nothing(kind: str) -> None:
    def flags(**governance: Any) -> list[str]:
        each = scenario({"honest": 3}, adaptation=kind, governance=governance)
        return [flag for flag in drive(Plan([each], [1], "epoch")).flags[0] if "lever" in flag]

    assert flags(transaction_tax={"rate": 1.0}) == [
        "the lever transaction_tax could only work through agents who expect it, for it acted on no deal"
    ]
    assert flags(bandwidth_cap={"max_actions": 1_000_000}) == [
        "the lever bandwidth_cap never fired: it did nothing at all"
    ]


def test_what_agents_cannot_expect_did_nothing_where_it_never_fired() -> None:
    def flags(kind: str) -> list[str]:
        each = scenario({"opportunistic": 3}, adaptation=kind, governance={"circuit_breaker": {"threshold": 0.99}})
        return [flag for flag in drive(Plan([each], [1], "epoch")).flags[0] if "lever" in flag]

    assert flags("frozen") == ["the lever circuit_breaker never fired: it did nothing at all"]
    assert flags("learning") == [
        "the lever circuit_breaker could only work through agents who expect it, for it acted on no deal"
    ]


def test_harm_that_agents_are_made_to_feel_counts_where_it_keeps_them_from_agreeing() -> None:
    rho = {"externality_internalisation": {"rho_a": 5.0, "rho_b": 5.0}}
    outcome = drive(Plan([scenario(MIX, acceptance="joint", governance=rho)], [1], "epoch"))
    assert sum(row["acceptance_rate"] for row in outcome.rows[0]) == 0.0
    assert outcome.fired[0]["externality_internalisation"] > 0
    assert not [flag for flag in outcome.flags[0] if "lever" in flag]


def test_a_run_that_replays_decisions_tells_its_error_and_how_much_of_it_is_luck(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "baseline", "--epochs", "2", "--output", str(tmp_path / "run")]
    assert main([*words, "--set", "simulation.decision_replays=5"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(r"decisions replayed, \d+% of answers go against the outcome; incoherence 0\.\d+", told)
    assert main([*words[:-1], str(tmp_path / "other")]) == 0
    assert "incoherence" not in capsys.readouterr().out
