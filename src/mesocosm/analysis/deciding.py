"""The first decision on a deal that came out otherwise in two runs, with what the agent weighed in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

import msgspec

from mesocosm.agents.records import agent_name
from mesocosm.env.events import REASONS, Reason
from mesocosm.errors import MesocosmError
from mesocosm.log.canonical import event_type
from mesocosm.log.read import Log
from mesocosm.runner.decision import Decision, Explanation, explain_decision

#: what an agent decides of a proposal that it makes
TERMS = ("counterparty", "effort", "disguise", "tau")
_DEAL = event_type("interaction", ["initiator", *TERMS, "accepted", "reason"])
#: the reasons of an answer that the counterparty gave by itself
ANSWERS = (REASONS[Reason.accepted], REASONS[Reason.declined])


@dataclass(frozen=True)
class Otherwise:
    """A decision that came out otherwise in two runs, and what was weighed in each.

    `a` and `b` are the explanations of the whole step, None where the run cannot be simulated again here (`missing`
    says why); `decisions` the one of each that differs, None where the agent did not get to decide.
    """

    agent: str
    question: str  # propose or accept
    epoch: int
    step: int
    turn: int
    initiator: str
    a: Explanation | None
    b: Explanation | None
    missing: str = ""

    @property
    def decisions(self) -> tuple[Decision | None, Decision | None]:
        """The decision in question as it was taken in either run."""
        return self._of(self.a), self._of(self.b)

    def _of(self, told: Explanation | None) -> Decision | None:
        for decision in told.decisions if told is not None else ():
            here = decision.question == self.question and decision.turn == self.turn
            if here and (self.question == "propose" or decision.known.get("initiator") == self.initiator):
                return decision
        return None

    @property
    def known(self) -> list[tuple[str, Any, Any]]:
        """What the agent knew otherwise, as (name, a, b)."""
        one, other = ((decision.known if decision is not None else {}) for decision in self.decisions)
        return [(name, one[name], other[name]) for name in one if name in other and one[name] != other[name]]

    def as_dict(self) -> dict[str, Any]:
        """The decision and both explanations as plain values."""
        told = asdict(self)
        one, other = self.decisions
        pair = {name: asdict(each) if each is not None else None for name, each in (("a", one), ("b", other))}
        known = [{"name": name, "a": here, "b": there} for name, here, there in self.known]
        return told | {"decisions": pair, "known_otherwise": known}


def first_decision(a: Log, b: Log, deals_a: Iterator[bytes], deals_b: Iterator[bytes]) -> Otherwise | None:
    """Go through the proposals of two runs together up to the first that somebody decided otherwise.

    Params   deals_a, deals_b: interactions as JSON, in order, from where the runs part.
    Returns  None when no decision on a deal differs, as far as both runs go.
    """
    for one, other in zip_longest(deals_a, deals_b):
        if one is None or other is None:
            return None
        pair = [msgspec.json.decode(body, type=_DEAL) for body in (one, other)]
        found = _decided_otherwise(*pair)
        if found is not None:
            return _explained(a, b, *found)
    return None


def _decided_otherwise(one: Any, other: Any) -> tuple[Any, str] | None:
    """The proposal and the question that was answered otherwise; None where nobody's decision differs."""
    place, there = ((deal.step, deal.turn, deal.initiator) for deal in (one, other))
    if place != there:
        return (one if place < there else other), "propose"
    if any(getattr(one, name) != getattr(other, name) for name in TERMS):
        return one, "propose"
    if one.accepted != other.accepted and one.reason in ANSWERS and other.reason in ANSWERS:
        return one, "accept"
    return None


def _explained(a: Log, b: Log, deal: Any, question: str) -> Otherwise:
    slot = deal.initiator if question == "propose" else deal.counterparty
    (one, why), (other, why_not) = (_explanation(log, slot, deal.step) for log in (a, b))
    return Otherwise(
        agent=agent_name(slot),
        question=question,
        epoch=deal.epoch,
        step=deal.step,
        turn=deal.turn,
        initiator=agent_name(deal.initiator),
        a=one,
        b=other,
        missing=why or why_not,
    )


def _explanation(log: Log, slot: int, step: int) -> tuple[Explanation | None, str]:
    """What an agent weighed in a step, or why nobody can tell."""
    try:
        return explain_decision(log.path, slot, step), ""
    except MesocosmError as error:
        return None, str(error)
