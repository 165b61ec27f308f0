"""Agents written as Python objects: they play like array policies, are held to the menus, and their runs replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesocosm import registry
from mesocosm.agents.contract import Action, BaseAgent, InteractionOutcome, InteractionProposal, Observation, agent
from mesocosm.agents.duties import N_TOPICS
from mesocosm.agents.records import SoftInteraction, slot_of_agent, soft_interactions
from mesocosm.api import ACTIONS, POST, REPLY, SUBMIT, VOTE, Acts, DecisionRequest, Proposals
from mesocosm.config.load import load_scenario, parse_scenario, scenario_from_dict, scenario_to_dict
from mesocosm.config.schema import Scenario
from mesocosm.engine import answers
from mesocosm.engine.loop import simulate
from mesocosm.env.events import EVENT_FIELDS, Checkpoint, EventBatch
from mesocosm.errors import ConfigError, MesocosmError, UsageError
from mesocosm.log.canonical import Chain, encode_batch
from mesocosm.log.read import read_log
from mesocosm.log.write import LogSet, LogWriter
from mesocosm.runner.agents_driver import AgentsDriver, ReplayedDecisions
from mesocosm.runner.drive import Plan, drive
from mesocosm.runner.replay import replay
from mesocosm.runner.runner import header_of, run

TEMPLATES = ("policy", "agent", "lever", "metric")


pytestmark = pytest.mark.usefixtures("registries_as_they_were")


@pytest.fixture
def honest_example(checkout: Path) -> Path:
    path = checkout / "examples" / "honest_agent.py"
    registry.load_plugin(path)
    return path


@dataclass
class Played:
    trajectories: list[str]
    states: list[str]
    batches: list[EventBatch]
    driver: Any
    inputs: list[tuple[str, int, str]] = field(default_factory=list)

    def rows(self, kind: str) -> Iterator[dict[str, Any]]:
        for batch in self.batches:
            if batch.kind == kind:
                for row in range(len(batch)):
                    yield {"step": batch.step} | {name: values[row] for name, values in batch.column.items()}


def play(scenarios: Sequence[Scenario], seeds: Sequence[int], driver: Any = None, detail: bool = True) -> Played:
    """Play a batch and chain the trajectory of each replicate."""
    driver = driver or AgentsDriver(scenarios)
    chains = [Chain() for _ in seeds]
    played = Played([], [], [], driver)
    game = simulate(scenarios, seeds, detail)
    answer: Any = None
    while True:
        try:
            item = game.send(answer)
        except StopIteration:
            break
        answer = None
        if isinstance(item, DecisionRequest):
            answer = driver.decide(item)
        elif isinstance(item, Checkpoint):
            played.states = item.state_sha256
        elif isinstance(item, EventBatch):
            driver.observe(item)
            played.batches.append(item)
            if detail and not item.is_annotation:
                bodies = encode_batch(item, slice(0, len(item)))
                for replicate, body in zip(item.replicate.tolist(), bodies, strict=True):
                    chains[replicate].add_events([body])
    played.trajectories = [chain.trajectory_hex for chain in chains]
    return played


def scenario_with(changed: dict[str, str], *overrides: str, base: str = "baseline", **params: Any) -> Scenario:
    """A bundled scenario in which other agents take the place of some policies."""
    written = scenario_to_dict(load_scenario(base, overrides))
    for group in written["agents"]:
        if group["type"] in changed:
            group |= {"type": changed[group["type"]], "params": params}
    return scenario_from_dict(written)


class Plain(BaseAgent):
    """Does nothing; tests change one of its answers."""

    def propose_interaction(self, observation: Observation) -> Any:
        return None

    def accept_interaction(self, proposal: InteractionProposal) -> Any:
        return False

    def select_action(self, observation: Observation) -> Any:
        return Action()


# --- the worked example


@pytest.mark.parametrize("turns", ["simultaneous", "sequential"])
@pytest.mark.parametrize("base", ["baseline", "adversarial_attack"])
def test_the_honest_policy_written_per_agent_gives_the_same_trajectory(
    honest_example: Path, turns: str, base: str
) -> None:
    wanted = (f"simulation.turns={turns}", "simulation.epochs=3", "tasks.per_epoch=3")
    built_in = play([load_scenario(base, wanted)], [42])
    per_agent = play([scenario_with({"honest": "my_honest"}, *wanted, base=base)], [42])
    kinds = {batch.kind for batch in per_agent.batches}
    assert {"posted", "replied", "voted", "task_completed", "interaction", "input"} <= kinds
    assert per_agent.trajectories == built_in.trajectories
    assert per_agent.driver.complaints == []


def test_replicates_with_different_rules_share_one_driver(honest_example: Path) -> None:
    wanted = [("trust.minimum=0.3",), ("trust.minimum=0.58", "feed.post_rate=0.4"), ("conduct.transfer=0.2",)]
    seeds = [1, 2, 3]
    built_in = [load_scenario("baseline", ["simulation.epochs=2", *change]) for change in wanted]
    per_agent = [scenario_with({"honest": "my_honest"}, "simulation.epochs=2", *change) for change in wanted]
    together = play(per_agent, seeds)
    assert together.trajectories == play(built_in, seeds).trajectories
    assert together.trajectories[1:2] == play(per_agent[1:2], seeds[1:2]).trajectories


def test_the_worked_example_fits_in_30_lines(honest_example: Path) -> None:
    assert len(honest_example.read_text(encoding="utf-8").splitlines()) < 30


# --- what agents are told


def audits_of(played: Any) -> dict[int, tuple[bool, float]]:
    """What was found of each interaction that was audited, and the fine."""
    return {
        int(cause): (bool(found), float(fine))
        for batch in played.batches
        if batch.kind == "audited"
        for cause, found, fine in zip(batch.cause, batch.column["found"], batch.column["fine"], strict=True)
    }


def test_an_agent_learns_of_its_interactions_only_what_its_side_may_know() -> None:
    told: list[tuple[str, InteractionOutcome]] = []

    @agent("listener")
    class Listener(BaseAgent):
        """Honest, and listens."""

        def propose_interaction(self, observation: Observation) -> InteractionProposal | None:
            other = observation.candidates[-1].agent_id
            return InteractionProposal(other, effort=observation.efforts[1], tau=observation.transfers[0])

        def accept_interaction(self, proposal: InteractionProposal) -> bool:
            assert np.isnan(proposal.effort)
            assert np.isnan(proposal.disguise)
            assert proposal.counterparty_id == self.agent_id != proposal.initiator_id
            return proposal.clears(proposal.own_bar)

        def select_action(self, observation: Observation) -> Action:
            return self.usual_action(observation)

        def update_state(self, outcome: InteractionOutcome) -> None:
            told.append((self.agent_id, outcome))

    wanted = ("simulation.epochs=2", "governance.random_audit.probability=0.3")
    played = play([scenario_with({"honest": "listener"}, *wanted)], [42])
    listeners = {0, 1, 2}
    logged = [
        (side, deal)
        for batch in played.batches
        if batch.kind == "interaction"
        for deal in soft_interactions(batch)
        for side in ("initiator", "counterparty")
        if slot_of_agent(getattr(deal, side)) in listeners
    ]
    fines = {seq: fine for seq, (_, fine) in audits_of(played).items()}
    assert len(told) == len(logged) > 50
    for (name, outcome), (side, deal) in zip(told, logged, strict=True):
        assert name == getattr(deal, side)
        assert outcome.is_initiator == (side == "initiator")
        assert outcome.accepted == deal.accepted
        assert outcome.v == (deal.v if deal.discovered or deal.audited else None)
        assert outcome.p == (deal.p if deal.accepted else None)
        gained = deal.pi_a - deal.private_cost - fines.get(deal.seq, 0.0) if outcome.is_initiator else deal.pi_b
        assert outcome.payoff == pytest.approx(gained if deal.accepted else 0.0, abs=1e-12)
    assert {outcome.v for _, outcome in told} == {None, 1, -1}


@pytest.mark.parametrize("detail", [True, False])
def test_an_agent_is_told_what_an_audit_read_and_pays_its_fines(detail: bool) -> None:
    told: list[InteractionOutcome] = []

    @agent("fined")
    class Fined(Plain):
        """Works a little for whoever comes first, and listens."""

        def propose_interaction(self, observation: Observation) -> InteractionProposal:
            return InteractionProposal(observation.candidates[0].agent_id, effort=0.5)

        def accept_interaction(self, proposal: InteractionProposal) -> bool:
            return True

        def update_state(self, outcome: InteractionOutcome) -> None:
            told.append(outcome)

    audit = ("probability=1.0", "accuracy=0.5", "penalty=3.0")
    wanted = ("simulation.epochs=2", "trust.discovery=0.0", *(f"governance.random_audit.{each}" for each in audit))
    scenario = scenario_with({"honest": "fined", "opportunistic": "fined", "deceptive": "fined"}, *wanted)
    played = play([scenario], [5], detail=True)
    events = {seq: deal for batch in played.batches if batch.kind == "interaction"
              for seq, deal in zip(batch.seq.tolist(), soft_interactions(batch), strict=True)}  # fmt: skip
    audits = audits_of(played)
    if not detail:
        told.clear()
        play([scenario], [5], detail=False)
    expected = [(deal, *audits.get(seq, (None, 0.0))) for seq, deal in events.items() for _ in range(2)]
    assert len(told) == len(expected) > 100
    misread = fined = 0
    for outcome, (deal, found, fine) in zip(told, expected, strict=True):
        assert outcome.v == (None if found is None else -1 if found else 1)
        gained = deal.pi_a - deal.private_cost - fine if outcome.is_initiator else deal.pi_b
        assert outcome.payoff == pytest.approx(gained if deal.accepted else 0.0, abs=1e-12)
        misread += outcome.v is not None and outcome.v != deal.v
        fined += fine == 3.0
    assert min(misread, fined) > 20


def test_an_observation_shows_own_standing_the_feed_and_the_menus() -> None:
    seen: dict[str, list[Observation]] = {"act": [], "propose": []}

    @agent("watcher")
    class Watcher(Plain):
        """Looks around."""

        def propose_interaction(self, observation: Observation) -> None:
            seen["propose"].append(observation)

        def select_action(self, observation: Observation) -> Action:
            seen["act"].append(observation)
            assert self.state == observation.me
            return Action("post", content=f"{observation.agent_id} was here in step {observation.step}")

    played = play([scenario_with({"honest": "watcher"}, "simulation.epochs=1")], [7])
    first, last = seen["act"][0], seen["act"][-1]
    assert (first.agent_id, first.role, first.me.resources) == ("a_00", "planner", 100.0)
    assert first.feed == ()
    assert first.focus is None
    written = {event["content"] for event in played.rows("posted")}
    assert "a_01 was here in step 0" in written
    assert {post.content for post in last.feed} <= written | {event["content"] for event in played.rows("replied")}
    assert last.focus in last.feed
    assert any(look.task is not None and look.task.stage == "pending" for look in seen["act"])
    offer = seen["propose"][0]
    assert (offer.efforts, offer.transfers) == ((0.0, 0.5, 1.0), (-0.5, 0.0, 0.5))
    assert offer.agent_id not in {candidate.agent_id for candidate in offer.candidates}
    assert len({look.luck for looks in seen.values() for look in looks}) == len(seen["act"]) + len(seen["propose"])


def test_what_an_agent_is_told_does_not_depend_on_the_level_of_the_log() -> None:
    @agent("grudging")
    class Grudging(Plain):
        """Trusts by payoff."""

        def __init__(self) -> None:
            self.account = 0.0

        def propose_interaction(self, observation: Observation) -> InteractionProposal:
            effort = 1.0 if self.account > 0.0 or observation.luck < 0.5 else 0.0
            return InteractionProposal(observation.candidates[0].agent_id, effort=effort)

        def accept_interaction(self, proposal: InteractionProposal) -> bool:
            return self.account < 5.0 and proposal.clears(proposal.own_bar)

        def update_state(self, outcome: InteractionOutcome) -> None:
            self.account = 0.9 * self.account + outcome.payoff

    scenario = scenario_with({"honest": "grudging"}, "simulation.epochs=2")
    full, lean = (play([scenario], [5], detail=detail) for detail in (True, False))
    assert full.states == lean.states
    inputs = [list(played.rows("input")) for played in (full, lean)]
    assert inputs[0] == inputs[1] != []


def test_every_field_of_an_interaction_event_is_in_the_soft_interaction_record() -> None:
    names = [item.name for item in fields(SoftInteraction)]
    assert names == ["epoch", "step", "turn", "seq", *EVENT_FIELDS["interaction"]]
    with pytest.raises(UsageError, match="holds no interactions"):
        soft_interactions(EventBatch("posted", 0, 0, 0, np.zeros(0, np.int64), np.zeros(0, np.int64)))


# --- bad answers


BAD_PROPOSALS: dict[str, Any] = {
    "candidates are": InteractionProposal("a_77"),
    "instead of an InteractionProposal": "a_01",
    "chose effort 0.7": 0.7,
    "chose tau 3.0": 3.0,
}
BAD_ACTIONS: dict[str, Any] = {
    "unknown action 'votes'. Did you mean vote?": Action("votes"),
    "instead of an Action": None,
    "voted 2": Action("vote", vote=2),
    "effort nan": Action("submit", effort=float("nan")),
    "int instead of text": Action("post", content=3),  # type: ignore[arg-type]
    "not valid Unicode": Action("post", content="\ud800"),
}


def refusals(played: Played, rule: str) -> set[tuple[int, str]]:
    return {(int(event["agent"]), event["attempt"]) for event in played.rows("refused") if event["rule"] == rule}


@pytest.mark.parametrize("wrong", BAD_PROPOSALS)
def test_a_proposal_outside_the_menus_is_refused_and_explained(wrong: str) -> None:
    @agent("erring")
    class Erring(Plain):
        """Errs."""

        def propose_interaction(self, observation: Observation) -> Any:
            bad = BAD_PROPOSALS[wrong]
            if not isinstance(bad, float):
                return bad
            other = observation.candidates[0].agent_id
            return InteractionProposal(other, effort=bad) if bad < 1.0 else InteractionProposal(other, tau=bad)

    played = play([scenario_with({"deceptive": "erring"}, "simulation.epochs=1")], [1])
    assert refusals(played, "unknown_choice") == {(4, "propose")}
    assert not [deal for deal in played.rows("interaction") if deal["initiator"] == 4]
    assert wrong in played.driver.complaints[0]
    assert played.driver.complaints[0].startswith("a_04 (Erring)")
    assert "step 0" in played.driver.complaints[0]


@pytest.mark.parametrize("wrong", BAD_ACTIONS)
def test_an_action_that_does_not_exist_becomes_a_pass_and_a_refusal(wrong: str) -> None:
    @agent("erring")
    class Erring(Plain):
        """Errs."""

        def select_action(self, observation: Observation) -> Any:
            return BAD_ACTIONS[wrong]

    played = play([scenario_with({"deceptive": "erring"}, "simulation.epochs=1")], [1])
    assert refusals(played, "unknown_choice") == {(4, "act")}
    acted = [state["acted"] for state in played.rows("agent_state") if state["agent"] == 4]
    assert acted == [0]
    assert wrong in played.driver.complaints[0]


def test_an_answer_that_is_neither_yes_nor_no_counts_as_no() -> None:
    @agent("erring")
    class Erring(Plain):
        """Errs."""

        def accept_interaction(self, proposal: InteractionProposal) -> Any:
            return "yes"

    played = play([scenario_with({"honest": "erring"}, "simulation.epochs=1")], [1])
    assert {attempt for _, attempt in refusals(played, "unknown_choice")} == {"accept"}
    deals = [deal for deal in played.rows("interaction") if deal["counterparty"] < 3]
    assert len(deals) > 5
    assert not any(deal["accepted"] for deal in deals)
    refused = sum(1 for event in played.rows("refused") if event["rule"] == "unknown_choice")
    assert sum(int(state["refused"]) for state in played.rows("agent_state")) >= refused == len(deals)


def test_rails_bind_agents_from_outside_too() -> None:
    @agent("verbose")
    class Verbose(Plain):
        """Writes too much, or moderates without being a moderator."""

        def select_action(self, observation: Observation) -> Action:
            return Action("post", content="word " * 300) if observation.luck < 0.5 else Action("flag")

    played = play([scenario_with({"deceptive": "verbose"}, "simulation.epochs=1")], [1])
    assert refusals(played, "max_content_length") == {(4, "post")}
    assert refusals(played, "tool_allowlist") == {(4, "flag")}
    assert not [post for post in played.rows("posted") if post["agent"] == 4]
    assert max(len(event["answer"]) for event in played.rows("input")) < 1020


@pytest.mark.parametrize("method", ["propose_interaction", "accept_interaction", "select_action", "update_state"])
def test_an_agent_that_fails_is_named_with_method_epoch_and_step(method: str) -> None:
    def fail(self: BaseAgent, told: Any) -> Any:
        if told.step >= 12:
            raise ZeroDivisionError("division by zero")
        return {"propose_interaction": None, "accept_interaction": True, "select_action": Action()}.get(method)

    failing = agent("failing")(type("Failing", (Plain,), {method: fail, "__module__": __name__}))
    assert failing.__name__ == "Failing"
    who = rf"Failing\.{method} failed for agent a_0[012] in epoch 1, step 1\d"
    with pytest.raises(MesocosmError, match=rf"{who}: ZeroDivisionError: division by zero \(.*py:\d+\)"):
        play([scenario_with({"honest": "failing"}, "simulation.epochs=3")], [1])


# --- registering


def test_a_class_without_all_its_methods_is_refused() -> None:
    with pytest.raises(UsageError, match="Half does not say how to accept_interaction, select_action"):

        @agent("half")
        class Half(BaseAgent):
            """Half an agent."""

            def propose_interaction(self, observation: Observation) -> None:
                return None


def test_only_agents_can_be_registered_as_agents() -> None:
    with pytest.raises(UsageError, match="Path is not derived from BaseAgent"):
        agent("path")(Path)  # type: ignore[type-var]


def test_a_scenario_sets_the_parameters_of_agents() -> None:
    found: list[tuple[str, float, int]] = []

    @agent("set_up")
    class SetUp(Plain):
        """Has parameters."""

        level: float = registry.param(0.5, about="how much", ge=0.0, le=1.0)

        def select_action(self, observation: Observation) -> Action:
            found.append((self.agent_id, self.level, getattr(self, "more", 0)))
            return Action()

    @agent("set_up_further")
    class SetUpFurther(SetUp):
        """Has more of them."""

        more: int = registry.param(7, about="how many", ge=0)

    play([scenario_with({"deceptive": "set_up"}, "simulation.epochs=1")], [1])
    play([scenario_with({"deceptive": "set_up_further"}, "simulation.epochs=1", level=0.25)], [1])
    assert set(found) == {("a_04", 0.5, 0), ("a_04", 0.25, 7)}
    with pytest.raises(ConfigError, match="level"):
        scenario_with({"deceptive": "set_up"}, level=2.0)


# --- what came from outside is fed back


def register_chatty(whim: Iterator[float] | None) -> None:
    """Agents that deal and write; with a whim of their own, no two runs of them are the same."""

    @agent("chatty")
    class Chatty(Plain):
        """Chats."""

        def __init__(self) -> None:
            self.known = 0

        def propose_interaction(self, observation: Observation) -> InteractionProposal | None:
            luck = next(whim) if whim is not None else observation.luck
            if not observation.candidates or luck < 0.2:
                return None
            other = observation.candidates[0 if luck < 0.6 else -1].agent_id
            return InteractionProposal("nobody" if luck > 0.9 else other, tau=observation.transfers[self.known % 3])

        def accept_interaction(self, proposal: InteractionProposal) -> Any:
            return None if proposal.luck > 0.9 else proposal.luck < 0.7

        def select_action(self, observation: Observation) -> Action:
            kind = ("post", "vote", "reply", "dance")[int(4 * observation.luck)]
            text = f'naïve – "{self.agent_id}" knows {self.known}' if observation.topic_luck < 0.5 else ""
            return Action(kind, text, vote=-1)

        def update_state(self, outcome: InteractionOutcome) -> None:
            self.known += 1


def endless(seed: int) -> Iterator[float]:
    draws = np.random.default_rng(seed)
    while True:
        yield float(draws.random())


@pytest.mark.parametrize("turns", ["simultaneous", "sequential"])
@pytest.mark.parametrize("level", ["full", "epoch"])
def test_a_run_of_whimsical_agents_replays_from_its_log_alone(tmp_path: Path, turns: str, level: str) -> None:
    register_chatty(endless(1))
    scenario = scenario_with({"honest": "chatty"}, f"simulation.turns={turns}", "simulation.epochs=2")
    first = run(scenario, output=tmp_path / "one", level=level)
    second = run(scenario, output=tmp_path / "two", level=level)
    assert first.trajectory != second.trajectory
    register_chatty(iter(()))
    assert replay(tmp_path / "one").complete
    assert replay(tmp_path / "two").trajectory == second.trajectory


def test_a_batch_of_replicates_replays_from_their_logs(tmp_path: Path) -> None:
    register_chatty(endless(2))
    wanted = [("simulation.epochs=1", f"simulation.seed={seed}") for seed in (3, 4)]
    scenarios = [scenario_with({"honest": "chatty"}, *overrides) for overrides in wanted]
    paths = [tmp_path / f"{seed}.jsonl" for seed in (3, 4)]
    names = Plan(scenarios, [3, 4]).metric_names()
    headers = [header_of(scenario, seed, names) for scenario, seed in zip(scenarios, (3, 4), strict=True)]
    with LogSet([LogWriter(path, head) for path, head in zip(paths, headers, strict=True)]) as logs:
        drive(Plan(scenarios, [3, 4]), logs, decider=AgentsDriver(scenarios))
    recorded = ReplayedDecisions([read_log(path) for path in paths])
    with LogSet([LogWriter(path, head, mode="compare") for path, head in zip(paths, headers, strict=True)]) as logs:
        drive(Plan(scenarios, [3, 4]), logs, decider=recorded)


def test_a_log_without_one_decision_says_which(tmp_path: Path) -> None:
    register_chatty(None)
    scenario = scenario_with({"deceptive": "chatty"}, "simulation.epochs=1")
    path = run(scenario, output=tmp_path / "run.jsonl").log_path
    lines = path.read_bytes().splitlines(keepends=True)
    gone = [index for index, line in enumerate(lines) if b'"kind":"input"' in line and b'"step":4' in line][0]
    del lines[gone]
    (tmp_path / "holes.jsonl").write_bytes(b"".join(lines))
    decider = ReplayedDecisions(read_log(tmp_path / "holes.jsonl", trusted=True))
    said = r"what a_04 \(chatty\) decided when asked to act in epoch 0, step 4, turn 0"
    with pytest.raises(MesocosmError, match=said):
        play([scenario], [42], decider)


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.97])
def test_a_cut_run_goes_on_with_its_agents_to_the_same_bytes(tmp_path: Path, share: float) -> None:
    register_chatty(None)
    scenario = scenario_with({"honest": "chatty"}, "simulation.epochs=2")
    whole = run(scenario, output=tmp_path / "whole.jsonl").log_path.read_bytes()
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(whole[: int(len(whole) * share)])
    decider = ReplayedDecisions(read_log(cut), then=AgentsDriver([scenario]))
    plan = Plan([scenario], [42])
    with LogSet([LogWriter(cut, header_of(scenario, 42, plan.metric_names()), mode="resume")]) as logs:
        drive(plan, logs, decider=decider)
    assert cut.read_bytes() == whole


TEXT = st.text(st.characters(codec="utf-8"))
ACT = st.one_of(
    st.tuples(st.sampled_from([POST, REPLY]), st.just(1), st.integers(0, N_TOPICS - 1) | TEXT, st.just(0.0)),
    st.tuples(st.just(VOTE), st.sampled_from([1, -1]), st.just(0), st.just(0.0)),
    st.tuples(st.just(SUBMIT), st.just(1), st.just(0), st.floats(0.0, 1.0)),
    st.tuples(
        st.sampled_from([answers.INVALID, *(k for k in range(len(ACTIONS)) if k not in (POST, REPLY, VOTE, SUBMIT))]),
        st.just(1),
        st.just(0),
        st.just(0.0),
    ),
)


@given(st.lists(ACT, min_size=1, max_size=6))
def test_every_act_is_read_back_as_it_was_recorded(rows: list[tuple[int, int, Any, float]]) -> None:
    texts: list[str] = []

    def write(text: str) -> int:
        texts.append(text)
        return N_TOPICS + len(texts) - 1

    topics = [write(topic) if isinstance(topic, str) else topic for _, _, topic, _ in rows]
    kind, value, _, effort = zip(*rows, strict=True)
    acts = Acts(np.array(kind), np.array(value), np.array(topics), np.array(effort))
    recorded = answers.encode_acts(acts, lambda code: texts[code - N_TOPICS])
    again = list(texts)
    texts.clear()
    found = answers.decode_acts(recorded, write)
    assert [column.tolist() for column in found] == [column.tolist() for column in acts]
    assert texts == again


@given(st.lists(st.sampled_from([answers.INVALID, 0, 1]), min_size=1))
def test_every_answer_to_a_proposal_is_read_back_as_it_was_recorded(said: list[int]) -> None:
    assert answers.decode_replies(answers.encode_replies(np.array(said))).tolist() == said


@given(st.lists(st.tuples(st.integers(0, 1), *[st.integers(0, 7)] * 3), min_size=1))
def test_every_proposal_is_read_back_as_it_was_recorded(rows: list[tuple[int, ...]]) -> None:
    made = [*rows, (answers.INVALID, 0, 0, 0), (answers.NOBODY, 0, 0, 0)]
    asked = Proposals(*np.array(made).T)
    assert np.array(answers.decode_proposals(answers.encode_proposals(asked))).T.tolist() == [list(row) for row in made]


@pytest.mark.parametrize("text", ["", "yes", "{}", '["maybe"]', "[1]", '["post"]'])
def test_a_recorded_decision_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"fed back|cannot be read"):
        answers.decode_replies([text])
    with pytest.raises(UsageError, match=r"fed back|cannot be read"):
        answers.decode_proposals([text])
    with pytest.raises(UsageError, match=r"fed back|cannot be read"):
        answers.decode_acts([text], len)


# --- templates of `mesocosm new`


def written_from(template: str, folder: Path, name: str = "my_own") -> Path:
    ending = "yaml" if template == "scenario" else "py"
    source = Path(registry.__file__).parent / "cli" / "templates" / f"{template}.{ending}.txt"
    class_name = name.title().replace("_", "")
    made = folder / f"{name}.{ending}"
    text = Template(source.read_text(encoding="utf-8")).substitute({"name": name, "Class": class_name})
    made.write_text(text, encoding="utf-8")
    return made


@pytest.mark.parametrize("template", ["policy", "agent"])
def test_a_fresh_policy_or_agent_runs_as_it_stands(template: str, tmp_path: Path) -> None:
    registry.load_plugin(written_from(template, tmp_path))
    played = play([scenario_with({"honest": "my_own", "deceptive": "my_own"}, "simulation.epochs=2")], [42])
    assert getattr(played.driver, "complaints", []) == []
    deals = [deal for deal in played.rows("interaction") if deal["initiator"] != 3]
    assert 0 < sum(bool(deal["accepted"]) for deal in deals) < len(deals)
    assert list(played.rows("voted"))


def test_a_fresh_lever_collects_and_is_neutral_at_its_neutral_setting(tmp_path: Path) -> None:
    registry.load_plugin(written_from("lever", tmp_path))
    plain, neutral, strict = (
        play([load_scenario("adversarial_attack", ["simulation.epochs=2", *change])], [42])
        for change in ([], ["governance.my_own.rate=0"], ["governance.my_own.rate=0.5"])
    )
    assert neutral.trajectories == plain.trajectories
    charged = [deal["c_a"] for deal in strict.rows("interaction") if deal["tau"] < 0]
    assert charged
    assert set(charged) == {0.25}


def test_a_fresh_metric_is_computed(tmp_path: Path) -> None:
    registry.load_plugin(written_from("metric", tmp_path))
    outcome = drive(Plan([load_scenario("baseline", ["simulation.epochs=2", "metrics_to_track=[my_own]"])], [42]))
    assert all(isinstance(row["my_own"], float) for row in outcome.rows[0])


def test_a_fresh_scenario_is_sound(tmp_path: Path) -> None:
    made = written_from("scenario", tmp_path, "my-own")
    assert made.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=")
    assert parse_scenario(made.read_bytes(), str(made)).scenario_id == "my-own"
