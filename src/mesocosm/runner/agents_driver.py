"""Drives agents from outside: Python objects that are asked one by one, or the decisions that a log remembers."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from mesocosm import registry
from mesocosm.agents.contract import Action, Agent, InteractionOutcome, InteractionProposal, check_action, menu_level
from mesocosm.agents.records import agent_name
from mesocosm.api import ACTIONS, POST, REPLY, VOTE, Acts, DecisionRequest, Proposals
from mesocosm.config.schema import Scenario
from mesocosm.engine.answers import INVALID, NOBODY, decode_acts, decode_proposals, decode_replies
from mesocosm.engine.social import TOPICS
from mesocosm.env.events import EventBatch
from mesocosm.env.population import slots_of
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.log.read import Log
from mesocosm.runner.observations import Slices

COMPLAINTS_KEPT = 100
STOCK = {text: code for code, text in enumerate(TOPICS.tolist())}
Seat = tuple[int, int]  # replicate, slot
Key = tuple[int, int, int, int, str, int]  # replicate, epoch, step, turn, question, slot


class AgentsDriver:
    """Holds one object per agent that a scenario leaves to Python classes, and asks them in order of row.

    An answer outside the menus counts as a pass, nobody or no; the engine logs it as refused (unknown_choice), and
    `complaints` says what was wrong with the first of them. Make a driver anew for every run: agents remember.

    Params   scenarios: of the replicates, in order.
    Raises   MesocosmError naming class, method, agent, epoch and step when an agent's own code fails.
    """

    def __init__(self, scenarios: Sequence[Scenario]) -> None:
        self._scenarios = list(scenarios)
        self._slots: dict[int, list[Any]] = {}
        self._agents: dict[Seat, Agent] = {}
        self.complaints: list[str] = []

    def agent(self, replicate: int, slot: int) -> Agent | None:
        """The object behind an agent, once it has been asked something."""
        return self._agents.get((replicate, slot))

    def decide(self, request: DecisionRequest) -> Any:
        """Ask the agent of every row and pack the answers for the engine."""
        slices = Slices(request)
        if request.question == "act":
            return self._acts(slices)
        if request.question == "propose":
            return self._proposals(slices)
        return np.array([self._reply(slices, row) for row in range(len(slices))], dtype=np.int64)

    def observe(self, batch: EventBatch) -> None:
        """Tell agents what came of the interactions they took part in; call it with every batch of events."""
        if batch.kind != "interaction" or not self._agents:
            return
        known = np.array([_number(*seat) for seat in self._agents], dtype=np.int64)
        sides = {side: _number(batch.replicate, batch.column[side]) for side in ("initiator", "counterparty")}
        for row in np.flatnonzero(np.isin(sides["initiator"], known) | np.isin(sides["counterparty"], known)).tolist():
            for is_initiator in (True, False):
                self._tell(batch, row, is_initiator)

    def _acts(self, slices: Slices) -> Acts:
        kind, value, topic = (np.zeros(len(slices), dtype=np.int64) for _ in range(3))
        value[:] = 1
        effort = np.zeros(len(slices))
        written = dict(STOCK)
        for row in range(len(slices)):
            agent = self._seated(slices, row)
            observation = slices.observation(row, agent.state)
            with _Blame(agent, "select_action", slices.place):
                action = agent.select_action(observation)
            wrong = check_action(action)
            if wrong:
                kind[row] = INVALID
                self._complain(slices, agent, wrong)
                continue
            kind[row] = ACTIONS.index(action.kind)
            if kind[row] == VOTE:
                value[row] = action.vote
            elif kind[row] in (POST, REPLY):
                topic[row] = _topic(slices, row, action, written)
            else:
                effort[row] = float(action.effort) if action.kind == "submit" else 0.0
        return Acts(kind, value, topic, effort)

    def _proposals(self, slices: Slices) -> Proposals:
        answer = Proposals(*(np.zeros(len(slices), dtype=np.int64) for _ in range(4)))
        for row in range(len(slices)):
            agent = self._seated(slices, row)
            observation = slices.observation(row, agent.state)
            with _Blame(agent, "propose_interaction", slices.place):
                proposal: Any = agent.propose_interaction(observation)
            if proposal is None:
                answer.choice[row] = NOBODY
                continue
            if not isinstance(proposal, InteractionProposal):
                answer.choice[row] = INVALID
                wrong = f"returned {type(proposal).__name__} instead of an InteractionProposal"
                self._complain(slices, agent, wrong)
                continue
            places = {
                agent_name(slices.pair("candidate", place, row)): place
                for place in (1, 0)
                if slices.pair("exists", place, row)
            }
            menus = {
                "effort": observation.efforts, "disguise": observation.disguises, "tau": observation.transfers,
            }  # fmt: skip
            levels = [menu_level(menu, getattr(proposal, name)) for name, menu in menus.items()]
            place = next((place for name, place in places.items() if name == proposal.counterparty_id), None)
            if place is None or min(levels) < 0:
                answer.choice[row] = INVALID
                self._complain(slices, agent, _off_menu(proposal, places, menus, levels))
                continue
            for column, level in zip(answer, (place, *levels), strict=True):
                column[row] = level
        return answer

    def _reply(self, slices: Slices, row: int) -> int:
        agent = self._seated(slices, row)
        proposal = slices.proposal(row, agent.state)
        with _Blame(agent, "accept_interaction", slices.place):
            said: Any = agent.accept_interaction(proposal)
        if isinstance(said, bool | np.bool_):
            return int(said)
        self._complain(slices, agent, f"answered a proposal with {said!r} instead of True or False")
        return INVALID

    def _seated(self, slices: Slices, row: int) -> Agent:
        """The agent of a row, made at first sight, with its standing brought up to date."""
        seat = _seat(slices, row)
        agent = self._agents.get(seat)
        name = slices.request.policy
        if agent is None:
            agent = self._agents[seat] = self._make(name, slices, seat)
        agent.state = slices.state(row, name)
        return agent

    def _make(self, name: str, slices: Slices, seat: Seat) -> Agent:
        kind: type[Agent] | None = getattr(registry.find("policy", name).target, "agent_class", None)
        if kind is None:
            raise UsageError(f"policy {name!r} decides outside the engine, but no class of agents stands behind it.")
        if seat[0] not in self._slots:
            self._slots[seat[0]] = slots_of(self._scenarios[seat[0]])
        with _Blame(kind, "__init__", slices.place, agent_name(seat[1])):
            agent = kind()
        agent.agent_id, agent.agent_type = agent_name(seat[1]), name
        for parameter, value in self._slots[seat[0]][seat[1]][1]:
            setattr(agent, parameter, value)
        return agent

    def _tell(self, batch: EventBatch, row: int, is_initiator: bool) -> None:
        """Tell one side of an interaction what it may know of it."""
        column = batch.column
        replicate = int(batch.replicate[row])
        seat = (replicate, int(column["initiator" if is_initiator else "counterparty"][row]))
        agent = self._agents.get(seat)
        if agent is None:
            return
        accepted = bool(column["accepted"][row])
        told_v = int(batch.aside["told_v"][row])
        by_outcome = self._scenarios[replicate].payoff.settle_on == "outcome"
        payoff = float(column[("pi_a" if is_initiator else "pi_b") + ("_true" if by_outcome else "")][row])
        lost = float(column["private_cost"][row] + batch.aside["fine"][row]) if is_initiator else 0.0
        outcome = InteractionOutcome(
            initiator_id=agent_name(int(column["initiator"][row])),
            counterparty_id=agent_name(int(column["counterparty"][row])),
            is_initiator=is_initiator,
            accepted=accepted,
            tau=float(column["tau"][row]),
            payoff=payoff - lost if accepted else 0.0,
            p=float(column["p"][row]) if accepted else None,
            v=told_v or None,
            epoch=batch.epoch,
            step=batch.step,
        )
        with _Blame(agent, "update_state", (batch.epoch, batch.step)):
            agent.update_state(outcome)

    def _complain(self, slices: Slices, agent: Agent, wrong: str) -> None:
        if len(self.complaints) < COMPLAINTS_KEPT:
            epoch, step = slices.place
            self.complaints.append(f"{agent.agent_id} ({type(agent).__name__}) {wrong} (epoch {epoch}, step {step}).")


@dataclass(slots=True)
class _Blame:
    """Turns whatever fails in an agent's own code into one message that says whose code, where and when."""

    agent: Agent | type[Agent]
    method: str
    place: tuple[int, int]  # epoch, step
    agent_id: str = ""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not isinstance(error, Exception | SystemExit):
            return
        where = traceback.extract_tb(at)[-1]
        owner = self.agent if isinstance(self.agent, type) else type(self.agent)
        raise MesocosmError(
            f"{owner.__name__}.{self.method} failed for agent {self.agent_id or self.agent.agent_id} in epoch "
            f"{self.place[0]}, step {self.place[1]}: {type(error).__name__}: {error} "
            f"({where.filename}:{where.lineno}). Mend the agent's code and run again."
        ) from error


