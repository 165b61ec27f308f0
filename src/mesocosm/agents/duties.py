"""What agents of any policy do with a step besides dealing: their role's task work, then the feed."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesocosm.agents.roles import ROLE_LIST
from mesocosm.api import (
    ACTIONS,
    APPROVE,
    CLAIM,
    FLAG,
    PASS,
    PLAN,
    POST,
    REJECT,
    REPLY,
    SUBMIT,
    VOTE,
    Acts,
    Mask,
    View,
)  # fmt: skip
from mesocosm.env.tasks import TaskStatus

N_TOPICS = 8
MAY = np.array([[action in role.tools for action in ACTIONS] for role in ROLE_LIST])  # (roles, actions)
POSTS_OFTEN = np.array([role.posts_often for role in ROLE_LIST])
SEES_FOR_DUTIES = (
    "role", "luck", "task_stage", "task_evidence", "task_difficulty", "task_reward", "task_worker_is_mate",
    "can_vote", "author_trust", "author_is_mate", "topic_luck", "message_price", "message_worth",
)  # fmt: skip
TASK_ACTION = np.zeros(len(TaskStatus), dtype=np.int64)
TASK_ACTION[[TaskStatus.pending, TaskStatus.planned, TaskStatus.claimed]] = (PLAN, CLAIM, SUBMIT)


def usual_acts(view: View, vote: Any, approve: Mask | bool, effort: Any, distrusts: Mask | bool) -> Acts:
    """Task work first; otherwise post, reply, vote (or flag) with the feed's rates, as the role's tools allow.

    Params   vote: (k,) +1 or -1 on the post in focus; approve: verdict of a verifier; effort: of submitted work;
             distrusts: whether a moderator would hide the post in focus. What is not worth its price is not written.
    """
    k = len(view)
    may = MAY[view.role]
    rule, luck = view.rule, view.luck
    post_edge = np.where(POSTS_OFTEN[view.role], rule.poster_rate, rule.post_rate) * may[:, POST]
    reply_edge = post_edge + rule.reply_rate
    vote_edge = reply_edge + rule.vote_rate
    kind = np.where(view.can_vote & (luck < vote_edge), VOTE, 0)
    kind[(luck < reply_edge) & view.can_vote] = REPLY
    kind[luck < post_edge] = POST
    if np.any(view.message_price):
        too_dear = (view.message_price > 0.0) & (view.message_worth <= view.message_price)
        kind[((kind == POST) | (kind == REPLY)) & too_dear] = PASS
    kind[may[:, FLAG] & view.can_vote & distrusts] = FLAG
    busy = view.task_stage > 0
    if busy.any():
        work = TASK_ACTION[view.task_stage]
        work = np.where(view.task_stage == TaskStatus.submitted, np.where(approve, APPROVE, REJECT), work)
        kind = np.where(busy, work, kind)
    value = np.broadcast_to(np.asarray(vote, dtype=np.int64), k)
    topic = (view.topic_luck * N_TOPICS).astype(np.int64)
    return Acts(kind, value, topic, np.broadcast_to(np.asarray(effort, dtype=np.float64), k))
