"""Who looks at deals and says so: the public record that strangers read, and the moderator."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.expectation import STANDARD_BAR, STANDARD_LOOK, chance
from benchmarks.object_loop.foresight import Foresight, believed, usual_payoff
from benchmarks.object_loop.interaction import Deal
from benchmarks.object_loop.lever import Lever
from benchmarks.object_loop.society import Agent
from mesocosm.rng import lever_purpose

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play


class TransparencyLedger(Lever):
    """What comes to light of deals goes on a public record, with luck, and can be read some steps later."""

    name = "transparency_ledger"
    phase = 66

    def __init__(self, play: Play, params: dict[str, Any]) -> None:
        super().__init__(play, params)
        self.readable: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])  # by agent: good and bad entries
        self.to_come: dict[int, Counter[tuple[int, int]]] = {}  # by step: entries of (agent, 0 for good or 1 for bad)
        self.head = bytes(32)

    def on_settle(self, deals: list[Deal]) -> None:
        """Enter what came to light, and add it to the chain."""
        for deal in deals:
            known = deal.discovered or deal.audited
            if not known or self.play.draws.uniform(self.purpose, deal.a.slot) >= self.params["coverage"]:
                continue
            good = deal.good if deal.discovered else deal.told_good
            slot, side, lag = deal.a.slot, 0 if good else 1, self.params["lag"]
            if lag == 0:
                self.readable[slot][side] += 1.0
            else:
                self.to_come.setdefault(self.play.step + lag, Counter())[slot, side] += 1
            entry = {"agent": slot, "interaction": deal.seq, "v": 1 if good else -1}
            self.head = hashlib.sha256(self.head + json.dumps(entry, separators=(",", ":")).encode()).digest()
            self.play.log("published", deal.seq, **entry, head=self.head.hex())
            self.fired += 1

    def on_step(self, agents: list[Agent]) -> None:
        """What is old enough can be read."""
        for (slot, side), count in self.to_come.pop(self.play.step, Counter()).items():
            self.readable[slot][side] += count

    def on_epoch(self, agents: list[Agent]) -> None:
        """What can be read fades as memories do."""
        for entries in self.readable.values():
            entries[0] *= self.play.rule.decay
            entries[1] *= self.play.rule.decay

    def public_record(self, agent: Agent) -> tuple[float, float]:
        """What can be read of an agent."""
        good, bad = self.readable[agent.slot]
        return good, bad

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """One entry more moves what all others think of the agent, the more the less they know themselves, and with it
        the chance of their yes to a deal that looks good.
        """
        rule, strength = self.play.rule, self.play.rule.prior_strength
        _, behind = other.trust_in(agent, strength)
        readers = (len(self.play.crowd) - 1) * strength / behind
        scale = rule.patience * usual_payoff(rule, agent) * self.params["coverage"] * readers
        good, bad = self.readable[agent.slot]
        weight = strength + good + bad

        def yes(trust: float) -> float:
            return chance(trust, STANDARD_LOOK, STANDARD_BAR)

        now, total = yes(agent.prior), agent.prior * weight
        ahead.forfeit += scale * max(now - yes(total / (weight + 1.0)), 0.0)
        ahead.acclaim += scale * max(yes((total + 1.0) / (weight + 1.0)) - now, 0.0)


class ModeratorAgent(Lever):
    """Reads traces of proposals, as many in a step as it has time for, and stops what looks bad or suspends its author.

    Attributes   verdicts: of the proposals of this turn that it reviewed, by initiator: (flagged, acted upon).
    """

    name = "moderator_agent"
    phase = 6

    def __init__(self, play: Play, params: dict[str, Any]) -> None:
        super().__init__(play, params)
        self.reach_purpose = lever_purpose(self.name, 2)
        self.is_late = params["delay"] > 0
        self.reviews = 0  # in this step
        self.brought: Counter[int] = Counter()
        self.reviewed: Counter[int] = Counter()
        self.verdicts: dict[int, tuple[bool, bool]] = {}
        self.to_come: dict[int, dict[int, int]] = {}  # by step: who is suspended then, and the deal that it is for

    def on_step(self, agents: list[Agent]) -> None:
        """Suspend whose time has come, if it is still there."""
        self.reviews = 0
        cause = self.to_come.pop(self.play.step, {})
        until = self.play.step + self.params["suspension"]
        for agent in agents:
            if agent.active and agent.slot in cause:
                agent.frozen_until = max(agent.frozen_until, until)
                agent.freezes += 1
                self.play.log("frozen", cause[agent.slot], agent=agent.slot, until_step=until, statistic=math.nan)
                self.fired += 1

    def before_answers(self, deals: list[Deal]) -> None:
        """Review proposals, unless it comes late."""
        self.verdicts = {}
        if not self.is_late:
            self.review(deals)

    def admits(self, deal: Deal) -> bool:
        """What it has not refused."""
        _, acted = self.verdicts.get(deal.a.slot, (False, False))
        self.fired += acted
        return not acted

    def on_settle(self, deals: list[Deal]) -> None:
        """Review accepted deals, if it comes late; log all reviews."""
        if self.is_late:
            self.review([deal for deal in deals if deal.accepted])
        for deal in deals:
            if deal.a.slot not in self.verdicts:
                continue
            flagged, acted = self.verdicts[deal.a.slot]
            self.play.log(
                "moderated", deal.seq, agent=deal.a.slot, interaction=deal.seq, flagged=flagged, acted=acted
            )  # fmt: skip
            self.fired += 1
            if acted and self.is_late:
                self.to_come.setdefault(self.play.step + self.params["delay"], {})[deal.a.slot] = deal.seq

    def review(self, deals: list[Deal]) -> None:
        """Look at as many as there is time for, by lot."""
        params, draws = self.params, self.play.draws
        if params["reach"] == 0.0:
            return
        self.brought.update(deal.a.slot for deal in deals)
        by_lot = sorted(deals, key=lambda deal: draws.uniform(self.purpose, deal.a.slot))
        for deal in by_lot[: max(params["capacity"] - self.reviews, 0)]:
            slot = deal.a.slot
            errs = draws.uniform(self.second_purpose, slot) < params["error"]
            flagged = (deal.traces.v_hat < 0.0) != errs
            acted = flagged and draws.uniform(self.reach_purpose, slot) < params["reach"]
            self.verdicts[slot] = (flagged, acted)
            self.reviewed[slot] += 1
            self.reviews += 1

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """Flags that are acted upon stop a deal, or cost a suspension's usual payoffs."""
        params, rule, evidence = self.params, self.play.rule, self.play.evidence
        announced = min(params["capacity"] / len(self.play.crowd), 1.0)
        seen = believed(rule, announced, self.reviewed[agent.slot], self.brought[agent.slot])
        hit, error = params["reach"] * seen, params["error"]

        def acts(suspect: float) -> float:
            acted: float = hit * (suspect * (1.0 - error) + (1.0 - suspect) * error)
            return acted

        good, bad = acts(evidence.good.suspect), [acts(look.suspect) for look in evidence.bad]
        if self.is_late:
            lost = params["suspension"] * usual_payoff(rule, agent)
            ahead.fine_good += lost * good
            ahead.fine_bad = [fine + lost * acted for fine, acted in zip(ahead.fine_bad, bad, strict=True)]
        else:
            ahead.passes_good *= 1.0 - good
            ahead.passes_bad = [passes * (1.0 - acted) for passes, acted in zip(ahead.passes_bad, bad, strict=True)]
