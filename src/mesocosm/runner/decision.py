"""Why an agent decided as it did: the run is simulated again up to a step, and the agent is watched as it decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mesocosm import exact
from mesocosm.agents.records import agent_name, slot_of_agent
from mesocosm.api import Considered, DecisionRequest, Proposals, View
from mesocosm.engine.batch import Batch, open_batch
from mesocosm.engine.loop import Play, Yielded, play_batch
from mesocosm.env.events import Checkpoint, EventBatch, Opening, Tick
from mesocosm.env.population import ROLES
from mesocosm.errors import UsageError
from mesocosm.log.read import read_log
from mesocosm.runner.agents_driver import AgentsDriver, ReplayedDecisions
from mesocosm.runner.directory import find_run
from mesocosm.runner.drive import scheduled
from mesocosm.runner.inputs import levers_of, orders_of
from mesocosm.runner.replay import scenario_of

#: what happened in a step that a person may want beside the decisions, by kind of event
DEEDS = (
    "input", "posted", "replied", "voted", "flagged", "task_planned", "task_claimed", "task_submitted",
    "task_rejected", "task_completed", "refused", "audited", "frozen", "throttled",
    "colluding",
)  # fmt: skip


@dataclass(frozen=True)
class Option:
    """One deal that was weighed: with whom, on which terms, and what it was worth."""

    partner: str
    effort: float
    disguise: float
    tau: float
    value: float
    parts: dict[str, float]


@dataclass(frozen=True)
class Decision:
    """One decision: what was known, what was weighed, what was decided, and by which rule."""

    question: str  # propose or accept
    turn: int
    rule: str  # what the policy says of how it decides
    known: dict[str, Any]
    options: list[Option]  # best first
    unit: str  # of the options' values
    chosen: Option | None  # the proposal made, if any
    answer: bool | None = None  # to a proposal
    outcome: dict[str, Any] | None = None  # what came of the proposal; None where none was made, or it was not put


@dataclass(frozen=True)
class Explanation:
    """What an agent did in one step of a run, and why."""

    agent: str
    policy: str
    role: str
    epoch: int
    step: int
    external: bool  # its decisions came from outside, and are among the deeds as they were recorded
    learning: bool
    frozen_until: int  # it could not deal before that step
    decisions: list[Decision]
    deeds: list[dict[str, Any]]  # its other actions in the step, and what befell it


def explain_decision(run: str | Path, agent: str | int, step: int) -> Explanation:
    """Simulate a run again up to a step and tell what an agent weighed and decided in it.

    Params   run: as for load_run; agent: slot, or id as in a_07; step: within the run, counted from 0.
    Raises   UsageError when the run has no such agent or step, or was ended before it came to the step.
    """
    log = read_log(find_run(run))
    scenario, seed = scenario_of(log), log.header.seed
    slot = agent if isinstance(agent, int) else _slot(agent)
    batch = open_batch([scenario], [seed])
    _check(batch, slot, step)
    batch.watched = slot
    decider = ReplayedDecisions(log, then=None if log.is_complete else AgentsDriver([scenario]))
    given = orders_of(log)
    orders = scheduled(given)
    decisions: list[Decision] = []
    deeds: list[dict[str, Any]] = []
    outcomes: dict[tuple[int, str, str], dict[str, Any]] = {}
    frozen_until = 0
    for item, reply in _until(play_batch(batch, levers_of(given)), step):
        if batch.step < step:
            frozen_until = int(batch.world.frozen_until[slot])
        if isinstance(item, EventBatch):
            decider.observe(item)
            deeds += _deeds(item, slot, step)
            outcomes |= _outcomes(item, slot, step)
        elif isinstance(item, Considered):
            decisions += _decisions(batch, item) if batch.step == step else []
        elif isinstance(item, DecisionRequest):
            reply.append(decider.decide(item))
        elif isinstance(item, Tick | Opening):
            reply.append(orders(item))
    if batch.step < step:
        why = f" ({log.end.reason})" if log.end is not None else ""
        raise UsageError(f"--step {step}: this run was ended early{why}, and its last step is {batch.step}.")
    return Explanation(
        agent=agent_name(slot),
        policy=batch.cast[int(batch.world.code[slot])].name,
        role=ROLES[int(batch.world.role[slot])],
        epoch=step // scenario.simulation.steps_per_epoch,
        step=step,
        external=batch.cast[int(batch.world.code[slot])].policy.external,
        learning=bool(batch.learns[slot]),
        frozen_until=frozen_until,
        decisions=[replace(decision, outcome=outcomes.get(_place(decision))) for decision in decisions],
        deeds=deeds,
    )


def _until(play: Play, step: int) -> Iterator[tuple[Yielded, list[Any]]]:
    """What a run yields up to the end of a step; whoever takes an item may append a reply to its list."""
    answer: Any = None
    while True:
        try:
            item = play.send(answer)
        except StopIteration:
            return
        if isinstance(item, Tick | Checkpoint) and item.step >= step + isinstance(item, Tick):
            return
        reply: list[Any] = []
        yield item, reply
        answer = reply[0] if reply else None


def _slot(agent: str) -> int:
    return int(agent) if agent.isdecimal() and agent.isascii() else slot_of_agent(agent)


def _check(batch: Batch, slot: int, step: int) -> None:
    steps = batch.structure.epochs * batch.structure.steps_per_epoch
    if not 0 <= step < steps:
        raise UsageError(f"--step {step}: this run has steps 0 to {steps - 1}, counted through the whole run.")
    if not 0 <= slot < batch.world.n_rows:
        raise UsageError(f"--agent {slot}: this run has agents 0 to {batch.world.n_rows - 1}.")


def _deeds(item: EventBatch, slot: int, step: int) -> list[dict[str, Any]]:
    """What the agent did, or what befell it, in the step."""
    if item.step != step or item.kind not in DEEDS:
        return []
    rows = np.flatnonzero(np.asarray(item.column["agent"]) == slot)
    names = [name for name in item.column if name != "agent"]
    return [{"kind": item.kind} | {name: _plain(item.column[name][row]) for name in names} for row in rows.tolist()]


def _outcomes(item: EventBatch, slot: int, step: int) -> dict[tuple[int, str, str], dict[str, Any]]:
    """What came of the proposals that the agent made or was asked about in the step, by turn, question and partner."""
    if item.step != step or item.kind != "interaction":
        return {}
    found = {}
    sides = (
        ("initiator", "counterparty", "propose", "pi_a_true"),
        ("counterparty", "initiator", "accept", "pi_b_true"),
    )
    for own, other, question, payoff in sides:
        for row in np.flatnonzero(np.asarray(item.column[own]) == slot).tolist():
            told = {name: _plain(item.column[name][row]) for name in ("accepted", "reason", "v")}
            names = {name: agent_name(int(item.column[name][row])) for name in ("initiator", "counterparty")}
            found[item.turn, question, names[other]] = names | told | {"payoff": float(item.column[payoff][row])}
    return found


def _place(decision: Decision) -> tuple[int, str, str]:
    """Turn, question and partner of a decision."""
    made = decision.chosen.partner if decision.chosen is not None else ""
    return decision.turn, decision.question, str(decision.known.get("initiator", made))


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _decisions(batch: Batch, seen: Considered) -> Iterator[Decision]:
    if seen.question == "propose":
        yield _proposal(batch, seen)
        return
    view, decided = seen.view, np.asarray(seen.decided)
    for row in range(len(view)):
        odds = float(view.odds[row])
        known: dict[str, Any] = {"initiator": agent_name(int(seen.partner[row])), "estimate": odds / (1.0 + odds)}
        for name in ("trust", "tau", "own_bar", "joint_bar", "is_mate"):
            if name in seen.policy.sees:
                column = getattr(view, name)
                known[name] = _plain(column[row] if np.ndim(column) else column)
        rule = _first_sentence(seen.policy.accept)
        yield Decision("accept", batch.turn, rule, known, [], "", None, bool(decided[row]))


def _proposal(batch: Batch, seen: Considered) -> Decision:
    answer: Proposals = seen.decided
    weighed = seen.policy.weigh(seen.view)
    options: list[Option] = []
    if weighed is not None:
        columns = (weighed.candidate, weighed.effort, weighed.disguise, weighed.transfer)
        options = [_option(seen, cell, worth) for *cell, worth in zip(*columns, weighed.value, strict=True)]
    if weighed is not None:
        for number, option in enumerate(options):
            option.parts.update({name: float(part[number]) for name, part in weighed.parts.items()})
    chosen = None
    if answer.choice[0] >= 0:
        made = _option(seen, [column[0] for column in answer], float("nan"))
        same = [option for option in options if _terms(option) == _terms(made)]
        chosen = same[0] if same else made
    options.sort(key=lambda option: -option.value)
    unit = weighed.unit if weighed is not None else ""
    known = _known_of(seen.view, seen.policy.sees, seen.partner) | _lived(batch)
    return Decision("propose", batch.turn, _first_sentence(seen.policy.propose), known, options, unit, chosen)


def _option(seen: Considered, cell: Sequence[Any], value: float) -> Option:
    """A cell (candidate, levels of effort, disguise and transfer) in words and numbers."""
    candidate, effort, disguise, transfer = cell
    menu, size = seen.view.menu, np.broadcast_to(np.asarray(seen.view.rule.transfer), 1)[0]
    partner = agent_name(int(seen.partner[candidate, 0]))
    tau = float(size * menu.transfer[transfer])
    return Option(partner, float(menu.effort[effort]), float(menu.disguise[disguise]), tau, float(value), {})


def _terms(option: Option) -> tuple[Any, ...]:
    return option.partner, option.effort, option.disguise, option.tau


def _known_of(view: View, sees: tuple[str, ...], partner: Any) -> dict[str, Any]:
    """The columns that the policy saw of each candidate and of itself."""
    there = [number for number in range(2) if partner[number, 0] >= 0]
    known: dict[str, Any] = {"met": [agent_name(int(partner[number, 0])) for number in there]}
    for name in ("trust_in", "trust_of", "leniency", "is_mate"):
        if name in sees:
            column = getattr(view, name)
            known[name] = [_plain(column[number][0] if np.ndim(column) else column) for number in there]
    for name in ("difficulty", "payoff_mean", "steps_since_caught"):
        if name in sees:
            known[name] = _plain(getattr(view, name)[0])
    return known


def _lived(batch: Batch) -> dict[str, Any]:
    """What the agent has met so far."""
    world, slot = batch.world, batch.watched
    counts = {name: int(getattr(world, name)[slot]) for name in ("deals", "audits", "freezes")}
    return counts | {"balance": float(exact.credits(world.ledger.balance[slot]))}


def _first_sentence(method: Any) -> str:
    text = (method.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split())
