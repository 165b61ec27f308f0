"""Why an agent decided as it did: options and values found again by simulation, in agreement with the log."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesocosm.agents.contract import Action, BaseAgent, InteractionProposal, Observation, agent
from mesocosm.api import Kill
from mesocosm.cli import explain_decision as explain_decision_cli
from mesocosm.cli.main import main
from mesocosm.config.load import bundled_scenarios
from mesocosm.errors import UsageError
from mesocosm.runner.decision import Explanation, explain_decision
from mesocosm.runner.runner import Run, run

LEVERS = (
    "governance.random_audit.probability=0.3",
    "governance.circuit_breaker.threshold=0.35",
    "governance.transaction_tax.rate=0.1",
)
SHORT = ("simulation.epochs=3", "simulation.steps_per_epoch=6")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("explained") / "run"
    return run("adversarial_attack", overrides=[*SHORT, *LEVERS], output=folder)


def deals_of(made: Run, step: int) -> list[dict[str, Any]]:
    return [event for event in made.log.records() if event["kind"] == "interaction" and event["step"] == step]


def number(name: str) -> int:
    return int(name.removeprefix("a_"))


def test_what_is_explained_is_what_the_log_says(played: Run) -> None:
    compared = 0
    for step in (0, 7, 13, 17):
        deals = deals_of(played, step)
        for slot in range(0, 20, 3):
            found = explain_decision(played.path, slot, step)
            proposed = [d.chosen for d in found.decisions if d.question == "propose" and d.chosen is not None]
            logged = [deal for deal in deals if deal["initiator"] == slot]
            said = [(number(o.partner), o.effort, o.disguise, o.tau) for o in proposed]
            made = [(d["counterparty"], d["effort"], d["disguise"], d["tau"]) for d in logged]
            refused = [deed for deed in found.deeds if deed["kind"] == "refused" and deed["attempt"] == "propose"]
            assert len(said) == len(made) + len(refused)
            assert set(made) <= set(said)
            answers = [(number(d.known["initiator"]), d.answer) for d in found.decisions if d.question == "accept"]
            asked = [(d["initiator"], d["reason"]) for d in deals if d["counterparty"] == slot]
            assert sorted(who for who, _ in answers) == sorted(who for who, _ in asked)
            for (who, answer), (same, reason) in zip(sorted(answers), sorted(asked), strict=True):
                assert who == same
                assert (reason == "accepted") <= bool(answer), "an accepted proposal was answered with yes"
                assert (reason == "declined") <= (not answer)
            compared += len(logged) + len(asked)
    assert compared > 60


def test_an_opportunist_makes_the_proposal_that_is_worth_most(played: Run) -> None:
    seen = 0
    for step in range(4, 18, 3):
        for slot in range(10, 15):
            for decision in explain_decision(played.path, slot, step).decisions:
                if decision.question == "propose":
                    best = decision.options[0]
                    assert len(decision.options) == 54
                    assert best.value == max(option.value for option in decision.options)
                    assert (decision.chosen == best) if best.value > 0.0 else (decision.chosen is None)
                    seen += 1
    assert seen > 15


def test_the_worth_of_an_option_is_made_of_its_parts(played: Run) -> None:
    found = explain_decision(played.path, 11, 8)
    [first, *_] = [decision for decision in found.decisions if decision.question == "propose"]
    seen = set()
    for option in first.options:
        part = option.parts
        q, yes_good, yes_bad = part["chance of a good outcome"], part["yes if good"], part["yes if bad"]
        gain = q * yes_good * part["gain if good"] + (1 - q) * yes_bad * part["gain if bad"]
        toil = part["private cost"] * (q * yes_good + (1 - q) * yes_bad)
        frozen = part["freeze expected"] * (q * yes_good + (1 - q) * yes_bad)
        assert option.value == pytest.approx(gain - toil - frozen, abs=1e-12)
        seen.add(frozen > 0.0)
    assert seen == {True, False}, "looking bad brings a freeze, and looking good does not"


def test_watching_an_agent_changes_nothing(played: Run) -> None:
    first, again = (explain_decision(played.path, 12, 16) for _ in range(2))
    assert first == again
    deal = [d.chosen for d in first.decisions if d.question == "propose" and d.chosen is not None]
    assert len(deal) == len([d for d in deals_of(played, 16) if d["initiator"] == 12])


def test_frozen_agents_weigh_no_fines(played: Run, tmp_path: Path) -> None:
    frozen = run("adversarial_attack", overrides=[*SHORT, *LEVERS, "adaptation=frozen"], output=tmp_path / "run")
    parts = [_parts(explain_decision(made.path, 11, 0)) for made in (played, frozen)]
    assert "fine expected if bad" in parts[0]
    assert "fine expected if bad" not in parts[1]


def _parts(found: Explanation) -> dict[str, float]:
    return next(d for d in found.decisions if d.question == "propose").options[0].parts


@pytest.mark.parametrize("name", bundled_scenarios())
def test_every_policy_of_every_scenario_can_be_explained(name: str, tmp_path: Path) -> None:
    short = ["simulation.epochs=1", "simulation.steps_per_epoch=5"]
    made = run(name, overrides=short, output=tmp_path / "run")
    first = 0
    for group in made.scenario.agents:
        for step in (0, 4):
            found = explain_decision(made.path, first, step)
            for decision in found.decisions:
                if decision.question == "propose":
                    others = [number(who) for who in decision.known["met"]]
                    assert all(0 <= other < made.scenario.agents_initial and other != first for other in others)
                    assert decision.chosen is None or decision.chosen.partner in decision.known["met"]
        first += group.count


def test_what_came_of_a_proposal_is_what_the_log_says(played: Run) -> None:
    compared = 0
    for step in (2, 7, 13, 17):
        deals = deals_of(played, step)
        for slot in range(20):
            for decision in explain_decision(played.path, slot, step).decisions:
                came, asked = decision.outcome, decision.question == "propose"
                if decision.chosen is None and asked:
                    assert came is None
                    continue
                other = number(decision.chosen.partner if decision.chosen else decision.known["initiator"])
                sides = (slot, other) if asked else (other, slot)
                logged = [deal for deal in deals if (deal["initiator"], deal["counterparty"]) == sides]
                if came is not None:
                    assert any(all(deal[name] == came[name] for name in ("accepted", "reason", "v")) for deal in logged)
                    compared += 1
                else:
                    assert not logged
    assert compared > 80


def test_an_answer_of_a_frozen_agent_is_said_not_to_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["simulation.epochs=2", "governance.circuit_breaker.threshold=0.2", "simulation.decision_replays=4"]
    made = run("baseline", overrides=changes, output=tmp_path / "run")
    deals = [event for event in made.log.records() if event["kind"] == "interaction"]
    deal = next(deal for deal in deals if deal["reason"] == "counterparty_frozen")
    words = ["--agent", str(deal["counterparty"]), "--step", str(deal["step"])]
    assert main(["explain", "decision", str(made.path), *words]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "it could not propose, and its answers did not count." in told
    assert "came of it nothing: a_" in told
    assert "was frozen, so its answer did not count" in told
    words = ["--agent", str(deal["initiator"]), "--step", str(deal["step"])]
    assert main(["explain", "decision", str(made.path), *words]) == 0
    assert "came of it nothing: a_" in " ".join(capsys.readouterr().out.split())


def test_who_cannot_cover_a_deal_is_told_that_it_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    poor = ["simulation.epochs=2", "environment.initial_budget=0"]
    made = run("adversarial_attack", overrides=poor, output=tmp_path / "run")
    deals = [event for event in made.log.records() if event["kind"] == "interaction"]
    deal = next(deal for deal in deals if deal["reason"] == "uncovered")
    words = ["--agent", str(deal["initiator"]), "--step", str(deal["step"])]
    assert main(["explain", "decision", str(made.path), *words]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "came of it nothing: somebody could not cover what the deal might cost" in told


def test_a_tie_is_called_a_tie_and_once_is_once(played: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found = explain_decision(played.path, 11, 8)
    [first, *_] = [one for one in found.decisions if one.question == "propose" and one.chosen is not None]
    best = first.options[0]
    tied = replace(first, options=[best, replace(best, effort=0.123)], known=first.known | {"freezes": 1})
    explain_decision_cli.tell_decision(tied)
    told = " ".join(capsys.readouterr().out.split())
    assert "the most of 2 options, as much as the next" in told
    explain_decision_cli.tell_explanation(replace(found, decisions=[tied]))
    assert "frozen once;" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("registries_as_they_were")
def test_an_agent_from_outside_is_shown_with_what_it_answered(tmp_path: Path) -> None:
    @agent("asks_the_first")
    class AsksTheFirst(BaseAgent):
        def select_action(self, observation: Observation) -> Action:
            return Action("pass")

        def propose_interaction(self, observation: Observation) -> InteractionProposal:
            return InteractionProposal(observation.candidates[0].agent_id)

        def accept_interaction(self, proposal: InteractionProposal) -> bool:
            return True

    made = run("baseline", overrides=[*SHORT, "agents.0.type=asks_the_first"], output=tmp_path / "run")
    found = explain_decision(made.path, 0, 3)
    assert found.external
    assert found.decisions == []
    assert any(deed["kind"] == "input" and "propose" in deed["answer"] for deed in found.deeds)


@pytest.mark.parametrize(
    ("who", "step", "told"),
    [("99", 3, "agents 0 to 19"), ("a_99", 3, "agents 0 to 19"), ("bob", 3, "no agent"), ("3", 18, "steps 0 to 17")],
)
def test_an_agent_or_step_that_is_not_there_is_refused(played: Run, who: str, step: int, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        explain_decision(played.path, who, step)


def test_a_step_that_a_killed_run_never_came_to_is_refused(tmp_path: Path) -> None:
    made = run("baseline", overrides=SHORT, orders=[(1, 7, 1, Kill("seen enough"))], output=tmp_path / "run")
    assert explain_decision(made.path, 0, 7).decisions
    for step in (8, 13, 17):
        with pytest.raises(UsageError, match=rf"--step {step}: .* ended early \(seen enough\), .* last step is 7\."):
            explain_decision(made.path, 0, step)


def test_the_last_step_of_a_run_is_explained(played: Run) -> None:
    assert explain_decision(played.path, 0, 17).decisions


def test_the_command_tells_options_values_and_why_one_won(played: Run, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explain", "decision", str(played.path), "--agent", "a_11", "--step", "8"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "a_11 in step 8 (epoch 1)" in told
    assert "credits of expected payoff" in told
    heads = [line for line in told.splitlines() if "P(good)" in line]
    assert {tuple(head.split()[-3:]) for head in heads} == {("cost", "freeze", "fine-")}
    assert all(len(line) <= 80 for line in told.splitlines())
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["policy"] == "opportunistic"
    assert {"question", "options", "chosen", "rule"} <= set(found["decisions"][0])


def test_the_command_asks_for_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "decision", "latest"]) == 2
    assert "--agent 3 --step 20" in capsys.readouterr().err
    assert main(["explain", "payoff.theta", "--agent", "3"]) == 2
    assert "mesocosm explain decision RUN" in capsys.readouterr().err
