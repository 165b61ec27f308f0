"""A branch goes on from an epoch under other rules: the same bytes before it, and only what the rules do after it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mesocosm as mc
from mesocosm import registry
from mesocosm.agents.contract import Action, BaseAgent, InteractionProposal, Observation, agent
from mesocosm.analysis.branch_effect import compare_branch
from mesocosm.api import Enact, Kill
from mesocosm.cli.main import main
from mesocosm.config.parameters import default_parameters
from mesocosm.config.schema import Scenario
from mesocosm.errors import ConfigError, LogDamaged, UsageError
from mesocosm.log.integrity import recover
from mesocosm.runner import directory
from mesocosm.runner.branch import branch, branch_point
from mesocosm.runner.decision import explain_decision
from mesocosm.runner.inputs import Order, orders_of
from mesocosm.runner.runner import Run, load_run, resume, run
from scenario_strategy import effort, scenarios

LEVELS = ("full", "columns", "epoch")
SHORT = ("simulation.epochs=4", "simulation.steps_per_epoch=3")
AUDIT = "governance.random_audit.probability=0.5"
TAX = "governance.transaction_tax.rate=0.2"
Captured = pytest.CaptureFixture[str]


def small(path: Path, *overrides: str, **options: Any) -> Run:
    return run("adversarial_attack", overrides=[*SHORT, *overrides], output=path, **options)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without levers, never changed by a test."""
    return small(tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture(scope="module")
def audited(plain: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The plain run with audits from epoch 2 on."""
    return branch(plain, at=2, changes=[AUDIT], output=tmp_path_factory.mktemp("audited") / "branch")


def bytes_of(made: Run) -> bytes:
    """Every byte of a log and its shards, names included."""
    shards = sorted((made.path / "shards").glob("*")) if made.path.is_dir() else []
    return made.log_path.read_bytes() + b"".join(each.name.encode() + each.read_bytes() for each in shards)


def lines_before(made: Run, epoch: int) -> list[bytes]:
    """The lines of a log up to the end of the epoch before."""
    lines = made.log_path.read_bytes().splitlines()
    mark = b'{"kind":"checkpoint","epoch":%d,' % (epoch - 1)
    return lines[: 1 + next((number for number, line in enumerate(lines) if line.startswith(mark)), 0)]


# nothing changed


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_branch_with_nothing_changed_has_the_bytes_of_the_run(tmp_path: Path, level: str, at: int) -> None:
    made = small(tmp_path / "run", AUDIT, level=level)
    same = branch(made, at=at, output=tmp_path / "branch")
    assert bytes_of(same) == bytes_of(made)
    assert repr(same.rows) == repr(made.rows)


@effort(8, 200)
@given(scenario=scenarios(), data=st.data())
def test_whatever_the_scenario_and_the_epoch_nothing_changed_is_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, scenario: Scenario, data: st.DataObject
) -> None:
    folder, epochs = tmp_path_factory.mktemp("any"), scenario.simulation.epochs
    orders: list[Order] = []
    if scenario.governance:
        lever = data.draw(st.sampled_from(sorted(scenario.governance)))
        name, value = next(iter(registry.find("lever", lever).target.neutral.items()))
        step = data.draw(st.integers(0, epochs * scenario.simulation.steps_per_epoch - 1))
        orders = [(step // scenario.simulation.steps_per_epoch, step, 0, Enact(lever, name, value))]
    made = run(scenario, output=folder / "run", orders=orders)
    same = branch(made, at=data.draw(st.integers(0, epochs - 1)), output=folder / "branch")
    assert bytes_of(same) == bytes_of(made)
    shutil.rmtree(folder)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_orders_before_and_after_the_branch_point_are_kept_a_kill_too(tmp_path: Path, level: str, at: int) -> None:
    tax = [(epoch, 3 * epoch + 1, 1, Enact("transaction_tax", "rate", 0.1 * epoch)) for epoch in range(4)]
    orders: list[Order] = [*tax, (3, 11, 0, Kill("enough"))]
    made = small(tmp_path / "run", TAX, orders=orders, level=level)
    assert made.reason == "enough"
    same = branch(made, at=at, output=tmp_path / "branch")
    assert bytes_of(same) == bytes_of(made)


@pytest.mark.parametrize("level", LEVELS)
def test_a_cut_run_is_branched_into_what_resuming_it_gives(tmp_path: Path, level: str) -> None:
    made = small(tmp_path / "run", TAX, orders=[(0, 1, 0, Enact("transaction_tax", "rate", 0.3))], level=level)
    whole = made.log_path.read_bytes()
    place = whole.index(b'{"kind":"checkpoint","epoch":2,')
    os.truncate(made.log_path, whole.index(b"\n", place) + 40)
    for at in (0, 2, 3):
        same = branch(tmp_path / "run", at=at, output=tmp_path / f"branch{at}")
        assert same.log_path.read_bytes() == whole
    resume(tmp_path / "run")
    assert branch(tmp_path / "run", at=1, output=tmp_path / "again").log_path.read_bytes() == whole


def test_a_rule_set_to_what_it_is_already_changes_nothing(tmp_path: Path) -> None:
    made = small(tmp_path / "run", TAX, orders=[(1, 3, -1, Enact("transaction_tax", "rate", 0.3))])
    point = branch_point(made, 2, ["governance.transaction_tax.rate=0.3", "governance.random_audit=null"])
    assert (point.is_unchanged, point.enacted) == (True, ())
    assert branch_point(made, 2, [TAX]).enacted == (Enact("transaction_tax", "rate", 0.2),)
    audited = branch(made, at=2, changes=[AUDIT], output=tmp_path / "audited")
    assert branch_point(audited, 2, [AUDIT]).is_unchanged
    off = branch_point(audited, 2, ["governance.random_audit=null"])
    assert off.enacted == (Enact("random_audit", "probability", 0.0),)


# a rule changed


def test_nothing_differs_before_the_epoch_and_the_order_comes_first(plain: Run, audited: Run) -> None:
    before = lines_before(plain, 2)
    assert len(before) > 200
    lines = audited.log_path.read_bytes().splitlines()
    assert lines[: len(before)] == before
    order, enacted, opened = (json.loads(line) for line in lines[len(before) : len(before) + 3])
    assert (order["kind"], enacted["kind"], opened["kind"]) == ("input", "enacted", "epoch_started")
    assert {(each["epoch"], each["step"], each["turn"]) for each in (order, enacted)} == {(2, 6, -1)}
    assert orders_of(audited.log) == [(2, 6, -1, Enact("random_audit", "probability", 0.5))]
    audits = audited.log.columns("audited")["epoch"].tolist()
    assert set(audits) == {2, 3}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("turns", ["simultaneous", "sequential"])
def test_a_branch_verifies_and_can_be_branched_again(tmp_path: Path, level: str, turns: str) -> None:
    made = small(tmp_path / "run", f"simulation.turns={turns}", level=level)
    first = branch(made, at=1, changes=[AUDIT], output=tmp_path / "first")
    second = branch(first, at=2, changes=["governance.random_audit=null", TAX], output=tmp_path / "second")
    same = branch(second, at=2, output=tmp_path / "same")
    assert bytes_of(same) == bytes_of(second)
    for each in (first, second):
        told = mc.replay(each.path)
        assert (told.complete, told.trajectory) == (True, each.trajectory)
    assert len({made.trajectory, first.trajectory, second.trajectory}) == 3


def test_learning_agents_respond_from_the_epoch_on_and_not_before(plain: Run, audited: Run) -> None:
    """The fine is known as soon as it is in force, in the first turn of the epoch, and not a turn earlier."""

    def fears(made: Run, step: int) -> list[bool]:
        told = [explain_decision(made.path, slot, step).decisions for slot in range(10, 16)]
        options = [one.options[0] for each in told for one in each if one.question == "propose" and one.options]
        return [option.parts.get("fine expected if bad", 0.0) > 0.0 for option in options]

    assert not any(fears(audited, 5))
    assert all(fears(audited, 6))
    assert not any(fears(plain, 6))


@pytest.mark.parametrize("lever", registry.names("lever"))
def test_every_lever_can_be_switched_on_in_mid_run_and_leaves_no_trace_before(
    plain: Run, tmp_path: Path, lever: str
) -> None:
    target = registry.find("lever", lever).target
    made = branch(plain, at=2, changes=[f"governance.{lever}={{}}"], output=tmp_path / "on")
    before = lines_before(plain, 2)
    assert made.log_path.read_bytes().splitlines()[: len(before)] == before
    values = {each["parameter"] for each in made.log.records() if each["kind"] == "enacted"}
    expected = {name for name, value in target.neutral.items() if default_parameters(target)[name] != value}
    assert values == expected
    assert mc.replay(made.path).complete


def test_a_rule_that_changes_before_epoch_0_does_what_it_does_in_the_scenario(tmp_path: Path) -> None:
    rules = [AUDIT, TAX, "governance.circuit_breaker.threshold=0.3"]
    written = small(tmp_path / "written", *rules)
    ordered = branch(small(tmp_path / "plain"), at=0, changes=rules, output=tmp_path / "ordered")
    assert repr(ordered.rows) == repr(written.rows)


def test_a_lever_switched_off_does_nothing_more(tmp_path: Path) -> None:
    made = small(tmp_path / "run", AUDIT, TAX)
    off = branch(
        made, at=2, changes=["governance.random_audit=null", "governance.transaction_tax=null"], output=tmp_path / "off"
    )
    assert set(off.log.columns("audited")["epoch"].tolist()) == {0, 1}
    charged = off.log.columns("interaction")
    assert charged["c_a"][charged["epoch"] < 2].any()
    assert not charged["c_a"][charged["epoch"] >= 2].any()
    assert mc.replay(off.path).complete


def test_later_orders_are_kept_unless_asked_and_a_kill_ends_no_changed_branch(tmp_path: Path) -> None:
    orders: list[Order] = [
        (1, 4, 0, Enact("transaction_tax", "rate", 0.1)),
        (3, 9, 1, Enact("transaction_tax", "rate", 0.4)),
        (3, 10, 0, Kill("enough")),
    ]
    made = small(tmp_path / "run", TAX, orders=orders)
    kept = branch(made, at=2, changes=[AUDIT], output=tmp_path / "kept")
    assert [order[:3] for order in orders_of(kept.log)] == [(1, 4, 0), (2, 6, -1), (3, 9, 1)]
    assert (kept.reason, len(kept.rows)) == ("completed", 4)
    free = branch(made, at=2, keep_orders=False, output=tmp_path / "free")
    assert [order[:3] for order in orders_of(free.log)] == [(1, 4, 0)]
    assert lines_before(free, 2) == lines_before(made, 2)
    assert mc.replay(free.path).complete


# the run directory


def test_the_manifest_names_parent_epoch_and_changes(plain: Run, audited: Run) -> None:
    facts = directory.read_manifest(audited.path)
    assert (facts["status"], facts["run"]) == ("completed", "branch")
    parent = facts["parent"]
    assert (parent["run"], parent["epoch"]) == (plain.path.name, 2)
    assert parent["trajectory_sha256"] == plain.trajectory
    assert parent["trajectory_sha256_there"] == audited.log.checkpoints[1].trajectory
    assert parent["changes"] == [AUDIT]
    assert load_run(audited.path).scenario == plain.scenario


@pytest.mark.parametrize("level", LEVELS)
def test_a_branch_that_was_cut_goes_on_to_its_own_bytes(tmp_path: Path, level: str) -> None:
    order: Order = (3, 10, 0, Enact("transaction_tax", "rate", 0.4))
    made = small(tmp_path / "run", TAX, level=level, orders=[order])
    whole = branch(made, at=2, changes=[AUDIT], output=tmp_path / "branch")
    log, ends = bytes_of(whole), whole.log_path.read_bytes()
    shared = len(b"\n".join(lines_before(made, 2))) + 1
    for at in (shared, shared + 30, (shared + len(ends)) // 2, len(ends) - 1):
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        shutil.copytree(whole.path, tmp_path / "cut")
        os.truncate(tmp_path / "cut" / "events.jsonl", at)
        again = resume(tmp_path / "cut")
        assert bytes_of(again) == log, f"cut at byte {at}"
        assert directory.read_manifest(tmp_path / "cut")["parent"]["run"] == "run"


def test_a_branch_that_was_killed_at_once_holds_all_that_it_shares_with_the_run(plain: Run, tmp_path: Path) -> None:
    class Stopped(Exception):
        """The process ends in the first epoch."""

    def fail(epoch: int, row: Any) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        branch(plain, at=2, changes=[AUDIT], output=tmp_path / "branch", progress=fail)
    lines = (tmp_path / "branch" / "events.jsonl").read_bytes().splitlines()
    assert lines == lines_before(plain, 2)
    assert recover(tmp_path / "branch").cut
    again = resume(tmp_path / "branch")
    assert orders_of(again.log)[0][:3] == (2, 6, -1)


def test_a_branch_is_stopped_after_what_it_shares_with_the_run_and_verifies(plain: Run, tmp_path: Path) -> None:
    made = branch(plain, at=2, changes=[AUDIT], output=tmp_path / "branch", stop=lambda: "tired")
    assert (made.reason, len(made.rows)) == ("tired", 2)
    assert [order[:3] for order in orders_of(made.log)] == [(2, 6, -1), (2, 6, 0)]
    assert orders_of(made.log)[1][3] == Kill("tired")
    assert mc.replay(made.path).reason == "tired"


def test_orders_in_a_manifest_that_make_no_sense_are_refused(audited: Run, tmp_path: Path) -> None:
    shutil.copytree(audited.path, tmp_path / "cut")
    os.truncate(tmp_path / "cut" / "events.jsonl", 40_000)
    facts = directory.read_manifest(tmp_path / "cut")
    facts["parent"]["orders"] = [[2, 6, -1, "enact", ["random_audit"]]]
    directory.write_manifest(tmp_path / "cut", facts)
    with pytest.raises(UsageError, match=r"manifest\.json: .* is no order to enact or kill"):
        resume(tmp_path / "cut")


# agents from outside


def register_moody(mood: Iterator[float]) -> None:
    """Agents whose dealings hang on a mood that no second run has."""

    @agent("moody")
    class Moody(BaseAgent):
        """Deals by mood."""

        def select_action(self, observation: Observation) -> Action:
            return Action("pass")

        def propose_interaction(self, observation: Observation) -> InteractionProposal | None:
            luck = next(mood)
            if not observation.candidates or luck < 0.2:
                return None
            return InteractionProposal(observation.candidates[0].agent_id, effort=1.0 if luck < 0.7 else 0.0)

        def accept_interaction(self, proposal: InteractionProposal) -> bool:
            return next(mood) < 0.8


@pytest.mark.usefixtures("registries_as_they_were")
@pytest.mark.parametrize("level", LEVELS)
def test_agents_from_outside_answer_as_recorded_and_anew_from_the_epoch_on(tmp_path: Path, level: str) -> None:
    register_moody((0.37 * number) % 1.0 for number in count())
    made = small(tmp_path / "run", "agents.0.type=moody", level=level)
    register_moody((0.59 * number) % 1.0 for number in count())
    same = branch(made, at=2, output=tmp_path / "same")
    assert bytes_of(same) == bytes_of(made)
    other = branch(made, at=2, changes=["governance.sham.rate=0.5"], output=tmp_path / "other")
    assert lines_before(other, 2) == lines_before(made, 2)
    answers = [
        [tuple(row) for row in zip(*(table[name].tolist() for name in ("epoch", "agent", "answer")), strict=True)]
        for table in (made.log.columns("input"), other.log.columns("input"))
    ]
    early = [[row for row in each if row[0] < 2] for each in answers]
    late = [[row for row in each if row[0] >= 2 and row[1] >= 0] for each in answers]
    assert early[0] == early[1] != []
    assert late[0] != late[1]
    assert mc.replay(other.path).complete


@pytest.mark.usefixtures("registries_as_they_were")
def test_a_cut_branch_remembers_what_agents_from_outside_said_before_it(tmp_path: Path) -> None:
    register_moody((0.37 * number) % 1.0 for number in count())
    made = small(tmp_path / "run", "agents.0.type=moody")
    whole = branch(made, at=2, changes=[AUDIT], output=tmp_path / "branch")
    os.truncate(whole.log_path, len(whole.log_path.read_bytes()) // 2 + 2000)
    assert lines_before(resume(whole.path), 2) == lines_before(made, 2)


# over paired seeds


def test_the_effect_over_seeds_is_that_of_single_branches(tmp_path: Path) -> None:
    made = small(tmp_path / "run", TAX, orders=[(0, 2, 0, Enact("transaction_tax", "rate", 0.0))])
    found = compare_branch(branch_point(made, 2, [AUDIT]), seeds=[1000, 1001])
    arms = {name: arm for (_, name), arm in found.arms.items()}
    for metric in ("toxicity_true", "toxicity_rate", "private_welfare"):
        before = [arms[name].epochs[metric][:, :2].tolist() for name in ("base", "changed")]
        assert before[0] == before[1]
    for number, seed in enumerate((1000, 1001)):
        one = small(tmp_path / f"run{seed}", TAX, seed=seed, orders=[(0, 2, 0, Enact("transaction_tax", "rate", 0.0))])
        other = branch(one, at=2, changes=[AUDIT], output=tmp_path / f"branch{seed}")
        for name, each in (("base", one), ("changed", other)):
            assert arms[name].epochs["toxicity_true"][number].tolist() == [row["toxicity_true"] for row in each.rows]
            assert arms[name].whole["private_welfare"][number] == pytest.approx(
                sum(row["private_welfare"] for row in each.rows[2:]) / 2
            ), "over the epochs from the branch point on"
    assert found.effect("toxicity_true").change < 0.0


def test_there_is_nothing_to_compare_when_nothing_changes(plain: Run) -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        compare_branch(branch_point(plain, 2, []))
    with pytest.raises(UsageError, match="at least two seeds"):
        compare_branch(branch_point(plain, 2, [AUDIT]), seeds=1)


# what is refused


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("payoff.theta=0.1", "cannot change in the middle of a run; only the rules of governance can"),
        ("simulation.epochs=9", "cannot change in the middle of a run"),
        ("transaction_tax.rate=0.1", "Did you mean governance.transaction_tax.rate?"),
        ("transaction_tax.rat=0.1", "Did you mean governance.transaction_tax.rate?"),
        ("probability=0.1", "Did you mean governance.random_audit.probability?"),
        ("governance.random_audit.probabilty=0.1", "Did you mean probability?"),
        ("governance.random_audit.probability=2", "at most 1"),
        ("governance.random_audit.probability", "expected path=value"),
    ],
)
def test_only_governance_can_change_and_the_right_name_is_told(plain: Run, change: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        branch_point(plain, 2, [change])
    assert told in str(refused.value)


@pytest.mark.parametrize("at", [-1, 4, 100])
def test_an_epoch_that_the_run_does_not_have_is_refused(plain: Run, at: int) -> None:
    with pytest.raises(UsageError, match=f"--at {at}: this run has epochs 0 to 3"):
        branch(plain, at=at, changes=[AUDIT])


def test_a_cut_run_can_be_left_only_where_it_has_been(plain: Run, tmp_path: Path) -> None:
    shutil.copytree(plain.path, tmp_path / "cut")
    log = plain.log_path.read_bytes()
    os.truncate(tmp_path / "cut" / "events.jsonl", log.index(b'{"kind":"checkpoint","epoch":1,') + 9)
    with pytest.raises(
        UsageError, match=r"--at 2: this run ended after 1 whole epoch, so it can go on from epoch 0 to 1"
    ):
        branch(tmp_path / "cut", at=2, changes=[AUDIT])
    assert branch(tmp_path / "cut", at=1, changes=[AUDIT], output=tmp_path / "branch").reason == "completed"


def test_what_is_no_run_or_has_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run 'nowhere'"):
        branch("nowhere", at=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no log of a run"):
        branch(tmp_path / "empty", at=0)
    (tmp_path / "broken.jsonl").write_bytes(b'{"kind":"header"')
    with pytest.raises(LogDamaged):
        branch(tmp_path / "broken.jsonl", at=0)


def test_a_branch_never_writes_over_a_run(plain: Run, audited: Run, tmp_path: Path) -> None:
    before = audited.log_path.read_bytes()
    with pytest.raises(UsageError, match="there is a run in this directory already"):
        branch(plain, at=1, output=audited.path)
    assert audited.log_path.read_bytes() == before
    with pytest.raises(UsageError, match="a branch is a run directory"):
        branch(plain, at=1, output=tmp_path / "log.jsonl")


# the command


def test_the_command_tells_what_changed_and_fits_the_screen(plain: Run, tmp_path: Path, capsys: Captured) -> None:
    words = ["branch", str(plain.path), "--at", "2", "--set", AUDIT, "--output", str(tmp_path / "b"), "--seeds", "3"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "adversarial_attack: governance.random_audit.probability=0.5, from epoch 2 on" in told
    for words_told in ("as it was  branch  change", "3 paired seeds (1000 to 1002)", "epochs 2 to 3 of 4 of 3 steps"):
        assert words_told in told
    rows = [line.split()[0] for line in told.splitlines() if line.startswith("toxicity")]
    assert rows == ["toxicity_rate", "toxicity_true"] * 2, "the truth beside the proxy"
    assert all(
        len(line) <= 80 for line in told.splitlines() if str(tmp_path) not in line and str(plain.path) not in line
    )
    record = json.loads((tmp_path / "b" / "comparison.json").read_text())
    assert (record["since_epoch"], record["changes"]) == (2, [AUDIT])
    assert (tmp_path / "b" / "comparison.png").is_file()
    assert main(["replay", str(tmp_path / "b"), "--verify"]) == 0


def test_the_command_says_when_nothing_changes(plain: Run, tmp_path: Path, capsys: Captured) -> None:
    assert main(["branch", str(plain.path), "--at", "1", "--output", str(tmp_path / "same")]) == 0
    assert "the same, to the byte" in capsys.readouterr().out
    assert main(["branch", str(plain.path), "--at", "1", "--seeds", "5"]) == 2
    assert "nothing is changed" in capsys.readouterr().err
    assert main(["branch", str(plain.path), "--at", "9"]) == 2
    assert "epochs 0 to 3" in capsys.readouterr().err
    assert main(["branch", str(plain.path), "--at", "1", "--set", "payoff.theta=1"]) == 2
    assert "only the rules of governance can" in capsys.readouterr().err


def test_the_command_gives_json_and_names_orders_left_out(tmp_path: Path, capsys: Captured) -> None:
    orders: list[Order] = [(3, 9, 1, Enact("transaction_tax", "rate", 0.4)), (3, 10, 0, Kill("enough"))]
    small(tmp_path / "run", TAX, orders=orders)
    words = ["branch", str(tmp_path / "run"), "--at", "2", "--set", AUDIT, "--output"]
    assert main([*words, str(tmp_path / "one"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["enacted"] == [{"lever": "random_audit", "parameter": "probability", "value": 0.5, "replicate": None}]
    assert (told["orders_kept"], told["orders_left_out"]) == (["transaction_tax.rate = 0.4"], ["to end (enough)"])
    assert main([*words, str(tmp_path / "two"), "--no-orders"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "left out orders that the run was given later: transaction_tax.rate = 0.4 (epoch 3, step 9)" in told


def test_a_branch_without_a_name_is_the_latest_run(plain: Run, capsys: Captured) -> None:
    assert main(["branch", str(plain.path), "--at", "3", "--set", TAX, "-q"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert "_branch_adversarial_attack_" in path.name
    assert load_run("latest").path == path
    assert {"epochs.parquet", "agents.parquet", "manifest.json"} <= {each.name for each in path.iterdir()}
