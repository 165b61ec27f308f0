"""What a lever may do: one hook for each moment at which it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.object_loop.foresight import Foresight
from benchmarks.object_loop.interaction import Deal
from benchmarks.object_loop.society import Agent
from mesocosm.rng import lever_purpose

if TYPE_CHECKING:
    from benchmarks.object_loop.play import Play


class Lever:
    """A rule of governance with its parameters, playing in one society.

    Attributes   fired: how often it did something in this epoch.
    """

    name = ""
    phase = 50

    def __init__(self, play: Play, params: dict[str, Any]) -> None:
        self.play = play
        self.params = params
        self.purpose = lever_purpose(self.name)
        self.second_purpose = lever_purpose(self.name, 1)
        self.fired = 0

    def salt(self) -> int:
        """A number mixed into the seed of every draw; 0 for none."""
        return 0

    def internalise(self) -> tuple[float, float]:
        """How much more of the harm to others each side feels."""
        return 0.0, 0.0

    def cost(self, tau: float) -> float:
        """Credits that each side pays if the deal is accepted."""
        return 0.0

    def message_price(self) -> float:
        """Credits that a post or a reply costs its author."""
        return 0.0

    def weigh_ballot(self, weight: float, cast: int) -> float:
        """What each ballot of a voter counts, given what it would count and how many the voter casts."""
        return weight

    def public_record(self, agent: Agent) -> tuple[float, float]:
        """Good and bad outcomes of an agent that everybody can read of now."""
        return 0.0, 0.0

    def foresee(self, agent: Agent, other: Agent, ahead: Foresight) -> None:
        """Add what the agent should expect of an own proposal to another beside its cost."""

    def on_step(self, agents: list[Agent]) -> None:
        """Act when a step begins."""

    def may_propose(self, agent: Agent) -> bool:
        """Whether the agent may propose now."""
        return True

    def before_answers(self, deals: list[Deal]) -> None:
        """Act on the proposals of a turn before any is answered."""

    def admits(self, deal: Deal) -> bool:
        """Whether the proposal may be put to the counterparty."""
        return True

    def on_settle(self, deals: list[Deal]) -> None:
        """Look at the deals of a turn that have just been settled."""

    def on_epoch(self, agents: list[Agent]) -> None:
        """Act at the end of an epoch."""
