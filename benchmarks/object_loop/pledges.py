"""Credits that agents pledge for good conduct: stakes and bonds, and the levers that ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.object_loop.foresight import Foresight
from benchmarks.object_loop.interaction import Deal
from benchmarks.object_loop.lever import Lever
from benchmarks.object_loop.scalar import MICRO, micro
from benchmarks.object_loop.society import Agent

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play


def set_aside(play: Play, agent: Agent, kind: str, amount: int) -> int:
    """Set credits of an agent aside; returns 1 if there was anything to do. Moves: agent -> stake or bond."""
    if amount == 0:
        return 0
    agent.balance -= amount
    setattr(agent, kind, getattr(agent, kind) + amount)
    play.log("deposited", agent=agent.slot, deposit=kind, amount=amount / MICRO)
    return 1


def give_back(play: Play, agent: Agent, kind: str, amount: int) -> int:
    """Give an agent back what it has set aside; returns 1 if there was any. Moves: stake or bond -> agent."""
    if amount == 0:
        return 0
    agent.balance += amount
    setattr(agent, kind, getattr(agent, kind) - amount)
    play.log("returned", agent=agent.slot, deposit=kind, amount=amount / MICRO)
    return 1


def tell_slashed(play: Play, kind: str, lost: list[tuple[Deal, int]], compensates: bool = False) -> int:
    """Log what initiators have lost of their deposits, to the treasury or to their partners; returns how many did."""
    hit = [(deal, amount) for deal, amount in lost if amount > 0]
    for deal, amount in hit:
        payee = deal.b.slot if compensates else -1
        play.log("slashed", deal.seq, agent=deal.a.slot, deposit=kind, amount=amount / MICRO, payee=payee)
    return len(hit)


def found_bad_by_audit(deal: Deal) -> bool:
    """Whether an audit said that the outcome was bad."""
    return deal.audited and not deal.told_good


class Staking(Lever):
    """Who deals has a stake on deposit; initiators of bad deals that come to light lose of it."""

    name = "staking"
    phase = 62

    def may_propose(self, agent: Agent) -> bool:
        """Whether it has the stake, or can top it up."""
        able = self.tops_up(agent)
        self.fired += not able
        return able

    def before_answers(self, deals: list[Deal]) -> None:
        """Everybody who was asked tops the stake up."""
        for agent in sorted({deal.b.slot: deal.b for deal in deals}.values(), key=lambda agent: agent.slot):
            self.tops_up(agent)

    def admits(self, deal: Deal) -> bool:
        """Counterparties that have the stake."""
        able = deal.b.stake >= micro(self.params["amount"])
        self.fired += not able
        return able

    def on_settle(self, deals: list[Deal]) -> None:
        """Take what a bad deal costs where it was discovered and disputed, or found by an audit."""
        lost = []
        for deal in deals:
            disputed = self.play.draws.uniform(self.purpose, deal.a.slot) < self.params["dispute"]
            told = deal.discovered and not deal.good and disputed
            if deal.accepted and (told or found_bad_by_audit(deal)):
                amount = min(micro(self.params["amount"] * self.params["slash"]), deal.a.stake)
                deal.a.stake -= amount
                self.play.books.treasury += amount
                deal.fine += amount / MICRO
                lost.append((deal, amount))
        self.fired += tell_slashed(self.play, "stake", lost)

    def on_epoch(self, agents: list[Agent]) -> None:
        """Nobody has more on deposit than is asked for."""
        for agent in agents:
            self.fired += give_back(self.play, agent, "stake", max(agent.stake - micro(self.params["amount"]), 0))

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """A bad deal that comes to light costs what is slashed, if it is disputed."""
        ahead.forfeit += self.params["amount"] * self.params["slash"] * self.params["dispute"]

    def tops_up(self, agent: Agent) -> bool:
        """Whether an agent has the stake on deposit, after topping it up if it can."""
        need = max(micro(self.params["amount"]) - agent.stake, 0)
        if need > 0 and agent.balance < need:
            return False
        self.fired += set_aside(self.play, agent, "stake", need)
        return True


class Bonds(Lever):
    """Every accepted deal has a bond of its initiator's, which compensates the counterparty if it turns out bad."""

    name = "bonds"
    phase = 63

    def may_propose(self, agent: Agent) -> bool:
        """Whether it can pay the bond of one more deal."""
        due = micro(self.params["amount"])
        able = due == 0 or agent.balance >= due
        self.fired += not able
        return able

    def on_settle(self, deals: list[Deal]) -> None:
        """All set aside what they can, then bonds of bad deals that came to light go to the counterparties."""
        bonds = []
        for deal in deals:
            if deal.accepted:
                bond = min(micro(self.params["amount"]), max(deal.a.balance, 0))
                self.fired += set_aside(self.play, deal.a, "bond", bond)
                bonds.append((deal, bond))
        lost = []
        for deal, bond in bonds:
            if (deal.discovered and not deal.good) or found_bad_by_audit(deal):
                deal.a.bond -= bond
                deal.b.balance += bond
                deal.fine += bond / MICRO
                lost.append((deal, bond))
        self.fired += tell_slashed(self.play, "bond", lost, compensates=True)

    def on_epoch(self, agents: list[Agent]) -> None:
        """Give back what is left."""
        for agent in agents:
            self.fired += give_back(self.play, agent, "bond", agent.bond)

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """A bad deal that comes to light costs the bond, or what there is to pay it from."""
        ahead.forfeit += min(self.params["amount"], max(agent.balance / MICRO, 0.0))