class ReplayedDecisions:
    """Answers with the decisions that a log remembers, so that a run replays without the agents that made them.

    Params   logs: the log of each replicate, in order, or the only one; then: who decides what the log does not
             hold, for a run that was cut. It is asked all along, so that its agents remember what they lived through.
    Raises   MesocosmError naming the first decision that the log does not hold, when there is nobody else.
    """

    def __init__(self, logs: Log | Sequence[Log], then: AgentsDriver | None = None) -> None:
        self._logs = [logs] if isinstance(logs, Log) else list(logs)
        self._then = then
        self._left: dict[Key, list[str]] | None = None

    def decide(self, request: DecisionRequest) -> Any:
        """The recorded answers of the rows asked about."""
        if self._left is None:
            self._left = _recorded(self._logs)
        found = [self._next(self._left, request, row) for row in range(len(request.row))]
        missing = [row for row, text in enumerate(found) if text is None]
        live = self._then.decide(request) if self._then is not None else None
        if len(missing) == len(found) and live is not None:
            return live
        if missing and live is None:
            raise MesocosmError(_missing(request, missing[0]))
        known = [row for row, text in enumerate(found) if text is not None]
        texts = [text for text in found if text is not None]
        return _merge(live, known, _decoded(request, texts)) if missing else _decoded(request, texts)

    def observe(self, batch: EventBatch) -> None:
        """Pass on what happened to whoever decides after the log's end."""
        if self._then is not None:
            self._then.observe(batch)

    def _next(self, left: dict[Key, list[str]], request: DecisionRequest, row: int) -> str | None:
        waiting = left.get(_key_of(request, row))
        return waiting.pop() if waiting else None


