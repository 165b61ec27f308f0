"""The loop: run > epoch > step > turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from benchmarks.object_loop import deals, feed_work, seasons
from benchmarks.object_loop.chronicle import Event
from benchmarks.object_loop.expectation import Expectation
from benchmarks.object_loop.foresight import nothing_ahead
from benchmarks.object_loop.interaction import Deal
from benchmarks.object_loop.lever import Lever
from benchmarks.object_loop.levers import levers_of
from benchmarks.object_loop.looks import evidence_of
from benchmarks.object_loop.minds import MINDS, Mind
from benchmarks.object_loop.scalar import GAMMA, WORD, Draws, logit, micro, mix, sigmoid
from benchmarks.object_loop.society import NEVER, Agent, Books, Feed, Task, rules_of
from mesocosm.config.schema import Scenario
from mesocosm.rng import Purpose

MANY_TURNS = 10_000_000  # turns of the second pass are numbered from here when agents act one after the other


class Play:
    """One replicate being played.

    Params   keeps: whether events are kept in `events` with all their fields, or only counted.
    Attributes   rule: the constants of the economy; in_force: the same with what levers add to rho; costs: what
                 levers charge (initiator, counterparty), by transfer.
    """

    def __init__(self, scenario: Scenario, seed: int, keeps: bool = True) -> None:
        self.scenario = scenario
        self.rule = rules_of(scenario)
        self.levers = levers_of(self, scenario.governance)
        self.in_force = with_harm_felt(self.rule, self.levers)
        self.costs = [costs_of(self.rule.transfer * multiple, self.levers) for multiple in self.rule.transfer_menu]
        self.nothing_ahead = nothing_ahead(len(self.rule.disguise_menu))
        self.settles_outcome = float(scenario.payoff.settle_on == "outcome")
        self.has_feed, self.has_tasks = scenario.simulation.phases.feed, scenario.simulation.phases.tasks
        self.draws = Draws(salted(seed, self.levers))
        self.evidence = evidence_of(self.rule)
        self.prior_logit = logit(self.rule.prior_mean)
        self.books = Books()
        self.feed = Feed(scenario.feed.capacity, scenario.feed.visible)
        self.board: list[Task | None] = [None] * scenario.tasks.capacity
        self.tasks_opened = 0
        self.keeps = keeps
        self.events: list[Event] = []
        self.n_events = self.n_interactions = 0
        self.epoch = self.step = self.turn = 0
        self.is_second = False
        self.agents = populate(self)
        self.crowd: list[Agent] = []
        self.refresh_crowd()

    @property
    def moment(self) -> int:
        """Number of the current pass: two to a step, each with its own draws."""
        return 2 * self.step + self.is_second

    def number(self) -> int:
        """Seq of the next event of the trajectory."""
        self.n_events += 1
        return self.n_events - 1

    def event(self, seq: int, kind: str, cause: int, field: dict[str, Any]) -> Event:
        """An event of this moment."""
        return Event(seq, self.epoch, self.step, self.turn, kind, cause, field)

    def log(self, kind: str, cause: int = -1, **field: Any) -> int:
        """Number an event and keep it; returns its seq."""
        seq = self.number()
        if self.keeps:
            self.events.append(self.event(seq, kind, cause, field))
        return seq

    def annotate(self, kind: str, **field: Any) -> None:
        """Keep a note outside the trajectory."""
        if self.keeps:
            self.events.append(self.event(self.n_events - 1, kind, -1, field))

    def refresh_crowd(self) -> None:
        """List the active agents anew."""
        self.crowd = [agent for agent in self.agents if agent.active]
        for place, agent in enumerate(self.crowd):
            agent.place = place

    def set_reputation(self, agent: Agent, value: float) -> None:
        """Write a reputation and the trust of strangers that follows from it."""
        agent.reputation = value
        agent.prior = sigmoid(self.prior_logit + value)

    def read_public_record(self, agent: Agent) -> None:
        """Let what is on record of an agent move what strangers think of it: (w m0 + alpha) / (w + alpha + beta)."""
        good = bad = 0.0
        for lever in self.levers:
            more_good, more_bad = lever.public_record(agent)
            good, bad = good + more_good, bad + more_bad
        if good + bad > 0.0:
            strength = self.rule.prior_strength
            start = sigmoid(self.prior_logit + agent.reputation)
            agent.prior = (good + strength * start) / (good + bad + strength)

    def tasks_by_number(self) -> list[Task]:
        """Open tasks, the oldest first."""
        return sorted((task for task in self.board if task is not None), key=lambda task: task.number)

    def precedence(self, agent: Agent) -> float:
        """Who comes first when agents conflict: the lowest, ties by slot."""
        if self.rule.order == "random":
            return self.draws.uniform(Purpose.ORDER, agent.slot)
        if self.rule.order == "priority":
            return -agent.reputation
        return (agent.place - self.step) % len(self.crowd)

    def in_order(self, deals: list[Deal]) -> list[Deal]:
        """Deals by the precedence of their initiators, ties by slot."""
        return sorted(deals, key=lambda deal: self.precedence(deal.a)) if len(deals) > 1 else deals

    def turns(self) -> list[list[Agent]]:
        """Agents that act together: all at once, or one after the other."""
        if self.rule.turns == "simultaneous":
            return [self.crowd]
        return [[agent] for agent in sorted(self.crowd, key=self.precedence)]

    def play_step(self) -> None:
        """First actions and proposals of everybody, then second proposals on the updated state."""
        rule = self.rule
        for agent in self.agents:
            agent.tokens = min(agent.tokens + rule.rate_limit_refill, rule.rate_limit_capacity)
            agent.dealings = 0
        self.turn = 0
        for lever in self.levers:
            lever.on_step(self.agents)
        for agent in self.crowd:
            self.read_public_record(agent)
        if self.has_feed:
            self.feed.rank(rule.alpha, rule.beta)
        stride = 1 if rule.turns == "simultaneous" else MANY_TURNS
        for self.is_second in (False, True):
            self.turn = self.is_second * stride
            self.draws.at(self.moment)
            for group in self.turns():
                if self.is_second:
                    group = [agent for agent in group if self.is_keen(agent)]
                elif self.has_feed or self.has_tasks:
                    feed_work.act(self, group)
                if rule.phases.proposals and group:
                    deals.trade(self, group)
                self.turn += 1
        self.is_second, self.turn = False, 2 * stride
        self.books.audit(self.agents, rule.credit_limit)

    def is_keen(self, agent: Agent) -> bool:
        """Whether the agent makes a second proposal in this step."""
        chance = agent.mind.second_proposal
        return chance > 0.0 and (chance >= 1.0 or self.draws.uniform(Purpose.SECOND, agent.slot) < chance)


def with_harm_felt(rule: Any, levers: list[Lever]) -> Any:
    """The rules in force: what levers make each side feel of the harm to others is added to rho."""
    in_force = SimpleNamespace(**vars(rule))
    for lever in levers:
        felt_a, felt_b = lever.internalise()
        in_force.rho_a += felt_a
        in_force.rho_b += felt_b
    return in_force


def costs_of(tau: float, levers: list[Lever]) -> tuple[float, float]:
    """(c_a, c_b): what levers charge each side for a transfer."""
    cost = 0.0
    for lever in levers:
        cost += lever.cost(tau)
    return cost, cost


def salted(seed: int, levers: list[Lever]) -> int:
    """The seed of all draws: the scenario's own, unless a lever asks for other luck."""
    for lever in levers:
        if lever.salt():
            seed = mix(seed + (lever.salt() + 1) * GAMMA & WORD)
    return seed


