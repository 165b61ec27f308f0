"""What must be true of the events of any run, worked out from the events alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mesocosm.agents.roles import ROLE_LIST
from mesocosm.config.schema import Scenario
from mesocosm.env.events import EVENT_FIELDS, Reason
from mesocosm.env.population import slots_of
from trajectory import Event

TOOLS = {role.name: role.tools for role in ROLE_LIST}
TOOL_OF = {
    "posted": "post", "replied": "reply", "voted": "vote", "flagged": "flag", "task_planned": "plan",
    "task_claimed": "claim", "task_submitted": "submit", "task_rejected": "reject", "task_completed": "approve",
}  # fmt: skip


def micro(amount: float) -> int:
    """Whole micro-credits, halves to the even one."""
    return round(amount * 1e6)


def check_order(events: list[Event], steps_per_epoch: int) -> None:
    """Events are numbered without a gap, stand in the order of time, and are caused by earlier ones."""
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[0]["kind"] == "simulation_started"
    assert events[-1]["kind"] == "simulation_ended"
    place = [(event["epoch"], event["step"], event["turn"]) for event in events]
    assert place == sorted(place)
    for event in events:
        assert all(0 <= cause < event["seq"] for cause in event["causes"]), event
        assert all(0 <= cause < event["seq"] for cause in event.get("derived_from", ()) if cause != -1), event
        assert event["kind"] in EVENT_FIELDS
        if event["kind"] != "simulation_ended":
            assert event["step"] // steps_per_epoch == event["epoch"], event


@dataclass
class Presence:
    """Who is there, which posts and votes exist: followed through the events."""

    scenario: Scenario
    here: set[int]
    author: dict[int, int] = field(default_factory=dict)
    votes: set[tuple[int, int]] = field(default_factory=set)
    tasks: set[int] = field(default_factory=set)
    frozen: dict[int, int] = field(default_factory=dict)
    abandoned: set[int] = field(default_factory=set)

    def follow(self, event: Event) -> None:
        """Take one event in, and check that it can happen."""
        kind, agent = event["kind"], event.get("agent")
        if kind == "arrived":
            assert agent not in self.here
            self.here.add(event["agent"])
        elif kind == "identity_opened":
            assert agent in self.here
            assert event["identity"] not in self.here
            assert slots_of(self.scenario)[event["identity"]][5] == agent, "an identity has the slot kept for its owner"
            self.here.add(event["identity"])
        elif kind == "identity_abandoned":
            assert {agent, event["identity"]} <= self.here
            self.abandoned.add(event["identity"])
        elif kind == "departed":
            self.here.remove(event["agent"])
        elif kind == "agent_state":
            assert event["active"] == (agent in self.here)
        elif kind == "frozen":
            assert event["until_step"] >= self.frozen.get(event["agent"], 0), "a freeze shortens no other"
            self.frozen[event["agent"]] = event["until_step"]
        elif kind == "interaction":
            self._meet(event)
        elif kind in ("bounty_posted", "bid_submitted", "bid_accepted", "work_delivered", "dispute_opened"):
            assert self.scenario.simulation.phases.market
            assert agent in self.here, event
            if kind in ("bounty_posted", "bid_submitted"):
                assert self.frozen.get(event["agent"], 0) <= event["step"], "a frozen agent neither posts nor bids"
        elif kind in TOOL_OF:
            self._use_tool(event)
        elif kind in ("epoch_started", "epoch_completed"):
            assert event["active"] == len(self.here)
        elif kind == "task_opened":
            assert event["task"] == len(self.tasks)
            self.tasks.add(event["task"])

    def _use_tool(self, event: Event) -> None:
        kind, agent = event["kind"], event["agent"]
        assert agent in self.here, event
        assert TOOL_OF[kind] in TOOLS[slots_of(self.scenario)[agent][2]], event
        if "task" in event:
            assert event["task"] in self.tasks
            return
        assert self.scenario.simulation.phases.feed
        if kind in ("posted", "replied"):
            self.author[event["seq"]] = agent
        if kind != "posted":
            assert event["post"] in self.author, "only posts can be answered, voted on and flagged"
        if kind == "voted":
            assert event["value"] in (-1, 1)
            assert self.author[event["post"]] != agent, "nobody votes on its own post"
            assert (agent, event["post"]) not in self.votes, "one vote per agent and post"
            self.votes.add((agent, event["post"]))

    def _meet(self, event: Event) -> None:
        a, b, conduct = event["initiator"], event["counterparty"], self.scenario.conduct
        assert a != b
        assert {a, b} <= self.here, event
        assert a not in self.abandoned, "an identity that was given up proposes nothing"
        assert self.scenario.simulation.phases.proposals
        assert event["accepted"] == (event["reason"] == "accepted")
        assert event["reason"] in Reason.__members__
        assert event["effort"] in conduct.effort_menu
        assert event["disguise"] in conduct.disguise_menu
        assert event["tau"] in [conduct.transfer * multiple for multiple in conduct.transfer_menu]
        assert event["v"] in (-1, 1)
        for name in ("difficulty", "p", "trust", "estimate"):
            assert 0 <= event[name] <= 1, (name, event)
        assert self.frozen.get(a, 0) <= event["step"], "a frozen agent does not propose"
        if self.frozen.get(b, 0) > event["step"]:
            assert not event["accepted"], "a frozen agent does not accept"


def check_presence(events: list[Event], scenario: Scenario) -> None:
    """Whoever does something is there and may do it, and whatever it refers to exists."""
    presence = Presence(scenario, set(range(scenario.agents_initial)))
    for event in events:
        presence.follow(event)


@dataclass
class Books:
    """All accounts of a run in micro-credits, rebuilt from the events alone."""

    scenario: Scenario
    balance: Counter[int]
    minted: int
    burnt: int = 0
    treasury: int = 0
    commons: int = 0
    held: int = 0
    budget: dict[int, int] = field(default_factory=dict)
    planner: dict[int, int] = field(default_factory=dict)
    worker: dict[int, int] = field(default_factory=dict)
    deposit: Counter[tuple[int, str]] = field(default_factory=Counter)
    gone: set[int] = field(default_factory=set)
    bounty: dict[int, Event] = field(
        default_factory=dict
    )  # as posted, with what is in escrow, the bond, and who has it
    toil: Counter[int] = field(default_factory=Counter)  # most that an agent's submitted work can have cost

    def book(self, event: Event) -> None:
        """Enter one event."""
        enter = getattr(self, f"_{event['kind']}", None)
        if enter is not None:
            enter(event)

    def _arrived(self, event: Event) -> None:
        self.balance[event["agent"]] += micro(event["endowment"])
        self.minted += micro(event["endowment"])

    def _departed(self, event: Event) -> None:
        assert micro(event["balance"]) == self.balance[event["agent"]]
        self.commons += self.balance.pop(event["agent"])
        self.gone.add(event["agent"])

    def _identity_opened(self, event: Event) -> None:
        cost, deposit, endowment = (micro(event[name]) for name in ("cost", "deposit", "endowment"))
        assert min(cost, deposit, endowment) >= 0
        assert self.balance[event["agent"]] >= cost + deposit + endowment, "an owner pays out of what it has"
        self.balance[event["agent"]] -= cost + deposit + endowment
        self.balance[event["identity"]] = endowment
        self.treasury += cost
        self.deposit[event["identity"], "bond"] += deposit
        self.held += deposit

    def _interaction(self, event: Event) -> None:
        if not event["accepted"]:
            return
        surplus = event["surplus_true" if self.scenario.payoff.settle_on == "outcome" else "surplus"]
        theta = self.scenario.payoff.theta
        part_a, part_b = micro(theta * surplus), micro((1.0 - theta) * surplus)
        tau, toil = micro(event["tau"]), micro(event["private_cost"])
        due_a, due_b = micro(event["c_a"]), micro(event["c_b"])
        self.balance[event["initiator"]] += part_a - tau - toil - due_a
        self.balance[event["counterparty"]] += part_b + tau - due_b
        self.minted += max(part_a, 0) + max(part_b, 0)
        self.burnt += toil - min(part_a, 0) - min(part_b, 0)
        self.treasury += due_a + due_b

    def _audited(self, event: Event) -> None:
        self.balance[event["agent"]] -= micro(event["fine"])
        self.treasury += micro(event["fine"])

    def _colluding(self, event: Event) -> None:
        self._audited(event)

    def _charged(self, event: Event) -> None:
        self.balance[event["agent"]] -= micro(event["amount"])
        self.treasury += micro(event["amount"])

    def _deposited(self, event: Event) -> None:
        self._move_deposit(event, micro(event["amount"]))
        self.balance[event["agent"]] -= micro(event["amount"])

    def _returned(self, event: Event) -> None:
        self._move_deposit(event, -micro(event["amount"]))
        self.balance[event["agent"]] += micro(event["amount"])

    def _slashed(self, event: Event) -> None:
        self._move_deposit(event, -micro(event["amount"]))
        if event["payee"] < 0:
            self.treasury += micro(event["amount"])
        else:
            self.balance[event["payee"]] += micro(event["amount"])

    def _move_deposit(self, event: Event, amount: int) -> None:
        self.deposit[event["agent"], event["deposit"]] += amount
        self.held += amount
        assert self.deposit[event["agent"], event["deposit"]] >= 0, event

    def _task_opened(self, event: Event) -> None:
        self.budget[event["task"]] = micro(event["budget"])
        self.held += micro(event["budget"])
        self.minted += micro(event["budget"])

    def _task_planned(self, event: Event) -> None:
        self.planner[event["task"]] = event["agent"]

    def _task_claimed(self, event: Event) -> None:
        self.worker[event["task"]] = event["agent"]

    def _task_submitted(self, event: Event) -> None:
        assert self.worker[event["task"]] == event["agent"]
        self.toil[event["agent"]] += micro(self.scenario.conduct.effort_cost * event["effort"])

    def _task_completed(self, event: Event) -> None:
        whole = self.budget.pop(event["task"])
        assert micro(event["paid"]) == whole
        quarter = round(whole * 0.25)
        payees = (self.planner[event["task"]], event["agent"], self.worker[event["task"]])
        for payee, amount in zip(payees, (quarter, quarter, whole - 2 * quarter), strict=True):
            if payee in self.gone:
                self.commons += amount
            else:
                self.balance[payee] += amount
        self.held -= whole

    def _task_failed(self, event: Event) -> None:
        whole = self.budget.pop(event["task"])
        self.held -= whole
        self.commons += whole

    def _bounty_posted(self, event: Event) -> None:
        assert event["bounty"] == len(self.bounty)
        amount = micro(event["offer"])
        self.bounty[event["bounty"]] = event | {"escrow": amount, "bond": 0, "is_open": True, "bids": {}}
        self.balance[event["agent"]] -= amount
        self.held += amount

    def _bid_submitted(self, event: Event) -> None:
        bounty = self.bounty[event["bounty"]]
        assert bounty["is_open"] and event["agent"] != bounty["agent"] and event["bid"] <= bounty["offer"]
        bounty["bids"][event["agent"]] = event["bid"]

    def _bid_accepted(self, event: Event) -> None:
        bounty, price = self.bounty[event["bounty"]], micro(event["price"])
        assert event["agent"] == bounty["agent"] and "worker" not in bounty
        assert micro(bounty["bids"][event["worker"]]) <= price <= bounty["escrow"]
        bounty["worker"] = event["worker"]
        self._pay(bounty, bounty["agent"], bounty["escrow"] - price)

    def _work_delivered(self, event: Event) -> None:
        bounty = self.bounty[event["bounty"]]
        assert event["agent"] == bounty["worker"] and event["epoch"] <= bounty["deadline"]
        self.balance[event["agent"]] -= micro(event["toil"])
        self.burnt += micro(event["toil"])

    def _dispute_opened(self, event: Event) -> None:
        bounty = self.bounty[event["bounty"]]
        assert event["agent"] in (bounty["agent"], bounty["worker"]) and "disputant" not in bounty
        bounty |= {"disputant": event["agent"], "bond": micro(event["bond"])}
        self.balance[event["agent"]] -= bounty["bond"]
        self.held += bounty["bond"]

    def _dispute_decided(self, event: Event) -> None:
        bounty = self.bounty[event["bounty"]]
        favoured = bounty["worker"] if event["verdict"] > 0 else bounty["agent"]
        assert event["overturned"] == (favoured == bounty["disputant"])
        self.balance[favoured] += bounty["bond"]
        self.held -= bounty["bond"]
        bounty["bond"] = 0

    def _escrow_released(self, event: Event) -> None:
        bounty = self.bounty[event["bounty"]]
        assert bounty["worker"] == event["worker"] and bounty["escrow"] == micro(event["amount"])
        self._pay(bounty, event["worker"], bounty["escrow"])
        bounty["is_open"] = False

    def _escrow_refunded(self, event: Event) -> None:
        bounty = self.bounty[event["bounty"]]
        assert bounty["agent"] == event["poster"] and bounty["escrow"] == micro(event["amount"])
        self._pay(bounty, event["poster"], bounty["escrow"])
        bounty["is_open"] = False

    def _pay(self, bounty: Event, agent: int, amount: int) -> None:
        assert bounty["is_open"], "escrow is paid out once"
        assert agent not in self.gone
        bounty["escrow"] -= amount
        self.balance[agent] += amount
        self.held -= amount

    def _bounty_closed(self, event: Event) -> None:
        bounty = self.bounty[event["bounty"]]
        assert not bounty["is_open"] and bounty["escrow"] == bounty["bond"] == 0
        assert event["released"] or event["credited"] == 0
        self.balance[event["poster"]] += micro(event["credited"])
        self.minted += micro(event["credited"])

    def _agent_state(self, event: Event) -> None:
        agent, said = event["agent"], micro(event["balance"])
        assert micro(event["deposits"]) == sum(n for (owner, _), n in self.deposit.items() if owner == agent)
        cost = self.balance[agent] - said
        assert 0 <= cost <= self.toil[agent], "the books of the events agree with the balance"
        self.balance[agent] = said
        self.burnt += cost
        assert said >= -micro(self.scenario.environment.credit_limit)

    def _epoch_completed(self, event: Event) -> None:
        for name in ("minted", "burnt", "treasury", "commons"):
            assert micro(event[name]) == getattr(self, name), name
        total = sum(self.balance.values()) + self.held + self.treasury + self.commons
        assert total == self.minted - self.burnt
        self.toil.clear()


def check_books(events: Iterable[Event], scenario: Scenario) -> None:
    """Every credit is accounted for, to the micro-credit, by what the events say."""
    endowment = micro(scenario.environment.initial_budget)
    initial = scenario.agents_initial
    books = Books(scenario, Counter(dict.fromkeys(range(initial), endowment)), minted=endowment * initial)
    for event in events:
        books.book(event)
