"""Between steps: what happens when an epoch begins and when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.object_loop.feed_work import OPENING
from benchmarks.object_loop.looks import total
from benchmarks.object_loop.pledges import give_back
from benchmarks.object_loop.scalar import MICRO, micro
from benchmarks.object_loop.society import Agent, Task
from mesocosm.rng import Purpose

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play

PROMPTS = (
    "Summarise what the group agreed on last",
    "Collect three sources for an open question",
    "Check the figures of the previous report",
    "Draft a plan for the next epoch",
    "Compare two offers and recommend one",
    "Write a test for the last deliverable",
)

TURNOVER = 1 << 40  # offset of the draws of turnover


def begin_epoch(play: Play) -> None:
    """Fresh counts, departures, arrivals, the epoch's tasks."""
    for agent in play.agents:
        agent.posts = agent.spent = 0
        agent.proposed = agent.accepted = agent.acted = agent.refused = 0
    if play.epoch > 0:
        depart(play)
        arrive(play)
    play.log("epoch_started", active=len(play.crowd))
    if play.has_tasks:
        open_tasks(play)


def depart(play: Play) -> None:
    """Planned departures take those of a type with the lowest draw; turnover takes each by chance."""
    population = play.scenario.population
    luck = {agent.slot: play.draws.uniform(Purpose.DEPART, agent.slot) for agent in play.crowd}
    leaving: set[int] = set()
    for item in population.departures:
        if item.epoch == play.epoch:
            kind = [agent.slot for agent in play.crowd if agent.mind.name == item.type and agent.slot not in leaving]
            leaving.update(sorted(kind, key=lambda slot: luck[slot])[: item.count])
    leaving.update(slot for slot in luck if play.draws.uniform(Purpose.DEPART, TURNOVER + slot) < population.turnover)
    leavers = [agent for agent in play.crowd if agent.slot in leaving]
    for deposit in ("stake", "bond"):
        for agent in leavers:
            give_back(play, agent, deposit, getattr(agent, deposit))
    for agent in leavers:
        play.log("departed", agent=agent.slot, balance=agent.balance / MICRO)
        play.books.commons += agent.balance
        agent.balance = 0
        agent.active = False
        if agent.task is not None:
            agent.task.status, agent.task.worker, agent.task = "planned", None, None
    play.refresh_crowd()


def arrive(play: Play) -> None:
    """Those whose epoch has come join, with their endowment. Moves: nothing -> agent."""
    for agent in play.agents:
        if agent.arrival_epoch == play.epoch:
            agent.active = True
            agent.balance = micro(play.rule.initial_budget)
            play.books.minted += agent.balance
            play.log("arrived", agent=agent.slot, endowment=play.rule.initial_budget)
    play.refresh_crowd()


def open_tasks(play: Play) -> None:
    """Post the epoch's tasks as far as there is room. Moves: nothing -> budget hold."""
    rule = play.rule
    free = [place for place, task in enumerate(play.board) if task is None]
    deadline = play.epoch + int(rule.duration_epochs) - 1
    for turn, place in enumerate(free[: int(rule.per_epoch)]):
        x = play.draws.uniform(Purpose.DIFFICULTY, OPENING + turn)
        number, budget = play.tasks_opened, micro(rule.budget)
        play.tasks_opened += 1
        seq = play.log(
            "task_opened", task=number, prompt=PROMPTS[number % len(PROMPTS)], required_outputs=1,
            budget=budget / MICRO, deadline=deadline,
        )  # fmt: skip
        play.board[place] = Task(number, budget, deadline, x, seq)
        play.books.budget += budget
        play.books.minted += budget


def end_epoch(play: Play) -> None:
    """Deadlines, levers, ballots, forgetting, then the state of every agent."""
    if play.has_tasks:
        expire(play)
    for lever in play.levers:
        lever.on_epoch(play.agents)
    ballots(play)
    for lever in play.levers:
        play.annotate("fired", lever=lever.name, count=lever.fired)
        lever.fired = 0
    for agent in play.agents:
        for record in agent.memory.values():
            record.alpha *= play.rule.decay
            record.beta *= play.rule.decay
    for agent in play.agents:
        if agent.arrival_epoch <= play.epoch:
            play.log(
                "agent_state", agent=agent.slot, active=agent.active, reputation=agent.reputation,
                balance=agent.balance / MICRO, deposits=(agent.stake + agent.bond) / MICRO,
                proposed=agent.proposed, accepted=agent.accepted,
                votes_received=agent.votes_received, acted=agent.acted, refused=agent.refused, deals=agent.deals,
                audits=agent.audits, freezes=agent.freezes, payoff_mean=agent.payoff_mean,
            )  # fmt: skip
    books = play.books
    play.log(
        "epoch_completed", active=len(play.crowd), minted=books.minted / MICRO, burnt=books.burnt / MICRO,
        treasury=books.treasury / MICRO, commons=books.commons / MICRO,
    )  # fmt: skip


def expire(play: Play) -> None:
    """Tasks past their deadline fail. Moves: budget hold -> commons."""
    for place, task in enumerate(play.board):
        if task is None or task.deadline > play.epoch:
            continue
        play.log("task_failed", task.last_seq, task=task.number, status=task.status)
        if task.status == "claimed" and task.worker is not None:
            task.worker.task = None
        play.books.budget -= task.budget
        play.books.commons += task.budget
        play.board[place] = None


def ballots(play: Play) -> None:
    """Everybody votes on whom it remembers: R <- clip(R + gain * weighted mean ballot)."""
    rule = play.rule
    given = [0.0] * len(play.agents)
    cast = [0.0] * len(play.agents)
    weight_of = {voter.slot: weight_of_ballots(play, voter) for voter in play.crowd}
    for voter in play.crowd:
        weight = weight_of[voter.slot]
        for slot, record in voter.memory.items():
            rated = play.agents[slot]
            if voter.is_mate(rated):
                continue
            n = record.alpha + record.beta
            strength = rule.prior_strength
            opinion = record.alpha + strength * rated.prior - 0.5 * (n + strength)
            sign = -1.0 if voter.mind.coalition else float((opinion > 0.0) - (opinion < 0.0))
            given[slot] += weight * sign
            cast[slot] += weight
    for name in {agent.mind.name for agent in play.crowd if agent.mind.coalition}:
        members = [agent.slot for agent in play.crowd if agent.mind.name == name]
        everybody = total([weight_of[slot] for slot in members])
        for slot in members:
            given[slot] += everybody - weight_of[slot]
            cast[slot] += everybody - weight_of[slot]
    for agent in play.crowd:
        mean = given[agent.slot] / cast[agent.slot] if cast[agent.slot] > 0.0 else 0.0
        moved = agent.reputation + rule.ballot_gain * mean
        play.set_reputation(agent, min(max(moved, -rule.bound), rule.bound))


def weight_of_ballots(play: Play, voter: Agent) -> float:
    """What each ballot of a voter counts: its policy's weight, as levers change it."""
    weight = voter.mind.ballot_weight
    n = ballots_cast(play, voter)
    for lever in play.levers:
        changed = lever.weigh_ballot(weight, n)
        lever.fired += changed != weight and n > 0
        weight = changed
    return weight


def ballots_cast(play: Play, voter: Agent) -> int:
    """How many ballots a voter casts: on everybody it remembers, and on all its mates, known or not."""
    strangers = sum(not voter.is_mate(play.agents[slot]) for slot in voter.memory)
    mates = sum(voter.is_mate(other) for other in play.crowd if other is not voter)
    return strangers + mates
