"""Where two runs part: the first event that differs, the decision behind it, and what followed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import mesocosm as mc
from forged_log import forge
from mesocosm.agents.contract import Action, BaseAgent, InteractionProposal, Observation, agent
from mesocosm.analysis.divergence import Divergence, diff
from mesocosm.api import Enact, Kill
from mesocosm.cli.main import main
from mesocosm.errors import LogDamaged, UsageError
from mesocosm.runner.branch import branch
from mesocosm.runner.decision import Decision
from mesocosm.runner.runner import Run, run

LEVELS = ("full", "columns", "epoch")
SHORT = ("simulation.epochs=3", "simulation.steps_per_epoch=4")
AUDIT = "governance.random_audit.probability=0.5"
Captured = pytest.CaptureFixture[str]


def small(path: Path, *overrides: str, **options: Any) -> Run:
    return run("adversarial_attack", overrides=[*SHORT, *overrides], output=path, **options)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The same run at every level, never changed by a test."""
    folder = tmp_path_factory.mktemp("runs")
    return {level: small(folder / level, level=level) for level in LEVELS}


@pytest.fixture(scope="module")
def branches(runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The same branch of each of them."""
    folder = tmp_path_factory.mktemp("branches")
    return {level: branch(runs[level], at=1, changes=[AUDIT], output=folder / level) for level in LEVELS}


# the same


@pytest.mark.parametrize("level", LEVELS)
def test_a_run_and_its_copy_are_the_same_to_the_byte(runs: dict[str, Run], tmp_path: Path, level: str) -> None:
    shutil.copytree(runs[level].path, tmp_path / "copy")
    for other in (runs[level], tmp_path / "copy"):
        found = diff(runs[level], other)
        assert (found.is_identical, found.is_same, found.asked) == (True, True, [])


@pytest.mark.parametrize("other", ["columns", "epoch"])
def test_logs_of_other_levels_of_one_run_hold_the_same_events(runs: dict[str, Run], other: str) -> None:
    found = diff(runs["full"], runs[other])
    assert (found.is_identical, found.is_same, found.n_same) == (False, True, runs["full"].log.end.events)  # type: ignore[union-attr]
    assert found.asked == [("level", "full", other)]


def test_a_sham_stands_beside_the_same_trajectory(runs: dict[str, Run], tmp_path: Path) -> None:
    sham = small(tmp_path / "sham", "governance.sham.rate=0.3")
    found = diff(runs["full"], sham)
    assert (found.parts, found.is_same) == (False, False)
    assert found.beside["note"][0] == 0 < found.beside["note"][1]
    assert "no agent sees" in found.why
    assert found.asked == [("governance.sham.rate", None, 0.3)]


# parted


@pytest.mark.parametrize("one", LEVELS)
@pytest.mark.parametrize("other", LEVELS)
def test_a_branch_parts_from_its_run_where_the_order_came(
    runs: dict[str, Run], branches: dict[str, Run], one: str, other: str
) -> None:
    found = diff(runs[one], branches[other])
    assert found.parts
    assert (found.a.event or {})["kind"] == "epoch_started"
    assert (found.b.event or {})["kind"] == "enacted"
    assert (found.epoch, found.n_same) == (1, runs["full"].log.checkpoints[0].events)
    assert found.why == "B was ordered to change a rule: random_audit.probability = 0.5."
    assert diff(branches[other], runs[one]).why.startswith("A was ordered to change a rule")
    assert found.a.counts.get("audited", 0) == 0 < found.b.counts["audited"]
    assert sum(found.a.counts.values()) == runs["full"].log.end.events - found.n_same  # type: ignore[union-attr]


def test_all_that_is_told_of_a_branch_is_the_same_at_every_level(
    runs: dict[str, Run], branches: dict[str, Run]
) -> None:
    told = [diff(runs[level], branches[level]) for level in LEVELS]
    for each in told[1:]:
        for name in ("epoch", "n_same", "why", "epochs", "metrics", "balances"):
            assert repr(getattr(each, name)) == repr(getattr(told[0], name)), name
        assert (each.a.counts, each.b.counts) == (told[0].a.counts, told[0].b.counts)
        assert decided(each) == decided(told[0])
    assert any("checkpoints alone: epoch 1 is the first whose state differs" in note for note in told[2].notes)
    assert told[0].notes == []


def decided(found: Divergence) -> tuple[Any, ...]:
    assert found.decision is not None
    return found.decision.agent, found.decision.step, found.decision.question, found.decision.decisions


def test_the_first_deal_decided_otherwise_is_explained_in_both_runs(
    runs: dict[str, Run], branches: dict[str, Run]
) -> None:
    found = diff(runs["full"], branches["full"])
    assert found.decision is not None
    assert found.decision.question == "propose"
    one, other = found.decision.decisions
    assert isinstance(one, Decision)
    assert isinstance(other, Decision)
    assert one.chosen is not None
    assert other.chosen is not None
    assert (one.chosen.effort, one.chosen.disguise) != (other.chosen.effort, other.chosen.disguise)
    assert "fine expected if bad" in other.options[0].parts
    assert "fine expected if bad" not in one.options[0].parts
    logged = [
        {(row["initiator"], row["counterparty"], row["effort"]) for row in made.log.records()
         if row["kind"] == "interaction" and row["step"] == found.decision.step}
        for made in (runs["full"], branches["full"])
    ]  # fmt: skip
    for deals, decision in zip(logged, (one, other), strict=True):
        terms = (int(found.decision.agent[2:]), int(decision.chosen.partner[2:]), decision.chosen.effort)  # type: ignore[union-attr]
        assert terms in deals


def test_what_followed_is_what_the_logs_say(runs: dict[str, Run], branches: dict[str, Run]) -> None:
    one, other = runs["full"], branches["full"]
    found = diff(one, other)
    assert found.epochs == range(1, 3)
    table = {row["metric"]: row for row in found.metrics}
    for name in ("toxicity_true", "toxicity_rate", "private_welfare"):
        means = [sum(row[name] for row in made.rows[1:]) / 2 for made in (one, other)]
        assert (table[name]["a"], table[name]["b"]) == pytest.approx(means)
        assert table[name]["change"] == pytest.approx(means[1] - means[0])
    last = [
        {
            row["agent"]: row["balance"]
            for row in made.log.records()
            if row["kind"] == "agent_state" and row["epoch"] == 2
        }
        for made in (one, other)
    ]
    changes = {slot: last[1][slot] - last[0][slot] for slot in last[0]}
    most = max(changes, key=lambda slot: abs(changes[slot]))
    assert (found.balances[0]["agent"], found.balances[0]["change"]) == (f"a_{most:02d}", changes[most])


def test_two_seeds_differ_in_luck(runs: dict[str, Run], tmp_path: Path) -> None:
    found = diff(runs["full"], small(tmp_path / "other", seed=7))
    assert found.asked == [("seed", 42, 7)]
    assert found.why == "The seeds differ, and so does all luck."
    assert found.epoch == 0


def test_another_scenario_is_told_by_what_was_asked(runs: dict[str, Run], tmp_path: Path) -> None:
    found = diff(runs["full"], small(tmp_path / "other", "payoff.theta=0.7", "payoff.h=2.5"))
    assert {key for key, *_ in found.asked} == {"payoff.theta", "payoff.h"}
    assert found.why == "Different things were asked for: payoff.h, payoff.theta."


def test_an_audit_is_traced_to_the_deal_that_it_looked_at(tmp_path: Path) -> None:
    fine, none = (small(tmp_path / str(p), AUDIT, f"governance.random_audit.penalty={p}", "adaptation=frozen")
                  for p in (3.0, 2.0))  # fmt: skip
    found = diff(fine, none)
    assert ((found.a.event or {})["kind"], found.differs_in, found.values) == ("audited", "fine", (3.0, 2.0))
    assert (found.a.cause or {})["kind"] == "interaction"
    assert (found.a.cause or {})["seq"] == (found.a.event or {})["causes"][0]


def test_a_refused_answer_is_explained_by_what_the_counterparty_knew(tmp_path: Path) -> None:
    """A higher transfer bar changes answers before proposals: agents that are asked say otherwise."""
    strict = "agents.0.params.threshold=0.6"
    one, other = small(tmp_path / "one"), small(tmp_path / "other", strict)
    found = diff(one, other)
    assert found.decision is not None
    assert found.decision.question == "accept"
    told = [decision.answer for decision in found.decision.decisions if decision is not None]
    assert told == [True, False]


# length


@pytest.mark.parametrize("level", LEVELS)
def test_a_cut_log_is_the_same_as_far_as_it_goes(
    runs: dict[str, Run], tmp_path: Path, capsys: Captured, level: str
) -> None:
    shutil.copytree(runs[level].path, tmp_path / "cut")
    log = runs[level].log_path.read_bytes()
    at = log.index(b"\n", log.index(b'{"kind":"checkpoint","epoch":1,')) + 1
    os.truncate(tmp_path / "cut" / "events.jsonl", at)
    found = diff(runs[level], tmp_path / "cut")
    assert (found.is_same, found.b.event, found.n_same) == (False, None, runs["full"].log.checkpoints[1].events)
    assert found.why == "B goes no further: its log is cut. A goes on, and up to there they are the same."
    assert (found.epoch, list(found.epochs)) == (2, [])
    assert main(["diff", str(runs[level].path), str(tmp_path / "cut")]) == 1
    told = capsys.readouterr().out
    assert "no whole epoch in common" in " ".join(told.split())
    assert all(len(line) <= 80 for line in told.splitlines())


@pytest.mark.parametrize("level", LEVELS)
def test_a_longer_run_goes_on_where_the_shorter_one_ends(
    runs: dict[str, Run], tmp_path: Path, capsys: Captured, level: str
) -> None:
    longer = small(tmp_path / "longer", "simulation.epochs=4", level=level)
    found = diff(runs["full"], longer)
    assert found.asked[-1] == ("simulation.epochs", 3, 4)
    assert [(side.event or {})["kind"] for side in (found.a, found.b)] == ["simulation_ended", "epoch_started"]
    assert found.n_same == runs["full"].log.end.events - 1  # type: ignore[union-attr]
    assert found.why == "A ends after 3 epochs, as it was asked for; B goes on, and up to there they are the same."
    assert (found.decision, list(found.epochs), found.is_same) == (None, [], False)
    assert diff(longer, runs["full"]).why.startswith("B ends after 3 epochs")
    assert main(["diff", str(runs["full"].path), str(longer.path)]) == 1
    told = capsys.readouterr().out
    assert "not one event" not in told
    assert f"the first {found.n_same:,} events" in told


def test_runs_of_other_lengths_that_part_before_their_ends_part_there(runs: dict[str, Run], tmp_path: Path) -> None:
    longer = small(tmp_path / "longer", "simulation.epochs=4", "payoff.h=2.5")
    found = diff(runs["full"], longer)
    assert found.n_same > 0
    assert (found.a.event or {})["kind"] not in ("simulation_started", "simulation_ended")
    assert found.why.startswith("Different things were asked for")
    steps = small(tmp_path / "steps", "simulation.epochs=4", "simulation.steps_per_epoch=5")
    assert diff(runs["full"], steps).n_same == 0, "a step more is no mere announcement"


def test_what_cannot_be_compared_does_not_end_as_if_it_differed(
    runs: dict[str, Run], tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "empty").mkdir()
    run = str(runs["full"].path)
    for words in (
        ["diff", run, str(tmp_path / "empty")],
        ["diff", str(tmp_path / "empty"), run],
        ["branch", str(tmp_path / "empty"), "--at", "1", "--set", AUDIT],
        ["compare", run, str(tmp_path / "empty")],
    ):
        assert main(words) == 2
        assert "there is no log of a run in this directory" in capsys.readouterr().err
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    (nothing / "events.jsonl").mkdir()
    assert main(["diff", run, str(nothing)]) == 2


def test_a_kill_is_named(runs: dict[str, Run], tmp_path: Path) -> None:
    killed = small(tmp_path / "killed", orders=[(1, 5, 0, Kill("enough"))])
    assert diff(runs["full"], killed).why == "B was ended from outside: enough."
    assert diff(killed, runs["full"]).why == "A was ended from outside: enough."


def test_an_order_in_mid_epoch_is_named(tmp_path: Path) -> None:
    tax = "governance.transaction_tax.rate=0.0"
    one = small(tmp_path / "one", tax)
    other = small(tmp_path / "other", tax, orders=[(1, 5, 0, Enact("transaction_tax", "rate", 0.3))])
    assert diff(one, other).why == "B was ordered to change a rule: transaction_tax.rate = 0.3."


def test_two_branches_of_one_run_are_told_by_both_rules(
    runs: dict[str, Run], branches: dict[str, Run], tmp_path: Path
) -> None:
    milder = branch(runs["full"], at=1, changes=["governance.random_audit.probability=0.1"], output=tmp_path / "milder")
    found = diff(branches["full"], milder)
    assert found.why == (
        "A was ordered to change a rule: random_audit.probability = 0.5, and B: random_audit.probability = 0.1."
    )
    assert (found.differs_in, found.values) == ("value", ("0.5", "0.1"))


# logs from elsewhere


def test_a_damaged_log_is_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    shutil.copytree(runs["full"].path, tmp_path / "bad")
    path = tmp_path / "bad" / "events.jsonl"
    log = bytearray(path.read_bytes())
    log[20_000] ^= 1
    path.write_bytes(log)
    with pytest.raises(LogDamaged):
        diff(runs["full"], tmp_path / "bad")
    with pytest.raises(UsageError, match="no run 'nowhere'"):
        diff("nowhere", runs["full"])


def test_the_same_question_with_another_answer_points_at_the_machine(runs: dict[str, Run], tmp_path: Path) -> None:
    forged = tmp_path / "forged.jsonl"
    forge(runs["full"].log_path, forged, lambda record: record["kind"] == "interaction" and record.update(trust=0.5))
    found = diff(runs["full"], forged)
    assert found.differs_in == "trust"
    assert found.why.startswith("The same was asked for, so the same should have happened")


def test_checkpoints_that_differ_without_an_event_are_told(runs: dict[str, Run], tmp_path: Path) -> None:
    forged = tmp_path / "forged.jsonl"
    forge(
        runs["epoch"].log_path,
        forged,
        lambda record: record["kind"] == "checkpoint" and record["epoch"] == 1 and record.update(state="0" * 64),
    )
    found = diff(runs["epoch"], forged)
    assert (found.is_same, found.epoch, found.parts) == (False, 1, False)
    assert "one of the logs is not what this model does" in found.why


def test_logs_of_checkpoints_of_another_model_are_compared_epoch_by_epoch(
    runs: dict[str, Run], branches: dict[str, Run], tmp_path: Path
) -> None:
    old = []
    for name, made in (("a", runs["epoch"]), ("b", branches["epoch"])):
        old.append(tmp_path / f"{name}.jsonl")
        forge(made.log_path, old[-1], lambda record: record["kind"] == "header" and record.update(model="mesocosm-1"))
    found = diff(*old)
    assert (found.is_same, found.epoch, found.parts) == (False, 1, False)
    assert "cannot be found by simulating again" in found.notes[-1]


@pytest.mark.usefixtures("registries_as_they_were")
def test_agents_from_outside_are_shown_with_what_they_answered(tmp_path: Path, capsys: Captured) -> None:
    made = []
    for efforts in (1.0, 0.0):

        @agent("moody")
        class Moody(BaseAgent):
            """Always tries as hard."""

            effort = efforts

            def select_action(self, observation: Observation) -> Action:
                return Action("pass")

            def propose_interaction(self, observation: Observation) -> InteractionProposal | None:
                names = [candidate.agent_id for candidate in observation.candidates]
                return InteractionProposal(names[0], effort=self.effort) if names else None

            def accept_interaction(self, proposal: InteractionProposal) -> bool:
                return True

        made.append(small(tmp_path / str(efforts), "agents.0.type=moody"))
    found = diff(*made)
    assert found.decision is not None
    assert found.decision.a is not None
    assert found.decision.a.external
    assert main(["diff", *(str(each.path) for each in made)]) == 1
    assert capsys.readouterr().out.count("answer      ") == 2


# the command


def test_the_command_tells_it_on_a_screen(runs: dict[str, Run], branches: dict[str, Run], capsys: Captured) -> None:
    for level in LEVELS:
        assert main(["diff", str(runs[level].path), str(branches[level].path)]) == 1
        told = capsys.readouterr().out
        assert "B was ordered to change a rule: random_audit.probability = 0.5." in told
        assert "The first deal decided otherwise: a_" in told
        assert "In A: " in told
        assert "mean, epochs 1 to 2" in told
        assert told.index("toxicity_rate") < told.index("toxicity_true")
        assert all(len(line) <= 80 for line in told.splitlines() if "events.jsonl" not in line)


def test_the_command_ends_with_the_codes_of_diff(runs: dict[str, Run], tmp_path: Path, capsys: Captured) -> None:
    path = str(runs["full"].path)
    assert main(["diff", path, path]) == 0
    assert "the same, to the byte" in capsys.readouterr().out
    assert main(["diff", path, str(runs["columns"].path)]) == 0
    assert "the same happened in both" in capsys.readouterr().out
    assert main(["diff", path, str(small(tmp_path / "other", seed=3).path)]) == 1
    told = capsys.readouterr().out
    assert "seed: 42 | 3" in told
    assert all(len(line) <= 80 for line in told.splitlines())
    assert main(["diff", path, "nowhere"]) == 2


def test_the_command_gives_json(runs: dict[str, Run], branches: dict[str, Run], capsys: Captured) -> None:
    assert main(["diff", str(runs["full"].path), str(branches["full"].path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["b"]["event"]["kind"] == "enacted"
    assert told["epochs_after"] == [1, 2]
    assert {"metric", "a", "b", "change"} == set(told["metrics"][0])
    assert told["decision"]["decisions"]["a"]["chosen"] is not None
    assert (told["same"], told["identical"]) == (False, False)


def test_both_are_there_in_python(runs: dict[str, Run], tmp_path: Path) -> None:
    other = mc.branch(runs["full"], at=2, changes=[AUDIT], output=tmp_path / "branch")
    assert mc.diff(runs["full"], other).epoch == 2


@pytest.mark.parametrize("at", [2.5, "2", True, None])
def test_a_branch_goes_on_from_a_whole_epoch_only(runs: dict[str, Run], at: Any) -> None:
    with pytest.raises(UsageError, match="an epoch is a whole number, from 0 to 2"):
        mc.branch(runs["full"], at=at, changes=[AUDIT])


def test_a_branch_over_seeds_is_told_without_a_stray_line(
    runs: dict[str, Run], tmp_path: Path, capsys: Captured
) -> None:
    words = ["branch", str(runs["full"].path), "--at", "1", "--set", AUDIT, "--output", str(tmp_path / "b")]
    assert main([*words, "--seeds", "2", "--no-plot"]) == 0
    told = capsys.readouterr().out
    assert "\n\n\n" not in told
    assert "\n\nrun  " in told


def test_a_branch_alone_is_compared_with_its_parent(
    runs: dict[str, Run], branches: dict[str, Run], tmp_path: Path, capsys: Captured
) -> None:
    assert repr(diff(branches["full"]).metrics) == repr(diff(runs["full"], branches["full"]).metrics)
    assert main(["diff", str(branches["full"].path)]) == 1
    assert "B was ordered to change a rule" in capsys.readouterr().out
    assert main(["diff", str(runs["full"].path)]) == 2
    assert "this run is no branch, so it has no parent" in capsys.readouterr().err
