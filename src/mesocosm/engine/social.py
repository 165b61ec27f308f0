"""First part of a step: every agent takes one action on the feed or on a task, or passes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact, rng
from mesocosm.agents.duties import N_TOPICS
from mesocosm.api import (
    APPROVE,
    CLAIM,
    FLAG,
    PASS,
    PLAN,
    POST,
    REPLY,
    SUBMIT,
    VOTE,
    Acts,
    DecisionRequest,
    View,
)  # fmt: skip
from mesocosm.engine import work
from mesocosm.engine.batch import Batch
from mesocosm.engine.decide import decided_acts
from mesocosm.engine.govern import Stack
from mesocosm.engine.observe import build_view, focus, same_coalition, trust_between
from mesocosm.engine.outside import own_facts, receive_acts, write_text
from mesocosm.engine.rails import Rails
from mesocosm.engine.society import charge_messages, message_price
from mesocosm.env.economy import take
from mesocosm.env.feed import Writing

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
TOPICS = np.array(
    [
        "who delivered what they promised", "prices of the last epoch", "a shared rule for disputes",
        "the next task and who should take it", "a rumour about a partner", "what we have in common",
        "how to tell good work from bad", "an offer to work together",
    ],
    dtype=object,
)  # fmt: skip
TOPIC_LENGTH = np.array([len(text) for text in TOPICS])


class Sight(NamedTuple):
    """What rows have before them when they act."""

    place: I64  # (k,) of the post in focus
    any_post: Mask  # (k,) whether there is one
    offer: work.Offers
    price: F64 | None  # (R,) credits that a message costs; None where none costs anything


def act(batch: Batch, rails: Rails, stack: Stack, row: I64) -> Generator[DecisionRequest, Any, None]:
    """Let rows act: ask each policy, hold the answers against the rails, then change feed and tasks."""
    offer = work.offers(batch, row) if batch.structure.tasks else work.no_offers(len(row))
    if batch.structure.feed:
        place, any_post = focus(batch, row)
    else:
        place, any_post = np.zeros(len(row), dtype=np.int64), np.zeros(len(row), dtype=np.bool_)
    kind = np.zeros(len(row), dtype=np.int64)
    value, topic = kind.copy(), kind.copy()
    effort = np.zeros(len(row))
    author, can_vote = _author_in_focus(batch, row, place, any_post)
    price = message_price(batch, stack)
    code = batch.world.code[row]
    for number, player in enumerate(batch.cast):
        chosen = np.flatnonzero(code == number) if len(batch.cast) > 1 else np.arange(len(row))
        if len(chosen) == 0:
            continue
        mine = row[chosen]
        source = _source(batch, mine, chosen, offer, author, can_vote) | _message_source(batch, mine, price)
        view = build_view(batch, player, "act", mine, source)
        if player.policy.external:
            detail = _detail(batch, mine, place[chosen], any_post[chosen], view)
            reply = yield DecisionRequest("act", player.name, mine, batch.world.replicate[mine], view, detail)
            answer: Acts = receive_acts(batch, rails, mine, reply)
        else:
            answer = decided_acts(batch, player, mine, view)
        kind[chosen], value[chosen], topic[chosen], effort[chosen] = answer
    _carry_out(batch, rails, stack, row, Acts(kind, value, topic, effort), Sight(place, any_post, offer, price))


def _detail(batch: Batch, mine: I64, place: I64, any_post: Mask, view: View) -> dict[str, Any]:
    """What drivers need besides the view: the post in focus (-1 for none), the feed, and a way to write texts."""
    post = batch.world.feed.post[batch.world.replicate[mine], place]
    return own_facts(batch, mine) | {
        "post": np.where(any_post, post, -1),
        "feed": lambda replicate, limit=20: view_of_feed(batch, replicate, limit),
        "stock_topic": (view.topic_luck * N_TOPICS).astype(np.int64),
        "write": lambda text: write_text(batch, text),
    }


def _author_in_focus(batch: Batch, row: I64, place: I64, any_post: Mask) -> tuple[I64, Mask]:
    """Row of the author of the post that each row reads, and whether it may vote on it."""
    world = batch.world
    if not any_post.any():
        return row, any_post
    replicate = world.replicate[row]
    author = world.offset[replicate] + np.maximum(world.feed.author[replicate, place], 0)
    can_vote = any_post & (author != row) & ~world.feed.has_voted(row, place)
    return np.where(any_post, author, row), can_vote


def _source(batch: Batch, mine: I64, chosen: I64, offer: work.Offers, author: I64, can_vote: Mask) -> dict[str, Any]:
    """Columns behind the first question."""
    writer = author[chosen]
    return {
        "role": batch.world.role[mine],
        "skill": lambda: batch.world.skill[mine],
        "luck": batch.uniform(rng.Purpose.ACT, mine),
        "task_stage": offer.stage[chosen],
        "task_evidence": lambda: work.evidence(batch, mine, offer.subset(chosen)),
        "task_difficulty": lambda: work.difficulty(batch, mine, offer.subset(chosen)),
        "task_reward": lambda: work.reward(batch, mine, offer.subset(chosen)),
        "task_worker_is_mate": lambda: work.worker_is_mate(batch, mine, offer.subset(chosen)),
        "can_vote": can_vote[chosen],
        "author_trust": lambda: trust_between(batch, mine, writer)[0],
        "author_is_mate": lambda: same_coalition(batch, mine, writer),
        "topic_luck": lambda: batch.uniform(rng.Purpose.TASK, mine),
    }


def _message_source(batch: Batch, mine: I64, price: F64 | None) -> dict[str, Any]:
    """What a message costs and, where it costs anything, what it is worth: x ~ Exp(message_worth), keyed.

    Frozen agents do not see the price. Source   science notes 3.1.2: an agent sends iff x exceeds the tax.
    """
    if price is None:
        return {"message_price": 0.0, "message_worth": np.inf}
    where = batch.world.replicate[mine]

    def worth() -> F64:
        drawn: F64 = -exact.log(batch.uniform(rng.Purpose.MESSAGE, mine)) * take(batch.economy.message_worth, where)
        return drawn

    return {"message_price": np.where(batch.blind[mine], 0.0, price[where]), "message_worth": worth}


def _dues(batch: Batch, row: I64, kind: I64, any_post: Mask, price: F64 | None) -> Any:
    """(k,) micro-credits that actions cost their agents, or 0 where none costs anything. A reply to no post is none."""
    if price is None:
        return 0
    writes = (kind == POST) | ((kind == REPLY) & any_post)
    return np.where(writes, exact.micro(price[batch.world.replicate[row]]), 0)


def _carry_out(batch: Batch, rails: Rails, stack: Stack, row: I64, acts: Acts, sight: Sight) -> None:
    """Hold the chosen actions against the rails and change the world accordingly."""
    offer = sight.offer
    wanted = np.flatnonzero((acts.kind != PASS) & (batch.structure.feed | (acts.kind >= PLAN)))
    if len(wanted) == 0:
        return
    kind = acts.kind[wanted]
    length = _length(batch, row[wanted], kind, acts.topic[wanted], offer.place[wanted])
    due = _dues(batch, row[wanted], kind, sight.any_post[wanted], sight.price)
    fine = rails.check_actions(batch, row[wanted], kind, length, due)
    done = wanted if fine.all() else wanted[fine]
    kind = acts.kind[done]
    if np.any(due):
        charge_messages(batch, stack, row[done], due[fine])
    batch.world.acted[row[done]] += 1
    # what refers to a post comes before new posts, which may take its place in the ring
    there, place = sight.any_post[done], sight.place
    _vote(batch, row, acts, done[(kind == VOTE) & there], place)
    _flag(batch, row, done[(kind == FLAG) & there], place)
    _write(batch, row, acts, done[(kind == REPLY) & there], place, REPLY)
    _write(batch, row, acts, done[kind == POST], place, POST)
    if batch.structure.tasks and (kind >= PLAN).any():
        for action, carry in ((PLAN, work.plan), (CLAIM, work.claim), (SUBMIT, work.submit)):
            chosen = done[kind == action]
            if len(chosen):
                carry(batch, row[chosen], offer.subset(chosen), acts.effort[chosen])
        chosen = done[kind >= APPROVE]
        if len(chosen):
            work.judge(batch, row[chosen], offer.subset(chosen), acts.kind[chosen] == APPROVE)
    stack.on_action(batch, row[done])


def _length(batch: Batch, row: I64, kind: I64, topic: I64, place: I64) -> I64:
    """Characters of what is to be written, 0 for actions that write nothing."""
    length = np.where((kind == POST) | (kind == REPLY), TOPIC_LENGTH[np.minimum(topic, N_TOPICS - 1)], 0)
    for index in np.flatnonzero((length > 0) & (topic >= N_TOPICS)):
        length[index] = len(batch.texts[int(topic[index]) - N_TOPICS])
    for index in np.flatnonzero(kind == SUBMIT):
        number = batch.world.tasks.number[batch.world.replicate[row[index]], place[index]]
        length[index] = len(work.result_text(int(number)))
    return length


def content_of(batch: Batch, topic: I64) -> NDArray[Any]:
    """Text of posts: one of the stock topics, or what an agent from outside wrote."""
    content = TOPICS[np.minimum(topic, N_TOPICS - 1)]
    for index in np.flatnonzero(topic >= N_TOPICS):
        content[index] = batch.texts[int(topic[index]) - N_TOPICS]
    return content


def _write(batch: Batch, row: I64, acts: Acts, chosen: I64, place: I64, kind: int) -> None:
    """Add posts or replies to the feed."""
    if len(chosen) == 0:
        return
    world = batch.world
    mine, replicate = row[chosen], world.replicate[row[chosen]]
    slot, topic = world.slot[mine], acts.topic[chosen]
    values: dict[str, Any] = {"agent": slot}
    if kind == REPLY:
        parent = world.feed.post[replicate, place[chosen]]
        values |= {"post": parent, "content": content_of(batch, topic), "derived_from": parent[:, None]}
        seq = batch.emit("replied", mine, values, parent)
        world.feed.add_replies(replicate, place[chosen])
    else:
        parent = np.full(len(chosen), -1, dtype=np.int64)
        values |= {"content": content_of(batch, topic), "derived_from": parent[:, None][:, :0]}
        seq = batch.emit("posted", mine, values)
    world.feed.add_posts(world.offset, replicate, Writing(slot, topic, seq, parent), batch.step)


def _vote(batch: Batch, row: I64, acts: Acts, chosen: I64, place: I64) -> None:
    """Count votes; an agent's second vote on a post, or a vote on its own, does not count."""
    if len(chosen) == 0:
        return
    world = batch.world
    mine, where = row[chosen], place[chosen]
    replicate = world.replicate[mine]
    author = world.offset[replicate] + world.feed.author[replicate, where]
    counts = (author != mine) & ~world.feed.has_voted(mine, where)
    if not counts.all():
        chosen, mine, where, replicate, author = (x[counts] for x in (chosen, mine, where, replicate, author))
    value = np.where(acts.value[chosen] >= 0, 1, -1)
    post = world.feed.post[replicate, where]
    batch.emit("voted", mine, {"agent": world.slot[mine], "post": post, "value": value}, post)
    world.feed.add_votes(mine, replicate, where, value)
    np.add.at(world.votes_received, author, value > 0)


def _flag(batch: Batch, row: I64, chosen: I64, place: I64) -> None:
    """Hide flagged posts."""
    if len(chosen) == 0:
        return
    world = batch.world
    mine = row[chosen]
    replicate = world.replicate[mine]
    post = world.feed.post[replicate, place[chosen]]
    batch.emit("flagged", mine, {"agent": world.slot[mine], "post": post}, post)
    world.feed.hidden[replicate, place[chosen]] = True


def view_of_feed(batch: Batch, replicate: int, limit: int) -> list[tuple[int, int, str, int, int, int, int]]:
    """Posts that an agent of a replicate sees, best first: (post, author, content, parent, born, votes, replies)."""
    feed = batch.world.feed
    place = feed.get_visible(replicate, limit)
    content = content_of(batch, feed.topic[replicate, place])
    columns = (feed.post, feed.author, feed.parent, feed.born, feed.votes, feed.replies)
    post, author, parent, born, votes, replies = (column[replicate, place].tolist() for column in columns)
    return list(zip(post, author, content.tolist(), parent, born, votes, replies, strict=True))
