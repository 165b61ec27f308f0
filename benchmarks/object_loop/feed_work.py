"""First part of a step: every agent takes one action on the feed or on a task, or passes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.object_loop.expectation import outcome_chance
from benchmarks.object_loop.looks import total
from benchmarks.object_loop.minds import SHARE_OF_BUDGET
from benchmarks.object_loop.scalar import MICRO, exp, log, micro
from benchmarks.object_loop.society import Agent, Post, Task
from mesocosm.rng import Purpose

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play

TOPICS = (
    "who delivered what they promised", "prices of the last epoch", "a shared rule for disputes",
    "the next task and who should take it", "a rumour about a partner", "what we have in common",
    "how to tell good work from bad", "an offer to work together",
)  # fmt: skip
TOOLS = {
    "planner": {"plan", "post", "reply", "vote"},
    "worker": {"claim", "submit", "post", "reply", "vote"},
    "verifier": {"approve", "reject", "reply", "vote"},
    "poster": {"post", "reply", "vote"},
    "moderator": {"flag", "reply", "vote"},
}
WAITS_FOR = {"planner": "pending", "worker": "planned", "verifier": "submitted"}
WRITES = {"post", "reply"}
FEED_ACTIONS = {"post", "reply", "vote", "flag"}
SUBMISSION = LOOKING = 1 << 40  # counters apart from those of agents
OPENING = 1 << 41


@dataclass(slots=True)
class Action:
    """What one agent decides to do."""

    agent: Agent
    kind: str
    vote: int
    topic: str
    effort: float
    place: int | None  # of the post it reads
    task: Task | None


def act(play: Play, agents: list[Agent]) -> None:
    """Let agents decide on the same state, then carry out what the rails allow."""
    price = total([lever.message_price() for lever in play.levers])
    decided = [decide(play, agent, price) for agent in agents]
    idle = {"pass"} if play.has_feed else {"pass", *FEED_ACTIONS}
    allowed = [action for action in decided if action.kind not in idle and may_act(play, action, price)]
    charge(play, [action.agent for action in allowed if action.kind in WRITES], price)
    for action in allowed:
        action.agent.acted += 1
    by_kind: dict[str, list[Action]] = {}
    for action in allowed:
        by_kind.setdefault(action.kind, []).append(action)
    for action in by_kind.get("vote", []):
        vote(play, action)
    for action in by_kind.get("flag", []):
        flag(play, action)
    reply(play, by_kind.get("reply", []))
    post(play, by_kind.get("post", []))
    plan(play, by_kind.get("plan", []))
    claim(play, by_kind.get("claim", []))
    for action in by_kind.get("submit", []):
        submit(play, action)
    yes, no = by_kind.get("approve", []), by_kind.get("reject", [])
    heard = {task.number: agent.slot for agent, task in winners(play, yes + no, "submitted")}
    approve(play, [action for action in yes if action.task and heard.get(action.task.number) == action.agent.slot])
    reject(play, [action for action in no if action.task and heard.get(action.task.number) == action.agent.slot])


def decide(play: Play, agent: Agent, price: float) -> Action:
    """One agent's action: task work first, else the feed, as its role's tools and the rates allow.

    Who would write, but not at that price, passes.
    """
    rule, mind, draws = play.rule, agent.mind, play.draws
    task = offered(play, agent) if play.has_tasks else None
    place = in_focus(play, agent) if play.has_feed else None
    writer = play.agents[play.feed.at(place).author] if place is not None else agent
    can_vote = place is not None and writer is not agent and agent.slot not in play.feed.at(place).voters
    trust = partial(_trust, play, agent, writer)
    mate = agent.is_mate(writer)
    action = Action(agent, "pass", mind.vote(trust, mate) if can_vote else 0, "", 0.0, place, task)
    action.topic = TOPICS[int(draws.uniform(Purpose.TASK, agent.slot) * len(TOPICS))]
    if task is not None:
        _work(play, agent, task, action)
        return action
    tools, luck = TOOLS[agent.role], draws.uniform(Purpose.ACT, agent.slot)
    posts = 0.0
    if "post" in tools:
        posts = rule.poster_rate if agent.role == "poster" else rule.post_rate
    replies = posts + rule.reply_rate
    if "flag" in tools and can_vote and mind.distrusts(trust, mate):
        action.kind = "flag"
    elif luck < posts:
        action.kind = "post"
    elif can_vote and luck < replies:
        action.kind = "reply"
    elif can_vote and luck < replies + rule.vote_rate:
        action.kind = "vote"
    if action.kind in WRITES and not is_worth(play, agent, price):
        action.kind = "pass"
    return action


def is_worth(play: Play, agent: Agent, price: float) -> bool:
    """Whether a message is worth its price to an agent: x ~ Exp(message_worth); who is blind to levers sees none."""
    if price == 0.0 or agent.mind.blind:
        return True
    worth: float = -log(play.draws.uniform(Purpose.MESSAGE, agent.slot)) * play.rule.message_worth
    return worth > price


def charge(play: Play, writers: list[Agent], price: float) -> None:
    """Take the price of messages from those who write them. Moves: author -> treasury."""
    due = micro(price)
    if due == 0:
        return
    for agent in writers:
        play.books.pay_treasury(agent, due)
        agent.spent += due
        play.log("charged", agent=agent.slot, what="message", amount=due / MICRO)
        for lever in play.levers:
            lever.fired += lever.message_price() > 0.0


def _trust(play: Play, agent: Agent, other: Agent) -> float:
    return agent.trust_in(other, play.rule.prior_strength)[0]


def _work(play: Play, agent: Agent, task: Task, action: Action) -> None:
    if task is agent.task:
        action.kind, action.effort = "submit", agent.mind.effort(agent, task)
    elif agent.role == "planner":
        action.kind = "plan"
    elif agent.role == "worker":
        action.kind = "claim"
    else:
        mate = task.worker is not None and agent.is_mate(task.worker)
        action.kind = "approve" if agent.mind.approves(partial(evidence, play, agent, task), mate) else "reject"


def offered(play: Play, agent: Agent) -> Task | None:
    """The task an agent holds, or one drawn among those that wait for its role."""
    if agent.task is not None:
        return agent.task
    wanted = WAITS_FOR.get(agent.role)
    waiting = [task for task in play.tasks_by_number() if task.status == wanted]
    if not waiting:
        return None
    return waiting[int(play.draws.uniform(Purpose.VERDICT, agent.slot) * len(waiting))]


def evidence(play: Play, agent: Agent, task: Task) -> float:
    """Odds that submitted work is good, by trust in the worker and a noisy look."""
    assert task.worker is not None
    trust = _trust(play, agent, task.worker)
    u = play.draws.uniform(Purpose.VERDICT, LOOKING + agent.slot)
    return trust / (1.0 - trust) * exp(float(task.v)) * (u / (1.0 - u))


def in_focus(play: Play, agent: Agent) -> int | None:
    """The post an agent reads: nearer the top more often."""
    visible = play.feed.visible
    if not visible:
        return None
    luck = play.draws.uniform(Purpose.READ, agent.slot)
    return visible[int(luck * luck * len(visible))]


def result_text(task: Task) -> str:
    """What a worker hands in."""
    return f"result of task {task.number}"


def length_of(action: Action) -> int:
    """Characters of what an action writes."""
    if action.kind == "submit" and action.task is not None:
        return len(result_text(action.task))
    return len(action.topic) if action.kind in WRITES else 0


def may_act(play: Play, action: Action, price: float) -> bool:
    """Hold an action against the safety rails; what is refused becomes an event."""
    rule, agent, writes = play.rule, action.agent, action.kind in WRITES
    due = micro(price) if writes else 0
    broken = ""
    if action.kind not in TOOLS[agent.role]:
        broken = "tool_allowlist"
    elif due > 0 and due > min(agent.balance, micro(rule.budget_per_epoch) - agent.spent):
        broken = "message_unpaid"
    elif writes and agent.posts >= rule.max_posts_per_epoch:
        broken = "max_posts_per_epoch"
    elif writes and play.step - agent.last_post < rule.min_time_between_posts:
        broken = "min_time_between_posts"
    elif length_of(action) > rule.max_content_length:
        broken = "max_content_length"
    elif agent.tokens < 1.0:
        broken = "rate_limit"
    if broken:
        agent.refused += 1
        play.log("refused", agent=agent.slot, rule=broken, attempt=action.kind)
        return False
    agent.tokens -= 1.0
    if writes:
        agent.posts += 1
        agent.last_post = play.step
    return True


def post(play: Play, actions: list[Action]) -> None:
    """Start threads."""
    for action in actions:
        slot = action.agent.slot
        seq = play.log("posted", agent=slot, content=action.topic, derived_from=[])
        play.feed.add(Post(seq, slot, play.step))


def reply(play: Play, actions: list[Action]) -> None:
    """Answer the posts in focus; the replies are added when all have been counted."""
    written = []
    for action in actions:
        assert action.place is not None
        parent = play.feed.at(action.place)
        slot = action.agent.slot
        seq = play.log(
            "replied", parent.seq, agent=slot, post=parent.seq, content=action.topic, derived_from=[parent.seq]
        )
        parent.replies += 1
        written.append(Post(seq, slot, play.step))
    for answer in written:
        play.feed.add(answer)


def vote(play: Play, action: Action) -> None:
    """Count a vote; nobody votes twice on a post, or on an own one."""
    assert action.place is not None
    seen, slot = play.feed.at(action.place), action.agent.slot
    if seen.author == slot or slot in seen.voters:
        return
    play.log("voted", seen.seq, agent=slot, post=seen.seq, value=action.vote)
    seen.votes += action.vote
    seen.voters.add(slot)
    if action.vote > 0:
        play.agents[seen.author].votes_received += 1


def flag(play: Play, action: Action) -> None:
    """Hide a post from the next ranking on."""
    assert action.place is not None
    seen = play.feed.at(action.place)
    play.log("flagged", seen.seq, agent=action.agent.slot, post=seen.seq)
    seen.hidden = True


def winners(play: Play, actions: list[Action], wanted: str) -> list[tuple[Agent, Task]]:
    """Where several agents want one task, the first in order gets it; listed by slot."""
    first: dict[int, tuple[Agent, Task]] = {}
    for action in sorted(actions, key=lambda action: (play.precedence(action.agent), action.agent.slot)):
        task = action.task
        if task is not None and task.status == wanted:
            first.setdefault(task.number, (action.agent, task))
    return sorted(first.values(), key=lambda pair: pair[0].slot)


def advance(play: Play, kind: str, agent: Agent, task: Task, status: str) -> None:
    """Log a step in the life of a task."""
    task.last_seq = play.log(kind, task.last_seq, agent=agent.slot, task=task.number)
    task.status = status


def plan(play: Play, actions: list[Action]) -> None:
    """Planners make tasks ready for a worker."""
    for agent, task in winners(play, actions, "pending"):
        advance(play, "task_planned", agent, task, "planned")
        task.planner = agent


def claim(play: Play, actions: list[Action]) -> None:
    """Workers take planned tasks."""
    for agent, task in winners(play, actions, "planned"):
        advance(play, "task_claimed", agent, task, "claimed")
        task.worker = agent
        agent.task = task


def submit(play: Play, action: Action) -> None:
    """A worker hands in; effort that it cannot pay for is not made. Moves: worker -> burnt."""
    rule, agent, task, effort = play.rule, action.agent, action.task, action.effort
    assert task is not None
    cost = micro(rule.effort_cost * task.difficulty * effort)
    if cost > min(agent.balance, micro(rule.budget_per_epoch) - agent.spent):
        cost, effort = 0, 0.0
    agent.balance -= cost
    agent.spent += cost
    play.books.burnt += cost
    q = outcome_chance(rule, effort, agent.skill, task.difficulty)
    task.v = 1 if play.draws.uniform(Purpose.TASK, SUBMISSION + agent.slot) < q else -1
    task.status, agent.task = "submitted", None
    before = task.last_seq
    task.last_seq = play.log(
        "task_submitted", before, agent=agent.slot, task=task.number, effort=effort,
        content=result_text(task), derived_from=[before],
    )  # fmt: skip


def approve(play: Play, actions: list[Action]) -> None:
    """Verifiers pass work: the budget is paid out. Moves: budget hold -> planner, worker, verifier."""
    done = winners(play, actions, "submitted")
    for verifier, task in done:
        assert task.planner is not None
        assert task.worker is not None
        share = [round(task.budget * SHARE_OF_BUDGET[role]) for role in ("planner", "verifier")]
        rest = task.budget - share[0] - share[1]
        for payee, amount in ((task.planner, share[0]), (verifier, share[1]), (task.worker, rest)):
            if payee.active:
                payee.balance += amount
            else:
                play.books.commons += amount
        play.books.budget -= task.budget
        paid = task.budget / 1_000_000
        play.log("task_completed", task.last_seq, agent=verifier.slot, task=task.number, v=task.v, paid=paid)
        task.status = "completed"
        play.board[play.board.index(task)] = None


def reject(play: Play, actions: list[Action]) -> None:
    """Verifiers send work back to wait for a worker."""
    for verifier, task in winners(play, actions, "submitted"):
        advance(play, "task_rejected", verifier, task, "planned")
        task.v = 0
