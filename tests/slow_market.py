"""The market's operations by plain Python, one request after the other: what is carried out, and who has what then."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Bounty = dict[str, Any]


@dataclass
class SlowMarket:
    """One replicate: money by agent, and every bounty that was ever posted."""

    places: int
    bids_each: int
    balance: Counter[int] = field(default_factory=Counter)
    escrow: Counter[int] = field(default_factory=Counter)
    bond: Counter[int] = field(default_factory=Counter)
    bounties: list[Bounty] = field(default_factory=list)
    board: dict[int, int] = field(default_factory=dict)  # place -> number

    def post(self, agent: int, offer: int, deadline: int, on_submission: bool, epoch: int, allowance: int) -> bool:
        free = [p for p in range(self.places) if p not in self.board or self._of(self.board[p])["state"] == "closed"]
        if offer <= 0 or deadline < epoch or offer > self.balance[agent] or offer > allowance or not free:
            return False
        place = min(free, key=lambda p: (self.board.get(p, -1), p))
        self.board[place] = len(self.bounties)
        self.bounties.append(
            {"poster": agent, "offer": offer, "deadline": deadline, "now": on_submission, "state": "open", "bids": {},
             "held": offer, "verdict": 0, "disputant": None, "paid": 0, "worker": None, "bond": 0}
        )  # fmt: skip
        self.balance[agent] -= offer
        self.escrow[agent] += offer
        return True

    def bid(self, agent: int, number: int, amount: int, epoch: int) -> bool:
        bounty = self.find(number)
        if bounty is None or bounty["state"] != "open" or bounty["deadline"] < epoch or bounty["poster"] == agent:
            return False
        if not 0 < amount <= bounty["offer"] or agent in bounty["bids"] or len(bounty["bids"]) == self.bids_each:
            return False
        bounty["bids"][agent] = amount
        return True

    def accept(self, agent: int, number: int, bidder: int, price: int, epoch: int) -> bool:
        bounty = self.find(number)
        if bounty is None or bounty["state"] != "open" or bounty["deadline"] < epoch or bounty["poster"] != agent:
            return False
        if bidder not in bounty["bids"] or not bounty["bids"][bidder] <= price <= bounty["offer"]:
            return False
        self._pay(bounty, agent, bounty["held"] - price)
        bounty |= {"state": "accepted", "worker": bidder}
        return True

    def deliver(self, agent: int, number: int, epoch: int) -> bool:
        bounty = self.find(number)
        if bounty is None or bounty["state"] != "accepted" or bounty["worker"] != agent or bounty["deadline"] < epoch:
            return False
        bounty["state"] = "delivered"
        return True

    def verify(self, number: int, verdict: int) -> bool:
        bounty = self.find(number)
        if bounty is None or bounty["state"] != "delivered" or bounty["verdict"]:
            return False
        bounty["verdict"] = verdict
        return True

    def release(self, number: int) -> bool:
        bounty = self.find(number)
        if bounty is None or bounty["state"] != "delivered" or bounty["verdict"] < 0:
            return False
        if bounty["verdict"] == 0 and not bounty["now"]:
            return False
        self._close(bounty, bounty["worker"])
        return True

    def refund(self, number: int, epoch: int, leaving: bool) -> bool:
        bounty = self.find(number)
        if bounty is None:
            return False
        waits = bounty["state"] in ("open", "accepted") and (leaving or bounty["deadline"] < epoch)
        if not waits and not (bounty["state"] == "delivered" and bounty["verdict"] < 0):
            return False
        self._close(bounty, bounty["poster"])
        return True

    def dispute(self, agent: int, number: int, bond: int) -> bool:
        bounty = self.find(number)
        if bounty is None or bounty["state"] != "delivered" or bounty["disputant"] is not None:
            return False
        if bounty["verdict"] == 0 and not bounty["now"]:
            return False
        if agent != bounty["worker" if bounty["verdict"] < 0 else "poster"] or not 0 <= bond <= self.balance[agent]:
            return False
        self.balance[agent] -= bond
        self.bond[agent] += bond
        bounty |= {"state": "disputed", "disputant": agent, "bond": bond}
        return True

    def decide(self, number: int, verdict: int) -> bool:
        bounty = self.find(number)
        if bounty is None or bounty["state"] != "disputed":
            return False
        self.bond[bounty["disputant"]] -= bounty["bond"]
        self.balance[bounty["worker" if verdict > 0 else "poster"]] += bounty["bond"]
        bounty |= {"state": "delivered", "verdict": verdict, "bond": 0}
        return True

    def find(self, number: int) -> Bounty | None:
        return self._of(number) if number in self.board.values() else None

    def _of(self, number: int) -> Bounty:
        return self.bounties[number]

    def _close(self, bounty: Bounty, agent: int) -> None:
        self._pay(bounty, agent, bounty["held"])
        bounty["state"] = "closed"
        bounty["paid"] += 1

    def _pay(self, bounty: Bounty, agent: int, amount: int) -> None:
        bounty["held"] -= amount
        self.escrow[bounty["poster"]] -= amount
        self.balance[agent] += amount