def _recorded(logs: Sequence[Log]) -> dict[Key, list[str]]:
    """Recorded answers by who was asked what and when; several of one turn in reverse, to be taken from the end."""
    found: dict[Key, list[str]] = {}
    for replicate, log in enumerate(logs):
        table = log.columns("input")
        names = ("epoch", "step", "turn", "question", "agent", "answer")
        for epoch, step, turn, question, slot, answer in zip(*(table[name].tolist() for name in names), strict=True):
            found.setdefault((replicate, epoch, step, turn, question, slot), []).append(answer)
    for answers in found.values():
        answers.reverse()
    return found


def _key_of(request: DecisionRequest, row: int) -> Key:
    view = request.view
    place = (int(request.replicate[row]), int(view.epoch), int(view.step), int(request.detail["turn"]))
    return (*place, request.question, int(view.agent[row]))


def _missing(request: DecisionRequest, row: int) -> str:
    _, epoch, step, turn, question, slot = _key_of(request, row)
    return (
        f"the log does not say what {agent_name(slot)} ({request.policy}) decided when asked to {question} in epoch "
        f"{epoch}, step {step}, turn {turn}; without it the run cannot be played again. Run it anew with its agents."
    )


def _decoded(request: DecisionRequest, texts: list[str]) -> Any:
    if request.question == "act":
        return decode_acts(texts, request.detail["write"])
    return decode_proposals(texts) if request.question == "propose" else decode_replies(texts)


def _merge(live: Any, known: list[int], recorded: Any) -> Any:
    """Answers given now, with the recorded ones in their rows."""
    if isinstance(live, np.ndarray):
        live[known] = recorded
        return live
    for column, part in zip(live, recorded, strict=True):
        column[known] = part
    return live


def _seat(slices: Slices, row: int) -> Seat:
    return slices.replicate[row], slices.slot[row]


def _number(replicate: Any, slot: Any) -> Any:
    return (replicate << 32) + slot


def _topic(slices: Slices, row: int, action: Action, written: dict[str, int]) -> int:
    """Topic code of what an agent writes; one character over the limit is enough for the rail to refuse it."""
    if not action.content:
        return int(slices.value("stock_topic", row))
    content = action.content[: int(slices.rule(row).max_content_length) + 1]
    if content not in written:
        written[content] = slices.request.detail["write"](content)
    return written[content]


def _off_menu(
    proposal: InteractionProposal, places: dict[str, int], menus: dict[str, tuple[float, ...]], levels: list[int]
) -> str:
    """Say which part of a proposal is not to be had."""
    if proposal.counterparty_id not in list(places):
        return f"proposed to {proposal.counterparty_id!r}; the candidates are {', '.join(sorted(places)) or 'nobody'}"
    name = next(name for name, level in zip(menus, levels, strict=True) if level < 0)
    return f"chose {name} {getattr(proposal, name)!r}; the menu has {', '.join(f'{x:g}' for x in menus[name])}"