def populate(play: Play) -> list[Agent]:
    """Everybody who is there from the start, those who will arrive, and spare slots."""
    scenario, rule = play.scenario, play.rule
    if any(group.identities > 1 for group in (*scenario.agents, *scenario.population.arrivals)):
        raise ValueError("the object loop plays no society in which somebody may have several identities")
    learns = scenario.adaptation == "learning"
    if learns:
        expects = Expectation(play.in_force, play.evidence, play.costs)
    else:
        expects = Expectation(rule, play.evidence, [(0.0, 0.0) for _ in play.costs])
    groups: list[tuple[Any, int, int]] = [(group, group.count, 0) for group in scenario.agents]
    arrivals = sorted(scenario.population.arrivals, key=lambda group: group.epoch)
    groups += [(group, group.count, group.epoch) for group in arrivals]
    spare = (scenario.population.capacity or 0) - sum(count for _, count, _ in groups)
    groups.append((scenario.agents[0], max(spare, 0), NEVER))
    agents: list[Agent] = []
    for group, count, epoch in groups:
        mind: Mind = MINDS[group.type](rule, expects, group.params, learns)
        for _ in range(count):
            agent = Agent(
                slot=len(agents),
                mind=mind,
                role=group.role,
                skill=group.skill,
                arrival_epoch=epoch,
                prior=sigmoid(play.prior_logit + 0.0),
                payoff_mean=rule.payoff_start,
                tokens=rule.rate_limit_capacity,
                active=epoch == 0,
            )
            agents.append(agent)
            if agent.active:
                agent.balance = micro(rule.initial_budget)
                play.books.minted += agent.balance
    return agents


def play(scenario: Scenario, seed: int, keeps: bool = True) -> Play:
    """Play one replicate to the end."""
    return play_on(Play(scenario, seed, keeps))


def play_on(game: Play, after_epoch: Callable[[int], None] | None = None) -> Play:
    """Play a replicate that has been set up to its end, calling back after every epoch."""
    simulation = game.scenario.simulation
    epochs, steps = simulation.epochs, simulation.steps_per_epoch
    game.log("simulation_started", agents=len(game.crowd), epochs=epochs, steps_per_epoch=steps)
    for epoch in range(epochs):
        game.epoch, game.step, game.turn = epoch, epoch * steps, 0
        game.draws.at(game.moment)
        seasons.begin_epoch(game)
        for step in range(steps):
            game.step = epoch * steps + step
            game.play_step()
        seasons.end_epoch(game)
        if after_epoch is not None:
            after_epoch(epoch)
    game.log("simulation_ended", epochs=epochs, reason="completed")
    return game


__all__: Sequence[str] = ("Play", "play", "play_on")
