"""The circuit breaker: who looks too toxic, and who is stopped for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.foresight import Foresight, believed, usual_payoff
from benchmarks.object_loop.interaction import Deal
from benchmarks.object_loop.lever import Lever
from benchmarks.object_loop.scalar import log
from benchmarks.object_loop.society import Agent

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play

RUNGS = ("throttle", "agent", "cluster", "halt")


class Watch:
    """What the breaker knows of one agent."""

    def __init__(self, window: int) -> None:
        self.toxic: list[float | None] = [None] * window
        self.partners: list[int | None] = [None] * window
        self.place = 0
        self.total: float | None = None
        self.risky = 0  # accepted proposals that looked worse than the bar
        self.trips = 0
        self.throttled_until = 0

    def note(self, toxic: float, partner: int) -> None:
        """Write a deal over the oldest one."""
        self.toxic[self.place] = toxic
        self.partners[self.place] = partner
        self.place = (self.place + 1) % len(self.toxic)

    def forget(self) -> None:
        """Begin anew, where the window goes on."""
        self.toxic = [None] * len(self.toxic)
        self.partners = [None] * len(self.partners)
        self.total = None

    def mean(self) -> float | None:
        """Mean of a full window; None while it is not full."""
        total = None
        for value in self.toxic:
            if value is None:
                return None
            total = value if total is None else total + value
        return None if total is None else total / len(self.toxic)


class CircuitBreaker(Lever):
    """Stops agents whose last accepted proposals look too toxic."""

    name = "circuit_breaker"
    phase = 70

    def __init__(self, play: Play, params: dict[str, Any]) -> None:
        super().__init__(play, params)
        self.watched: dict[int, Watch] = {}
        self.sums = params["rule"] == "cusum" and params["threshold"] < 1.0
        good, bad = params["good_rate"], params["bad_rate"]
        self.rise = log(bad / good) if bad > good else 0.0  # what a signal of 1 adds to the sum
        self.fall = log((1.0 - bad) / (1.0 - good)) if bad > good else 0.0  # and one of 0
        self.bar = params["threshold"]
        if self.sums:
            self.bar = -self.fall / (self.rise - self.fall) if bad > good else 1.0

    def watch(self, agent: Agent) -> Watch:
        """What is known of an agent."""
        return self.watched.setdefault(agent.slot, Watch(self.params["window"]))

    def may_propose(self, agent: Agent) -> bool:
        """A throttled agent has few proposals an epoch."""
        held = self.play.step < self.watch(agent).throttled_until
        allowed = not (held and agent.proposed >= self.params["throttle"])
        self.fired += not allowed
        return allowed

    def on_settle(self, deals: list[Deal]) -> None:
        """Note 1 - p, see whose statistic is too high, and stop them and whom the tier says."""
        tripped: list[tuple[Deal, float, str]] = []
        for deal in deals:
            if not deal.accepted:
                continue
            watch, toxic = self.watch(deal.a), 1.0 - deal.traces.p
            watch.note(toxic, deal.b.slot)
            watch.risky += toxic > self.bar
            if self.sums:
                before = 0.0 if watch.total is None else watch.total
                watch.total = max(before + (self.fall + toxic * (self.rise - self.fall)), 0.0)
                statistic: float | None = watch.total
                trips = watch.total >= self.params["limit"]
            else:
                statistic = watch.mean()
                trips = statistic is not None and statistic > self.params["threshold"]
            if trips and statistic is not None:
                tripped.append((deal, statistic, self.rung(watch)))
        if tripped:
            self.stop(tripped)
        for deal, _, _ in tripped:
            self.watch(deal.a).forget()
            self.watch(deal.a).trips += self.params["tier"] != "agent"

    def rung(self, watch: Watch) -> str:
        """How far the next trip of an agent goes."""
        tier: str = self.params["tier"]
        return RUNGS[min(watch.trips, RUNGS.index("cluster"))] if tier == "rising" else tier

    def stop(self, tripped: list[tuple[Deal, float, str]]) -> None:
        """Throttle and freeze, and log it; an agent's own trip counts before that of another."""
        play = self.play
        until = play.step + 1 + self.params["cool_down"]
        for deal, statistic, rung in tripped:
            if rung == "throttle":
                self.watch(deal.a).throttled_until = until
                play.log("throttled", deal.seq, agent=deal.a.slot, until_step=until, statistic=statistic)
                self.fired += 1
        caught = {deal.a.slot: (deal, statistic) for deal, statistic, rung in tripped if rung != "throttle"}
        for deal, statistic, rung in tripped:
            for agent in self.reached(deal, rung):
                caught.setdefault(agent.slot, (deal, statistic))
        if self.params["tier"] == "rising" and self.is_panic(set(caught)):
            own = {deal.a.slot: (deal, statistic) for deal, statistic, _ in tripped}
            for agent in play.crowd:
                caught.setdefault(agent.slot, own.get(agent.slot, tripped[0][:2]))
        for slot in sorted(caught):
            agent, (deal, statistic) = play.agents[slot], caught[slot]
            if agent.frozen_until < until:
                agent.frozen_until = until
                agent.freezes += 1
                play.log("frozen", deal.seq, agent=slot, until_step=until, statistic=statistic)
                self.fired += 1

    def reached(self, deal: Deal, rung: str) -> list[Agent]:
        """Whom a trip freezes beside the agent."""
        if rung == "halt":
            return self.play.crowd
        if rung != "cluster":
            return []
        partners = [slot for slot in self.watch(deal.a).partners if slot is not None]
        often = {slot for slot in partners if partners.count(slot) >= self.params["cluster_deals"]}
        return [self.play.agents[slot] for slot in sorted(often) if self.play.agents[slot].active]

    def is_panic(self, caught: set[int]) -> bool:
        """Whether so many are frozen that everybody is to be."""
        crowd = self.play.crowd
        frozen = sum(agent.frozen_until > self.play.step or agent.slot in caught for agent in crowd)
        return bool(frozen > self.params["halt_share"] * len(crowd))

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """A deal that will probably look worse than the bar costs its share of a trip, which loses usual payoffs.

        A trip comes once a window, or once in h / KL deals, and is met as often as freezes or trips were.
        """
        rule, params, watch = self.play.rule, self.params, self.watch(agent)
        announced = 1.0 / params["window"]
        if self.sums:
            announced = min((self.fall + params["bad_rate"] * (self.rise - self.fall)) / params["limit"], 1.0)
        met = agent.freezes if params["tier"] == "agent" else watch.trips
        risk = believed(rule, announced, met, watch.risky)
        lost = 1.0
        if self.rung(watch) == "throttle":
            lost = 1.0 - min(params["throttle"] / self.play.scenario.simulation.steps_per_epoch, 1.0)
        ahead.halts.append((self.bar, params["cool_down"] * usual_payoff(rule, agent) * risk * lost))
