"""Slices the columns of a decision request into what single agents are told: observations and proposals."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from mesocosm.agents.contract import InteractionProposal, Observation
from mesocosm.agents.records import AgentState, Candidate, Post, TaskOffer, agent_name
from mesocosm.api import DecisionRequest
from mesocosm.engine.social import TOPICS
from mesocosm.env.economy import Columns
from mesocosm.env.population import ROLES
from mesocosm.env.tasks import TaskStatus

WHOLE_FEED = 1024  # the engine shows no more than feed.visible


class Slices:
    """A decision request as plain Python values, row by row."""

    def __init__(self, request: DecisionRequest) -> None:
        self.request = request
        self.slot: list[int] = request.view.agent.tolist()
        self.place = (int(request.view.epoch), int(request.view.step))
        self.replicate: list[int] = request.replicate.tolist()
        self._feeds: dict[int, tuple[Post, ...]] = {}
        self._columns: dict[str, Any] = {}
        self._rules: dict[int, Columns] = {}

    def __len__(self) -> int:
        return len(self.slot)

    def value(self, name: str, row: int) -> Any:
        """A column of the view (or of what goes with it) at one row."""
        column = self._columns.get(name)
        if column is None:
            source = self.request.detail[name] if name in self.request.detail else getattr(self.request.view, name)
            column = self._columns[name] = _spread(source, len(self))
        return column[row]

    def pair(self, name: str, candidate: int, row: int) -> Any:
        """A column about one of the two candidates at one row."""
        key = f"{name} {candidate}"
        if key not in self._columns:
            source = self.request.detail[name] if name in self.request.detail else getattr(self.request.view, name)
            self._columns[key] = _spread(source[candidate], len(self))
        return self._columns[key][row]

    def state(self, row: int, agent_type: str) -> AgentState:
        """An agent's own standing."""
        return AgentState(
            agent_id=agent_name(self.slot[row]),
            agent_type=agent_type,
            role=ROLES[self.value("role", row)],
            reputation=self.value("reputation", row),
            resources=self.value("balance", row),
            skill=self.value("skill", row),
        )

    def rule(self, row: int) -> Columns:
        """The public rules as they hold for one row."""
        replicate = self.replicate[row]
        if replicate not in self._rules:
            self._rules[replicate] = Columns(_at(vars(self.request.view.rule), row))
        return self._rules[replicate]

    def feed(self, row: int) -> tuple[Post, ...]:
        """The feed as the row's replicate sees it, best post first."""
        replicate = self.replicate[row]
        if replicate not in self._feeds:
            shown = self.request.detail["feed"](replicate, WHOLE_FEED)
            self._feeds[replicate] = tuple(
                Post(post, agent_name(author), content, None if parent < 0 else parent, born, votes, replies)
                for post, author, content, parent, born, votes, replies in shown
            )
        return self._feeds[replicate]

    def observation(self, row: int, me: AgentState) -> Observation:
        """What one agent sees before an action or a proposal."""
        shown: dict[str, Any] = {"me": me, "rule": self.rule(row)}
        shown["epoch"], shown["step"] = self.place
        shown["feed"] = self.feed(row)
        shown |= self._for_act(row) if self.request.question == "act" else self._for_proposal(row)
        return Observation(**shown)

    def _for_act(self, row: int) -> dict[str, Any]:
        post = self.value("post", row)
        stage = self.value("task_stage", row)
        task = None
        if stage > 0:
            named = {name: self.value(f"task_{name}", row) for name in ("evidence", "difficulty", "reward")}
            task = TaskOffer(TaskStatus(stage).name, worker_is_mate=self.value("task_worker_is_mate", row), **named)
        same = ("can_vote", "author_trust", "author_is_mate", "topic_luck", "message_price", "message_worth")
        return {name: self.value(name, row) for name in same} | {
            "luck": _spread(self.request.view.luck, len(self))[row],
            "task": task,
            "focus": next((item for item in self.feed(row) if item.post_id == post), None),
            "topic": TOPICS[self.value("stock_topic", row)],
        }

    def _for_proposal(self, row: int) -> dict[str, Any]:
        view = self.request.view
        named = ("trust_in", "trust_of", "weight_of", "is_mate")
        candidates = tuple(
            Candidate(
                agent_name(self.pair("candidate", place, row)),
                **{name: self.pair(name, place, row) for name in named},
            )
            for place in (0, 1)
            if self.pair("exists", place, row)
        )
        unit = self.rule(row).transfer
        own = ("luck", "difficulty", "payoff_mean", "steps_since_caught")
        return {name: self.value(name, row) for name in own} | {
            "candidates": candidates,
            "efforts": tuple(view.menu.effort.tolist()),
            "disguises": tuple(view.menu.disguise.tolist()),
            "transfers": tuple(unit * multiple for multiple in view.menu.transfer.tolist()),
            "look": SimpleNamespace(**_at(vars(view.look), row)),
        }

    def proposal(self, row: int, me: AgentState) -> InteractionProposal:
        """A proposal as its counterparty sees it."""
        named = ("odds", "trust", "own_bar", "joint_bar", "tau", "is_mate", "luck")
        return InteractionProposal(
            counterparty_id=me.agent_id,
            initiator_id=agent_name(self.value("initiator", row)),
            effort=float("nan"),
            disguise=float("nan"),
            epoch=self.place[0],
            step=self.place[1],
            **{name: self.value(name, row) for name in named},
        )


def _spread(value: Any, k: int) -> list[Any]:
    """A column as plain values, one per row, also where all rows share one number."""
    values: list[Any] = np.broadcast_to(np.asarray(value), (k,)).tolist()
    return values


def _at(columns: dict[str, Any], row: int) -> dict[str, Any]:
    """Named parameters (numbers, columns, or lists of either) at one row."""
    return {name: _one(value, row) for name, value in columns.items()}


def _one(value: Any, row: int) -> Any:
    if isinstance(value, list):
        return [_one(entry, row) for entry in value]
    if isinstance(value, np.ndarray):
        return value[row].item()
    return value.item() if isinstance(value, np.generic) else value
